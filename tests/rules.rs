//! The shipped rules: they load, their cases come out as expected, both forms of the query fire on
//! the same events, and the generator agrees with them on what a hit is. Then `test` as a command.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ouzel::cli::args::Shared;
use ouzel::cli::exit::Exit;
use ouzel::cli::{self, cases, rules};
use ouzel::config::Settings;
use ouzel::detect::{Detector, Validate};
use ouzel::disposition::Exceptions;
use ouzel::event::{Scratch, TopicProfile};
use ouzel::generate::{Generator, Options, Shape};
use ouzel::pipeline::setup;
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::case::{CaseFile, Expectation};
use ouzel::rule::{self, Found, Override, RuleFault, RuleSet, RuleText, Severity};

use crate::support::source;

/// The rule that this project exists for.
const MFA_RESET: &str = "729aa18d-06a6-41c7-b175-b65b739b1181";

fn folder() -> PathBuf {
    source::root().join("config/rules/okta")
}

fn shown(faults: &[RuleFault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn loaded(texts: &[RuleText]) -> Arc<RuleSet> {
    let set = rule::load(texts, &BTreeMap::new());
    Arc::new(set.unwrap_or_else(|faults| panic!("{}", shown(&faults))))
}

fn shipped_cases() -> Vec<CaseFile> {
    let found = rules::cases(&Settings::default(), &Shared::default());
    found.unwrap_or_else(|failure| panic!("{failure}"))
}

/// Runs `files` on `set` and panics with every case that failed, explained.
fn all_as_expected(set: &Arc<RuleSet>, files: &[CaseFile]) -> usize {
    let settings = Settings::default();
    let suites = cases::run(&settings, set, &Exceptions::default(), files)
        .unwrap_or_else(|failure| panic!("{failure}"));
    let checked = suites.iter().flat_map(|suite| &suite.checked);
    let failed: String = checked
        .clone()
        .filter_map(|checked| Some((checked, checked.failure.as_ref()?)))
        .map(|(checked, failure)| {
            format!(
                "{}: {}: expected {}, found {}\n{}\n",
                checked.origin,
                checked.case.name,
                failure.expected,
                failure.found,
                failure.explanation
            )
        })
        .collect();
    assert!(failed.is_empty(), "{failed}");
    checked.count()
}

#[test]
fn every_rule_of_the_folder_is_built_in() {
    let entries = std::fs::read_dir(folder()).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let files: BTreeSet<String> = names.map(|name| name.expect("names are UTF-8")).collect();
    let built_in: BTreeSet<String> = rules::shipped()
        .iter()
        .flat_map(|text| {
            let name = text.origin.trim_start_matches("okta/").to_owned();
            [name.replace(".toml", ".cases.toml"), name]
        })
        .collect();
    assert_eq!(files, built_in);
}

#[test]
fn the_mfa_reset_rule_states_the_facts() {
    let set = loaded(&rules::shipped());
    let (_, rule) = set.find(MFA_RESET).expect("it is shipped");
    assert_eq!(rule.name, "Attempt to Reset MFA Factors for an Okta User Account");
    assert_eq!((rule.version, rule.severity, rule.risk_score), (411, Severity::Low, 21));
    assert_eq!(rule.index, ["filebeat-*", "logs-okta*"]);
    assert_eq!((&*rule.interval, &*rule.from), ("5m", "now-6m"));
    assert_eq!((rule.look_back_ms, rule.max_signals), (360_000, Some(100)));
    assert_eq!(rule.timestamp_override.as_deref(), Some("event.ingested"));
    assert_eq!(
        (&*rule.author, &*rule.license),
        (&["Elastic".to_owned()][..], "Elastic License v2")
    );
    let query = "event.dataset:okta.system and event.action:user.mfa.factor.reset_all";
    assert_eq!(rule.query.text.trim(), query);
    let tags = [
        "Tactic: Persistence",
        "Use Case: Identity and Access Audit",
        "Data Source: Okta",
        "Resources: Investigation Guide",
    ];
    assert_eq!(rule.tags, tags);
    assert_eq!(rule.references.len(), 6);
    let threat = &rule.threat[0];
    assert_eq!(
        (&threat["tactic"]["id"], &threat["technique"][0]["id"]),
        (&"TA0003".into(), &"T1098".into())
    );
    let points = |heading: &str| {
        let section = rule.note.split("### ").find(|section| section.starts_with(heading));
        section.map(|section| section.matches("\n- ").count())
    };
    assert_eq!(points("Possible investigation steps"), Some(6));
    assert_eq!(points("False positive analysis"), Some(4));
    assert_eq!(points("Response and remediation"), Some(7));
}

#[test]
fn every_shipped_rule_is_whole() {
    let set = loaded(&rules::shipped());
    assert!(set.rules().len() >= 9 && set.skipped().is_empty());
    for rule in set.rules() {
        let name = &rule.name;
        assert!(rule.id == MFA_RESET || rule.license == "Apache-2.0", "{name}");
        assert!(rule.id == MFA_RESET || rule.author == ["Ouzel"], "{name}");
        assert!(!rule.note.is_empty() && !rule.setup.is_empty(), "{name}");
        assert!(!rule.false_positives.is_empty() && !rule.references.is_empty(), "{name}");
        assert_ne!(rule.threat, serde_json::json!([]), "{name}");
    }
    let types = setup::field_types(&Settings::default(), &set);
    let detector = Detector::new(Arc::clone(&set), &types, Validate::Envelope);
    assert_eq!(detector.needs_extraction().count(), 0, "one such rule decodes every record");
}

#[test]
fn every_shipped_case_comes_out_as_expected() {
    let (set, files) = (loaded(&rules::shipped()), shipped_cases());
    let count = all_as_expected(&set, &files);
    println!("{} rules, {count} cases", set.rules().len());
    for file in &files {
        let hits = |case: &rule::case::Case| matches!(case.expect, Expectation::Hit { .. });
        let clean = |case: &rule::case::Case| case.expect == Expectation::Clean;
        assert!(file.cases.iter().any(hits), "{} has no hit", file.origin);
        assert!(file.cases.iter().any(clean), "{} has no clean case", file.origin);
    }
    for rule in set.rules() {
        let has_cases = files.iter().any(|file| rules::is_beside(&file.origin, &rule.origin));
        assert!(has_cases, "{} has no cases", rule.origin);
    }
}

#[test]
fn both_forms_of_the_query_fire_on_the_same_events() {
    let mut texts = rules::shipped();
    texts.retain(|text| text.text.contains(MFA_RESET));
    let [text] = texts.as_mut_slice() else { panic!("one shipped rule has the id") };
    assert!(text.text.contains("event.dataset:okta.system and"));
    text.text =
        text.text.replace("event.dataset:okta.system and", "data_stream.dataset:okta.system and");
    let set = loaded(&texts);
    assert!(set.rules()[0].query.text.contains("data_stream.dataset"));
    let files: Vec<CaseFile> = shipped_cases()
        .into_iter()
        .filter(|file| rules::is_beside(&file.origin, &set.rules()[0].origin))
        .collect();
    assert!(all_as_expected(&set, &files) > 20);
}

/// The hits of the shipped rules on `count` generated events: by rule id, the events' numbers.
fn hits(options: &Options, count: u64) -> BTreeMap<String, Vec<u64>> {
    let set = loaded(&rules::shipped());
    let types = setup::field_types(&Settings::default(), &set);
    let detector = Detector::new(Arc::clone(&set), &types, Validate::Full);
    let (mut scratch, profile) = (Scratch::default(), TopicProfile::default());
    let mut generator = Generator::new(options.clone());
    let (mut payload, mut found) = (Vec::new(), BTreeMap::<String, Vec<u64>>::new());
    for _ in 0..count {
        payload.clear();
        let number = generator.next_into(&mut payload).number;
        let record = Record {
            payload: Some(&payload),
            key: None,
            headers: &NoHeaders,
            position: Position { topic: "okta", partition: 0, offset: 0 },
            timestamp: None,
            received: Timestamp::from_millis(0),
        };
        let verdict = detector.inspect(&record, &profile, &mut scratch);
        for hit in verdict.hits {
            let rule = set.get(hit.rule).expect("a hit names a rule of the set");
            found.entry(rule.id.clone()).or_default().push(number);
        }
    }
    found
}

#[test]
fn generated_events_hit_the_mfa_reset_rule_and_no_other() {
    for shape in Shape::ALL {
        let options = Options { shape, hits_permille: 20, ..Options::default() };
        let found = hits(&options, 2000);
        let expected: Vec<u64> = (0..2000).filter(|number| options.is_hit(*number)).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), [MFA_RESET], "{}", shape.name());
        assert_eq!(found[MFA_RESET], expected, "{}", shape.name());
    }
}

