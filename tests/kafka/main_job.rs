//! The main job: resets on a topic, alerts on the alert topic, nothing lost across stops.

use std::time::{Duration, Instant};

use super::broker::Broker;
use super::client::{self, wait_until};
use super::history;
use super::stage::{self, Setup};

const MINUTES: Duration = Duration::from_secs(120);

/// 200,000 events over 4 partitions with 1,000 resets: exactly those alerts, once each, with the
/// position and the hash of their records, as Kafka's own console consumer reads them.
pub fn every_reset_once(broker: &Broker) -> Result<String, String> {
    let name = "main-job";
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    let generator =
        stage::generate(&brokers, name, &["--count", "200000", "--hits-permille", "5"])?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    stage::finish(generator)?;
    let committed = history::wait_for_end(&brokers, name, name, MINUTES)?;
    if committed.len() != 4 || committed.values().any(|offset| *offset == 0) {
        return Err(format!("not every partition was used: {committed:?}"));
    }
    let records = stage.metric("ouzel_records_total", "")?;
    let alerts = stage.metric("ouzel_alerts_total", "")?;
    if (records, alerts) != (200_000.0, 1_000.0) {
        return Err(format!("the metrics say {records} records and {alerts} alerts"));
    }
    stage.stop()?;
    match history::nothing_lost(&brokers, name, &setup.alerts)? {
        (1_000, 0) => Ok("200,000 records, 1,000 alerts: 0 lost, 0 repeated".to_owned()),
        (resets, repeats) => Err(format!("{resets} resets, {repeats} repeats")),
    }
}

