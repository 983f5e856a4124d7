//! One real Apache Kafka node: broker and controller in one process, on loopback, on free ports.
//!
//! Listeners: plaintext (super user); a second plaintext one that is reached through a fault proxy;
//! SASL_SSL with SCRAM-SHA-512, where access lists count; TLS with a certificate that has expired,
//! and with one for another host.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::certificates::Certificates;
use super::java;
use super::node::{self, Node};
use super::proxy::Proxy;

/// The user of the SASL listener.
pub const USER: &str = "ouzel";
/// Its password; also the canary that must never be printed.
pub const PASSWORD: &str = "canary-5cr4m-pa55word";

/// A running node with what belongs to it; ended when dropped.
pub struct Broker {
    /// The process, for tests that end it.
    pub node: Node,
    /// What stands between the node and whoever connects to [`Broker::proxied`].
    pub proxy: Proxy,
    pub certificates: Certificates,
    folder: PathBuf,
    ports: Ports,
}

#[derive(Clone, Copy)]
struct Ports {
    plaintext: u16,
    sasl: u16,
    expired: u16,
    elsewhere: u16,
    controller: u16,
    /// Where the proxy connects to.
    behind_proxy: u16,
    /// Where the proxy listens.
    proxy: u16,
}

impl Broker {
    /// Formats a fresh log folder, starts the node and waits until it answers.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&java::SMALL)
    }

    /// The same, with other options of its virtual machine.
    pub fn start_with(machine: &[&'static str]) -> Result<Self, String> {
        let folder = java::folder().join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|fault| fault.to_string())?;
        let certificates = Certificates::make(&folder)?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|fault| fault.to_string())?;
        let proxy = listener.local_addr().map_err(|fault| fault.to_string())?.port();
        let [plaintext, sasl, expired, elsewhere, controller, behind_proxy] = node::free_ports()?;
        let ports = Ports { plaintext, sasl, expired, elsewhere, controller, behind_proxy, proxy };
        let scram = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        let node = Node::new(
            &folder,
            &properties(&folder, &certificates, ports),
            format!("127.0.0.1:{plaintext}"),
            &cluster_id()?,
            &[scram],
        )?
        .with_machine(machine);
        node.start()?;
        let proxy = Proxy::start(listener, format!("127.0.0.1:{behind_proxy}"))?;
        Ok(Self { node, proxy, certificates, folder, ports })
    }

    /// `host:port` of the plaintext listener.
    pub fn plaintext(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plaintext)
    }

    /// `host:port` of the proxy: who begins there stays behind it.
    pub fn proxied(&self) -> String {
        self.proxy.address()
    }

    /// `host:port` of the SASL_SSL listener.
    pub fn sasl_ssl(&self) -> String {
        format!("localhost:{}", self.ports.sasl)
    }

    /// `host:port` of the TLS listener whose certificate has expired.
    pub fn expired(&self) -> String {
        format!("localhost:{}", self.ports.expired)
    }

    /// `host:port` of the TLS listener whose certificate is another host's.
    pub fn elsewhere(&self) -> String {
        format!("localhost:{}", self.ports.elsewhere)
    }

    /// The certificate of the authority that signed the node's.
    pub fn authority(&self) -> PathBuf {
        self.certificates.authority()
    }

    /// The folder of this run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ends of the logs that were written since, each with its path; those of a stage that a
    /// failed case started, so that its failure can be understood from what the suite prints.
    pub fn logs_since(&self, started: SystemTime) -> Vec<String> {
        const LINES: usize = 30;
        let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries(&self.folder).flat_map(|test| entries(&test.path()));
        let logs = files.map(|file| file.path()).filter(|path| {
            let is_new = |at: SystemTime| at >= started;
            path.extension().is_some_and(|ending| ending == "log")
                && path.metadata().and_then(|of| of.modified()).is_ok_and(is_new)
        });
        let tail = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.split_at(lines.len().saturating_sub(LINES)).1.join("\n");
            format!("the end of {}:\n{last}", path.display())
        };
        logs.map(tail).collect()
    }

    /// A folder for the files of one test.
    pub fn folder_for(&self, test: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(test);
        fs::create_dir_all(&folder).map_err(|fault| fault.to_string())?;
        Ok(folder)
    }
}

/// The id of a new cluster.
pub fn cluster_id() -> Result<String, String> {
    let id = java::run("kafka.tools.StorageTool", &["random-uuid"])?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

fn properties(folder: &Path, certificates: &Certificates, ports: Ports) -> String {
    let Ports { plaintext, sasl, expired, elsewhere, controller, behind_proxy, proxy } = ports;
    let common = node::COMMON;
    let store = |name: &str| certificates.store(name).display().to_string();
    let (server, old, foreign) = (store("server"), store("expired"), store("elsewhere"));
    let authority = certificates.authority();
    let (folder, authority) = (folder.display(), authority.display());
    let scram_module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    format!(
        "{common}node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plaintext},PROXY://127.0.0.1:{behind_proxy},SASL_SSL://127.0.0.1:{sasl},EXPIRED://127.0.0.1:{expired},ELSEWHERE://127.0.0.1:{elsewhere},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plaintext},PROXY://127.0.0.1:{proxy},SASL_SSL://localhost:{sasl},EXPIRED://localhost:{expired},ELSEWHERE://localhost:{elsewhere}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT,SASL_SSL:SASL_SSL,EXPIRED:SSL,ELSEWHERE:SSL
log.dirs={folder}/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
ssl.keystore.type=PEM
ssl.keystore.location={server}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={old}
listener.name.elsewhere.ssl.keystore.type=PEM
listener.name.elsewhere.ssl.keystore.location={foreign}
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram_module}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=false
"
    )
}
