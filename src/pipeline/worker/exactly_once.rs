//! Exactly-once: what a worker does about its transaction. [`State`](super::State) decides when.
//!
//! An output that is delivered in a transaction is not visible yet: it counts, and its id is known,
//! once the transaction is committed. Where it is aborted, everything that was judged in it is
//! forgotten as if it had not been judged, but for what the next try has to do otherwise.

use std::sync::Arc;

use super::{Desk, Worker};
use crate::pipeline::judge::AnotherForm;
use crate::pipeline::kept::Kept;
use crate::pipeline::note::{Note, Prepared};
use crate::pipeline::outputs::{Open, Trial};
use crate::pipeline::refusals::{Now, Otherwise, OutputName, Refusals};
use crate::pipeline::state::{Doom, Ending, Input, Ticket};
use crate::sink::{
    DeliveryFault, FaultClass, Refusal, Settled, Sink, Token, TransactionFault,
    TransactionFaultClass,
};
use crate::source::{Partition, Rewind, Source};

/// What a worker keeps of its transaction.
#[derive(Debug, Default)]
pub(super) struct InTransaction {
    /// Delivered in it, each with its record.
    delivered: Vec<(Ticket, Note)>,
    /// Delivered in it, and owed by no record: these are sent again where it is aborted.
    posted: Vec<Prepared>,
    /// What the sink commits.
    watermarks: Vec<(Partition, i64)>,
    refusals: Refusals,
}

impl<S: Source, K: Sink<Enlisted = S::Enlisted>> Worker<S, K> {
    /// Commits, with these watermarks.
    pub(super) fn commit_transaction(&mut self, watermarks: Vec<(Partition, i64)>) {
        let Some(enlisted) = self.source.enlist(&watermarks) else {
            return self.desk.apply(Input::Doomed(Doom::Outrun));
        };
        if let Some(transaction) = &mut self.desk.transaction {
            transaction.watermarks = watermarks;
        }
        self.desk.sink.commit(enlisted);
    }

    /// Looks whether a commit or an abort has ended, or the transaction has failed.
    pub(super) fn settle_transaction(&mut self) {
        if self.desk.transaction.is_none() {
            return;
        }
        let Some(settled) = self.desk.sink.settled() else { return };
        match settled {
            Settled::Committed => {
                self.source.transacted();
                self.desk.transaction_committed();
            }
            Settled::MustAbort(fault) => self.desk.transaction_failed(fault),
            Settled::Aborted => self.desk.apply(Input::Aborted(Rewind::Known)),
            Settled::Replaced => self.desk.apply(Input::Aborted(Rewind::Ask)),
            Settled::Failed(why) => self.desk.apply(Input::Dead(&why)),
        }
        self.carry_out();
    }

    /// In a transaction the last updates go before its end, otherwise after it.
    pub(super) fn post_before_end(&mut self) {
        if self.desk.transaction.is_some() {
            self.desk.post_last_updates();
        }
    }
}

impl<K: Sink> Desk<K> {
    pub(super) fn post_last_updates(&mut self) {
        self.post(self.judge.last_updates(self.wall));
    }

    pub(super) fn begin_transaction(&mut self) {
        if let Err(fault) = self.sink.begin() {
            self.transaction_failed(fault);
        }
    }

    fn transaction_failed(&mut self, TransactionFault { class, why }: TransactionFault) {
        self.tally.commit_failures.push(why);
        self.apply(Input::Doomed(match class {
            TransactionFaultClass::Outrun => Doom::Outrun,
            TransactionFaultClass::Unavailable => Doom::Unavailable,
        }));
    }

    /// Aborts, and forgets what was judged.
    pub(super) fn abort_transaction(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let delivered = std::mem::take(&mut transaction.delivered).into_iter();
        let mut notes: Vec<Note> = delivered.map(|(_, note)| note).collect();
        let mut posted = std::mem::take(&mut transaction.posted);
        let delivered = posted.len();
        self.linger.sent();
        for Open { ticket, prepared, .. } in self.outputs.forget() {
            match ticket {
                Some(_) => notes.push(prepared.note),
                None => posted.push(prepared),
            }
        }
        self.judge.forget(&notes);
        for output in posted {
            self.outputs.push(Open::posted(output));
        }
        self.sink.abort();
        // Those that had not come back are counted as posted already.
        self.apply(Input::Posted(delivered));
    }

