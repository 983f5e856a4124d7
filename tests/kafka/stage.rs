//! The program under test, as an operator runs it: a process with a configuration file.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::{create_topics, wait_until};
use super::history::Topics;
use super::secrets;

/// The rule of the main job, named so that another shipped rule changes nothing here.
pub const RULE_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/rules/okta/attempt_to_reset_mfa_factors.toml");

/// A running `ouzel`; killed when dropped.
pub struct Stage {
    process: Child,
    /// Where all that it prints goes.
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
    /// Lines of `[input]`.
    pub input: String,
    /// Lines of `[output]`.
    pub output: String,
    /// Lines at the end: other tables.
    pub more: String,
    /// Lines at the beginning, of no table.
    pub head: String,
    /// Alerts of the rule in its interval; 0: no limit.
    pub limit: u32,
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
            ..Self::default()
        }
    }

    /// As [`Setup::named`], for tests in which members of the group die: the group goes on
    /// without them after four seconds.
    pub fn mortal(name: &str, brokers: &str) -> Self {
        Self {
            input: "session_timeout_ms = 4000\n".to_owned(),
            more: "[kafka.librdkafka]\n\"heartbeat.interval.ms\" = 1000\n".to_owned(),
            ..Self::named(name, brokers)
        }
    }

    /// As [`Setup::mortal`], with exactly-once under the name `instance`; `more` are lines of
    /// `[delivery]`.
    pub fn exactly_once(name: &str, brokers: &str, instance: &str, more: &str) -> Self {
        let mut setup = Self::mortal(name, brokers);
        setup.input += &format!("instance_id = {instance:?}\n");
        setup.more += &format!("[delivery]\nguarantee = \"exactly-once\"\n{more}");
        setup
    }

    /// The topics of this setup, for whoever compares.
    pub fn topics<'a>(&'a self, brokers: &'a str) -> Topics<'a> {
        Topics {
            brokers,
            output_brokers: brokers,
            input: self.topics.first().map_or("", String::as_str),
            alerts: &self.alerts,
            dead_letters: &self.dead_letters,
        }
    }

    /// Creates the topics of this setup, the input with so many partitions.
    pub fn create_topics(&self, brokers: &str, partitions: i32) -> Result<(), String> {
        let Topics { input, alerts, dead_letters, .. } = self.topics(brokers);
        create_topics(brokers, &[(input, partitions), (alerts, 2), (dead_letters, 1)])
    }

    fn text(&self, port: u16) -> String {
        let Self { topics, group, alerts, dead_letters, kafka, input, output, more, head, limit } =
            self;
        format!(
            "{head}rules = [{RULE_FILE:?}]\n[kafka]\n{kafka}[input]\ntopics = {topics:?}\ngroup = {group:?}\n\
             {input}[output]\nalerts = {alerts:?}\ndead_letters = {dead_letters:?}\n{output}\
             [http]\nlisten = \"127.0.0.1:{port}\"\n\
             [rule.\"729aa18d-06a6-41c7-b175-b65b739b1181\"]\nmax_signals = {limit}\n{more}"
        )
    }
}

/// Writes the configuration and starts `ouzel run` with it; does not wait.
pub fn spawn(folder: &Path, name: &str, setup: &Setup) -> Result<Stage, String> {
    spawn_under(&[], folder, name, setup)
}

