//! The ledger against a naive one: what is claimed is what was finished, no more, whoever did it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::document::{Marked, Page};
use super::ranges::{Range, Ranges};
use super::*;
use crate::limits::LEDGER_RANGES_MAX;

const HOUR: i64 = 3_600_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}
fn one() -> Partition {
    Partition { topic: "okta".into(), partition: 0 }
}
fn ledger(member: &str) -> Ledger {
    let about = About { cluster: "c".to_owned(), group: "g".to_owned(), member: member.to_owned() };
    let mut ledger = Ledger::new(about);
    ledger.tick(at(0));
    ledger
}
fn page(ledger: &mut Ledger) -> Page {
    let documents = ledger.documents(at(1));
    documents.into_iter().last().map(|document| document.page).unwrap_or_default()
}
fn ranges(pairs: &[(i64, i64)]) -> Ranges {
    pairs.iter().map(|pair| Range::from(*pair)).collect()
}
fn closed(watermark: i64, finished: u64, again_from: Option<i64>) -> Closed {
    Closed { partition: one(), watermark: Some(watermark), finished, again_from }
}

#[test]
fn a_reading_covers_from_where_it_began_to_the_watermark() {
    let mut ledger = ledger("a");
    // The first record stands at 12, the next one at 20: what is between holds none.
    ledger.begin(&one(), 10, Began::Assigned);
    ledger.settle(&one(), Some(21), 2);
    let found = page(&mut ledger);
    assert_eq!((found.finished, found.records), (ranges(&[(10, 21)]), 2));
}

#[test]
fn nothing_is_claimed_before_a_record_was_taken_or_a_partition_was_begun() {
    let mut ledger = ledger("a");
    ledger.settle(&one(), Some(50), 50);
    assert!(ledger.documents(at(1)).is_empty());
    ledger.begin(&one(), 10, Began::Assigned);
    ledger.settle(&one(), None, 0);
    let [document] = &ledger.documents(at(2))[..] else { panic!("one partition") };
    assert!(document.reads && document.page.is_empty());
}

#[test]
fn notes_wait_for_the_watermark() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    for offset in [3, 4, 7] {
        ledger.note(&one(), offset, What::Skipped("tombstone"));
    }
    ledger.note(&one(), 5, What::DeadLettered("truncated"));
    ledger.settle(&one(), Some(4), 4);
    let found = page(&mut ledger);
    assert_eq!(found.skipped["tombstone"], Marked { records: 1, ranges: ranges(&[(3, 4)]) });
    assert!(found.dead_lettered.is_empty());
    ledger.settle(&one(), Some(8), 8);
    let found = page(&mut ledger);
    let tombstones = Marked { records: 3, ranges: ranges(&[(3, 5), (7, 8)]) };
    assert_eq!(found.skipped["tombstone"], tombstones);
    assert_eq!(found.dead_lettered["truncated"].ranges, ranges(&[(5, 6)]));
    assert_eq!((found.records, found.judged()), (8, 4));
}

#[test]
fn a_record_is_noted_once() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    ledger.note(&one(), 2, What::DeadLettered("truncated"));
    ledger.note(&one(), 2, What::DeadLettered("output too large"));
    ledger.note(&one(), 2, What::DeadLettered("truncated"));
    ledger.settle(&one(), Some(9), 9);
    let found = page(&mut ledger);
    assert_eq!(found.dead_lettered.keys().collect::<Vec<_>>(), ["truncated"]);
    assert_eq!(found.judged(), 8);
}

#[test]
fn what_was_open_when_a_partition_left_is_not_claimed() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    ledger.note(&one(), 6, What::DeadLettered("truncated"));
    ledger.close(&closed(5, 5, None));
    let [document] = &ledger.documents(at(1))[..] else { panic!("one partition") };
    assert!(!document.reads);
    assert_eq!(document.page.finished, ranges(&[(0, 5)]));
    assert!(document.page.dead_lettered.is_empty());
    // It comes back within the hour, further on: the same document goes on.
    ledger.begin(&one(), 40, Began::Assigned);
    ledger.settle(&one(), Some(45), 5);
    let found = page(&mut ledger);
    assert_eq!((found.finished, found.records), (ranges(&[(0, 5), (40, 45)]), 10));
}

#[test]
fn only_a_reset_loses_and_says_from_where_to_where() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 100, Began::Assigned);
    ledger.settle(&one(), Some(150), 50);
    ledger.close(&closed(160, 60, None));
    ledger.begin(&one(), 300, Began::Reset);
    ledger.settle(&one(), Some(310), 10);
    let found = page(&mut ledger);
    assert_eq!(found.lost, ranges(&[(160, 300)]));
    assert_eq!(found.finished, ranges(&[(100, 160), (300, 310)]));
    assert_eq!((found.records, found.restarts), (70, 0));
}

