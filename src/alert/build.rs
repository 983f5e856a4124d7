//! Hit + rule + event + record → alert: the deterministic id, the key and the headers.
//!
//! The value is written by `encode`. Nothing of an event gets into a header; header values that
//! come with a record are passed on only where the configuration names them, control characters
//! escaped.

use std::fmt;
use std::sync::Arc;

use sha1_smol::Sha1;
use sha2::{Digest as _, Sha256};

use super::encode::{self, Extent};
use super::facts::Facts;
use super::headers;
use super::json::{DECIMAL_BYTES_MAX, Json, decimal};
use super::mapping::Mappings;
use super::notice::{self, NoticeInput};
use super::reason::Reason;
use super::rule_part::RulePart;
use super::{AlertId, Encoded};
use crate::detect::Program;
use crate::disposition::{ClosedGroup, Decision, Disposition, Draft, Hex, Notice, time};
use crate::event::{Event, FieldPath, FieldTypes, Value};
use crate::record::{OutputHeader, Record, Timestamp};
use crate::rule::{Rule, RuleIndex, RuleSet, Severity};

/// The name space of `kibana.alert.rule.execution.uuid`.
pub(super) const EXECUTIONS: uuid::Uuid =
    uuid::Uuid::from_u128(0x5a9b_1c1e_42c4_4f5e_9a0d_6f0e_7d3a_8b21);

/// What is the same for every alert of a run.
#[derive(Clone, Debug, Default)]
pub struct EncoderOptions {
    /// The id of the input cluster; empty in `pipe`.
    pub cluster: String,
    /// `kibana.alert.ancestors[].index` per topic (`input.topic.<name>.index`), else the topic.
    pub index_of_topic: std::collections::BTreeMap<String, String>,
    /// `event.kind` of alerts: `alert` or `signal`; empty means `alert`.
    pub event_kind: String,
    /// The field whose value becomes the record key; `None`: the alert id.
    pub key_field: Option<String>,
    /// Names of input headers to pass on (`traceparent` and `tracestate` always are).
    pub pass_headers: Vec<String>,
    /// Whether alerts past a rule's limit go to a target of their own; where they do not, they
    /// are marked with `ouzel.over_limit`.
    pub has_overflow_target: bool,
    /// Whether `event.original` is added.
    pub include_original: bool,
    /// The program's version.
    pub build_version: String,
    /// The program's commit.
    pub build_commit: String,
}

/// One hit with all that its alert is made of.
#[derive(Clone, Copy)]
pub struct AlertInput<'a> {
    /// The rule that holds.
    pub rule: RuleIndex,
    /// The event that it holds for.
    pub event: &'a Event<'a>,
    /// The record that the event stands in.
    pub record: &'a Record<'a>,
    /// Wall-clock time of the verdict.
    pub judged: Timestamp,
    /// What was decided about the hit.
    pub decision: &'a Decision,
}

/// Builds and encodes alerts of one rule set. Immutable and shared.
#[derive(Debug)]
pub struct AlertEncoder {
    rules: Arc<RuleSet>,
    options: EncoderOptions,
    key_field: Option<FieldPath>,
    event_id: FieldPath,
    facts: Facts,
    reason: Reason,
    executions: Executions,
    /// By rule index, one for each rule of `rules`.
    prepared: Vec<Prepared>,
}

/// What is worked out once per rule.
#[derive(Debug)]
struct Prepared {
    part: RulePart,
    mappings: Mappings,
    /// What judged, as members of `ouzel`.
    judge: Vec<u8>,
    /// Says which clauses held.
    program: Program,
}

/// What a rule says of one event: its mappings applied, its times compared.
pub(super) struct Resolved<'a> {
    pub(super) rule: &'a Rule,
    pub(super) part: &'a RulePart,
    pub(super) judge: &'a [u8],
    pub(super) program: &'a Program,
    pub(super) name: &'a str,
    pub(super) severity: Severity,
    pub(super) risk_score: Value<'a>,
    pub(super) is_late: bool,
    pub(super) is_marked_over_limit: bool,
}

