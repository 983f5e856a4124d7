//! Exceptions for a command: from the paths of the configuration.
//!
//! Files are opened here and nowhere else; what they mean is decided in the core. Every fault of
//! every file is told at once.

use std::sync::Arc;

use super::exit::{Exit, Failure};
use super::files;
use crate::config::Settings;
use crate::disposition::Exceptions;
use crate::disposition::exception::{self, ExceptionText};
use crate::pipeline::setup;
use crate::record::Timestamp;
use crate::rule::RuleSet;

/// The endings of exception files, exported lists and value lists.
const ENDINGS: &[&str] = &[".toml", ".ndjson", ".json", ".txt", ".csv"];

/// The exceptions that `settings` name, bound to `rules`.
///
/// # Errors
/// Every fault: of exceptions (2), of paths (4).
pub fn load(settings: &Settings, rules: &RuleSet) -> Result<Arc<Exceptions>, Failure> {
    let (files, unread) = files::gather(&settings.exceptions, ENDINGS);
    let origins: Vec<String> = files.iter().map(files::TextFile::origin).collect();
    let texts: Vec<ExceptionText<'_>> = origins
        .iter()
        .zip(&files)
        .map(|(origin, file)| ExceptionText { origin, text: &file.text })
        .collect();
    let types = setup::field_types(settings, rules);
    let exceptions = exception::load(&texts, rules, &types).map_err(|faults| {
        Failure::all(Exit::Rules, faults.iter().map(ToString::to_string).collect())
    });
    match (unread, exceptions) {
        (None, exceptions) => exceptions.map(Arc::new),
        (Some(unread), Ok(_)) => Err(unread),
        (Some(unread), Err(wrong)) => Err(unread.and(wrong)),
    }
}

/// What looks wrong with exceptions that are allowed, at `now`.
#[must_use]
pub fn warnings(exceptions: &Exceptions, now: Timestamp) -> Vec<String> {
    let expired = exceptions.expired(now).map(|exception| {
        format!("{}: exception {:?} has expired and hides nothing", exception.origin, exception.id)
    });
    exceptions.warnings().iter().map(ToString::to_string).chain(expired).collect()
}
