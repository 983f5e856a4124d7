//! Transactions of a producer: begun by the worker's thread, ended by a thread of their own.
//!
//! ```text
//! worker: begin, send … ── Commit, Abort ──▶ transactor: offsets, commit │ abort │ another producer
//!    ▲ polls on: deliveries, rebalances                       │
//!    └─────────────────────── Settled ◀───────────────────────┘
//! ```
//!
//! The client library's calls block until the broker has answered, for as long as that takes, and
//! its manual wants them without a time-out of their own and the queue of deliveries polled
//! meanwhile. So they have a thread, and the worker goes on polling. A transaction in which an output
//! has failed is ended by another producer under the same id. A producer that was shut out
//! (somebody came under its name, or the broker gave up on a transaction) is replaced; one that is
//! shut out again at once is not: then somebody else lives under its name.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::util::Timeout;

use super::{Client, KafkaSinkOptions};
use crate::clock::Clock;
use crate::kafka::Enlisted;
use crate::limits::PRODUCER_REPLACED_MIN;
use crate::sink::{SendError, Settled, TransactionFault, TransactionFaultClass};

/// How long the coordinator may take to take a producer in at the start; after a crash it may have
/// to end a transaction first.
const TAKEN_IN: Duration = Duration::from_secs(15);

/// How long one question of it may take, so that the client is polled in between.
const QUESTION: Duration = Duration::from_millis(500);

/// How long until a call that may be repeated is repeated.
const AGAIN: Duration = Duration::from_millis(100);

fn transactional_id(options: &KafkaSinkOptions) -> &str {
    options.config.get("transactional.id").unwrap_or_default()
}

/// Takes the producer in under its transactional id: whoever had it before is shut out, and a
/// transaction that was left open is ended.
///
/// # Errors
/// In plain words, when the coordinator refuses, or does not answer in time.
pub(super) fn take_in(
    client: &Client,
    options: &KafkaSinkOptions,
    clock: &dyn Clock,
) -> Result<(), SendError> {
    let until = clock.monotonic() + TAKEN_IN;
    loop {
        let fault = match client.init_transactions(QUESTION) {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        client.poll(Duration::ZERO);
        if !is_retriable(&fault) || clock.monotonic() >= until {
            let why = plain(&fault, options);
            return Err(super::refused(format!("take part in transactions: {why}")));
        }
    }
}

/// What the transactor is to do.
enum Job {
    Commit(Arc<Client>, Enlisted),
    Abort(Arc<Client>, EndBy),
}

/// How an unfinished transaction is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndBy {
    /// The producer aborts it.
    Abort,
    /// Another producer under the same id: the coordinator aborts what was left open.
    AnotherProducer,
}

/// What has come of a job.
pub(super) struct Done {
    /// How it ended.
    pub settled: Settled,
    /// Where the producer was replaced.
    pub client: Option<Arc<Client>>,
}

/// The worker's side.
pub(super) struct Transactor {
    jobs: SyncSender<Job>,
    done: Receiver<Done>,
}

impl Transactor {
    /// Starts the thread; it ends when this is dropped and its last job is done.
    pub fn start(options: KafkaSinkOptions, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        // A transaction is settled before the next one begins: there is one job at most.
        let (jobs, todo) = sync_channel(1);
        let (tell, done) = sync_channel(1);
        let name = format!("ouzel-transactions-{}", transactional_id(&options));
        let mut keeper = Keeper { options, clock, shut_out_at: None };
        std::thread::Builder::new().name(name).spawn(move || {
            while let Ok(job) = todo.recv() {
                let done = match job {
                    Job::Commit(client, enlisted) => keeper.commit(&client, &enlisted),
                    Job::Abort(client, by) => keeper.abort(&client, by),
                };
                if tell.send(done).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs, done })
    }

    /// Begins to commit.
    pub fn commit(&self, client: &Arc<Client>, enlisted: Enlisted) {
        self.tell(Job::Commit(Arc::clone(client), enlisted));
    }

    /// Begins to end the transaction without its outputs.
    pub fn abort(&self, client: &Arc<Client>, by: EndBy) {
        self.tell(Job::Abort(Arc::clone(client), by));
    }

    /// The thread hears everything until it has panicked, which [`Transactor::settled`] tells.
    fn tell(&self, job: Job) {
        drop(self.jobs.send(job));
    }

    /// What has come of the last job, once that is known.
    pub fn settled(&self) -> Option<Done> {
        match self.done.try_recv() {
            Ok(done) => Some(done),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let why = "the thread of the transactions has ended".to_owned();
                Some(Done { settled: Settled::Failed(why), client: None })
            }
        }
    }
}

