//! What exactly-once costs: throughput beside at-least-once, and how late alerts are visible.
//!
//! Figures of an unoptimised build say little about throughput: `cargo test --release --test kafka`
//! with `OUZEL_FAULTS=1` and `OUZEL_SPEED_RECORDS` (default 300,000) says more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::message::Message;

use super::broker::Broker;
use super::client::{self, wait_until};
use super::feed::Plan;
use super::seed;
use super::stage::{self, Setup};

const MINUTES: Duration = Duration::from_secs(300);
/// The issue of one transaction a second.
const EACH_SECOND: &str = "transaction_interval_ms = 1000\n";
/// Runs of each guarantee, in turn.
const RUNS: usize = 3;
const INTERVAL_MS: u128 = 1000;
/// What an alert may be later than the interval explains: a commit. A build that is not optimised
/// takes longer.
const BEYOND_MS: u128 = if cfg!(debug_assertions) { 500 } else { 50 };
/// Alerts of the first two seconds.
const WARM_UP: usize = 80;

/// The same backlog, 0.1 % of it hits, judged with each guarantee in turn: how long from the first
/// record to the last, as the metrics say.
pub fn throughput(broker: &Broker) -> Result<String, String> {
    let name = "speed";
    let brokers = broker.plaintext();
    let records = seed::number("OUZEL_SPEED_RECORDS").unwrap_or(300_000);
    client::create_topics(&brokers, &[(name, 2)])?;
    let plan = Plan { hits_permille: 1, broken_permille: 0, ..Plan::new(&brokers, name, records) };
    plan.send()?;
    let mut rates = [Vec::new(), Vec::new()];
    for run in 0..RUNS {
        let group = |kind: &str| format!("{name}-{kind}-{run}");
        let (least, exact) = (group("least"), group("exact"));
        let mut setups = [
            Setup::named(&least, &brokers),
            Setup::exactly_once(&exact, &brokers, "a", EACH_SECOND),
        ];
        for (setup, rates) in setups.iter_mut().zip(&mut rates) {
            setup.topics = vec![name.to_owned()];
            setup.input += "workers = 1\n";
            client::create_topics(&brokers, &[(&setup.alerts, 2), (&setup.dead_letters, 1)])?;
            let folder = broker.folder_for(&setup.group)?;
            let stage = stage::spawn(&folder, "stage", setup)?;
            let count = || stage.metric("ouzel_records_total", "");
            let begun = wait_until("the first records are judged", MINUTES, || {
                let found = count()?;
                Ok((found > 0.0).then_some(found))
            })?;
            let started = Instant::now();
            stage.wait_for_records(records, MINUTES)?;
            rates.push((records as f64 - begun) / started.elapsed().as_secs_f64());
            stage.stop()?;
        }
    }
    let [least, exact] = rates.map(median);
    Ok(format!(
        "{records} records, medians of {RUNS}: {least:.0} records/s at least once, {exact:.0} exactly once ({:.0} %)",
        exact * 100.0 / least
    ))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// From the time stamp of a reset's record to the moment at which a reader of committed records has
/// its alert, with one transaction a second.
pub fn latency(broker: &Broker) -> Result<String, String> {
    let name = "speed-latency";
    let brokers = broker.plaintext();
    let setup = Setup::exactly_once(name, &brokers, "a", EACH_SECOND);
    setup.create_topics(&brokers, 4)?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, alerts, at) = (Arc::clone(&stop), setup.alerts.clone(), brokers.clone());
    let reader = std::thread::spawn(move || {
        let mut late = Vec::new();
        client::follow(&at, &alerts, &stopped, |message| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            late.extend(record_time(message.payload()).map(|time| now.saturating_sub(time)));
        })?;
        Ok::<_, String>(late)
    });
    let fed = Plan::new(&brokers, name, 40_000).at_rate(2_000).send()?;
    stage.wait_for_records(fed, MINUTES)?;
    stage.stop()?;
    // What was committed last is on its way to the reader.
    wait_until("the last alerts are visible", MINUTES, || {
        let visible = client::read_all(&brokers, &setup.alerts)?.len();
        Ok((visible == 800).then_some(()))
    })?;
    stop.store(true, Ordering::Relaxed);
    let mut late = reader.join().map_err(|_| "the reader panicked".to_owned())??;
    if late.len() != 800 {
        return Err(format!("{} of 800 alerts were seen", late.len()));
    }
    // The first transactions of a producer make it known to the coordinator.
    let mut steady = late.split_off(WARM_UP);
    let first = late.iter().max().copied().unwrap_or_default();
    steady.sort_unstable();
    let share = |percent: usize| steady[steady.len() * percent / 100];
    let (half, most) = (share(50), share(99));
    let seen = format!(
        "{} alerts, p50 {half} ms, p99 {most} ms after their records; in the first two seconds up to {first} ms",
        steady.len()
    );
    if most > INTERVAL_MS + BEYOND_MS { Err(seen) } else { Ok(seen) }
}

/// The time stamp of the record that an alert comes from.
fn record_time(alert: Option<&[u8]>) -> Option<u128> {
    let alert: serde_json::Value = serde_json::from_slice(alert?).ok()?;
    let text = alert.pointer("/ouzel/source/timestamp")?.as_str()?;
    let time: jiff::Timestamp = text.parse().ok()?;
    u128::try_from(time.as_millisecond()).ok()
}