#[test]
fn noise_hits_reach_the_other_shipped_rules() {
    for shape in Shape::ALL {
        let options = Options { shape, hits_permille: 0, noise_hits: true, ..Options::default() };
        let found = hits(&options, 4000);
        assert!(!found.contains_key(MFA_RESET), "{}", shape.name());
        let shipped = loaded(&rules::shipped());
        let missed: Vec<&str> = shipped
            .rules()
            .iter()
            .filter(|rule| rule.id != MFA_RESET && !found.contains_key(&rule.id))
            .map(|rule| rule.name.as_str())
            .collect();
        assert!(missed.is_empty(), "{}: nothing hits {missed:?}", shape.name());
    }
}

/// A folder for one test, empty at its start.
fn workplace(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rules").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the folder of the last run goes");
    }
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("the folder takes a file");
}

fn ouzel(arguments: &[&str]) -> Exit {
    let program = std::iter::once("ouzel").chain(arguments.iter().copied());
    cli::main(program.map(Into::into))
}

const RULE: &str = "[rule]\nrule_id = \"r-1\"\nname = \"n\"\ntype = \"query\"\ndescription = \"d\"\n\
                    severity = \"low\"\nrisk_score = 1\nquery = \"a:1\"\n";
const CASE: &str = "[[case]]\nname = \"one\"\nwhy = \"w\"\nexpect = \"EXPECT\"\nevent = {a = 1}\n";

