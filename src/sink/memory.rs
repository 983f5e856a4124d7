//! A sink in memory, for tests and benches of the pipeline.
//!
//! What becomes of what it took is decided by its [`Fate`], which a test may change between two
//! steps. Deterministic: nothing is delivered but by a poll, and no call waits.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Delivery, DeliveryFault, Output, Refusal, SendError, Sink, Target, Token};

/// One output, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryOutput {
    /// Which target.
    pub target: Target,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The time stamp, in ms since the epoch.
    pub timestamp_ms: i64,
}

/// What a poll does with what is in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Everything is delivered, the oldest first.
    #[default]
    Deliver,
    /// So many are delivered, the latest first.
    DeliverLatest(usize),
    /// Nothing happens.
    Hold,
    /// The oldest fails, the others are held.
    FailOldest(DeliveryFault),
    /// Everything fails.
    FailAll(DeliveryFault),
    /// Everything is delivered but what has more bytes in its value than this.
    Limit(usize),
}

/// The sink.
#[derive(Debug)]
pub struct MemorySink {
    capacity: usize,
    fate: Fate,
    refusal: Option<DeliveryFault>,
    in_flight: VecDeque<(Token, MemoryOutput)>,
    /// Whether what is in flight was asked back.
    recalled: bool,
    delivered: Vec<MemoryOutput>,
}

impl MemorySink {
    /// A sink that takes at most `capacity` outputs before they are delivered.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            fate: Fate::default(),
            refusal: None,
            in_flight: VecDeque::new(),
            recalled: false,
            delivered: Vec::new(),
        }
    }

    /// Decides what the next polls do.
    pub fn set_fate(&mut self, fate: Fate) {
        self.fate = fate;
    }

    /// Refuses the next output.
    pub fn refuse(&mut self, fault: DeliveryFault) {
        self.refusal = Some(fault);
    }

    /// The client dies: what is in flight may have arrived or not; here every second one has.
    pub fn crash(&mut self) {
        let in_flight = self.in_flight.drain(..).map(|(_, output)| output);
        self.delivered.extend(in_flight.step_by(2));
    }

    /// What was delivered, in order.
    #[must_use]
    pub fn delivered(&self) -> &[MemoryOutput] {
        &self.delivered
    }

    /// How many outputs are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

impl Default for MemorySink {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Sink for MemorySink {
    fn send(&mut self, output: &Output<'_>, token: Token) -> Result<(), SendError> {
        if let Some(why) = self.refusal.take() {
            return Err(SendError::Refused(why));
        }
        if self.in_flight.len() >= self.capacity {
            return Err(SendError::QueueFull);
        }
        let owned = MemoryOutput {
            target: output.target,
            key: output.key.map(<[u8]>::to_vec),
            value: output.value.map(<[u8]>::to_vec),
            headers: output.headers.to_vec(),
            timestamp_ms: output.timestamp_ms,
        };
        self.in_flight.push_back((token, owned));
        Ok(())
    }

    fn recall(&mut self) {
        self.recalled = true;
    }

    fn poll(&mut self, _wait: Duration, done: &mut impl FnMut(Token, Delivery)) {
        if std::mem::take(&mut self.recalled) {
            self.in_flight.drain(..).for_each(|(token, _)| done(token, Delivery::Recalled));
            return;
        }
        match &self.fate {
            Fate::Hold => {}
            Fate::Deliver => {
                for (token, output) in self.in_flight.drain(..) {
                    self.delivered.push(output);
                    done(token, Delivery::Delivered);
                }
            }
            Fate::DeliverLatest(count) => {
                for _ in 0..*count {
                    let Some((token, output)) = self.in_flight.pop_back() else { break };
                    self.delivered.push(output);
                    done(token, Delivery::Delivered);
                }
            }
            Fate::FailOldest(fault) => {
                if let Some((token, _)) = self.in_flight.pop_front() {
                    done(token, Delivery::Failed(fault.clone()));
                }
            }
            Fate::FailAll(fault) => {
                for (token, _) in self.in_flight.drain(..) {
                    done(token, Delivery::Failed(fault.clone()));
                }
            }
            Fate::Limit(bytes_max) => {
                for (token, output) in self.in_flight.drain(..) {
                    if output.value.as_ref().map_or(0, Vec::len) <= *bytes_max {
                        self.delivered.push(output);
                        done(token, Delivery::Delivered);
                    } else {
                        let fault = DeliveryFault::refused(Refusal::TooLarge, "too large");
                        done(token, Delivery::Failed(fault));
                    }
                }
            }
        }
    }
}