/// The thread's side.
struct Keeper {
    options: KafkaSinkOptions,
    clock: Arc<dyn Clock>,
    /// When the last producer was shut out.
    shut_out_at: Option<Duration>,
}

impl Keeper {
    fn commit(&self, client: &Client, Enlisted { offsets, group }: &Enlisted) -> Done {
        let committed = send_offsets(client, offsets, group)
            .and_then(|()| repeat(|| client.commit_transaction(Timeout::Never)));
        let settled = match committed {
            Ok(()) => Settled::Committed,
            Err(fault) => Settled::MustAbort(TransactionFault {
                class: class(&fault),
                why: plain(&fault, &self.options),
            }),
        };
        Done { settled, client: None }
    }

    fn abort(&mut self, client: &Client, by: EndBy) -> Done {
        if by == EndBy::AnotherProducer && client.client().fatal_error().is_none() {
            return self.replace();
        }
        match repeat(|| client.abort_transaction(Timeout::Never)) {
            Ok(()) => Done { settled: Settled::Aborted, client: None },
            Err(fault) => self.shut_out(&fault),
        }
    }

    /// The producer cannot go on: another one takes its place, once in a while.
    fn shut_out(&mut self, cause: &KafkaError) -> Done {
        let (now, why) = (self.clock.monotonic(), plain(cause, &self.options));
        if self.shut_out_at.is_some_and(|at| now < at + PRODUCER_REPLACED_MIN) {
            let settled = Settled::Failed(format!("the producer was shut out again: {why}"));
            return Done { settled, client: None };
        }
        tracing::warn!(why, "the producer was shut out; another one takes its place");
        self.shut_out_at = Some(now);
        self.replace()
    }

    /// Opens another producer under the same id, which ends the transaction.
    fn replace(&self) -> Done {
        let opened = super::producer(&self.options).map_err(|fault| fault.to_string());
        let taken_in = opened.and_then(|client| {
            let taken_in = repeat(|| client.init_transactions(Timeout::After(QUESTION)));
            taken_in.map_err(|fault| plain(&fault, &self.options)).map(|()| client)
        });
        match taken_in {
            Ok(client) => Done { settled: Settled::Replaced, client: Some(Arc::new(client)) },
            Err(why) => {
                let settled = Settled::Failed(format!("replace the producer: {why}"));
                Done { settled, client: None }
            }
        }
    }
}

fn send_offsets(
    client: &Client,
    offsets: &TopicPartitionList,
    group: &ConsumerGroupMetadata,
) -> Result<(), KafkaError> {
    if offsets.count() == 0 {
        return Ok(());
    }
    // The same offsets under the same generation each time: the group's coordinator refuses them
    // where it has moved on.
    repeat(|| client.send_offsets_to_transaction(offsets, group, Timeout::Never))
}

/// Calls again while the library says that it may be.
fn repeat(mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    loop {
        match call() {
            Err(fault) if is_retriable(&fault) => std::thread::sleep(AGAIN),
            outcome => return outcome,
        }
    }
}

fn is_retriable(fault: &KafkaError) -> bool {
    match fault {
        KafkaError::Transaction(fault) => {
            fault.is_retriable() && !fault.txn_requires_abort() && !fault.is_fatal()
        }
        KafkaError::Flush(_) => true,
        _ => false,
    }
}

