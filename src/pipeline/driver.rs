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

mod clients;
pub mod coverage;
mod notify;
mod preflight;
mod reload;
mod report;
mod signals;
mod work;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::DeadLetterForm;
use super::budget::{self, BudgetWindow};
use super::setup::{self, JudgeOptions};
use super::state::Ending;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::OnBudget;
use crate::disposition::Exceptions;
use crate::kafka::preflight::ClusterFault;
use crate::rule::RuleSet;
use crate::sink::SendError;
use crate::source::SourceError;
use crate::telemetry::http::{self, Endpoint, Server};
use crate::telemetry::{Budget, Health, Metrics, Moment, Now};
use clients::KafkaWorker;
use coverage::Keeper;
use notify::{Life, Manager};
use preflight::Found;
use reload::{Exchange, Watch};
pub use reload::{Reload, Reloaded};
pub use work::Totals;

/// How long the last commits may take after the drain: a little more than a source waits for them.
const COMMIT_WAIT: Duration = Duration::from_secs(6);

/// How long clients may take to close: a member that is just joining its group has to wait for the
/// others before it can leave. With the drain and the last commits this stays below the 30 seconds
/// after which Kubernetes kills. Without a broker they take for ever: the process ends without them.
const CLOSE_WAIT: Duration = Duration::from_millis(3_500);

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
    /// The file of the ledger of coverage cannot be written.
    #[error("write {}: {cause}; change `coverage.file`", path.display())]
    Coverage {
        /// The file.
        path: PathBuf,
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
    /// The last transaction is not committed.
    #[error(
        "commit everything before the end: the last transaction was aborted or not confirmed in \
         time; its records are read again"
    )]
    Uncommitted,
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
    /// Everything is to be read again.
    Reload,
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
    exchange: Arc<Exchange>,
    origin: JudgeOptions,
    reload: Option<(Box<dyn Reload>, Watch)>,
    totals: Arc<Totals>,
    manager: Manager,
    keeper: Option<Keeper>,
    budget: BudgetWindow,
    budget_percent: u32,
    on_budget: OnBudget,
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
    let options = judge_options(&stage, &found);
    let judge = Arc::new(setup::judge(&stage.settings, Arc::clone(&stage.rules), options));
    let keeper = coverage::open(&stage, &found.cluster, &metrics)?;
    let workers = clients::open(&stage, &judge, found.workers)?;
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
        exchange: Arc::new(Exchange::new(Arc::clone(&judge))),
        origin: judge_options(&stage, &found),
        reload: None,
        totals: Arc::default(),
        manager: Manager::started(),
        keeper,
        budget: BudgetWindow::new(setup::budget(&stage.settings.output)),
        budget_percent: stage.settings.output.dead_letter_percent_max,
        on_budget: stage.settings.output.on_budget,
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
        running.spawn(index, worker, tell.clone())?;
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

