//! One record → the outputs that it owes: verdict, disposition, encoding.
//!
//! A [`Judge`] is immutable but for the state of dispositions, whose lock is taken on hits and on
//! their deliveries and never for a clean record. Workers share one; it is exchanged as a whole
//! between two batches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tally::{DeliveredAlert, Tally};
use crate::alert::{AlertEncoder, AlertId, AlertInput, DeadLetter, Encoded};
use crate::detect::{Detector, Hit, Outcome, Verdict};
use crate::disposition::{ClosedGroup, Disposition, Dispositions, HitContext};
use crate::event::{DecodeFault, TopicProfile};
use crate::record::{Record, Timestamp};
use crate::rule::RuleSet;
use crate::sink::Target;

/// Everything that decides what becomes of a record.
#[derive(Debug)]
pub struct Judge {
    detector: Detector,
    encoder: AlertEncoder,
    dispositions: Arc<Mutex<Dispositions>>,
    profiles: BTreeMap<String, Arc<TopicProfile>>,
    other_topics: Arc<TopicProfile>,
    dead_letters: DeadLetterForm,
    audit: Audit,
}

/// What becomes of a hit that an exception hides, beside being counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audit {
    /// Nothing.
    #[default]
    Counted,
    /// It goes to the audit target, with the id of the exception.
    Published,
}

/// What a dead letter looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadLetterForm {
    /// The original record with headers that say why, for a topic.
    #[default]
    Record,
    /// One JSON object, for a file of lines.
    Line,
    /// None: unreadable records are counted and left behind.
    Discarded,
}

/// One output that a record owes.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where it goes.
    pub target: Target,
    /// What goes there.
    pub encoded: Encoded,
    /// What is to be done when it was delivered.
    pub note: Note,
}

/// What an output is, until it is delivered.
#[derive(Clone, Debug)]
pub enum Note {
    /// An alert.
    Alert(AlertId, DeliveredAlert),
    /// A notice that a rule passed its limit.
    Notice,
    /// A hit that an exception hides.
    Audit,
    /// The closing update of an alert whose suppression group is over.
    Update,
    /// A record that could not be judged.
    DeadLetter(DecodeFault),
}

impl Note {
    /// The output's name in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert(..) => "alert",
            Self::Notice => "notice",
            Self::Audit => "audit record",
            Self::Update => "update of an alert",
            Self::DeadLetter(_) => "dead letter",
        }
    }
}

impl Judge {
    /// A judge of the detector's rules. `profiles` are by topic; a topic without one gets an
    /// empty profile.
    #[must_use]
    pub fn new(
        detector: Detector,
        encoder: AlertEncoder,
        dispositions: Arc<Mutex<Dispositions>>,
        profiles: BTreeMap<String, TopicProfile>,
        dead_letters: DeadLetterForm,
    ) -> Self {
        let profiles =
            profiles.into_iter().map(|(topic, profile)| (topic, Arc::new(profile))).collect();
        let other_topics = Arc::default();
        let audit = Audit::default();
        Self { detector, encoder, dispositions, profiles, other_topics, dead_letters, audit }
    }

    /// The same, with hits that an exception hides going where `audit` says.
    #[must_use]
    pub fn with_audit(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// The rules that it judges by.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        self.detector.rules()
    }

    /// The detector.
    #[must_use]
    pub const fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The profile of `topic`.
    #[must_use]
    pub fn profile(&self, topic: &str) -> &Arc<TopicProfile> {
        self.profiles.get(topic).unwrap_or(&self.other_topics)
    }

    /// Appends what the record owes by `verdict` to `prepared`, and counts its hits.
    pub fn prepare(
        &self,
        record: &Record<'_>,
        verdict: &Verdict<'_>,
        tally: &mut Tally,
        prepared: &mut Vec<Prepared>,
    ) {
        for hit in verdict.hits {
            self.prepare_hit(record, verdict, *hit, tally, prepared);
        }
        let Outcome::Unreadable(fault) = verdict.outcome else { return };
        match self.dead_letter(record, verdict, fault) {
            Some(letter) => prepared.push(letter),
            None => tally.dead_letter(fault),
        }
    }

