//! `run` as its users run it, against the embedded broker (librdkafka's mock cluster).
//!
//! Quick tests of behaviour: what goes in and what comes out, restarts, signals, start-up faults.
//! Nothing here is a claim about load or guarantees; the suite in tests/kafka makes those against
//! a real Apache Kafka.

mod broker;
mod reload;
mod stage;

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use ouzel::generate::{Generator, Options};
use sha2::{Digest, Sha256};

use broker::{Broker, Stored};
use stage::{Setup, Stage};

const RULE_ID: &str = "729aa18d-06a6-41c7-b175-b65b739b1181";

/// Long enough for a loaded machine; a test that passes never waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

/// The alert id of an Okta event, computed here from its definition.
fn alert_id(uuid: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["ouzel-alert-1", RULE_ID, "okta"] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(uuid);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Events `from..to` of a stream in which one in a hundred is a hit.
struct Events {
    options: Options,
    from: u64,
    to: u64,
}

impl Events {
    fn range(from: u64, to: u64) -> Self {
        Self { options: Options { hits_permille: 10, ..Options::default() }, from, to }
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        let mut generator = Generator::new(self.options.clone());
        generator.skip_to(self.from);
        let mut payload = || {
            let mut bytes = Vec::new();
            generator.next_into(&mut bytes);
            bytes
        };
        (self.from..self.to).map(|_| payload()).collect()
    }

    fn alert_ids(&self) -> BTreeSet<String> {
        (self.from..self.to)
            .filter(|number| self.options.is_hit(*number))
            .map(|number| alert_id(&self.options.uuid(number)))
            .collect()
    }
}

/// The ids of alerts as they stand in a topic; each must stand there once.
fn ids(alerts: &[Stored]) -> BTreeSet<String> {
    let ids: Vec<String> = alerts
        .iter()
        .map(|alert| {
            let payload = alert.payload.as_deref().expect("an alert has a value");
            let alert: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
            alert["kibana.alert.uuid"].as_str().expect("an alert has an id").to_owned()
        })
        .collect();
    let unique: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len(), "an alert stands twice");
    unique
}

/// A broker with an input topic and the two output topics.
fn broker(partitions: i32) -> Broker {
    let broker = Broker::start();
    broker.topic("okta", partitions);
    broker.topic("alerts", 2);
    broker.topic("dead", 1);
    broker
}

fn ended_with(mut stage: Stage, code: i32) -> String {
    let status = stage.ended();
    assert_eq!(status.code(), Some(code), "{}", stage.logged());
    stage.logged()
}

#[test]
fn every_hit_becomes_an_alert_with_its_own_id() {
    let broker = broker(4);
    let events = Events::range(0, 2000);
    broker.produce("okta", &events.payloads());
    let mut stage = Stage::start(&Setup::on(&broker));
    let expected = events.alert_ids();
    let alerts = broker.read("alerts", expected.len());
    assert_eq!(ids(&alerts), expected);
    for alert in &alerts {
        let id = alert.header("ouzel.alert.id").expect("the id is a header");
        assert_eq!(alert.key.as_deref(), Some(id));
        assert_eq!(alert.header("ouzel.rule.id"), Some(RULE_ID.as_bytes()));
    }
    stage.wait_for_metric("ouzel_records_total", "", 2000.0);
    assert!((stage.metric("ouzel_alerts_total", RULE_ID) - expected.len() as f64).abs() < 0.5);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    assert_eq!(broker.committed("okta"), 2000);
    assert_eq!(broker.read("alerts", expected.len()).len(), expected.len());
}

