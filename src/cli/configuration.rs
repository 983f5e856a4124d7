//! The configuration of a command: finds the file, adds environment and options, validates.

use std::path::{Path, PathBuf};

use super::args::{LogFormatArgument, Shared};
use super::exit::{Exit, Failure};
use super::files;
use crate::config::{
    self, Configuration, Fault, KeyPath, Origin, Reader, Secrets, Settings, Surroundings, Tree,
};

/// Where a configuration file is looked for when none is named, in this order.
pub const PLACES: [&str; 2] = ["ouzel.toml", "/etc/ouzel/ouzel.toml"];

/// A configuration, loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// What was written, and where.
    pub written: Tree,
    /// The file, where there is one.
    pub file: Option<PathBuf>,
}

/// Loads the configuration of a command that connects: its secrets are read.
///
/// # Errors
/// Every fault of it at once (3).
pub fn load(shared: &Shared) -> Result<Loaded, Failure> {
    without_faults(read(shared, Secrets::Read))
}

/// Loads the configuration of a command that connects nowhere: its secrets are left where they
/// are, so they need not be there.
///
/// # Errors
/// Every other fault of it at once (3).
pub fn load_offline(shared: &Shared) -> Result<Loaded, Failure> {
    without_faults(read(shared, Secrets::Leave))
}

/// Reads the configuration. Where it has faults, defaults stand in for what is wrong.
#[must_use]
pub fn read(shared: &Shared, secrets: Secrets) -> (Loaded, Option<Failure>) {
    let surroundings = Surroundings::of_process(secrets);
    let mut reader = Reader::default();
    let file = read_file(&mut reader, shared.config.as_deref());
    read_environment(&mut reader, &surroundings);
    for assignment in &shared.sets {
        reader.assignment("--set", assignment);
    }
    read_options(&mut reader, shared);
    let Configuration { settings, written, faults } = config::finish(reader, &surroundings);
    let mut faults: Vec<String> =
        faults.iter().map(|fault| format!("configuration: {fault}")).collect();
    if secrets == Secrets::Read {
        faults.extend(refused_by_the_client(&settings));
    }
    let failure = (!faults.is_empty()).then(|| Failure::all(Exit::Configuration, faults));
    (Loaded { settings, written, file }, failure)
}

fn without_faults((loaded, failure): (Loaded, Option<Failure>)) -> Result<Loaded, Failure> {
    failure.map_or(Ok(loaded), Err)
}

/// What the client library says of the raw keys' values.
#[cfg(feature = "kafka")]
fn refused_by_the_client(settings: &Settings) -> Vec<String> {
    crate::kafka::settings::refused(settings)
        .into_iter()
        .map(|fault| format!("configuration: {fault}"))
        .collect()
}

#[cfg(not(feature = "kafka"))]
fn refused_by_the_client(_settings: &Settings) -> Vec<String> {
    Vec::new()
}

fn read_file(reader: &mut Reader, named: Option<&Path>) -> Option<PathBuf> {
    let found = || PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    let path = named.map(Path::to_owned).or_else(found)?;
    match files::read(&path) {
        Ok(text) => reader.file(&path, &text),
        Err(fault) => {
            let origin = Origin::Argument("-c/--config, OUZEL_CONFIG".to_owned());
            let message = fault.to_string();
            reader.faults.push(Fault { origin, key: KeyPath::default(), message });
        }
    }
    Some(path)
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
