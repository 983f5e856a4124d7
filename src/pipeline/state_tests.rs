//! Generated histories against the state machine, beside a naive model of what must be true.
//!
//! The model remembers every record of every assignment and recomputes everything from that after
//! each step. `OUZEL_HISTORIES=100000 cargo test --lib pipeline::state` is the long form.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::state::{Bounds, Effect, Ending, Input, State, Ticket, Untaken};
use crate::limits::OUTPUT_RETRY_MAX;
use crate::limits::RECORDS_PER_FETCH_MAX;
use crate::record::{Position, Timestamp};
use crate::source::{CommitMode, Partition};

const BOUNDS: Bounds = Bounds {
    in_flight_max: 6,
    revoke_drain: Duration::from_secs(10),
    shutdown_drain: Duration::from_secs(20),
    commit_interval: Duration::from_secs(1),
    delivery_timeout: Duration::from_secs(300),
    transactions: None,
};
/// Most outputs of one record.
const OUTPUTS_MAX: u32 = 3;
const PARTITIONS: usize = 4;

#[derive(Clone, Debug)]
enum Act {
    Assign(usize),
    /// Which partitions, as bits.
    Revoke(u8),
    Lose(u8),
    Take {
        partition: usize,
        outputs: u32,
        gap: i64,
    },
    /// The topic is recreated: its records begin again lower down.
    Rewind(usize),
    /// So many of the records lent last come once more.
    Repeat(usize, usize),
    Deliver(prop::sample::Index),
    /// The sink cannot go on.
    Fail(prop::sample::Index),
    /// The target takes nothing now.
    Hold(prop::sample::Index),
    Tick(u64),
    QueueFull,
    QueueFree,
    CommitFailed,
    Exhausted,
    Stop,
    Broken,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..PARTITIONS).prop_map(Act::Assign),
        2 => any::<u8>().prop_map(Act::Revoke),
        1 => any::<u8>().prop_map(Act::Lose),
        40 => (0..PARTITIONS, 0..=OUTPUTS_MAX, prop_oneof![4 => Just(0_i64), 1 => 1..9_i64])
            .prop_map(|(partition, outputs, gap)| Act::Take { partition, outputs, gap }),
        1 => (0..PARTITIONS).prop_map(Act::Rewind),
        1 => (0..PARTITIONS, 1..9_usize).prop_map(|(number, count)| Act::Repeat(number, count)),
        30 => any::<prop::sample::Index>().prop_map(Act::Deliver),
        1 => any::<prop::sample::Index>().prop_map(Act::Fail),
        8 => any::<prop::sample::Index>().prop_map(Act::Hold),
        10 => prop_oneof![9 => 0..1500_u64, 1 => 0..30_000_u64].prop_map(Act::Tick),
        2 => Just(Act::QueueFull),
        3 => Just(Act::QueueFree),
        1 => Just(Act::CommitFailed),
        1 => prop_oneof![4 => Just(Act::Stop), 1 => Just(Act::Exhausted), 1 => Just(Act::Broken)],
    ]
}

fn partition(number: usize) -> Partition {
    // Two topics, so that equal numbers of different topics meet.
    let topic = if number.is_multiple_of(2) { "a" } else { "b" };
    Partition { topic: topic.into(), partition: i32::try_from(number / 2).expect("it is small") }
}

fn chosen(bits: u8) -> Vec<usize> {
    (0..PARTITIONS).filter(|number| bits >> number & 1 == 1).collect()
}

/// One assignment as the model knows it: every record, and its open outputs.
#[derive(Debug, Default)]
struct Assignment {
    records: Vec<(i64, u32)>,
    position: i64,
    /// How often the topic was recreated: its records have other times then.
    topics: i64,
    /// Every record that was taken, with its topic.
    taken: Vec<(i64, i64)>,
    paused: bool,
    draining_since: Option<Duration>,
}

