//! What was written → what it means. Every fault is found, not the first only.
//!
//! A [`Check`] collects the faults while each table is turned into its settings; a value with a
//! fault stands in with its default, so that the rest can be checked as well. Nothing here
//! connects anywhere; files are looked at only where a secret or a certificate is named.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::cluster;
use super::delivery;
use super::expression;
use super::file::{
    File, FilePath, HttpTable, InputTable, LogTable, OutputTable, RuleTable, TopicTable,
};
use super::origin::{Fault, KeyPath};
use super::schema::nearest;
use super::secret::Surroundings;
use super::settings::{
    GroupProtocol, HttpSettings, InputSettings, LogSettings, OutputSettings, RuleOverride,
    Settings, Start, TopicSettings,
};
use super::tree::Tree;
use crate::limits;

const BROKER_DECIDES: &str =
    "the broker decides on it with input.protocol = \"consumer\"; leave it out";

/// Checks what `tree` says and turns it into settings.
#[must_use]
pub fn validate(tree: &Tree, surroundings: &Surroundings) -> (Settings, Vec<Fault>) {
    let mut check = Check { tree, surroundings, faults: Vec::new() };
    let file: File = match tree.to_table().try_into() {
        Ok(file) => file,
        Err(fault) => {
            check.fault("", fault.message());
            File::default()
        }
    };
    let settings = check.settings(&file);
    (settings, check.faults)
}

/// The faults so far, and what is needed to find and place more.
pub(super) struct Check<'a> {
    pub(super) tree: &'a Tree,
    pub(super) surroundings: &'a Surroundings,
    faults: Vec<Fault>,
}

