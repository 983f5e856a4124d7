//! Wiring: what is asked at the start, workers, telemetry, signals, the end.
//!
//! ```text
//!  preflight ─▶ endpoint ─▶ workers (a thread each: consumer, producer) ─▶ supervisor
//!                                   └── how it ended ──────────────────────────▲
//!                               signals ───────────────────────────────────────┘
//! ```
//!
//! Every thread that can wait for a broker is watched and never joined: a client library that
//! hangs must not keep the process from ending. Decisions about records are made by the workers,
//! none here.

mod preflight;
mod report;
mod signals;
mod work;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::budget::{self, BudgetWindow};
use super::setup::{self, JudgeOptions};
use super::state::Ending;
use super::{DeadLetterForm, Judge, Worker, WorkerOptions};
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::{BudgetSettings, OnBudget};
use crate::disposition::Exceptions;
use crate::kafka::preflight::ClusterFault;
use crate::kafka::settings as client;
use crate::rule::RuleSet;
use crate::sink::SendError;
use crate::sink::kafka::{KafkaSink, KafkaSinkOptions, Topics};
use crate::source::SourceError;
use crate::source::kafka::{KafkaSource, KafkaSourceOptions};
use crate::telemetry::http::{self, Endpoint, Server};
use crate::telemetry::{Budget, Health, Metrics, Moment, Now};
use preflight::Found;
pub use work::Totals;

/// Most records of one step: enough to pay for what is done once a step, few enough that a signal
/// is heard within milliseconds.
const RECORDS_PER_STEP: usize = 1024;

/// How long a step waits while nothing is in flight: a signal is heard at least so often.
const IDLE_WAIT: Duration = Duration::from_millis(50);

/// How long a step waits while something is: a delivery is noticed at least so often.
const BUSY_WAIT: Duration = Duration::from_millis(1);

/// How long the last commits may take after the drain: a little more than a source waits for them.
const COMMIT_WAIT: Duration = Duration::from_secs(6);

/// How long clients may take to close. Without a broker they take for ever, and nothing depends on
/// it: the process ends without them.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Why a stage is not ready when too many records become dead letters.
const BUDGET_SPENT: &str = "too large a share of the records became dead letters";

/// Everything that a running stage is made of.
pub struct Stage {
    /// The configuration.
    pub settings: Settings,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The exceptions, loaded for the same rules.
    pub exceptions: Arc<Exceptions>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The program's version.
    pub version: &'static str,
    /// The commit it was built from.
    pub commit: &'static str,
}

/// Why the stage does not run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DriverFault {
    /// A cluster cannot be used.
    #[error(transparent)]
    Cluster(#[from] ClusterFault),
    /// Topics cannot be used; every one of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Topics(Vec<ClusterFault>),
    /// The consumer cannot be opened.
    #[error("open the consumer: {0}")]
    Source(#[from] SourceError),
    /// The producer cannot be opened.
    #[error("open the producer: {0}")]
    Sink(#[from] SendError),
    /// The endpoint cannot listen.
    #[error("listen on {listen}: {cause}; change `http.listen`, or switch it off with \"off\"")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// A thread cannot be started, or signals cannot be heard.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
    /// A worker could not go on.
    #[error("worker {worker}: {why}")]
    Worker {
        /// Which one.
        worker: usize,
        /// Why, in one line.
        why: String,
    },
    /// The drain took too long.
    #[error(
        "deliver everything before the end: {outputs} outputs were not confirmed in time; \
         their records are read again"
    )]
    Undelivered {
        /// How many.
        outputs: usize,
    },
    /// A worker did not end in time.
    #[error("end in time: {workers} workers did not come back; what they read is read again")]
    Stuck {
        /// How many.
        workers: usize,
    },
    /// Too large a share of the records became dead letters, and the configuration ends the stage
    /// then.
    #[error(
        "judge enough of the input: more than {percent} % of the latest records became dead \
         letters; `output.on_budget = \"go-on\"` goes on in spite of it"
    )]
    Budget {
        /// What was allowed.
        percent: u32,
    },
    /// A second signal came.
    #[error("end in order: a second {signal} came before everything was committed")]
    Interrupted {
        /// The signal.
        signal: &'static str,
    },
}

