//! What changes while the stage runs: rules, exceptions, the log level, the budget of dead letters.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use super::broker::Broker;
use super::stage::{RULE_FILE, Setup, Stage, folder};
use super::{DEADLINE, Events, broker, ended_with, ids};

const IN_FORCE: &str = "the worker judges by the new rules";

/// A folder of rules as Kubernetes mounts a ConfigMap: files are links through `..data`.
struct Mounted(PathBuf);

impl Mounted {
    fn new(rule: &str) -> Self {
        let mounted = Self(folder());
        mounted.swap("..first", rule);
        symlink("..data/rule.toml", mounted.0.join("rule.toml")).expect("a link");
        mounted
    }

    /// Puts another version in place, all at once.
    fn swap(&self, version: &str, rule: &str) {
        let version_folder = self.0.join(version);
        fs::create_dir(&version_folder).expect("a folder");
        fs::write(version_folder.join("rule.toml"), rule).expect("a rule");
        symlink(version, self.0.join("..next")).expect("a link");
        fs::rename(self.0.join("..next"), self.0.join("..data")).expect("a swap");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn shipped() -> String {
    fs::read_to_string(RULE_FILE).expect("the rule is shipped")
}

/// The same rule, looking for something that no event is.
fn blind() -> String {
    let text = shipped().replace("user.mfa.factor.reset_all", "nothing.at.all");
    assert_ne!(text, shipped());
    text
}

/// Produces a range of events and waits until they are judged.
fn judge(broker: &Broker, stage: &mut Stage, from: u64, to: u64) -> Events {
    let events = Events::range(from, to);
    broker.produce("okta", &events.payloads());
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    stage.wait_for_metric("ouzel_records_total", "", to as f64);
    events
}

fn times_in_force(stage: &Stage) -> usize {
    stage.logged().matches(IN_FORCE).count()
}

#[test]
fn rules_are_exchanged_while_it_runs_and_bad_ones_change_nothing() {
    let broker = broker(2);
    let rules = Mounted::new(&shipped());
    let setup = Setup { rules: rules.0.display().to_string(), ..Setup::on(&broker) };
    let mut stage = Stage::start(&setup);
    let mut expected = judge(&broker, &mut stage, 0, 500).alert_ids();

    // The folder is swapped: nobody tells the stage.
    rules.swap("..second", &blind());
    stage.wait_for_line(IN_FORCE);
    judge(&broker, &mut stage, 500, 1000);

    rules.swap("..third", &shipped());
    stage.signal(Signal::SIGHUP);
    stage.wait("the rule is back", |stage| times_in_force(stage) >= 2);
    expected.extend(judge(&broker, &mut stage, 1000, 1500).alert_ids());

    rules.swap("..fourth", "[rule]\nquery = '(not closed'\n");
    stage.wait_for_metric("ouzel_rule_set_reload_failures_total", "", 1.0);
    stage.wait_for_line("the old rules stay");
    assert_eq!(stage.get("/readyz").0, 200);
    expected.extend(judge(&broker, &mut stage, 1500, 2000).alert_ids());

    assert_eq!(ids(&broker.read("alerts", expected.len())), expected);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a configuration");
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(file, text.replace(from, to)).expect("it can be written");
}

#[test]
fn what_needs_a_restart_is_named_and_the_log_level_changes_at_once() {
    let broker = broker(1);
    let mut stage = Stage::start(&Setup::on(&broker));
    edit(&stage.configuration(), "group = ", "client_id = 'x'\ngroup = ");
    stage.signal(Signal::SIGHUP);
    stage.wait_for_metric("ouzel_rule_set_reload_failures_total", "", 1.0);
    edit(&stage.configuration(), "client_id = 'x'\ngroup = ", "validate = 'full'\ngroup = ");
    stage.signal(Signal::SIGHUP);
    stage.wait_for_line("only a restart heeds");
    assert!(stage.logged().contains("input.validate"), "{}", stage.logged());
    edit(&stage.configuration(), "[http]", "[log]\nlevel = 'error'\n[http]");
    let edited = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    stage.signal(Signal::SIGHUP);
    stage.wait("it was read again", |stage| {
        stage.metric("ouzel_rule_set_loaded_timestamp_seconds", "") > edited.as_secs_f64()
    });
    stage.signal(Signal::SIGTERM);
    let logged = ended_with(stage, 0);
    assert!(!logged.contains("the stage drains"), "INFO is off by then: {logged}");
}

/// A feed that turns to rubbish must not look like one without attacks.
#[test]
fn rubbish_spends_the_budget_of_dead_letters() {
    let broker = broker(1);
    let output = "dead_letter_records_min = 100\ndead_letter_window_ms = 600000\n";
    let mut stage = Stage::start(&Setup { output, ..Setup::on(&broker) });
    broker.produce("okta", &vec![b"rubbish".to_vec(); 150]);
    stage.wait_until_not_ready();
    stage.wait_for_metric("ouzel_dead_letter_budget_spent", "", 1.0);
    assert!(stage.get("/readyz").1.contains("share of the records became dead letters"));
    assert_eq!(stage.get("/healthz").0, 200);
    stage.signal(Signal::SIGTERM);
    ended_with(stage, 0);
}

#[test]
fn rubbish_ends_a_stage_that_is_told_so_with_1() {
    let broker = broker(1);
    let output = "dead_letter_records_min = 100\non_budget = \"stop\"\n";
    let stage = Stage::start(&Setup { output, ..Setup::on(&broker) });
    broker.produce("okta", &vec![b"rubbish".to_vec(); 150]);
    assert!(ended_with(stage, 1).contains("output.on_budget"));
}

/// What a service manager hears, with a watchdog of one second.
#[test]
fn the_service_manager_hears_of_start_life_and_end() {
    let broker = broker(1);
    let folder = folder();
    let path = folder.join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
    let hear = |wanted: &str| loop {
        let mut said = [0; 4096];
        let bytes = socket.recv(&mut said).unwrap_or_else(|fault| panic!("{wanted}: {fault}"));
        let said = String::from_utf8_lossy(&said[..bytes]).into_owned();
        if said.contains(wanted) {
            break;
        }
    };
    let environment = vec![
        ("NOTIFY_SOCKET", path.display().to_string()),
        ("WATCHDOG_USEC", "1000000".to_owned()),
    ];
    let mut stage = Stage::start(&Setup { environment, ..Setup::on(&broker) });
    for wanted in ["READY=1", "WATCHDOG=1", "STATUS=ready", "WATCHDOG=1", "WATCHDOG=1"] {
        hear(wanted);
    }
    stage.signal(Signal::SIGTERM);
    hear("STOPPING=1");
    assert_eq!(stage.ended().code(), Some(0));
    fs::remove_dir_all(folder).expect("it was ours");
}