impl Assignment {
    fn first_unfinished(&self) -> Option<i64> {
        let open = self.records.iter().find(|(_, outputs)| *outputs > 0);
        open.map(|(offset, _)| *offset)
            .or_else(|| self.records.last().map(|(offset, _)| offset + 1))
    }
    fn open(&self) -> usize {
        self.records.iter().filter(|(_, outputs)| *outputs > 0).count()
    }
}

/// One output: the record, and the assignment of it if that is not over.
#[derive(Clone, Copy, Debug)]
struct Output {
    ticket: Ticket,
    number: usize,
    stands: Stands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Sent,
    /// Since when.
    Resting(Duration),
    SentAgain,
}

#[derive(Debug)]
struct Model {
    state: State,
    now: Duration,
    assignments: BTreeMap<usize, Assignment>,
    committed: BTreeMap<usize, i64>,
    /// Outputs in flight.
    outputs: Vec<Output>,
    queue_full: bool,
    ending_since: Option<Duration>,
    failed: bool,
    ended: Option<Ending>,
}

impl Model {
    fn new() -> Self {
        Self {
            state: State::new(BOUNDS),
            now: Duration::ZERO,
            assignments: BTreeMap::new(),
            committed: BTreeMap::new(),
            outputs: Vec::new(),
            queue_full: false,
            ending_since: None,
            failed: false,
            ended: None,
        }
    }

    fn step(&mut self, act: &Act) {
        let mut effects = Vec::new();
        match act {
            Act::Assign(number) => self.assign(*number, &mut effects),
            Act::Revoke(bits) => self.revoke(&chosen(*bits), &mut effects),
            Act::Lose(bits) => self.lose(&chosen(*bits), &mut effects),
            Act::Take { partition, outputs, gap } => {
                self.take(*partition, *outputs, *gap, &mut effects);
            }
            Act::Rewind(number) => {
                if let Some(assignment) = self.assignments.get_mut(number) {
                    assignment.position /= 2;
                    assignment.topics += 1;
                }
            }
            Act::Repeat(number, count) => {
                if let Some(assignment) = self.assignments.get_mut(number) {
                    let taken = assignment.records.iter().rev();
                    let lent = taken.filter(|(offset, _)| *offset < assignment.position);
                    let first = lent.take(*count).last();
                    assignment.position = first.map_or(assignment.position, |(offset, _)| *offset);
                }
            }
            Act::Deliver(index) => self.settle(*index, None, &mut effects),
            Act::Fail(index) => self.settle(*index, Some("it gave up"), &mut effects),
            Act::Hold(index) => self.hold(*index, &mut effects),
            Act::Tick(millis) => {
                self.now += Duration::from_millis(*millis);
                self.state.apply(Input::Tick(self.now), &mut effects);
            }
            Act::QueueFull => {
                self.queue_full = true;
                self.state.apply(Input::QueueFull, &mut effects);
            }
            Act::QueueFree => {
                self.queue_full = false;
                self.state.apply(Input::QueueFree, &mut effects);
            }
            Act::CommitFailed => self.state.apply(Input::CommitFailed, &mut effects),
            Act::Exhausted => self.end(Input::Exhausted, &mut effects),
            Act::Stop => self.end(Input::Stop, &mut effects),
            Act::Broken => self.end(Input::Broken("the client gave up"), &mut effects),
        }
        effects.into_iter().for_each(|effect| self.effect(effect));
        self.check();
    }

    fn end(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        self.ending_since.get_or_insert(self.now);
        self.state.apply(input, effects);
    }

    fn assign(&mut self, number: usize, effects: &mut Vec<Effect>) {
        // A source assigns what it does not hold.
        if self.assignments.contains_key(&number) {
            return;
        }
        let position = self.committed.get(&number).copied().unwrap_or_default();
        self.assignments.insert(number, Assignment { position, ..Assignment::default() });
        self.state.apply(Input::Assigned(&[partition(number)]), effects);
    }