#[test]
fn offsets_that_begin_again_are_counted_as_restarts() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 100, Began::Assigned);
    ledger.close(&closed(150, 50, Some(0)));
    ledger.settle(&one(), Some(3), 3);
    let found = page(&mut ledger);
    assert_eq!((found.restarts, found.records, found.lost.is_empty()), (1, 53, true));
    assert_eq!(found.finished, ranges(&[(0, 3), (100, 150)]));
}

#[test]
fn a_partition_that_is_assigned_twice_reads_on() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 10, Began::Assigned);
    ledger.settle(&one(), Some(20), 10);
    ledger.begin(&one(), 10, Began::Assigned);
    ledger.settle(&one(), Some(25), 15);
    let found = page(&mut ledger);
    assert_eq!((found.finished, found.records), (ranges(&[(10, 25)]), 15));
}

#[test]
fn an_hour_ends_with_its_document_and_the_next_goes_on_there() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    ledger.settle(&one(), Some(10), 10);
    ledger.tick(at(HOUR));
    ledger.settle(&one(), Some(30), 30);
    let documents = ledger.documents(at(HOUR + 1));
    let said: Vec<_> =
        documents.iter().map(|it| (it.key(), it.page.finished.clone(), it.page.records)).collect();
    assert_eq!(
        said,
        [
            ("okta/0/2026-01-01T00Z/a".to_owned(), ranges(&[(0, 10)]), 10),
            ("okta/0/2026-01-01T01Z/a".to_owned(), ranges(&[(10, 30)]), 20),
        ]
    );
    assert_eq!(ledger.documents(at(HOUR + 2)).len(), 1, "an hour that is over is said once");
}

#[test]
fn a_clock_that_jumps_back_begins_no_page_anew() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    ledger.tick(at(HOUR));
    ledger.settle(&one(), Some(10), 10);
    ledger.tick(at(0));
    ledger.settle(&one(), Some(20), 20);
    let [document] = &ledger.documents(at(5))[..] else { panic!("one page") };
    assert_eq!(document.key(), "okta/0/2026-01-01T01Z/a");
    assert_eq!(document.page.finished, ranges(&[(0, 20)]));
}

#[test]
fn partitions_that_left_are_forgotten_with_their_hour() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    ledger.close(&closed(10, 10, None));
    assert_eq!(ledger.documents(at(HOUR)).len(), 1, "its last page");
    assert!(ledger.accounts.is_empty() && ledger.documents(at(2 * HOUR)).is_empty());
}

#[test]
fn memory_is_bounded_and_what_has_no_room_is_counted_when_it_is_finished() {
    let mut ledger = ledger("a");
    ledger.begin(&one(), 0, Began::Assigned);
    let most = i64::try_from(LEDGER_RANGES_MAX).expect("a small number");
    for number in 0..most + 100 {
        ledger.note(&one(), number * 2, What::Skipped("empty"));
    }
    ledger.settle(&one(), Some(most * 2), LEDGER_RANGES_MAX as u64 * 2);
    assert_eq!(page(&mut ledger).skipped["empty"].records, LEDGER_RANGES_MAX as u64);
    ledger.settle(&one(), Some(most * 2 + 200), LEDGER_RANGES_MAX as u64 * 2 + 200);
    let found = page(&mut ledger);
    assert_eq!(found.skipped["empty"].records, LEDGER_RANGES_MAX as u64 + 100);
    assert_eq!(found.skipped["empty"].ranges.count(), LEDGER_RANGES_MAX as u64);
}

/// What a history does next.
#[derive(Clone, Debug)]
enum Act {
    /// A record after so many offsets without one: clean, skipped or a dead letter.
    Take(i64, u8),
    /// The watermark moves over so many of the records taken.
    Finish(usize),
    /// The partition goes to the other member.
    HandOver,
    /// The member dies: what it has not published is gone.
    Die,
    /// Records are deleted past everything that was taken.
    Delete(i64),
    /// Both publish.
    Publish,
    /// Half an hour passes.
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0_i64..3, 0_u8..6).prop_map(|(gap, kind)| Act::Take(gap, kind)),
        6 => (1_usize..5).prop_map(Act::Finish),
        1 => Just(Act::HandOver),
        1 => Just(Act::Die),
        1 => (1_i64..9).prop_map(Act::Delete),
        2 => Just(Act::Publish),
        1 => Just(Act::Wait),
    ]
}

