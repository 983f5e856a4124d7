//! Tree → text that parses to the same tree.

use super::Node;

/// The node as KQL text.
#[must_use]
pub fn print(node: &Node) -> String {
    let _ = node;
    unimplemented!()
}
