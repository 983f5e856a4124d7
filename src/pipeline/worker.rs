//! One source, one sink, one thread: records in, outputs out, offsets held until delivered.
//!
//! ```text
//! step: tick ─▶ events of the source ─▶ what waits for the sink ─▶ poll the source: judge, send
//!         (at once, or together with what comes meanwhile: linger.rs)
//!            ─▶ poll the sink: finish ─▶ effects: pause, resume, commit, release, end
//! ```
//!
//! The worker only carries: [`State`] decides, [`Judge`] judges. A clean record costs the verdict,
//! a look-up of its partition and some additions: no allocation, lock, log or formatting. An output
//! that the sink has no room for waits here, the source is paused, and both are polled on; nothing
//! is ever dropped.

mod books;
mod exactly_once;
mod failures;
mod linger;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::judge::Judge;
use super::kept::{Kept, Payload};
use super::ledger::{Ledger, What};
use super::note::{Note, Prepared};
use super::outputs::{Met, Open, Outputs};
use super::state::{Bounds, Effect, Ending, Holds, Input, Owner, PartitionView, State, Ticket};
use super::tally::{Rebalance, RebalanceKind, Tally};
use crate::detect::{Outcome, Scratch};
use crate::event::TopicProfile;
use crate::record::{Record, Timestamp};
use crate::sink::{Delivery, DeliveryFault, FaultClass, Sink, Token};
use crate::source::{CommitMode, Partition, Source, SourceError, SourceEvent};
use exactly_once::InTransaction;
use linger::{Linger, Load};

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The bounds of its state.
    pub bounds: Bounds,
    /// Most records of one step.
    pub records_max: usize,
    /// How long a step waits for a first record while nothing is in flight.
    pub idle_wait: Duration,
    /// The same while something is: deliveries are looked for so often.
    pub busy_wait: Duration,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call again; so many records were taken.
    Went(usize),
    /// It is over: outputs are drained as far as they could be, watermarks are committed.
    Ended(Ending),
}

/// A worker: drives a source and a sink by the state's decisions.
pub struct Worker<S, K> {
    source: S,
    desk: Desk<K>,
    options: WorkerOptions,
    /// Effects being carried out; kept for its memory.
    effects: Vec<Effect>,
    /// When suppression groups are looked at next, on the monotonic clock.
    updates_at: Duration,
    ended: Option<End>,
}

/// The end, once the state has come to it: what is still under way are updates of alerts, which
/// belong to no record and hold no offset.
struct End {
    ending: Ending,
    /// Until when their deliveries are waited for.
    until: Duration,
}

/// How often suppression groups are looked at.
const UPDATES_EVERY: Duration = Duration::from_secs(1);

/// Everything of a worker but the source: what a lent record meets.
struct Desk<K> {
    sink: K,
    judge: Arc<Judge>,
    scratch: Scratch,
    state: State,
    tally: Tally,
    /// By slot.
    lanes: Vec<Option<Lane>>,
    /// The outputs of the record at hand.
    prepared: Vec<Prepared>,
    outputs: Outputs,
    linger: Linger,
    /// What follows from inputs so far.
    effects: Vec<Effect>,
    /// The latest wall-clock time that is known: suppression groups close by it.
    wall: Timestamp,
    /// Of what is covered, where one is kept.
    ledger: Option<Ledger>,
    /// `None`: at least once.
    transaction: Option<InTransaction>,
}

/// What is looked up once per assignment and not per record.
struct Lane {
    owner: Owner,
    profile: Arc<TopicProfile>,
    /// In [`Tally::topics`].
    topic: usize,
}

impl<S: Source, K: Sink<Enlisted = S::Enlisted>> Worker<S, K> {
    /// A worker that owns nothing yet.
    #[must_use]
    pub fn new(source: S, sink: K, judge: Arc<Judge>, options: WorkerOptions) -> Self {
        let desk = Desk {
            sink,
            judge,
            scratch: Scratch::default(),
            state: State::new(options.bounds),
            tally: Tally::default(),
            lanes: Vec::new(),
            prepared: Vec::new(),
            outputs: Outputs::default(),
            linger: Linger::new(options.records_max),
            effects: Vec::new(),
            wall: Timestamp::default(),
            ledger: None,
            transaction: options.bounds.transactions.map(|_| InTransaction::default()),
        };
        let updates_at = Duration::ZERO;
        Self { source, desk, options, effects: Vec::new(), updates_at, ended: None }
    }