/// A partition, two members that take turns, a compacted topic, and the truth.
struct World {
    members: [Ledger; 2],
    lives: usize,
    reader: usize,
    /// Taken, not finished: offset and kind.
    open: Vec<(i64, u8)>,
    /// Where the reading stands; the group's offset; records finished in this reading.
    next: i64,
    committed: i64,
    finished: u64,
    millis: i64,
    /// Last one of each key.
    topic: BTreeMap<String, Document>,
    done: BTreeMap<i64, u8>,
    lost: BTreeSet<i64>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            members: [ledger("m-0"), ledger("m-1")],
            lives: 2,
            reader: 0,
            open: Vec::new(),
            next: 0,
            committed: 0,
            finished: 0,
            millis: 0,
            topic: BTreeMap::new(),
            done: BTreeMap::new(),
            lost: BTreeSet::new(),
        };
        world.begin(0, Began::Assigned);
        world
    }
    fn reader(&mut self) -> &mut Ledger {
        &mut self.members[self.reader]
    }
    fn begin(&mut self, offset: i64, began: Began) {
        self.open.clear();
        (self.next, self.committed, self.finished) = (offset, offset, 0);
        self.reader().begin(&one(), offset, began);
    }
    fn close(&mut self) {
        let closed = closed(self.committed, self.finished, None);
        self.reader().close(&closed);
    }
    fn publish(&mut self) {
        let now = at(self.millis);
        for member in &mut self.members {
            for document in member.documents(now) {
                self.topic.insert(document.key(), document);
            }
        }
    }
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Take(gap, kind) => {
                let offset = self.next + gap;
                self.next = offset + 1;
                self.open.push((offset, kind));
                match kind {
                    0 => self.reader().note(&one(), offset, What::Skipped("empty")),
                    1 => self.reader().note(&one(), offset, What::DeadLettered("truncated")),
                    _ => {}
                }
            }
            Act::Finish(count) => {
                let count = count.min(self.open.len());
                if count == 0 {
                    return;
                }
                self.done.extend(self.open.drain(..count));
                self.finished += count as u64;
                self.committed = self.open.first().map_or(self.next, |(offset, _)| *offset);
                let (watermark, finished) = (self.committed, self.finished);
                self.reader().settle(&one(), Some(watermark), finished);
            }
            Act::HandOver => {
                self.close();
                self.reader = 1 - self.reader;
                self.begin(self.committed, Began::Assigned);
            }
            Act::Die => {
                self.lives += 1;
                let name = format!("m-{}", self.lives);
                let mut next = ledger(&name);
                next.tick(at(self.millis));
                *self.reader() = next;
                self.begin(self.committed, Began::Assigned);
            }
            Act::Delete(count) => {
                self.close();
                let first = self.next + count;
                self.lost.extend(self.committed..first);
                self.begin(first, Began::Reset);
            }
            Act::Publish => self.publish(),
            Act::Wait => {
                self.millis += HOUR / 2;
                let now = at(self.millis);
                self.members.iter_mut().for_each(|member| member.tick(now));
            }
        }
    }
}

fn offsets(ranges: &Ranges) -> BTreeSet<i64> {
    ranges.iter().flat_map(|run| run.from..run.to).collect()
}

fn histories_end_with_the_truth(acts: &[Act]) -> Result<(), TestCaseError> {
    let mut world = World::new();
    let has_deaths = acts.iter().any(|act| matches!(act, Act::Die));
    for act in acts {
        world.act(act);
        // Whatever is published at any time claims nothing that is not finished.
        for document in world.topic.values() {
            for run in document.page.finished.iter() {
                let open = world.open.iter().any(|(offset, _)| (run.from..run.to).contains(offset));
                prop_assert!(!open || run.to <= world.committed, "{document:?} claims too much");
            }
        }
    }
    world.publish();
    let mut finished = Ranges::default();
    let (mut claimed, mut records, mut lost) = (0, 0, Ranges::default());
    let (mut skipped, mut letters) = (0, 0);
    for Document { page, .. } in world.topic.values() {
        finished.extend(&page.finished);
        lost.extend(&page.lost);
        claimed += page.finished.count();
        records += page.records;
        skipped += Page::records_of(&page.skipped);
        letters += Page::records_of(&page.dead_lettered);
        for marked in page.skipped.values().chain(page.dead_lettered.values()) {
            prop_assert_eq!(marked.ranges.without(&page.finished), Ranges::default());
        }
    }
    prop_assert_eq!(claimed, finished.count(), "no offset stands in two documents");
    let of_kind = |kind| world.done.values().filter(|found| **found == kind).count() as u64;
    let found = offsets(&finished);
    prop_assert!(offsets(&lost).is_subset(&world.lost));
    if has_deaths {
        prop_assert!(records <= world.done.len() as u64);
        return Ok(());
    }
    prop_assert!(world.done.keys().all(|offset| found.contains(offset)), "all that is finished");
    prop_assert_eq!(records, world.done.len() as u64);
    prop_assert_eq!((skipped, letters), (of_kind(0), of_kind(1)));
    prop_assert_eq!(offsets(&lost), world.lost);
    let all: BTreeSet<i64> = (0..world.committed).collect();
    let named: BTreeSet<i64> = found.union(&offsets(&lost)).copied().collect();
    prop_assert_eq!(named, all, "what is neither finished nor lost is ahead of the watermark");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn generated_histories_end_with_the_truth(acts in prop::collection::vec(act(), 0..60)) {
        histories_end_with_the_truth(&acts)?;
    }
}
