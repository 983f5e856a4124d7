//! The ledger of coverage: each kind of gap is made, and `ouzel coverage` names it with its place.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use super::admin::{Admin, Topic};
use super::broker::Broker;
use super::client::{self, wait_until};
use super::history;
use super::stage::{self, Setup};

const MINUTE: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Clone, Copy)]
enum Kind {
    Clean,
    Tombstone,
    Unreadable,
    Hit,
}

/// A small Okta event.
fn event(number: usize, event_type: &str) -> String {
    format!(
        r#"{{"uuid":"{number}","published":"2026-01-01T00:00:00.000Z","eventType":"{event_type}","version":"0","severity":"INFO","displayMessage":"x","actor":{{"id":"00u1","type":"User","alternateId":"a@example.com","displayName":"A"}},"outcome":{{"result":"SUCCESS"}},"target":[]}}"#
    )
}

/// Sends records to one partition; with a transaction around them, or without.
struct Feed<'a> {
    producer: BaseProducer,
    topic: &'a str,
    number: usize,
}

impl<'a> Feed<'a> {
    fn open(brokers: &str, topic: &'a str) -> Result<Self, String> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("log_level", "2")
            .set("transactional.id", format!("{topic}-feed"))
            .create()
            .map_err(text)?;
        producer.init_transactions(MINUTE).map_err(text)?;
        Ok(Self { producer, topic, number: 0 })
    }

