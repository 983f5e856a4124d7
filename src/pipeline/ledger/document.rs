//! What is published of one partition and hour, by one member: cumulative, so that the last one of
//! its key says everything that the earlier ones said.
//!
//! A list has a bound; what is left off is counted, never claimed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ranges::{Range, Ranges};
use crate::limits::LEDGER_RANGES_MAX;
use crate::record::Timestamp;

/// The version of the document's shape.
pub const VERSION: u32 = 1;

/// An hour of the wall clock, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(i64);

const HOUR_MS: i64 = 3_600_000;

impl Hour {
    /// The hour that `time` is in.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.as_millis().div_euclid(HOUR_MS))
    }

    /// When it begins.
    #[must_use]
    pub const fn begins(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(HOUR_MS))
    }
}

/// What happened to a record that was finished without being judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is a dead letter (or would be one, where they are discarded), with its reason.
    DeadLettered(&'static str),
    /// It holds no event, with the reason.
    Skipped(&'static str),
}

/// Records of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// How many.
    pub records: u64,
    /// Their offsets, as many of them as there was room for: `records` less what these hold is
    /// left off.
    #[serde(default)]
    pub ranges: Ranges,
}

/// By reason.
pub type ByReason = BTreeMap<Cow<'static, str>, Marked>;

/// What a member finished of a partition within an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Records that were finished.
    #[serde(default)]
    pub records: u64,
    /// The offsets that are finished: every record in them is judged, dead-lettered or skipped.
    /// Offsets in them that hold no record never will.
    #[serde(default)]
    pub finished: Ranges,
    /// Those of the finished records that could not be judged, or whose alert was refused.
    #[serde(default)]
    pub dead_lettered: ByReason,
    /// Those of the finished records that hold no event.
    #[serde(default)]
    pub skipped: ByReason,
    /// Offsets that were gone from the topic before they were judged.
    #[serde(default)]
    pub lost: Ranges,
    /// How often the partition began again at an earlier offset, as after its topic was recreated.
    #[serde(default)]
    pub restarts: u64,
    /// Offsets that are finished and left off `finished` (its oldest), for want of room.
    #[serde(default)]
    pub left_off: u64,
}

impl Page {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.finished.is_empty() && self.lost.is_empty() && self.restarts == 0
    }

    /// The offsets of `range`, which hold so many records, are finished.
    pub(super) fn finish(&mut self, range: Range, records: u64) {
        self.records += records;
        self.finished.insert(range);
        while self.finished.runs() > LEDGER_RANGES_MAX
            && let Some(oldest) = self.finished.forget_first()
        {
            self.left_off += oldest.count();
        }
    }

    /// The records of `range`, one at each offset, were finished without being judged.
    pub(super) fn mark(&mut self, what: What, range: Range) {
        let has_room = self.marks() < LEDGER_RANGES_MAX;
        let marked = self.marked(what);
        marked.records += range.count();
        if has_room {
            marked.ranges.insert(range);
        }
    }

    /// So many records were; which ones is not known any more.
    pub(super) fn count(&mut self, what: What, records: u64) {
        self.marked(what).records += records;
    }

    /// The offsets of `range` were gone.
    pub(super) fn lose(&mut self, range: Range) {
        if self.lost.runs() < LEDGER_RANGES_MAX {
            self.lost.insert(range);
        }
    }

    fn marked(&mut self, what: What) -> &mut Marked {
        let (by_reason, reason) = match what {
            What::DeadLettered(reason) => (&mut self.dead_lettered, reason),
            What::Skipped(reason) => (&mut self.skipped, reason),
        };
        by_reason.entry(Cow::Borrowed(reason)).or_default()
    }

    fn marks(&self) -> usize {
        let all = self.dead_lettered.values().chain(self.skipped.values());
        all.map(|marked| marked.ranges.runs()).sum()
    }

    /// Records of all reasons of `by_reason`.
    #[must_use]
    pub fn records_of(by_reason: &ByReason) -> u64 {
        by_reason.values().fold(0, |sum, marked| sum.saturating_add(marked.records))
    }

    /// Records that were judged.
    #[must_use]
    pub fn judged(&self) -> u64 {
        let others = [&self.dead_lettered, &self.skipped].map(Self::records_of);
        others.into_iter().fold(self.records, u64::saturating_sub)
    }
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// [`VERSION`].
    pub version: u32,
    /// The id of the input cluster.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The hour in which its records were finished.
    pub hour: Hour,
    /// Who finished them: another one after each start.
    pub member: String,
    /// When this was said.
    #[serde(with = "time")]
    pub updated: Timestamp,
    /// Whether the member reads the partition (still).
    pub reads: bool,
    /// What it did.
    #[serde(flatten)]
    pub page: Page,
}