fn judge_options(stage: &Stage, found: &Found) -> JudgeOptions {
    JudgeOptions {
        exceptions: Arc::clone(&stage.exceptions),
        cluster: found.cluster.clone(),
        dead_letters: match stage.settings.output.dead_letters {
            Some(_) => DeadLetterForm::Record,
            None => DeadLetterForm::Discarded,
        },
        build_version: stage.version.to_owned(),
        build_commit: stage.commit.to_owned(),
    }
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
        tell: Sender<Word>,
    ) -> Result<(), DriverFault> {
        let shift = work::Shift {
            index,
            stop: Arc::clone(&self.stop),
            clock: Arc::clone(&self.clock),
            health: Arc::clone(&self.health),
            metrics: Arc::clone(&self.metrics),
            totals: Arc::clone(&self.totals),
            exchange: Arc::clone(&self.exchange),
            books: self.keeper.as_ref().map(Keeper::books),
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

    /// From now on `reload` is asked for new rules, exceptions and log level: when SIGHUP comes, and
    /// when a file has changed.
    #[must_use]
    pub fn with_reload(mut self, mut reload: Box<dyn Reload>) -> Self {
        let watch = Watch::new(reload.look(), self.clock.monotonic());
        self.reload = Some((reload, watch));
        self
    }

    /// Reads everything again where a file has changed.
    fn look_at_files(&mut self) {
        let now = self.clock.monotonic();
        let Some((reload, watch)) = &mut self.reload else { return };
        if watch.is_due(now) && watch.has_come_to_rest(reload.look()) {
            self.read_again("a file has changed");
        }
    }

    /// Reads everything again; where it has faults, the old rules stay.
    fn read_again(&mut self, why: &'static str) {
        let Some((reload, _)) = &mut self.reload else {
            tracing::warn!(why, "nothing is read again: this command reads files at the start");
            return;
        };
        let Reloaded { settings, rules, exceptions, needs_restart } = match reload.load() {
            Ok(reloaded) => reloaded,
            Err(faults) => {
                self.metrics.reload_failed();
                for fault in &faults {
                    tracing::error!(fault, "the old rules stay: what was read again has a fault");
                }
                return;
            }
        };
        reload.adopt(&settings);
        if !needs_restart.is_empty() {
            let keys = needs_restart.join(", ");
            tracing::warn!(keys, "settings have changed that only a restart heeds");
        }
        let options = JudgeOptions { exceptions: Arc::clone(&exceptions), ..self.origin.clone() };
        let judge = setup::judge(&settings, Arc::clone(&rules), options);
        judge.inherit(&self.exchange.judge());
        report::loaded(&self.metrics, &rules, &exceptions, self.clock.wall());
        self.exchange.set(judge);
        self.exceptions = exceptions;
        let (rules, sha256) = (rules.rules().len(), rules.sha256());
        tracing::info!(why, rules, sha256, "rules and exceptions were read again");
    }

    /// Begins the end: workers take nothing more, drain, commit and close.
    pub fn stop(&mut self) {
        if self.until.is_none() {
            self.until = Some(self.clock.monotonic() + self.drain + COMMIT_WAIT);
            self.health.stop();
            Manager::stopping();
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
        self.tell_manager();
        self.look_at_files();
        match self.words.recv_timeout(wait) {
            Ok(Word::Signal(signal)) => {
                if self.until.is_some() {
                    return Phase::Over(Err(DriverFault::Interrupted { signal }));
                }
                tracing::info!(signal, "the stage drains, commits and ends");
                self.stop();
            }
            Ok(Word::Reload) => self.read_again("SIGHUP"),
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

    /// Tells the service manager how the stage is.
    fn tell_manager(&mut self) {
        let (now, health) = (self.clock.monotonic(), &self.health);
        let life = || if health.healthy(now).is_ok() { Life::Healthy } else { Life::Unhealthy };
        self.manager.feed(now, life);
        self.manager.status(now, || match health.ready(now) {
            Ok(()) => "ready".to_owned(),
            Err(reasons) => format!("not ready: {}", reasons.join("; ")),
        });
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
        let percent = self.budget_percent;
        match stands {
            Budget::Within => {
                self.health.clear(BUDGET_SPENT);
                tracing::info!(percent, "the share of dead letters is within its budget again");
            }
            Budget::Spent => {
                self.health.declare(BUDGET_SPENT);
                tracing::error!(percent, "too large a share of the records became dead letters");
                if self.on_budget == OnBudget::Stop {
                    self.fault.get_or_insert(DriverFault::Budget { percent });
                    self.stop();
                }
            }
        }
    }

    fn outcome(&mut self) -> Result<(), DriverFault> {
        self.finish_ledger();
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

    /// Publishes what is left of the ledger, once.
    fn finish_ledger(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.finish();
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
            // While the clients close: all documents are there.
            self.finish_ledger();
        }
        let fault = match ending {
            Ending::Stopped => return,
            // A group has no end: a source that says so is not what this stage was started for.
            Ending::Exhausted => DriverFault::Worker { worker, why: "no more records".to_owned() },
            Ending::Undelivered(outputs) => DriverFault::Undelivered { outputs },
            Ending::Uncommitted => DriverFault::Uncommitted,
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
