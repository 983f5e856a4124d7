//! Rules for a command: from the paths that were given, or the Okta rules built into the binary.
//!
//! Files are opened here and nowhere else; what they mean is decided in the core. Every fault of
//! every file is told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Shared;
use super::exit::{Exit, Failure};
use super::files::{self, TextFile};
use crate::config::Settings;
use crate::config::settings::RuleOverride;
use crate::disposition::{Exceptions, absence};
use crate::event::{FieldType, FieldTypes};
use crate::rule::case::{self, CaseFile};
use crate::rule::{self, Found, Override, RuleFault, RuleSet, RuleText, Severity};

/// The endings of rule files.
const RULE_ENDINGS: &[&str] = &[".toml", ".ndjson"];

/// The ending of case files, which end as rule files do.
const CASE_ENDING: &str = ".cases.toml";

/// A shipped rule: its file's name, its text and its cases.
struct Shipped {
    name: &'static str,
    rule: &'static str,
    cases: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped {
            name: concat!("okta/", $name, ".toml"),
            rule: include_str!(concat!("../../config/rules/okta/", $name, ".toml")),
            cases: include_str!(concat!("../../config/rules/okta/", $name, ".cases.toml")),
        }),*]
    };
}

/// The rules built into the binary: config/rules/okta.
const SHIPPED: &[Shipped] = shipped![
    "attempt_to_reset_mfa_factors",
    "mfa_factor_deactivated",
    "admin_privilege_granted",
    "mfa_bypass_attempt",
    "session_from_proxy",
    "policy_or_zone_changed",
    "api_token_created",
    "impersonation_session",
    "suspicious_activity_reported",
    "threatinsight_detection",
];

/// The rules that `shared` or `settings` name, else the shipped ones, tuned by the overrides.
///
/// # Errors
/// Every fault: of rule files (2), of overrides that mean nothing (3), of paths (4).
pub fn load(settings: &Settings, shared: &Shared) -> Result<Arc<RuleSet>, Failure> {
    let (texts, unread) = texts(settings, shared);
    let (mut overrides, wrong) = match overrides(settings) {
        Ok(overrides) => (overrides, None),
        Err(failure) => (BTreeMap::new(), Some(failure)),
    };
    if unread.is_some() {
        // An override may be meant for a rule in a file that could not be read.
        overrides.clear();
    }
    let set = rule::load(&texts, &overrides).map_err(|faults| failure(&faults));
    let set = set.and_then(|set| match conflicts(settings, &set) {
        faults if faults.is_empty() => Ok(set),
        faults => Err(Failure::all(Exit::Rules, faults)),
    });
    let (set, refused) = match set {
        Ok(set) => (Arc::new(set), None),
        Err(failure) => (Arc::default(), Some(failure)),
    };
    match [unread, wrong, refused].into_iter().flatten().reduce(Failure::and) {
        None => Ok(set),
        Some(failure) => Err(failure),
    }
}

/// The faults as a command's failure: 3 where the configuration is wrong about a rule, else 2.
fn failure(faults: &[RuleFault]) -> Failure {
    let is_configuration = faults.iter().any(RuleFault::is_in_the_configuration);
    let exit = if is_configuration { Exit::Configuration } else { Exit::Rules };
    Failure::all(exit, faults.iter().map(ToString::to_string).collect())
}

/// What is allowed of `rules`, and seldom meant: a field that nothing here ever fills, one with a
/// name of several words, and a list of exceptions that acts in Elastic and is not loaded here.
#[must_use]
pub fn warnings(rules: &RuleSet, exceptions: &Exceptions) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in rules.rules() {
        let (origin, name) = (&rule.origin, &rule.name);
        let absent = absence::never_there(&rule.query.root).join(", ");
        if absence::never_holds(&rule.query.root) {
            warnings.push(format!(
                "{origin}: the rule {name:?} can never hold: it asks for a value of {absent}, and \
                 no shape of event and no look-up here fills that"
            ));
        } else if !absent.is_empty() {
            warnings.push(format!(
                "{origin}: the rule {name:?} asks for {absent}, and no shape of event and no \
                 look-up here fills that: such a clause never holds, its negation always"
            ));
        }
        let words = absence::said_of_several_words(&rule.query.root).into_iter();
        warnings.extend(words.map(|said| format!("{origin}: the rule {name:?} {said}")));
        for list in exceptions.missing_lists(rule) {
            warnings.push(format!(
                "{origin}: the rule {name:?} names the exception list {list:?}, which is not \
                 loaded: what it hides in Elastic is an alert here; name its export under \
                 `exceptions`"
            ));
        }
    }
    warnings
}

/// Fields that two rules declare differently, so that neither can be right for both. What the
/// built-in table or the configuration knows is not asked of the rules.
fn conflicts(settings: &Settings, rules: &RuleSet) -> Vec<String> {
    let builtin = FieldTypes::builtin();
    let mut faults = Vec::new();
    let mut declared: BTreeMap<&str, (FieldType, &str)> = BTreeMap::new();
    for rule in rules.rules() {
        for field in &rule.declared_fields {
            let name = field.name.as_str();
            let is_known =
                settings.field_types.contains_key(name) || builtin.of(name) != FieldType::Keyword;
            let found = FieldType::from_name(&field.field_type);
            let Some(field_type) = found.filter(|_| !is_known) else { continue };
            let (other_type, other) = *declared.entry(name).or_insert((field_type, &rule.origin));
            if other_type != field_type {
                faults.push(format!(
                    "{}: required_fields says that {name} is {}, and in {other} it is {}; say \
                     which one in the configuration, under [field_types]",
                    rule.origin,
                    field_type.name(),
                    other_type.name()
                ));
            }
        }
    }
    faults
}

