//! Rows 8, 9 and 10: outputs that the brokers do not take, for their size or for another reason.

use std::time::{Duration, Instant};

use super::MINUTES;
use crate::admin::{Admin, Topic};
use crate::broker::{Broker, PASSWORD, USER};
use crate::client::{self, Stored};
use crate::cluster::{self, Cluster};
use crate::feed::Plan;
use crate::grants;
use crate::history::{self, AtRest, Topics};
use crate::security;
use crate::stage::{self, Setup, Stage};

/// How soon the stage must say that it is held.
const HELD_WITHIN: Duration = Duration::from_secs(60);

/// Longer than a record may be open outside a hold before the stage counts as unhealthy.
const LONG: Duration = Duration::from_secs(75);

/// Long enough to be told again and again.
const WHILE: Duration = Duration::from_secs(30);

/// How soon it must go on by itself once it can.
const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

/// Starts a stage whose output topics take records of so many bytes only, feeds it 1,000 records
/// and lets it come to the end of them.
fn with_bounds(
    broker: &Broker,
    name: &str,
    alerts: &str,
    dead_letters: &str,
) -> Result<Setup, String> {
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    let topics = setup.topics(&brokers);
    let bounds = [alerts, dead_letters].map(|bytes| [("max.message.bytes", bytes)]);
    Admin::of(&brokers)?.create(&[
        Topic::new(topics.input, 2),
        Topic { settings: &bounds[0], ..Topic::new(topics.alerts, 1) },
        Topic { settings: &bounds[1], ..Topic::new(topics.dead_letters, 1) },
    ])?;
    Plan { broken_permille: 10, ..Plan::new(&brokers, name, 1_000) }.send()?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.is_alive()?;
    stage.stop()?;
    Ok(setup)
}

/// A topic that takes no whole alert gets the smaller form of each.
pub fn alert_too_large(broker: &Broker) -> Result<String, String> {
    let setup = with_bounds(broker, "reduced", "5000", "1000000")?;
    let brokers = broker.plaintext();
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    let alerts = client::read_all(&brokers, &setup.alerts)?;
    let is_reduced = |alert: &&Stored| {
        let payload = alert.payload.as_deref().unwrap_or_default();
        serde_json::from_slice::<serde_json::Value>(payload)
            .is_ok_and(|alert| alert.pointer("/ouzel/reduced") == Some(&true.into()))
    };
    match alerts.iter().filter(is_reduced).count() {
        reduced if reduced == alerts.len() => Ok(format!("{reduced} reduced alerts; {seen}")),
        reduced => Err(format!("{reduced} of {} alerts are reduced", alerts.len())),
    }
}

/// A topic that takes not even the smaller form: each reset is a dead letter, with all its bytes.
pub fn reduced_alert_too_large(broker: &Broker) -> Result<String, String> {
    let setup = with_bounds(broker, "no-room", "300", "1000000")?;
    let brokers = broker.plaintext();
    let letters = client::read_all(&brokers, &setup.dead_letters)?;
    let refused = letters.iter().filter(|letter| {
        header(letter, "ouzel.error.stage") == "sending"
            && header(letter, "ouzel.error.reason") == "output too large"
            && letter.payload.as_ref().is_some_and(|payload| !payload.is_empty())
    });
    match (client::count(&brokers, &setup.alerts)?, refused.count(), letters.len()) {
        (0, 20, 30) => Ok("20 resets and 10 broken records are 30 dead letters".to_owned()),
        found => Err(format!("alerts, refused ones, dead letters: {found:?}, not (0, 20, 30)")),
    }
}

/// A dead-letter topic that takes no whole record gets dead letters without their value.
pub fn dead_letter_too_large(broker: &Broker) -> Result<String, String> {
    let setup = with_bounds(broker, "no-room-for-letters", "1000000", "1000")?;
    let letters = client::read_all(&broker.plaintext(), &setup.dead_letters)?;
    let is_cut = |letter: &&Stored| {
        letter.payload.as_deref() == Some(b"")
            && header(letter, "ouzel.error.truncated") == "true"
            && header(letter, "ouzel.payload.sha256").len() == 64
    };
    match (letters.len(), letters.iter().filter(is_cut).count()) {
        (10, 10) => Ok("10 dead letters without their value, with its hash".to_owned()),
        found => Err(format!("dead letters, those without value: {found:?}, not (10, 10)")),
    }
}

