//! Which program this is: version and commit, as alerts and metrics carry them.

/// The version, as in Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from; `dev` for any build that is no release.
pub const COMMIT: &str = env!("OUZEL_BUILD_COMMIT");

/// What `--version` prints.
#[must_use]
pub const fn long() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("OUZEL_BUILD_COMMIT"), ")")
}
