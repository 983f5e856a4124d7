//! Tokens → tree; every fault of a text at once.

use super::{Diagnostic, Query};

/// Parses `text`, or says everything that is wrong with it.
///
/// # Errors
/// All faults of the text, in the order of their places.
pub fn parse(text: &str) -> Result<Query, Vec<Diagnostic>> {
    let _ = text;
    unimplemented!()
}
