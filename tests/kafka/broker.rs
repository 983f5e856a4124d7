//! One real Apache Kafka node: broker and controller in one process, on loopback, on free ports.
//!
//! Listeners: plaintext (super user), and SASL_SSL with SCRAM-SHA-512 where access lists count.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{client, java};

/// The user of the SASL listener.
pub const USER: &str = "ouzel";
/// Its password; also the canary that must never be printed.
pub const PASSWORD: &str = "canary-5cr4m-pa55word";

const STARTS_WITHIN: Duration = Duration::from_secs(90);

/// A running node; ended when dropped.
pub struct Broker {
    process: Child,
    folder: PathBuf,
    plaintext_port: u16,
    sasl_port: u16,
}

impl Broker {
    /// Formats a fresh log folder, starts the node and waits until it answers.
    pub fn start() -> Result<Self, String> {
        let folder = java::folder().join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|fault| fault.to_string())?;
        make_certificates(&folder)?;
        let [plaintext_port, sasl_port, controller_port] = free_ports()?;
        let properties = properties(&folder, [plaintext_port, sasl_port, controller_port]);
        let file = folder.join("node.properties");
        fs::write(&file, properties).map_err(|fault| fault.to_string())?;
        let file = file.display().to_string();
        let id = java::run("kafka.tools.StorageTool", &["random-uuid"])?;
        let scram = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        java::run(
            "kafka.tools.StorageTool",
            &["format", "-t", &id, "-c", &file, "--ignore-formatted", "--add-scram", &scram],
        )?;
        let log = File::create(folder.join("node.log")).map_err(|fault| fault.to_string())?;
        let process = java::command("kafka.Kafka", "512m")?
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|fault| fault.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|fault| format!("start the node: {fault}"))?;
        let mut broker = Self { process, folder, plaintext_port, sasl_port };
        broker.wait()?;
        Ok(broker)
    }

    fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                let log = fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
                return Err(format!("the node ended with {status}:\n{log}"));
            }
            match client::brokers_answer(&self.plaintext()) {
                Ok(()) => return Ok(()),
                Err(fault) if Instant::now() > deadline => return Err(fault),
                Err(_) => {}
            }
        }
    }

    /// `host:port` of the plaintext listener.
    pub fn plaintext(&self) -> String {
        format!("127.0.0.1:{}", self.plaintext_port)
    }

    /// `host:port` of the SASL_SSL listener.
    pub fn sasl_ssl(&self) -> String {
        format!("localhost:{}", self.sasl_port)
    }

    /// The certificate of the authority that signed the node's.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A folder for the files of one test.
    pub fn folder_for(&self, test: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(test);
        fs::create_dir_all(&folder).map_err(|fault| fault.to_string())?;
        Ok(folder)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        // The logs of the node are large; those of the stages stay for a look.
        drop(fs::remove_dir_all(self.folder.join("logs")));
    }
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|fault| fault.to_string())?;
        *port = listener.local_addr().map_err(|fault| fault.to_string())?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn properties(folder: &Path, ports: [u16; 3]) -> String {
    let [plaintext, sasl, controller] = ports;
    let folder = folder.display();
    let scram_module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_SSL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_SSL://localhost:{sasl}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={folder}/logs
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=1000
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server-keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram_module}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=false
"
    )
}

/// An authority, and the node's certificate for `localhost` and 127.0.0.1.
fn make_certificates(folder: &Path) -> Result<(), String> {
    fs::write(folder.join("san.cnf"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        .map_err(|fault| fault.to_string())?;
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ouzel-test-authority",
    )?;
    openssl(
        folder,
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
    )?;
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san.cnf -out server.pem",
    )?;
    let mut keystore = String::new();
    for part in ["server.key", "server.pem", "ca.pem"] {
        keystore += &fs::read_to_string(folder.join(part)).map_err(|fault| fault.to_string())?;
    }
    fs::write(folder.join("server-keystore.pem"), keystore).map_err(|fault| fault.to_string())
}

fn openssl(folder: &Path, arguments: &str) -> Result<(), String> {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .map_err(|fault| format!("run openssl: {fault}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)))
}
