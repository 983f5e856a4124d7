//! Commits: sent, confirmed, waited for.
//!
//! The client library's own synchronous commit blocks without serving callbacks, for as long as
//! its requests take. Here every commit is asynchronous, and waiting means polling on, within a
//! bound.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::{Flow, KafkaSource, client_error, start};
use crate::kafka::{CommitOutcome, CommitQueue, TopicPartition};
use crate::source::{Partition, SourceError, SourceEvent};

/// How long a synchronous commit is waited for; what it would have saved is read again.
const COMMIT_WAIT: Duration = Duration::from_secs(5);

/// How long a synchronous commit that a rebalance outran is made again, from when that was told: a
/// commit waits behind the member's own request to join, for the slowest of the other members. The
/// client learns of the new generation meanwhile, where it is still a member.
const OUTRUN_WAIT: Duration = Duration::from_secs(1);

impl KafkaSource {
    fn commits(&self) -> Result<&CommitQueue, SourceError> {
        let closed = || SourceError::Client("the consumer is closed".to_owned());
        self.commits.as_ref().ok_or_else(closed)
    }

    /// Sends a commit; how it ends comes with a callback.
    pub(super) fn commit_now(&mut self, positions: &[(Partition, i64)]) -> Result<(), SourceError> {
        if positions.is_empty() {
            return Ok(());
        }
        let list = start::list_at(positions).map_err(client_error)?;
        let refused = |code: Code| SourceError::Client(format!("commit: {code}"));
        self.commits()?.commit(self.consumer()?, &list).map_err(refused)?;
        self.commits_open += 1;
        Ok(())
    }

    /// Takes note of how commits ended, and tells the worker.
    pub(super) fn serve_commits(&mut self) -> Result<(), SourceError> {
        for outcome in self.commits()?.take() {
            let was_outrun = outcome.fault.is_some_and(is_lost_race);
            let ended = self.committed(outcome);
            if !was_outrun {
                self.events.push_back(SourceEvent::Committed(ended));
            }
        }
        Ok(())
    }

    fn committed(&mut self, outcome: CommitOutcome) -> Result<(), String> {
        self.commits_open = self.commits_open.saturating_sub(1);
        for (TopicPartition { topic, partition }, offset) in outcome.taken {
            let partition = Partition { topic: topic.into(), partition };
            self.unconfirmed.retain(|name, start| *name != partition || *start > offset);
        }
        match outcome.fault {
            None => Ok(()),
            Some(code) if is_lost_race(code) => {
                self.events.push_back(SourceEvent::CommitOutrun);
                Ok(())
            }
            Some(code) => Err(code.to_string()),
        }
    }

    /// Commits start positions that are not confirmed. Those of other members are tried once:
    /// later, they would undo what their owner has committed in the meantime.
    pub(super) fn confirm_starts(&mut self) -> Result<(), SourceError> {
        if self.unconfirmed.is_empty() || self.commits_open > 0 {
            return Ok(());
        }
        let starts: Vec<_> = self.unconfirmed.clone().into_iter().collect();
        let owned = self.membership.owned();
        self.unconfirmed.retain(|partition, _| owned.contains_key(partition));
        self.commit_now(&starts)
    }

    /// Waits until every commit has its outcome, at most [`COMMIT_WAIT`], and makes the last one,
    /// of `positions`, again where a rebalance outran it: nobody else would, where they are given
    /// back. Nothing is lent meanwhile: what still comes is kept for the next poll.
    pub(super) fn wait_for_commits(
        &mut self,
        positions: &[(Partition, i64)],
    ) -> Result<(), SourceError> {
        let until = self.clock.monotonic() + COMMIT_WAIT;
        let list = self.owned_list()?;
        if self.flow == Flow::Running {
            self.consumer()?.pause(&list).map_err(client_error)?;
        }
        let mut outcome = Ok(());
        let (mut is_outrun, mut outrun_at) = (false, None);
        while self.commits_open > 0 && self.clock.monotonic() < until {
            outcome = self.poll_for_commits(&mut is_outrun)?.and(outcome);
            let is_over = self.commits_open == 0;
            if is_over && std::mem::take(&mut is_outrun) {
                let since = *outrun_at.get_or_insert(self.clock.monotonic());
                if self.may_commit_again(since)? {
                    self.commit_now(positions)?;
                }
            }
        }
        if std::mem::take(&mut self.commits_open) > 0 {
            let seconds = COMMIT_WAIT.as_secs();
            outcome = Err(format!("the broker did not confirm it within {seconds} s"));
        }
        if self.flow == Flow::Running {
            self.consumer()?.resume(&list).map_err(client_error)?;
        }
        outcome.map_err(|why| SourceError::Client(format!("commit: {why}")))
    }

    /// Whether a commit that a rebalance outran is made again. What was lost may be somebody else's
    /// by now, and so is its offset.
    fn may_commit_again(&self, outrun_at: Duration) -> Result<bool, SourceError> {
        let in_time = self.clock.monotonic() < outrun_at + OUTRUN_WAIT;
        Ok(in_time && !self.consumer()?.assignment_lost())
    }

    fn poll_for_commits(
        &mut self,
        is_outrun: &mut bool,
    ) -> Result<Result<(), String>, SourceError> {
        let consumer = self.consumer()?;
        let polled = match consumer.poll(Duration::from_millis(5)) {
            Some(Ok(message)) => Some(Ok(message.detach())),
            Some(Err(fault)) => Some(Err(fault)),
            None => None,
        };
        let outcomes = self.commits()?.take();
        *is_outrun |= outcomes.iter().any(|outcome| outcome.fault.is_some_and(is_lost_race));
        match polled {
            Some(Ok(message)) => self.stash.push_back(message),
            Some(Err(fault)) => self.note(&fault)?,
            None => {}
        }
        Ok(outcomes.into_iter().try_for_each(|outcome| self.committed(outcome)))
    }
}

/// A commit that met a rebalance: what was given away is read again by whoever owns it now, and
/// what was kept is committed again, in the new generation.
fn is_lost_race(code: Code) -> bool {
    matches!(
        code,
        Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::StaleMemberEpoch
            | Code::AssignmentLost
            | Code::NoOffset
    )
}
