//! Reader of detection-rules TOML.