impl AlertEncoder {
    /// An encoder for `rules`: the static part of each rule's alerts is encoded here, once.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, types: &FieldTypes, mut options: EncoderOptions) -> Self {
        if options.event_kind.is_empty() {
            "alert".clone_into(&mut options.event_kind);
        }
        let prepare = |rule: &Rule| Prepared {
            part: RulePart::new(rule),
            mappings: Mappings::new(rule),
            judge: judge(rule, &rules, &options),
            program: Program::compile(&rule.query, types),
        };
        let prepared = rules.rules().iter().map(prepare).collect();
        Self {
            prepared,
            key_field: options.key_field.as_deref().map(FieldPath::new),
            event_id: FieldPath::new("event.id"),
            facts: Facts::default(),
            reason: Reason::default(),
            executions: Executions::of(&rules),
            rules,
            options,
        }
    }

    /// The id that the alert of `rule` for `event` of `record` has: for an Okta event it depends
    /// on the rule and the event's `uuid` only, for any other on the rule and the position.
    #[must_use]
    pub fn id(&self, rule: &Rule, event: &Event<'_>, record: &Record<'_>) -> AlertId {
        if let Some(uuid) = event.okta_uuid {
            return hash_parts(&["ouzel-alert-1", &rule.id, "okta", uuid]);
        }
        hash_parts(&[
            "ouzel-alert-1",
            &rule.id,
            &self.options.cluster,
            record.position.topic,
            &record.position.partition.to_string(),
            &record.position.offset.to_string(),
            &event.index.to_string(),
        ])
    }

    /// The alert as it goes to a sink.
    #[must_use]
    pub fn encode(&self, id: AlertId, input: &AlertInput<'_>) -> Encoded {
        self.encode_to(id, input, Extent::Whole)
    }

    /// The alert without the event's fields, for a broker that refuses the size of the whole one:
    /// position and hash remain, and `ouzel.reduced` says so.
    #[must_use]
    pub fn encode_reduced(&self, id: AlertId, input: &AlertInput<'_>) -> Encoded {
        self.encode_to(id, input, Extent::Reduced)
    }

    /// The closing update of an alert whose hit opened a suppression group, complete but for what
    /// the group counts: for [`crate::disposition::Dispositions::keep`].
    #[must_use]
    pub fn draft(&self, id: AlertId, input: &AlertInput<'_>) -> Draft {
        let whole = self.encode_to(id, input, Extent::Draft);
        let value = whole.value.unwrap_or_default();
        Draft { value, key: whole.key, headers: whole.headers }
    }

    /// The update that is due when a suppression group has closed at `now`.
    #[must_use]
    pub fn encode_update(&self, group: ClosedGroup, now: Timestamp) -> Encoded {
        let value = encode::update(&group, now);
        let Draft { key, headers, .. } = group.draft;
        Encoded { key, value: Some(value), headers, timestamp: now }
    }

    /// The notice that a rule passed its limit, as it goes to the alert topic.
    #[must_use]
    pub fn encode_notice(&self, notice: &Notice, judged: Timestamp) -> Encoded {
        let rule = self.rule(notice.rule);
        let Prepared { part, judge, .. } = self.prepared(notice.rule);
        notice::encode(&self.options, &NoticeInput { rule, part, judge, notice, judged })
    }

    fn encode_to(&self, id: AlertId, input: &AlertInput<'_>, extent: Extent) -> Encoded {
        let resolved = self.resolve(input);
        let id = id.hex();
        let id = id.as_str();
        Encoded {
            key: Some(self.key(id, input.event, extent)),
            value: Some(encode::alert(self, id, input, &resolved, extent)),
            headers: self.headers(id, input, &resolved, extent),
            timestamp: input.judged,
        }
    }

    fn headers(
        &self,
        id: &str,
        input: &AlertInput<'_>,
        resolved: &Resolved<'_>,
        extent: Extent,
    ) -> Vec<OutputHeader> {
        let revision = if extent == Extent::Draft { "1" } else { "0" };
        let mut headers = headers::common(id, resolved.part, resolved.severity, revision);
        headers.push(headers::fixed("ouzel.late", if resolved.is_late { "true" } else { "false" }));
        headers.extend(headers::passed_on(input.record, &self.options.pass_headers));
        headers
    }

    fn resolve<'a>(&'a self, input: &AlertInput<'a>) -> Resolved<'a> {
        let rule = self.rule(input.rule);
        let Prepared { part, mappings, judge, program } = self.prepared(input.rule);
        let event_time = time::event_time(rule, input.event, input.record);
        let is_over_limit = input.decision.disposition == Disposition::OverLimit;
        Resolved {
            rule,
            part,
            judge,
            program,
            name: mappings.name(rule, input.event),
            severity: mappings.severity(rule, input.event),
            risk_score: mappings.risk_score(rule, input.event),
            is_late: time::is_late(rule, event_time, input.judged),
            is_marked_over_limit: is_over_limit && !self.options.has_overflow_target,
        }
    }

    /// The alert id, or the text of the configured field; the id where the event does not have it.
    fn key(&self, id: &str, event: &Event<'_>, extent: Extent) -> Vec<u8> {
        let text = self.key_field.as_ref().and_then(|field| event.text(field));
        let fits = |text: &&str| {
            extent != Extent::Reduced || text.len() <= crate::limits::REDUCED_TEXT_BYTES_MAX
        };
        text.filter(fits).unwrap_or(id).into()
    }

    fn rule(&self, index: RuleIndex) -> &Rule {
        self.rules.get(index).expect("hits name rules of the set that the encoder was made of")
    }

    fn prepared(&self, index: RuleIndex) -> &Prepared {
        self.prepared.get(index.0 as usize).expect("there is one for each rule of the set")
    }

    /// The id of the execution: one per rule set and record.
    pub(super) fn execution(&self, record: &Record<'_>) -> uuid::fmt::Hyphenated {
        let position = record.position;
        let mut hash = self.executions.0.clone();
        hash.update(position.topic.as_bytes());
        for number in [position.partition.into(), position.offset] {
            hash.update(&[0]);
            hash.update(decimal(number, &mut [0; DECIMAL_BYTES_MAX]));
        }
        let [bytes @ .., _, _, _, _] = hash.digest().bytes();
        uuid::Builder::from_sha1_bytes(bytes).into_uuid().hyphenated()
    }

    pub(super) fn options(&self) -> &EncoderOptions {
        &self.options
    }

    pub(super) fn event_kind(&self) -> &str {
        &self.options.event_kind
    }

    pub(super) fn event_id(&self) -> &FieldPath {
        &self.event_id
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// `rule`, `rule_set` and `build`: what judged.
fn judge(rule: &Rule, rules: &RuleSet, options: &EncoderOptions) -> Vec<u8> {
    let mut json = Json::default();
    json.key("rule");
    json.open_object();
    json.text_member("sha256", &rule.sha256);
    json.close_object();
    json.key("rule_set");
    json.open_object();
    json.text_member("sha256", rules.sha256());
    json.close_object();
    json.key("build");
    json.open_object();
    json.text_member("version", &options.build_version);
    json.text_member("commit", &options.build_commit);
    json.close_object();
    json.into_bytes()
}

/// The hash of a version 5 UUID in [`EXECUTIONS`], up to the rule set's part of the name.
struct Executions(Sha1);

impl Executions {
    fn of(rules: &RuleSet) -> Self {
        let mut hash = Sha1::new();
        hash.update(EXECUTIONS.as_bytes());
        hash.update(rules.sha256().as_bytes());
        hash.update(&[0]);
        Self(hash)
    }
}

impl fmt::Debug for Executions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Executions")
    }
}

/// SHA-256 over the parts with a NUL between them.
pub(super) fn hash_parts(parts: &[&str]) -> AlertId {
    let mut hash = Sha256::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update([0]);
        }
        hash.update(part.as_bytes());
    }
    AlertId(hash.finalize().into())
}

/// Lower-case hex SHA-256 of `bytes`.
pub(super) fn hex_sha256(bytes: &[u8]) -> Hex {
    AlertId(Sha256::digest(bytes).into()).hex()
}
