//! Rows 1 and 5 with exactly-once: nothing lost, and nothing repeated for a reader of committed
//! records.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::MINUTES;
use super::kill::kills_judged;
use crate::broker::Broker;
use crate::client::wait_until;
use crate::exactly_once::SHORT;
use crate::feed::Plan;
use crate::history;
use crate::seed;
use crate::stage::{self, Setup, Stage};

/// A handful of kills.
pub fn kills_short(broker: &Broker) -> Result<String, String> {
    kills(broker, "exactly-once-kills", 4)
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