    fn revoke(&mut self, numbers: &[usize], effects: &mut Vec<Effect>) {
        let held: Vec<usize> = numbers
            .iter()
            .copied()
            .filter(|number| {
                self.assignments.get(number).is_some_and(|it| it.draining_since.is_none())
            })
            .collect();
        for number in &held {
            let assignment = self.assignments.get_mut(number).expect("it was found above");
            assignment.draining_since = Some(self.now);
        }
        let partitions: Vec<Partition> = held.iter().map(|number| partition(*number)).collect();
        self.state.apply(Input::Revoked(&partitions), effects);
    }

    fn lose(&mut self, numbers: &[usize], effects: &mut Vec<Effect>) {
        let held: Vec<usize> =
            numbers.iter().copied().filter(|it| self.assignments.contains_key(it)).collect();
        let partitions: Vec<Partition> = held.iter().map(|number| partition(*number)).collect();
        self.state.apply(Input::Lost(&partitions), effects);
        let at = effects.iter().position(|it| *it == Effect::Release(partitions.clone()));
        assert!(at.is_some(), "lost is given back at once");
        // What was draining together with it may be committed now, and what remains at the end.
        for effect in effects {
            if let Effect::Commit(watermarks, _) = effect {
                let is_lost = watermarks.iter().any(|(name, _)| partitions.contains(name));
                assert!(!is_lost, "what is lost is not committed");
            }
        }
    }

    fn take(&mut self, number: usize, outputs: u32, gap: i64, effects: &mut Vec<Effect>) {
        let name = partition(number);
        let position = self.assignments.get(&number).map_or(0, |it| it.position) + gap;
        let place = Position { topic: &name.topic, partition: name.partition, offset: position };
        let may = self.ending_since.is_none()
            && self.assignments.get(&number).is_some_and(|it| it.draining_since.is_none());
        if may && self.assignments.get(&number).is_some_and(|it| it.paused) {
            return; // A paused source lends nothing.
        }
        let topics = self.assignments.get(&number).map_or(0, |it| it.topics);
        let time = Some(Timestamp::from_millis(topics * 1_000_000 + position));
        let ticket = self.state.claim(&place, time);
        assert_eq!(ticket != Err(Untaken::NotOwned), may, "only what is owned is taken");
        let Some(assignment) = self.assignments.get_mut(&number) else { return };
        assignment.position = position + 1;
        let mut recent = assignment.taken.iter().rev().take(RECORDS_PER_FETCH_MAX);
        let is_taken = recent.any(|known| *known == (position, topics));
        assert_eq!(ticket == Err(Untaken::Repeated), may && is_taken, "what was taken comes once");
        let Ok(ticket) = ticket else { return };
        if assignment.records.last().is_some_and(|(last, _)| *last >= position) {
            assignment.records.clear(); // Another assignment; old outputs finish nothing in it.
            assignment.taken.clear();
        }
        assignment.records.push((position, outputs));
        assignment.taken.push((position, topics));
        if outputs == 0 {
            self.state.apply(Input::Clean(ticket, time), effects);
            assert!(effects.is_empty(), "nothing follows from a clean record");
        } else {
            let output = Output { ticket, number, stands: Stands::Sent };
            self.outputs.extend((0..outputs).map(|_| output));
            self.state.apply(Input::Opened(ticket, outputs, time), effects);
        }
    }

    fn settle(
        &mut self,
        index: prop::sample::Index,
        failure: Option<&str>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(at) = self.with_sink(index) else { return };
        let Output { ticket, number, stands } = self.outputs.swap_remove(at);
        if stands == Stands::SentAgain && failure.is_none() {
            self.state.apply(Input::Recovered, effects);
        }
        if let Some(why) = failure {
            self.failed = true;
            return self.end(Input::Failed(ticket, why), effects);
        }
        // An assignment that is over is not in the state any more, and neither in the model.
        let is_current = self.state.place(ticket).contains('[');
        if is_current && let Some(assignment) = self.assignments.get_mut(&number) {
            let record = assignment.records.iter_mut().find(|(at, _)| *at == ticket.offset);
            let (_, outputs) = record.expect("what is in flight was taken");
            *outputs = outputs.checked_sub(1).expect("nothing is finished twice");
        }
        self.state.apply(Input::Delivered(ticket), effects);
    }