    fn send(&mut self, partition: i32, kind: Kind, count: usize) -> Result<(), String> {
        for _ in 0..count {
            self.number += 1;
            let payload = match kind {
                Kind::Clean => Some(event(self.number, "user.session.start")),
                Kind::Hit => Some(event(self.number, "user.mfa.factor.reset_all")),
                Kind::Unreadable => Some("{\"uuid\": \"cut of".to_owned()),
                Kind::Tombstone => None,
            };
            let mut record =
                BaseRecord::<[u8], [u8]>::to(self.topic).partition(partition).key(b"k");
            if let Some(payload) = &payload {
                record = record.payload(payload.as_bytes());
            }
            self.producer.send(record).map_err(|(fault, _)| fault.to_string())?;
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// In a transaction of its own, which leaves a marker behind it.
    fn commit(&mut self, partition: i32, records: &[(Kind, usize)]) -> Result<(), String> {
        self.producer.begin_transaction().map_err(text)?;
        for (kind, count) in records {
            self.send(partition, *kind, *count)?;
        }
        self.producer.commit_transaction(MINUTE).map_err(text)
    }

    /// The same, and nobody may see the records.
    fn abort(&mut self, partition: i32, count: usize) -> Result<(), String> {
        self.producer.begin_transaction().map_err(text)?;
        self.send(partition, Kind::Clean, count)?;
        self.producer.flush(MINUTE).map_err(text)?;
        self.producer.abort_transaction(MINUTE).map_err(text)
    }
}

fn text(fault: impl ToString) -> String {
    fault.to_string()
}

/// What `ouzel coverage` answers with the configuration of the stage `name`, and its exit code.
fn coverage(folder: &Path, name: &str) -> Result<(Value, Option<i32>), String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .args(["coverage", "--since", "24h", "--output", "json", "-c"])
        .arg(folder.join(format!("{name}.toml")))
        .output()
        .map_err(text)?;
    let answer = serde_json::from_slice(&output.stdout).map_err(|fault| {
        format!("{fault}: {}{}", text_of(&output.stdout), text_of(&output.stderr))
    })?;
    Ok((answer, output.status.code()))
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All gaps: partition, cause, how many, where.
fn gaps(answer: &Value) -> Vec<Value> {
    let mut gaps = Vec::new();
    for partition in answer["partitions"].as_array().into_iter().flatten() {
        for gap in partition["gaps"].as_array().into_iter().flatten() {
            let number = &partition["partition"];
            gaps.push(json!([number, gap["cause"], gap["count"], gap["ranges"]]));
        }
    }
    gaps
}

fn expect(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: found {found}, expected {expected}")),
    }
}

/// The sum of a number over all partitions.
fn sum(answer: &Value, field: &str) -> u64 {
    let partitions = answer["partitions"].as_array().into_iter().flatten();
    partitions.filter_map(|partition| partition[field].as_u64()).sum()
}

fn with_ledger(mut setup: Setup, interval_ms: u32) -> Setup {
    let topic = format!("{}-coverage", setup.group);
    let table = format!("[coverage]\ntopic = {topic:?}\ninterval_ms = {interval_ms}\n");
    setup.more.insert_str(0, &table);
    setup
}

/// Dead letters, tombstones, transactions with their markers, a retention loss, a member that is
/// killed before it could say anything, and records that nobody reads: each is named with its
/// offsets, and nothing else is.
pub fn every_gap_is_named(broker: &Broker) -> Result<String, String> {
    let name = "covered";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = with_ledger(Setup::mortal(name, &brokers), 1_000);
    let small = [("max.message.bytes", "1000")];
    let compacted = [("cleanup.policy", "compact")];
    let admin = Admin::of(&brokers)?;
    admin.create(&[
        Topic::new(name, 3),
        // Neither an alert nor its smaller form passes: its record becomes a dead letter.
        Topic { settings: &small, ..Topic::new(&setup.alerts, 1) },
        Topic::new(&setup.dead_letters, 1),
        Topic { settings: &compacted, ..Topic::new("covered-coverage", 2) },
    ])?;
    let mut feed = Feed::open(&brokers, name)?;
    // Each transaction leaves a marker: offsets 116 and 137 to 148 hold none that may be read, 199 and
    // the last ones hold markers.
    let first = [(Kind::Clean, 100), (Kind::Tombstone, 10), (Kind::Unreadable, 5), (Kind::Hit, 1)];
    feed.commit(0, &first)?;
    feed.commit(0, &[(Kind::Clean, 20)])?;
    feed.abort(0, 10)?;
    feed.commit(0, &[(Kind::Clean, 50)])?;
    feed.commit(1, &[(Kind::Clean, 99)])?;
    feed.commit(2, &[(Kind::Clean, 49)])?;
    let stage = stage::start(&folder, "first", &setup)?;
    stage.wait_for_records(334, MINUTE)?;
    stage.stop()?;
    let (answer, code) = coverage(&folder, "first")?;
    let letters =
        [json!([0, "unreadable", 5, [[110, 115]]]), json!([0, "oversize", 1, [[115, 116]]])];
    expect("dead letters", &json!(gaps(&answer)), &json!(letters))?;
    expect("skipped", &answer["partitions"][0]["skipped"], &json!({ "tombstone": 10 }))?;
    expect("judged", &json!([answer["judged"], code]), &json!([318, 1]))?;
    expect("ahead", &json!([answer["pending"], sum(&answer, "judged_again")]), &json!([0, 0]))?;

    // Partition 1 stands at 99 (its marker); records up to 300 are deleted before anybody reads on.
    feed.commit(1, &[(Kind::Clean, 250)])?;
    admin.delete_records(name, &[(1, 300)])?;
    let stage = stage::start(&folder, "second", &setup)?;
    stage.wait_for_records(50, MINUTE)?;
    // A commit waits behind a rebalance, as when the second worker joins: what was not committed would
    // be found lost once more by the next one.
    wait_until("partition 1 is committed", MINUTE, || {
        let committed = client::committed(&brokers, name, name)?;
        Ok(committed.get(&1).is_some_and(|offset| *offset >= 350).then_some(()))
    })?;
    stage.stop()?;
    let (answer, _) = coverage(&folder, "second")?;
    let lost = json!([1, "retention_loss", 201, [[99, 300]]]);
    let [unreadable, oversize] = letters;
    let expected = json!([unreadable, oversize, lost]);
    expect("the loss", &json!(gaps(&answer)), &expected)?;

    // A member speaks when it is assigned and would speak again in ten minutes; meanwhile it commits
    // seven records, and is killed.
    let mut silent = with_ledger(Setup::mortal(name, &brokers), 600_000);
    silent.input.push_str("workers = 1\n");
    let stage = stage::start(&folder, "silent", &silent)?;
    wait_until("it has spoken of three partitions", MINUTE, || {
        Ok((stage.metric("ouzel_coverage_documents_total", "")? >= 3.0).then_some(()))
    })?;
    feed.commit(2, &[(Kind::Clean, 7)])?;
    wait_until("the seven are committed", MINUTE, || {
        let committed = client::committed(&brokers, name, name)?;
        Ok(committed.get(&2).is_some_and(|offset| *offset >= 57).then_some(()))
    })?;
    stage.kill()?;
    feed.commit(2, &[(Kind::Clean, 5)])?;
    let stage = stage::start(&folder, "third", &setup)?;
    stage.wait_for_records(5, MINUTE)?;
    stage.stop()?;
    let (answer, _) = coverage(&folder, "third")?;
    let found = gaps(&answer);
    let silence = found.iter().find(|gap| gap[1] == "not_recorded").cloned();
    let silence = silence.ok_or_else(|| format!("nothing is said of the killed: {found:?}"))?;
    expect("the killed", &silence, &json!([2, "not_recorded", 7, [[50, 57]]]))?;
    expect("the rest", &json!(found.len()), &json!(4))?;

    feed.commit(2, &[(Kind::Clean, 3)])?;
    let (answer, code) = coverage(&folder, "third")?;
    let found = gaps(&answer);
    let nobody = found.iter().find(|gap| gap[1] == "not_assigned").cloned().unwrap_or_default();
    let is_three = nobody[0] == 2 && nobody[3][0][0] == 64 && nobody[3][0][1] == 68;
    if !is_three || found.len() != 5 || code != Some(1) {
        return Err(format!("three records that nobody reads: {found:?}, exit {code:?}"));
    }
    Ok("5 unreadable, 1 oversize, 201 offsets lost, 7 records not recorded, 3 not assigned: each \
        with its offsets; 10 tombstones, 10 aborted records and the markers are no gaps"
        .to_owned())
}

/// Two instances, one leaves in the middle: no gap, and nothing counted twice.
pub fn hand_over(broker: &Broker) -> Result<String, String> {
    let name = "covered-by-two";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = with_ledger(Setup::named(name, &brokers), 1_000);
    setup.create_topics(&brokers, 4)?;
    client::create_topics(&brokers, &[("covered-by-two-coverage", 1)])?;
    let first = stage::start(&folder, "first", &setup)?;
    let arguments = ["--count", "60000", "--hits-permille", "5", "--rate", "10000"];
    let generator = stage::generate(&brokers, name, &arguments)?;
    let second = stage::start(&folder, "second", &setup)?;
    for stage in [&second, &first] {
        wait_until("both judge", MINUTE, || {
            let records = stage.metric("ouzel_records_total", "")?;
            let partitions = stage.metric("ouzel_assigned_partitions", "")?;
            Ok((records > 1_000.0 && partitions > 0.0).then_some(()))
        })?;
    }
    let by_first = first.metric("ouzel_records_total", "")?;
    first.stop()?;
    if by_first >= 60_000.0 {
        return Err("the first instance judged everything before it left".to_owned());
    }
    stage::finish(generator)?;
    history::wait_for_end(&brokers, name, name, MINUTE)?;
    second.stop()?;
    let (answer, code) = coverage(&folder, "second")?;
    expect("complete", &json!([answer["complete"], code]), &json!([true, 0]))
        .map_err(|fault| format!("{fault}: {answer}"))?;
    let again = sum(&answer, "judged_again");
    let judged = sum(&answer, "judged");
    expect("judged, less what was judged again", &json!(judged - again), &json!(60_000))?;
    let documents = &answer["documents"];
    Ok(format!("60,000 records of {documents} documents, {again} judged again: no gap"))
}

/// The ledger's topic refuses everything: the stage goes on and commits, counts and says so once;
/// when the topic takes it again, nothing is missing.
pub fn refused_ledger(broker: &Broker) -> Result<String, String> {
    let name = "covered-late";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = with_ledger(Setup::named(name, &brokers), 1_000);
    let nothing = [("max.message.bytes", "10")];
    setup.create_topics(&brokers, 2)?;
    let admin = Admin::of(&brokers)?;
    let ledger = "covered-late-coverage";
    admin.create(&[Topic { settings: &nothing, ..Topic::new(ledger, 1) }])?;
    let mut stage = stage::start(&folder, "stage", &setup)?;
    stage::finish(stage::generate(&brokers, name, &["--count", "5000", "--hits-permille", "5"])?)?;
    history::wait_for_end(&brokers, name, name, MINUTE)?;
    wait_until("three rounds have failed", MINUTE, || {
        Ok((stage.metric("ouzel_coverage_failures_total", "")? >= 6.0).then_some(()))
    })?;
    stage.is_alive()?;
    let (ready, why) = stage.get("/readyz")?;
    let said = stage.logged().matches("the ledger of coverage is not published").count();
    let waiting = stage.metric("ouzel_coverage_waiting_documents", "")?;
    if ready != 200 || said != 1 || waiting < 1.0 || client::count(&brokers, ledger)? > 0 {
        return Err(format!("ready {ready} {why}, said {said} times, {waiting} documents wait"));
    }
    let entity = ["--entity-type", "topics", "--entity-name", ledger];
    admin.alter(&[&entity[..], &["--delete-config", "max.message.bytes"]].concat())?;
    wait_until("nothing waits", MINUTE, || {
        Ok((stage.metric("ouzel_coverage_waiting_documents", "")? == 0.0).then_some(()))
    })?;
    stage.stop()?;
    let (answer, code) = coverage(&folder, "stage")?;
    let found = json!([answer["complete"], answer["judged"], code]);
    expect("complete", &found, &json!([true, 5_000, 0]))?;
    Ok("5,000 records committed while the ledger was refused; nothing of it is missing".to_owned())
}

/// The ledger in a file, which survives a restart of the stage; while it is empty, everything is a
/// gap.
pub fn in_a_file(broker: &Broker) -> Result<String, String> {
    let name = "covered-in-a-file";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let mut setup = Setup::named(name, &brokers);
    setup.more = "[coverage]\nfile = \"ledger.ndjson\"\n".to_owned();
    setup.create_topics(&brokers, 2)?;
    let generate = |seed: &str| {
        let arguments = ["--count", "2000", "--hits-permille", "5", "--seed", seed];
        stage::finish(stage::generate(&brokers, name, &arguments)?)
    };
    generate("1")?;
    // This leaves the configuration there; nothing is read before the group has been joined.
    stage::spawn(&folder, "stage", &setup)?.kill()?;
    std::fs::write(folder.join("ledger.ndjson"), "").map_err(text)?;
    let (answer, code) = coverage(&folder, "stage")?;
    let missing: u64 = gaps(&answer).iter().filter_map(|gap| gap[2].as_u64()).sum();
    expect("nobody has read", &json!([missing, code]), &json!([2_000, 1]))?;
    for seed in ["2", "3"] {
        let stage = stage::start(&folder, "stage", &setup)?;
        generate(seed)?;
        history::wait_for_end(&brokers, name, name, MINUTE)?;
        stage.stop()?;
    }
    let (answer, code) = coverage(&folder, "stage")?;
    let found = json!([answer["complete"], answer["judged"], code]);
    expect("complete", &found, &json!([true, 6_000, 0]))?;
    Ok("2,000 records unread: 2,000 not assigned; 6,000 read by two starts: no gap".to_owned())
}

/// With exactly-once, and a kill in the middle: what is said is what is committed, so nothing that
/// is said is judged again.
pub fn with_exactly_once(broker: &Broker) -> Result<String, String> {
    let name = "covered-once";
    let brokers = broker.plaintext();
    let folder = broker.folder_for(name)?;
    let setup = with_ledger(Setup::exactly_once(name, &brokers, "a", ""), 1_000);
    setup.create_topics(&brokers, 2)?;
    client::create_topics(&brokers, &[("covered-once-coverage", 1)])?;
    let first = stage::start(&folder, "stage", &setup)?;
    let arguments = ["--count", "40000", "--hits-permille", "5", "--rate", "8000"];
    let generator = stage::generate(&brokers, name, &arguments)?;
    first.wait_for_records(15_000, MINUTE)?;
    first.kill()?;
    let second = stage::start(&folder, "stage", &setup)?;
    stage::finish(generator)?;
    wait_until("everything is judged", MINUTE, || {
        let (answer, _) = coverage(&folder, "stage")?;
        Ok((answer["pending"] == 0).then_some(()))
    })?;
    second.stop()?;
    let (answer, _) = coverage(&folder, "stage")?;
    let silent: u64 = gaps(&answer).iter().filter_map(|gap| gap[2].as_u64()).sum();
    let causes: Vec<Value> = gaps(&answer).iter().map(|gap| gap[1].clone()).collect();
    if causes.iter().any(|cause| cause != "not_recorded") {
        return Err(format!("only the killed one's last word may be missing: {causes:?}"));
    }
    // The log of an input without transactions holds a record at each offset.
    let said = json!([sum(&answer, "judged") + silent, sum(&answer, "judged_again")]);
    expect("judged and not recorded, and judged again", &said, &json!([40_000, 0]))?;
    Ok(format!("40,000 records, one kill: {silent} not recorded, nothing said of an abort"))
}
