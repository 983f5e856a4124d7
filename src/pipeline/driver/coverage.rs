//! Publishes the ledger of coverage: to a topic or a file, on a thread of its own.
//!
//! ```text
//! workers ─ documents ─▶ waiting (the latest of each key) ─▶ topic or file
//!                           ▲                                   │
//!                           └────── what was not published ─────┘
//! ```
//!
//! Nothing here holds a record, an offset or a worker: a worker leaves its documents and goes on,
//! and a target that takes nothing is tried again with whatever is the latest by then.

mod file;
mod topic;
mod waiting;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use file::{Lines, read};

use super::{DriverFault, KafkaWorker, Stage};
use crate::clock::Clock;
use crate::config::settings::CoverageTarget;
use crate::kafka::settings as client;
use crate::pipeline::ledger::{About, Document, Ledger};
use crate::sink::kafka::{KafkaSinkOptions, Topics};
use crate::telemetry::Metrics;
use file::LedgerFile;
use topic::{DELIVERY_MS, LedgerTopic, Unpublished};
use waiting::{Encoded, Waiting};

/// How long until what was not published is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How often the client library is served while nothing is published.
const IDLE: Duration = Duration::from_secs(1);

/// How often it is said that nothing can be published.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How long the last documents may take at the end. Together with the drain and the last commits it
/// stays below the 30 seconds after which Kubernetes kills.
const LAST: Duration = Duration::from_secs(3);

/// Where workers leave what their ledgers say.
#[derive(Clone)]
pub(super) struct Books {
    desk: Arc<Desk>,
    about: About,
    every: Duration,
}

/// The publishing thread.
pub(super) struct Keeper {
    books: Books,
    /// Ends with the thread.
    over: Receiver<()>,
}

/// What workers and the thread share.
#[derive(Default)]
struct Desk {
    papers: Mutex<Papers>,
    changed: Condvar,
}

#[derive(Default)]
struct Papers {
    waiting: Waiting,
    /// Given up since the thread looked last.
    given_up: usize,
    /// The target took nothing: nothing is tried until the pause is over.
    rests: bool,
    ends: bool,
}

impl Papers {
    fn is_due(&self) -> bool {
        self.ends || (!self.rests && !self.waiting.is_empty())
    }
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        // Every change is complete in one statement, so a panic elsewhere leaves nothing half done.
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// How often a worker leaves its documents.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// The worker with the number `index`, keeping a ledger.
    pub fn give(&self, worker: KafkaWorker, index: usize) -> KafkaWorker {
        let member = format!("{}-{index}", self.about.member);
        worker.with_ledger(Ledger::new(About { member, ..self.about.clone() }))
    }

    /// Leaves documents to be published.
    pub fn leave(&self, documents: &[Document]) {
        if documents.is_empty() {
            return;
        }
        let mut papers = self.desk.papers();
        papers.given_up += papers.waiting.add(documents);
        drop(papers);
        self.desk.changed.notify_one();
    }
}

/// Starts to publish, where the configuration says where.
pub(super) fn open(
    stage: &Stage,
    cluster: &str,
    metrics: &Arc<Metrics>,
) -> Result<Option<Keeper>, DriverFault> {
    let Some(target) = Target::open(stage)? else { return Ok(None) };
    let every = Duration::from_millis(u64::from(stage.settings.coverage.interval_ms));
    let about = About {
        cluster: cluster.to_owned(),
        group: stage.settings.input.group.clone(),
        member: instance(&stage.clock),
    };
    let books = Books { desk: Arc::default(), about, every };
    let (ends, over) = channel();
    let mut thread = Thread {
        desk: Arc::clone(&books.desk),
        target,
        metrics: Arc::clone(metrics),
        clock: Arc::clone(&stage.clock),
        said_at: None,
    };
    std::thread::Builder::new()
        .name("ouzel-coverage".to_owned())
        .spawn(move || {
            thread.work();
            drop(ends);
        })
        .map_err(DriverFault::Thread)?;
    Ok(Some(Keeper { books, over }))
}

/// A name for this process that no other one has or had: a ledger is kept under a name once.
fn instance(clock: &Arc<dyn Clock>) -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{:x}-{random:016x}", clock.wall().as_millis())
}

impl Keeper {
    /// Where workers leave their documents.
    pub fn books(&self) -> Books {
        self.books.clone()
    }

