//! Rule files and overrides → the rules that judge.
//!
//! Everything is read before anything is refused, so that one run shows every fault. The set is
//! sorted by rule id and does not depend on the order in which files were found.

use std::collections::BTreeMap;

use super::definition::{Rule, RuleIndex, Severity};
use super::document::{Content, Table};
use super::export::{self, LineContent};
use super::fault::{Problem, RuleFault, nearest};
use super::reader::{self, Layout, Reading, Status, Tables};
use super::{fault, interval, keys, toml};
use crate::kql;
use crate::limits;

/// Every rule that judges, sorted by id, ids unique.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    skipped: Vec<SkippedRule>,
    sha256: String,
}

/// A rule file that does not judge, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRule {
    /// The file.
    pub origin: String,
    /// The rule's id, where it could be read; else empty.
    pub id: String,
    /// The rule's name, where it could be read.
    pub name: String,
    /// Why it is skipped.
    pub reason: String,
}

impl RuleSet {
    /// The rules, by id.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
    /// What was skipped, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedRule] {
        &self.skipped
    }
    /// The rule at `index`.
    #[must_use]
    pub fn get(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }
    /// The rule of this id and its index.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<(RuleIndex, &Rule)> {
        let at = self.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok()?;
        Some((RuleIndex(u32::try_from(at).ok()?), self.rules.get(at)?))
    }
    /// Lower-case hex SHA-256 over the rules' own hashes, in order.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// One rule file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// Where it came from, for messages: a path.
    pub origin: String,
    /// What it says: TOML, or Kibana's export (one JSON object a line).
    pub text: String,
    /// How it was found.
    pub found: Found,
}

/// How a rule file was found. What cannot run is a fault where somebody asked for it by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Named itself.
    Named,
    /// In a folder that was named.
    InFolder,
}

/// What the configuration says of a rule, over what its file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Switches the rule on (also a deprecated or disabled one) or off.
    pub enabled: Option<bool>,
    /// Replaces the severity.
    pub severity: Option<Severity>,
    /// Replaces the risk score, 0 to 100.
    pub risk_score: Option<u8>,
    /// Replaces the limit; 0 switches it off.
    pub max_signals: Option<u32>,
    /// Replaces the interval, such as `5m`.
    pub interval: Option<String>,
}

impl Override {
    /// The text whose hash names a rule of this hash under this override.
    fn identity(&self, rule_sha256: &str) -> String {
        let Self { enabled, severity, risk_score, max_signals, interval } = self;
        let severity = severity.map(Severity::name);
        let numbers = serde_json::json!([enabled, severity, risk_score, max_signals, interval]);
        format!("{rule_sha256}\n{numbers}")
    }
}

/// Reads every text, applies the overrides by rule id, and says what judges.
///
/// # Errors
/// Every fault of every text and of the overrides.
pub fn load(
    texts: &[RuleText],
    overrides: &BTreeMap<String, Override>,
) -> Result<RuleSet, Vec<RuleFault>> {
    let mut loading = Loading::default();
    for text in texts {
        if export::is_export(&text.text) {
            loading.take_export(text);
        } else {
            loading.take_toml(text);
        }
    }
    loading.apply(overrides);
    loading.finish()
}

/// What has been read so far.
#[derive(Default)]
struct Loading {
    drafts: Vec<Draft>,
    skipped: Vec<SkippedRule>,
    faults: Vec<RuleFault>,
}

struct Draft {
    rule: Rule,
    status: Status,
    line: usize,
}

