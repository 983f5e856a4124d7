//! One alert for a group of hits: the first is published at once, further hits are counted, and
//! when the group's window closes one update of the alert says how many there were.
//!
//! ```text
//! first hit ─▶ alert (revision 0) ── further hits: counted ──▶ window closes ─▶ update (revision 1)
//! ```
//!
//! A window is open for the rule's duration of wall time from its first hit; it also closes at
//! shutdown, and the oldest one closes where the bound on groups or their bytes is reached. A
//! suppressed hit is done when it is counted, so its offset may move: what a kill loses is a count,
//! never a first alert. A hit whose id is the group's own is the first hit again (its delivery
//! failed or is under way) and is published again; a hit that was counted before is a repeat.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use super::{AlertId, HitContext, RecentIds, time};
use crate::event::{Event, FieldPath, Value};
use crate::limits::{RECENT_IDS_MAX, SUPPRESSION_BYTES_MAX, SUPPRESSION_GROUPS_MAX};
use crate::record::{OutputHeader, Timestamp};
use crate::rule::{MissingFields, Rule, RuleIndex, RuleSet};

/// The name of a group: a hash over the rule and the group's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey([u8; 32]);

/// What the first hit of a group says of it: the alert carries it from revision 0 on.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenGroup {
    /// The group, for [`Suppression::keep`].
    pub key: GroupKey,
    /// The group's fields and values; null where a hit lacks one.
    pub terms: Vec<Term>,
    /// The event time of the first hit.
    pub start: Timestamp,
}

/// One field of a group and the value that its hits share.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The field's name.
    pub field: String,
    /// The value.
    pub value: serde_json::Value,
}

/// An update of an alert, complete but for the group's end and count, which are known when the
/// window closes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The value up to where these are inserted.
    pub value: Vec<u8>,
    /// The record key.
    pub key: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<OutputHeader>,
}

/// A group whose window has closed after at least one hit was suppressed.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedGroup {
    /// The rule.
    pub rule: RuleIndex,
    /// The id of the group's alert.
    pub id: AlertId,
    /// The group's fields and values.
    pub terms: Vec<Term>,
    /// The earliest event time of its hits.
    pub start: Timestamp,
    /// The latest event time of its hits.
    pub end: Timestamp,
    /// How many hits were suppressed: the first one, which was published, is not among them.
    pub count: u64,
    /// The update that is now due.
    pub draft: Draft,
}

/// What suppression says of a hit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The rule suppresses nothing, or not this hit.
    Free,
    /// The first hit of a group: publish it.
    First(OpenGroup),
    /// Counted into an open group.
    Counted,
    /// It was counted into a group before.
    Repeated,
}

/// The open groups of all rules.
#[derive(Debug)]
pub struct Suppression {
    /// By rule index; `None` where the rule does not suppress.
    rules: Vec<Option<RuleGroups>>,
    groups: HashMap<GroupKey, Group>,
    /// Every open group by age: the number of its opening.
    by_age: BTreeMap<u64, GroupKey>,
    opened: u64,
    /// Bytes of all drafts and terms.
    bytes: usize,
    /// Groups that have closed and were not fetched yet.
    closed: Vec<ClosedGroup>,
    /// Hits that were counted lately: they are repeats, also after their group has closed.
    counted: RecentIds,
}

#[derive(Debug)]
struct RuleGroups {
    fields: Vec<FieldPath>,
    duration_ms: u64,
    missing_fields: MissingFields,
}

#[derive(Debug)]
struct Group {
    rule: RuleIndex,
    age: u64,
    first: AlertId,
    terms: Vec<Term>,
    opened: Timestamp,
    start: Timestamp,
    end: Timestamp,
    count: u64,
    draft: Option<Draft>,
    bytes: usize,
}

