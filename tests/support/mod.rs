//! What several test modules share.

pub mod malformed;
pub mod okta;
pub mod program;
pub mod source;
