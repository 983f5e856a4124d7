//! Documents, alarms, dashboard and compose stack against the program: nothing may name what does
//! not exist, and nothing that exists may be missing from the documents.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Parser;
use ouzel::cli::args::{Arguments, Command};
use ouzel::config::Settings;
use ouzel::telemetry::http::{Bounds, HEADER_BYTES_MAX};
use ouzel::telemetry::table::{Kind, Row, TABLE};

use crate::support::source;

const OPERATIONS: &str = "docs/OPERATIONS.md";
const ALARMS: &str = "config/prometheus/alerts.yml";
const ALARM_CASES: &str = "config/prometheus/alerts_test.yml";
const SCRAPE: &str = "config/prometheus/prometheus.yml";
const DASHBOARD: &str = "config/grafana/dashboards/ouzel.json";
const COMPOSE: &str = "docker-compose.yml";
const IMAGE: &str = "Dockerfile";

fn read(path: &str) -> String {
    std::fs::read_to_string(source::root().join(path))
        .unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// The row of the table as the documents show it.
fn documented(row: &Row) -> String {
    let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |", row.name, row.kind.name(), labels.join(", "), row.help)
}

#[test]
fn the_documents_list_the_table_of_metrics() {
    let document = read(OPERATIONS);
    let found: Vec<&str> = document.lines().filter(|line| line.starts_with("| `ouzel_")).collect();
    let expected: Vec<String> = TABLE.iter().map(documented).collect();
    let mut table = String::new();
    for row in &expected {
        writeln!(table, "{row}").expect("a String takes everything");
    }
    assert!(found == expected, "{OPERATIONS} should hold this table:\n{table}");
}

/// Words of `text` that are names of metrics, or would like to be.
fn metric_names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("ouzel_"))
        .collect()
}

fn is_series(name: &str) -> bool {
    TABLE.iter().any(|row| match row.kind {
        Kind::Histogram => name
            .strip_prefix(row.name)
            .is_some_and(|suffix| matches!(suffix, "" | "_bucket" | "_sum" | "_count")),
        Kind::Counter | Kind::Gauge => name == row.name,
    })
}

#[test]
fn every_metric_that_is_named_exists() {
    for path in [OPERATIONS, ALARMS, ALARM_CASES, DASHBOARD, SCRAPE, "docs/ARCHITECTURE.md"] {
        let text = read(path);
        let unknown: Vec<&str> =
            metric_names(&text).into_iter().filter(|name| !is_series(name)).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}, which no table has");
    }
    assert!(is_series("ouzel_event_to_alert_seconds_bucket"));
    assert!(!is_series("ouzel_event_to_alert_seconds_buckets") && !is_series("ouzel_record_total"));
}

/// The labels that a query groups by or selects on.
fn labels(query: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in query.split("by (").skip(1) {
        let list = part.split(')').next().unwrap_or_default();
        found.extend(list.split(',').map(|label| label.trim().to_owned()));
    }
    for part in query.split('{').skip(1) {
        let list = part.split('}').next().unwrap_or_default();
        let names = list.split(',').filter_map(|pair| pair.split(['=', '!']).next());
        found.extend(names.map(|label| label.trim().to_owned()));
    }
    found
}

fn queries_of_the_dashboard() -> Vec<String> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read(DASHBOARD)).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("the dashboard has panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    targets.map(|target| target["expr"].as_str().expect("a query").to_owned()).collect()
}

