//! The stage over topics of the canned broker: so many partitions, instances and workers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::canned::{Canned, Keeping};
use super::support::{children_seconds, median, process_seconds};

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");

/// Nothing in it that a payload would have to hold: every event is decoded. None hits.
const WITHOUT_LITERAL: &str = "[rule]\nrule_id = \"decoded\"\nname = \"Every event is decoded\"\n\
    type = \"query\"\nlanguage = \"kuery\"\ndescription = \"For a bench.\"\nseverity = \"low\"\n\
    risk_score = 21\nquery = 'not event.outcome:success and source.as.number < 1'\n";

/// Events that are generated at most; the server repeats them.
const GENERATED_MAX: u64 = 50_000;
const WITHIN: Duration = Duration::from_secs(120);

/// The rule that judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Has a literal: nearly every event is clean after one look.
    Literal,
    /// The same, over events of which none hits.
    Clean,
    /// Has none: every event is decoded.
    Decoded,
}

/// Who reads a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    pub instances: usize,
    /// Of each instance.
    pub workers: usize,
}

/// A topic that can be read over and over.
pub struct Topic {
    pub name: String,
    rule: String,
    /// In all partitions together.
    pub events: u64,
    partitions: usize,
}

/// What reading a topic cost.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub cpu_seconds: f64,
    /// From the first fetch to the last.
    pub seconds: f64,
    /// What the server took of all cores meanwhile.
    pub server_share: f64,
}

/// The medians of some readings.
pub fn medians(readings: &[Reading]) -> Reading {
    let of = |figure: fn(&Reading) -> f64| median(readings.iter().map(figure));
    Reading {
        cpu_seconds: of(|reading| reading.cpu_seconds),
        seconds: of(|reading| reading.seconds),
        server_share: of(|reading| reading.server_share),
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/configuration");
    fs::create_dir_all(&folder).expect("target/ can be written");
    folder
}

/// A server with the topics that outputs go to.
pub fn server() -> Canned {
    let server = Canned::start();
    for topic in ["alerts", "dead-letters"] {
        server.create(topic, Keeping::Counted);
    }
    server
}

/// Makes a topic with about that many events, as whoever tries the stage out does it.
pub fn topic(server: &Canned, rule: Rule, partitions: i32, events: u64) -> Topic {
    let name = format!("okta-{rule:?}-{partitions}").to_lowercase();
    server.create_parted(&name, partitions, Keeping::Replayed);
    let each = events / u64::try_from(partitions).expect("a small number");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.args(["generate", "-q", "--count", &each.min(GENERATED_MAX).to_string()]);
    command.args(["--brokers", &server.address(), "--topic", &name]);
    command.args(["--hits-permille", if rule == Rule::Clean { "0" } else { "1" }]);
    let status = command.status().expect("the generator starts");
    assert!(status.success(), "the generator ends well");
    let each = server.stretch(&name, i64::try_from(each).expect("a small number"));
    let events = u64::try_from(each * i64::from(partitions)).expect("a count");
    let partitions = usize::try_from(partitions).expect("a small number");
    let rule = match rule {
        Rule::Literal | Rule::Clean => RULE.to_owned(),
        Rule::Decoded => {
            let file = folder().join("without-literal.toml");
            fs::write(&file, WITHOUT_LITERAL).expect("target/ can be written");
            file.display().to_string()
        }
    };
    Topic { name, rule, events, partitions }
}

impl Topic {
    /// Reads all of it, run number `run` of this group.
    pub fn read(&self, server: &Canned, about: Group, run: usize) -> Reading {
        let Group { instances, workers } = about;
        let group = format!("{}-{instances}-{workers}-{run}", self.name);
        // The stage starts no worker that could never have a partition.
        server.expect_members(&group, instances * workers.min(self.partitions));
        let (children, own) = (children_seconds(), process_seconds());
        let mut started: Vec<Child> = (0..instances)
            .map(|instance| self.start(server, &group, (instance, workers)))
            .collect();
        self.wait(server, &group);
        let server_seconds = process_seconds() - own;
        started.iter_mut().for_each(end);
        let seconds = server.reading_took(&self.name).expect("it was read").as_secs_f64();
        Reading {
            cpu_seconds: children_seconds() - children,
            seconds,
            server_share: server_seconds / seconds / cores() as f64,
        }
    }

    /// Waits until the group is at the end.
    pub fn wait(&self, server: &Canned, group: &str) {
        let began = Instant::now();
        while u64::try_from(server.committed(group, &self.name)) != Ok(self.events) {
            assert!(began.elapsed() < WITHIN, "the stage gets to the end of {}", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts one instance.
    pub fn start(
        &self,
        server: &Canned,
        group: &str,
        (instance, workers): (usize, usize),
    ) -> Child {
        let Self { name, rule, .. } = self;
        let program = env!("CARGO_BIN_EXE_ouzel");
        let file = folder().join(format!("{group}-{instance}.toml"));
        let brokers = server.address();
        let text = format!(
            "rules = [{rule:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [{name:?}]\n\
             group = {group:?}\nworkers = {workers}\n[output]\nalerts = \"alerts\"\n\
             dead_letters = \"dead-letters\"\n[http]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n"
        );
        fs::write(&file, text).expect("target/ can be written");
        // It ends with the bench, also where that gives up.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program, "run", "-c"]).arg(&file);
        command.spawn().expect("the stage can be started")
    }
}

/// Lets an instance end as an operator does.
pub fn end(instance: &mut Child) {
    let id = i32::try_from(instance.id()).expect("process ids fit");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("the child is there");
    let status = instance.wait().expect("a child can be waited for");
    assert!(status.success(), "the stage ended with {status}");
}