/// As [`spawn`], by way of a program that executes what stands behind its own arguments.
pub fn spawn_under(
    wrapper: &[&str],
    folder: &Path,
    name: &str,
    setup: &Setup,
) -> Result<Stage, String> {
    let io = |fault: std::io::Error| fault.to_string();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).map_err(io)?.port();
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, setup.text(port)).map_err(io)?;
    let log = folder.join(format!("{name}.log"));
    keep(&log).map_err(io)?;
    let output = File::create(&log).map_err(io)?;
    let process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .args(wrapper)
        .args([env!("CARGO_BIN_EXE_ouzel"), "run", "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(io)?)
        .stderr(output)
        .spawn()
        .map_err(io)?;
    Ok(Stage { process, log, http: format!("127.0.0.1:{port}") })
}

/// Puts the log of an earlier stage of this name aside: it is searched for secrets at the end.
fn keep(log: &Path) -> std::io::Result<()> {
    let earlier = (1..).map(|number| log.with_extension(format!("{number}.log")));
    match (log.exists(), earlier.into_iter().find(|path| !path.exists())) {
        (true, Some(path)) => fs::rename(log, path),
        _ => Ok(()),
    }
}

/// As [`spawn`], and waits until it is ready.
pub fn start(folder: &Path, name: &str, setup: &Setup) -> Result<Stage, String> {
    spawn(folder, name, setup)?.until_ready()
}

impl Stage {
    /// Waits until it is ready.
    pub fn until_ready(mut self) -> Result<Self, String> {
        self.wait_until_ready()?;
        Ok(self)
    }

    /// Waits until it is ready (again).
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        let ready = wait_until("the stage is ready", Duration::from_secs(20), || {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Ok(Some(Err(format!("the stage ended with {status}"))));
            }
            Ok((self.get("/readyz")?.0 == 200).then_some(Ok(())))
        });
        ready.and_then(|inner| inner).map_err(|fault| format!("{fault}\n{}", self.logged()))
    }

    /// Waits until it says that it is not ready; says why.
    pub fn wait_until_not_ready(&mut self, within: Duration) -> Result<String, String> {
        let what = "the stage says that it is not ready";
        let answer = wait_until(what, within, || {
            let (status, why) = self.get("/readyz")?;
            Ok((status == 503).then_some(why))
        });
        answer.map_err(|fault| format!("{fault}\n{}", self.logged()))
    }

    /// Fails unless it runs and is healthy.
    pub fn is_alive(&mut self) -> Result<(), String> {
        if let Ok(Some(status)) = self.process.try_wait() {
            return Err(format!("the stage ended with {status}\n{}", self.logged()));
        }
        match self.get("/healthz")? {
            (200, _) => Ok(()),
            (status, why) => Err(format!("/healthz says {status}: {why}")),
        }
    }

    /// Waits until it has judged so many records.
    pub fn wait_for_records(&self, records: u64, within: Duration) -> Result<(), String> {
        wait_until(&format!("{records} records are judged"), within, || {
            Ok((self.metric("ouzel_records_total", "")? >= records as f64).then_some(()))
        })
        .map_err(|fault| format!("{fault}\n{}", self.logged()))
    }

    /// Ends it at once.
    pub fn kill(mut self) -> Result<(), String> {
        self.process.kill().map_err(|fault| fault.to_string())?;
        self.process.wait().map(drop).map_err(|fault| fault.to_string())
    }

    /// The most memory that it has had so far, in MiB; what is now, in MiB.
    pub fn memory(&self) -> Result<(u64, u64), String> {
        let file = format!("/proc/{}/status", self.process.id());
        let text = fs::read_to_string(file).map_err(|fault| fault.to_string())?;
        let line = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kibibytes >> 10)
        };
        let (most, now) = (line("VmHWM:"), line("VmRSS:"));
        most.zip(now).ok_or_else(|| "the stage has ended".to_owned())
    }

    /// How many files it has open.
    pub fn open_files(&self) -> Result<usize, String> {
        let folder = format!("/proc/{}/fd", self.process.id());
        fs::read_dir(folder).map(Iterator::count).map_err(|fault| fault.to_string())
    }

    /// What it logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where its endpoint listens.
    pub fn http(&self) -> &str {
        &self.http
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
        if secrets::has_secret(answer.as_bytes()) {
            return Err(format!("a secret stands on {path}"));
        }
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

    /// Sends SIGTERM and waits for the end, which may come before it knows what to do then.
    pub fn leave(mut self) -> Result<(), String> {
        use std::os::unix::process::ExitStatusExt;
        self.signal(Signal::SIGTERM)?;
        let status = self.ended(Duration::from_secs(30))?;
        if status.code() == Some(0) || status.signal() == Some(Signal::SIGTERM as i32) {
            return Ok(());
        }
        Err(format!("after SIGTERM the stage ended with {status}\n{}", self.logged()))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), String> {
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