fn header(letter: &Stored, wanted: &str) -> String {
    let found = letter.headers.iter().find(|(name, _)| name == wanted);
    let value = found.and_then(|(_, value)| value.clone()).unwrap_or_default();
    String::from_utf8_lossy(&value).into_owned()
}

/// The alert topic is deleted while the stage runs, and made again.
pub fn alert_topic_deleted(broker: &Broker) -> Result<String, String> {
    let setup = Setup::named("alerts-deleted", &broker.plaintext());
    deleted(broker, &setup, &setup.alerts, WHILE)
}

/// The dead-letter topic is deleted while the stage runs, and made again.
pub fn dead_letter_topic_deleted(broker: &Broker) -> Result<String, String> {
    let setup = Setup::named("letters-deleted", &broker.plaintext());
    deleted(broker, &setup, &setup.dead_letters, Duration::ZERO)
}

fn deleted(broker: &Broker, setup: &Setup, topic: &str, long: Duration) -> Result<String, String> {
    let brokers = broker.plaintext();
    setup.create_topics(&brokers, 2)?;
    let admin = Admin::of(&brokers)?;
    let stage = stage::start(&broker.folder_for(&setup.group)?, "stage", setup)?;
    // What was delivered to a topic that is deleted is gone: there is nothing before.
    admin.delete(topic)?;
    let topics = setup.topics(&brokers);
    held(&topics, &setup.group, stage, long, || client::create_topics(&brokers, &[(topic, 2)]))
}

/// The right to write alerts is taken away in the middle of them, and given back.
pub fn unauthorised(broker: &Broker) -> Result<String, String> {
    let name = "forbidden";
    let brokers = broker.plaintext();
    let setup = security::with_password(broker, name, PASSWORD)?;
    setup.create_topics(&brokers, 2)?;
    grants::all(broker, name)?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let admin = Admin::of(&brokers)?;
    let principal = format!("User:{USER}");
    let right = ["--allow-principal", &principal, "--operation", "WRITE", "--topic", &setup.alerts];
    // So that some of them are on their way at every moment.
    let before =
        Plan { hits_permille: 300, ..Plan::new(&brokers, name, u64::MAX).seeded(1).at_rate(2_000) };
    let before = before.start();
    stage.wait_for_records(2_000, MINUTES)?;
    admin.access(&[&["--remove", "--force"][..], &right[..]].concat())?;
    before.stop()?;
    let give_back = || admin.access(&[&["--add"][..], &right[..]].concat());
    held(&setup.topics(&brokers), name, stage, LONG, give_back)
}

/// Fewer replicas are in step than the alert topic wants, and then enough.
pub fn under_replicated(broker: &Broker) -> Result<String, String> {
    let name = "few-replicas";
    let cluster = Cluster::start(broker, "few-replicas-cluster")?;
    let brokers = cluster.brokers();
    let setup = Setup::mortal(name, &brokers);
    let topics = setup.topics(&brokers);
    let all_three = [("min.insync.replicas", "3")];
    let replicated = |name, partitions| Topic { replicas: 3, ..Topic::new(name, partitions) };
    Admin::of(&brokers)?.create(&[
        replicated(topics.input, 2),
        Topic { settings: &all_three, ..replicated(topics.alerts, 2) },
        replicated(topics.dead_letters, 1),
    ])?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let [.., last] = &cluster.nodes;
    last.kill()?;
    held(&topics, name, stage, WHILE, || last.start())
}

/// The brokers take a trickle of the stage's outputs, and then all.
pub fn over_quota(broker: &Broker) -> Result<String, String> {
    let name = "over-quota";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.kafka += "client_id = \"over-quota\"\n";
    setup.create_topics(&brokers, 2)?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let admin = Admin::of(&brokers)?;
    let client = ["--entity-type", "clients", "--entity-name", name];
    admin.alter(&[&["--add-config", "producer_byte_rate=200"][..], &client[..]].concat())?;
    let end =
        || admin.alter(&[&["--delete-config", "producer_byte_rate"][..], &client[..]].concat());
    let before = Plan { hits_permille: 200, ..Plan::new(&brokers, name, 2_000).seeded(1) };
    before.send()?;
    held(&setup.topics(&brokers), name, stage, WHILE, end)
}

