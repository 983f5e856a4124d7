//! Rows 2 and 3: brokers restart, fail over, and are all down.

use std::time::{Duration, Instant};

use super::MINUTES;
use crate::admin::{Admin, Topic};
use crate::broker::Broker;
use crate::client::wait_until;
use crate::cluster::Cluster;
use crate::feed::Plan;
use crate::history;
use crate::stage::{self, Setup, Stage};

/// How soon after the return of a broker the stage must be going again.
const GOING_AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// How soon it must say that it is not ready.
const NOT_READY_WITHIN: Duration = Duration::from_secs(30);

/// The broker is killed and started again, and then stopped and started again.
pub fn restart(broker: &Broker) -> Result<String, String> {
    let name = "broker-restart";
    let brokers = broker.plaintext();
    let setup = Setup::mortal(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(2_000).start();
    stage.wait_for_records(4_000, MINUTES)?;
    broker.node.kill()?;
    broker.node.start()?;
    let after_kill = going_again(&mut stage)?;
    broker.node.stop()?;
    broker.node.start()?;
    let after_stop = going_again(&mut stage)?;
    feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!(
        "going again {after_kill:.1?} after the return of a killed broker, {after_stop:.1?} after \
         that of a stopped one; {seen}"
    ))
}

/// How long it takes from now until the stage judges new records and is ready.
fn going_again(stage: &mut Stage) -> Result<Duration, String> {
    let judged = judged(stage)?;
    going_beyond(stage, judged)
}

/// How many records it has judged.
fn judged(stage: &Stage) -> Result<u64, String> {
    Ok(stage.metric("ouzel_records_total", "")? as u64)
}

/// How long it takes from now until the stage has judged more records than `judged` and is ready.
fn going_beyond(stage: &mut Stage, judged: u64) -> Result<Duration, String> {
    let back = Instant::now();
    stage.wait_for_records(judged + 1_000, GOING_AGAIN_WITHIN)?;
    stage.wait_until_ready()?;
    let took = back.elapsed();
    stage.is_alive()?;
    Ok(took)
}

/// Three nodes: each is stopped and started in turn, then the leader of everything is killed.
pub fn rolling_restart(broker: &Broker) -> Result<String, String> {
    let name = "rolling";
    let cluster = Cluster::start(broker, "rolling-cluster")?;
    let brokers = cluster.brokers();
    let setup = Setup::mortal(name, &brokers);
    let topics = setup.topics(&brokers);
    let replicated = |name, partitions| Topic { replicas: 3, ..Topic::new(name, partitions) };
    Admin::of(&brokers)?.create(&[
        replicated(topics.input, 6),
        replicated(topics.alerts, 3),
        replicated(topics.dead_letters, 1),
    ])?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(1_000).start();
    stage.wait_for_records(3_000, MINUTES)?;
    let mut took = Vec::new();
    for node in &cluster.nodes {
        node.stop()?;
        took.push(going_again(&mut stage)?);
        node.start()?;
        took.push(going_again(&mut stage)?);
    }
    let [first, ..] = &cluster.nodes;
    first.kill()?;
    let after_kill = going_again(&mut stage)?;
    first.start()?;
    going_again(&mut stage)?;
    feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.stop()?;
    let seen = history::only_repeats(&topics, Vec::new())?;
    let longest = took.iter().max().copied().unwrap_or_default();
    Ok(format!(
        "three nodes in turn: going again after {longest:.1?} at most; a killed one: \
         {after_kill:.1?}; {seen}"
    ))
}

/// How soon it must say that a partition cannot be read.
const SAID_WITHIN: Duration = Duration::from_secs(60);