#[test]
fn test_ends_as_its_cases_do() {
    let place = workplace("exit-codes");
    let path = place.to_str().expect("the folder's name is UTF-8");
    write(&place, "r.toml", RULE);
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Fine, "no cases is a warning");
    assert_eq!(ouzel(&["test", "-r", path, "--strict"]), Exit::Findings, "and strictly a failure");
    write(&place, "r.cases.toml", &CASE.replace("EXPECT", "hit"));
    assert_eq!(ouzel(&["test", "-r", path, "--strict"]), Exit::Fine);
    let file = place.join("r.toml");
    let file = file.to_str().expect("the folder's name is UTF-8");
    assert_eq!(ouzel(&["test", "-r", file, "--strict"]), Exit::Fine, "cases beside a named file");
    write(&place, "r.cases.toml", &CASE.replace("EXPECT", "clean"));
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Findings);
    write(&place, "r.cases.toml", &CASE.replace("EXPECT", "hat"));
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Rules, "a case file that is wrong");
    write(&place, "r.cases.toml", "");
    write(&place, "x.cases.toml", &CASE.replace("EXPECT", "hit"));
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Rules, "cases of no rule");
    assert_eq!(ouzel(&["test", "-r", "no/such/path"]), Exit::Unavailable);
}

#[test]
fn junit_tells_what_failed_and_why() {
    let place = workplace("junit");
    let path = place.to_str().expect("the folder's name is UTF-8");
    let report = place.join("cases.xml");
    write(&place, "r.toml", RULE);
    write(
        &place,
        "r.cases.toml",
        &[CASE.replace("EXPECT", "hit"), CASE.replace("one", "two").replace("EXPECT", "clean")]
            .concat(),
    );
    let junit = report.to_str().expect("the folder's name is UTF-8");
    assert_eq!(ouzel(&["test", "-r", path, "--junit", junit]), Exit::Findings);
    let xml = std::fs::read_to_string(&report).expect("the report was written");
    assert!(xml.contains("tests=\"2\"") && xml.contains("failures=\"1\""), "{xml}");
    assert!(xml.contains("expected clean, found hit"), "{xml}");
    assert!(xml.contains("why: w"), "{xml}");
}

#[test]
fn files_that_are_no_rules_say_so() {
    let place = workplace("faults");
    let path = place.to_str().expect("the folder's name is UTF-8");
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Rules, "an empty folder");
    std::fs::write(place.join("r.toml"), b"[rule]\nname = \"\xff\"\n").expect("a file");
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Rules, "not UTF-8");
    write(&place, "r.toml", &RULE.replace("a:1", "a:not x"));
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Rules, "a wrong query");
    write(&place, "r.toml", &RULE.replace("\"query\"", "\"eql\""));
    assert_eq!(ouzel(&["test", "-r", path]), Exit::Fine, "a folder skips what cannot run");
    let file = place.join("r.toml");
    let file = file.to_str().expect("the folder's name is UTF-8");
    assert_eq!(ouzel(&["test", "-r", file]), Exit::Rules, "named itself, it is an error");
}

