//! The command line.

pub mod args;
pub mod exit;
pub mod files;
pub mod terminal;
pub mod version;