impl Loading {
    fn take_toml(&mut self, text: &RuleText) {
        let root = match toml::parse(&text.text) {
            Ok(root) => root,
            Err(faults) => {
                let fault = |fault: toml::SyntaxFault| RuleFault {
                    origin: text.origin.clone(),
                    line: Some(kql::place(&text.text, fault.at).line),
                    problem: Problem::NotToml(fault.message),
                };
                return self.faults.extend(faults.into_iter().map(fault));
            }
        };
        let table = |name| match root.get(name).map(|item| &item.content) {
            Some(Content::Table(table)) => Some(table),
            _ => None,
        };
        let Some(rule) = table("rule") else { return self.not_a_rule(text, &root) };
        let mut fields = super::fields::Fields::new(&text.origin, &text.text);
        fields.keys(&root, "the file", keys::TOP);
        self.faults.extend(fields.into_faults());
        self.take(
            text,
            &Tables {
                origin: &text.origin,
                file: &text.text,
                own: &text.text,
                layout: Layout::Toml,
                rule,
                metadata: table("metadata"),
                transform: table("transform"),
            },
        );
    }

    /// A folder may hold other TOML files; one that has a rule's other tables, or was named, is
    /// meant to be a rule.
    fn not_a_rule(&mut self, text: &RuleText, root: &Table) {
        let is_meant = text.found == Found::Named || root.get("metadata").is_some();
        if !is_meant {
            return self.skip(text, ("", ""), "the file has no table [rule]");
        }
        let names = root.entries.iter().map(|entry| entry.name.as_str());
        let near = names.filter(|name| !keys::TOP.contains(name)).find_map(|name| {
            nearest(name, ["rule"]).map(|_| format!("; did you mean [rule] by [{name}]?"))
        });
        let why = format!("the file has no table [rule]{}", near.unwrap_or_default());
        let origin = text.origin.clone();
        self.faults.push(RuleFault { origin, line: None, problem: Problem::NotARule(why) });
    }

    fn take_export(&mut self, text: &RuleText) {
        for line in export::lines(&text.text) {
            match line.content {
                Ok(LineContent::Rule(rule)) => self.take(
                    text,
                    &Tables {
                        origin: &text.origin,
                        file: &text.text,
                        own: line.text,
                        layout: Layout::Export,
                        rule: &rule,
                        metadata: None,
                        transform: None,
                    },
                ),
                Ok(LineContent::Other { name, reason }) => self.skip(text, ("", &name), reason),
                Ok(LineContent::Summary) => {}
                Err(message) => self.faults.push(RuleFault {
                    origin: text.origin.clone(),
                    line: Some(kql::place(&text.text, line.at).line),
                    problem: Problem::NotJson(message),
                }),
            }
        }
    }

