//! Three nodes of Apache Kafka, for tests of leaders and replicas; started by those tests only.

use super::broker::{Broker, cluster_id};
use super::node::{self, Node};

/// Three of them share the machine.
const SMALLER: [&str; 3] = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Three running nodes; ended when dropped.
pub struct Cluster {
    pub nodes: [Node; 3],
    ports: [u16; 3],
}

impl Cluster {
    /// Starts the three in the folder of `test`, and waits until each answers.
    pub fn start(broker: &Broker, test: &str) -> Result<Self, String> {
        let folder = broker.folder_for(test)?;
        let ports: [u16; 6] = node::free_ports()?;
        let id = cluster_id()?;
        let [a, b, c, controllers @ ..] = ports;
        let voters: Vec<String> = (1..)
            .zip(controllers)
            .map(|(number, port)| format!("{number}@127.0.0.1:{port}"))
            .collect();
        let voters = voters.join(",");
        let one = |index: usize| {
            let (port, number) = (ports[index], index + 1);
            let folder = folder.join(format!("node-{number}"));
            let properties = format!(
                "{}node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={}/logs
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=4000
",
                node::COMMON,
                controllers[index],
                folder.display(),
            );
            let address = format!("127.0.0.1:{port}");
            Node::new(&folder, &properties, address, &id, &[])
                .map(|node| node.with_machine(&SMALLER))
        };
        let cluster = Self { nodes: [one(0)?, one(1)?, one(2)?], ports: [a, b, c] };
        for node in &cluster.nodes {
            node.spawn()?;
        }
        for node in &cluster.nodes {
            node.wait()?;
        }
        Ok(cluster)
    }

    /// `host:port` of all three.
    pub fn brokers(&self) -> String {
        self.ports.map(|port| format!("127.0.0.1:{port}")).join(",")
    }
}

/// A node of its own, not started yet, and its `host:port`. It has two folders for logs beside the
/// one for its own state, so that losing one is not its end.
pub fn alone(broker: &Broker, test: &str) -> Result<(Node, String), String> {
    let folder = broker.folder_for(test)?;
    let [port, controller] = node::free_ports()?;
    let (common, place) = (node::COMMON, folder.display());
    let properties = format!(
        "{common}node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={place}/logs/a,{place}/logs/b
metadata.log.dir={place}/logs/metadata
offsets.topic.replication.factor=1
"
    );
    let address = format!("127.0.0.1:{port}");
    let node = Node::new(&folder, &properties, address.clone(), &cluster_id()?, &[])?;
    Ok((node.with_machine(&SMALLER), address))
}
