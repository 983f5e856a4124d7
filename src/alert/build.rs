//! Hit + rule + event + record → alert; the deterministic id.

use std::sync::Arc;

use super::{AlertId, Encoded};
use crate::disposition::{Decision, Notice};
use crate::event::{Event, FieldTypes};
use crate::record::{Record, Timestamp};
use crate::rule::{Rule, RuleIndex, RuleSet};

/// What is the same for every alert of a run.
#[derive(Clone, Debug, Default)]
pub struct EncoderOptions {
    /// The id of the input cluster; empty in `pipe`.
    pub cluster: String,
    /// `kibana.alert.ancestors[].index` per topic (`input.topic.<name>.index`), else the topic.
    pub index_of_topic: std::collections::BTreeMap<String, String>,
    /// `event.kind` of alerts: `alert` or `signal`.
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
    types: FieldTypes,
    options: EncoderOptions,
}

impl AlertEncoder {
    /// An encoder for `rules`: the static part of each rule's alerts is encoded here, once.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, types: FieldTypes, options: EncoderOptions) -> Self {
        Self { rules, types, options }
    }
    /// The id that the alert of `rule` for `event` of `record` has.
    #[must_use]
    pub fn id(&self, rule: &Rule, event: &Event<'_>, record: &Record<'_>) -> AlertId {
        let _ = (rule, event, record);
        unimplemented!()
    }
    /// The alert as it goes to a sink.
    #[must_use]
    pub fn encode(&self, id: AlertId, input: &AlertInput<'_>) -> Encoded {
        let _ = (id, input, &self.rules, &self.types, &self.options);
        unimplemented!()
    }
    /// The alert without the event's fields, for a broker that refuses the size of the whole one.
    #[must_use]
    pub fn encode_reduced(&self, id: AlertId, input: &AlertInput<'_>) -> Encoded {
        let _ = (id, input);
        unimplemented!()
    }
    /// The notice that a rule passed its limit, as it goes to the alert topic.
    #[must_use]
    pub fn encode_notice(&self, notice: &Notice, judged: Timestamp) -> Encoded {
        let _ = (notice, judged);
        unimplemented!()
    }
}
