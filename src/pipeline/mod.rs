//! The life of a record, and the guarantee.
//!
//! ```text
//! Source ─▶ worker: inspect ─▶ disposition ─▶ encode ─▶ Sink
//!               │                                        │ delivered
//!               └──── offsets: entry per record ◀────────┘
//!                          └─▶ watermark ─▶ commit
//! ```

pub mod offsets;
pub mod state;
pub mod worker;
pub mod tally;
#[cfg(feature = "kafka")]
pub mod driver;
