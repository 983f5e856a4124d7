//! Configuration: what may be written, what it means, and what is wrong with it.
//!
//! ```text
//! file + environment + --set ── file ──▶ File (serde) ── validate ──▶ Settings (typed) | every fault
//! ```

pub mod librdkafka;
pub mod file;
pub mod settings;
pub mod validate;

pub use settings::Settings;
