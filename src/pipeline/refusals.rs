//! What was refused in a transaction that had to be aborted, so that it goes out in another form
//! when its record is judged again.
//!
//! At least once, a refused output is replaced where it stands. In a transaction one refusal dooms
//! all: the records are judged again, and would owe the same output again, for ever. So each
//! refusal is remembered by the record and by what the output is, until the record is committed.
//! Bounded by what is in flight: only outputs that the sink had can be refused.

use std::collections::HashMap;

use super::judge::AnotherForm;
use super::kept::Kept;
use super::note::{LetterCause, Note, Prepared};
use super::outputs::Trial;
use crate::alert::AlertId;
use crate::record::Position;
use crate::sink::{Refusal, Target};
use crate::source::Partition;

/// What an output is, in whichever form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OutputName {
    Alert(AlertId),
    Audit(AlertId),
    Notice,
    DeadLetter,
}

impl OutputName {
    /// The name of an output in its first form; an update of an alert has none: no record owes it.
    pub fn of(note: &Note) -> Option<Self> {
        match note {
            Note::Alert(alert) => Some(Self::Alert(alert.id)),
            Note::Audit(alert) => Some(Self::Audit(alert.id)),
            Note::Notice => Some(Self::Notice),
            Note::DeadLetter(_) => Some(Self::DeadLetter),
            Note::Update => None,
        }
    }
}

/// One thing to be done otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// It was too large in company: it is sent alone.
    Alone,
    /// It was refused: another form is sent, alone.
    AnotherForm(Refusal, String),
}

/// The refusals of one worker.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// By topic, partition and offset; in the order in which they happened.
    records: HashMap<(String, i32, i64), Vec<(OutputName, Otherwise)>>,
    /// Targets that refused outputs for their company: for how many commits more each output is
    /// sent alone. One abort finds that out for all of them.
    alone: HashMap<Target, u32>,
}

/// For so many commits outputs are sent alone after some were too large together: long enough for
/// the aborts to be few, and some day the topic may take more.
const ALONE_COMMITS: u32 = 60;

/// An output as it goes out this time.
#[derive(Debug)]
pub(super) enum Now {
    /// Like this.
    Sent(Prepared, Trial),
    /// Not at all: a dead letter, which are discarded because the configuration says so.
    Discarded(LetterCause),
}

impl Refusals {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.alone.is_empty()
    }

    /// Remembers one more.
    pub fn add(&mut self, kept: &Kept, output: (OutputName, Target), otherwise: Otherwise) {
        let (name, target) = output;
        if otherwise == Otherwise::Alone {
            self.alone.insert(target, ALONE_COMMITS);
        }
        let key = key(&kept.record(None).position);
        self.records.entry(key).or_default().push((name, otherwise));
    }

    /// The output in the form in which it goes out this time.
    pub fn now(&self, prepared: Prepared, kept: &Kept) -> Now {
        let mut trial = match self.alone.contains_key(&prepared.target) {
            true => Trial::Alone,
            false => Trial::Shared,
        };
        let mut prepared = prepared;
        let name = OutputName::of(&prepared.note);
        let of_record = self.records.get(&key(&kept.record(None).position));
        for (refused, otherwise) in of_record.into_iter().flatten() {
            if Some(*refused) != name {
                continue;
            }
            trial = Trial::Alone;
            let Otherwise::AnotherForm(refusal, why) = otherwise else { continue };
            match kept.judge.another_form(&prepared, kept, (*refusal, why)) {
                AnotherForm::Sent(other) => prepared = other,
                AnotherForm::Discarded(cause) => return Now::Discarded(cause),
                AnotherForm::None => {}
            }
        }
        Now::Sent(prepared, trial)
    }

    /// Everything before these watermarks is committed.
    pub fn committed(&mut self, watermarks: &[(Partition, i64)]) {
        self.alone.retain(|_, commits| {
            *commits -= 1;
            *commits > 0
        });
        for (partition, watermark) in watermarks {
            self.records.retain(|(topic, number, offset), _| {
                **topic != *partition.topic
                    || *number != partition.partition
                    || *offset >= *watermark
            });
        }
    }

    /// Somebody else judges these partitions from now on.
    pub fn released(&mut self, partitions: &[Partition]) {
        self.records.retain(|(topic, number, _), _| {
            !partitions.iter().any(|gone| *gone.topic == **topic && gone.partition == *number)
        });
    }
}

fn key(position: &Position<'_>) -> (String, i32, i64) {
    (position.topic.to_owned(), position.partition, position.offset)
}