    fn transaction_committed(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let notes = std::mem::take(&mut transaction.delivered);
        let posted = std::mem::take(&mut transaction.posted);
        let watermarks = std::mem::take(&mut transaction.watermarks);
        transaction.refusals.committed(&watermarks);
        notes.into_iter().for_each(|(ticket, note)| self.count(Some(ticket), note));
        posted.into_iter().for_each(|output| self.count(None, output.note));
        self.tally.commits += 1;
        self.apply(Input::Committed);
    }

    /// One output was delivered in the transaction.
    pub(super) fn delivered_in_transaction(&mut self, open: Open) {
        let Some(transaction) = &mut self.transaction else { return };
        match open.ticket {
            Some(ticket) => {
                transaction.delivered.push((ticket, open.prepared.note));
                self.apply(Input::Delivered(ticket));
            }
            None => {
                transaction.posted.push(open.prepared);
                self.apply(Input::PostSettled);
            }
        }
    }

    /// One output was not delivered in the transaction: it has to be aborted.
    pub(super) fn failed_in_transaction(&mut self, token: Token, fault: &DeliveryFault) {
        let Some(open) = self.outputs.get_mut(token) else { return };
        let (ticket, name) = (open.ticket, open.prepared.note.name());
        // The assignment may be over already, for an output that failed a moment before.
        let place = open.kept.as_ref().map(|kept| kept.place());
        let refusal = match fault.class {
            FaultClass::Refused(refusal) => Some(refusal),
            FaultClass::Unavailable | FaultClass::Fatal => None,
        };
        let is_solved =
            refusal.is_some_and(|refusal| self.refused_in_transaction(token, refusal, fault));
        let line = match place {
            Some(place) => format!("deliver the {name} of {place}: {}", fault.why),
            None => self.line(ticket, name, &fault.why),
        };
        if is_solved {
            self.tally.refusal(|| line);
            return self.apply(Input::Doomed(Doom::Refused));
        }
        self.tally.trouble.get_or_insert(line);
        self.apply(Input::Doomed(Doom::Unavailable));
    }

    /// The client has given an output back, because others of the transaction failed: what they say
    /// counts, and may come a moment later.
    pub(super) fn recalled_in_transaction(&mut self, token: Token) {
        if self.outputs.get_mut(token).is_some() {
            self.apply(Input::Doomed(Doom::Unavailable));
        }
    }

    /// Remembers a refusal; says whether the output can go out in another way.
    fn refused_in_transaction(
        &mut self,
        token: Token,
        refusal: Refusal,
        fault: &DeliveryFault,
    ) -> bool {
        let (Some(open), Some(transaction)) = (self.outputs.get_mut(token), &mut self.transaction)
        else {
            return false;
        };
        let (Some(kept), Some(name)) = (open.kept.clone(), open.name) else {
            // An update holds no offset, and its alert is delivered: it is left behind.
            drop(self.outputs.take(token));
            self.apply(Input::PostSettled);
            return true;
        };
        if refusal == Refusal::TooLarge && open.history.trial == Trial::Shared {
            transaction.refusals.add(&kept, (name, open.prepared.target), Otherwise::Alone);
            return true;
        }
        let why = fault.why.clone();
        let another = kept.judge.another_form(&open.prepared, &kept, (refusal, &why));
        if matches!(another, AnotherForm::None) {
            return false;
        }
        let output = (name, open.prepared.target);
        transaction.refusals.add(&kept, output, Otherwise::AnotherForm(refusal, why));
        true
    }

    /// The outputs of the record at hand, in the forms that were not refused before; `None` where
    /// nothing was.
    pub(super) fn heed_refusals(
        &mut self,
        ticket: Ticket,
        kept: Option<&Arc<Kept>>,
    ) -> Option<Vec<Open>> {
        let transaction = self.transaction.as_ref()?;
        let kept = kept.filter(|_| !transaction.refusals.is_empty())?;
        let mut opens = Vec::with_capacity(self.prepared.len());
        for first in self.prepared.drain(..) {
            let name = OutputName::of(&first.note);
            match transaction.refusals.now(first, kept) {
                Now::Sent(prepared, trial) => {
                    let mut open = Open::owed(ticket, prepared, Some(Arc::clone(kept)));
                    open.name = name;
                    open.history.trial = trial;
                    opens.push(open);
                }
                Now::Discarded(cause) => self.tally.dead_letter(cause),
            }
        }
        Some(opens)
    }

    pub(super) fn released(&mut self, partitions: &[Partition]) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refusals.released(partitions);
        }
    }

    /// Whether updates of alerts may follow the end.
    pub(super) fn has_updates_after(&self, ending: &Ending) -> bool {
        self.transaction.is_none() && matches!(ending, Ending::Stopped | Ending::Exhausted)
    }
}
