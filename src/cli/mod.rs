//! The command line.

pub mod args;
pub mod exit;
pub mod files;
pub mod generate;
pub mod progress;
pub mod terminal;
pub mod version;
