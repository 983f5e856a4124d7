//! Exactly-once on a real Apache Kafka, as a reader of committed records sees it.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::broker::Broker;
use super::client::{self, wait_until};
use super::feed::Plan;
use super::history;
use super::stage::{self, Setup};
use super::{admin, admin::Admin, grants, security};

const MINUTES: Duration = Duration::from_secs(120);

/// Short transactions, so that a test has many of them.
pub const SHORT: &str = "transaction_interval_ms = 200\ntransaction_timeout_ms = 10000\n";

/// Alerts, dead letters and offsets, many transactions long: none is lost or repeated, a clean stop
/// ends with 0, and a second start goes on where the first one ended.
pub fn main_job(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = Setup::exactly_once(name, &brokers, "a", SHORT);
    setup.create_topics(&brokers, 4)?;
    let feed = Plan::new(&brokers, name, 40_000).at_rate(8_000).start();
    let first = stage::start(&folder, "first", &setup)?;
    first.wait_for_records(15_000, MINUTES)?;
    first.stop()?;
    let at_stop: i64 = client::committed(&brokers, name, name)?.values().sum();
    let second = stage::start(&folder, "second", &setup)?;
    feed.finish()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let judged = second.metric("ouzel_records_total", "")?;
    let commits = second.metric("ouzel_commits_total", "")?;
    second.stop()?;
    if judged as i64 != 40_000 - at_stop {
        return Err(format!("the second start judged {judged} records, the first {at_stop}"));
    }
    let seen = history::exactly_once(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("{commits} commits after a stop at {at_stop}; {seen}"))
}

/// Two instances share the group, one leaves while events arrive.
pub fn two_instances(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once-two";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = |instance: &str| Setup::exactly_once(name, &brokers, instance, SHORT);
    setup("a").create_topics(&brokers, 4)?;
    let first = stage::start(&folder, "first", &setup("a"))?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(4_000).start();
    first.wait_for_records(2_000, MINUTES)?;
    let second = stage::start(&folder, "second", &setup("b"))?;
    second.wait_for_records(4_000, MINUTES)?;
    let left_at = first.metric("ouzel_records_total", "")?;
    first.stop()?;
    wait_until("the second has all partitions", MINUTES, || {
        Ok((second.metric("ouzel_assigned_partitions", "")? == 4.0).then_some(()))
    })?;
    let judged = second.metric("ouzel_records_total", "")? as u64;
    second.wait_for_records(judged + 4_000, MINUTES)?;
    feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    second.stop()?;
    let seen = history::exactly_once(&setup("a").topics(&brokers), Vec::new())?;
    Ok(format!("the first left after {left_at} records; {seen}"))
}

/// Two ways into an abort: a broker that does not answer until outputs have timed out, and alerts
/// that their topic does not take in full. Nothing is lost or repeated, and the stage goes on.
pub fn aborts(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once-aborts";
    let brokers = broker.plaintext();
    let setup = Setup {
        output: "include_original = true\n".to_owned(),
        ..Setup::exactly_once(
            name,
            &brokers,
            "a",
            "transaction_interval_ms = 200\ntransaction_timeout_ms = 20000\n\
             message_timeout_ms = 1500\n",
        )
    };
    let settings = [("max.message.bytes", "4500")];
    let topics = [
        admin::Topic::new(name, 4),
        admin::Topic { settings: &settings, ..admin::Topic::new(&setup.alerts, 2) },
        admin::Topic::new(&setup.dead_letters, 1),
    ];
    Admin::of(&brokers)?.create(&topics)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    // Each alert that is too large costs an abort or two: a few of them are enough.
    let plan = Plan { hits_permille: 3, ..Plan::new(&brokers, name, u64::MAX) };
    let feed = plan.at_rate(500).start();
    stage.wait_for_records(1_000, MINUTES)?;
    broker.node.signal(Signal::SIGSTOP)?;
    // The fault is that nothing answers for so long.
    std::thread::sleep(Duration::from_secs(4));
    broker.node.signal(Signal::SIGCONT)?;
    let judged = stage.metric("ouzel_records_total", "")? as u64;
    stage.wait_for_records(judged + 1_500, MINUTES)?;
    stage.is_alive()?;
    let fed = feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.wait_until_ready()?;
    let judged = stage.metric("ouzel_records_total", "")?;
    stage.stop()?;
    let seen = history::exactly_once(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("{fed} records were judged {judged} times; {seen}"))
}

/// What only the broker knows is refused at the start as well, in plain words.
pub fn refusals(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once-refused";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = |more: &str| Setup::exactly_once(name, &brokers, "a", more);
    setup("").create_topics(&brokers, 2)?;
    let ends = |case: &str, setup: &Setup, parts: &[&str]| {
        let mut stage = stage::spawn(&folder, case, setup)?;
        let status = stage.ended(Duration::from_secs(40))?;
        let said = stage.logged();
        let is_plain = parts.iter().all(|part| said.contains(part));
        if status.code() == Some(4) && is_plain {
            return Ok(());
        }
        Err(format!("{case}: ended with {status}, and said:\n{said}"))
    };
    let too_long = setup("transaction_timeout_ms = 1000000\n");
    ends("timeout", &too_long, &["delivery.transaction_timeout_ms", "transaction.max.timeout.ms"])?;
    let other = Setup::mortal(name, &brokers);
    let running = stage::start(&folder, "other", &other)?;
    ends("mixed", &setup(""), &["all instances of the group have to be stopped"])?;
    running.stop()?;
    Ok("a time-out above the broker's, and a group of the other guarantee".to_owned())
}

/// A user with the grants of the other guarantee is refused in plain words; with what the document
/// names for this one as well it does the whole job.
pub fn rights(broker: &Broker) -> Result<String, String> {
    let name = "exactly-once-rights";
    let brokers = broker.plaintext();
    let setup = security::with_exactly_once(broker, name)?;
    setup.create_topics(&brokers, 2)?;
    grants::all(broker, name)?;
    let said = security::refused(broker, name, &setup)?;
    let id = format!("{name}-{name}-a-0");
    if !said.contains(&id) || !said.contains("WRITE") {
        return Err(format!("it does not say what is missing:\n{said}"));
    }
    grants::for_exactly_once(broker, name)?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    Plan::new(&brokers, name, 3_000).send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.stop()?;
    let seen = history::exactly_once(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("refused without, and with them: {seen}"))
}
