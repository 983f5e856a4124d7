//! Who may depend on whom: reads every `use` and every path of `src/` and holds it against the
//! table of docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit;

use crate::support::source::{self, SourceFile};

/// A row of the table: a module, and the modules of this crate that it may use.
struct Row {
    module: &'static str,
    may_use: &'static [&'static str],
    /// Crates that the module must not know.
    must_not_know: &'static [&'static str],
}

const SHELL_CRATES: &[&str] = &["rdkafka", "tokio", "hyper", "prometheus", "tracing", "clap"];
const CORE: &[&str] = &[
    "record",
    "limits",
    "text",
    "event",
    "kql",
    "rule",
    "detect",
    "disposition",
    "alert",
    "generate",
];

/// The table. A module stands before the modules that it is a part of.
const TABLE: &[Row] = &[
    Row { module: "record", may_use: &[], must_not_know: SHELL_CRATES },
    Row { module: "limits", may_use: &[], must_not_know: SHELL_CRATES },
    Row { module: "text", may_use: &[], must_not_know: SHELL_CRATES },
    Row { module: "kql", may_use: &["limits"], must_not_know: SHELL_CRATES },
    Row { module: "event", may_use: &["record", "limits"], must_not_know: SHELL_CRATES },
    Row { module: "rule", may_use: &["kql", "limits"], must_not_know: SHELL_CRATES },
    Row {
        module: "detect",
        may_use: &["event", "kql", "rule", "record", "text", "limits"],
        must_not_know: SHELL_CRATES,
    },
    Row {
        module: "disposition",
        may_use: &["detect", "event", "kql", "rule", "record", "limits"],
        must_not_know: SHELL_CRATES,
    },
    Row {
        module: "alert",
        may_use: &["rule", "kql", "record", "event", "detect", "disposition", "text", "limits"],
        must_not_know: SHELL_CRATES,
    },
    Row { module: "generate", may_use: &["record", "limits"], must_not_know: SHELL_CRATES },
    Row { module: "clock", may_use: &["record"], must_not_know: SHELL_CRATES },
    Row {
        module: "config",
        may_use: &["limits"],
        must_not_know: &["rdkafka", "tokio", "hyper", "prometheus", "clap"],
    },
    Row { module: "telemetry", may_use: &["config", "text"], must_not_know: &["rdkafka", "clap"] },
    Row {
        module: "kafka",
        may_use: &["config", "record", "limits"],
        must_not_know: &["clap", "hyper", "prometheus"],
    },
    Row {
        module: "source",
        may_use: &["record", "kafka", "config", "clock", "limits"],
        must_not_know: &["clap", "hyper", "prometheus", "tokio"],
    },
    Row {
        module: "sink",
        may_use: &["record", "kafka", "config", "clock", "limits"],
        must_not_know: &["clap", "hyper", "prometheus", "tokio"],
    },
    Row {
        module: "pipeline::driver",
        may_use: &[
            "record",
            "limits",
            "text",
            "event",
            "kql",
            "rule",
            "detect",
            "disposition",
            "alert",
            "clock",
            "config",
            "kafka",
            "source",
            "sink",
            "pipeline",
            "telemetry",
        ],
        must_not_know: &["clap"],
    },
    Row {
        module: "pipeline::setup",
        may_use: &["record", "limits", "event", "rule", "detect", "disposition", "alert", "config"],
        must_not_know: SHELL_CRATES,
    },
    Row {
        module: "pipeline",
        may_use: &[
            "record",
            "limits",
            "text",
            "event",
            "kql",
            "rule",
            "detect",
            "disposition",
            "alert",
            "source",
            "sink",
        ],
        must_not_know: SHELL_CRATES,
    },
];

/// The command line may use everything.
const FREE: &[&str] = &["cli", "main", "lib"];

/// One arrow: from a file to a module of this crate, or to another crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    to: String,
    line: usize,
}

/// What a file's paths name: `crate::x::…`, `super::…` and the names of other crates.
struct Arrows<'a> {
    module: &'a [String],
    found: Vec<(Vec<String>, usize)>,
}

impl Arrows<'_> {
    fn path(&mut self, segments: Vec<String>, line: usize) {
        let absolute = match segments.first().map(String::as_str) {
            Some("crate") => segments.get(1..).unwrap_or_default().to_vec(),
            Some("super" | "self") => resolve(self.module, &segments),
            _ => {
                let mut other = vec!["extern".to_owned()];
                other.extend(segments);
                other
            }
        };
        self.found.push((absolute, line));
    }

    fn tree(&mut self, tree: &syn::UseTree, prefix: &[String], line: usize) {
        let with = |name: &syn::Ident| {
            let mut path = prefix.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident), line),
            syn::UseTree::Name(name) => self.path(with(&name.ident), line),
            syn::UseTree::Rename(rename) => self.path(with(&rename.ident), line),
            syn::UseTree::Glob(_) => self.path(prefix.to_vec(), line),
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.tree(item, prefix, line);
                }
            }
        }
    }
}

/// `super::x` from within `module`, as a path from the crate's root.
fn resolve(module: &[String], segments: &[String]) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = segments;
    while let Some((head, tail)) = rest.split_first() {
        match head.as_str() {
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = tail;
    }
    base.extend(rest.iter().cloned());
    base
}

