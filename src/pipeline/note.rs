//! What an output is, beside its bytes, until it is delivered.

use super::tally::DeliveredAlert;
use crate::alert::{AlertId, Encoded, Stage};
use crate::detect::Hit;
use crate::disposition::Decision;
use crate::event::DecodeFault;
use crate::sink::{Refusal, Target};

/// One output that is owed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where it goes.
    pub target: Target,
    /// What goes there.
    pub encoded: Encoded,
    /// What is to be done when it was delivered.
    pub note: Note,
}

impl Prepared {
    /// How long its key and its value are, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parts = [&self.encoded.key, &self.encoded.value];
        parts.into_iter().flatten().map(|part| part.len()).sum()
    }
}

/// What an output is.
#[derive(Clone, Debug)]
pub enum Note {
    /// An alert.
    Alert(Box<AlertNote>),
    /// A notice that a rule passed its limit.
    Notice,
    /// A hit that an exception hides.
    Audit(Box<AlertNote>),
    /// The closing update of an alert whose suppression group is over.
    Update,
    /// A record that could not be judged, or whose output was refused.
    DeadLetter(Box<Letter>),
}

/// How much of an output is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// All of it.
    #[default]
    Whole,
    /// An alert without the event's fields, a dead letter without its value.
    Reduced,
}

/// What is known of an alert.
#[derive(Clone, Debug)]
pub struct AlertNote {
    /// Its id.
    pub id: AlertId,
    /// What is counted of it.
    pub about: DeliveredAlert,
    /// The hit.
    pub hit: Hit,
    /// What was decided about the hit.
    pub decision: Decision,
    /// How much of it is sent.
    pub form: Form,
}

/// What is known of a dead letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Why there is one.
    pub cause: LetterCause,
    /// One line of detail.
    pub detail: String,
    /// How much of it is sent.
    pub form: Form,
}

/// Why there is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterCause {
    /// The record could not be judged (wholly).
    Unreadable(DecodeFault),
    /// An output of it was refused, in every form.
    Unsent(Refusal),
}

impl LetterCause {
    /// The stage at which the record failed.
    #[must_use]
    pub const fn stage(self) -> Stage {
        match self {
            Self::Unreadable(_) => Stage::Processing,
            Self::Unsent(_) => Stage::Sending,
        }
    }

    /// The reason, from the fixed vocabulary.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreadable(fault) => fault.reason(),
            Self::Unsent(refusal) => refusal.reason(),
        }
    }
}

impl Note {
    /// The output's name in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Alert(alert) if alert.form == Form::Reduced => "reduced alert",
            Self::Alert(_) => "alert",
            Self::Notice => "notice",
            Self::Audit(_) => "audit record",
            Self::Update => "update of an alert",
            Self::DeadLetter(letter) if letter.form == Form::Reduced => {
                "dead letter without its value"
            }
            Self::DeadLetter(_) => "dead letter",
        }
    }
}
