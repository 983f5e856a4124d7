//! One line per case: documents and a log, and the gaps that follow.

use std::borrow::Cow;

use super::super::document::{Marked, Page, VERSION};
use super::*;

const NOW: i64 = 1_767_225_600_000;
const HOUR: i64 = 3_600_000;
const PERIOD: Period = Period {
    since: Timestamp::from_millis(NOW - 24 * HOUR),
    now: Timestamp::from_millis(NOW),
    silence_ms: 180_000,
};

fn ranges(pairs: &[(i64, i64)]) -> Ranges {
    pairs.iter().map(|pair| Range::from(*pair)).collect()
}

/// A document of the present hour, said just now, of a member that reads no more.
fn said(member: &str, finished: &[(i64, i64)]) -> Document {
    let finished = ranges(finished);
    Document {
        version: VERSION,
        cluster: "c".to_owned(),
        group: "g".to_owned(),
        topic: "okta".to_owned(),
        partition: 0,
        hour: Hour::of(PERIOD.now),
        member: member.to_owned(),
        updated: PERIOD.now,
        reads: false,
        page: Page { records: finished.count(), finished, ..Page::default() },
    }
}
fn reading(document: Document) -> Document {
    Document { reads: true, ..document }
}
fn hours_ago(hours: i64, document: Document) -> Document {
    let then = Timestamp::from_millis(NOW - hours * HOUR);
    Document { hour: Hour::of(then), updated: then, ..document }
}
fn losing(mut document: Document, lost: (i64, i64)) -> Document {
    document.page.lost = ranges(&[lost]);
    document
}
fn lettered(
    mut document: Document,
    reason: &'static str,
    records: u64,
    at: &[(i64, i64)],
) -> Document {
    let marked = Marked { records, ranges: ranges(at) };
    document.page.dead_lettered.insert(Cow::Borrowed(reason), marked);
    document
}

fn place() -> Place {
    ("okta".to_owned(), 0)
}
fn log(since: i64, end: i64) -> Log {
    Log { since, first: since, end, empty: Ranges::default() }
}
fn look(documents: &[Document], log: Option<Log>) -> Coverage {
    let logs = log.into_iter().map(|log| (place(), log)).collect();
    survey(documents, &logs, PERIOD).remove(&place()).unwrap_or_default()
}