#[test]
fn a_restart_continues_where_the_last_run_ended() {
    let broker = broker(2);
    let (first, second) = (Events::range(0, 700), Events::range(700, 1500));
    broker.produce("okta", &first.payloads());
    let mut stage = Stage::start(&Setup::on(&broker));
    stage.wait_for_metric("ouzel_records_total", "", 700.0);
    stage.signal(Signal::SIGINT);
    ended_with(stage, 0);
    assert_eq!(broker.committed("okta"), 700);

    broker.produce("okta", &second.payloads());
    let mut stage = Stage::start(&Setup::on(&broker));
    stage.wait_for_metric("ouzel_records_total", "", 800.0);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    assert_eq!(broker.committed("okta"), 1500);
    let expected: BTreeSet<_> = first.alert_ids().union(&second.alert_ids()).cloned().collect();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
}

#[test]
fn a_killed_stage_loses_nothing() {
    let broker = broker(2);
    let events = Events::range(0, 3000);
    broker.produce("okta", &events.payloads());
    let mut stage = Stage::start(&Setup::on(&broker));
    stage.wait_for_metric("ouzel_records_total", "", 1.0);
    stage.signal(Signal::SIGKILL);
    stage.ended();
    drop(stage);

    let stage = Stage::start(&Setup::on(&broker));
    broker.wait_for_committed("okta", 3000);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    let expected = events.alert_ids();
    let alerts = broker.read("alerts", expected.len());
    // Repeats are allowed after a kill, and carry the same id.
    let found: BTreeSet<String> = alerts
        .iter()
        .map(|alert| String::from_utf8_lossy(alert.key.as_deref().expect("a key")).into_owned())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn unreadable_records_are_dead_letters_byte_for_byte() {
    let broker = broker(1);
    let cut = Events::range(0, 1).payloads().remove(0);
    let cut = &cut[..cut.len() / 2];
    let unreadable: [&[u8]; 4] = [cut, b"\x00{}", b"{\"a\":\"\xff\xfe\"}", b"[1,"];
    for payload in unreadable {
        let headers =
            [("trace", Some(&b"\x00\xffbytes"[..])), ("null", None), ("trace", Some(b"2"))];
        broker.produce_one("okta", Some(b"key \xff"), payload, &headers);
    }
    let events = Events::range(100, 400);
    broker.produce("okta", &events.payloads());
    let mut stage = Stage::start(&Setup::on(&broker));
    let letters = broker.read("dead", unreadable.len());
    for ((letter, payload), offset) in letters.iter().zip(unreadable).zip(0_i64..) {
        assert_eq!(letter.payload.as_deref(), Some(payload));
        assert_eq!(letter.key.as_deref(), Some(&b"key \xff"[..]));
        let original: Vec<_> = letter.headers.iter().take(3).collect();
        assert_eq!(original[0], &("trace".to_owned(), Some(b"\x00\xffbytes".to_vec())));
        assert_eq!(original[1], &("null".to_owned(), None));
        assert_eq!(original[2], &("trace".to_owned(), Some(b"2".to_vec())));
        assert_eq!(letter.header("ouzel.error.stage"), Some(&b"processing"[..]));
        assert_eq!(letter.header("ouzel.source.topic"), Some(&b"okta"[..]));
        assert_eq!(letter.header("ouzel.source.offset"), Some(offset.to_string().as_bytes()));
    }
    let expected = events.alert_ids();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
    stage.wait_for_metric("ouzel_dead_letters_total", "", 4.0);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    assert_eq!(broker.committed("okta"), 304);
}

#[test]
fn workers_share_the_partitions() {
    let broker = broker(4);
    let events = Events::range(0, 2000);
    let mut stage = Stage::start(&Setup { workers: 3, ..Setup::on(&broker) });
    stage.wait_for_metric("ouzel_assigned_partitions", "", 4.0);
    broker.produce("okta", &events.payloads());
    let expected = events.alert_ids();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
    stage.wait_for_metric("ouzel_records_total", "", 2000.0);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    assert_eq!(broker.committed("okta"), 2000);
}

/// One of two instances leaves; what it had is taken over, and nothing is lost or repeated.
fn check_two_instances(protocol: &'static str, input: &'static str) {
    let broker = broker(4);
    let (first, second) = (Events::range(0, 1000), Events::range(1000, 2000));
    let setup = Setup { protocol, input, ..Setup::on(&broker) };
    let mut stays = Stage::start(&setup);
    stays.wait_for_metric("ouzel_assigned_partitions", "", 4.0);
    let mut leaves = Stage::start(&setup);
    leaves.wait_for_metric("ouzel_assigned_partitions", "", 2.0);
    stays.wait_for_metric("ouzel_assigned_partitions", "", 2.0);
    broker.produce("okta", &first.payloads());
    broker.wait_for_committed("okta", 1000);
    leaves.signal(Signal::SIGTERM);
    ended_with(leaves, 0);
    broker.produce("okta", &second.payloads());
    broker.wait_for_committed("okta", 2000);
    stays.signal(Signal::SIGTERM);
    ended_with(stays, 0);
    let expected: BTreeSet<_> = first.alert_ids().union(&second.alert_ids()).cloned().collect();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
}

#[test]
fn two_instances_share_a_group_and_one_leaves() {
    check_two_instances("consumer", "");
}

#[test]
fn two_instances_share_a_classic_group_and_one_leaves() {
    // The embedded broker lets a second member wait for as long as a session lasts.
    check_two_instances("classic", "session_timeout_ms = 6000\n");
}

#[test]
fn an_expression_waits_ready_and_takes_what_appears() {
    let broker = Broker::start();
    broker.topic("alerts", 1);
    broker.topic("dead", 1);
    let setup = Setup {
        topics: vec!["^okta-.*".to_owned()],
        kafka: "librdkafka = { \"topic.metadata.refresh.interval.ms\" = 500 }\n",
        ..Setup::on(&broker)
    };
    let mut stage = Stage::start(&setup);
    broker.topic("okta-eu", 2);
    broker.topic("other", 2);
    let events = Events::range(0, 300);
    broker.produce("okta-eu", &events.payloads());
    broker.produce("other", &events.payloads());
    let expected = events.alert_ids();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
    stage.wait_for_metric("ouzel_records_total", "okta-eu", 300.0);
    assert!(stage.metric("ouzel_records_total", "other") < 0.5);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
}

#[test]
fn latest_begins_behind_what_is_there() {
    let broker = broker(2);
    let (before, after) = (Events::range(0, 500), Events::range(500, 1000));
    broker.produce("okta", &before.payloads());
    let setup = Setup { start: "latest", ..Setup::on(&broker) };
    let mut stage = Stage::start(&setup);
    stage.wait_for_metric("ouzel_assigned_partitions", "", 2.0);
    // The start is committed at once, for every partition.
    broker.wait_for_committed("okta", 500);
    broker.produce("okta", &after.payloads());
    let expected = after.alert_ids();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
    stage.wait_for_metric("ouzel_records_total", "", 500.0);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
}

#[test]
fn a_partition_without_an_offset_begins_at_its_beginning_where_the_group_has_others() {
    let broker = broker(2);
    broker.commit("okta", 0, 0);
    let events = Events::range(0, 400);
    broker.produce("okta", &events.payloads());
    let setup = Setup { start: "latest", ..Setup::on(&broker) };
    let mut stage = Stage::start(&setup);
    stage.wait_for_metric("ouzel_records_total", "", 400.0);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    let expected = events.alert_ids();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
}

#[test]
fn an_offset_that_is_gone_is_reset_with_a_line_that_says_so() {
    let broker = broker(1);
    let events = Events::range(0, 200);
    broker.produce("okta", &events.payloads());
    broker.commit("okta", 0, 1_000_000);
    let mut stage = Stage::start(&Setup::on(&broker));
    stage.wait_for_metric("ouzel_records_total", "", 200.0);
    stage.wait_for_metric("ouzel_offset_resets_total", "", 1.0);
    let expected = events.alert_ids();
    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
    stage.signal(Signal::SIGTERM);
    let logged = ended_with(stage, 0);
    assert!(logged.contains("records are gone from the topic before they were judged"), "{logged}");
    assert!(logged.contains("from=1000000 to=0 end=200"), "{logged}");
    assert_eq!(broker.committed("okta"), 200);
}

#[test]
fn a_missing_topic_ends_with_4_and_names_it() {
    let broker = broker(1);
    let check = |setup: Setup, expected: &str| {
        let logged = ended_with(Stage::spawn(&setup), 4);
        assert!(logged.contains(expected), "{expected:?} is not in {logged}");
    };
    let input = Setup { topics: vec!["okta".to_owned(), "okat".to_owned()], ..Setup::on(&broker) };
    check(input, "use the topic \"okat\"");
    let output = Setup { alerts: "alrts".to_owned(), ..Setup::on(&broker) };
    check(output, "use the topic \"alrts\"");
}

#[test]
fn nobody_at_the_address_ends_with_4_within_ten_seconds() {
    let broker = broker(1);
    // Port 9 (discard) of the loopback interface: nobody listens there.
    let setup = Setup { brokers: "127.0.0.1:9".to_owned(), ..Setup::on(&broker) };
    let started = std::time::Instant::now();
    let logged = ended_with(Stage::spawn(&setup), 4);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert!(logged.contains("reach a broker at 127.0.0.1:9 within 8 s"), "{logged}");
    assert!(logged.contains("Connection refused"), "{logged}");
}

#[test]
fn the_endpoint_that_is_taken_ends_with_4() {
    let broker = broker(1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let logged = ended_with(Stage::spawn(&Setup { port, ..Setup::on(&broker) }), 4);
    assert!(logged.contains(&format!("listen on 127.0.0.1:{port}")), "{logged}");
}

#[test]
fn brokers_that_go_away_are_waited_for() {
    let mut broker = broker(2);
    let (before, after) = (Events::range(0, 300), Events::range(300, 600));
    broker.produce("okta", &before.payloads());
    let mut stage = Stage::start(&Setup::on(&broker));
    stage.wait_for_metric("ouzel_records_total", "", 300.0);
    broker.cut_off();
    stage.wait_until_not_ready();
    assert_eq!(stage.get("/healthz").0, 200, "a restart would not help");
    broker.bring_back();
    broker.produce("okta", &after.payloads());
    broker.wait_for_committed("okta", 600);
    stage.wait_until_ready();
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
    let expected: BTreeSet<_> = before.alert_ids().union(&after.alert_ids()).cloned().collect();
    let alerts = broker.read("alerts", expected.len());
    let found: BTreeSet<String> = alerts
        .iter()
        .map(|alert| String::from_utf8_lossy(alert.key.as_deref().expect("a key")).into_owned())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_second_signal_ends_at_once_and_says_so() {
    let broker = broker(1);
    let events = Events::range(0, 200);
    broker.produce("okta", &events.payloads());
    let mut stage = Stage::start(&Setup { commit_interval_ms: 600_000, ..Setup::on(&broker) });
    stage.wait_for_metric("ouzel_records_total", "", 200.0);
    // Without a broker, the last commit is waited for.
    broker.cut_off();
    stage.signal(Signal::SIGTERM);
    stage.wait_for_line("the stage drains, commits and ends");
    stage.signal(Signal::SIGTERM);
    let logged = ended_with(stage, 4);
    assert!(logged.contains("a second SIGTERM came before everything was committed"), "{logged}");
}

#[test]
fn a_stop_without_brokers_ends_in_its_time() {
    let broker = broker(1);
    let events = Events::range(0, 200);
    broker.produce("okta", &events.payloads());
    let mut stage = Stage::start(&Setup { commit_interval_ms: 600_000, ..Setup::on(&broker) });
    stage.wait_for_metric("ouzel_alerts_total", "", events.alert_ids().len() as f64);
    stage.wait_for_metric("ouzel_records_total", "", 200.0);
    broker.cut_off();
    stage.signal(Signal::SIGTERM);
    let logged = ended_with(stage, 0);
    assert!(logged.contains("a commit failed"), "{logged}");
}
