//! What becomes of a hit: published, excepted, repeated, suppressed or over the limit.
//!
//! ```text
//! hit ─ exception? ─ delivered lately? ─ open suppression group? ─ past the limit? ─▶ Decision
//! ```
//!
//! The state in here is shared by the workers of an instance and touched on hits only. Time comes
//! in as an argument, so every window is exact in tests. What a restart loses is a count, never an
//! alert: an empty state lets more through, not less.

pub mod repeat;
pub mod limit;
pub mod suppression;
pub mod time;
pub mod schedule;
pub mod absence;
pub mod value_list;
mod elastic_item;
mod exception_toml;
mod exception_text;
pub mod exception;
pub mod decide;

pub use decide::{Dispositions, HitContext};
pub use exception::{ExceptionIndex, Exceptions};
pub use limit::{Limit, Notice, WindowState};
pub use repeat::{AlertId, Hex, RecentIds};
pub use suppression::{ClosedGroup, Draft, GroupKey, OpenGroup, Suppression, Term};

use crate::record::Timestamp;

/// What became of a hit. The names are the values of the metric label `disposition`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Goes to the alert topic.
    #[default]
    Published,
    /// Hidden by an exception.
    Excepted,
    /// Its id was delivered lately.
    Repeated,
    /// Counted into an open suppression group.
    Suppressed,
    /// Past the rule's limit: published marked, or to the overflow target.
    OverLimit,
}

impl Disposition {
    /// Every disposition, in the order of the documents.
    pub const ALL: [Self; 5] =
        [Self::Published, Self::Excepted, Self::Repeated, Self::Suppressed, Self::OverLimit];

    /// The label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Excepted => "excepted",
            Self::Repeated => "repeated",
            Self::Suppressed => "suppressed",
            Self::OverLimit => "over_limit",
        }
    }
}

/// What is decided about one hit, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What becomes of the hit.
    pub disposition: Disposition,
    /// The exception that hides it.
    pub exception: Option<HiddenBy>,
    /// The notice that is due with it: the hit is the first past its rule's limit.
    pub notice: Option<Notice>,
    /// The suppression group that the hit opened: its alert says so, and its closing update is to
    /// be handed to [`Dispositions::keep`].
    pub group: Option<OpenGroup>,
    /// The time at which the hit counts against its rule's limit, where it was counted.
    pub counted: Option<Timestamp>,
}

/// The exception that hides a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenBy {
    /// Its index, to count by.
    pub index: ExceptionIndex,
    /// Its id, to show.
    pub id: std::sync::Arc<str>,
}

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod exception_tests;
