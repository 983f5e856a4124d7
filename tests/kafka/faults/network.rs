//! Rows 4 and 5: what lies between stage and broker is slow, long, thin, cut, or silent.

use std::time::{Duration, Instant};

use super::MINUTES;
use crate::broker::Broker;
use crate::client::wait_until;
use crate::feed::Plan;
use crate::history::{self, AtRest};
use crate::proxy::Fault;
use crate::seed::Random;
use crate::stage::{self, Setup, Stage};

/// Everything takes a second longer, in each direction: a round trip takes two.
pub fn slow(broker: &Broker) -> Result<String, String> {
    hindered(broker, "slow", Fault::Delay(Duration::from_secs(1)), 20_000)
}

/// 200 KB a second, in each direction.
pub fn thin(broker: &Broker) -> Result<String, String> {
    hindered(broker, "thin", Fault::Throttle(200 << 10), 10_000)
}

/// The stage starts on a good line, and gets its records over a bad one: it goes on, slowly, keeps
/// its partitions and loses nothing.
fn hindered(broker: &Broker, name: &str, fault: Fault, records: u64) -> Result<String, String> {
    let brokers = broker.plaintext();
    // As it is configured by default: time-outs of the group are not those of the dying. One
    // worker: a second one that joins would be a rebalance too.
    let mut setup = Setup::named(name, &broker.proxied());
    setup.input = "workers = 1\n".to_owned();
    setup.create_topics(&brokers, 4)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    has_partitions(&stage, "it has all partitions", |count| count == 4.0)?;
    let rebalances = stage.metric("ouzel_rebalances_total", "")?;
    let started = Instant::now();
    let in_force = broker.proxy.put(fault);
    let passed = broker.proxy.passed();
    Plan::new(&brokers, name, records).send()?;
    stage.wait_for_records(records, MINUTES)?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let took = started.elapsed();
    stage.is_alive()?;
    let passed = (broker.proxy.passed() - passed) >> 20;
    drop(in_force);
    let more = stage.metric("ouzel_rebalances_total", "")? - rebalances;
    stage.stop()?;
    if more > 0.0 {
        return Err(format!("{more} rebalances"));
    }
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("{passed} MiB in {took:.1?}, no rebalance; {seen}"))
}

/// How far away the brokers are that take the outputs: a round trip takes twice as long.
const AWAY: Duration = Duration::from_millis(20);

/// The most of a core that a stage may take which judges 500 records a second, all of them hits: ten
/// outputs of each partition would be under way.
const CORE_MAX: f64 = 0.5;

/// The stage is close to its input and far from the brokers of its outputs: it waits for their
/// answers, and takes no processor for that.
pub fn far_outputs(broker: &Broker) -> Result<String, String> {
    let name = "far";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.input = "workers = 1\n".to_owned();
    setup.more = format!("[output.kafka]\nbrokers = {:?}\n", broker.proxied());
    setup.create_topics(&brokers, 1)?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let in_force = broker.proxy.put(Fault::Delay(AWAY));
    let plan = Plan { hits_permille: 1000, broken_permille: 0, ..Plan::new(&brokers, name, 4_000) };
    let passed = broker.proxy.passed();
    let (started, before) = (Instant::now(), stage.metric("process_cpu_seconds_total", "")?);
    plan.at_rate(500).send()?;
    stage.wait_for_records(4_000, MINUTES)?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let took = started.elapsed();
    let share = (stage.metric("process_cpu_seconds_total", "")? - before) / took.as_secs_f64();
    let passed = (broker.proxy.passed() - passed) >> 20;
    drop(in_force);
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    let seen = format!("{:.0} % of a core for {took:.1?}, {passed} MiB; {seen}", share * 100.0);
    if share > CORE_MAX || passed == 0 { Err(seen) } else { Ok(seen) }
}

/// One of two members is cut off from the brokers without a sign until the other has its
/// partitions, and then returns: what it had in hand comes at most again.
pub fn zombie(broker: &Broker) -> Result<String, String> {
    let name = "zombie";
    let brokers = broker.plaintext();
    let heir = Setup::mortal(name, &brokers);
    heir.create_topics(&brokers, 4)?;
    let zombie = Setup { kafka: format!("brokers = {:?}\n", broker.proxied()), ..heir.clone() };
    let folder = broker.folder_for(name)?;
    let mut heir_stage = stage::start(&folder, "heir", &heir)?;
    let mut zombie_stage = stage::start(&folder, "zombie", &zombie)?;
    has_partitions(&zombie_stage, "the one to be cut off has partitions", |count| count > 0.0)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(2_000).start();
    zombie_stage.wait_for_records(1_000, MINUTES)?;
    let silent = broker.proxy.put(Fault::HalfOpen);
    has_partitions(&heir_stage, "the other has them all", |count| count == 4.0)?;
    let at_takeover = heir.topics(&brokers).commits(name, AtRest::No)?;
    let judged = heir_stage.metric("ouzel_records_total", "")? as u64;
    heir_stage.wait_for_records(judged + 4_000, MINUTES)?;
    let not_ready = zombie_stage.wait_until_not_ready(Duration::from_secs(45))?;
    drop(silent);
    zombie_stage.wait_until_ready()?;
    has_partitions(&zombie_stage, "the returned has partitions again", |count| count > 0.0)?;
    let fed = feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    heir_stage.is_alive()?;
    heir_stage.stop()?;
    zombie_stage.stop()?;
    let seen = history::only_repeats(&heir.topics(&brokers), vec![at_takeover])?;
    let not_ready = not_ready.lines().next().unwrap_or_default().to_owned();
    Ok(format!("cut off ({not_ready}) while {fed} records came; returned; {seen}"))
}

fn has_partitions(stage: &Stage, what: &str, is_it: impl Fn(f64) -> bool) -> Result<(), String> {
    wait_until(what, MINUTES, || {
        Ok(is_it(stage.metric("ouzel_assigned_partitions", "")?).then_some(()))
    })
    .map_err(|fault| format!("{fault}\n{}", stage.logged()))
}

/// Every connection is cut at random moments, for a random time.
pub fn cuts(broker: &Broker) -> Result<String, String> {
    let name = "cuts";
    let brokers = broker.plaintext();
    let mut setup = Setup::mortal(name, &broker.proxied());
    setup.input = "session_timeout_ms = 6000\n".to_owned();
    setup.create_topics(&brokers, 4)?;
    let mut random = Random::of(name);
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(2_000).start();
    let mut commits = Vec::new();
    let mut kinds = [0_u32; 3];
    for _ in 0..30 {
        std::thread::sleep(random.time_below(Duration::from_secs(3)));
        let kind = random.below(3);
        let fault = match kind {
            0 => Fault::Cut,
            1 => Fault::HalfOpen,
            _ => Fault::Delay(random.time_below(Duration::from_secs(2))),
        };
        let in_force = broker.proxy.put(fault);
        std::thread::sleep(random.time_below(Duration::from_secs(3)));
        // Ends as a cut, so that what was on its way gets lost as well.
        in_force.change(Fault::Cut);
        drop(in_force);
        if let Some(count) = kinds.get_mut(usize::try_from(kind).unwrap_or_default()) {
            *count += 1;
        }
        commits.push(setup.topics(&brokers).commits(name, AtRest::No)?);
        stage.is_alive()?;
    }
    let fed = feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), commits)?;
    Ok(format!("{kinds:?} cuts, silences and delays in {fed} records; {seen}"))
}
