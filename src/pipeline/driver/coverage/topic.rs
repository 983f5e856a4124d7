//! The ledger on a topic: a producer of its own, so that nothing of it stands in the way of alerts.

use std::sync::Arc;
use std::time::Duration;

use super::waiting::Encoded;
use crate::clock::Clock;
use crate::sink::kafka::{KafkaSink, KafkaSinkOptions};
use crate::sink::{Delivery, Output, SendError, Sink as _, Target, Token};

/// How long a delivery is tried. What is late is said again with the next document anyway.
pub(super) const DELIVERY_MS: u32 = 10_000;

/// How long the deliveries of one round are waited for.
const ROUND: Duration = Duration::from_secs(12);

const POLL: Duration = Duration::from_millis(20);

/// A topic.
pub(super) struct LedgerTopic {
    options: KafkaSinkOptions,
    clock: Arc<dyn Clock>,
    /// `None` after a fault that no producer recovers from; opened again with the next round.
    sink: Option<KafkaSink>,
    /// Tokens are never used again: a late report is no report of something else.
    next: Token,
}

/// What was not published, and why.
#[derive(Debug, Default)]
pub(super) struct Unpublished {
    /// These.
    pub documents: Vec<Encoded>,
    /// Why, of one of them.
    pub why: String,
}

impl LedgerTopic {
    /// Opens the producer.
    pub fn open(options: KafkaSinkOptions, clock: Arc<dyn Clock>) -> Result<Self, SendError> {
        let sink = KafkaSink::open(options.clone(), Arc::clone(&clock))?;
        Ok(Self { options, clock, sink: Some(sink), next: 0 })
    }

    /// Serves the client library.
    pub fn serve(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.poll(Duration::ZERO, &mut |_, _| {});
        }
    }

    /// Publishes documents and waits until each has its answer, within a bound.
    pub fn publish(&mut self, documents: Vec<Encoded>) -> Unpublished {
        let opened = match self.sink.take() {
            Some(sink) => Ok(sink),
            None => KafkaSink::open(self.options.clone(), Arc::clone(&self.clock)),
        };
        let mut sink = match opened {
            Ok(sink) => sink,
            Err(fault) => return Unpublished { documents, why: fault.to_string() },
        };
        let first = self.next;
        self.next += documents.len() as Token;
        let mut round = Round::of(documents, first);
        let until = self.clock.monotonic() + ROUND;
        round.send(&mut sink, || self.clock.monotonic() >= until);
        while round.is_open() && self.clock.monotonic() < until {
            sink.poll(POLL, &mut |token, delivery| round.report(token, delivery));
        }
        if !round.is_fatal {
            self.sink = Some(sink);
        }
        round.unpublished()
    }
}

/// Documents that are published together.
struct Round {
    first: Token,
    /// `None` once it is published.
    documents: Vec<Option<Encoded>>,
    /// Sent, and not reported yet.
    open: usize,
    why: String,
    is_fatal: bool,
}

impl Round {
    fn of(documents: Vec<Encoded>, first: Token) -> Self {
        let documents = documents.into_iter().map(Some).collect();
        Self { first, documents, open: 0, why: String::new(), is_fatal: false }
    }

    const fn is_open(&self) -> bool {
        self.open > 0
    }

    fn send(&mut self, sink: &mut KafkaSink, is_late: impl Fn() -> bool) {
        for at in 0..self.documents.len() {
            let token = self.first + at as Token;
            while !self.send_one(sink, at, token) && !is_late() {
                sink.poll(POLL, &mut |token, delivery| self.report(token, delivery));
            }
        }
    }

    /// Whether it was taken, or will never be.
    fn send_one(&mut self, sink: &mut KafkaSink, at: usize, token: Token) -> bool {
        let Some(Some(document)) = self.documents.get(at) else { return true };
        let output = Output {
            target: Target::Alerts,
            key: Some(document.key.as_bytes()),
            value: Some(document.value.as_bytes()),
            headers: &[],
            timestamp_ms: document.updated_ms,
        };
        match sink.send(&output, token) {
            Ok(()) => self.open += 1,
            Err(SendError::QueueFull) => return false,
            Err(SendError::Refused(fault)) => {
                self.is_fatal |= fault.class == crate::sink::FaultClass::Fatal;
                self.why = fault.why;
            }
        }
        true
    }

    fn report(&mut self, token: Token, delivery: Delivery) {
        let at = token.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(document) = at.and_then(|at| self.documents.get_mut(at)) else { return };
        self.open = self.open.saturating_sub(1);
        match delivery {
            Delivery::Delivered => *document = None,
            Delivery::Recalled => {}
            Delivery::Failed(fault) => {
                self.is_fatal |= fault.class == crate::sink::FaultClass::Fatal;
                self.why = fault.why;
            }
        }
    }

    fn unpublished(self) -> Unpublished {
        let why = match self.why.is_empty() {
            true => "the broker did not answer in time".to_owned(),
            false => self.why,
        };
        Unpublished { documents: self.documents.into_iter().flatten().collect(), why }
    }
}