    /// Tells the wall-clock time, which suppression groups close by; without it, they close by the
    /// times at which records were received.
    pub fn set_wall(&mut self, wall: Timestamp) {
        self.desk.wall = wall;
    }

    /// Does one round at the monotonic time `now`. After [`Step::Ended`] it does nothing more.
    pub fn step(&mut self, now: Duration) -> Step {
        if self.ended.is_some() {
            return self.last_round(now);
        }
        self.desk.apply(Input::Tick(now));
        self.carry_out();
        // Where the tick was the end, what records owe is given up: nothing of it is sent any more.
        let taken = if self.ended.is_none() { self.round(now) } else { 0 };
        self.desk.close_readings();
        self.desk.tally.rewinds += self.desk.state.take_rewinds();
        match &mut self.ended {
            None => Step::Went(taken),
            Some(end) => {
                // What the drain left of its time: the end takes no longer for updates.
                end.until = self.desk.state.ends_by().unwrap_or(now);
                if self.desk.has_updates_after(&end.ending) {
                    self.desk.post_last_updates();
                }
                self.last_round(now)
            }
        }
    }

    /// What a step does between its tick and its end; says how many records were taken.
    fn round(&mut self, now: Duration) -> usize {
        if now >= self.updates_at {
            self.updates_at = now + UPDATES_EVERY;
            self.desk.post(self.desk.judge.updates(self.desk.wall));
            self.desk.settle();
            self.carry_out();
        }
        self.settle_transaction();
        while let Some(event) = self.source.event() {
            if event == SourceEvent::Ended {
                self.post_before_end();
            }
            self.desk.event(event);
            self.carry_out();
        }
        let is_held = self.desk.state.is_paused() || !self.desk.state.may_take();
        if self.desk.linger.step(now, Load::of(&self.desk.sink)) || is_held {
            self.desk.send_waiting();
        }
        let taken = self.take_records();
        self.desk.linger.took(taken);
        self.desk.send_due();
        self.desk.poll_sink(self.sink_wait());
        self.desk.send_due();
        self.carry_out();
        taken
    }

    /// Polls the source; says how many records were taken.
    fn take_records(&mut self) -> usize {
        if !self.desk.state.may_take() && !self.desk.state.is_paused() {
            // A transaction is about to be settled: what was fetched ahead stays where it is.
            return 0;
        }
        let is_idle = self.desk.outputs.is_empty() && self.desk.state.may_take();
        let wait = match is_idle || self.desk.outputs.is_resting() {
            true => self.options.idle_wait,
            false => self.options.busy_wait,
        };
        let desk = &mut self.desk;
        let lent =
            self.source.poll(wait, self.options.records_max, &mut |record| desk.take(record));
        let taken = lent.unwrap_or_else(|fault| {
            self.desk.broken(&fault);
            0
        });
        if self.desk.transaction.is_some() && taken > 0 {
            self.desk.apply(Input::Taken(taken as u64));
        }
        taken
    }

    /// How long the sink is waited for: only where the source was not polled.
    fn sink_wait(&self) -> Duration {
        match self.desk.state.may_take() || self.desk.state.is_paused() {
            true => Duration::ZERO,
            false => self.options.busy_wait,
        }
    }

    /// Sends what is left of updates, and ends when it is delivered or has had its time.
    fn last_round(&mut self, now: Duration) -> Step {
        let Some(end) = &self.ended else { return Step::Went(0) };
        // What records still owe is given up: whoever reads them next sends it.
        if self.desk.transaction.is_some() || self.desk.state.in_flight() > 0 {
            return Step::Ended(end.ending.clone());
        }
        self.desk.send_waiting();
        self.desk.poll_sink(Duration::ZERO);
        self.desk.effects.clear();
        let is_open = !self.desk.outputs.is_empty();
        if is_open && now < end.until { Step::Went(0) } else { Step::Ended(end.ending.clone()) }
    }

