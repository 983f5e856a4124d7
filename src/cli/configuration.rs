//! The configuration of a command: finds the file, adds environment and options, validates.

use std::path::{Path, PathBuf};

use super::args::{LogFormatArgument, Shared};
use super::exit::{Exit, Failure};
use super::files;
use crate::config::{self, Fault, KeyPath, Origin, Reader, Secrets, Settings, Surroundings, Tree};

/// Where a configuration file is looked for when none is named, in this order.
pub const PLACES: [&str; 2] = ["ouzel.toml", "/etc/ouzel/ouzel.toml"];

/// A configuration, loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// What was written, and where.
    pub written: Tree,
}

/// Loads the configuration of a command that connects: its secrets are read.
///
/// # Errors
/// Every fault of it at once (3).
pub fn load(shared: &Shared) -> Result<Loaded, Failure> {
    load_with(shared, &Surroundings::of_process(Secrets::Read))
}

/// Loads the configuration of a command that connects nowhere: its secrets are left where they
/// are, so they need not be there.
///
/// # Errors
/// Every other fault of it at once (3).
pub fn load_offline(shared: &Shared) -> Result<Loaded, Failure> {
    load_with(shared, &Surroundings::of_process(Secrets::Leave))
}

fn load_with(shared: &Shared, surroundings: &Surroundings) -> Result<Loaded, Failure> {
    let mut reader = Reader::default();
    read_file(&mut reader, shared.config.as_deref());
    read_environment(&mut reader, surroundings);
    for assignment in &shared.sets {
        reader.assignment("--set", assignment);
    }
    read_options(&mut reader, shared);
    match config::finish(reader, surroundings) {
        Ok((settings, written)) => Ok(Loaded { settings, written }),
        Err(faults) => {
            let faults = faults.iter().map(|fault| format!("configuration: {fault}")).collect();
            Err(Failure::all(Exit::Configuration, faults))
        }
    }
}

fn read_file(reader: &mut Reader, named: Option<&Path>) {
    let found = || PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    let Some(path) = named.map(Path::to_owned).or_else(found) else { return };
    match files::read(&path) {
        Ok(text) => reader.file(&path, &text),
        Err(fault) => {
            let origin = Origin::Argument("-c/--config, OUZEL_CONFIG".to_owned());
            reader.faults.push(Fault {
                origin,
                key: KeyPath::default(),
                message: fault.to_string(),
            });
        }
    }
}

fn read_environment(reader: &mut Reader, surroundings: &Surroundings) {
    for (name, value) in &surroundings.variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("OUZEL__")) else { continue };
        match value.to_str() {
            Some(value) => reader.variable(name, value),
            None => reader.faults.push(Fault {
                origin: Origin::Environment(name.to_owned()),
                key: KeyPath::default(),
                message: "the value is not UTF-8".to_owned(),
            }),
        }
    }
}

/// The options that stand for a key.
fn read_options(reader: &mut Reader, shared: &Shared) {
    if !shared.rules.is_empty() {
        reader.paths("-r/--rules", "rules", &shared.rules);
    }
    match shared.log_format {
        Some(LogFormatArgument::Text) => reader.option("--log-format", "log.format", "text"),
        Some(LogFormatArgument::Json) => reader.option("--log-format", "log.format", "json"),
        None => {}
    }
    match (shared.verbose, shared.quiet) {
        (0, 0) => {}
        (0, 1) => reader.option("-q", "log.level", "warn"),
        (0, _) => reader.option("-qq", "log.level", "error"),
        (_, _) => reader.option("-v", "log.level", "debug"),
    }
}
