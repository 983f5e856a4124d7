//! **Ouzel**: a streaming detection stage. It reads audit events from Kafka, judges each with
//! rules written in the Kibana Query Language, and publishes enriched alerts.
//!
//! ```text
//! bytes ─ source ─▶ record ─▶ event ─▶ detect ─▶ disposition ─▶ alert ─▶ sink ─ bytes
//!                               ▲         ▲           ▲
//!                             kql ──▶  rule      exceptions, limits
//! ```
//!
//! The modules stand in the order in which a record meets them. The first half is the core: bytes
//! and time in, values out; no I/O, no clock, no log. The second half is the shell, which owns
//! sockets, files, threads and time.
//!
//! What must be true, always: no event unseen (every record is judged, dead-lettered or counted as
//! skipped, and the offset moves only after that); no alert lost; no alert that cannot be explained
//! and proved again from the record it came from.

// ── core ──
pub mod record;
pub mod limits;
pub mod text;
pub mod event;
pub mod kql;
pub mod rule;
pub mod detect;
pub mod disposition;
pub mod alert;
pub mod generate;
// ── shell ──
pub mod clock;
pub mod config;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod source;
pub mod sink;
pub mod pipeline;
pub mod telemetry;
pub mod cli;
