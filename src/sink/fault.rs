//! Why an output was not delivered, in the three classes that call for different things.
//!
//! A sink says which class it is; what follows is decided by the pipeline. A class must never be
//! too mild: an output that is taken for refused goes out smaller, or as a dead letter.

use std::fmt;

/// Why one output was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFault {
    /// What it calls for.
    pub class: FaultClass,
    /// Why, in one line.
    pub why: String,
}

/// What a failed delivery calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// The target takes others, but never this one: another form of it has to go out.
    Refused(Refusal),
    /// The target takes nothing now: the same output is to be sent again, until it is taken.
    Unavailable,
    /// The client cannot go on.
    Fatal,
}

/// What a target has against one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It is too large.
    TooLarge,
    /// It is not valid.
    Invalid,
    /// A policy forbids it.
    Policy,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 3] = [Self::TooLarge, Self::Invalid, Self::Policy];

    /// The reason in the headers of dead letters and in metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "output too large",
            Self::Invalid => "output invalid",
            Self::Policy => "output refused by policy",
        }
    }
}

impl DeliveryFault {
    /// The target refuses this one output.
    #[must_use]
    pub fn refused(refusal: Refusal, why: impl Into<String>) -> Self {
        Self { class: FaultClass::Refused(refusal), why: why.into() }
    }

    /// The target takes nothing now.
    #[must_use]
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self { class: FaultClass::Unavailable, why: why.into() }
    }

    /// The client cannot go on.
    #[must_use]
    pub fn fatal(why: impl Into<String>) -> Self {
        Self { class: FaultClass::Fatal, why: why.into() }
    }
}

impl fmt::Display for DeliveryFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}
