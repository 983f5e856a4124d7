//! One integration binary: a module per file beside it.

mod architecture;
mod docs;
mod house;
mod support;
mod telemetry;
