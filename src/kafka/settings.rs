//! Typed settings → `ClientConfig`.
