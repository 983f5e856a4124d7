//! One integration binary: a module per file beside it.

// Clippy counts helpers as test code by this.
#![cfg(test)]

mod architecture;
mod canary;
mod check;
mod clock;
mod config;
mod coverage;
#[cfg(feature = "kafka")]
mod demo;
mod dispositions;
mod docs;
mod elastic;
mod exactly_once;
mod hostile;
mod house;
#[cfg(feature = "kafka")]
mod kafka_embedded;
mod oracle;
mod pipe;
mod rules;
mod shapes;
mod support;
mod telemetry;
mod lints;
mod untrusted;
mod wire;
mod worker;
