//! What becomes of hits, through the real worker: exceptions with an audit target, suppression with
//! its closing update, limits with notice and overflow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ouzel::config::Settings;
use ouzel::disposition::exception::{self, ExceptionText};
use ouzel::event::FieldTypes;
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Bounds, Ending, Judge, Step, Worker, WorkerOptions};
use ouzel::record::Timestamp;
use ouzel::rule::{self, Found, RuleSet, RuleText};
use ouzel::sink::memory::{Fate, MemorySink};
use ouzel::sink::{DeliveryFault, Target};
use ouzel::source::Partition;
use ouzel::source::memory::{MemoryRecord, MemorySource};
use serde_json::Value as Json;

use crate::support::okta;

const OPTIONS: WorkerOptions = WorkerOptions {
    bounds: Bounds {
        in_flight_max: 1000,
        revoke_drain: Duration::from_secs(10),
        shutdown_drain: Duration::from_secs(20),
        commit_interval: Duration::from_secs(1),
        delivery_timeout: Duration::from_secs(300),
        transactions: None,
    },
    records_max: 16,
    idle_wait: Duration::ZERO,
    busy_wait: Duration::ZERO,
};

/// The rule of the shipped file with these lines added.
fn rules(lines: &str) -> Arc<RuleSet> {
    let text = std::fs::read_to_string(okta::rule_file()).expect("the rule file is there");
    let text = text.replace("max_signals = 100\n", "");
    let text = text.replacen("[rule]\n", &format!("[rule]\n{lines}\n"), 1);
    let text = RuleText { origin: "r.toml".to_owned(), text, found: Found::Named };
    let set = rule::load(&[text], &BTreeMap::new());
    Arc::new(set.unwrap_or_else(|faults| panic!("{faults:#?}")))
}

fn partition() -> Partition {
    Partition { topic: "okta".into(), partition: 0 }
}

/// A worker between memory and memory; a step is a second of both clocks.
struct Bench {
    worker: Worker<MemorySource, MemorySink>,
    judge: Arc<Judge>,
    seconds: u64,
}

/// One output: its target and its value.
type Published = (Target, Json);

impl Bench {
    fn new(rules: Arc<RuleSet>, settings: &Settings, exceptions: &str) -> Self {
        let texts = [ExceptionText { origin: "e.toml", text: exceptions }];
        let exceptions = exception::load(&texts, &rules, &FieldTypes::builtin());
        let exceptions = exceptions.unwrap_or_else(|faults| panic!("{faults:#?}"));
        let options = JudgeOptions { exceptions: exceptions.into(), ..JudgeOptions::default() };
        let judge = Arc::new(setup::judge(settings, rules, options));
        let mut source = MemorySource::new();
        source.assign(&[partition()]);
        let worker = Worker::new(source, MemorySink::default(), Arc::clone(&judge), OPTIONS);
        Self { worker, judge, seconds: 0 }
    }

    fn step(&mut self) -> Step {
        self.seconds += 1;
        let wall = Timestamp::from_millis(i64::try_from(self.seconds * 1000).expect("small"));
        self.worker.source().set_received(wall);
        self.worker.set_wall(wall);
        self.worker.step(Duration::from_secs(self.seconds))
    }

    /// One reset of `uuid` by `actor`, and the step that judges it.
    fn reset(&mut self, uuid: &str, actor: &str) {
        let payload = okta::hit(uuid).replace("a@example.com", actor);
        self.worker.source().push(&partition(), MemoryRecord::of(payload));
        assert!(matches!(self.step(), Step::Went(_)));
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            assert!(matches!(self.step(), Step::Went(_)));
        }
    }

    fn end(&mut self) -> Ending {
        for _ in 0..1000 {
            if let Step::Ended(ending) = self.step() {
                return ending;
            }
        }
        panic!("the worker does not end");
    }

    fn published(&mut self) -> Vec<Published> {
        let value = |value: &Option<Vec<u8>>| {
            serde_json::from_slice(value.as_deref().expect("a value")).expect("JSON")
        };
        let delivered = self.worker.sink().delivered().iter();
        delivered.map(|output| (output.target, value(&output.value))).collect()
    }

    fn targets(&mut self) -> Vec<Target> {
        self.published().iter().map(|(target, _)| *target).collect()
    }

    fn committed(&mut self) -> Option<i64> {
        self.worker.source().committed(&partition())
    }
}

const HIDES_DESK: &str = "[[exception]]\nid = \"desk\"\nowner = \"o\"\nexpires = \"2030-01-01\"\n\
                          query = 'okta.actor.alternate_id:\"desk@example.com\"'\n";

