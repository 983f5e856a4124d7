//! The answer, and how programs read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::pipeline::ledger::document::text_of;
use crate::pipeline::ledger::ranges::Ranges;
use crate::pipeline::ledger::survey::{Coverage, Gap, Place};
use crate::record::Timestamp;

/// The answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The consumer group.
    pub group: String,
    /// Where the period begins.
    pub since: Timestamp,
    /// When it was asked.
    pub until: Timestamp,
    /// Documents that were put together.
    pub documents: usize,
    /// Records or lines that were none.
    pub unreadable: u64,
    /// What is known of each partition.
    pub partitions: BTreeMap<Place, Coverage>,
}

impl Answer {
    /// Whether something was not looked at.
    pub fn has_gaps(&self) -> bool {
        self.partitions.values().any(|coverage| !coverage.gaps.is_empty())
    }

    /// One JSON object in one line.
    pub fn json(&self) -> String {
        let partitions: Vec<Value> = self.partitions.iter().map(partition).collect();
        let pending = self.partitions.values().map(|it| it.pending.count()).sum::<u64>();
        let judged = self.partitions.values().map(|it| it.judged).sum::<u64>();
        let answer = json!({
            "group": self.group,
            "since": text_of(self.since),
            "until": text_of(self.until),
            "complete": !self.has_gaps(),
            "judged": judged,
            "pending": pending,
            "documents": self.documents,
            "unreadable_documents": self.unreadable,
            "partitions": partitions,
        });
        format!("{answer}\n")
    }
}

fn partition((place, coverage): (&Place, &Coverage)) -> Value {
    json!({
        "topic": place.0,
        "partition": place.1,
        "offsets": coverage.asked.map(|range| [range.from, range.to]),
        "finished": ranges(&coverage.finished),
        "judged": coverage.judged,
        "skipped": coverage.skipped,
        "judged_again": coverage.again,
        "pending": ranges(&coverage.pending),
        "gaps": coverage.gaps.iter().map(gap).collect::<Vec<_>>(),
    })
}

fn gap(gap: &Gap) -> Value {
    let mut value = json!({
        "cause": gap.cause.name(),
        "count": gap.count,
        "ranges": ranges(&gap.ranges),
    });
    if let Value::Object(fields) = &mut value
        && !gap.reason.is_empty()
    {
        fields.insert("reason".to_owned(), Value::from(&*gap.reason));
    }
    value
}

fn ranges(ranges: &Ranges) -> Vec<[i64; 2]> {
    ranges.iter().map(|range| [range.from, range.to]).collect()
}
