//! Generated histories against the state machine with exactly-once, beside a naive model.
//!
//! The model is the broker and everything else: what was sent becomes visible when a transaction is
//! committed, together with its offsets. What each record owes follows from its place, so at any
//! time exactly the outputs of the records before the committed offsets must be visible, each once.
//! `OUZEL_HISTORIES=100000 cargo test --lib pipeline::exactly_once` is the long form.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::state::{Bounds, Doom, Effect, Ending, Input, State, Ticket, TransactionBounds};
use crate::limits::OUTPUT_RETRY_MAX;
use crate::record::Position;
use crate::source::{Partition, Rewind};

const BOUNDS: Bounds = Bounds {
    in_flight_max: 6,
    revoke_drain: Duration::from_secs(10),
    shutdown_drain: Duration::from_secs(20),
    commit_interval: Duration::from_secs(1),
    delivery_timeout: Duration::from_secs(300),
    transactions: Some(TransactionBounds { interval: Duration::from_secs(1), records_max: 20 }),
};
const PARTITIONS: usize = 3;

/// What a commit or an abort comes to.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A commit goes through; an abort does.
    Done,
    /// A commit is refused; an abort goes through.
    Refused(Doom),
    /// A commit goes through, and the worker does not hear of it.
    Unheard,
    /// The producer was shut out before the commit.
    ShutOut,
    /// Nothing goes any more.
    Dead,
}

#[derive(Clone, Debug)]
enum Act {
    Assign(usize),
    Revoke(u8),
    Lose(u8),
    Take(usize),
    Deliver(usize),
    Fail(Doom),
    Post,
    Tick(u64),
    Settle(Outcome),
    Rewound,
    QueueFull,
    QueueFree,
    Stop,
    Exhausted,
    Broken,
}

fn doom() -> impl Strategy<Value = Doom> {
    prop_oneof![Just(Doom::Outrun), Just(Doom::Refused), Just(Doom::Unavailable)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..PARTITIONS).prop_map(Act::Assign),
        2 => any::<u8>().prop_map(Act::Revoke),
        1 => any::<u8>().prop_map(Act::Lose),
        40 => (0..PARTITIONS).prop_map(Act::Take),
        30 => any::<usize>().prop_map(Act::Deliver),
        2 => doom().prop_map(Act::Fail),
        2 => Just(Act::Post),
        12 => prop_oneof![9 => 0..1500_u64, 1 => 0..30_000_u64].prop_map(Act::Tick),
        20 => prop_oneof![
            10 => Just(Outcome::Done),
            2 => doom().prop_map(Outcome::Refused),
            1 => Just(Outcome::Unheard),
            1 => Just(Outcome::ShutOut),
            1 => prop_oneof![9 => Just(Outcome::Done), 1 => Just(Outcome::Dead)],
        ].prop_map(Act::Settle),
        10 => Just(Act::Rewound),
        2 => Just(Act::QueueFull),
        3 => Just(Act::QueueFree),
        1 => prop_oneof![4 => Just(Act::Stop), 1 => Just(Act::Exhausted), 1 => Just(Act::Broken)],
    ]
}

fn partition(number: usize) -> Partition {
    Partition { topic: "a".into(), partition: i32::try_from(number).expect("it is small") }
}

/// What a record owes.
fn owes(number: usize, offset: i64) -> u32 {
    u32::try_from((offset * 7 + i64::try_from(number).expect("small") * 3) % 5)
        .map_or(0, |it| it.saturating_sub(2))
}

#[derive(Debug)]
struct Assignment {
    position: i64,
    paused: bool,
    draining_since: Option<Duration>,
}

#[derive(Debug, PartialEq)]
enum Phase {
    None,
    Open,
    Committing(Vec<(Partition, i64)>),
    Aborting,
    Rewinding,
}

/// One output: its record and its number among the record's.
type Output = (usize, i64, u32);

struct Model {
    state: State,
    now: Duration,
    held: BTreeMap<usize, Assignment>,
    /// What the broker has.
    committed: BTreeMap<usize, i64>,
    visible: BTreeSet<Output>,
    phase: Phase,
    rewind: Option<Rewind>,
    /// Whether the producer was shut out: the abort then ends by another producer.
    is_shut_out: bool,
    /// Sent in the open transaction and delivered.
    delivered: Vec<Output>,
    in_flight: Vec<(Ticket, Output)>,
    posted: usize,
    ending_since: Option<Duration>,
    ended: Option<Ending>,
}

impl Model {
    fn new() -> Self {
        Self {
            state: State::new(BOUNDS),
            now: Duration::ZERO,
            held: BTreeMap::new(),
            committed: BTreeMap::new(),
            visible: BTreeSet::new(),
            phase: Phase::None,
            rewind: None,
            is_shut_out: false,
            delivered: Vec::new(),
            in_flight: Vec::new(),
            posted: 0,
            ending_since: None,
            ended: None,
        }
    }

