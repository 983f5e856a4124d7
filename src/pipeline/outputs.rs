//! Outputs between the judge and their delivery: what waits, what is on its way, what came back.
//!
//! ```text
//! push ─▶ waiting ── sent ──▶ with the sink ──▶ delivered: taken out
//!            ▲                      ├─ its target takes nothing ─▶ resting ── retry ─▶ waiting
//!            ├──────────────────────┴─ refused ─▶ alone, or another form of it
//! ```
//!
//! Nothing overtakes what rests: the sink is asked to give back what came after it, and nothing is
//! sent until a retry. Then everything waits in its old order, and one output goes alone: only when
//! the target has taken it do the others follow.
//!
//! A broker judges the size of a batch, so an output that is refused as too large is sent once
//! more with nothing else on its way: only what is refused alone is too large itself. The bytes of
//! an output are kept until it is delivered, so that it can be sent again. Nothing is decided here
//! but the order of sending; nothing is ever dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use super::in_flight::InFlight;
use super::kept::Kept;
use super::note::Prepared;
use super::refusals::OutputName;
use super::state::Ticket;
use crate::sink::{DeliveryFault, Output, SendError, Sink, Token};

/// One output.
#[derive(Debug)]
pub(super) struct Open {
    /// The record that owes it; an update of an alert belongs to none.
    pub ticket: Option<Ticket>,
    /// What is sent, in its present form.
    pub prepared: Prepared,
    /// Its record; `None` where no record owes it.
    pub kept: Option<Arc<Kept>>,
    /// What it has been through.
    pub history: History,
    /// Outputs are sent in the order of their numbers, which they get when they are pushed.
    number: u64,
    /// What it is in whichever form; `None` where no record owes it.
    pub name: Option<OutputName>,
}

impl Open {
    /// One that a record owes, in its first form.
    pub fn owed(ticket: Ticket, prepared: Prepared, kept: Option<Arc<Kept>>) -> Self {
        let name = OutputName::of(&prepared.note);
        Self { ticket: Some(ticket), prepared, kept, history: History::default(), number: 0, name }
    }

    /// One that no record owes.
    pub fn posted(prepared: Prepared) -> Self {
        let history = History::default();
        Self { ticket: None, prepared, kept: None, history, number: 0, name: None }
    }
}

/// What an output has been through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// In which company it is sent.
    pub trial: Trial,
    /// Whether it came back because its target takes nothing.
    pub trouble: Met,
}

/// In which company an output is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trial {
    #[default]
    Shared,
    Alone,
}

/// Whether an output has come back because its target takes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Met {
    #[default]
    Never,
    Trouble,
}

/// What came of trying to send one more.
#[derive(Debug)]
pub(super) enum Sent {
    /// It was taken.
    One,
    /// Nothing waits.
    Nothing,
    /// There is no room now.
    Full,
    /// Outputs rest: nothing is sent before they are.
    Resting,
    /// It was not taken.
    Refused(Token, DeliveryFault),
}

/// Whether one output is to find out if its target takes outputs again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Probe {
    #[default]
    None,
    /// The next one is, as soon as the sink has nothing else.
    Due,
    /// This one is on its way.
    Sent(Token),
}

/// The outputs of one worker.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    open: InFlight<Open>,
    /// How many there were.
    numbers: u64,
    /// At most those of one record and what was waiting before it: what is kept back to go together
    /// is bounded, and with the queue full the source is paused.
    waiting: VecDeque<Token>,
    /// Came back because their target takes nothing.
    resting: Vec<Token>,
    /// To be sent one at a time.
    alone: VecDeque<Token>,
    /// The one of them that is on its way.
    on_trial: Option<Token>,
    probe: Probe,
    /// How many the sink has.
    with_sink: usize,
}

impl Outputs {
    /// Whether every output is delivered.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether what is open waits for nothing but time.
    pub fn is_resting(&self) -> bool {
        !self.resting.is_empty() && self.with_sink == 0
    }

