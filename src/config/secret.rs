//! Reads the secrets that a configuration names. Their values are in no message.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use super::file::SecretReference;
use super::settings::Secret;
use crate::limits;

/// What a configuration refers to outside itself.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<OsString, OsString>,
    /// Whether secrets, and the files that a connection needs, are looked at.
    pub secrets: Secrets,
}

/// Whether secrets are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// A command that connects needs them.
    #[default]
    Read,
    /// A command that works offline leaves them where they are.
    Leave,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process(secrets: Secrets) -> Self {
        Self { variables: std::env::vars_os().collect(), secrets }
    }

    /// Reads the secret that `reference` names.
    ///
    /// # Errors
    /// Why there is none: the variable is not set, the file cannot be read, …
    pub fn read(&self, reference: &SecretReference) -> Result<Secret, String> {
        if self.secrets == Secrets::Leave {
            return Ok(Secret::new(""));
        }
        let (text, place) = match (&reference.env, &reference.file) {
            (Some(name), None) => (self.variable(name)?, format!("environment variable {name}")),
            (None, Some(file)) => {
                let place = format!("file {}", file.path().display());
                (read_file(file.path()).map_err(|fault| format!("{place}: {fault}"))?, place)
            }
            _ => return Err(super::schema::SECRET_HINT.to_owned()),
        };
        // Editors and `echo` end a file with a line break, which no secret has.
        let text = text.trim_end_matches(['\r', '\n']);
        match text.is_empty() {
            true => Err(format!("{place} is empty")),
            false => Ok(Secret::new(text)),
        }
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        let value = self.variables.get(&OsString::from(name));
        let value = value.ok_or_else(|| unset(name))?;
        value
            .to_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("environment variable {name} is not UTF-8"))
    }
}

/// That a variable is not set; its name is repeated only where it is no secret by mistake.
fn unset(name: &str) -> String {
    if name.chars().all(|symbol| symbol.is_ascii_alphanumeric() || symbol == '_') {
        return format!("environment variable {name} is not set");
    }
    "no environment variable of this name is set; the name is not repeated here, since it may be \
     the secret itself: `env` takes the name of a variable"
        .to_owned()
}

fn read_file(path: &std::path::Path) -> Result<String, String> {
    let about = fs::metadata(path).map_err(|fault| fault.to_string())?;
    if about.len() > limits::SECRET_BYTES_MAX {
        let most = limits::SECRET_BYTES_MAX;
        return Err(format!("{} bytes, a secret has at most {most}", about.len()));
    }
    let bytes = fs::read(path).map_err(|fault| fault.to_string())?;
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}
