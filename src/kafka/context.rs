//! Callbacks of the client → events and counters.
//!
//! Callbacks run inside `poll`, on the thread that polls. They note what happened and return:
//! never a network call, never a wait, and no (un)assign, except while the client is being closed.
//! librdkafka keeps the partitions paused until the worker has answered a rebalance.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::TopicPartition;
use super::statistics::{self, Figures};
use super::token::TokenFile;
use crate::config::settings::{ClusterSettings, SaslSettings};

/// What a client says of its connection to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Why a broker could not be reached, the last time that happened.
    pub trouble: Option<String>,
    /// Why the cluster refuses this client (credentials, certificates), where it does.
    pub refused: Option<String>,
}

/// What all clients have in common.
#[derive(Debug)]
struct Common {
    name: String,
    token: Option<TokenFile>,
    brokers_down: AtomicBool,
    /// How many statistics have come.
    statistics: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Connection,
    figures: Figures,
}

impl Common {
    fn new(name: &str, cluster: &ClusterSettings) -> Self {
        let token = match &cluster.sasl {
            Some(SaslSettings::TokenFile { token_file }) => {
                Some(TokenFile::new(token_file.clone()))
            }
            _ => None,
        };
        Self {
            name: name.to_owned(),
            token,
            brokers_down: AtomicBool::new(false),
            statistics: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        let client = &*self.name;
        // What the library calls an error is a lost connection or the like, which comes through
        // `error` as well; what matters of it is said there. What comes with a partition's records
        // (its topic is gone) does not: the library says it here, under this name.
        let is_partitions = matches!(level, RDKafkaLogLevel::Error) && facility == "ERROR";
        if is_partitions {
            tracing::warn!(client, said, "the client reports a fault");
        } else if matches!(level, RDKafkaLogLevel::Warning) {
            tracing::warn!(client, facility, said, "the client library warns");
        } else {
            tracing::debug!(client, facility, said, "the client library says");
        }
    }

    fn statistics(&self, document: &[u8]) {
        let Some(figures) = statistics::parse(document) else { return };
        if figures.any_broker_up && self.brokers_down.swap(false, Ordering::Relaxed) {
            tracing::info!(client = &*self.name, "a broker can be reached again");
        }
        lock(&self.state).figures = figures;
        self.statistics.fetch_add(1, Ordering::Release);
    }

    fn error(&self, error: &KafkaError, reason: &str) {
        let client = &*self.name;
        let reason = without_timing(reason);
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let mut state = lock(&self.state);
        match kind(code) {
            ErrorKind::AllDown => {
                self.brokers_down.store(true, Ordering::Relaxed);
                let reason = state.connection.trouble.as_deref().unwrap_or(reason);
                tracing::warn!(client, reason, "no broker can be reached");
            }
            ErrorKind::Connection => {
                tracing::debug!(client, reason, "a connection failed");
                state.connection.trouble = Some(reason.to_owned());
            }
            ErrorKind::Refused => {
                tracing::warn!(client, reason, "the cluster refuses this client");
                state.connection.refused = Some(reason.to_owned());
            }
            ErrorKind::Ours => tracing::debug!(client, reason, "the client reports"),
            ErrorKind::Other => tracing::warn!(client, reason, "the client reports a fault"),
        }
    }

    fn token(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        match &self.token {
            Some(file) => Ok(file.read()?),
            None => Err("no token file is configured".into()),
        }
    }
}

enum ErrorKind {
    AllDown,
    Connection,
    Refused,
    /// Handled where it is met, with a line of its own.
    Ours,
    Other,
}

fn kind(code: RDKafkaErrorCode) -> ErrorKind {
    use RDKafkaErrorCode as Code;
    match code {
        Code::AllBrokersDown => ErrorKind::AllDown,
        Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::CriticalSystemResource => ErrorKind::Connection,
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => ErrorKind::Refused,
        Code::AutoOffsetReset
        | Code::OffsetOutOfRange
        | Code::PartitionEOF
        | Code::TopicAuthorizationFailed => ErrorKind::Ours,
        _ => ErrorKind::Other,
    }
}

/// librdkafka ends such texts with how long a state lasted, which makes each one different:
/// `… Connection refused (after 3ms in state CONNECT, 5 identical error(s) suppressed)`.
fn without_timing(reason: &str) -> &str {
    reason.split(" (after ").next().unwrap_or(reason).trim()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is complete in one statement, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the group asks of this member. It must be answered with an (incremental) assign or
/// unassign, or the member never gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These partitions are its own from now on; none is an answer as well.
    Assign(Vec<TopicPartition>),
    /// These partitions are to be given back.
    Revoke(Vec<TopicPartition>),
    /// These partitions may belong to somebody else already.
    Lost(Vec<TopicPartition>),
}

#[derive(Debug, Default)]
struct ConsumerNotes {
    rebalances: Vec<Rebalance>,
}

/// The callbacks of a consumer.
#[derive(Debug)]
pub struct ConsumerCallbacks {
    common: Common,
    notes: Mutex<ConsumerNotes>,
    /// Set when the client is being closed: rebalances are then answered right in the callback,
    /// because nobody is left who would.
    closing: AtomicBool,
}

impl ConsumerCallbacks {
    /// Callbacks of the consumer `name` (for logs) of `cluster`.
    #[must_use]
    pub fn new(name: &str, cluster: &ClusterSettings) -> Self {
        Self {
            common: Common::new(name, cluster),
            notes: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// What the group has asked since the last call.
    #[must_use]
    pub fn take_rebalances(&self) -> Vec<Rebalance> {
        std::mem::take(&mut lock(&self.notes).rebalances)
    }

    /// From now on rebalances are answered in the callback.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// What the client says of its connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        lock(&self.common.state).connection.clone()
    }

    /// Whether no broker can be reached.
    #[must_use]
    pub fn brokers_down(&self) -> bool {
        self.common.brokers_down.load(Ordering::Relaxed)
    }

    /// The latest statistics, where they are newer than the ones with the number `seen`, which is
    /// brought up to date.
    #[must_use]
    pub fn figures_since(&self, seen: &mut u64) -> Option<Figures> {
        let newest = self.common.statistics.load(Ordering::Acquire);
        let is_new = std::mem::replace(seen, newest) != newest;
        is_new.then(|| lock(&self.common.state).figures.clone())
    }
}

impl ClientContext for ConsumerCallbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.common.log(level, facility, said);
    }
    fn stats_raw(&self, document: &[u8]) {
        self.common.statistics(document);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(&error, reason);
    }
    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.common.token()
    }
}