    /// One of the outputs that the sink has.
    fn with_sink(&self, index: prop::sample::Index) -> Option<usize> {
        let is_sent = |at: &usize| {
            let output = self.outputs.get(*at);
            output.is_some_and(|it| !matches!(it.stands, Stands::Resting(_)))
        };
        let sent: Vec<usize> = (0..self.outputs.len()).filter(is_sent).collect();
        (!sent.is_empty()).then(|| *index.get(&sent))
    }

    fn hold(&mut self, index: prop::sample::Index, effects: &mut Vec<Effect>) {
        let Some(at) = self.with_sink(index) else { return };
        let output = self.outputs.get_mut(at).expect("it was found above");
        let input = match output.stands {
            Stands::SentAgain => Input::HeldAgain,
            Stands::Sent | Stands::Resting(_) => Input::Held,
        };
        output.stands = Stands::Resting(self.now);
        self.state.apply(input, effects);
    }

    fn is_in_trouble(&self) -> bool {
        self.outputs.iter().any(|output| output.stands != Stands::Sent)
    }

    fn effect(&mut self, effect: Effect) {
        assert_eq!(self.ended, None, "nothing follows the end");
        match effect {
            Effect::Pause => self.assignments.values_mut().for_each(|it| it.paused = true),
            Effect::Resume => self.assignments.values_mut().for_each(|it| it.paused = false),
            Effect::Retry => {
                let resting =
                    self.outputs.iter_mut().filter(|it| matches!(it.stands, Stands::Resting(_)));
                let count = resting.map(|it| it.stands = Stands::SentAgain).count();
                assert!(count > 0, "only what rests is sent again");
            }
            Effect::Commit(watermarks, mode) => self.commit(&watermarks, mode),
            Effect::Release(partitions) => {
                for name in partitions {
                    let number = (0..PARTITIONS).find(|it| partition(*it) == name);
                    let number = number.expect("there are no other partitions");
                    self.assignments.remove(&number).expect("only what is held is given back");
                }
            }
            Effect::End(ending) => self.ended = Some(ending),
            Effect::Begin | Effect::CommitTransaction(_) | Effect::Abort | Effect::Rewind(_) => {
                panic!("{effect:?} is the other guarantee's")
            }
        }
    }

    fn commit(&mut self, watermarks: &[(Partition, i64)], mode: CommitMode) {
        assert!(!watermarks.is_empty());
        if mode == CommitMode::Async {
            assert_eq!(self.ending_since, None, "the end waits for its commits");
        }
        for (name, watermark) in watermarks {
            let number = (0..PARTITIONS).find(|it| partition(*it) == *name).expect("as above");
            let assignment = self.assignments.get(&number).expect("only what is held is committed");
            let first = assignment.first_unfinished().expect("only what was taken is committed");
            assert_eq!(*watermark, first, "committed is the first unfinished, never more");
            self.committed.insert(number, *watermark);
        }
    }

    fn check(&self) {
        let open: usize = self.assignments.values().map(Assignment::open).sum();
        if self.ended.is_none() {
            assert_eq!(self.state.open_records(), open, "finished is what was delivered");
        }
        assert_eq!(self.state.in_flight(), self.outputs.len());
        let most = BOUNDS.in_flight_max + OUTPUTS_MAX as usize;
        assert!(self.outputs.len() < most, "what is in flight is bounded");
        let holds = self.state.holds();
        assert!(holds.output_unavailable || !self.is_in_trouble(), "trouble is told");
        for output in &self.outputs {
            let Stands::Resting(since) = output.stands else { continue };
            let is_late = self.now >= since + OUTPUT_RETRY_MAX;
            assert!(!is_late || self.ended.is_some(), "what rests is sent again in time");
        }
        for assignment in self.assignments.values() {
            let Some(since) = assignment.draining_since else { continue };
            let over = self.now >= since + BOUNDS.revoke_drain;
            assert!(!over || self.ended.is_some(), "a drain ends at its deadline");
        }
        let Some(since) = self.ending_since else { return self.check_pause() };
        let is_over = self.outputs.is_empty() || self.now >= since + BOUNDS.shutdown_drain;
        // The deadline is looked at when time moves on or something comes in.
        assert!(!is_over || self.ended.is_some(), "the end comes when all is drained, or in time");
        if self.failed {
            assert!(!matches!(self.ended, Some(Ending::Exhausted | Ending::Stopped)));
        }
    }