/// The case files beside the rules that [`load`] reads.
///
/// # Errors
/// Every fault of a case file (2) or of a path (4).
pub fn cases(settings: &Settings, shared: &Shared) -> Result<Vec<CaseFile>, Failure> {
    let texts: Vec<(String, String)> = match paths(settings, shared) {
        [] => SHIPPED
            .iter()
            .map(|shipped| (case_name(shipped.name), shipped.cases.to_owned()))
            .collect(),
        paths => {
            let (files, unread) = files::gather(&case_paths(paths), &[CASE_ENDING]);
            if let Some(failure) = unread {
                return Err(failure);
            }
            files.into_iter().map(|file| (file.origin(), file.text)).collect()
        }
    };
    let mut faults = Vec::new();
    let mut found = Vec::with_capacity(texts.len());
    for (origin, text) in texts {
        match case::parse(&origin, &text) {
            Ok(file) => found.push(file),
            Err(wrong) => faults.extend(wrong.iter().map(ToString::to_string)),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(Failure::all(Exit::Rules, faults)) }
}

/// Whether the cases of `case_origin` stand beside the rule file `rule_origin`.
#[must_use]
pub fn is_beside(case_origin: &str, rule_origin: &str) -> bool {
    let stem = |origin: &str, endings: &[&str]| {
        endings.iter().find_map(|ending| origin.strip_suffix(ending)).map(str::to_owned)
    };
    let case = stem(case_origin, &[CASE_ENDING]);
    case.is_some() && case == stem(rule_origin, RULE_ENDINGS)
}

/// The paths that were asked for; none: the shipped rules.
fn paths<'a>(settings: &'a Settings, shared: &'a Shared) -> &'a [PathBuf] {
    if shared.rules.is_empty() { &settings.rules } else { &shared.rules }
}

/// The texts of the rules, and why some of them could not be read.
fn texts(settings: &Settings, shared: &Shared) -> (Vec<RuleText>, Option<Failure>) {
    let paths = paths(settings, shared);
    if paths.is_empty() {
        return (shipped(), None);
    }
    let (files, unread) = files::gather(paths, RULE_ENDINGS);
    let named: BTreeSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let mut seen = BTreeSet::new();
    let is_rule = |file: &TextFile| !file.has_ending(CASE_ENDING);
    // A file that is named beside its own folder is one file.
    let texts = files.into_iter().filter(is_rule).filter(|file| seen.insert(file.path.clone()));
    let text = |file: TextFile| RuleText {
        origin: file.origin(),
        found: if named.contains(&*file.path) { Found::Named } else { Found::InFolder },
        text: file.text,
    };
    let texts: Vec<RuleText> = texts.map(text).collect();
    let none = || {
        let fault = format!("no rule file (.toml, .ndjson) in {}", list(paths));
        Failure::new(Exit::Rules, fault)
    };
    let unread = unread.or_else(|| texts.is_empty().then(none));
    (texts, unread)
}

/// The texts of the rules built into the binary.
#[must_use]
pub fn shipped() -> Vec<RuleText> {
    let text = |shipped: &Shipped| RuleText {
        origin: shipped.name.to_owned(),
        text: shipped.rule.to_owned(),
        found: Found::Named,
    };
    SHIPPED.iter().map(text).collect()
}

/// The overrides of `settings`, typed.
///
/// # Errors
/// Every value that is none of its kind (3).
pub fn overrides(settings: &Settings) -> Result<BTreeMap<String, Override>, Failure> {
    let mut faults = Vec::new();
    let mut found = BTreeMap::new();
    for (id, wanted) in &settings.rule_overrides {
        match typed(wanted) {
            Ok(typed) => drop(found.insert(id.clone(), typed)),
            Err(fault) => faults.push(format!("rule.\"{id}\".{fault}")),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(Failure::all(Exit::Configuration, faults)) }
}

fn typed(wanted: &RuleOverride) -> Result<Override, String> {
    let severity = match &wanted.severity {
        Some(name) => Some(Severity::from_name(name).ok_or_else(|| {
            format!("severity is `{name}`; expected low, medium, high or critical")
        })?),
        None => None,
    };
    Ok(Override {
        enabled: wanted.enabled,
        severity,
        risk_score: wanted.risk_score,
        max_signals: wanted.max_signals,
        interval: wanted.interval.clone(),
    })
}

/// Folders as they are; for a rule file its case file, where there is one.
fn case_paths(paths: &[PathBuf]) -> Vec<PathBuf> {
    let beside = |path: &PathBuf| {
        if path.is_dir() {
            return Some(path.clone());
        }
        let name = path.file_name()?.to_str()?;
        let case = path.with_file_name(case_name(name));
        case.is_file().then_some(case)
    };
    paths.iter().filter_map(beside).collect()
}

/// `NAME.toml` or `NAME.ndjson` → `NAME.cases.toml`.
fn case_name(rule_name: &str) -> String {
    let stem = RULE_ENDINGS.iter().find_map(|ending| rule_name.strip_suffix(ending));
    format!("{}{CASE_ENDING}", stem.unwrap_or(rule_name))
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