/// The value of each `expr:` of the alarms, folded lines joined.
fn queries_of_the_alarms() -> Vec<String> {
    let text = read(ALARMS);
    let blocks = text.split("expr:").skip(1);
    blocks
        .map(|block| {
            let until = block.split("\n        for:").next().unwrap_or_default();
            let until = until.split("\n        labels:").next().unwrap_or_default();
            until.trim_start_matches(" >-").split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn queries_use_labels_that_their_metrics_have() {
    let of_prometheus = ["job", "instance", "le"];
    for query in queries_of_the_dashboard().into_iter().chain(queries_of_the_alarms()) {
        let names = metric_names(&query);
        assert!(
            !names.is_empty() || query.contains("process_") || query.contains("up{"),
            "{query}"
        );
        let known: BTreeSet<&str> = TABLE
            .iter()
            .filter(|row| names.iter().any(|name| name.starts_with(row.name)))
            .flat_map(|row| row.labels)
            .copied()
            .chain(of_prometheus)
            .collect();
        for label in labels(&query) {
            assert!(known.contains(&*label), "{query}: no metric in it has the label {label}");
        }
    }
}

#[test]
fn the_dashboard_shows_every_panel_in_its_own_place() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read(DASHBOARD)).expect("the dashboard is JSON");
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("the dashboard has panels") {
        let title = panel["title"].as_str().expect("a panel has a title");
        assert!(ids.insert(panel["id"].as_u64().expect("a panel has an id")), "{title}: id");
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        let side = |name: &str| panel["gridPos"][name].as_u64().expect("a panel has a place");
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(x < 24 && cells.insert((x, y)), "{title} covers another panel at {x},{y}");
            }
        }
    }
}

#[test]
fn every_alarm_has_a_runbook_and_cases() {
    let names = |text: &str, before: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(before));
        lines
            .map(|rest| rest.split([',', ' ', '}']).next().unwrap_or_default().to_owned())
            .collect()
    };
    let alarms = names(&read(ALARMS), "- alert: ");
    assert!(!alarms.is_empty());
    assert_eq!(names(&read(OPERATIONS), "### "), alarms, "{OPERATIONS}: a section for each alarm");
    let cases = read(ALARM_CASES);
    for alarm in &alarms {
        assert!(cases.contains(&format!("alertname: {alarm} }}")), "{alarm}: no case stays quiet");
        let fires = format!("alertname: {alarm}\n        exp_alerts:");
        assert!(cases.contains(&fires), "{alarm}: no case fires");
    }
}

/// The block of a service in the compose file.
fn service(name: &str) -> String {
    let text = read(COMPOSE);
    let start = format!("\n  {name}:\n");
    let block = text.split_once(&start).unwrap_or_else(|| panic!("no service {name}")).1;
    let is_inside = |line: &&str| line.is_empty() || line.starts_with("   ");
    block.lines().take_while(is_inside).collect::<Vec<_>>().join("\n")
}

/// A YAML or Dockerfile list on one line (`[a, "b"]`), or on lines of its own (`- a`).
fn list(text: &str, key: &str) -> Vec<String> {
    let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("no {key} in {text}"));
    let clean = |item: &str| item.trim().trim_matches('"').to_owned();
    let first = rest.lines().next().unwrap_or_default().trim();
    match first.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some(list) => list.split(',').map(clean).collect(),
        None => {
            let lines = rest.lines().skip(1).map(str::trim);
            lines.map_while(|line| line.strip_prefix("- ")).map(clean).collect()
        }
    }
}

#[test]
fn the_container_runs_a_command_that_the_program_knows() {
    let command = ["run", "-c", "/etc/ouzel/ouzel.toml"];
    assert_eq!(list(&service("ouzel"), "command:"), command);
    assert_eq!(list(&read(IMAGE), "\nCMD "), command);
    assert_eq!(list(&read(IMAGE), "\nENTRYPOINT "), ["/usr/local/bin/ouzel"]);
    assert!(read(OPERATIONS).contains(&format!("\nouzel {}\n", command.join(" "))));
    let parse = |arguments: Vec<String>| {
        let all = std::iter::once("ouzel".to_owned()).chain(arguments);
        Arguments::try_parse_from(all).unwrap_or_else(|fault| panic!("{fault}"))
    };
    let arguments = parse(list(&service("ouzel"), "command:"));
    assert!(matches!(arguments.command, Command::Run), "{arguments:?}");
    let arguments = parse(list(&service("generator"), "command:"));
    assert!(matches!(arguments.command, Command::Generate(_)), "{arguments:?}");
}

#[test]
fn the_endpoint_is_where_prometheus_looks_for_it() {
    assert!(read(SCRAPE).contains("targets: [\"ouzel:9847\"]"));
    assert!(read(IMAGE).contains("ENV OUZEL__HTTP__LISTEN=0.0.0.0:9847\nEXPOSE 9847\n"));
    assert!(service("ouzel").contains("OUZEL__HTTP__LISTEN: 0.0.0.0:9847\n"));
}