    fn apply(&mut self, input: Input<'_>) {
        let mut effects = Vec::new();
        self.state.apply(input, &mut effects);
        effects.into_iter().for_each(|effect| self.effect(effect));
    }

    fn step(&mut self, act: &Act) {
        match act {
            Act::Assign(number) => self.assign(*number),
            Act::Revoke(bits) => self.revoke(*bits),
            Act::Lose(bits) => self.lose(*bits),
            Act::Take(number) => self.take(*number),
            Act::Deliver(index) => self.deliver(*index),
            Act::Fail(doom) => {
                if !self.in_flight.is_empty() {
                    self.apply(Input::Doomed(*doom));
                }
            }
            Act::Post => {
                if self.ending_since.is_none() {
                    self.posted += 1;
                    self.apply(Input::Posted(1));
                }
            }
            Act::Tick(millis) => {
                self.now += Duration::from_millis(*millis);
                self.apply(Input::Tick(self.now));
            }
            Act::Settle(outcome) => self.settle(*outcome),
            Act::Rewound => self.rewound(),
            Act::QueueFull => self.apply(Input::QueueFull),
            Act::QueueFree => self.apply(Input::QueueFree),
            Act::Stop => self.end(Input::Stop),
            Act::Exhausted => self.end(Input::Exhausted),
            Act::Broken => self.end(Input::Broken("the client gave up")),
        }
        self.check();
    }

    fn end(&mut self, input: Input<'_>) {
        self.ending_since.get_or_insert(self.now);
        self.apply(input);
    }

    /// A partition is assigned where it is not held, at a committed offset that is stable: no
    /// commit is under way.
    fn assign(&mut self, number: usize) {
        if self.held.contains_key(&number) || matches!(self.phase, Phase::Committing(_)) {
            return;
        }
        let position = self.committed.get(&number).copied().unwrap_or_default();
        let assignment = Assignment { position, paused: false, draining_since: None };
        self.held.insert(number, assignment);
        self.apply(Input::Assigned(&[partition(number)]));
    }

    fn chosen(&self, bits: u8) -> Vec<usize> {
        let is_held = |number: &usize| {
            bits >> number & 1 == 1
                && self.held.get(number).is_some_and(|it| it.draining_since.is_none())
        };
        (0..PARTITIONS).filter(is_held).collect()
    }

    fn revoke(&mut self, bits: u8) {
        let gone = self.chosen(bits);
        for number in &gone {
            let assignment = self.held.get_mut(number).expect("it is held");
            assignment.draining_since = Some(self.now);
        }
        let gone: Vec<Partition> = gone.into_iter().map(partition).collect();
        self.apply(Input::Revoked(&gone));
    }

    fn lose(&mut self, bits: u8) {
        let gone: Vec<Partition> = self.chosen(bits).into_iter().map(partition).collect();
        let was_sent =
            self.phase == Phase::Open && (!self.delivered.is_empty() || !self.in_flight.is_empty());
        self.apply(Input::Lost(&gone));
        assert!(!was_sent || self.phase != Phase::Open, "what may be others' is not committed");
    }

    fn take(&mut self, number: usize) {
        let Some(assignment) = self.held.get_mut(&number) else { return };
        let lends = assignment.draining_since.is_none() && !assignment.paused;
        if !lends || !self.state.may_take() || self.ending_since.is_some() {
            return;
        }
        assert_eq!(self.phase, Phase::Open, "records are taken in a transaction only");
        let offset = assignment.position;
        assignment.position += 1;
        let name = partition(number);
        let place = Position { topic: &name.topic, partition: name.partition, offset };
        let ticket = self.state.claim(&place, None).expect("what is owned may be taken");
        let outputs = owes(number, offset);
        if outputs == 0 {
            self.apply(Input::Clean(ticket, None));
        } else {
            let sent = (0..outputs).map(|output| (ticket, (number, offset, output)));
            self.in_flight.extend(sent);
            self.apply(Input::Opened(ticket, outputs, None));
        }
        self.apply(Input::Taken(1));
    }

    fn deliver(&mut self, index: usize) {
        if !self.state.may_send() {
            return;
        }
        if self.in_flight.is_empty() {
            if self.posted > 0 {
                self.posted -= 1;
                self.apply(Input::PostSettled);
            }
            return;
        }
        let at = index % self.in_flight.len();
        let (ticket, output) = self.in_flight.swap_remove(at);
        self.delivered.push(output);
        self.apply(Input::Delivered(ticket));
    }