/// SIGTERM while events arrive, then a second start: nothing lost, and a clean stop repeats
/// nothing either; at the end the group stands at the log end.
pub fn stop_in_the_middle(broker: &Broker) -> Result<String, String> {
    let name = "restart";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = Setup::named(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    let first = stage::start(&folder, "first", &setup)?;
    let arguments = ["--count", "150000", "--hits-permille", "20", "--rate", "30000"];
    let generator = stage::generate(&brokers, name, &arguments)?;
    wait_until("a third is judged", MINUTES, || {
        Ok((first.metric("ouzel_records_total", "")? > 50_000.0).then_some(()))
    })?;
    first.stop()?;
    let at_stop: i64 = client::committed(&brokers, name, name)?.values().sum();
    if !(50_000..150_000).contains(&at_stop) {
        return Err(format!("stopped at {at_stop}: that is not the middle"));
    }
    let second = stage::start(&folder, "second", &setup)?;
    stage::finish(generator)?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let judged = second.metric("ouzel_records_total", "")?;
    second.stop()?;
    if judged != 150_000.0 - at_stop as f64 {
        return Err(format!("the second start judged {judged} records, the first {at_stop}"));
    }
    match history::nothing_lost(&brokers, name, &setup.alerts)? {
        (3_000, 0) => Ok("150,000 records, 3,000 alerts: 0 lost, 0 repeated".to_owned()),
        (resets, repeats) => Err(format!("{resets} resets, {repeats} repeats")),
    }
}

/// Two instances share the group, one leaves while events arrive.
pub fn two_instances(broker: &Broker) -> Result<String, String> {
    let name = "two-instances";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = Setup::named(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    let first = stage::start(&folder, "first", &setup)?;
    let arguments = ["--count", "200000", "--hits-permille", "20", "--rate", "25000"];
    let generator = stage::generate(&brokers, name, &arguments)?;
    let second = stage::start(&folder, "second", &setup)?;
    for (stage, what) in [(&second, "the second judges"), (&first, "the first judges")] {
        wait_until(what, MINUTES, || {
            let has_work = stage.metric("ouzel_records_total", "")? > 1_000.0
                && stage.metric("ouzel_assigned_partitions", "")? > 0.0;
            Ok(has_work.then_some(()))
        })?;
    }
    let judged_by_first = first.metric("ouzel_records_total", "")?;
    let drained = drains(&first.stop()?);
    if judged_by_first >= 200_000.0 {
        return Err("the first instance judged everything before it left".to_owned());
    }
    stage::finish(generator)?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    second.stop()?;
    let (resets, repeats) = history::nothing_lost(&brokers, name, &setup.alerts)?;
    let longest = drained.iter().max().copied();
    match (resets, repeats, longest) {
        (4_000, 0, Some(..=DRAIN_MS_MAX)) => Ok(format!(
            "200,000 records, 4,000 alerts: 0 lost, 0 repeated; partitions given back {} times in at most {} ms",
            drained.len(),
            longest.unwrap_or_default()
        )),
        _ => Err(format!("{resets} resets, {repeats} repeats, given back after {drained:?} ms")),
    }
}

/// How long a partition may take to be given back while the broker answers.
const DRAIN_MS_MAX: u64 = 1_000;

/// How long partitions took to be given back, in ms, each time that the log says so.
fn drains(logged: &str) -> Vec<u64> {
    let lines = logged.lines().filter(|line| line.contains("partitions were given back"));
    lines
        .filter_map(|line| {
            let (_, said) = line.split_once("took_ms=")?;
            said.split(' ').next()?.parse().ok()
        })
        .collect()
}

/// Four members and one partition: whichever ends, with the partition or without, alone or with
/// another, leaves the group, so that the next rebalance waits for nobody, and neither do the commits
/// behind it.
pub fn idle_members_leave(broker: &Broker) -> Result<String, String> {
    let name = "idle-members";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let mut setup = Setup::named(name, &brokers);
    setup.input.push_str("workers = 1\n");
    setup.create_topics(&brokers, 1)?;
    let mut stages = Vec::new();
    for number in ["first", "second", "third", "fourth"] {
        stages.push(stage::start(&folder, number, &setup)?);
        wait_until("it is a member", MINUTES, || {
            Ok((client::members(&brokers, name)? == stages.len()).then_some(()))
        })?;
    }
    let mut longest = Duration::ZERO;
    while !stages.is_empty() {
        // The last two together, while one's leaving has the other join anew; then one by one.
        let ended = stages.split_off(stages.len().saturating_sub(2).max(1).min(stages.len() - 1));
        std::thread::scope(|scope| {
            let stops: Vec<_> =
                ended.into_iter().map(|stage| scope.spawn(move || stage.stop())).collect();
            stops.into_iter().try_for_each(|stop| match stop.join() {
                Ok(stopped) => stopped.map(drop),
                Err(_) => Err("a stop panicked".to_owned()),
            })
        })?;
        let since = Instant::now();
        wait_until("it has left", MINUTES, || {
            Ok((client::members(&brokers, name)? == stages.len()).then_some(()))
        })?;
        longest = longest.max(since.elapsed());
    }
    let seen = format!("four members of one partition, each gone after at most {longest:.1?}");
    if longest > LEFT_WITHIN { Err(seen) } else { Ok(seen) }
}

/// A session, which a group waits for where nobody says that it is over, is 45 s.
const LEFT_WITHIN: Duration = Duration::from_secs(3);

/// A regular expression without a match waits, ready, and takes the topic that appears.
pub fn topic_that_appears_later(broker: &Broker) -> Result<String, String> {
    let name = "later";
    let brokers = broker.plaintext();
    client::create_topics(&brokers, &[("later-alerts", 1), ("later-dead-letters", 1)])?;
    let mut setup = Setup::named(name, &brokers);
    setup.topics = vec!["^later-input-.*".to_owned()];
    // How soon a new topic is seen is the client's metadata refresh.
    setup.more =
        "[kafka.librdkafka]\n\"topic.metadata.refresh.interval.ms\" = \"1000\"\n".to_owned();
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    client::create_topics(&brokers, &[("later-input-1", 2)])?;
    let arguments = ["--count", "2000", "--hits-permille", "10"];
    stage::finish(stage::generate(&brokers, "later-input-1", &arguments)?)?;
    history::wait_for_end(&brokers, name, "later-input-1", MINUTES)?;
    stage.stop()?;
    match history::nothing_lost(&brokers, "later-input-1", &setup.alerts)? {
        (20, 0) => Ok("2,000 records of a topic that came later, 20 alerts".to_owned()),
        (resets, repeats) => Err(format!("{resets} resets, {repeats} repeats")),
    }
}
