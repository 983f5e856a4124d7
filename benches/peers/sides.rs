//! The programs that read the same topic, Ouzel and the one in Java: how each is started, seen to be
//! at a place, and ended, and what it cost.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use crate::broker::Broker;
use crate::support::{Cost, cost_of_child};
use crate::{client, java, node};

const RULE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");
const FILTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/KafkaFilter.java");
pub const WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at how far the stage is.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a program is to do.
pub struct Task<'a> {
    pub broker: &'a Broker,
    pub topic: &'a str,
    /// The event type that the rule looks for.
    pub action: &'a str,
    pub events: u64,
    /// Behind so many events, the second figure begins.
    pub warm: u64,
}

impl Task<'_> {
    fn broker_seconds(&self) -> f64 {
        self.broker.node.id().and_then(cpu_seconds).expect("the broker runs")
    }

    /// Where the program `own` and the broker are now.
    pub fn point(&self, own: Pid, events: u64) -> Point {
        let own = cpu_seconds(own).expect("the program runs");
        Point { events, at: Instant::now(), own, broker: self.broker_seconds() }
    }
}

/// CPU time of a process so far.
fn cpu_seconds(process: Pid) -> Option<f64> {
    let time = clock_gettime(ClockId::pid_cpu_clock_id(process).ok()?).ok()?;
    Some(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

/// How far a program was at a moment, and what had been spent until then.
#[derive(Clone, Copy)]
pub struct Point {
    events: u64,
    at: Instant,
    own: f64,
    broker: f64,
}

/// What a program cost in one run.
pub struct Outcome {
    /// The whole process.
    pub whole: Cost,
    /// The broker's CPU time meanwhile.
    pub broker_seconds: f64,
    from: Point,
    to: Point,
}

impl Outcome {
    fn millions(&self) -> f64 {
        (self.to.events - self.from.events) as f64 / 1e6
    }

    pub fn cpu_per_million(&self) -> f64 {
        (self.to.own - self.from.own) / self.millions()
    }

    pub fn broker_per_million(&self) -> f64 {
        (self.to.broker - self.from.broker) / self.millions()
    }

    pub fn broker_share(&self) -> f64 {
        let broker = self.to.broker - self.from.broker;
        broker / (broker + self.to.own - self.from.own)
    }

    pub fn events_per_second(&self) -> f64 {
        1e6 * self.millions() / (self.to.at - self.from.at).as_secs_f64()
    }

    pub fn whole_per_million(&self) -> f64 {
        1e6 * self.whole.cpu_seconds / self.to.events as f64
    }
}

/// Runs a program; `meanwhile` finds its two points and may tell it to end.
pub fn outcome(
    task: &Task<'_>,
    command: Command,
    meanwhile: impl FnOnce(&Child, Pid) -> (Point, Point),
) -> Outcome {
    let before = task.broker_seconds();
    let mut points = None;
    let whole = cost_of_child(command, |child| {
        let id = Pid::from_raw(i32::try_from(child.id()).expect("process ids fit"));
        points = Some(meanwhile(child, id));
    });
    let broker_seconds = task.broker_seconds() - before;
    let (from, to) = points.expect("the program was seen");
    Outcome { whole, broker_seconds, from, to }
}

/// The folder of what is built for other programs.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers")
}

/// A program that does not outlive a bench that fails.
pub fn ended_with_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// `ouzel run`.
pub struct Stage;

impl Stage {
    /// Reads the task's topic with the shipped settings; alerts go to `output`.
    pub fn run(task: &Task<'_>, output: &str) -> Outcome {
        let [port] = node::free_ports().expect("there are free ports");
        let listen = format!("127.0.0.1:{port}");
        let (brokers, topic) = (task.broker.plaintext(), task.topic);
        let text = format!(
            "rules = [{RULE:?}]\n[kafka]\nbrokers = {brokers:?}\n[input]\ntopics = [{topic:?}]\n\
             group = {output:?}\nworkers = 1\n[output]\nalerts = {output:?}\n\
             dead_letters = \"dead-letters\"\n[http]\nlisten = {listen:?}\n[log]\nlevel = \"warn\"\n"
        );
        let file = folder().join(format!("{output}.toml"));
        fs::write(&file, text).expect("target/ can be written");
        let mut command = ended_with_us(env!("CARGO_BIN_EXE_ouzel"));
        command.args(["run", "-c"]).arg(&file);
        let outcome = outcome(task, command, |_, id| {
            let from = Self::point(task, &listen, id, task.warm);
            let to = Self::point(task, &listen, id, task.events);
            kill(id, Signal::SIGTERM).expect("the stage is there");
            (from, to)
        });
        let committed = client::committed(&brokers, output, topic).expect("the broker answers");
        let committed: i64 = committed.values().sum();
        assert_eq!(u64::try_from(committed), Ok(task.events), "the group is at the end");
        outcome
    }

    /// The first look that finds so many events judged.
    fn point(task: &Task<'_>, listen: &str, id: Pid, events: u64) -> Point {
        let deadline = Instant::now() + WITHIN;
        loop {
            let judged = judged(listen).unwrap_or(0);
            if judged >= events {
                return task.point(id, judged);
            }
            assert!(Instant::now() < deadline, "{judged} of {events} events after {WITHIN:?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// How many records the stage says that it has judged.
fn judged(listen: &str) -> Option<u64> {
    let mut stream = TcpStream::connect(listen).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    let lines = page.lines().filter(|line| line.starts_with("ouzel_records_total{"));
    lines.map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// The filter in Java, compiled.
#[derive(Clone)]
pub struct Filter {
    class_path: String,
}

impl Filter {
    /// Compiles it against the jars of Apache Kafka, which are fetched where they are not there yet.
    pub fn compile() -> Result<Self, String> {
        let jars = java::class_path()?;
        let classes = folder().join("classes");
        fs::create_dir_all(&classes).map_err(|fault| fault.to_string())?;
        let output = Command::new("javac")
            .args(["-Xlint:all", "-Werror", "-cp", &jars, "-d"])
            .arg(&classes)
            .arg(FILTER)
            .output()
            .map_err(|fault| format!("javac: {fault}; apt-get install openjdk-17-jdk-headless"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("javac {FILTER}: {said}"));
        }
        Ok(Self { class_path: format!("{}:{jars}", classes.display()) })
    }

    /// The virtual machine that runs it.
    pub fn version() -> String {
        let output = Command::new("java").arg("-version").output().expect("java was just there");
        String::from_utf8_lossy(&output.stderr).lines().nth(1).unwrap_or_default().to_owned()
    }

    /// Reads the task's topic, each event as far as `reading` says; hits go to `output`.
    pub fn run(&self, task: &Task<'_>, output: &str, reading: &str) -> Outcome {
        let mut command = ended_with_us("java");
        command.args(["-Xms512m", "-Xmx512m"]);
        command.arg(java::log_option().expect("target/ can be written"));
        command.args(["-cp", &self.class_path, "KafkaFilter"]);
        command.args([&task.broker.plaintext(), output, task.topic, output, task.action, reading]);
        command.args([task.warm.to_string(), task.events.to_string()]);
        command.stdout(Stdio::piped());
        outcome(task, command, |child, id| {
            let stdout = child.stdout.as_ref().expect("it is piped");
            let stdout = stdout.as_fd().try_clone_to_owned().expect("there are descriptors left");
            let mut lines = BufReader::new(File::from(stdout)).lines();
            let mut point = |name: &str| {
                let line = lines.next().and_then(Result::ok).unwrap_or_default();
                let events = line.strip_prefix(name).and_then(|rest| rest.trim().parse().ok());
                task.point(id, events.expect("the filter says how far it is, in this order"))
            };
            (point("warm"), point("done"))
        })
    }
}