    fn prepare_hit(
        &self,
        record: &Record<'_>,
        verdict: &Verdict<'_>,
        hit: Hit,
        tally: &mut Tally,
        prepared: &mut Vec<Prepared>,
    ) {
        let Some(event) = verdict.events.get(hit.event as usize) else { return };
        let Some(rule) = self.rules().get(hit.rule) else { return };
        let (judged, id) = (record.received, self.encoder.id(rule, event, record));
        let context = HitContext { id, rule: hit.rule, event, record, judged };
        let decision = self.dispositions().decide(&context);
        let disposition = decision.disposition;
        tally.hits.add(hit.rule, disposition);
        if let Some(hidden) = &decision.exception {
            tally.exceptions.push(Arc::clone(&hidden.id));
        }
        let input = AlertInput { rule: hit.rule, event, record, judged, decision: &decision };
        let target = match disposition {
            Disposition::Published => Target::Alerts,
            Disposition::OverLimit => Target::Overflow,
            Disposition::Excepted if self.audit == Audit::Published => {
                let encoded = self.encoder.encode(id, &input);
                return prepared.push(Prepared {
                    target: Target::Audit,
                    encoded,
                    note: Note::Audit,
                });
            }
            Disposition::Excepted | Disposition::Repeated | Disposition::Suppressed => return,
        };
        let encoded = self.encoder.encode(id, &input);
        if let Some(group) = &decision.group {
            let draft = self.encoder.draft(id, &input);
            self.dispositions().keep(group.key, draft);
        }
        let about = DeliveredAlert {
            rules: Arc::clone(self.rules()),
            rule: hit.rule,
            disposition,
            event_time: event.time,
            record_time: record.timestamp.unwrap_or(record.received),
        };
        prepared.push(Prepared { target, encoded, note: Note::Alert(id, about) });
        if let Some(notice) = &decision.notice {
            let encoded = self.encoder.encode_notice(notice, judged);
            prepared.push(Prepared { target: Target::Alerts, encoded, note: Note::Notice });
        }
    }

    /// The updates of alerts whose suppression groups are over at `now`.
    #[must_use]
    pub fn updates(&self, now: Timestamp) -> Vec<Prepared> {
        let closed = self.dispositions().due(now);
        self.update_each(closed, now)
    }

    /// The updates of all alerts whose suppression groups are open, at the end.
    #[must_use]
    pub fn last_updates(&self, now: Timestamp) -> Vec<Prepared> {
        let closed = self.dispositions().close_all();
        self.update_each(closed, now)
    }

    fn update_each(&self, closed: Vec<ClosedGroup>, now: Timestamp) -> Vec<Prepared> {
        let update = |group| Prepared {
            target: Target::Alerts,
            encoded: self.encoder.encode_update(group, now),
            note: Note::Update,
        };
        closed.into_iter().map(update).collect()
    }

    fn dead_letter(
        &self,
        record: &Record<'_>,
        verdict: &Verdict<'_>,
        fault: DecodeFault,
    ) -> Option<Prepared> {
        let bytes = record.payload.map_or(0, <[u8]>::len);
        let read = verdict.events.len();
        let detail = match read {
            0 => format!("{fault}, in a payload of {bytes} bytes"),
            _ => format!("{fault}, in a payload of {bytes} bytes, after {read} events were judged"),
        };
        let letter = DeadLetter {
            record,
            stage: Tally::DEAD_LETTER_STAGE,
            reason: fault.reason(),
            detail: &detail,
            judged: record.received,
        };
        let encoded = match self.dead_letters {
            DeadLetterForm::Record => letter.encode(),
            DeadLetterForm::Line => Encoded {
                value: Some(letter.encode_line()),
                timestamp: record.received,
                ..Encoded::default()
            },
            DeadLetterForm::Discarded => return None,
        };
        Some(Prepared { target: Target::DeadLetters, encoded, note: Note::DeadLetter(fault) })
    }

    /// Suppression groups that are open.
    #[must_use]
    pub fn open_groups(&self) -> usize {
        self.dispositions().open_groups()
    }

    /// The alert `id` was delivered: from now on the same id is a repeat.
    pub fn delivered(&self, id: AlertId) {
        self.dispositions().delivered(id);
    }

    fn dispositions(&self) -> MutexGuard<'_, Dispositions> {
        // A panic elsewhere leaves counts that are at worst too low: more is let through, not less.
        self.dispositions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