#[test]
fn a_hidden_hit_is_counted_and_goes_to_the_audit_target_where_there_is_one() {
    let mut settings = Settings::default();
    let mut silent = Bench::new(rules(""), &settings, HIDES_DESK);
    silent.reset("u-1", "desk@example.com");
    assert_eq!(
        silent.worker.tally().exceptions.iter().map(|id| &**id).collect::<Vec<_>>(),
        ["desk"]
    );
    silent.reset("u-2", "eve@example.com");
    silent.steps(3);
    assert_eq!(silent.targets(), [Target::Alerts]);
    assert_eq!(silent.committed(), Some(2), "a hidden hit holds nothing");

    settings.output.audit = Some("audit".to_owned());
    let mut audited = Bench::new(rules(""), &settings, HIDES_DESK);
    audited.worker.sink().set_fate(Fate::Hold);
    audited.reset("u-1", "desk@example.com");
    audited.steps(3);
    assert_eq!(audited.committed(), Some(0), "the offset waits for the audit record");
    audited.worker.sink().set_fate(Fate::Deliver);
    audited.steps(3);
    assert_eq!(audited.committed(), Some(1));
    let published = audited.published();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].0, Target::Audit);
    assert_eq!(published[0].1["ouzel"]["exception"]["id"], "desk");
    audited.reset("u-1", "desk@example.com");
    assert_eq!(audited.targets(), [Target::Audit; 2], "an audit record makes no repeat");
}

const BY_ACTOR: &str = "alert_suppression = {group_by = [\"okta.actor.alternate_id\"], \
                        duration = {value = 30, unit = \"s\"}}";

#[test]
fn a_group_of_hits_is_one_alert_and_one_update() {
    let mut bench = Bench::new(rules(BY_ACTOR), &Settings::default(), "");
    for (number, actor) in [
        (1, "eve@example.com"),
        (2, "eve@example.com"),
        (3, "mallory@example.com"),
        (4, "eve@example.com"),
    ] {
        bench.reset(&format!("u-{number}"), actor);
    }
    bench.steps(5);
    assert_eq!(bench.targets(), [Target::Alerts; 2]);
    assert_eq!(bench.committed(), Some(4), "a suppressed hit is done when it is counted");
    bench.steps(30);
    let published = bench.published();
    assert_eq!(published.len(), 3, "Mallory's group needs no update");
    let (first, update) = (&published[0].1, &published[2].1);
    assert_eq!(first["kibana.alert.uuid"], okta::alert_id("u-1"));
    assert_eq!(first["kibana.alert.suppression.docs_count"], 0);
    assert_eq!(update["kibana.alert.uuid"], okta::alert_id("u-1"));
    assert_eq!(update["kibana.alert.suppression.docs_count"], 2);
    assert_eq!(update["ouzel"]["revision"], 1);
    assert_eq!(bench.worker.tally().updates, 1);
}

#[test]
fn the_end_brings_the_updates_that_are_open() {
    let mut bench = Bench::new(rules(BY_ACTOR), &Settings::default(), "");
    bench.reset("u-1", "eve@example.com");
    bench.reset("u-2", "eve@example.com");
    bench.worker.stop();
    assert_eq!(bench.end(), Ending::Stopped);
    let published = bench.published();
    assert_eq!(published.len(), 2);
    assert_eq!(published[1].1["kibana.alert.suppression.docs_count"], 1);
}

#[test]
fn an_end_waits_for_updates_only_so_long() {
    let mut bench = Bench::new(rules(BY_ACTOR), &Settings::default(), "");
    bench.reset("u-1", "eve@example.com");
    bench.reset("u-2", "eve@example.com");
    bench.steps(2);
    bench.worker.sink().set_fate(Fate::Hold);
    bench.worker.stop();
    let before = bench.seconds;
    assert_eq!(bench.end(), Ending::Stopped);
    let waited = bench.seconds - before;
    assert!((20..30).contains(&waited), "{waited} seconds");
}

#[test]
fn an_update_that_cannot_be_delivered_ends_the_worker() {
    let mut bench = Bench::new(rules(BY_ACTOR), &Settings::default(), "");
    bench.reset("u-1", "eve@example.com");
    bench.reset("u-2", "eve@example.com");
    bench.steps(2);
    bench.worker.sink().set_fate(Fate::FailOldest(DeliveryFault::fatal("it gave up")));
    let Ending::Failed(why) = bench.end() else { panic!("it ended well") };
    assert_eq!(why, "deliver the update of an alert: it gave up");
}

/// Its alert is delivered and no offset waits for it: what is lost is a count.
#[test]
fn an_update_that_is_refused_holds_nothing_up() {
    let mut bench = Bench::new(rules(BY_ACTOR), &Settings::default(), "");
    bench.reset("u-1", "eve@example.com");
    bench.reset("u-2", "eve@example.com");
    bench.steps(2);
    bench.worker.sink().set_fate(Fate::Limit(0));
    bench.worker.stop();
    assert_eq!(bench.end(), Ending::Stopped);
    assert_eq!(bench.worker.tally().refusals, ["deliver the update of an alert: too large"]);
}

