//! The life of a record, and the guarantee.
//!
//! ```text
//! Source ─▶ worker: inspect ─▶ disposition ─▶ encode ─▶ Sink
//!               │                                        │ delivered
//!               └──── offsets: entry per record ◀────────┘
//!                          └─▶ watermark ─▶ commit
//! ```
//!
//! At least once: an offset is committed only when every record before it in its partition is
//! finished, that is, judged clean, or its alerts and its dead letter confirmed by the target.
//! Queued is not delivered. After a fault, records are judged again, and their alerts carry the
//! same ids.
//!
//! All decisions about offsets, rebalances, back-pressure and the end are made in [`state`], which
//! knows neither time nor I/O; [`worker`] joins it to a source, a sink and a [`Judge`]. `run`,
//! `pipe` and the demonstration differ in nothing but their source and sink.

pub mod input;
pub mod offsets;
pub mod partitions;
pub mod ledger;
mod trouble;
pub mod state;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod exactly_once_tests;
pub mod note;
mod kept;
pub mod judge;
pub mod in_flight;
mod refusals;
mod outputs;
pub mod worker;
pub mod tally;
pub mod budget;
pub mod setup;
#[cfg(feature = "kafka")]
pub mod driver;

pub use judge::{Audit, DeadLetterForm, Judge};
pub use state::{Bounds, Ending, Holds, TransactionBounds};
pub use tally::Tally;
pub use worker::{Step, Worker, WorkerOptions};