impl Check<'_> {
    /// The value of `key` (dotted; no part of it has dots itself) has a fault.
    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let key = if key.is_empty() { KeyPath::default() } else { KeyPath::new(key) };
        self.fault_at(key, message);
    }

    /// The value of `key` has a fault.
    pub(super) fn fault_at(&mut self, key: KeyPath, message: impl Into<String>) {
        let origin = self.tree.origin(&key);
        self.faults.push(Fault { origin, key, message: message.into() });
    }

    /// A text that must say something.
    pub(super) fn text(&mut self, key: &str, value: Option<&String>, default: &str) -> String {
        match value {
            Some(text) if text.trim().is_empty() => {
                self.fault(key, "is empty; leave the key out for its default");
                default.to_owned()
            }
            Some(text) => text.clone(),
            None => default.to_owned(),
        }
    }

    fn optional_text(&mut self, key: &str, value: Option<&String>) -> Option<String> {
        value.map(|_| self.text(key, value, ""))
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &str,
        value: Option<i64>,
        default: u32,
        allowed: RangeInclusive<u32>,
    ) -> u32 {
        let Some(found) = value else { return default };
        match u32::try_from(found) {
            Ok(number) if allowed.contains(&number) => number,
            _ => {
                let (least, most) = allowed.into_inner();
                self.fault(key, format!("found {found}; allowed is {least} to {most}"));
                default
            }
        }
    }

    /// A count that a new topic gets, or -1 for the broker's default.
    fn count_of_new_topic(&mut self, key: &str, value: Option<i64>, most: i32) -> i32 {
        match value.map(i32::try_from) {
            None => -1,
            Some(Ok(count)) if count == -1 || (1..=most).contains(&count) => count,
            Some(_) => {
                self.fault(key, format!("allowed is 1 to {most}, or -1 for the broker's default"));
                -1
            }
        }
    }

    fn settings(&mut self, file: &File) -> Settings {
        let defaults = Settings::default();
        let kafka = cluster::settings(self, "kafka", &file.kafka, &defaults.kafka);
        let input = self.input(&file.input, defaults.input);
        let output = self.output(&file.output, &input, &kafka.client_id);
        let heartbeat = "heartbeat.interval.ms";
        if input.protocol == GroupProtocol::Consumer && kafka.librdkafka.contains_key(heartbeat) {
            self.fault_at(KeyPath::new("kafka.librdkafka").child(heartbeat), BROKER_DECIDES);
        }
        let coverage = self.coverage(&file.coverage, &input, &output);
        Settings {
            rules: paths(file.rules.as_ref()),
            exceptions: paths(file.exceptions.as_ref()),
            rule_overrides: self.rule_overrides(&file.rule),
            field_types: file
                .field_types
                .iter()
                .map(|(field, name)| (field.clone(), name.name().to_owned()))
                .collect(),
            delivery: delivery::settings(self, file, &input),
            http: self.http(&file.http, defaults.http),
            log: self.log(&file.log, defaults.log),
            kafka,
            input,
            output,
            coverage,
        }
    }

    fn input(&mut self, table: &InputTable, defaults: InputSettings) -> InputSettings {
        let protocol = table.protocol.unwrap_or_default();
        if protocol == GroupProtocol::Consumer && table.session_timeout_ms.is_some() {
            self.fault("input.session_timeout_ms", BROKER_DECIDES);
        }
        let topics = self.topics(table.topics.as_ref(), &defaults.topics);
        let workers = self.number("input.workers", table.workers, 0, 0..=limits::WORKERS_MAX);
        InputSettings {
            group: self.text("input.group", table.group.as_ref(), &defaults.group),
            protocol,
            instance_id: self.instance_id(table.instance_id.as_ref()),
            start: self.start(table.start.as_ref()),
            validate: table.validate.unwrap_or_default(),
            workers: (workers > 0).then_some(workers as usize),
            topic: self.topic_tables(&table.topic, &topics),
            session_timeout_ms: self.number(
                "input.session_timeout_ms",
                table.session_timeout_ms,
                defaults.session_timeout_ms,
                4_000..=1_800_000,
            ),
            topics,
        }
    }

    fn topics(&mut self, topics: Option<&Vec<String>>, default: &[String]) -> Vec<String> {
        let Some(topics) = topics else { return default.to_vec() };
        if topics.is_empty() {
            self.fault("input.topics", "is empty; name at least one topic");
        }
        let mut seen = BTreeSet::new();
        for topic in topics {
            if !seen.insert(topic) {
                self.fault("input.topics", format!("{topic:?} is named twice"));
            }
            let checked = match topic.starts_with('^') {
                true => expression::check(topic),
                false => topic_name(topic),
            };
            if let Err(fault) = checked {
                self.fault("input.topics", format!("{topic:?}: {fault}"));
            }
        }
        topics.clone()
    }

    fn instance_id(&mut self, id: Option<&String>) -> Option<String> {
        let id = self.optional_text("input.instance_id", id)?;
        if !id.is_empty() && topic_name(&id).is_err() {
            let message = format!("found {id:?}; allowed are letters, digits, '.', '_' and '-'");
            self.fault("input.instance_id", message);
        }
        Some(id)
    }

    fn start(&mut self, start: Option<&String>) -> Start {
        match start.map(String::as_str) {
            None | Some("earliest") => Start::Earliest,
            Some("latest") => Start::Latest,
            Some(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => Start::Timestamp(time.as_millisecond()),
                Err(_) => {
                    let message = format!(
                        "found {text:?}; allowed are \"earliest\", \"latest\" and a time with its \
                         zone, such as \"2026-01-31T08:00:00Z\""
                    );
                    self.fault("input.start", message);
                    Start::Earliest
                }
            },
        }
    }

    fn topic_tables(
        &mut self,
        tables: &BTreeMap<String, TopicTable>,
        topics: &[String],
    ) -> BTreeMap<String, TopicSettings> {
        let has_expression = topics.iter().any(|topic| topic.starts_with('^'));
        let mut all = BTreeMap::new();
        for (name, table) in tables {
            let key = KeyPath::new("input.topic").child(name);
            if !has_expression && !topics.contains(name) {
                let near = nearest(name, topics.iter().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                self.fault_at(key.clone(), format!("this topic is not in input.topics{hint}"));
            }
            if table.index.as_ref().is_some_and(|index| index.trim().is_empty()) {
                self.fault_at(
                    key.child("index"),
                    "is empty; leave it out to judge with every rule",
                );
            }
            let settings = TopicSettings {
                index: table.index.clone(),
                labels: table.labels.clone(),
                okta: table.okta.unwrap_or_default(),
            };
            all.insert(name.clone(), settings);
        }
        all
    }

    fn output(
        &mut self,
        table: &OutputTable,
        input: &InputSettings,
        client_id: &str,
    ) -> OutputSettings {
        let defaults = OutputSettings::default();
        let alerts = table.alerts.clone().unwrap_or(defaults.alerts);
        let dead_letters = match table.dead_letters.as_deref() {
            None => defaults.dead_letters,
            Some("discard") => None,
            Some(topic) => Some(topic.to_owned()),
        };
        let mut named = vec![("output.alerts", alerts.clone(), "")];
        if let Some(topic) = dead_letters.clone() {
            let hint = "; \"discard\" drops records that cannot be judged";
            named.push(("output.dead_letters", topic, hint));
        }
        let others = [("output.overflow", &table.overflow), ("output.audit", &table.audit)];
        for (key, topic) in others.into_iter().filter_map(|(key, it)| Some((key, it.clone()?))) {
            named.push((key, topic, "; leave it out to do without"));
        }
        self.output_topics(&named, table, input);
        let kafka = table.kafka.as_ref().map(|cluster| {
            if cluster.brokers.is_none() {
                self.fault("output.kafka.brokers", "is missing: where is the other cluster?");
            }
            let mut defaults = Settings::default().kafka;
            client_id.clone_into(&mut defaults.client_id);
            cluster::settings(self, "output.kafka", cluster, &defaults)
        });
        OutputSettings {
            kafka,
            alerts,
            dead_letters,
            overflow: table.overflow.clone(),
            audit: table.audit.clone(),
            event_kind: table.event_kind.clone().unwrap_or(defaults.event_kind),
            key_field: self.key_field(table.key_field.as_ref()),
            pass_headers: self.pass_headers(table.pass_headers.as_ref()),
            include_original: table.include_original.unwrap_or(defaults.include_original),
            compression: table.compression.clone().unwrap_or(defaults.compression),
            linger_ms: self.number(
                "output.linger_ms",
                table.linger_ms,
                defaults.linger_ms,
                0..=60_000,
            ),
            create_topics: table.create_topics.unwrap_or(defaults.create_topics),
            create_partitions: self.count_of_new_topic(
                "output.create_partitions",
                table.create_partitions,
                10_000,
            ),
            create_replicas: self.count_of_new_topic(
                "output.create_replicas",
                table.create_replicas,
                i32::from(i16::MAX),
            ),
            ..self.budget(table)
        }
    }

    /// Each output topic has a name, of its own, and is not read as well.
    fn output_topics(
        &mut self,
        named: &[(&str, String, &str)],
        table: &OutputTable,
        input: &InputSettings,
    ) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (key, topic, hint) in named {
            if let Err(fault) = topic_name(topic) {
                self.fault(key, format!("{topic:?}: {fault}{hint}"));
            } else if let Some(other) = seen.insert(topic, key) {
                self.fault(
                    key,
                    format!("{topic:?} is the topic of {other} as well; their readers differ"),
                );
            }
            if table.kafka.is_none() && input.topics.contains(topic) {
                self.fault(
                    key,
                    format!("{topic:?} is an input topic as well: alerts on alerts have no end"),
                );
            }
        }
    }

    /// The keys about the budget of dead letters; all others have their defaults.
    fn budget(&mut self, table: &OutputTable) -> OutputSettings {
        let defaults = OutputSettings::default();
        OutputSettings {
            dead_letter_percent_max: self.number(
                "output.dead_letter_percent_max",
                table.dead_letter_percent_max,
                defaults.dead_letter_percent_max,
                0..=100,
            ),
            dead_letter_window_ms: self.number(
                "output.dead_letter_window_ms",
                table.dead_letter_window_ms,
                defaults.dead_letter_window_ms,
                1_000..=86_400_000,
            ),
            dead_letter_records_min: self.number(
                "output.dead_letter_records_min",
                table.dead_letter_records_min,
                defaults.dead_letter_records_min,
                1..=1_000_000_000,
            ),
            on_budget: table.on_budget.unwrap_or(defaults.on_budget),
            ..defaults
        }
    }

    fn key_field(&mut self, field: Option<&String>) -> Option<String> {
        let field = self.optional_text("output.key_field", field)?;
        if field.len() > limits::FIELD_NAME_BYTES_MAX || field.contains(char::is_whitespace) {
            self.fault("output.key_field", "is no field name, such as okta.actor.id");
        }
        Some(field)
    }

    fn pass_headers(&mut self, names: Option<&Vec<String>>) -> Vec<String> {
        let names = names.cloned().unwrap_or_default();
        for name in &names {
            if name.is_empty() {
                self.fault("output.pass_headers", "a name is empty");
            } else if name.starts_with("ouzel.") || name == "content-type" {
                self.fault(
                    "output.pass_headers",
                    format!("{name:?} is a header that alerts have of their own"),
                );
            }
        }
        names
    }

    fn http(&mut self, table: &HttpTable, defaults: HttpSettings) -> HttpSettings {
        match table.listen.as_deref() {
            None => defaults,
            Some("off") => HttpSettings { listen: None },
            Some(text) => match text.parse() {
                Ok(address) => HttpSettings { listen: Some(address) },
                Err(_) => {
                    let message = format!(
                        "found {text:?}; allowed are an address with its port, such as \
                         \"127.0.0.1:9847\" or \"[::1]:9847\", and \"off\""
                    );
                    self.fault("http.listen", message);
                    defaults
                }
            },
        }
    }

    fn log(&mut self, table: &LogTable, defaults: LogSettings) -> LogSettings {
        LogSettings {
            level: table.level.clone().unwrap_or(defaults.level),
            format: table.format.unwrap_or_default(),
        }
    }

    fn rule_overrides(
        &mut self,
        tables: &BTreeMap<String, RuleTable>,
    ) -> BTreeMap<String, RuleOverride> {
        let of = |(id, table): (&String, &RuleTable)| (id.clone(), self.rule_override(id, table));
        tables.iter().map(of).collect()
    }

    fn rule_override(&mut self, id: &str, table: &RuleTable) -> RuleOverride {
        let key = |name: &str| KeyPath::new("rule").child(id).child(name);
        let risk_score = table.risk_score.and_then(|score| match u8::try_from(score) {
            Ok(score) if score <= 100 => Some(score),
            _ => {
                self.fault_at(key("risk_score"), format!("found {score}; allowed is 0 to 100"));
                None
            }
        });
        let max_signals = table.max_signals.and_then(|count| {
            let number = u32::try_from(count).ok();
            if number.is_none() {
                self.fault_at(key("max_signals"), format!("found {count}; 0 means no limit"));
            }
            number
        });
        if table.interval.as_deref().is_some_and(|interval| !is_interval(interval)) {
            let message = "is no interval: a whole number and s, m, h or d, such as \"5m\"";
            self.fault_at(key("interval"), message);
        }
        RuleOverride {
            enabled: table.enabled,
            severity: table.severity.clone(),
            risk_score,
            max_signals,
            interval: table.interval.clone(),
        }
    }
}

fn paths(list: Option<&Vec<FilePath>>) -> Vec<PathBuf> {
    list.into_iter().flatten().map(|path| path.path().to_owned()).collect()
}

/// Whether Kafka takes `name` for a topic.
pub(super) fn topic_name(name: &str) -> Result<(), String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() {
        return Err("a topic name must not be empty".to_owned());
    }
    if name.len() > limits::TOPIC_NAME_BYTES_MAX {
        return Err(format!(
            "a topic name has at most {} characters",
            limits::TOPIC_NAME_BYTES_MAX
        ));
    }
    if name == "." || name == ".." || !name.bytes().all(is_legal) {
        return Err("a topic name has letters, digits, '.', '_' and '-' only".to_owned());
    }
    Ok(())
}

/// Whether `text` is a whole number above 0 and a unit.
fn is_interval(text: &str) -> bool {
    let number = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or_default();
    number.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse().is_ok_and(|number: u32| number > 0)
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
