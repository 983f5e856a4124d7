//! `/metrics`, `/healthz`, `/readyz` and `/rules`.
