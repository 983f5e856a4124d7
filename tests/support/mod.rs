//! What several test modules share.

pub mod okta;
pub mod source;