fn code(fault: &KafkaError) -> Option<Code> {
    match fault {
        KafkaError::Transaction(fault) => Some(fault.code()),
        other => other.rdkafka_error_code(),
    }
}

/// What the fault of a transaction calls for.
pub(super) fn class(fault: &KafkaError) -> TransactionFaultClass {
    match code(fault) {
        Some(
            Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::FencedInstanceId
            | Code::FencedMemberEpoch
            | Code::StaleMemberEpoch,
        ) => TransactionFaultClass::Outrun,
        _ => TransactionFaultClass::Unavailable,
    }
}

/// The fault in plain words: what it means for this program, and what to do.
pub(super) fn plain(fault: &KafkaError, options: &KafkaSinkOptions) -> String {
    let id = transactional_id(options);
    match code(fault) {
        Some(Code::InvalidTransactionTimeout) => format!(
            "the broker takes no transactions of {} ms: lower delivery.transaction_timeout_ms, or \
             raise the broker's transaction.max.timeout.ms",
            options.config.get("transaction.timeout.ms").unwrap_or_default()
        ),
        Some(
            Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::TransactionCoordinatorFenced,
        ) => format!(
            "the transactional id {id:?} is fenced: another process uses it, or the broker gave \
             up on a transaction that took longer than delivery.transaction_timeout_ms; each \
             running process needs an input.instance_id of its own"
        ),
        Some(Code::TransactionalIdAuthorizationFailed) => format!(
            "this user may not use the transactional id {id:?}: it needs the right WRITE on it, \
             which brings DESCRIBE"
        ),
        Some(Code::UnsupportedFeature | Code::UnsupportedVersion) => {
            "the broker lacks what exactly-once needs: it has to be of version 2.5 or later"
                .to_owned()
        }
        Some(Code::RequestTimedOut | Code::OperationTimedOut) => {
            format!("the coordinator of the transactional id {id:?} does not answer")
        }
        _ => match fault {
            KafkaError::Transaction(fault) => fault.string(),
            other => other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> KafkaSinkOptions {
        let mut config = rdkafka::ClientConfig::new();
        config.set("transactional.id", "ouzel-g-a-0").set("transaction.timeout.ms", "60000");
        let cluster = crate::config::Settings::default().kafka;
        let (name, topics) = (String::new(), Default::default());
        KafkaSinkOptions { name, config, cluster, topics, alerts_spread: true }
    }

    fn check(code: Code, parts: &[&str]) {
        let said = plain(&KafkaError::Global(code), &options());
        assert!(parts.iter().all(|part| said.contains(part)), "{said} lacks one of {parts:?}");
    }

    #[test]
    fn faults_are_told_in_plain_words() {
        let timeouts =
            ["60000 ms", "delivery.transaction_timeout_ms", "transaction.max.timeout.ms"];
        check(Code::InvalidTransactionTimeout, &timeouts);
        for code in [Code::Fenced, Code::ProducerFenced, Code::InvalidProducerEpoch] {
            check(code, &["\"ouzel-g-a-0\" is fenced", "input.instance_id of its own"]);
        }
        check(
            Code::TransactionalIdAuthorizationFailed,
            &["\"ouzel-g-a-0\"", "the right WRITE on it"],
        );
        check(Code::UnsupportedVersion, &["2.5 or later"]);
        check(Code::OperationTimedOut, &["does not answer"]);
    }

    #[test]
    fn a_group_that_moved_on_is_no_fault() {
        for code in [Code::IllegalGeneration, Code::RebalanceInProgress, Code::UnknownMemberId] {
            assert_eq!(class(&KafkaError::Global(code)), TransactionFaultClass::Outrun);
        }
        for code in [Code::Fenced, Code::GroupAuthorizationFailed, Code::OperationTimedOut] {
            assert_eq!(class(&KafkaError::Global(code)), TransactionFaultClass::Unavailable);
        }
    }
}