#[test]
fn explain_ends_as_its_input_can_be_read() {
    let place = workplace("explain");
    write(&place, "r.toml", RULE);
    write(&place, "events.ndjson", "{\"a\":1}\n{\"a\":2}\n");
    write(&place, "broken.ndjson", "{\"a\":1}\n{\"a\":\n");
    let path = |name: &str| place.join(name).to_str().expect("names are UTF-8").to_owned();
    let (rule, events, broken) = (path("r.toml"), path("events.ndjson"), path("broken.ndjson"));
    assert_eq!(ouzel(&["explain", "-r", &rule, &events]), Exit::Fine);
    assert_eq!(ouzel(&["explain", "-r", &rule, "--output", "json", &events]), Exit::Fine);
    assert_eq!(ouzel(&["explain", "-r", &rule, "--rule", "r-1", &events]), Exit::Fine);
    assert_eq!(ouzel(&["explain", "-r", &rule, "--rule", "r-2", &events]), Exit::Configuration);
    assert_eq!(ouzel(&["explain", "-r", &rule, &broken]), Exit::Findings);
    assert_eq!(ouzel(&["explain", "-r", &rule, &path("none.json")]), Exit::Unavailable);
}

/// What the program says to `input`.
fn answer(arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(input.as_bytes()).expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    String::from_utf8(output.stdout).expect("the answer is UTF-8")
}

#[test]
fn an_alert_is_explained_over_the_event_that_it_carries() {
    let event = r#"{"uuid":"a","published":"2026-01-05T09:12:44.118Z","eventType":"user.mfa.factor.reset_all"}"#;
    let alert = answer(&["pipe", "-q"], event);
    assert_eq!(alert.lines().count(), 1, "{alert}");
    let lines = answer(&["explain", "--output", "json"], &alert);
    let said: serde_json::Value = serde_json::from_str(&lines).expect("one line of JSON");
    assert_eq!((&said["rule_id"], &said["held"]), (&MFA_RESET.into(), &true.into()), "{said}");
    let operands = said["explanation"]["operands"].as_array().expect("a conjunction");
    assert_eq!(operands[1]["found"][0], "user.mfa.factor.reset_all");
    let every = answer(&["explain"], event);
    assert_eq!(every.matches("does not hold").count(), rules::shipped().len() - 1, "{every}");
    let near = event.replace("reset_all", "reset");
    let missed = answer(&["explain", "--rule", MFA_RESET], &near);
    assert!(missed.contains("`event.action` is `user.mfa.factor.reset`, expected"), "{missed}");
}

/// The examples of the authors' document: what it shows can be copied.
#[test]
fn the_examples_of_the_document_are_right() {
    let document =
        std::fs::read_to_string(source::root().join("docs/RULES.md")).expect("it is there");
    let blocks: Vec<&str> = document
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    let [rule, overrides, cases] = blocks.as_slice() else { panic!("three examples: {blocks:?}") };
    let text = |text: &str| RuleText {
        origin: "docs/RULES.md".to_owned(),
        text: text.to_owned(),
        found: Found::Named,
    };
    let id = loaded(&[text(rule)]).rules()[0].id.clone();
    assert!(overrides.contains(MFA_RESET));
    let cases = cases.replace("rule = \"b7602d4e-…\"", &format!("rule = \"{id}\""));
    let file = rule::case::parse("docs/RULES.md", &cases);
    let file = file.unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    assert_eq!(all_as_expected(&loaded(&[text(rule)]), &[file]), 2);
}

/// Elastic's own rules, where a checkout of elastic/detection-rules is at hand:
/// `OUZEL_DETECTION_RULES=/path/to/detection-rules`. Nothing is fetched, nothing is kept.
#[test]
fn elastics_rules_load_unchanged_and_compile() {
    let Some(checkout) = std::env::var_os("OUZEL_DETECTION_RULES").map(PathBuf::from) else {
        println!("skipped: OUZEL_DETECTION_RULES names no checkout of elastic/detection-rules");
        return;
    };
    let folders = ["rules", "rules_building_block"].map(|name| checkout.join(name));
    let (files, unread) = cli::files::gather(&folders, &[".toml"]);
    assert!(unread.is_none(), "{unread:?}");
    let text = |file: &cli::files::TextFile| RuleText {
        origin: file.origin(),
        text: file.text.clone(),
        found: Found::InFolder,
    };
    let texts: Vec<RuleText> = files.iter().map(text).collect();
    let set = loaded(&texts);
    let is_off = |reason: &str| reason.contains("deprecated") || reason.contains("enabled");
    let on = Override { enabled: Some(true), ..Override::default() };
    let off = set.skipped().iter().filter(|skipped| is_off(&skipped.reason));
    let overrides = off.map(|skipped| (skipped.id.clone(), on.clone())).collect();
    let set = rule::load(&texts, &overrides).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    println!("{} files, {} rules, {} skipped", texts.len(), set.rules().len(), set.skipped().len());
    assert!(set.rules().len() >= 500);
    let types = setup::field_types(&Settings::default(), &set);
    let detector = Detector::new(Arc::new(set), &types, Validate::Envelope);
    println!("{} need extraction", detector.needs_extraction().count());
}