type Expected<'e> = &'e [(Cause, u64, &'e [(i64, i64)])];

fn check(documents: &[Document], log: Option<Log>, gaps: Expected<'_>, pending: &[(i64, i64)]) {
    let found = look(documents, log);
    let named: Vec<_> =
        found.gaps.iter().map(|gap| (gap.cause, gap.count, gap.ranges.clone())).collect();
    let expected: Vec<_> =
        gaps.iter().map(|(cause, count, at)| (*cause, *count, ranges(at))).collect();
    assert_eq!(named, expected);
    assert_eq!(found.pending, ranges(pending));
}

#[test]
fn what_is_finished_up_to_the_end_has_no_gap() {
    check(&[said("a", &[(0, 100)])], Some(log(0, 100)), &[], &[]);
    check(&[said("a", &[(0, 60)]), said("b", &[(60, 100)])], Some(log(0, 100)), &[], &[]);
    check(&[said("a", &[(0, 100)])], Some(log(50, 100)), &[], &[]);
    check(&[said("a", &[(0, 100)])], None, &[], &[]);
    check(&[], Some(log(0, 0)), &[], &[]);
    check(&[], Some(log(70, 70)), &[], &[]);
}

#[test]
fn the_end_is_pending_where_somebody_reads_and_not_assigned_where_nobody_does() {
    let (a, gap) = (said("a", &[(0, 90)]), (Cause::NotAssigned, 10, &[(90, 100)][..]));
    check(std::slice::from_ref(&a), Some(log(0, 100)), &[gap], &[]);
    check(&[reading(a.clone())], Some(log(0, 100)), &[], &[(90, 100)]);
    check(&[reading(said("a", &[]))], Some(log(0, 9)), &[], &[(0, 9)]);
    check(&[], Some(log(0, 9)), &[(Cause::NotAssigned, 9, &[(0, 9)])], &[]);
}

#[test]
fn the_end_is_pending_no_longer_than_a_member_may_be_silent() {
    let gap = (Cause::NotAssigned, 10, &[(90, 100)][..]);
    let spoke = |millis_ago: i64| {
        let updated = Timestamp::from_millis(NOW - millis_ago);
        Document { updated, ..reading(said("a", &[(0, 90)])) }
    };
    for close in [180_000, 0, -180_000] {
        check(&[spoke(close)], Some(log(0, 100)), &[], &[(90, 100)]);
    }
    // The last one said that it reads, at a time that is yet to come.
    for far in [180_001, 24 * HOUR, -180_001, -HOUR] {
        check(&[spoke(far)], Some(log(0, 100)), &[gap], &[]);
    }
    // What another member has before it is pending all the same.
    let next = reading(said("b", &[]));
    check(&[spoke(180_001), next], Some(log(0, 100)), &[], &[(90, 100)]);
}

#[test]
fn a_member_that_another_has_overtaken_reads_no_more() {
    let at = |millis_ago: i64, document: Document| Document {
        updated: Timestamp::from_millis(NOW - millis_ago),
        ..document
    };
    let killed = at(20_000, reading(said("a", &[(0, 50)])));
    let gap = (Cause::NotAssigned, 10, &[(90, 100)][..]);
    let left = at(10_000, said("b", &[(50, 90)]));
    check(&[killed.clone(), left.clone()], Some(log(0, 100)), &[gap], &[]);
    let still = reading(left.clone());
    check(&[killed.clone(), still], Some(log(0, 100)), &[], &[(90, 100)]);
    // Who has just taken over has finished nothing yet.
    let new = at(5_000, reading(said("c", &[])));
    check(&[killed, left, new], Some(log(0, 100)), &[], &[(90, 100)]);
    // Its page of the hour before says how far a member had come.
    let before = hours_ago(1, said("a", &[(0, 90)]));
    let quiet = at(20_000, reading(said("a", &[])));
    let left = at(10_000, said("b", &[(0, 50)]));
    check(&[before, quiet, left], Some(log(0, 100)), &[], &[(90, 100)]);
}

#[test]
fn what_came_before_the_first_reading_was_not_assigned() {
    let gap = (Cause::NotAssigned, 40, &[(0, 40)][..]);
    check(&[reading(said("a", &[(40, 100)]))], Some(log(0, 100)), &[gap], &[]);
}

#[test]
fn between_two_readings_without_a_word_is_not_recorded() {
    let gap = (Cause::NotRecorded, 10, &[(50, 60)][..]);
    check(
        &[said("a", &[(0, 50)]), reading(said("b", &[(60, 100)]))],
        Some(log(0, 100)),
        &[gap],
        &[],
    );
    check(&[said("a", &[(0, 50), (60, 100)])], None, &[gap], &[]);
}

#[test]
fn where_no_record_stands_there_is_no_gap() {
    let with = |empty: &[(i64, i64)]| Some(Log { empty: ranges(empty), ..log(0, 100) });
    let documents = [said("a", &[(0, 50), (60, 99)])];
    check(&documents, with(&[(50, 60), (99, 100)]), &[], &[]);
    let gap = (Cause::NotRecorded, 4, &[(56, 60)][..]);
    check(&documents, with(&[(50, 56), (99, 100)]), &[gap], &[]);
}

#[test]
fn a_loss_is_a_loss_unless_another_member_has_finished_it() {
    let a = losing(said("a", &[(0, 50), (80, 100)]), (50, 80));
    let gap = (Cause::RetentionLoss, 30, &[(50, 80)][..]);
    check(std::slice::from_ref(&a), Some(log(80, 100)), &[gap], &[]);
    check(&[a.clone(), said("b", &[(50, 80)])], Some(log(80, 100)), &[], &[]);
    let gap = (Cause::RetentionLoss, 20, &[(60, 80)][..]);
    check(&[a, said("b", &[(50, 60)])], Some(log(80, 100)), &[gap], &[]);
}

#[test]
fn dead_letters_are_gaps_by_reason_and_each_record_is_one() {
    let a = lettered(said("a", &[(0, 100)]), "truncated", 2, &[(3, 4), (9, 10)]);
    let two = (Cause::Unreadable, 2, &[(3, 4), (9, 10)][..]);
    check(std::slice::from_ref(&a), Some(log(0, 100)), &[two], &[]);
    // Judged again by the next member: the same two records.
    let again = lettered(said("b", &[(0, 100)]), "truncated", 2, &[(3, 4), (9, 10)]);
    check(&[a.clone(), again], Some(log(0, 100)), &[two], &[]);
    let large = lettered(a, "too large", 1, &[(7, 8)]);
    let one = (Cause::Oversize, 1, &[(7, 8)][..]);
    check(&[large], Some(log(0, 100)), &[two, one], &[]);
    let sent = lettered(said("a", &[(0, 9)]), "output too large", 1, &[(1, 2)]);
    let sent = lettered(sent, "output invalid", 1, &[(2, 3)]);
    let refused = (Cause::Refused, 1, &[(2, 3)][..]);
    check(&[sent], None, &[(Cause::Oversize, 1, &[(1, 2)]), refused], &[]);
    let nameless = lettered(said("a", &[(0, 9)]), "not JSON", 5, &[(1, 2)]);
    check(&[nameless], None, &[(Cause::Unreadable, 5, &[(1, 2)])], &[]);
}

#[test]
fn documents_before_the_period_still_say_what_is_finished() {
    let old = hours_ago(30, said("a", &[(0, 60)]));
    let new = said("a", &[(60, 100)]);
    check(&[old.clone(), new.clone()], Some(log(50, 100)), &[], &[]);
    let gap = (Cause::NotAssigned, 10, &[(50, 60)][..]);
    check(&[new], Some(log(50, 100)), &[gap], &[]);
    let old = lettered(losing(old, (70, 75)), "truncated", 1, &[(3, 4)]);
    let all = [old, said("a", &[(60, 70), (75, 100)])];
    let gap = (Cause::RetentionLoss, 5, &[(70, 75)][..]);
    check(&all, Some(log(75, 100)), &[gap], &[]);
}

#[test]
fn a_topic_of_the_same_name_is_named() {
    let gap = (Cause::Recreated, 90, &[(10, 100)][..]);
    check(&[said("a", &[(0, 100)])], Some(log(0, 10)), &[gap], &[]);
    let mut again = said("a", &[(0, 100)]);
    again.page.restarts = 1;
    check(&[again], Some(log(0, 100)), &[(Cause::Recreated, 0, &[])], &[]);
}

#[test]
fn records_are_added_and_offsets_finished_twice_are_named() {
    let found = look(&[said("a", &[(0, 60)]), said("b", &[(50, 100)])], Some(log(0, 100)));
    assert_eq!((found.judged, found.again), (110, 10));
    let found = look(&[said("a", &[(0, 50)]), said("b", &[(50, 100)])], Some(log(0, 100)));
    assert_eq!((found.judged, found.again), (100, 0));
    assert_eq!(found.finished, ranges(&[(0, 100)]));
}

#[test]
fn only_what_is_in_the_log_can_be_looked_at() {
    let documents = [said("a", &[(0, 50), (60, 90)])];
    let about = Log { since: 55, first: 55, end: 100, empty: Ranges::default() };
    let logs = BTreeMap::from([(place(), about)]);
    let found = questions(&documents, &logs, PERIOD);
    assert_eq!(found, BTreeMap::from([(place(), ranges(&[(55, 60), (90, 100)]))]));
    let whole = BTreeMap::from([(place(), log(0, 90))]);
    assert!(questions(&[said("a", &[(0, 90)])], &whole, PERIOD).is_empty());
}