    /// Begins the end: nothing more is taken; steps go on until one says [`Step::Ended`].
    pub fn stop(&mut self) {
        self.post_before_end();
        self.desk.apply(Input::Stop);
    }

    /// Judges by `judge` from the next record on; open suppression groups of the old one are closed.
    /// The tally's hits name rules by their place in the judge's set, so clear it before.
    pub fn set_judge(&mut self, judge: Arc<Judge>) {
        self.desk.post(self.desk.judge.last_updates(self.desk.wall));
        self.desk.lanes.clear();
        self.desk.judge = judge;
    }

    /// What was counted since [`Tally::clear`].
    pub const fn tally(&mut self) -> &mut Tally {
        &mut self.desk.tally
    }

    /// Outputs that are neither delivered nor failed.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.desk.state.in_flight()
    }

    /// Why nothing is taken, where nothing is.
    #[must_use]
    pub fn holds(&self) -> Holds {
        self.desk.state.holds()
    }

    /// Since when the oldest open record is open, on the monotonic clock.
    #[must_use]
    pub fn open_since(&self) -> Option<Duration> {
        self.desk.state.open_since()
    }

    /// Every partition that is owned or draining.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionView<'_>> {
        self.desk.state.partitions()
    }

    /// The source, for what only its kind can tell.
    pub const fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The sink, for what only its kind can tell.
    pub const fn sink(&mut self) -> &mut K {
        &mut self.desk.sink
    }

    /// Closes the source and hands the sink back.
    pub fn close(mut self) -> K {
        self.source.close();
        self.desk.sink
    }

    /// Ends here and now, as a crash would: what is in flight is not waited for and nothing is
    /// committed. Hands the source and the sink back as they are.
    pub fn abandon(self) -> (S, K) {
        (self.source, self.desk.sink)
    }

    /// Carries out the effects that are due, and those that follow from them.
    fn carry_out(&mut self) {
        while !self.desk.effects.is_empty() {
            std::mem::swap(&mut self.effects, &mut self.desk.effects);
            for effect in std::mem::take(&mut self.effects) {
                self.carry_out_one(effect);
            }
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        let outcome = match effect {
            Effect::Pause => self.source.pause(),
            Effect::Resume => self.source.resume(),
            Effect::Retry => {
                self.desk.outputs.retry();
                self.desk.send_waiting();
                Ok(())
            }
            Effect::Commit(watermarks, mode) => {
                if mode == CommitMode::Sync {
                    // It may take seconds, and what is kept back need not wait for it.
                    self.desk.send_waiting();
                }
                let outcome = self.source.commit(&watermarks, mode);
                self.desk.committed(mode, outcome.map_err(|fault| fault.to_string()));
                Ok(())
            }
            Effect::Release(partitions) => {
                self.desk.released(&partitions);
                let outcome = self.source.release(&partitions);
                self.desk.rebalanced(RebalanceKind::Released, partitions);
                outcome
            }
            Effect::Begin => {
                self.desk.begin_transaction();
                Ok(())
            }
            Effect::CommitTransaction(watermarks) => {
                self.commit_transaction(watermarks);
                Ok(())
            }
            Effect::Abort => {
                self.desk.abort_transaction();
                Ok(())
            }
            Effect::Rewind(known) => self.source.rewind(known),
            Effect::End(ending) => {
                self.ended = Some(End { ending, until: Duration::ZERO });
                Ok(())
            }
        };
        if let Err(fault) = outcome {
            self.desk.broken(&fault);
        }
    }
}

impl<K: Sink> Desk<K> {
    fn apply(&mut self, input: Input<'_>) {
        self.state.apply(input, &mut self.effects);
    }

    fn broken(&mut self, fault: &SourceError) {
        self.apply(Input::Broken(&fault.to_string()));
    }