/// What the supervisor hears.
#[derive(Debug)]
enum Word {
    /// The process is to end.
    Signal(&'static str),
    /// A worker has ended; its clients are still open.
    Ended(usize, Ending),
    /// A worker has closed its clients.
    Closed,
}

/// Where a running stage stands.
#[derive(Debug)]
pub enum Phase {
    /// It runs.
    Running,
    /// It is over.
    Over(Result<(), DriverFault>),
}

/// Whether signals end the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// SIGTERM and SIGINT end it in order, a second one at once.
    Heard,
    /// They keep their usual meaning.
    Left,
}

/// A running stage.
pub struct Running {
    words: Receiver<Word>,
    stop: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    exceptions: Arc<Exceptions>,
    totals: Arc<Totals>,
    budget: BudgetWindow,
    budget_settings: BudgetSettings,
    budget_stands: Budget,
    server: Option<Server>,
    drain: Duration,
    /// Workers that have not ended.
    working: usize,
    /// Workers that have not closed their clients.
    open: usize,
    /// Until when the end may take, on the monotonic clock, once it has begun.
    until: Option<Duration>,
    fault: Option<DriverFault>,
    announced: bool,
}

/// Starts a stage: returns once the clusters have answered, the topics are there, and the workers
/// are about to join their group.
///
/// # Errors
/// What keeps it from starting, in one plain message, within about ten seconds.
pub fn start(stage: Stage, signals: Signals) -> Result<Running, DriverFault> {
    let found = preflight::ask(&stage.settings)?;
    let clock = Arc::clone(&stage.clock);
    let (health, metrics) = telemetry(&stage, &found);
    let server = serve(&stage, &health, &metrics)?;
    let judge = Arc::new(judge(&stage, &found));
    let workers = open(&stage, &judge, found.workers)?;
    let (tell, words) = channel();
    if signals == Signals::Heard {
        signals::listen(tell.clone()).map_err(DriverFault::Thread)?;
    }
    let drain = Duration::from_millis(u64::from(stage.settings.delivery.shutdown_drain_ms));
    let running = Running {
        words,
        stop: Arc::default(),
        clock,
        health,
        metrics,
        exceptions: Arc::clone(&stage.exceptions),
        totals: Arc::default(),
        budget: BudgetWindow::new(stage.settings.output.budget),
        budget_settings: stage.settings.output.budget,
        budget_stands: Budget::Within,
        server,
        drain,
        working: workers.len(),
        open: workers.len(),
        until: None,
        fault: None,
        announced: false,
    };
    tracing::info!(
        version = stage.version,
        workers = workers.len(),
        rules = stage.rules.rules().len(),
        topics = stage.settings.input.topics.join(", "),
        group = stage.settings.input.group,
        listen = running.address().map(|address| address.to_string()).unwrap_or_default(),
        "the stage starts"
    );
    for (index, worker) in workers.into_iter().enumerate() {
        running.spawn(index, worker, &judge, tell.clone())?;
    }
    Ok(running)
}

/// Health and metrics, with every series that can be known.
fn telemetry(stage: &Stage, found: &Found) -> (Arc<Health>, Arc<Metrics>) {
    let health = Arc::new(Health::new(found.workers, stage.clock.monotonic()));
    let metrics = Arc::new(report::metrics(stage));
    (health, metrics)
}