#[test]
fn the_bounds_of_the_endpoint_are_those_in_the_document() {
    let bounds = Bounds::default();
    let sentence = format!(
        "At most {} connections are open, a request's head is at most {} KiB and has {} s to arrive, \
         a connection ends after {} s",
        bounds.connections_max,
        HEADER_BYTES_MAX >> 10,
        bounds.header_timeout.as_secs(),
        bounds.connection_timeout.as_secs(),
    );
    assert!(read("docs/SECURITY.md").contains(&sentence), "docs/SECURITY.md: {sentence}");
}

#[test]
fn the_stage_runs_hardened_and_nothing_listens_beyond_this_machine() {
    let text = read(COMPOSE);
    let hardened = "x-hardened: &hardened\n  read_only: true\n  cap_drop: [ALL]\n  \
                    security_opt: [\"no-new-privileges:true\"]\n";
    assert!(text.contains(hardened));
    for name in ["ouzel", "generator"] {
        assert!(service(name).contains("<<: [*ouzel, *hardened]"), "{name}");
    }
    let published: Vec<&str> = text
        .split("ports:\n")
        .skip(1)
        .filter_map(|block| block.lines().next())
        .map(str::trim)
        .collect();
    assert_eq!(published.len(), 4, "{published:?}");
    for port in published {
        assert!(port.starts_with("- \"127.0.0.1:"), "{port} listens beyond loopback");
    }
    assert!(read(IMAGE).contains("\nFROM gcr.io/distroless/cc-debian12:nonroot\n"));
}

#[test]
fn the_stack_creates_the_topics_that_the_stage_uses_by_default() {
    let settings = Settings::default();
    let mut expected = settings.input.topics;
    expected.push(settings.output.alerts);
    expected.extend(settings.output.dead_letters);
    let script = service("topics");
    let (_, rest) = script.split_once("for topic in ").expect("the script loops over topics");
    let (created, _) = rest.split_once(';').expect("the list of topics ends");
    assert_eq!(created.split(' ').collect::<Vec<_>>(), expected);
    let generator = list(&service("generator"), "command:");
    assert!(generator.contains(&format!("--topic={}", expected[0])), "{generator:?}");
}

/// Whether the settings have a value at `path`, as their pretty `Debug` text shows.
fn is_setting(path: &[&str]) -> bool {
    let text = format!("{:#?}", Settings::default());
    let mut lines = text.lines();
    path.iter().enumerate().all(|(depth, name)| {
        let indent = "    ".repeat(depth + 1);
        let start = format!("{indent}{name}: ");
        // Past the end of a parent, lines are less indented: the name is not in it.
        let mut inside = lines.by_ref().take_while(|line| depth == 0 || line.starts_with(&indent));
        inside.any(|line| line.starts_with(&start))
    })
}

#[test]
fn every_key_that_is_set_by_environment_exists() {
    for path in [COMPOSE, IMAGE, OPERATIONS] {
        let text = read(path);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: BTreeSet<&str> = words.filter(|word| word.starts_with("OUZEL__")).collect();
        assert!(!names.is_empty(), "{path}");
        for name in names.into_iter().filter(|name| *name != "OUZEL__SECTION__KEY") {
            let lower = name.to_ascii_lowercase();
            let keys: Vec<&str> = lower.split("__").skip(1).collect();
            assert!(is_setting(&keys), "{path}: {name} is no key of the configuration");
        }
    }
    assert!(!is_setting(&["http", "brokers"]) && !is_setting(&["kafka", "listen"]));
}

#[test]
fn every_key_that_the_documents_name_exists() {
    let sections = ["kafka.", "input.", "output.", "delivery.", "http.", "log."];
    let text = read(OPERATIONS);
    let quoted = text.split('`').skip(1).step_by(2);
    let keys: BTreeSet<&str> = quoted
        .filter_map(|quoted| quoted.split(' ').next())
        .filter(|key| sections.iter().any(|section| key.starts_with(section)))
        .collect();
    assert!(keys.len() > 4, "{keys:?}");
    for key in keys {
        let path: Vec<&str> = key.split('.').collect();
        assert!(is_setting(&path), "{OPERATIONS}: {key} is no key of the configuration");
    }
}