impl Suppression {
    /// No open group for any of `rules`.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        Self {
            rules: rules.rules().iter().map(RuleGroups::new).collect(),
            groups: HashMap::new(),
            by_age: BTreeMap::new(),
            opened: 0,
            bytes: 0,
            closed: Vec::new(),
            counted: RecentIds::new(RECENT_IDS_MAX),
        }
    }

    /// Takes over which hits were counted: they stay repeats.
    pub(super) fn inherit(&mut self, before: &Self) {
        self.counted = before.counted.clone();
    }

    /// How many groups are open.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Decides about one hit of `rule` and counts it.
    pub(super) fn decide(&mut self, rule: &Rule, hit: &HitContext<'_>) -> Answer {
        let Some(Some(settings)) = self.rules.get(hit.rule.0 as usize) else { return Answer::Free };
        let Some((key, terms)) = settings.group(hit.rule, hit.event) else { return Answer::Free };
        let duration_ms = settings.duration_ms;
        let event_time = time::event_time(rule, hit.event, hit.record);
        if self.groups.get(&key).is_some_and(|group| group.is_over(duration_ms, hit.judged)) {
            self.close(key);
        }
        if self.counted.contains(&hit.id) {
            return Answer::Repeated;
        }
        match self.groups.get_mut(&key) {
            Some(group) if group.first == hit.id => {
                Answer::First(OpenGroup { key, terms, start: event_time })
            }
            Some(group) => {
                group.count += 1;
                group.start = group.start.min(event_time);
                group.end = group.end.max(event_time);
                self.counted.delivered(hit.id);
                Answer::Counted
            }
            None => {
                self.open(key, &terms, hit, event_time);
                Answer::First(OpenGroup { key, terms, start: event_time })
            }
        }
    }

    /// Keeps the update of the alert that opened the group `key`, for when its window closes.
    pub fn keep(&mut self, key: GroupKey, draft: Draft) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let bytes = draft.value.len() + group.terms.iter().map(Term::bytes).sum::<usize>();
        self.bytes = self.bytes - group.bytes + bytes;
        group.bytes = bytes;
        group.draft = Some(draft);
        while self.bytes > SUPPRESSION_BYTES_MAX && self.close_oldest() {}
    }

    /// Closes every window that is over at `now`, and hands over what has closed since last asked.
    pub fn due(&mut self, now: Timestamp) -> Vec<ClosedGroup> {
        let rules = &self.rules;
        let is_over = |group: &Group| {
            let settings = rules.get(group.rule.0 as usize).and_then(Option::as_ref);
            settings.is_none_or(|settings| group.is_over(settings.duration_ms, now))
        };
        let over: Vec<GroupKey> = self
            .by_age
            .values()
            .filter(|key| self.groups.get(key).is_some_and(is_over))
            .copied()
            .collect();
        over.into_iter().for_each(|key| self.close(key));
        std::mem::take(&mut self.closed)
    }

    /// Closes every window, at shutdown.
    pub fn close_all(&mut self) -> Vec<ClosedGroup> {
        while self.close_oldest() {}
        std::mem::take(&mut self.closed)
    }

    fn open(&mut self, key: GroupKey, terms: &[Term], hit: &HitContext<'_>, time: Timestamp) {
        while self.groups.len() >= SUPPRESSION_GROUPS_MAX && self.close_oldest() {}
        self.opened += 1;
        self.by_age.insert(self.opened, key);
        let group = Group {
            rule: hit.rule,
            age: self.opened,
            first: hit.id,
            terms: terms.to_vec(),
            opened: hit.judged,
            start: time,
            end: time,
            count: 0,
            draft: None,
            bytes: 0,
        };
        self.groups.insert(key, group);
    }

    /// Closes the oldest group; says whether there was one.
    fn close_oldest(&mut self) -> bool {
        let oldest = self.by_age.first_key_value().map(|(_, key)| *key);
        if let Some(key) = oldest {
            self.close(key);
        }
        oldest.is_some()
    }

    fn close(&mut self, key: GroupKey) {
        let Some(group) = self.groups.remove(&key) else { return };
        self.by_age.remove(&group.age);
        self.bytes -= group.bytes;
        // Where nothing was suppressed, revision 0 has said all there is to say.
        if let (Some(draft), 1..) = (group.draft, group.count) {
            self.closed.push(ClosedGroup {
                rule: group.rule,
                id: group.first,
                terms: group.terms,
                start: group.start,
                end: group.end,
                count: group.count,
                draft,
            });
        }
    }
}

impl RuleGroups {
    fn new(rule: &Rule) -> Option<Self> {
        let suppression = rule.suppression.as_ref()?;
        Some(Self {
            fields: suppression.group_by.iter().map(|field| FieldPath::new(field)).collect(),
            duration_ms: suppression.duration_ms.unwrap_or(rule.interval_ms),
            missing_fields: suppression.missing_fields,
        })
    }

    /// The group that the event falls into; `None` where it lacks a field and the rule says that
    /// such a hit is never held back.
    fn group(&self, rule: RuleIndex, event: &Event<'_>) -> Option<(GroupKey, Vec<Term>)> {
        let mut terms = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let value = value(event, field);
            if value.is_null() && self.missing_fields == MissingFields::DoNotSuppress {
                return None;
            }
            terms.push(Term { field: field.name().to_owned(), value });
        }
        let mut hash = Sha256::new();
        hash.update(rule.0.to_be_bytes());
        for term in &terms {
            let text = term.value.to_string();
            hash.update(text.len().to_be_bytes());
            hash.update(text.as_bytes());
        }
        Some((GroupKey(hash.finalize().into()), terms))
    }
}

impl Group {
    fn is_over(&self, duration_ms: u64, now: Timestamp) -> bool {
        now.millis_since(self.opened) >= duration_ms
    }
}

impl Term {
    fn bytes(&self) -> usize {
        self.field.len() + self.value.to_string().len()
    }
}

/// The value of a field: null where there is none, a list where there are several.
fn value(event: &Event<'_>, field: &FieldPath) -> serde_json::Value {
    let mut found = Vec::new();
    let _: std::ops::ControlFlow<()> = event.visit(field, &mut |value| {
        leaves(value, &mut found);
        std::ops::ControlFlow::Continue(())
    });
    match (found.pop(), found.is_empty()) {
        (None, _) => serde_json::Value::Null,
        (Some(only), true) => only,
        (Some(last), false) => {
            found.push(last);
            serde_json::Value::Array(found)
        }
    }
}

fn leaves(value: Value<'_>, found: &mut Vec<serde_json::Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(*item, found)),
        Value::Bool(truth) => found.push(truth.into()),
        Value::Int(number) => found.push(number.into()),
        Value::Uint(number) => found.push(number.into()),
        Value::Float(number) => found.push(number.into()),
        Value::Text(text) => found.push(text.into()),
        Value::Null | Value::Object(_) => {}
    }
}