    /// Publishes what is left, within a bound.
    pub fn finish(&self) {
        self.books.desk.papers().ends = true;
        self.books.desk.changed.notify_one();
        let answer = self.over.recv_timeout(LAST);
        let left = self.books.desk.papers().waiting.len();
        if left > 0 || matches!(answer, Err(std::sync::mpsc::RecvTimeoutError::Timeout)) {
            tracing::warn!("the last documents of coverage were not published: a gap will show");
        }
    }
}

struct Thread {
    desk: Arc<Desk>,
    target: Target,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// When it was last said that nothing can be published, on the monotonic clock.
    said_at: Option<Duration>,
}

impl Thread {
    fn work(&mut self) {
        loop {
            let (documents, ends) = self.next();
            if !documents.is_empty() {
                self.publish(documents);
            }
            self.target.serve();
            if ends {
                return;
            }
        }
    }

    /// Waits until there is something to do, or a while.
    fn next(&self) -> (Vec<Encoded>, bool) {
        let papers = self.desk.papers();
        let pause = if papers.rests { RETRY } else { IDLE };
        let idle = |papers: &mut Papers| !papers.is_due();
        let (mut papers, waited) = self
            .desk
            .changed
            .wait_timeout_while(papers, pause, idle)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            papers.rests = false;
        }
        (if papers.is_due() { papers.waiting.take() } else { Vec::new() }, papers.ends)
    }

    fn publish(&mut self, documents: Vec<Encoded>) {
        let count = documents.len();
        let left = self.target.publish(documents, &self.clock);
        let failed = left.documents.len();
        let mut papers = self.desk.papers();
        papers.rests = failed > 0;
        let given_up = papers.waiting.give_back(left.documents);
        let given_up = given_up + std::mem::take(&mut papers.given_up);
        let waiting = papers.waiting.len();
        drop(papers);
        self.metrics.coverage_published((count - failed) as u64);
        self.metrics.coverage_failed(failed as u64);
        self.metrics.coverage_waiting(waiting);
        if failed > 0 {
            self.say(waiting, &left.why);
        }
        if given_up > 0 {
            tracing::error!(given_up, "documents of coverage are lost: too many waited");
        }
    }

    /// Says, at most once a minute, that the target takes nothing.
    fn say(&mut self, waiting: usize, why: &str) {
        let now = self.clock.monotonic();
        if self.said_at.is_none_or(|said| now >= said + SAID_EVERY) {
            self.said_at = Some(now);
            tracing::warn!(waiting, why, "the ledger of coverage is not published; tried again");
        }
    }
}

/// Where documents go.
enum Target {
    Topic(Box<LedgerTopic>),
    File(LedgerFile),
}

impl Target {
    fn open(stage: &Stage) -> Result<Option<Self>, DriverFault> {
        let settings = &stage.settings;
        let target = match &settings.coverage.target {
            None => return Ok(None),
            Some(CoverageTarget::File(path)) => {
                let fault = |cause| DriverFault::Coverage { path: path.clone(), cause };
                Self::File(LedgerFile::open(path, stage.clock.wall()).map_err(fault)?)
            }
            Some(CoverageTarget::Topic(topic)) => {
                let mut config = client::producer(settings);
                config.set("message.timeout.ms", DELIVERY_MS.to_string());
                let options = KafkaSinkOptions {
                    name: "coverage".to_owned(),
                    config,
                    cluster: settings.output_cluster().clone(),
                    topics: Topics { alerts: topic.clone(), ..Topics::default() },
                    alerts_spread: false,
                };
                let topic = LedgerTopic::open(options, Arc::clone(&stage.clock))?;
                Self::Topic(Box::new(topic))
            }
        };
        Ok(Some(target))
    }

    fn serve(&mut self) {
        if let Self::Topic(topic) = self {
            topic.serve();
        }
    }

    fn publish(&mut self, documents: Vec<Encoded>, clock: &Arc<dyn Clock>) -> Unpublished {
        match self {
            Self::Topic(topic) => topic.publish(documents),
            Self::File(file) => match file.add(&documents, clock.wall()) {
                Ok(()) => Unpublished::default(),
                Err(fault) => Unpublished { documents, why: fault.to_string() },
            },
        }
    }
}