    fn check_pause(&self) {
        let in_flight = self.outputs.len();
        if self.queue_full || self.is_in_trouble() || in_flight >= BOUNDS.in_flight_max {
            let all = self.assignments.values().filter(|it| it.draining_since.is_none());
            assert!(all.clone().all(|it| it.paused), "a full queue pauses all that is assigned");
        } else if in_flight <= BOUNDS.in_flight_max / 2 {
            assert!(self.assignments.values().all(|it| !it.paused), "below the mark it goes on");
        }
    }

    /// Stops, delivers nothing more, and lets time pass. Where it has ended, nothing follows.
    fn finish(&mut self) {
        self.step(&Act::Stop);
        self.step(&Act::Tick(u64::try_from(BOUNDS.shutdown_drain.as_millis()).expect("20 s")));
        assert!(self.ended.is_some(), "every drain ends");
        for (number, assignment) in &self.assignments {
            let committed = self.committed.get(number).copied();
            if let Some(first) = assignment.first_unfinished() {
                assert_eq!(committed, Some(first), "the end commits all that is finished");
            }
        }
    }
}

fn histories() -> u32 {
    std::env::var("OUZEL_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: histories(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_keeps_the_guarantee(acts in prop::collection::vec(act(), 1..160)) {
        let mut model = Model::new();
        for act in &acts {
            model.step(act);
            if model.ended.is_some() {
                break;
            }
        }
        model.finish();
    }
}

fn opened(state: &mut State, offset: i64) -> Ticket {
    let ticket =
        state.claim(&Position { topic: "a", partition: 0, offset }, None).expect("it is owned");
    state.apply(Input::Opened(ticket, 1, None), &mut Vec::new());
    ticket
}

fn running() -> State {
    let mut state = State::new(BOUNDS);
    state.apply(Input::Assigned(&[partition(0)]), &mut Vec::new());
    state
}

#[test]
fn a_revoked_partition_is_committed_then_released_when_it_has_drained() {
    let mut state = running();
    let ticket = opened(&mut state, 7);
    let mut effects = Vec::new();
    state.apply(Input::Revoked(&[partition(0)]), &mut effects);
    assert_eq!(effects, []);
    assert_eq!(
        state.claim(&Position { topic: "a", partition: 0, offset: 8 }, None),
        Err(Untaken::NotOwned)
    );
    state.apply(Input::Delivered(ticket), &mut effects);
    assert_eq!(
        effects,
        [
            Effect::Commit(vec![(partition(0), 8)], CommitMode::Sync),
            Effect::Release(vec![partition(0)])
        ]
    );
}

/// How a commit that is on its way will end is not known yet; after the release nobody asks again.
#[test]
fn a_partition_is_committed_when_it_is_given_back_also_where_a_commit_is_on_its_way() {
    for last in [Input::Revoked(&[partition(0)]), Input::Stop] {
        let mut state = running();
        let ticket =
            state.claim(&Position { topic: "a", partition: 0, offset: 4 }, None).expect("owned");
        state.apply(Input::Clean(ticket, None), &mut Vec::new());
        let mut effects = Vec::new();
        state.apply(Input::Tick(BOUNDS.commit_interval), &mut effects);
        assert_eq!(effects, [Effect::Commit(vec![(partition(0), 5)], CommitMode::Async)]);
        effects.clear();
        state.apply(last, &mut effects);
        let first = effects.into_iter().next();
        assert_eq!(first, Some(Effect::Commit(vec![(partition(0), 5)], CommitMode::Sync)));
    }
}

