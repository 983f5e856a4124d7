//! How long do rules take until they can judge? From files on disk to a compiled detector: what a
//! start and a reload wait for.
//!
//! 507 files (as many KQL rules as Elastic's repository has) and 10,000 files, copies of the shipped
//! rules with ids and values of their own. A folder of other rules is measured as well, as it stands
//! with what it switches off switched on, and as 10,000 copies.
//!
//! `cargo bench --bench load [-- --runs N --rules FOLDER]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ouzel::cli::args::Shared;
use ouzel::cli::rules;
use ouzel::config::Settings;
use ouzel::config::settings::RuleOverride;
use ouzel::detect::{Detector, Validate};
use ouzel::pipeline::setup;
use ouzel::rule::RuleSet;
use support::{median, number, option, process_seconds};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runs = usize::try_from(number(&arguments, "--runs", 7)).unwrap_or(7);
    let shipped: Vec<String> = rules::shipped().into_iter().map(|text| text.text).collect();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("read, parse, compile; {runs} runs; load of the machine: {}", load.trim());
    measure("507 copies of the shipped rules", &of(copies(&shipped, 507)), runs);
    measure("10,000 copies of the shipped rules", &of(copies(&shipped, 10_000)), runs);
    let Some(folder) = option(&arguments, "--rules").map(PathBuf::from) else { return };
    let whole = all_on(&of(folder));
    measure("the given folder", &whole, runs);
    let set = load_rules(&whole);
    let texts = set.rules().iter().filter_map(|rule| fs::read_to_string(&rule.origin).ok());
    measure(
        "10,000 copies of its rules",
        &all_on(&of(copies(&texts.collect::<Vec<_>>(), 10_000))),
        runs,
    );
}

fn of(folder: PathBuf) -> Settings {
    Settings { rules: vec![folder], ..Settings::default() }
}

/// The same, with every rule on that only its file switches off.
fn all_on(settings: &Settings) -> Settings {
    let is_off = |reason: &str| reason.contains("deprecated") || reason.contains("enabled");
    let on = RuleOverride { enabled: Some(true), ..RuleOverride::default() };
    let set = load_rules(settings);
    let off = set.skipped().iter().filter(|skipped| is_off(&skipped.reason));
    let rule_overrides: BTreeMap<_, _> =
        off.map(|skipped| (skipped.id.clone(), on.clone())).collect();
    Settings { rule_overrides, ..settings.clone() }
}

fn load_rules(settings: &Settings) -> Arc<RuleSet> {
    rules::load(settings, &Shared::default()).expect("these rules load")
}

/// A folder with `count` files made of `texts` in turn, each with an id of its own.
fn copies(texts: &[String], count: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/bench/rules-{count}"));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("target/ can be written");
    for (number, text) in texts.iter().cycle().take(count).enumerate() {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let id =
            lines.iter_mut().find(|line| line.starts_with("rule_id = ")).expect("a rule has an id");
        *id = format!("rule_id = \"00000000-0000-0000-0000-{number:012}\"");
        fs::write(folder.join(format!("{number}.toml")), lines.join("\n"))
            .expect("it can be written");
    }
    folder
}

/// Prints medians and minima of wall time and CPU time, after one run that is not counted.
fn measure(what: &str, settings: &Settings, runs: usize) {
    let (mut walls, mut cpus, mut rules) = (Vec::new(), Vec::new(), 0);
    for run in 0..=runs {
        let (begun, before) = (Instant::now(), process_seconds());
        let set = load_rules(settings);
        let types = setup::field_types(settings, &set);
        let detector = Detector::new(set, &types, Validate::default());
        rules = detector.rules().rules().len();
        if run > 0 {
            walls.push(begun.elapsed().as_secs_f64() * 1e3);
            cpus.push((process_seconds() - before) * 1e3);
        }
    }
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "  {what:<36} {rules:>6} rules   wall {:>6.0} ms (least {:.0})   CPU {:>6.0} ms (least {:.0})",
        median(walls.iter().copied()),
        least(&walls),
        median(cpus.iter().copied()),
        least(&cpus),
    );
}
