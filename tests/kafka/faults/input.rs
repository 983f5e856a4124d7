//! Row 18: the right to read is taken away and given back, while records come.

use std::time::{Duration, Instant};

use super::MINUTES;
use crate::admin::Admin;
use crate::broker::{Broker, PASSWORD, USER};
use crate::client::wait_until;
use crate::feed::Plan;
use crate::grants;
use crate::history::{self, AtRest};
use crate::security;
use crate::stage::{self, Setup};

/// How soon the stage must say that it may not read.
const HELD_WITHIN: Duration = Duration::from_secs(30);

/// How soon it must be ready again once it may: the client library looks at the cluster every 30 s,
/// and may have left the topic out of its group meanwhile.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Until the client library has looked at the cluster again and found no such topic, and for longer
/// than a record may be open.
const LONG: Duration = Duration::from_secs(75);

/// What the stage logs, with the topic.
const FORBIDDEN: &str = "the topic may not be read any more";

/// For some seconds.
pub fn short(broker: &Broker) -> Result<String, String> {
    let setup = security::with_password(broker, "unread", PASSWORD)?;
    grants::all(broker, "unread")?;
    forbidden(broker, &setup, Duration::ZERO)
}

/// For long.
pub fn long(broker: &Broker) -> Result<String, String> {
    let setup = security::with_password(broker, "long-unread", PASSWORD)?;
    grants::all(broker, "long-unread")?;
    forbidden(broker, &setup, LONG)
}

/// The same with exactly-once.
pub fn exactly_once(broker: &Broker) -> Result<String, String> {
    let setup = security::with_exactly_once(broker, "once-unread")?;
    grants::all(broker, "once-unread")?;
    grants::for_exactly_once(broker, "once-unread")?;
    forbidden(broker, &setup, LONG)
}

/// The right to read the events is taken away in the middle of them, and given back.
fn forbidden(broker: &Broker, setup: &Setup, long: Duration) -> Result<String, String> {
    let brokers = broker.plaintext();
    let name = &*setup.group;
    setup.create_topics(&brokers, 4)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", setup)?;
    let admin = Admin::of(&brokers)?;
    let principal = format!("User:{USER}");
    let right = ["--allow-principal", &principal, "--operation", "READ", "--topic", name];
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(2_000).start();
    stage.wait_for_records(4_000, MINUTES)?;
    admin.access(&[&["--remove", "--force"][..], &right[..]].concat())?;
    let began = Instant::now();
    let why = wait_until("the stage says that it may not read", HELD_WITHIN, || {
        let (status, why) = stage.get("/readyz")?;
        Ok((status == 503 && why.contains("input_forbidden")).then_some(why))
    })
    .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    let said_after = began.elapsed();
    let workers = stage.metric("ouzel_held", "cause=\"input_forbidden\"")?;
    while began.elapsed() < long {
        stage.is_alive()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    let (status, still) = stage.get("/readyz")?;
    let commits = setup.topics(&brokers).commits(name, AtRest::No)?;
    admin.access(&[&["--add"][..], &right[..]].concat())?;
    let given_back = Instant::now();
    wait_until("the stage is ready", READY_WITHIN, || {
        Ok((stage.get("/readyz")?.0 == 200).then_some(()))
    })
    .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    let ready_after = given_back.elapsed();
    let fed = feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)
        .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    stage.is_alive()?;
    let logged = stage.logged();
    let is_told = |line: &&str| {
        line.contains("ERROR")
            && line.contains(FORBIDDEN)
            && line.contains(&format!("topic={name}"))
    };
    let told = logged.lines().filter(is_told).count();
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), vec![commits])?;
    let seen = format!(
        "not ready after {said_after:.1?} ({}), {workers} workers held, told {told} times; ready \
         {ready_after:.1?} after it was allowed again; {fed} records came; {seen}",
        why.lines().collect::<Vec<_>>().join("; ")
    );
    let is_still = status == 503 && still.contains("input_forbidden");
    match is_still && workers > 0.0 && told > 0 {
        true => Ok(seen),
        false => Err(format!("{seen}; at the end {status} {still}\n{logged}")),
    }
}