/// What cannot be read as a document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentFault {
    /// It is no JSON, or lacks what a document has.
    #[error("no document of coverage: {0}")]
    Shape(#[from] serde_json::Error),
    /// A later version of this program wrote it.
    #[error("version {found} of the document; this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
}

impl Document {
    /// Its key: documents of one key follow each other, and the last one stands.
    #[must_use]
    pub fn key(&self) -> String {
        let begins = text_of(self.hour.begins());
        let hour = begins.split(':').next().unwrap_or_default();
        format!("{}/{}/{hour}Z/{}", self.topic, self.partition, self.member)
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("its fields are numbers, texts and lists of them")
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are none, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DocumentFault> {
        let document: Self = serde_json::from_slice(bytes)?;
        match document.version {
            VERSION => Ok(document),
            found => Err(DocumentFault::Version { found }),
        }
    }
}

/// A time as documents write it: RFC 3339 in UTC.
#[must_use]
pub fn text_of(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or_default();
    format!("{time:.3}")
}

impl Serialize for Hour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        time::serialize(&self.begins(), serializer)
    }
}

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        time::deserialize(deserializer).map(Self::of)
    }
}

mod time {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{Timestamp, text_of};

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text_of(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Timestamp::from_millis(time.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(page: Page) -> Document {
        Document {
            version: VERSION,
            cluster: "c-1".to_owned(),
            group: "ouzel".to_owned(),
            topic: "okta".to_owned(),
            partition: 3,
            hour: Hour::of(Timestamp::from_millis(1_767_225_600_000 + 4_000_000)),
            member: "m-0".to_owned(),
            updated: Timestamp::from_millis(1_767_225_600_000 + 4_000_123),
            reads: true,
            page,
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let mut page = Page::default();
        page.finish(Range::new(0, 100), 98);
        page.mark(What::DeadLettered("truncated"), Range::one(5));
        page.mark(What::Skipped("tombstone"), Range::new(7, 9));
        page.lose(Range::new(100, 150));
        let found = document(page);
        let text = concat!(
            r#"{"version":1,"cluster":"c-1","group":"ouzel","topic":"okta","partition":3,"#,
            r#""hour":"2026-01-01T01:00:00.000Z","member":"m-0","#,
            r#""updated":"2026-01-01T01:06:40.123Z","reads":true,"records":98,"#,
            r#""finished":[[0,100]],"dead_lettered":{"truncated":{"records":1,"ranges":[[5,6]]}},"#,
            r#""skipped":{"tombstone":{"records":2,"ranges":[[7,9]]}},"lost":[[100,150]],"#,
            r#""restarts":0,"left_off":0}"#,
        );
        assert_eq!(found.encode(), text);
        assert_eq!(found.key(), "okta/3/2026-01-01T01Z/m-0");
        assert_eq!(Document::decode(text.as_bytes()).expect("a document"), found);
        assert_eq!(found.page.judged(), 95);
    }

    #[test]
    fn another_version_and_other_bytes_are_faults() {
        let later = document(Page::default()).encode().replace("\"version\":1", "\"version\":2");
        let fault = Document::decode(later.as_bytes()).expect_err("a later version");
        assert!(fault.to_string().contains("version 2"), "{fault}");
        for bytes in [&b"{}"[..], b"[]", b"\xff", b""] {
            assert!(matches!(Document::decode(bytes), Err(DocumentFault::Shape(_))));
        }
    }

    #[test]
    fn lists_have_a_bound_and_what_is_left_off_is_counted() {
        let mut page = Page::default();
        let most = i64::try_from(LEDGER_RANGES_MAX).expect("a small number");
        for number in 0..most + 10 {
            page.mark(What::Skipped("empty"), Range::one(number * 2));
            page.finish(Range::one(number * 2), 1);
        }
        let marked = page.skipped.get("empty").expect("a reason");
        assert_eq!(marked.records, LEDGER_RANGES_MAX as u64 + 10);
        assert_eq!(marked.ranges.count(), LEDGER_RANGES_MAX as u64);
        assert_eq!((page.finished.runs(), page.left_off), (LEDGER_RANGES_MAX, 10));
        assert!(!page.finished.contains(0), "the oldest are left off");
        assert!(document(page).encode().len() < crate::limits::LEDGER_DOCUMENT_BYTES_MAX);
    }
}
