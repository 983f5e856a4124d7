//! Rows 11 and 12: records go before they were judged, partitions come, topics are made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::MINUTES;
use crate::admin::Admin;
use crate::broker::Broker;
use crate::checker;
use crate::client;
use crate::feed::Plan;
use crate::history;
use crate::stage::{self, Setup, Stage};

/// What the stage logs of records that were gone before it came to them.
const GONE: &str = "records are gone from the topic before they were judged";

/// Retention overtakes a stage that stands still, and one that is stopped: it says what is gone,
/// from where to where, and goes on at the oldest record that is left.
pub fn overtaken(broker: &Broker) -> Result<String, String> {
    let name = "overtaken";
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    setup.create_topics(&brokers, 2)?;
    let admin = Admin::of(&brokers)?;
    let folder = broker.folder_for(name)?;
    let stage = stage::start(&folder, "stage", &setup)?;
    let plan = Plan::new(&brokers, name, 4_000);
    plan.clone().seeded(1).send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let mut gone = Gone::default();
    stage.signal(Signal::SIGSTOP)?;
    let overtaken = plan.clone().seeded(2).send().and_then(|_| gone.take(&admin, &setup, &brokers));
    stage.signal(Signal::SIGCONT)?;
    overtaken?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let lines = said_so(&stage, 2)?;
    stage.stop()?;
    plan.clone().seeded(3).send()?;
    gone.take(&admin, &setup, &brokers)?;
    let stage = stage::start(&folder, "again", &setup)?;
    plan.seeded(4).send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let again = said_so(&stage, 2)?;
    stage.stop()?;
    let seen = gone.check(&setup, &brokers)?;
    Ok(format!("overtaken twice; said so {} times; {seen}", lines + again))
}

/// The log names the range of each partition, as an error.
fn said_so(stage: &Stage, partitions: usize) -> Result<usize, String> {
    let logged = stage.logged();
    let lines: Vec<&str> = logged.lines().filter(|line| line.contains(GONE)).collect();
    let is_told =
        |line: &&&str| line.contains("ERROR") && line.contains("from=") && line.contains("to=");
    if lines.len() == partitions && lines.iter().filter(is_told).count() == partitions {
        return Ok(lines.len());
    }
    Err(format!("{} lines say what is gone, not {partitions}:\n{logged}", lines.len()))
}

/// Ranges that were deleted before they were committed.
#[derive(Default)]
struct Gone {
    /// Partition, from, to.
    ranges: Vec<(i32, i64, i64)>,
    /// What stood in the topic before.
    inputs: BTreeMap<String, checker::Input>,
}

impl Gone {
    /// Deletes of each partition half of what is not committed, and that alone is lost.
    fn take(&mut self, admin: &Admin, setup: &Setup, brokers: &str) -> Result<(), String> {
        let topics = setup.topics(brokers);
        self.inputs.extend(topics.history(Vec::new())?.inputs);
        let committed = client::committed(brokers, &setup.group, topics.input)?;
        let mut before = Vec::new();
        for (partition, end) in client::log_ends(brokers, topics.input)? {
            let from = committed.get(&partition).copied().unwrap_or_default();
            let to = from + (end - from) / 2;
            if to == from {
                return Err(format!("partition {partition} got nothing new"));
            }
            self.ranges.push((partition, from, to));
            before.push((partition, to));
        }
        admin.delete_records(topics.input, &before)
    }

    /// Everything is there but what is gone; of that, nothing needs to be.
    fn check(self, setup: &Setup, brokers: &str) -> Result<String, String> {
        let mut history = setup.topics(brokers).history(Vec::new())?;
        history.inputs.extend(self.inputs);
        let came: BTreeSet<&str> = history.outputs.iter().map(|output| &*output.id).collect();
        let is_gone = |input: &checker::Input| {
            self.ranges.iter().any(|(partition, from, to)| {
                *partition == input.partition && (*from..*to).contains(&input.offset)
            })
        };
        let all = history.inputs.len();
        history.inputs.retain(|id, input| came.contains(&**id) || !is_gone(input));
        let findings = checker::check(&history);
        findings.nothing_but_repeats()?;
        let records: i64 = self.ranges.iter().map(|(_, from, to)| to - from).sum();
        Ok(format!(
            "{records} records gone, {} of {all} outputs with them; of the rest 0 lost, {} repeated",
            all - history.inputs.len(),
            findings.repeated.len()
        ))
    }
}

/// How soon the client looks for new partitions and topics.
const LOOK_OFTEN: &str = "[kafka.librdkafka]\n\"topic.metadata.refresh.interval.ms\" = \"1000\"\n";

/// Partitions that come later are read from their beginning, also where a new group begins at the
/// end: nothing that was written before the stage saw them may be skipped.
pub fn partitions_added(broker: &Broker) -> Result<String, String> {
    let name = "grown";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.input = "start = \"latest\"\n".to_owned();
    setup.more = LOOK_OFTEN.to_owned();
    setup.create_topics(&brokers, 2)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let plan = Plan::new(&brokers, name, 3_000);
    plan.clone().seeded(1).send()?;
    Admin::of(&brokers)?.grow(name, 6)?;
    plan.seeded(2).send()?;
    let committed = history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.is_alive()?;
    stage.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("2 partitions, then {}; {seen}", committed.len()))
}

/// A topic is deleted and made anew, with fewer records than the old one had: the stage says that
/// it is not ready meanwhile, and judges every record of the new one.
pub fn recreated(broker: &Broker) -> Result<String, String> {
    let name = "anew";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.more = LOOK_OFTEN.to_owned();
    setup.create_topics(&brokers, 2)?;
    let admin = Admin::of(&brokers)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let plan = Plan::new(&brokers, name, 5_000);
    plan.clone().seeded(1).send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let old = setup.topics(&brokers).history(Vec::new())?;
    admin.delete(name)?;
    let why = stage.wait_until_not_ready(Duration::from_secs(60))?;
    client::create_topics(&brokers, &[(name, 2)])?;
    Plan { records: 1_000, ..plan.seeded(2) }.send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.wait_until_ready()?;
    stage.is_alive()?;
    stage.stop()?;
    // What came of the old topic is no invention.
    let mut history = setup.topics(&brokers).history(Vec::new())?;
    let of_old: BTreeSet<_> = old.outputs.iter().map(|it| it.at).collect();
    history.outputs.retain(|output| {
        !(of_old.contains(&output.at) && old.outputs.iter().any(|it| it == output))
    });
    let findings = checker::check(&history);
    findings.nothing_but_repeats()?;
    let why = why.lines().next().unwrap_or_default();
    Ok(format!(
        "not ready meanwhile ({why}); {} outputs of 1,000 new records, 0 lost, {} repeated",
        history.inputs.len(),
        findings.repeated.len()
    ))
}
