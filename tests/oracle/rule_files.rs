//! Every rule file of elastic/detection-rules: what can run loads unchanged and compiles, the rest
//! is listed with its reason. Then ten thousand files at once.
//!
//! Times are printed, not asserted: a test that fails where the machine is busy teaches nobody.
//! `cargo test --release --test main oracle::rule_files -- --nocapture` shows those that count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ouzel::cli::args::Shared;
use ouzel::cli::rules;
use ouzel::config::Settings;
use ouzel::config::settings::RuleOverride;
use ouzel::detect::{Detector, Validate};
use ouzel::pipeline::setup;
use ouzel::rule::RuleSet;

/// What a rule file says of itself.
struct File {
    id: String,
    is_kuery: bool,
    is_off: bool,
}

fn read(path: &Path) -> File {
    let text = std::fs::read_to_string(path).expect("rule files are UTF-8");
    let table: toml::Table = toml::from_str(&text).expect("rule files are TOML");
    let of = |table_name: &str, key: &str| {
        let value = table.get(table_name)?.as_table()?.get(key)?;
        value.as_str().map(str::to_owned)
    };
    let is_disabled = table["rule"].get("enabled").and_then(toml::Value::as_bool) == Some(false);
    File {
        id: of("rule", "rule_id").unwrap_or_default(),
        is_kuery: of("rule", "type").as_deref() == Some("query")
            && of("rule", "language").as_deref() == Some("kuery"),
        is_off: of("metadata", "maturity").as_deref() == Some("deprecated") || is_disabled,
    }
}

fn load(settings: &Settings) -> std::sync::Arc<RuleSet> {
    rules::load(settings, &Shared::default()).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Loads and compiles what `settings` name, and prints how long it took.
fn timed(what: &str, settings: &Settings) -> (std::sync::Arc<RuleSet>, Detector) {
    let start = Instant::now();
    let set = load(settings);
    let loaded = start.elapsed();
    let types = setup::field_types(settings, &set);
    let detector = Detector::new(std::sync::Arc::clone(&set), &types, Validate::default());
    let whole = start.elapsed();
    println!("{what}: {} rules, loaded in {loaded:?}, with compiling {whole:?}", set.rules().len());
    (set, detector)
}

#[test]
fn every_kuery_rule_of_the_repository_loads_unchanged_and_compiles() {
    let Some(folder) = super::input("OUZEL_DETECTION_RULES") else { return };
    let files: Vec<File> = super::rule_paths(&folder).iter().map(|path| read(path)).collect();
    let settings = |overrides: BTreeMap<String, RuleOverride>| Settings {
        rules: vec![folder.join("rules"), folder.join("rules_building_block")],
        rule_overrides: overrides,
        ..Settings::default()
    };
    let kuery = files.iter().filter(|file| file.is_kuery);
    let active = kuery.clone().filter(|file| !file.is_off).count();
    let (set, _) = timed("as they stand", &settings(BTreeMap::new()));
    assert_eq!(set.rules().len(), active);
    let on = RuleOverride { enabled: Some(true), ..RuleOverride::default() };
    let off = kuery.clone().filter(|file| file.is_off);
    let overrides: BTreeMap<_, _> = off.map(|file| (file.id.clone(), on.clone())).collect();
    let (set, detector) = timed("with those that are switched off", &settings(overrides));
    assert_eq!(set.rules().len(), kuery.clone().count());
    assert_eq!(set.rules().len() + set.skipped().len(), files.len());
    for file in kuery {
        let (index, _) = set.find(&file.id).unwrap_or_else(|| panic!("{} is missing", file.id));
        assert!(detector.program(index).is_some(), "{} is not compiled", file.id);
    }
    let filtered = set.rules().iter().filter(|rule| rule.extra.contains_key("filters"));
    println!("with filters: {}", filtered.count());
    println!("without a literal: {}", detector.needs_extraction().count());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for skipped in set.skipped() {
        assert!(!skipped.reason.is_empty(), "{} is skipped without a reason", skipped.origin);
        *reasons.entry(&skipped.reason).or_default() += 1;
    }
    println!("{} files, {} skipped: {reasons:#?}", files.len(), set.skipped().len());
}

#[test]
fn ten_thousand_rule_files_load_and_compile() {
    let Some(folder) = super::input("OUZEL_DETECTION_RULES") else { return };
    let paths: Vec<PathBuf> = super::rule_paths(&folder)
        .into_iter()
        .filter(|path| {
            let file = read(path);
            file.is_kuery && !file.is_off
        })
        .collect();
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ten-thousand");
    drop(std::fs::remove_dir_all(&copies));
    std::fs::create_dir_all(&copies).expect("the target folder can be written");
    for number in 0..10_000_usize {
        let path = &paths[number % paths.len()];
        let text = std::fs::read_to_string(path).expect("it was read before");
        let id = read(path).id;
        // The id stands in the investigation guide as well; only the first is the rule's.
        let own = format!("rule_id = \"{id}\"");
        let text = text.replacen(&own, &format!("rule_id = \"{number:08x}{}\"", &id[8..]), 1);
        std::fs::write(copies.join(format!("{number}.toml")), text).expect("it can be written");
    }
    let settings = Settings { rules: vec![copies.clone()], ..Settings::default() };
    let (set, _) = timed("ten thousand files", &settings);
    assert_eq!(set.rules().len(), 10_000);
    std::fs::remove_dir_all(&copies).expect("it was made here");
}
