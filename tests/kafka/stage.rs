//! The program under test, as an operator runs it: a process with a configuration file.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::wait_until;

/// The rule of the main job, named so that another shipped rule changes nothing here.
pub const RULE_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");

/// A running `ouzel`; killed when dropped.
pub struct Stage {
    process: Child,
    /// Where its standard error goes.
    pub log: PathBuf,
    http: String,
}

/// What a configuration says besides what every stage of this suite says.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub topics: Vec<String>,
    pub group: String,
    pub alerts: String,
    pub dead_letters: String,
    /// Lines of `[kafka]`.
    pub kafka: String,
    /// Lines at the end: other tables.
    pub more: String,
}

impl Setup {
    /// Topics `NAME`, `NAME-alerts`, `NAME-dead-letters`, group `NAME`, on `brokers`.
    pub fn named(name: &str, brokers: &str) -> Self {
        Self {
            topics: vec![name.to_owned()],
            group: name.to_owned(),
            alerts: format!("{name}-alerts"),
            dead_letters: format!("{name}-dead-letters"),
            kafka: format!("brokers = {brokers:?}\n"),
            more: String::new(),
        }
    }

    fn text(&self, port: u16) -> String {
        let Self { topics, group, alerts, dead_letters, kafka, more } = self;
        format!(
            "rules = [{RULE_FILE:?}]\n[kafka]\n{kafka}[input]\ntopics = {topics:?}\ngroup = {group:?}\n\
             [output]\nalerts = {alerts:?}\ndead_letters = {dead_letters:?}\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\n\
             [rule.\"729aa18d-06a6-41c7-b175-b65b739b1181\"]\nmax_signals = 0\n{more}"
        )
    }
}

/// Writes the configuration and starts `ouzel run` with it; does not wait.
pub fn spawn(folder: &Path, name: &str, setup: &Setup) -> Result<Stage, String> {
    let io = |fault: std::io::Error| fault.to_string();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).map_err(io)?.port();
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, setup.text(port)).map_err(io)?;
    let log = folder.join(format!("{name}.log"));
    let process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_ouzel"), "run", "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).map_err(io)?)
        .spawn()
        .map_err(io)?;
    Ok(Stage { process, log, http: format!("127.0.0.1:{port}") })
}

/// As [`spawn`], and waits until it is ready.
pub fn start(folder: &Path, name: &str, setup: &Setup) -> Result<Stage, String> {
    let mut stage = spawn(folder, name, setup)?;
    let ready = wait_until("the stage is ready", Duration::from_secs(20), || {
        if let Ok(Some(status)) = stage.process.try_wait() {
            return Ok(Some(Err(format!("the stage ended with {status}"))));
        }
        Ok((stage.get("/readyz")?.0 == 200).then_some(Ok(())))
    });
    ready.and_then(|inner| inner).map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    Ok(stage)
}

impl Stage {
    /// What it logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Status and body of a page of its endpoint.
    pub fn get(&self, path: &str) -> Result<(u16, String), String> {
        let mut stream = TcpStream::connect(&self.http).map_err(|fault| fault.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(|fault| fault.to_string())?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .map_err(|fault| fault.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|fault| fault.to_string())?;
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.ok_or_else(|| format!("no status in {answer:?}"))?, body.to_owned()))
    }

    /// The sum of a metric over all its label sets that hold `label`.
    pub fn metric(&self, name: &str, label: &str) -> Result<f64, String> {
        let (_, page) = self.get("/metrics")?;
        let of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && line.contains(label)
        };
        Ok(page
            .lines()
            .filter(of_name)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    /// Sends SIGTERM and waits for the end, which must be exit code 0.
    pub fn stop(mut self) -> Result<String, String> {
        self.signal(Signal::SIGTERM)?;
        let status = self.ended(Duration::from_secs(30))?;
        let logged = self.logged();
        if status.code() == Some(0) {
            return Ok(logged);
        }
        Err(format!("after SIGTERM the stage ended with {status}\n{logged}"))
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        // setpriv executes the program in its own place: the id is the program's.
        let id = i32::try_from(self.process.id()).map_err(|fault| fault.to_string())?;
        kill(Pid::from_raw(id), signal).map_err(|fault| fault.to_string())
    }

    /// Waits for the end.
    pub fn ended(&mut self, within: Duration) -> Result<ExitStatus, String> {
        let log = self.log.clone();
        wait_until("the stage has ended", within, || {
            self.process.try_wait().map_err(|fault| fault.to_string())
        })
        .map_err(|fault| format!("{fault}\n{}", fs::read_to_string(log).unwrap_or_default()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// `ouzel generate` to a topic; ends by itself.
pub fn generate(brokers: &str, topic: &str, arguments: &[&str]) -> Result<Child, String> {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_ouzel"), "generate"])
        .args(["--brokers", brokers, "--topic", topic])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|fault| fault.to_string())
}

/// Waits for a generator and fails with it.
pub fn finish(mut generator: Child) -> Result<(), String> {
    let status = generator.wait().map_err(|fault| fault.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the generator ended with {status}")) }
}