    fn settle(&mut self, outcome: Outcome) {
        match std::mem::replace(&mut self.phase, Phase::None) {
            Phase::Committing(watermarks) => self.settle_commit(&watermarks, outcome),
            Phase::Aborting => {
                self.phase = Phase::None;
                let known = match std::mem::take(&mut self.is_shut_out) {
                    true => Rewind::Ask,
                    false => Rewind::Known,
                };
                self.apply(Input::Aborted(known));
            }
            other => self.phase = other,
        }
    }

    fn settle_commit(&mut self, watermarks: &[(Partition, i64)], outcome: Outcome) {
        let must_abort = match outcome {
            Outcome::Done => None,
            Outcome::Refused(doom) => Some(doom),
            Outcome::Unheard | Outcome::ShutOut => {
                self.is_shut_out = true;
                Some(Doom::Unavailable)
            }
            Outcome::Dead => {
                self.ending_since.get_or_insert(self.now);
                // Nobody ends this transaction well any more.
                self.delivered.clear();
                return self.apply(Input::Dead("shut out for good"));
            }
        };
        if matches!(outcome, Outcome::Done | Outcome::Unheard) {
            for (name, watermark) in watermarks {
                let number = usize::try_from(name.partition).expect("it is small");
                self.committed.insert(number, *watermark);
            }
            for output in self.delivered.drain(..) {
                assert!(self.visible.insert(output), "{output:?} is visible twice");
            }
        }
        self.apply(must_abort.map_or(Input::Committed, Input::Doomed));
    }

    fn rewound(&mut self) {
        if self.phase != Phase::Rewinding {
            return;
        }
        self.phase = Phase::None;
        for (number, assignment) in &mut self.held {
            assignment.position = self.committed.get(number).copied().unwrap_or_default();
        }
        self.apply(Input::Rewound);
    }

    fn effect(&mut self, effect: Effect) {
        assert_eq!(self.ended, None, "nothing follows the end");
        match effect {
            Effect::Pause => self.held.values_mut().for_each(|it| it.paused = true),
            Effect::Resume => self.held.values_mut().for_each(|it| it.paused = false),
            Effect::Begin => {
                assert_eq!(self.phase, Phase::None, "one transaction at a time");
                self.phase = Phase::Open;
            }
            Effect::CommitTransaction(watermarks) => self.commit(watermarks),
            Effect::Abort => {
                assert!(matches!(self.phase, Phase::Open | Phase::None), "{:?}", self.phase);
                self.phase = Phase::Aborting;
                self.delivered.clear();
                self.in_flight.clear();
            }
            Effect::Rewind(known) => {
                self.phase = Phase::Rewinding;
                self.rewind = Some(known);
            }
            Effect::Release(partitions) => partitions.iter().for_each(|name| self.release(name)),
            Effect::End(ending) => self.ended = Some(ending),
            Effect::Commit(..) | Effect::Retry => panic!("{effect:?} is the other guarantee's"),
        }
    }

    fn commit(&mut self, watermarks: Vec<(Partition, i64)>) {
        assert_eq!(self.phase, Phase::Open);
        assert!(
            self.in_flight.is_empty() && self.posted == 0,
            "only what is delivered is committed"
        );
        let mut expected: Vec<(Partition, i64)> = self
            .held
            .iter()
            .filter(|(number, it)| {
                it.position > self.committed.get(*number).copied().unwrap_or_default()
            })
            .map(|(number, it)| (partition(*number), it.position))
            .collect();
        let mut found = watermarks.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "a commit covers all that was taken, and nothing else");
        self.phase = Phase::Committing(watermarks);
    }

    fn release(&mut self, name: &Partition) {
        let number = usize::try_from(name.partition).expect("it is small");
        let gone = self.held.remove(&number).expect("only what is held is given back");
        let is_open = self.delivered.iter().any(|(of, ..)| *of == number)
            || self.in_flight.iter().any(|(_, (of, ..))| *of == number);
        let is_late = gone.draining_since.is_some_and(|it| self.now >= it + BOUNDS.revoke_drain);
        let is_committing = matches!(self.phase, Phase::Committing(_));
        let is_ending = self.ending_since.is_some_and(|it| self.now >= it + BOUNDS.shutdown_drain);
        if gone.draining_since.is_some() && is_open {
            let why = format!("{name:?} in {:?}", self.phase);
            assert!((is_late && is_committing) || is_ending, "{why}");
        }
    }

    fn check(&self) {
        for number in 0..PARTITIONS {
            let committed = self.committed.get(&number).copied().unwrap_or_default();
            let owed = (0..committed)
                .flat_map(|offset| (0..owes(number, offset)).map(move |it| (number, offset, it)));
            let visible = self.visible.iter().filter(|(of, ..)| *of == number).copied();
            assert!(owed.eq(visible), "visible is what the committed records owe");
        }
        assert!(self.in_flight.len() < BOUNDS.in_flight_max + 3, "what is in flight is bounded");
        if self.ended.is_some() {
            return;
        }
        assert_eq!(self.state.in_flight(), self.in_flight.len());
        for assignment in self.held.values() {
            let Some(since) = assignment.draining_since else { continue };
            assert!(self.now < since + BOUNDS.revoke_drain, "a drain ends at its deadline");
        }
        if let Some(since) = self.ending_since {
            assert!(self.now < since + BOUNDS.shutdown_drain, "the end comes in time");
        }
    }

    /// Everything goes well from now on: what is held is taken on, and committed.
    fn goes_on(&mut self) {
        let before: BTreeMap<usize, i64> = self.committed.clone();
        self.step(&Act::QueueFree);
        for _ in 0..8 {
            self.step(&Act::Tick(u64::try_from(OUTPUT_RETRY_MAX.as_millis()).expect("10 s")));
            for _ in 0..40 {
                self.step(&Act::Deliver(0));
            }
            self.step(&Act::Settle(Outcome::Done));
            self.step(&Act::Rewound);
            (0..PARTITIONS).for_each(|number| self.step(&Act::Take(number)));
        }
        for (number, it) in self.held.iter().filter(|(_, it)| it.draining_since.is_none()) {
            let committed = self.committed.get(number).copied().unwrap_or_default();
            let was = before.get(number).copied().unwrap_or_default();
            assert!(committed > was, "partition {number} goes on from {was}: {it:?}");
        }
    }

    fn finish(&mut self) {
        self.step(&Act::Stop);
        self.step(&Act::Tick(u64::try_from(BOUNDS.shutdown_drain.as_millis()).expect("20 s")));
        assert!(self.ended.is_some(), "every drain ends");
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
    fn every_history_shows_what_it_committed_and_commits_what_it_shows(
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut model = Model::new();
        for act in &acts {
            model.step(act);
            if model.ended.is_some() {
                return Ok(());
            }
        }
        if model.ending_since.is_none() {
            model.goes_on();
        }
        model.finish();
    }
}