#[test]
fn past_the_limit_nothing_is_dropped() {
    let check = |overflow: Option<&str>, target: Target, is_marked: bool| {
        let mut settings = Settings::default();
        settings.output.overflow = overflow.map(str::to_owned);
        let mut bench = Bench::new(rules("max_signals = 2"), &settings, "");
        for number in 1..=4 {
            bench.reset(&format!("u-{number}"), "eve@example.com");
        }
        bench.steps(2);
        let published = bench.published();
        let alerts: Vec<&Published> =
            published.iter().filter(|(_, json)| json.get("kibana.alert.uuid").is_some()).collect();
        let targets: Vec<Target> = alerts.iter().map(|(target, _)| *target).collect();
        assert_eq!(targets, [Target::Alerts, Target::Alerts, target, target]);
        let marks: Vec<bool> =
            alerts.iter().map(|(_, json)| json["ouzel"]["over_limit"] == true).collect();
        assert_eq!(marks, [false, false, is_marked, is_marked]);
        let notices = published.iter().filter(|(_, json)| json["ouzel"]["notice"]["limit"] == 2);
        assert_eq!(notices.count(), 1);
    };
    check(None, Target::Overflow, true);
    check(Some("overflow"), Target::Overflow, false);
}

/// Runs the program with these arguments; what it printed on both streams, and its exit code.
fn ouzel(arguments: &[&str]) -> (String, Option<i32>) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout) + &text(&output.stderr), output.status.code())
}

/// A folder for the files of one test.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("dispositions").join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

#[test]
fn the_example_loads_with_the_shipped_rules_and_hides_what_it_says() {
    let root = crate::support::source::root().join("config/exceptions");
    let set = format!("exceptions=[{:?}]", root.display().to_string());
    let (text, code) = ouzel(&["check", "--strict", "--set", &set]);
    assert!(text.contains("exceptions: 3 loaded"), "{text}");
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn check_tells_every_fault_of_exceptions_and_warns_of_what_looks_wrong() {
    let folder = folder("check");
    let file = folder.join("e.toml");
    let set = format!("exceptions=[{:?}]", file.display().to_string());
    std::fs::write(&file, "[[exception]]\nid = \"a\"\nquery = 'x:(1'\n[[exception]]\nid = \"b\"\nquery = 'not source.geo.country_iso_code:DE'\n")
        .expect("written");
    let (text, code) = ouzel(&["check", "--set", &set]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("exception \"a\"") && text.contains("exception \"b\""), "{text}");
    std::fs::write(
        &file,
        "[[exception]]\nid = \"a\"\nquery = 'x:1'\nexpires = \"2020-01-01\"\nrules = [\"gone\"]\n",
    )
    .expect("written");
    let (text, code) = ouzel(&["check", "--set", &set]);
    assert_eq!(code, Some(0), "{text}");
    for part in ["no owner", "which is not loaded", "has expired"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn a_case_may_name_the_exception_that_hides_it() {
    let folder = folder("case");
    let exceptions = folder.join("e.toml");
    std::fs::write(&exceptions, HIDES_DESK).expect("written");
    let rule = folder.join("r.toml");
    std::fs::copy(okta::rule_file(), &rule).expect("copied");
    let case = |name: &str, actor: &str| {
        let payload = okta::hit("u-1").replace("a@example.com", actor);
        format!(
            "[[case]]\nname = \"{name}\"\nwhy = \"w\"\nexpect = \"hit\"\nexcepted_by = \"desk\"\npayload = '{payload}'\n"
        )
    };
    let set = format!("exceptions=[{:?}]", exceptions.display().to_string());
    let rules = folder.display().to_string();
    let run = |cases: &str| {
        std::fs::write(folder.join("r.cases.toml"), cases).expect("written");
        ouzel(&["test", "-r", &format!("{rules}/r.toml"), "--set", &set])
    };
    let (text, code) = run(&case("hidden", "desk@example.com"));
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = run(&case("seen", "eve@example.com"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("excepted by desk") && text.contains("excepted by nothing"), "{text}");
}

/// New rules: what was delivered stays known, open groups are closed with their update.
#[test]
fn another_judge_takes_over_what_was_delivered_and_closes_open_groups() {
    let mut bench = Bench::new(rules(BY_ACTOR), &Settings::default(), "");
    bench.reset("u-1", "eve@example.com");
    bench.reset("u-2", "eve@example.com");
    bench.steps(2);
    assert_eq!(bench.targets(), [Target::Alerts]);
    let before = bench.judge.clone();
    let next = setup::judge(&Settings::default(), rules(""), JudgeOptions::default());
    next.inherit(&before);
    bench.worker.set_judge(Arc::new(next));
    bench.steps(2);
    assert_eq!(bench.targets().len(), 2, "the update of the group");
    bench.reset("u-1", "eve@example.com");
    bench.steps(2);
    assert_eq!(bench.targets().len(), 2, "a repeat");
    bench.reset("u-3", "eve@example.com");
    bench.reset("u-4", "eve@example.com");
    bench.steps(2);
    assert_eq!(bench.targets().len(), 4, "nothing is suppressed any more");
}