impl ConsumerContext for ConsumerCallbacks {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Acquire) {
            give_back(consumer, list);
            return;
        }
        let partitions = partitions(list);
        let rebalance = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ if consumer.assignment_lost() => Rebalance::Lost(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        lock(&self.notes).rebalances.push(rebalance);
    }
}

/// Answers a rebalance of a client that is being closed. librdkafka takes either call as the
/// answer then; a refusal is logged by itself and has nothing left to break.
fn give_back(consumer: &BaseConsumer<ConsumerCallbacks>, list: &TopicPartitionList) {
    let answer = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    };
    if let Err(fault) = answer {
        tracing::debug!(%fault, "partitions were not given back while closing");
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let elements = list.elements();
    let named = elements.iter().map(|element| TopicPartition {
        topic: element.topic().to_owned(),
        partition: element.partition(),
    });
    named.collect()
}

/// How one output ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The token that it was sent with.
    pub token: usize,
    /// Why it failed, where it did.
    pub failure: Option<Failure>,
}

/// Why an output was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The client library's code.
    pub code: Option<RDKafkaErrorCode>,
    /// In one line, with the topic.
    pub why: String,
}

/// The callbacks of a producer.
#[derive(Debug)]
pub struct ProducerCallbacks {
    common: Common,
    delivered: Mutex<Vec<Delivered>>,
}

impl ProducerCallbacks {
    /// Callbacks of the producer `name` (for logs) of `cluster`.
    #[must_use]
    pub fn new(name: &str, cluster: &ClusterSettings) -> Self {
        Self { common: Common::new(name, cluster), delivered: Mutex::default() }
    }

    /// Swaps what was delivered or failed since the last call into `into`, which must be empty:
    /// so the two lists are used again and again.
    pub fn take_delivered(&self, into: &mut Vec<Delivered>) {
        std::mem::swap(&mut *lock(&self.delivered), into);
    }

    /// Whether no broker can be reached.
    #[must_use]
    pub fn brokers_down(&self) -> bool {
        self.common.brokers_down.load(Ordering::Relaxed)
    }
}

impl ClientContext for ProducerCallbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.common.log(level, facility, said);
    }
    fn stats_raw(&self, document: &[u8]) {
        self.common.statistics(document);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(&error, reason);
    }
    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.common.token()
    }
}

impl ProducerContext for ProducerCallbacks {
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, token: usize) {
        let failure = report.as_ref().err().map(|(error, record)| {
            let code = error.rdkafka_error_code();
            let why = code.map_or_else(|| error.to_string(), |code| code.to_string());
            Failure { code, why: format!("topic {}: {why}", record.topic()) }
        });
        lock(&self.delivered).push(Delivered { token, failure });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_is_cut_from_reasons() {
        let check = |reason: &str, expected: &str| assert_eq!(without_timing(reason), expected);
        check("a:1: Connection refused (after 3ms in state CONNECT)", "a:1: Connection refused");
        check("1/1 brokers are down", "1/1 brokers are down");
        check("", "");
    }
}
