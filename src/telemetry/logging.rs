//! Logs: text or JSON, rate limited, untrusted values escaped.
