//! The control of the exactly-once kills: Kafka's own copier, killed at random moments of its work,
//! read by the same reader. If it lost or repeated anything, the fault would not be the stage's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rdkafka::message::Message;

use super::MINUTES;
use crate::broker::Broker;
use crate::client::{self, Isolation, wait_until};
use crate::feed::Plan;
use crate::java;
use crate::seed::Random;

const KILLS: u32 = 10;

/// More than is copied until the last kill.
const RECORDS: u64 = 24_000;

/// Records of a transaction of those that are killed: so few that each of them commits many.
const SHORT: &str = "40";

/// The same of the last one, which has the rest to copy.
const LONG: &str = "1000";

/// How long it goes on, at most, after it has copied something.
const WORKS_FOR: Duration = Duration::from_millis(1500);

/// A copier at work; killed when dropped.
struct Copier {
    process: Child,
    /// Where it says how far it is, a JSON a line.
    said: PathBuf,
}

impl Copier {
    fn start(
        brokers: &str,
        (input, output): (&str, &str),
        transaction: &str,
        said: &Path,
    ) -> Result<Self, String> {
        let arguments = [
            ["--input-topic", input, "--input-partition", "0", "--output-topic", output],
            ["--broker-list", brokers, "--transaction-size", transaction, "--max-messages", "-1"],
            [
                "--consumer-group",
                input,
                "--transactional-id",
                input,
                "--transaction-timeout",
                "10000",
            ],
        ];
        let file = File::create(said).map_err(|fault| fault.to_string())?;
        let mut command =
            java::command("org.apache.kafka.tools.TransactionalMessageCopier", &java::TOOL)?;
        command.args(arguments.iter().flatten());
        command.stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
        let process = command.spawn().map_err(|fault| fault.to_string())?;
        Ok(Self { process, said: said.to_owned() })
    }

    /// How many records it says that it has copied since it started.
    fn copied(&self) -> Result<u64, String> {
        let text = fs::read_to_string(&self.said).map_err(|fault| fault.to_string())?;
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line = whole.lines().rev().find_map(|line| {
            let status: serde_json::Value = serde_json::from_str(line).ok()?;
            status.get("totalProcessed")?.as_u64()
        });
        Ok(line.unwrap_or_default())
    }

    /// Waits until it has copied something, lets it go on for `longer`, and kills it at work.
    fn kill_at_work(mut self, longer: Duration) -> Result<u64, String> {
        wait_until("the copier has copied something", MINUTES, || {
            let copied = self.copied()?;
            match self.process.try_wait().map_err(|fault| fault.to_string())? {
                Some(status) => Err(format!("the copier ended with {status}")),
                None => Ok((copied > 0).then_some(())),
            }
        })?;
        // The moment of the fault is what is random here.
        std::thread::sleep(longer);
        if let Some(status) = self.process.try_wait().map_err(|fault| fault.to_string())? {
            return Err(format!("the copier ended with {status} before it could be killed"));
        }
        self.process.kill().map_err(|fault| fault.to_string())?;
        self.process.wait().map_err(|fault| fault.to_string())?;
        self.copied()
    }

    /// Waits until it has copied everything; it must end with 0.
    fn finish(mut self) -> Result<(), String> {
        let status = wait_until("the copier has copied everything", MINUTES, || {
            self.process.try_wait().map_err(|fault| fault.to_string())
        })?;
        if status.success() { Ok(()) } else { Err(format!("the copier ended with {status}")) }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// How often each payload stands in `topic`.
fn count(
    brokers: &str,
    topic: &str,
    isolation: Isolation,
) -> Result<BTreeMap<Vec<u8>, usize>, String> {
    let mut seen = BTreeMap::new();
    client::read_with(brokers, topic, isolation, |message| {
        *seen.entry(message.payload().unwrap_or_default().to_vec()).or_default() += 1;
    })?;
    Ok(seen)
}

/// Kafka's copier is killed again and again, each time in the middle of its work, and then copies
/// the rest.
pub fn copier(broker: &Broker) -> Result<String, String> {
    let (name, output) = ("exactly-once-control", "exactly-once-control-copy");
    let brokers = broker.plaintext();
    client::create_topics(&brokers, &[(name, 1), (output, 1)])?;
    // The copier takes every payload for text, and would alter what is none.
    Plan { broken_permille: 0, ..Plan::new(&brokers, name, RECORDS) }.send()?;
    let said = broker.folder_for(name)?.join("copier.json");
    let start = |transaction| Copier::start(&brokers, (name, output), transaction, &said);
    let committed = || Ok::<i64, String>(client::committed(&brokers, name, name)?.values().sum());
    let mut random = Random::of(name);
    let (mut before, mut least) = (0, u64::MAX);
    for kill in 0..KILLS {
        let copied = start(SHORT)?.kill_at_work(random.time_below(WORKS_FOR))?;
        least = least.min(copied);
        let now = committed()?;
        // It says so after the commit, so a kill may come between: never the other way round.
        if now - before < i64::try_from(copied).unwrap_or(i64::MAX) {
            return Err(format!("kill {kill}: {copied} copied, committed {before} and then {now}"));
        }
        before = now;
    }
    start(LONG)?.finish()?;
    let wanted = count(&brokers, name, Isolation::Committed)?;
    let found = count(&brokers, output, Isolation::Committed)?;
    let written: usize = count(&brokers, output, Isolation::Uncommitted)?.values().sum();
    let lost = wanted.keys().filter(|payload| !found.contains_key(*payload)).count();
    let repeated: usize = found.values().map(|times| times - 1).sum();
    let all: usize = found.values().sum();
    let invented = found.keys().filter(|payload| !wanted.contains_key(*payload)).count();
    let seen = format!(
        "{KILLS} kills of Kafka's own copier, each after it had copied something (at least {least}), \
         {before} of {RECORDS} records committed by those killed, {} copies in transactions that a kill tore; \
         {all} copied: {lost} lost, {repeated} repeated",
        written - all
    );
    if lost + repeated + invented > 0 || wanted.len() as u64 != RECORDS {
        return Err(format!("{seen}, {invented} invented, {} fed", wanted.len()));
    }
    Ok(seen)
}