fn running() -> Model {
    let mut model = Model::new();
    model.step(&Act::Assign(0));
    model
}

#[test]
fn a_transaction_is_committed_when_it_is_due_and_all_is_delivered() {
    let mut model = running();
    (0..4).for_each(|_| model.step(&Act::Take(0)));
    assert!(!model.in_flight.is_empty());
    model.step(&Act::Tick(1000));
    assert_eq!(model.phase, Phase::Open, "outputs are under way");
    while !model.in_flight.is_empty() {
        model.step(&Act::Deliver(0));
    }
    assert_eq!(model.phase, Phase::Committing(vec![(partition(0), 4)]));
    model.step(&Act::Settle(Outcome::Done));
    assert_eq!(model.phase, Phase::Open);
    assert_eq!(model.committed, BTreeMap::from([(0, 4)]));
}

#[test]
fn so_many_records_are_a_transaction_before_it_is_due() {
    let mut model = running();
    let mut state_takes = 0;
    while model.state.may_take() && state_takes < 50 {
        model.step(&Act::Take(0));
        while !model.in_flight.is_empty() {
            model.step(&Act::Deliver(0));
        }
        model.step(&Act::Tick(1));
        state_takes += 1;
    }
    assert_eq!(state_takes, 20);
}

#[test]
fn nothing_taken_is_nothing_to_commit() {
    let mut model = running();
    (0..50).for_each(|_| model.step(&Act::Tick(1000)));
    assert_eq!(model.phase, Phase::Open);
}

#[test]
fn a_refused_commit_goes_back_and_takes_the_same_again() {
    let mut model = running();
    (0..3).for_each(|_| model.step(&Act::Take(0)));
    while !model.in_flight.is_empty() {
        model.step(&Act::Deliver(0));
    }
    model.step(&Act::Tick(1000));
    model.step(&Act::Settle(Outcome::Refused(Doom::Unavailable)));
    assert_eq!(model.phase, Phase::Aborting);
    assert!(model.state.holds().output_unavailable);
    model.step(&Act::Settle(Outcome::Done));
    assert_eq!((&model.phase, model.rewind), (&Phase::Rewinding, Some(Rewind::Known)));
    model.step(&Act::Rewound);
    assert_eq!(model.phase, Phase::None, "it rests first");
    model.step(&Act::Tick(500));
    assert_eq!(model.phase, Phase::Open);
    assert_eq!(model.held.get(&0).map(|it| it.position), Some(0));
}

#[test]
fn a_commit_nobody_heard_of_is_asked_for() {
    let mut model = running();
    model.step(&Act::Take(0));
    model.step(&Act::Tick(1000));
    model.step(&Act::Settle(Outcome::Unheard));
    model.step(&Act::Settle(Outcome::Done));
    assert_eq!(model.rewind, Some(Rewind::Ask));
}