    fn event(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Assigned(partitions) => {
                self.apply(Input::Assigned(&partitions));
                self.rebalanced(RebalanceKind::Assigned, partitions);
            }
            SourceEvent::Began(positions, began) => self.begun(&positions, began),
            SourceEvent::Revoked(partitions) => {
                self.apply(Input::Revoked(&partitions));
                self.rebalanced(RebalanceKind::Revoked, partitions);
            }
            SourceEvent::Lost(partitions) => {
                self.apply(Input::Lost(&partitions));
                self.rebalanced(RebalanceKind::Lost, partitions);
            }
            SourceEvent::Committed(outcome) => self.committed(CommitMode::Sync, outcome),
            SourceEvent::CommitOutrun => self.apply(Input::CommitFailed),
            SourceEvent::Rewound => self.apply(Input::Rewound),
            SourceEvent::Ended => self.apply(Input::Exhausted),
            SourceEvent::BrokersDown => self.apply(Input::BrokersDown),
            SourceEvent::BrokersUp => self.apply(Input::BrokersUp),
        }
    }

    fn rebalanced(&mut self, kind: RebalanceKind, partitions: Vec<Partition>) {
        self.tally.rebalances.push(Rebalance { kind, partitions });
    }

    /// How a commit ended; an asynchronous one that was taken has not ended yet.
    fn committed(&mut self, mode: CommitMode, outcome: Result<(), String>) {
        match (outcome, mode) {
            (Ok(()), CommitMode::Async) => {}
            (Ok(()), CommitMode::Sync) => self.tally.commits += 1,
            (Err(why), _) => {
                self.tally.commit_failures.push(why);
                self.apply(Input::CommitFailed);
            }
        }
    }

    /// Judges one record. Breaks when something has to be done before the next one.
    fn take(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        let ticket = match self.state.claim(&record.position, record.timestamp) {
            Ok(ticket) => ticket,
            Err(why) => {
                self.tally.untaken(why);
                return ControlFlow::Continue(());
            }
        };
        let kept = self.judge_record(record, ticket);
        if self.prepared.is_empty() {
            self.apply(Input::Clean(ticket, record.timestamp));
            return ControlFlow::Continue(());
        }
        let again = self.heed_refusals(ticket, kept.as_ref());
        let outputs = again.as_ref().map_or(self.prepared.len(), Vec::len);
        if outputs == 0 {
            self.apply(Input::Clean(ticket, record.timestamp));
            return ControlFlow::Continue(());
        }
        let outputs = u32::try_from(outputs).unwrap_or(u32::MAX);
        self.apply(Input::Opened(ticket, outputs, record.timestamp));
        self.wall = self.wall.max(record.received);
        let others = again.iter().flatten().map(|open| &open.prepared);
        let bytes = self.prepared.iter().chain(others).map(Prepared::bytes).sum();
        for output in self.prepared.drain(..) {
            self.outputs.push(Open::owed(ticket, output, kept.clone()));
        }
        again.into_iter().flatten().for_each(|open| self.outputs.push(open));
        self.linger.added(outputs as usize, bytes);
        // Deliveries are reported while records are judged, so that a repeat is known early.
        if self.send_due() || self.sink.is_busy() {
            self.poll_sink(Duration::ZERO);
            self.send_due();
        }
        if self.effects.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Sends outputs that no record owes.
    fn post(&mut self, outputs: Vec<Prepared>) {
        if !outputs.is_empty() {
            self.apply(Input::Posted(outputs.len()));
            self.linger.added(outputs.len(), outputs.iter().map(Prepared::bytes).sum());
        }
        outputs.into_iter().for_each(|output| self.outputs.push(Open::posted(output)));
    }

    /// Inspects the record, counts it, and prepares what it owes; where it owes anything, it is
    /// kept.
    fn judge_record(&mut self, record: &Record<'_>, ticket: Ticket) -> Option<Arc<Kept>> {
        let Self { judge, scratch, tally, lanes, prepared, ledger, state, .. } = self;
        let lane = lane(lanes, ticket.owner, record, judge, tally)?;
        let verdict = judge.detector().inspect(record, &lane.profile, scratch);
        if let Some(topic) = tally.topics.get_mut(lane.topic) {
            let bytes = record.payload.map_or(0, <[u8]>::len);
            topic.record(verdict.outcome, bytes, record.timestamp.unwrap_or(record.received));
        }
        tally.candidates += u64::from(verdict.candidate);
        verdict.events.iter().for_each(|event| tally.event(event.shape));
        match verdict.outcome {
            Outcome::Clean => {}
            Outcome::Skipped(reason) => {
                tally.skip(reason);
                books::note(ledger, state, ticket, What::Skipped(reason.name()));
            }
            Outcome::Hits | Outcome::Unreadable(_) => {
                if let Outcome::Unreadable(fault) = verdict.outcome {
                    let what = What::DeadLettered(fault.reason());
                    books::note(ledger, state, ticket, what);
                }
                judge.prepare(record, &verdict, tally, prepared);
            }
        }
        if prepared.is_empty() {
            return None;
        }
        let payload = if verdict.hits.is_empty() { Payload::InLetter } else { Payload::Kept };
        Some(Arc::new(Kept::of(record, payload, Arc::clone(judge), Arc::clone(&lane.profile))))
    }

    /// Serves the sink and finishes what was delivered.
    fn poll_sink(&mut self, wait: Duration) {
        let mut done = Vec::new();
        self.sink.poll(wait, &mut |token, delivery| done.push((token, delivery)));
        for (token, delivery) in done {
            self.outputs.came_back(token);
            match delivery {
                Delivery::Delivered => self.delivered(token),
                Delivery::Failed(fault) => self.failed(token, &fault),
                Delivery::Recalled => self.rests(token),
            }
        }
    }

    /// One output was delivered.
    fn delivered(&mut self, token: Token) {
        let Some(open) = self.outputs.take(token) else { return };
        if self.transaction.is_some() {
            return self.delivered_in_transaction(open);
        }
        self.count(open.ticket, open.prepared.note);
        if open.history.trouble == Met::Trouble {
            self.apply(Input::Recovered);
        }
        if let Some(ticket) = open.ticket {
            self.apply(Input::Delivered(ticket));
        }
    }

    /// Counts what is delivered for good.
    fn count(&mut self, ticket: Option<Ticket>, note: Note) {
        match note {
            Note::Alert(alert) => {
                self.judge.delivered(alert.id);
                self.tally.delivered.push(alert.about);
            }
            Note::Notice => self.tally.notices += 1,
            Note::Update => self.tally.updates += 1,
            Note::Audit(_) => {}
            Note::DeadLetter(letter) => {
                self.tally.dead_letter(letter.cause);
                self.unsent(ticket, letter.cause);
            }
        }
    }

    /// One output was not delivered.
    fn failed(&mut self, token: Token, fault: &DeliveryFault) {
        if self.transaction.is_some() {
            return self.failed_in_transaction(token, fault);
        }
        match fault.class {
            FaultClass::Refused(refusal) => self.refused(token, refusal, &fault.why),
            FaultClass::Unavailable => self.held(token, &fault.why),
            FaultClass::Fatal => self.ends(token, &fault.why),
        }
    }

    /// What could not be delivered, and why.
    fn line(&self, ticket: Option<Ticket>, name: &str, why: &str) -> String {
        match ticket {
            Some(ticket) => format!("deliver the {name} of {}: {why}", self.state.place(ticket)),
            None => format!("deliver the {name}: {why}"),
        }
    }
}

/// What is known of the record's assignment; looked up when it is new.
fn lane<'l>(
    lanes: &'l mut Vec<Option<Lane>>,
    owner: Owner,
    record: &Record<'_>,
    judge: &Judge,
    tally: &mut Tally,
) -> Option<&'l Lane> {
    if lanes.len() <= owner.slot() {
        lanes.resize_with(owner.slot() + 1, || None);
    }
    let place = lanes.get_mut(owner.slot())?;
    if place.as_ref().is_none_or(|lane| lane.owner != owner) {
        let topic = record.position.topic;
        *place = Some(Lane {
            owner,
            profile: Arc::clone(judge.profile(topic)),
            topic: tally.topic(topic),
        });
    }
    place.as_ref()
}
