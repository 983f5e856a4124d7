//! Rows 1 and 5 with exactly-once: nothing lost, and nothing repeated for a reader of committed
//! records.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::message::Message;

use super::MINUTES;
use super::kill::kills_judged;
use crate::broker::Broker;
use crate::client::{self, wait_until};
use crate::exactly_once::SHORT;
use crate::feed::Plan;
use crate::seed::{self, Random};
use crate::stage::{self, Setup, Stage};
use crate::{history, java};

/// A handful of kills.
pub fn kills_short(broker: &Broker) -> Result<String, String> {
    kills(broker, "exactly-once-kills", 6)
}

/// `OUZEL_FAULT_KILLS` of them, else a hundred.
pub fn kills_long(broker: &Broker) -> Result<String, String> {
    let wanted = seed::number("OUZEL_FAULT_KILLS").unwrap_or(100);
    kills(broker, "exactly-once-kills-long", wanted)
}

fn kills(broker: &Broker, name: &str, count: u64) -> Result<String, String> {
    let setup = Setup::exactly_once(name, &broker.plaintext(), "a", SHORT);
    kills_judged(broker, name, (&setup, count), history::exactly_once)
}

/// How an instance is frozen in the middle of a transaction.
struct Freeze<'a> {
    name: &'a str,
    /// Lines of `[delivery]` of both instances.
    delivery: &'a str,
    /// How much longer than until its partitions have moved.
    longer: Duration,
}

/// Two instances; one is frozen until its partitions have moved, and longer, and then wakes up.
fn freeze(broker: &Broker, freeze: &Freeze<'_>) -> Result<(Stage, String), String> {
    let Freeze { name, delivery, longer } = *freeze;
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = |instance: &str| {
        let mut setup = Setup::exactly_once(name, &brokers, instance, delivery);
        setup.input += "workers = 1\n";
        setup
    };
    setup("a").create_topics(&brokers, 4)?;
    let zombie = stage::start(&folder, "zombie", &setup("a"))?;
    let other = stage::start(&folder, "other", &setup("b"))?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(2_000).start();
    for stage in [&zombie, &other] {
        stage.wait_for_records(2_000, MINUTES)?;
    }
    let has = |stage: &Stage, partitions: f64| {
        Ok((stage.metric("ouzel_assigned_partitions", "")? == partitions).then_some(()))
    };
    zombie.signal(Signal::SIGSTOP)?;
    wait_until("the other one has all partitions", MINUTES, || has(&other, 4.0))?;
    let judged = other.metric("ouzel_records_total", "")? as u64;
    other.wait_for_records(judged + 2_000, MINUTES)?;
    // The fault is that it sleeps for so long.
    std::thread::sleep(longer);
    zombie.signal(Signal::SIGCONT)?;
    // Whether it hears of its loss first or tries to commit first is up to its client.
    wait_until("the zombie has partitions again", MINUTES, || has(&zombie, 2.0))?;
    let failed = zombie.metric("ouzel_commit_failures_total", "")?;
    let judged = zombie.metric("ouzel_records_total", "")? as u64;
    zombie.wait_for_records(judged + 2_000, MINUTES)?;
    let fed = feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    other.stop()?;
    let seen = history::exactly_once(&setup("a").topics(&brokers), Vec::new())?;
    Ok((zombie, format!("{failed} failed commits of the zombie, {fed} records fed; {seen}")))
}

/// Its alerts are invisible, the group refuses its offsets, and it takes part again.
pub fn zombie(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once-zombie";
    // Long transactions: one is open when it is frozen, and not ended by the broker meanwhile.
    let delivery = "transaction_interval_ms = 2000\ntransaction_timeout_ms = 60000\n";
    let (zombie, seen) = freeze(broker, &Freeze { name, delivery, longer: Duration::ZERO })?;
    zombie.stop()?;
    Ok(seen)
}

/// The same for so long that the broker gives up on the transaction, which shuts the producer out.
pub fn shut_out(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once-shut-out";
    let delivery = "transaction_interval_ms = 1000\ntransaction_timeout_ms = 4000\n";
    // The broker looks for such transactions every ten seconds.
    let longer = Duration::from_secs(15);
    let (zombie, seen) = freeze(broker, &Freeze { name, delivery, longer })?;
    let said = zombie.stop()?;
    // Where its first word to the broker was an abort, there was nothing left to shut out.
    let how = match said.contains("another one takes its place") {
        true => "its producer was replaced",
        false => "it aborted what the broker had aborted",
    };
    Ok(format!("{how}; {seen}"))
}

/// The control: Kafka's own copier, killed at random points like the stage, read by the same reader.
/// If it lost or repeated anything, the fault would not be the stage's.
pub fn control(broker: &Broker) -> Result<String, String> {
    let (name, output) = ("exactly-once-control", "exactly-once-control-copy");
    let brokers = broker.plaintext();
    client::create_topics(&brokers, &[(name, 1), (output, 2)])?;
    // The copier takes every payload for text, and would alter what is none.
    let fed = Plan { broken_permille: 0, ..Plan::new(&brokers, name, 30_000) }.send()?;
    let arguments = [
        ["--input-topic", name, "--input-partition", "0", "--output-topic", output],
        ["--broker-list", &brokers, "--transaction-size", "100", "--transaction-timeout", "10000"],
        ["--consumer-group", name, "--transactional-id", name, "--max-messages", "-1"],
    ];
    let copier = || {
        let mut command =
            java::command("org.apache.kafka.tools.TransactionalMessageCopier", "256m")?;
        command.args(arguments.iter().flatten()).arg("--enable-random-aborts");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|fault| fault.to_string())
    };
    let mut random = Random::of(name);
    let kills = 10;
    for _ in 0..kills {
        let mut process = copier()?;
        // The moment of the fault is what is random here; a JVM takes a second to start.
        std::thread::sleep(Duration::from_secs(1) + random.time_below(Duration::from_secs(3)));
        process.kill().map_err(|fault| fault.to_string())?;
        process.wait().map_err(|fault| fault.to_string())?;
    }
    let done: i64 = client::committed(&brokers, name, name)?.values().sum();
    let status = copier()?.wait().map_err(|fault| fault.to_string())?;
    let count = |topic: &str| {
        let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        client::read(&brokers, topic, |message| {
            *seen.entry(message.payload().unwrap_or_default().to_vec()).or_default() += 1;
        })?;
        Ok::<_, String>(seen)
    };
    let (wanted, found) = (count(name)?, count(output)?);
    if wanted != found {
        let lost = wanted.keys().filter(|payload| !found.contains_key(*payload)).count();
        let all: usize = found.values().sum();
        return Err(format!("{status}: {lost} of {fed} lost, {all} copied"));
    }
    Ok(format!(
        "{kills} kills of Kafka's copier, {done} of {fed} records before the last: all once"
    ))
}
