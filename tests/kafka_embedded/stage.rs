//! `ouzel run` as a process, and its endpoint.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::broker::{Broker, GROUP};
use super::{DEADLINE, RULE_ID};

/// The rule of the main job, named so that another shipped rule changes nothing here.
pub const RULE_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");

/// Between two looks at something that has not happened yet.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a configuration says.
#[derive(Clone, Debug)]
pub struct Setup {
    pub brokers: String,
    pub topics: Vec<String>,
    pub alerts: String,
    pub start: &'static str,
    pub workers: usize,
    pub port: u16,
    pub protocol: &'static str,
    pub commit_interval_ms: u32,
    /// More lines of `[input]`.
    pub input: &'static str,
    /// More lines of `[kafka]`.
    pub kafka: &'static str,
    /// Where the rules are.
    pub rules: String,
    /// More lines of `[output]`.
    pub output: &'static str,
    /// More of the environment.
    pub environment: Vec<(&'static str, String)>,
}

impl Setup {
    /// Topics `okta`, `alerts` and `dead`, from the beginning, on one worker.
    pub fn on(broker: &Broker) -> Self {
        Self {
            brokers: broker.address(),
            topics: vec!["okta".to_owned()],
            alerts: "alerts".to_owned(),
            start: "earliest",
            workers: 1,
            port: 0,
            // The embedded broker makes the first member of a classic group wait for 3 s.
            protocol: "consumer",
            commit_interval_ms: 100,
            input: "",
            kafka: "",
            rules: RULE_FILE.to_owned(),
            output: "",
            environment: Vec::new(),
        }
    }

    fn text(&self, port: u16) -> String {
        let Self { brokers, topics, alerts, start, workers, protocol, .. } = self;
        let Self { commit_interval_ms, input, kafka, rules, output, .. } = self;
        format!(
            "rules = [{rules:?}]\n\
             [kafka]\nbrokers = {brokers:?}\n{kafka}\
             [input]\ntopics = {topics:?}\ngroup = {GROUP:?}\nstart = {start:?}\n\
             workers = {workers}\nprotocol = {protocol:?}\n{input}\
             [output]\nalerts = {alerts:?}\ndead_letters = \"dead\"\n{output}\
             [delivery]\ncommit_interval_ms = {commit_interval_ms}\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\n\
             [rule.{RULE_ID:?}]\nmax_signals = 0\n"
        )
    }
}

/// A running stage; killed when dropped.
pub struct Stage {
    process: Child,
    folder: PathBuf,
    http: String,
}

impl Stage {
    /// Starts it, and does not wait.
    pub fn spawn(setup: &Setup) -> Self {
        let folder = folder();
        let port = match setup.port {
            0 => free_port(),
            port => port,
        };
        let file = folder.join("ouzel.toml");
        std::fs::write(&file, setup.text(port)).expect("a configuration");
        let log = File::create(folder.join("log")).expect("a log");
        let process = Command::new(env!("CARGO_BIN_EXE_ouzel"))
            .arg("run")
            .envs(setup.environment.iter().map(|(name, value)| (*name, value)))
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        Self { process, folder, http: format!("127.0.0.1:{port}") }
    }

    /// Starts it, and waits until it is ready.
    pub fn start(setup: &Setup) -> Self {
        let mut stage = Self::spawn(setup);
        stage.wait_until_ready();
        stage
    }

    /// Where its configuration stands.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("ouzel.toml")
    }

    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("a process id");
        kill(Pid::from_raw(id), signal).expect("it can be signalled");
    }

    /// Waits for the end.
    pub fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(started.elapsed() < DEADLINE, "the stage does not end\n{}", self.logged());
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    pub fn wait_until_ready(&mut self) {
        self.wait("the stage is ready", |stage| stage.get("/readyz").0 == 200);
    }

    pub fn wait_until_not_ready(&mut self) {
        self.wait("the stage is not ready", |stage| stage.get("/readyz").0 == 503);
    }

    pub fn wait_for_line(&mut self, line: &str) {
        self.wait(&format!("{line:?} is logged"), |stage| stage.logged().contains(line));
    }

    /// Waits until a metric, summed over the label sets that hold `label`, is at `value`.
    pub fn wait_for_metric(&mut self, name: &str, label: &str, value: f64) {
        self.wait(&format!("{name} is {value}"), |stage| {
            let found = stage.metric(name, label);
            // Of counters, tests that only want to see something happen ask for 1.
            (found - value).abs() < 0.5 || (value == 1.0 && found > value)
        });
    }

    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let (_, page) = self.get("/metrics");
        let of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && line.contains(label)
        };
        page.lines()
            .filter(of_name)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Status and body of a page of its endpoint; status 0 where nobody listens yet.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).unwrap_or_default()
    }

    fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.http).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    pub fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("waiting until {what}: the stage ended with {status}\n{}", self.logged());
            }
            let (_, ready) = self.get("/readyz");
            let waited = started.elapsed();
            assert!(waited < DEADLINE, "waiting until {what}\n{ready}\n{}", self.logged());
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A folder of one stage's own.
pub fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("embedded-{}-{number}", std::process::id());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