impl<'ast> Visit<'ast> for Arrows<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !source::is_test_only(source::attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &[], source::line(&item.use_token));
    }
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|part| part.ident.to_string()).collect();
            self.path(segments, source::line(path));
        }
        syn::visit::visit_path(self, path);
    }
}

/// The arrows of one file that leave its top-level module.
fn arrows(file: &SourceFile, crates: &BTreeSet<String>) -> Vec<Arrow> {
    let mut visitor = Arrows { module: &file.module, found: Vec::new() };
    visitor.visit_file(&file.syntax);
    let own = file.module.first().cloned().unwrap_or_else(|| "lib".to_owned());
    let from = file.module.join("::");
    let mut all: Vec<Arrow> = visitor
        .found
        .into_iter()
        .filter_map(|(path, line)| {
            let to = match path.first().map(String::as_str) {
                Some("extern") => {
                    let name = path.get(1)?;
                    crates.contains(name).then(|| format!("extern::{name}"))?
                }
                Some(module) => module.to_owned(),
                None => return None,
            };
            let arrow = Arrow { from: from.clone(), to, line };
            (arrow.to != own || own == "pipeline").then_some(arrow)
        })
        .collect();
    all.sort();
    all.dedup_by(|left, right| left.to == right.to);
    all
}

/// The row that rules `from`, `None` where everything is free.
fn row(from: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| from == row.module || from.starts_with(&format!("{}::", row.module)))
}

/// What is wrong with `arrow`, if anything is.
fn fault(arrow: &Arrow, modules: &BTreeSet<String>) -> Option<String> {
    let first = arrow.from.split("::").next().unwrap_or_default();
    if first.is_empty() || FREE.contains(&first) {
        return None;
    }
    let Some(row) = row(&arrow.from) else {
        return Some(format!("{}: this module is not in the table", arrow.from));
    };
    let wrong = match arrow.to.strip_prefix("extern::") {
        Some(name) => row.must_not_know.contains(&name),
        None => {
            modules.contains(&arrow.to) && arrow.to != first && !row.may_use.contains(&&*arrow.to)
        }
    };
    wrong.then(|| format!("{} (line {}) must not use {}", arrow.from, arrow.line, arrow.to))
}

fn crates() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(source::root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let table = manifest["dependencies"].as_table().expect("there are dependencies");
    table.keys().map(|name| name.replace('-', "_")).collect()
}

#[test]
fn no_module_uses_what_the_table_does_not_allow() {
    let files = source::files();
    let crates = crates();
    let modules: BTreeSet<String> =
        files.iter().filter_map(|file| file.module.first().cloned()).collect();
    let mut faults = Vec::new();
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test) {
        for arrow in arrows(file, &crates) {
            faults.extend(fault(&arrow, &modules));
            let from = file.module.first().cloned().unwrap_or_default();
            if modules.contains(&arrow.to) && from != arrow.to {
                seen.entry(from).or_default().insert(arrow.to);
            }
        }
    }
    for (from, to) in &seen {
        println!("{from:12} → {}", to.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for module in CORE.iter().filter(|module| modules.contains(**module)) {
        assert!(row(module).is_some(), "{module} has no row");
    }
}

#[test]
fn the_table_has_no_cycle_outside_what_is_written_down() {
    // disposition names the id type of an alert; nothing else points upwards.
    for row in TABLE {
        for used in row.may_use {
            let back = TABLE.iter().find(|other| other.module == *used);
            let mutual = back.is_some_and(|back| back.may_use.contains(&row.module));
            assert!(!mutual, "{} and {used} may use each other", row.module);
        }
    }
}

fn synthetic(module: &[&str], text: &str) -> Vec<String> {
    let file = SourceFile {
        path: Path::new("synthetic.rs").to_owned(),
        module: module.iter().map(|part| (*part).to_owned()).collect(),
        syntax: syn::parse_file(text).expect("the synthetic file parses"),
        text: text.to_owned(),
        is_test: false,
    };
    let modules: BTreeSet<String> = TABLE
        .iter()
        .map(|row| row.module.split("::").next().unwrap_or_default().to_owned())
        .collect();
    arrows(&file, &crates()).iter().filter_map(|arrow| fault(arrow, &modules)).collect()
}

#[test]
fn a_forbidden_arrow_is_found_wherever_it_stands() {
    let check = |module: &[&str], text: &str, faults: usize| {
        let found = synthetic(module, text);
        assert_eq!(found.len(), faults, "{text}: {found:?}");
    };
    check(&["kql", "parser"], "use crate::event::Value;", 1);
    check(&["kql", "parser"], "use crate::{limits, event::Value};", 1);
    check(&["kql", "parser"], "fn f() { let _ = crate::rule::Rule::new(); }", 1);
    check(&["kql", "parser"], "use super::super::rule::Rule;", 1);
    check(&["pipeline", "worker"], "use rdkafka::Message;", 1);
    check(&["pipeline", "worker"], "use crate::telemetry::metrics;", 1);
    check(&["pipeline", "driver"], "use rdkafka::Message; use crate::telemetry::metrics;", 0);
    check(&["kql", "parser"], "use super::ast::Node; use crate::limits;", 0);
    check(&["kql", "parser"], "#[cfg(test)] mod tests { use crate::event::Value; }", 0);
    check(&["newcomer"], "use crate::kql::Query;", 1);
}