    fn take(&mut self, text: &RuleText, tables: &Tables<'_>) {
        let at = tables.rule.get("rule_id").map_or(tables.rule.at, |item| item.at);
        let line = kql::place(tables.file, at).line;
        match reader::read(tables) {
            Ok(Reading::Rule { rule, status }) => {
                self.drafts.push(Draft { rule: *rule, status, line });
            }
            Ok(Reading::CannotRun { id, name, reason }) => {
                if text.found == Found::Named && tables.layout == Layout::Toml {
                    let problem = Problem::CannotRun(reason.clone());
                    let origin = text.origin.clone();
                    self.faults.push(RuleFault { origin, line: Some(line), problem });
                }
                self.skip(text, (&id, &name), &reason);
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn skip(&mut self, text: &RuleText, (id, name): (&str, &str), reason: &str) {
        self.skipped.push(SkippedRule {
            origin: text.origin.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn apply(&mut self, overrides: &BTreeMap<String, Override>) {
        // A file with faults is not known by its id, and an override may be meant for it.
        let is_known = self.faults.is_empty();
        for (id, wanted) in overrides {
            let mut drafts = self.drafts.iter_mut().filter(|draft| draft.rule.id == *id).peekable();
            if drafts.peek().is_none() {
                let fault = self.without_a_rule(id, wanted).filter(|fault| {
                    is_known || !matches!(fault.problem, Problem::UnknownOverride { .. })
                });
                self.faults.extend(fault);
                continue;
            }
            for draft in drafts {
                if let Err(problem) = apply(draft, wanted) {
                    self.faults.push(in_the_configuration(problem));
                }
            }
        }
    }

    /// What is wrong with an override whose id no rule has that can run.
    fn without_a_rule(&self, id: &str, wanted: &Override) -> Option<RuleFault> {
        if let Some(skipped) = self.skipped.iter().find(|skipped| skipped.id == id) {
            let (id, reason) = (id.to_owned(), skipped.reason.clone());
            return (wanted.enabled == Some(true))
                .then(|| in_the_configuration(Problem::CannotSwitchOn { id, reason }));
        }
        let known = self.drafts.iter().map(|draft| draft.rule.id.as_str());
        let nearest = nearest(id, known);
        Some(in_the_configuration(Problem::UnknownOverride { id: id.to_owned(), nearest }))
    }

    fn finish(mut self) -> Result<RuleSet, Vec<RuleFault>> {
        let mut active = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            match draft.status {
                Status::On => active.push((draft.rule, draft.line)),
                Status::Off(reason) => self.skipped.push(SkippedRule {
                    origin: draft.rule.origin,
                    id: draft.rule.id,
                    name: draft.rule.name,
                    reason,
                }),
            }
        }
        active.sort_by(|(left, _), (right, _)| {
            (&left.id, &left.origin).cmp(&(&right.id, &right.origin))
        });
        self.faults.extend(active.windows(2).filter_map(same_id));
        let count = active.len();
        if count > limits::RULES_MAX {
            self.faults
                .push(in_the_configuration(Problem::TooMany { count, most: limits::RULES_MAX }));
        }
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        self.skipped
            .sort_by(|left, right| (&left.origin, &left.name).cmp(&(&right.origin, &right.name)));
        let rules: Vec<Rule> = active.into_iter().map(|(rule, _)| rule).collect();
        let hashes: String = rules.iter().map(|rule| format!("{}\n", rule.sha256)).collect();
        Ok(RuleSet { rules, skipped: self.skipped, sha256: reader::hash(&hashes) })
    }
}

fn same_id(pair: &[(Rule, usize)]) -> Option<RuleFault> {
    let [(other, _), (rule, line)] = pair else { return None };
    (rule.id == other.id).then(|| RuleFault {
        origin: rule.origin.clone(),
        line: Some(*line),
        problem: Problem::SameId {
            id: rule.id.clone(),
            version: rule.version,
            other: other.origin.clone(),
            other_version: other.version,
        },
    })
}

fn apply(draft: &mut Draft, wanted: &Override) -> Result<(), Problem> {
    let rule = &mut draft.rule;
    match wanted.enabled {
        Some(true) => draft.status = Status::On,
        Some(false) => draft.status = Status::Off("the configuration switches it off".to_owned()),
        None => {}
    }
    rule.severity = wanted.severity.unwrap_or(rule.severity);
    if let Some(score) = wanted.risk_score {
        if score > 100 {
            return Err(wrong_override("risk_score", &score.to_string(), "expected 0 to 100"));
        }
        rule.risk_score = score;
    }
    match wanted.max_signals {
        Some(0) => rule.max_signals = None,
        Some(most) => rule.max_signals = Some(most),
        None => {}
    }
    if let Some(text) = &wanted.interval {
        rule.interval_ms = interval::millis(text)
            .ok_or_else(|| wrong_override("interval", text, interval::INTERVAL_ALLOWED))?;
        rule.interval.clone_from(text);
    }
    if *wanted != Override::default() {
        rule.sha256 = reader::hash(&wanted.identity(&rule.sha256));
    }
    Ok(())
}

fn wrong_override(key: &str, found: &str, allowed: &str) -> Problem {
    Problem::WrongValue {
        key: key.to_owned(),
        found: format!("`{found}`"),
        allowed: allowed.to_owned(),
    }
}

fn in_the_configuration(problem: Problem) -> RuleFault {
    RuleFault { origin: fault::CONFIGURATION.to_owned(), line: None, problem }
}
