//! What a worker writes into its ledger of coverage, where it keeps one.
//!
//! On the path of a clean record nothing is done here: the state counts, and once a second the
//! ledger is told how far each watermark has come. Dead letters and skipped records are noted one by
//! one, when they are judged; they count once the watermark has passed them.

use super::{Desk, Worker};
use crate::pipeline::ledger::{Document, Ledger, What};
use crate::pipeline::note::LetterCause;
use crate::pipeline::state::{State, Ticket};
use crate::sink::Sink;
use crate::source::{Began, Partition, Source};

impl<S: Source, K: Sink<Enlisted = S::Enlisted>> Worker<S, K> {
    /// The same worker, keeping a ledger.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Ledger) -> Self {
        self.desk.ledger = Some(ledger);
        self
    }

    /// What its ledger says now, as it is to be published; nothing without a ledger.
    pub fn documents(&mut self) -> Vec<Document> {
        self.desk.settle();
        let wall = self.desk.wall;
        self.desk.ledger.as_mut().map_or_else(Vec::new, |ledger| ledger.documents(wall))
    }

    /// The same after the end: it reads nothing any more.
    pub fn last_documents(&mut self) -> Vec<Document> {
        self.desk.settle();
        if let Some(ledger) = &mut self.desk.ledger {
            ledger.end();
        }
        self.documents()
    }
}

impl<K: Sink> Desk<K> {
    /// Partitions begin at these offsets.
    pub(super) fn begun(&mut self, positions: &[(Partition, i64)], began: Began) {
        // A reading that has ended for this one to begin comes first.
        self.close_readings();
        let Some(ledger) = &mut self.ledger else { return };
        for (partition, offset) in positions {
            ledger.begin(partition, *offset, began);
        }
    }

    /// Readings that have ended go into the ledger with all that they finished.
    pub(super) fn close_readings(&mut self) {
        let closed = self.state.take_closed();
        if let Some(ledger) = &mut self.ledger {
            closed.iter().for_each(|closed| ledger.close(closed));
        }
    }

    /// Tells the ledger how far each partition has come.
    pub(super) fn settle(&mut self) {
        self.close_readings();
        let Some(ledger) = &mut self.ledger else { return };
        ledger.tick(self.wall);
        for view in self.state.partitions() {
            ledger.settle(view.partition, view.watermark, view.finished);
        }
    }

    /// A dead letter of a record whose output was refused; of one that could not be read, a note
    /// was made when it was judged.
    pub(super) fn unsent(&mut self, ticket: Option<Ticket>, cause: LetterCause) {
        if let (Some(ticket), LetterCause::Unsent(_)) = (ticket, cause) {
            note(&mut self.ledger, &self.state, ticket, What::DeadLettered(cause.reason()));
        }
    }
}

/// This becomes of the record of `ticket`.
pub(super) fn note(ledger: &mut Option<Ledger>, state: &State, ticket: Ticket, what: What) {
    if let Some(ledger) = ledger
        && let Some(partition) = state.partition(ticket.owner)
    {
        ledger.note(partition, ticket.offset, what);
    }
}