/// One of three nodes is killed that alone has some of the partitions: the others are judged on, and
/// the stage says that some are not.
pub fn one_of_three(broker: &Broker) -> Result<String, String> {
    let name = "one-of-three";
    let cluster = Cluster::start(broker, "one-of-three-cluster")?;
    let brokers = cluster.brokers();
    let setup = Setup::mortal(name, &brokers);
    let topics = setup.topics(&brokers);
    let replicated = |name, partitions| Topic { replicas: 3, ..Topic::new(name, partitions) };
    Admin::of(&brokers)?.create(&[
        Topic { replicas: 1, ..Topic::new(topics.input, 6) },
        replicated(topics.alerts, 3),
        replicated(topics.dead_letters, 1),
    ])?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(1_000).start();
    stage.wait_for_records(3_000, MINUTES)?;
    let [.., last] = &cluster.nodes;
    last.kill()?;
    let killed = Instant::now();
    wait_until("the stage says that a partition cannot be reached", SAID_WITHIN, || {
        let (status, why) = stage.get("/readyz")?;
        Ok((status == 503 && why.contains("input_unreachable")).then_some(()))
    })
    .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    let said_after = killed.elapsed();
    stage.is_alive()?;
    stage.wait_for_records(judged(&stage)? + 1_000, GOING_AGAIN_WITHIN)?;
    let logged = stage.logged();
    let told = logged.lines().filter(|line| line.contains("a partition cannot be read")).count();
    last.start()?;
    let went_on_after = going_again(&mut stage)?;
    feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.stop()?;
    let seen = history::only_repeats(&topics, Vec::new())?;
    let seen = format!(
        "said so after {said_after:.1?}, of {told} partitions; ready {went_on_after:.1?} after the \
         node's return; {seen}"
    );
    if told == 2 { Ok(seen) } else { Err(format!("{seen}; two were expected\n{logged}")) }
}

/// Everything is down until the stage has said that it is not ready, and then comes back.
pub fn down(broker: &Broker) -> Result<String, String> {
    outage(broker, "down", Duration::ZERO)
}

/// Everything is down for two minutes.
pub fn down_for_long(broker: &Broker) -> Result<String, String> {
    outage(broker, "down-for-long", Duration::from_secs(120))
}

/// The brokers are down for `long` and until the stage says so: it stays up, healthy, small and
/// nearly silent, and resumes by itself.
fn outage(broker: &Broker, name: &str, long: Duration) -> Result<String, String> {
    let brokers = broker.plaintext();
    let setup = Setup::mortal(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let plan = Plan::new(&brokers, name, 20_000);
    plan.clone().send()?;
    stage.wait_for_records(20_000, MINUTES)?;
    let down_at = Instant::now();
    broker.node.kill()?;
    let not_ready = stage.wait_until_not_ready(NOT_READY_WITHIN);
    let said_after = down_at.elapsed();
    let logged = stage.logged().lines().count();
    // What was at work a moment ago settles first.
    let settled = watch(&mut stage, long / 4);
    let (_, small) = stage.memory()?;
    let alive = settled.and_then(|()| watch(&mut stage, long - long / 4));
    let lines = stage.logged().lines().count() - logged;
    let (_, later) = stage.memory()?;
    broker.node.start()?;
    not_ready?;
    alive?;
    let lasted = down_at.elapsed();
    // A line a minute and client, and some for what changes in between.
    let lines_most = 12 + 6 * usize::try_from(lasted.as_secs() / 60).unwrap_or_default();
    if lines > lines_most {
        return Err(format!("{lines} lines logged in {lasted:?}:\n{}", stage.logged()));
    }
    if later > small + 8 {
        return Err(format!("memory grew from {small} to {later} MiB"));
    }
    // It may have judged all of them by the time that the last one is sent.
    let before = judged(&stage)?;
    plan.seeded(7).send()?;
    let back = going_beyond(&mut stage, before)?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!(
        "down for {lasted:.0?}: not ready after {said_after:.1?}, {lines} lines logged, memory \
         {small} to {later} MiB, going again after {back:.1?}; {seen}"
    ))
}

/// Sees to it that the stage is alive all the time.
fn watch(stage: &mut Stage, long: Duration) -> Result<(), String> {
    let until = Instant::now() + long;
    while Instant::now() < until {
        stage.is_alive()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    stage.is_alive()
}
