//! Seeded Okta events for `generate`, `demo`, tests and benches.
//!
//! The same options give the same bytes, for ever. Nothing here performs I/O.