/// The largest file that the node of the outputs may write: its folder for alerts is full then.
const DISK: u64 = 12 << 20;

/// The disk with the alert topic is full: the node of the outputs gives up the folder, and takes
/// alerts again when it is started on a disk with room.
pub fn disk_full(broker: &Broker) -> Result<String, String> {
    let name = "full";
    let brokers = broker.plaintext();
    let (outputs, address) = cluster::alone(broker, "full-node")?;
    outputs.limit_files(Some(DISK));
    outputs.start()?;
    let mut setup = Setup::named(name, &brokers);
    setup.output = "compression = \"none\"\n".to_owned();
    setup.more = format!("[output.kafka]\nbrokers = {address:?}\n");
    client::create_topics(&brokers, &[(name, 2)])?;
    let topics = Topics { output_brokers: &address, ..setup.topics(&brokers) };
    client::create_topics(&address, &[(topics.alerts, 1), (topics.dead_letters, 1)])?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    // Twice what there is room for.
    Plan { hits_permille: 1000, ..Plan::new(&brokers, name, 3_000).seeded(1) }.send()?;
    held(&topics, name, stage, LONG, || {
        outputs.limit_files(None);
        outputs.stop()?;
        outputs.start()
    })
}

/// Where the configuration says so, what cannot be judged is counted and discarded: no topic holds
/// anything up.
pub fn discarded(broker: &Broker) -> Result<String, String> {
    let name = "discarding";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.dead_letters = "discard".to_owned();
    client::create_topics(&brokers, &[(name, 2), (&setup.alerts, 2)])?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    Plan { broken_permille: 10, ..Plan::new(&brokers, name, 5_000) }.send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let counted = stage.metric("ouzel_dead_letters_total", "")?;
    stage.stop()?;
    match (history::nothing_lost(&brokers, name, &setup.alerts)?, counted) {
        ((100, 0), 50.0) => Ok("50 broken records counted and discarded, 100 alerts".to_owned()),
        found => Err(format!("resets and repeats, discarded: {found:?}, not ((100, 0), 50)")),
    }
}

/// Feeds a stage whose outputs are refused: it must stop before what it cannot deliver, say that
/// it is not ready, stay healthy as `long` as that lasts, and go on by itself after `repair`, with
/// nothing lost and everything in order.
fn held(
    topics: &Topics<'_>,
    group: &str,
    mut stage: Stage,
    long: Duration,
    repair: impl FnOnce() -> Result<(), String>,
) -> Result<String, String> {
    let brokers = topics.brokers;
    let began = Instant::now();
    Plan { hits_permille: 200, ..Plan::new(brokers, topics.input, 2_000) }.send()?;
    let why = stage.wait_until_not_ready(HELD_WITHIN)?;
    let said_after = began.elapsed();
    while began.elapsed() < long {
        stage.is_alive()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    // A topic that cannot be read is no evidence.
    let commits: Vec<_> = topics.commits(group, AtRest::No).into_iter().collect();
    repair()?;
    let repaired = Instant::now();
    history::wait_for_end(brokers, group, topics.input, GOES_ON_WITHIN)
        .map_err(|fault| format!("{fault}\n{}", stage.logged()))?;
    let went_on_after = repaired.elapsed();
    stage.wait_until_ready()?;
    stage.is_alive()?;
    stage.stop()?;
    let checked = if commits.is_empty() { "not" } else { "also" };
    let seen = history::only_repeats(topics, commits)?;
    let why = why.lines().next().unwrap_or_default();
    Ok(format!(
        "not ready after {said_after:.1?} ({why}), healthy for {:.0?}, at the end \
         {went_on_after:.1?} after the repair; {seen}; commits while held {checked} checked",
        long.max(said_after)
    ))
}