fn serve(
    stage: &Stage,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Server>, DriverFault> {
    let Some(listen) = stage.settings.http.listen else { return Ok(None) };
    let now = now(&stage.clock);
    let endpoint = Endpoint { metrics: Arc::clone(metrics), health: Arc::clone(health), now };
    http::serve(listen, endpoint, http::Bounds::default())
        .map(Some)
        .map_err(|cause| DriverFault::Listen { listen, cause })
}

/// The clock as telemetry wants it.
#[must_use]
pub fn now(clock: &Arc<dyn Clock>) -> Now {
    let clock = Arc::clone(clock);
    Arc::new(move || Moment { wall_ms: clock.wall().as_millis(), monotonic: clock.monotonic() })
}

fn judge(stage: &Stage, found: &Found) -> Judge {
    let options = JudgeOptions {
        exceptions: Arc::clone(&stage.exceptions),
        cluster: found.cluster.clone(),
        dead_letters: match stage.settings.output.dead_letters {
            Some(_) => DeadLetterForm::Record,
            None => DeadLetterForm::Discarded,
        },
        build_version: stage.version.to_owned(),
        build_commit: stage.commit.to_owned(),
    };
    setup::judge(&stage.settings, Arc::clone(&stage.rules), options)
}

type KafkaWorker = Worker<KafkaSource, KafkaSink>;

/// Opens the clients of all workers. Producers first: a member of the group should be able to work
/// from the moment on at which it joins.
fn open(
    stage: &Stage,
    judge: &Arc<Judge>,
    workers: usize,
) -> Result<Vec<KafkaWorker>, DriverFault> {
    let settings = &stage.settings;
    let mut sinks = Vec::with_capacity(workers);
    for worker in 0..workers {
        let options = KafkaSinkOptions {
            name: format!("producer {worker}"),
            config: client::producer(settings),
            cluster: settings.output_cluster().clone(),
            topics: Topics::of(&settings.output),
        };
        sinks.push(KafkaSink::open(options, Arc::clone(&stage.clock))?);
    }
    let mut opened = Vec::with_capacity(workers);
    for (worker, sink) in sinks.into_iter().enumerate() {
        let options = KafkaSourceOptions {
            name: format!("consumer {worker}"),
            config: client::consumer(settings, worker),
            cluster: settings.kafka.clone(),
            topics: settings.input.topics.clone(),
            start: settings.input.start,
        };
        let source = KafkaSource::open(options, Arc::clone(&stage.clock))?;
        let options = WorkerOptions {
            bounds: setup::bounds(&settings.delivery),
            records_max: RECORDS_PER_STEP,
            idle_wait: IDLE_WAIT,
            busy_wait: BUSY_WAIT,
        };
        opened.push(Worker::new(source, sink, Arc::clone(judge), options));
    }
    Ok(opened)
}

impl Running {
    /// Where the telemetry endpoint listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// What all workers have done so far.
    #[must_use]
    pub fn totals(&self) -> &Arc<Totals> {
        &self.totals
    }

    /// Whether every worker has joined its group and the outputs can be reached.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.health.ready(self.clock.monotonic()).is_ok()
    }

    fn spawn(
        &self,
        index: usize,
        worker: KafkaWorker,
        judge: &Arc<Judge>,
        tell: Sender<Word>,
    ) -> Result<(), DriverFault> {
        let shift = work::Shift {
            index,
            stop: Arc::clone(&self.stop),
            clock: Arc::clone(&self.clock),
            health: Arc::clone(&self.health),
            metrics: Arc::clone(&self.metrics),
            totals: Arc::clone(&self.totals),
            judge: Arc::clone(judge),
        };
        std::thread::Builder::new()
            .name(format!("ouzel-worker-{index}"))
            .spawn(move || {
                // Nobody listens any more only where the process is about to end anyway.
                work::work(worker, shift, |ending| drop(tell.send(Word::Ended(index, ending))));
                drop(tell.send(Word::Closed));
            })
            .map(drop)
            .map_err(DriverFault::Thread)
    }

    /// Begins the end: workers take nothing more, drain, commit and close.
    pub fn stop(&mut self) {
        if self.until.is_none() {
            self.until = Some(self.clock.monotonic() + self.drain + COMMIT_WAIT);
            self.health.stop();
            self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Supervises for up to `wait`, less when something happens.
    pub fn supervise(&mut self, wait: Duration) -> Phase {
        if !self.announced && self.is_ready() {
            self.announced = true;
            tracing::info!("the stage is ready");
        }
        let expired = self.exceptions.expired(self.clock.wall()).count();
        self.metrics.expired_exceptions(expired);
        self.watch_budget();
        match self.words.recv_timeout(wait) {
            Ok(Word::Signal(signal)) => {
                if self.until.is_some() {
                    return Phase::Over(Err(DriverFault::Interrupted { signal }));
                }
                tracing::info!(signal, "the stage drains, commits and ends");
                self.stop();
            }
            Ok(Word::Ended(worker, ending)) => self.ended(worker, ending),
            Ok(Word::Closed) => self.open = self.open.saturating_sub(1),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        let is_late = self.until.is_some_and(|until| self.clock.monotonic() >= until);
        match (self.working, self.open) {
            (0, open) if open == 0 || is_late => Phase::Over(self.outcome()),
            (workers, _) if is_late => {
                let stuck = DriverFault::Stuck { workers };
                Phase::Over(Err(self.fault.take().unwrap_or(stuck)))
            }
            _ => Phase::Running,
        }
    }

    /// Says once when too many records become dead letters, and once when they no longer do.
    fn watch_budget(&mut self) {
        let (records, dead_letters) = (self.totals.records(), self.totals.dead_letters());
        let counts = budget::Counts { records, dead_letters };
        let stands = match self.budget.observe(self.clock.monotonic(), counts) {
            budget::Budget::Within => Budget::Within,
            budget::Budget::Spent => Budget::Spent,
        };
        if std::mem::replace(&mut self.budget_stands, stands) == stands {
            return;
        }
        self.metrics.dead_letter_budget(stands);
        let BudgetSettings { percent_max: percent, on_budget, .. } = self.budget_settings;
        match stands {
            Budget::Within => {
                self.health.clear(BUDGET_SPENT);
                tracing::info!(percent, "the share of dead letters is within its budget again");
            }
            Budget::Spent => {
                self.health.declare(BUDGET_SPENT);
                tracing::error!(percent, "too large a share of the records became dead letters");
                if on_budget == OnBudget::Stop {
                    self.fault.get_or_insert(DriverFault::Budget { percent });
                    self.stop();
                }
            }
        }
    }

    fn outcome(&mut self) -> Result<(), DriverFault> {
        if self.open > 0 {
            tracing::warn!(workers = self.open, "the clients did not close in time");
        }
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => {
                tracing::info!("everything is delivered; the stage ends");
                Ok(())
            }
        }
    }

    /// Supervises until the stage is over.
    ///
    /// # Errors
    /// Why it did not end well.
    pub fn wait(mut self) -> Result<(), DriverFault> {
        loop {
            if let Phase::Over(outcome) = self.supervise(Duration::from_millis(200)) {
                return outcome;
            }
        }
    }

    fn ended(&mut self, worker: usize, ending: Ending) {
        self.working = self.working.saturating_sub(1);
        if self.working == 0 {
            self.until = Some(self.clock.monotonic() + CLOSE_WAIT);
        }
        let fault = match ending {
            Ending::Stopped => return,
            // A group has no end: a source that says so is not what this stage was started for.
            Ending::Exhausted => DriverFault::Worker { worker, why: "no more records".to_owned() },
            Ending::Undelivered(outputs) => DriverFault::Undelivered { outputs },
            Ending::Failed(why) => {
                tracing::error!(worker, why, "a worker cannot go on; the others drain");
                DriverFault::Worker { worker, why }
            }
        };
        self.fault.get_or_insert(fault);
        self.stop();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Running").field("open", &self.open).finish_non_exhaustive()
    }
}
