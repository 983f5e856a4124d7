//! What an operator sees: metrics, logs and the endpoint that serves them.

pub mod metrics;
pub mod logging;
pub mod http;