#[test]
fn a_delivery_of_a_lost_assignment_finishes_nothing_in_the_next() {
    let mut state = running();
    let old = opened(&mut state, 7);
    state.apply(Input::Lost(&[partition(0)]), &mut Vec::new());
    state.apply(Input::Assigned(&[partition(0)]), &mut Vec::new());
    opened(&mut state, 7);
    state.apply(Input::Delivered(old), &mut Vec::new());
    assert_eq!((state.open_records(), state.in_flight()), (1, 1));
    let mut effects = Vec::new();
    state.apply(Input::Tick(BOUNDS.commit_interval), &mut effects);
    assert_eq!(effects, [Effect::Commit(vec![(partition(0), 7)], CommitMode::Async)]);
}

#[test]
fn a_sink_that_cannot_go_on_holds_the_offset_and_ends_with_its_reason() {
    let mut state = running();
    let (first, second) = (opened(&mut state, 1), opened(&mut state, 2));
    let mut effects = Vec::new();
    state.apply(Input::Failed(first, "too large"), &mut effects);
    assert_eq!(effects, [Effect::Pause]);
    state.apply(Input::Delivered(second), &mut effects);
    assert_eq!(
        effects.get(1..),
        Some(
            &[
                Effect::Commit(vec![(partition(0), 1)], CommitMode::Sync),
                Effect::End(Ending::Failed("too large".to_owned())),
            ][..]
        )
    );
}

#[test]
fn a_commit_is_asked_for_once_unless_it_failed() {
    let mut state = running();
    let ticket =
        state.claim(&Position { topic: "a", partition: 0, offset: 4 }, None).expect("owned");
    state.apply(Input::Clean(ticket, None), &mut Vec::new());
    let mut commits = |input: Input<'_>| {
        let mut effects = Vec::new();
        state.apply(input, &mut effects);
        effects.len()
    };
    assert_eq!(commits(Input::Tick(Duration::from_millis(500))), 0);
    assert_eq!(commits(Input::Tick(Duration::from_millis(1000))), 1);
    assert_eq!(commits(Input::Tick(Duration::from_millis(2000))), 0);
    assert_eq!(commits(Input::CommitFailed), 0);
    assert_eq!(commits(Input::Tick(Duration::from_millis(3000))), 1);
}

#[test]
fn a_record_open_for_long_is_a_hold_until_the_sink_should_have_said_something() {
    let mut state = running();
    opened(&mut state, 1);
    let mut held_at = |seconds| {
        state.apply(Input::Tick(Duration::from_secs(seconds)), &mut Vec::new());
        state.holds().output_unavailable
    };
    assert_eq!([14, 15, 329, 330].map(&mut held_at), [false, true, true, false]);
}

#[test]
fn what_came_back_is_sent_again_and_only_its_delivery_moves_the_offset() {
    let mut state = running();
    let ticket = opened(&mut state, 7);
    let mut effects = Vec::new();
    state.apply(Input::Held, &mut effects);
    assert_eq!(effects, [Effect::Pause]);
    effects.clear();
    state.apply(Input::Tick(Duration::from_secs(1)), &mut effects);
    let commit = Effect::Commit(vec![(partition(0), 7)], CommitMode::Async);
    assert_eq!(effects, [commit, Effect::Retry]);
    effects.clear();
    state.apply(Input::Recovered, &mut effects);
    state.apply(Input::Delivered(ticket), &mut effects);
    assert_eq!(effects, [Effect::Resume]);
    assert!(!state.holds().output_unavailable);
    state.apply(Input::Tick(Duration::from_secs(2)), &mut effects);
    let commit = Effect::Commit(vec![(partition(0), 8)], CommitMode::Async);
    assert_eq!(effects.last(), Some(&commit));
}