    /// Adds one at the end.
    pub fn push(&mut self, open: Open) {
        let number = self.numbers;
        self.numbers += 1;
        let token = self.open.insert(Open { number, ..open });
        self.waiting.push_back(token);
    }

    /// Takes out every output, wherever it is. What the sink has of them may still come back, and
    /// finds nothing.
    pub fn forget(&mut self) -> Vec<Open> {
        self.waiting.clear();
        self.resting.clear();
        self.alone.clear();
        self.on_trial = None;
        self.probe = Probe::None;
        self.with_sink = 0;
        self.open.take_all()
    }

    /// Sends the next one.
    pub fn send_next(&mut self, sink: &mut impl Sink) -> Sent {
        if !self.resting.is_empty() {
            return Sent::Resting;
        }
        if self.probe != Probe::None && self.with_sink > 0 {
            return Sent::Full;
        }
        let (queue, is_trial) = match self.alone.is_empty() && self.on_trial.is_none() {
            true => (&mut self.waiting, false),
            false if self.with_sink > 0 => return Sent::Full,
            false => (&mut self.alone, true),
        };
        let Some(token) = queue.front().copied() else { return Sent::Nothing };
        let Some(open) = self.open.get_mut(token) else {
            queue.pop_front();
            return Sent::One;
        };
        // In a transaction, what is to travel alone keeps its place among the others.
        let is_trial = is_trial || open.history.trial == Trial::Alone;
        if is_trial && self.with_sink > 0 {
            return Sent::Full;
        }
        let encoded = &open.prepared.encoded;
        let output = Output {
            target: open.prepared.target,
            key: encoded.key.as_deref(),
            value: encoded.value.as_deref(),
            headers: &encoded.headers,
            timestamp_ms: encoded.timestamp.as_millis(),
        };
        let outcome = match sink.send(&output, token) {
            Err(SendError::QueueFull) => return Sent::Full,
            Err(SendError::Refused(fault)) => Sent::Refused(token, fault),
            Ok(()) => {
                self.with_sink += 1;
                self.on_trial = is_trial.then_some(token);
                if self.probe == Probe::Due {
                    self.probe = Probe::Sent(token);
                }
                Sent::One
            }
        };
        queue.pop_front();
        outcome
    }

    /// The sink has said how the output of `token` ended.
    pub fn came_back(&mut self, token: Token) {
        if self.open.get_mut(token).is_none() {
            return;
        }
        self.with_sink = self.with_sink.saturating_sub(1);
        if self.on_trial == Some(token) {
            self.on_trial = None;
        }
        if self.probe == Probe::Sent(token) {
            self.probe = Probe::None;
        }
    }

    /// Whether the sink has any.
    pub const fn are_with_sink(&self) -> bool {
        self.with_sink > 0
    }

    /// Takes one out that is delivered, or that ends here.
    pub fn take(&mut self, token: Token) -> Option<Open> {
        self.open.take(token)
    }

    /// The output of `token`, unless it was taken out.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut Open> {
        self.open.get_mut(token)
    }

    /// Sends one again when nothing else is on its way.
    pub fn send_alone(&mut self, token: Token) {
        self.alone.push_back(token);
    }

    /// The same, before all others: another form was put in its place, and outputs of one key stay
    /// in order.
    pub fn send_alone_next(&mut self, token: Token) {
        self.alone.push_front(token);
    }

    /// Keeps one until the next [`Outputs::retry`].
    pub fn rest(&mut self, token: Token) {
        self.resting.push(token);
    }

    /// Sends what rests again, with everything else in its old order, and the first one alone.
    pub fn retry(&mut self) {
        // Their trials begin anew: in company first, as every output.
        for token in &self.alone {
            if let Some(open) = self.open.get_mut(*token) {
                open.history.trial = Trial::Shared;
            }
        }
        self.waiting.extend(self.alone.drain(..).chain(self.resting.drain(..)));
        let open = &mut self.open;
        let number = |token: &Token| open.get_mut(*token).map_or(u64::MAX, |open| open.number);
        self.waiting.make_contiguous().sort_by_key(number);
        self.probe = Probe::Due;
    }
}
