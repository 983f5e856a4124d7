//! Configuration: what may be written, what it means, and what is wrong with it.
//!
//! ```text
//! file, environment, --set ── tree ──▶ Tree (values with their origin) ── validate ──▶ Settings
//!                              │          └─ show ─▶ text                    │        (typed)
//!                         schema of file's types                       every fault at once
//! ```
//!
//! The later layer outweighs the earlier one, key by key. No secret is ever in a tree, a text or a
//! fault: what is written names where the secret is, and only [`settings::Secret`] holds it.

pub mod origin;
pub mod file;
pub mod schema;
pub mod tree;
pub mod secret;
pub mod expression;
pub mod librdkafka;
mod cluster;
mod coverage;
mod delivery;
pub mod validate;
pub mod show;
pub mod settings;

pub use origin::{Fault, KeyPath, Origin};
pub use secret::{Secrets, Surroundings};
pub use settings::Settings;
pub use tree::{Reader, Tree};

/// What was read, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What it means; where a value has a fault, its default stands in.
    pub settings: Settings,
    /// What was written, and where.
    pub written: Tree,
    /// Everything that is wrong, in the order of layers and lines.
    pub faults: Vec<Fault>,
}

/// Makes sense of what `reader` has read.
#[must_use]
pub fn finish(reader: Reader, surroundings: &Surroundings) -> Configuration {
    let Reader { tree: written, mut faults, .. } = reader;
    let (settings, found) = validate::validate(&written, surroundings);
    // A value that could not be read is missing: that is no second fault.
    let is_known = |fault: &Fault| {
        faults.iter().any(|known| !known.key.parts().is_empty() && fault.key.is_within(&known.key))
    };
    let (_, new): (Vec<_>, Vec<_>) = found.into_iter().partition(is_known);
    faults.extend(new);
    faults.sort_by_key(|fault| fault.origin.rank());
    Configuration { settings, written, faults }
}
