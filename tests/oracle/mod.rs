//! Ouzel's verdicts held against programs that are not ours.
//!
//! - `evaluator`: the KQL evaluator of elastic/detection-rules (Python), on what both mean alike;
//! - `grammar`: Kibana's own grammar of KQL (JavaScript), accepted and refused texts and trees;
//! - `pairs`: raw Okta events and what Elastic and Sekoia make of them, field by field;
//! - `rule_files`: every rule file of elastic/detection-rules loads and compiles as it stands.
//!
//! Nothing is fetched: what is compared with is named by environment variables, and a test whose
//! inputs are not there says so and ends. docs/RULES.md tells how to get them.
//!
//! | variable | what it names |
//! |---|---|
//! | `OUZEL_DETECTION_RULES` | a checkout of elastic/detection-rules |
//! | `OUZEL_PYTHON` | Python 3.12 or later with `lark` and `eql` (default `python3`) |
//! | `OUZEL_KUERY_GRAMMAR` | `grammar.peggy` of Kibana's package kbn-es-query |
//! | `OUZEL_PEGGY` | the folder of the npm module `peggy` |
//! | `OUZEL_OKTA_PAIRS` | a folder with test pairs of elastic/integrations, elastic/beats, Sekoia |
//! | `OUZEL_ORACLE_SCALE` | how many times the usual number of queries (default 1) |

mod events;
mod evaluator;
mod grammar;
mod pairs;
mod queries;
mod random;
mod rule_files;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::source;

/// The path that the variable `name` holds; else says that the test is skipped.
fn input(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    match &path {
        None => println!("skipped: {name} names nothing to compare with"),
        Some(path) => assert!(path.exists(), "{name} is {}, which is not there", path.display()),
    }
    path
}

fn scale() -> usize {
    let scale = std::env::var("OUZEL_ORACLE_SCALE");
    scale.map_or(1, |scale| scale.parse().expect("OUZEL_ORACLE_SCALE is a number"))
}

fn script(name: &str) -> PathBuf {
    source::root().join("tests/oracle").join(name)
}

/// What `command` answers to `lines`, line by line.
fn answers(command: &mut Command, lines: &[String]) -> Vec<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let mut stdin = child.stdin.take().expect("standard input was asked for");
    let asked = lines.join("\n");
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().expect("the child was started");
    writer.join().expect("the writer does not panic").expect("the child reads what it is asked");
    assert!(output.status.success(), "{command:?} ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("answers are UTF-8");
    let answers: Vec<String> = text.split_terminator('\n').map(str::to_owned).collect();
    assert_eq!(answers.len(), lines.len(), "{command:?} left lines without an answer");
    answers
}

/// Whether `command` ends well; else the test is skipped, and says so.
fn runs(command: &mut Command) -> bool {
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = silent.status().is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: {command:?} does not run");
    }
    is_there
}

/// Every rule file of the checkout at `folder`.
fn rule_paths(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for name in ["rules", "rules_building_block"] {
        walk(&folder.join(name), &mut paths);
    }
    paths.sort();
    paths
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|fault| panic!("{folder:?}: {fault}")) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            paths.push(path);
        }
    }
}

/// Panics with some of each class of differences, where there are any.
fn none_differ(differences: &std::collections::BTreeMap<&str, Vec<String>>) {
    let shown: String = differences
        .iter()
        .map(|(class, found)| {
            let some: Vec<&str> = found.iter().take(12).map(String::as_str).collect();
            format!("{class}: {}\n{}\n", found.len(), some.join("\n"))
        })
        .collect();
    assert!(differences.is_empty(), "{shown}");
}
