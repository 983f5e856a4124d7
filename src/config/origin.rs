//! Keys, where their values came from, and what is wrong with them.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from. The later ones outweigh the earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// A configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// The command line: the option, such as `--set input.group`.
    Argument(String),
}

impl Origin {
    /// The place in an orderly list: by layer, in a file by line.
    #[must_use]
    pub const fn rank(&self) -> (u8, usize) {
        match self {
            Self::File { line, .. } => (0, *line),
            Self::Environment(_) => (1, 0),
            Self::Argument(_) => (2, 0),
            Self::Default => (3, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, line } => write!(out, "{}:{line}", path.display()),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::Argument(option) => out.write_str(option),
        }
    }
}

/// A key with everything it stands in: `kafka.sasl.username`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The key that `dotted` names, split at its dots.
    #[must_use]
    pub fn new(dotted: &str) -> Self {
        Self(dotted.split('.').map(str::to_owned).collect())
    }

    /// The key `name` in the table that `self` names.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(self.0.iter().map(String::as_str).chain([name]).map(str::to_owned).collect())
    }

    /// The table that the key stands in; of the root, the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        let (_, parent) = self.0.split_last().unwrap_or((&String::new(), &[])).to_owned();
        Self(parent.to_vec())
    }

    /// The parts, outermost first.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Whether the key is `table`, or stands in it.
    #[must_use]
    pub fn is_within(&self, table: &Self) -> bool {
        self.0.starts_with(&table.0)
    }
}

/// As TOML writes it: parts that are no bare keys are quoted.
impl fmt::Display for KeyPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.0.iter().enumerate() {
            if number > 0 {
                out.write_str(".")?;
            }
            let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if !part.is_empty() && part.bytes().all(is_bare) {
                out.write_str(part)?;
            } else {
                // The escapes of JSON are TOML's as well; it leaves only this character as it is.
                let quoted = serde_json::Value::from(part.as_str()).to_string();
                out.write_str(&quoted.replace('\u{7f}', "\\u007f"))?;
            }
        }
        Ok(())
    }
}

/// One thing that is wrong with a configuration. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Where the value came from.
    pub origin: Origin,
    /// The key; the root, where the fault is in no particular one.
    pub key: KeyPath,
    /// What was found, what is allowed, what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(out, "{}: ", self.origin)?;
        }
        let key = self.key.to_string();
        let is_named = matches!(&self.origin, Origin::Argument(option) if option.ends_with(&key));
        if !key.is_empty() && !is_named {
            write!(out, "{key}: ")?;
        }
        out.write_str(&self.message)
    }
}
