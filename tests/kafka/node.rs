//! One node of Apache Kafka as a process: started, killed, frozen and started again on its ports.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{client, java};

const STARTS_WITHIN: Duration = Duration::from_secs(90);

/// What every node of this suite is told.
pub const COMMON: &str = "process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
auto.create.topics.enable=false
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=2000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
log.retention.check.interval.ms=1000
";

/// A node; ended when dropped.
pub struct Node {
    process: Mutex<Option<Child>>,
    properties: PathBuf,
    folder: PathBuf,
    machine: Vec<&'static str>,
    /// The largest file that it may write, in bytes.
    file_max: Mutex<Option<u64>>,
    /// `host:port` that answers when the node is up.
    address: String,
}

impl Node {
    /// Writes `properties` into `folder` (which gets the log as well) and formats the storage for
    /// the cluster `id`; does not start it.
    pub fn new(
        folder: &Path,
        properties: &str,
        address: String,
        cluster: &str,
        scram: &[String],
    ) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|fault| fault.to_string())?;
        let file = folder.join("node.properties");
        fs::write(&file, properties).map_err(|fault| fault.to_string())?;
        let name = file.display().to_string();
        let mut arguments = vec!["format", "-t", cluster, "-c", &name, "--ignore-formatted"];
        for user in scram {
            arguments.extend(["--add-scram", user]);
        }
        java::run("kafka.tools.StorageTool", &arguments)?;
        Ok(Self {
            process: Mutex::default(),
            properties: file,
            folder: folder.to_owned(),
            machine: java::SMALL.to_vec(),
            file_max: Mutex::default(),
            address,
        })
    }

    /// With other options of its virtual machine.
    pub fn with_machine(mut self, machine: &[&'static str]) -> Self {
        self.machine = machine.to_vec();
        self
    }

    /// From the next start on, no file of it can get larger than so many bytes: as on a full disk,
    /// writing fails then.
    pub fn limit_files(&self, bytes: Option<u64>) {
        *self.file_max.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    /// Starts the process; does not wait.
    pub fn spawn(&self) -> Result<(), String> {
        let io = |fault: std::io::Error| fault.to_string();
        let path = self.folder.join("node.log");
        let log = File::options().create(true).append(true).open(path).map_err(io)?;
        let process = java::command("kafka.Kafka", &self.machine)?
            .arg(&self.properties)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(io)?)
            .stderr(log)
            .spawn()
            .map_err(|fault| format!("start a node: {fault}"))?;
        let limit = *self.file_max.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = limit {
            let (pid, bound) = (process.id().to_string(), format!("--fsize={bytes}"));
            let status = Command::new("prlimit").args(["--pid", &pid, &bound]).status();
            status.map_err(|fault| format!("run prlimit: {fault}"))?;
        }
        *self.process() = Some(process);
        Ok(())
    }

    /// Waits until the node answers.
    pub fn wait(&self) -> Result<(), String> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            let ended = match self.process().as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => Some(status),
                Some(_) => None,
                None => return Err("the node is not started".to_owned()),
            };
            if let Some(status) = ended {
                let log = fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
                return Err(format!("the node ended with {status}:\n{log}"));
            }
            match client::brokers_answer(&self.address) {
                Ok(()) => return Ok(()),
                Err(fault) if Instant::now() > deadline => return Err(fault),
                Err(_) => {}
            }
        }
    }

    /// Starts it, again where it was ended, and waits until it answers.
    pub fn start(&self) -> Result<(), String> {
        self.spawn()?;
        self.wait()
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&self) -> Result<(), String> {
        self.end_by(Signal::SIGKILL)
    }

    /// Ends it as an operator does, and waits for that.
    pub fn stop(&self) -> Result<(), String> {
        self.end_by(Signal::SIGTERM)
    }

    fn end_by(&self, signal: Signal) -> Result<(), String> {
        self.signal(signal)?;
        let process = self.process().take();
        process.map_or(Ok(()), |mut process| {
            process.wait().map(drop).map_err(|fault| fault.to_string())
        })
    }

    /// Sends a signal: SIGSTOP makes a broker that neither answers nor goes away.
    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        let id = self.id().ok_or("the node is not started")?;
        kill(id, signal).map_err(|fault| fault.to_string())
    }

    /// The process, while it is started.
    pub fn id(&self) -> Option<Pid> {
        let id = self.process().as_ref().map(Child::id)?;
        i32::try_from(id).ok().map(Pid::from_raw)
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process().take() {
            drop(process.kill());
            drop(process.wait());
        }
        // The logs of the node are large; those of the stages stay for a look.
        drop(fs::remove_dir_all(self.folder.join("logs")));
    }
}

/// Ports that were free a moment ago.
pub fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|fault| fault.to_string())?;
        *port = listener.local_addr().map_err(|fault| fault.to_string())?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
