//! At least once: what a worker does about an output that was not delivered, by the class of its
//! fault. Nothing is dropped: it goes out in another form, it rests and is sent again, or the worker
//! ends.

use super::Desk;
use crate::pipeline::judge::AnotherForm;
use crate::pipeline::outputs::{Met, Trial};
use crate::pipeline::state::Input;
use crate::sink::{Refusal, Sink, Token};

impl<K: Sink> Desk<K> {
    /// The sink cannot go on.
    pub(super) fn ends(&mut self, token: Token, why: &str) {
        let Some(open) = self.outputs.take(token) else { return };
        let why = self.line(open.ticket, open.prepared.note.name(), why);
        match open.ticket {
            Some(ticket) => self.apply(Input::Failed(ticket, &why)),
            None => self.apply(Input::Broken(&why)),
        }
    }

    /// The target takes nothing now: the output rests, and what is behind it must not overtake it.
    pub(super) fn held(&mut self, token: Token, why: &str) {
        let Some(open) = self.outputs.get_mut(token) else { return };
        if self.tally.trouble.is_none() {
            let (ticket, name) = (open.ticket, open.prepared.note.name());
            self.tally.trouble = Some(self.line(ticket, name, why));
        }
        self.rests(token);
        if self.outputs.are_with_sink() {
            self.sink.recall();
        }
    }

    /// The output rests until the next retry.
    pub(super) fn rests(&mut self, token: Token) {
        if self.transaction.is_some() {
            return self.recalled_in_transaction(token);
        }
        let Some(open) = self.outputs.get_mut(token) else { return };
        open.history.trial = Trial::Shared;
        let met = std::mem::replace(&mut open.history.trouble, Met::Trouble);
        self.outputs.rest(token);
        self.apply(match met {
            Met::Never => Input::Held,
            Met::Trouble => Input::HeldAgain,
        });
    }

    /// The target refuses this output: another form of it goes out. Only what was too large
    /// without company is too large.
    pub(super) fn refused(&mut self, token: Token, refusal: Refusal, why: &str) {
        let Some(open) = self.outputs.get_mut(token) else { return };
        if refusal == Refusal::TooLarge && open.history.trial == Trial::Shared {
            open.history.trial = Trial::Alone;
            return self.outputs.send_alone(token);
        }
        let (ticket, name) = (open.ticket, open.prepared.note.name());
        let Some(kept) = open.kept.clone() else { return self.drop_update(token, why) };
        match kept.judge.another_form(&open.prepared, &kept, (refusal, why)) {
            AnotherForm::Sent(other) => {
                open.prepared = other;
                open.history.trial = Trial::Alone;
                self.outputs.send_alone_next(token);
            }
            AnotherForm::Discarded(cause) => {
                self.tally.dead_letter(cause);
                let trouble = open.history.trouble;
                drop(self.outputs.take(token));
                self.unsent(ticket, cause);
                if trouble == Met::Trouble {
                    self.apply(Input::Recovered);
                }
                if let Some(ticket) = ticket {
                    self.apply(Input::Delivered(ticket));
                }
            }
            // Nothing may be left behind, so this is not the record's fault any more.
            AnotherForm::None => return self.held(token, why),
        }
        let line = self.line(ticket, name, why);
        self.tally.refusal(|| line);
    }

    /// An update holds no offset, and its alert is delivered: what is lost is the count of hits
    /// that were held back behind it.
    fn drop_update(&mut self, token: Token, why: &str) {
        let Some(open) = self.outputs.take(token) else { return };
        if open.history.trouble == Met::Trouble {
            self.apply(Input::Recovered);
        }
        let line = self.line(open.ticket, open.prepared.note.name(), why);
        self.tally.refusal(|| line);
    }
}
