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
pub mod validate;
pub mod show;
pub mod settings;

pub use origin::{Fault, KeyPath, Origin};
pub use secret::{Secrets, Surroundings};
pub use settings::Settings;
pub use tree::{Reader, Tree};

/// What `reader` has read: as settings, and as written.
///
/// # Errors
/// Everything that is wrong with it, in the order of layers and lines.
pub fn finish(reader: Reader, surroundings: &Surroundings) -> Result<(Settings, Tree), Vec<Fault>> {
    let Reader { tree, mut faults, .. } = reader;
    let (settings, found) = validate::validate(&tree, surroundings);
    // A value that could not be read is missing: that is no second fault.
    let is_known = |fault: &Fault| {
        faults.iter().any(|known| !known.key.parts().is_empty() && fault.key.is_within(&known.key))
    };
    let (_, new): (Vec<_>, Vec<_>) = found.into_iter().partition(is_known);
    faults.extend(new);
    faults.sort_by_key(|fault| fault.origin.rank());
    if faults.is_empty() { Ok((settings, tree)) } else { Err(faults) }
}
