//! One record → the outputs that it owes: verdict, disposition, encoding.
//!
//! A [`Judge`] is immutable but for the state of dispositions, whose lock is taken on hits and on
//! their deliveries and never for a clean record. Workers share one; it is exchanged as a whole
//! between two batches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kept::Kept;
use super::note::{AlertNote, Form, Letter, LetterCause, Note, Prepared};
use super::tally::{DeliveredAlert, Tally};
use crate::alert::{AlertEncoder, AlertId, AlertInput, DeadLetter, Encoded};
use crate::detect::{Detector, Hit, Outcome, Scratch, Verdict};
use crate::disposition::{ClosedGroup, Disposition, Dispositions, HitContext};
use crate::event::{DecodeFault, TopicProfile};
use crate::record::{Record, Timestamp};
use crate::rule::RuleSet;
use crate::sink::{Refusal, Target};

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

    /// Takes over from the judge that was in force `before`: known ids stay known.
    pub fn inherit(&self, before: &Self) {
        self.dispositions().inherit(&before.dispositions());
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
        let letter = Letter {
            cause: LetterCause::Unreadable(fault),
            detail: unreadable(record, verdict, fault),
            form: Form::Whole,
        };
        match self.dead_letter(record, letter) {
            Some(letter) => prepared.push(letter),
            None => tally.dead_letter(LetterCause::Unreadable(fault)),
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
            Disposition::Excepted if self.audit == Audit::Published => Target::Audit,
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
        let notice = decision.notice.as_ref().map(|notice| Prepared {
            target: Target::Alerts,
            encoded: self.encoder.encode_notice(notice, judged),
            note: Note::Notice,
        });
        let alert = Box::new(AlertNote { id, about, hit, decision, form: Form::Whole });
        let note = if target == Target::Audit { Note::Audit(alert) } else { Note::Alert(alert) };
        prepared.push(Prepared { target, encoded, note });
        prepared.extend(notice);
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

    /// The dead letter, unless they are discarded.
    fn dead_letter(&self, record: &Record<'_>, letter: Letter) -> Option<Prepared> {
        let content = DeadLetter {
            record,
            stage: letter.cause.stage(),
            reason: letter.cause.reason(),
            detail: &letter.detail,
            judged: record.received,
        };
        let encoded = match (self.dead_letters, letter.form) {
            (DeadLetterForm::Record, Form::Whole) => content.encode(),
            (DeadLetterForm::Record, Form::Reduced) => content.encode_without_value(),
            (DeadLetterForm::Line, _) => Encoded {
                value: Some(content.encode_line()),
                timestamp: record.received,
                ..Encoded::default()
            },
            (DeadLetterForm::Discarded, _) => return None,
        };
        let note = Note::DeadLetter(Box::new(letter));
        Some(Prepared { target: Target::DeadLetters, encoded, note })
    }

    /// What goes out in place of an output that its target refuses: a reduced alert, then a dead
    /// letter, then a dead letter without its value, and nothing after that.
    pub(super) fn another_form(
        &self,
        refused: &Prepared,
        kept: &Kept,
        (refusal, why): (Refusal, &str),
    ) -> AnotherForm {
        let letter = match &refused.note {
            Note::Alert(alert) | Note::Audit(alert) if alert.form == Form::Whole => {
                if let Some(reduced) = self.reduced(refused, alert, kept) {
                    return AnotherForm::Sent(reduced);
                }
                None
            }
            Note::DeadLetter(letter) if letter.form == Form::Whole => {
                Some(Letter { form: Form::Reduced, ..(**letter).clone() })
            }
            Note::DeadLetter(_) => return AnotherForm::None,
            Note::Alert(_) | Note::Audit(_) | Note::Notice | Note::Update => None,
        };
        let letter = letter.unwrap_or_else(|| Letter {
            cause: LetterCause::Unsent(refusal),
            detail: format!("{} not taken: {why}", refused.note.name()),
            form: Form::Whole,
        });
        let cause = letter.cause;
        let record = kept.record(refused.encoded.value.as_deref());
        match self.dead_letter(&record, letter) {
            Some(letter) => AnotherForm::Sent(letter),
            None => AnotherForm::Discarded(cause),
        }
    }

    /// The alert without its event; the record is decoded again for what the alert still says of
    /// it.
    fn reduced(&self, refused: &Prepared, alert: &AlertNote, kept: &Kept) -> Option<Prepared> {
        let record = kept.record(None);
        let mut scratch = Scratch::default();
        let verdict = self.detector.inspect(&record, &kept.profile, &mut scratch);
        let input = AlertInput {
            rule: alert.hit.rule,
            event: verdict.events.get(alert.hit.event as usize)?,
            record: &record,
            judged: record.received,
            decision: &alert.decision,
        };
        let encoded = self.encoder.encode_reduced(alert.id, &input);
        let note = Box::new(AlertNote { form: Form::Reduced, ..alert.clone() });
        let note = match &refused.note {
            Note::Audit(_) => Note::Audit(note),
            _ => Note::Alert(note),
        };
        Some(Prepared { target: refused.target, encoded, note })
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

    /// These outputs will not be delivered, and their records are judged again: their hits are not
    /// counted.
    pub fn forget(&self, notes: &[Note]) {
        for note in notes {
            let (Note::Alert(alert) | Note::Audit(alert)) = note else { continue };
            // Other rules count by themselves.
            if let Some(time) = alert.decision.counted
                && Arc::ptr_eq(&alert.about.rules, self.rules())
            {
                self.dispositions().forget(alert.hit.rule, time);
            }
        }
    }

    fn dispositions(&self) -> MutexGuard<'_, Dispositions> {
        // A panic elsewhere leaves counts that are at worst too low: more is let through, not less.
        self.dispositions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes out in place of a refused output.
#[derive(Debug)]
pub(super) enum AnotherForm {
    /// This.
    Sent(Prepared),
    /// A dead letter, which are discarded because the configuration says so.
    Discarded(LetterCause),
    /// There is none: the target refuses even the least that could be sent.
    None,
}

fn unreadable(record: &Record<'_>, verdict: &Verdict<'_>, fault: DecodeFault) -> String {
    let bytes = record.payload.map_or(0, <[u8]>::len);
    match verdict.events.len() {
        0 => format!("{fault}, in a payload of {bytes} bytes"),
        read => format!("{fault}, in a payload of {bytes} bytes, after {read} events were judged"),
    }
}
