//! Row 1: the stage is killed at random points, again and again.

use std::time::Duration;

use super::MINUTES;
use crate::broker::Broker;
use crate::checker::Commits;
use crate::feed::Plan;
use crate::history::{self, AtRest, Topics};
use crate::seed::{self, Random};
use crate::stage::{self, Setup, Stage};

const COMMIT_OFTEN: &str = "[delivery]\ncommit_interval_ms = 200\n";

/// A handful of kills.
pub fn short(broker: &Broker) -> Result<String, String> {
    let name = "kills";
    kills(broker, name, &Setup::mortal(name, &broker.plaintext()), 5)
}

/// `OUZEL_FAULT_KILLS` of them, else a hundred.
pub fn long(broker: &Broker) -> Result<String, String> {
    let name = "kills-long";
    let kills_wanted = seed::number("OUZEL_FAULT_KILLS").unwrap_or(100);
    kills(broker, name, &Setup::mortal(name, &broker.plaintext()), kills_wanted)
}

/// A member that comes back under its name takes its partitions up again at once.
pub fn with_static_membership(broker: &Broker) -> Result<String, String> {
    let name = "kills-static";
    let mut setup = Setup::mortal(name, &broker.plaintext());
    setup.input += "instance_id = \"a\"\n";
    kills(broker, name, &setup, seed::number("OUZEL_FAULT_KILLS").unwrap_or(30))
}

/// The group protocol in which the broker assigns.
pub fn with_consumer_protocol(broker: &Broker) -> Result<String, String> {
    let name = "kills-consumer";
    let mut setup = Setup::named(name, &broker.plaintext());
    setup.input += "protocol = \"consumer\"\n";
    kills(broker, name, &setup, seed::number("OUZEL_FAULT_KILLS").unwrap_or(30))
}

/// Feeds, and kills the stage `count` times meanwhile; then lets it finish and compares. After
/// each kill the committed offsets are held against what is there, and nothing that was committed
/// may come again.
fn kills(broker: &Broker, name: &str, setup: &Setup, count: u64) -> Result<String, String> {
    // Often, so that most kills find something committed a moment ago.
    let setup = Setup { more: format!("{}{COMMIT_OFTEN}", setup.more), ..setup.clone() };
    kills_judged(broker, name, (&setup, count), history::only_repeats)
}

/// What a history must be.
pub type Judgement = fn(&Topics<'_>, Vec<Commits>) -> Result<String, String>;

/// The same, with the configuration as it is and a judgement of one's own.
pub fn kills_judged(
    broker: &Broker,
    name: &str,
    (setup, count): (&Setup, u64),
    judge: Judgement,
) -> Result<String, String> {
    let brokers = broker.plaintext();
    setup.create_topics(&brokers, 4)?;
    let folder = broker.folder_for(name)?;
    let topics = setup.topics(&brokers);
    let mut random = Random::of(name);
    // More than can be judged until the last kill.
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(2_000).start();
    let mut commits = Vec::new();
    let mut progress = 0;
    for number in 0..count {
        let stage = stage::spawn(&folder, "killed", setup)?;
        let before = progress;
        live_for_a_while(&stage, number, &mut random);
        stage.kill()?;
        let found = topics.commits(&setup.group, AtRest::Yes)?;
        progress = found.committed.values().sum();
        if progress < before {
            return Err(format!("kill {number}: committed {before}, and then {progress}"));
        }
        commits.push(found);
    }
    let fed = feed.stop()?;
    let last = stage::start(&folder, "last", setup)?;
    // A hundred kills leave a backlog of a million records.
    history::wait_for_end(&brokers, &setup.group, name, MINUTES * 4)?;
    last.stop()?;
    commits.push(topics.commits(&setup.group, AtRest::Yes)?);
    if progress == 0 {
        return Err("no killed stage got so far as to commit: this shows little".to_owned());
    }
    let seen = judge(&topics, commits)?;
    Ok(format!("{count} kills, {progress} of {fed} records committed by those killed; {seen}"))
}

/// Kills come in three kinds, in turn: in the middle of work, soon after the start, some time later.
fn live_for_a_while(stage: &Stage, number: u64, random: &mut Random) {
    match number % 3 {
        0 => {
            // A stage that does not get so far within this time is killed as well.
            let records = 1 + random.below(4_000);
            drop(stage.wait_for_records(records, Duration::from_secs(20)));
            std::thread::sleep(random.time_below(Duration::from_millis(500)));
        }
        // The moment of the fault is what is random here.
        1 => std::thread::sleep(random.time_below(Duration::from_millis(700))),
        _ => std::thread::sleep(random.time_below(Duration::from_secs(6))),
    }
}
