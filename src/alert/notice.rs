//! The notice that a rule passed its limit: the rule's own fields, the window, no event.
//!
//! One per rule and window, and its id depends on nothing else: whoever reads the topic can tell
//! that two notices are the same.

use super::build::{EncoderOptions, hash_parts};
use super::headers;
use super::json::Json;
use super::rule_part::RulePart;
use super::{AlertId, Encoded};
use crate::disposition::Notice;
use crate::record::Timestamp;
use crate::rule::Rule;

/// All that a notice is made of.
pub(super) struct NoticeInput<'a> {
    pub(super) rule: &'a Rule,
    pub(super) part: &'a RulePart,
    /// What judged, as members of `ouzel`.
    pub(super) judge: &'a [u8],
    pub(super) notice: &'a Notice,
    pub(super) judged: Timestamp,
}

/// The notice as it goes to the alert topic.
pub(super) fn encode(options: &EncoderOptions, input: &NoticeInput<'_>) -> Encoded {
    let NoticeInput { rule, part, judge, notice, judged } = *input;
    let id = id(&options.cluster, rule, notice).hex();
    let id = id.as_str();
    let mut json = Json::with_capacity(part.whole.len() + 1024);
    json.open_object();
    json.time_member("@timestamp", judged);
    json.text_member("kibana.alert.rule.name", &rule.name);
    json.members(&part.whole);
    json.key("ouzel");
    json.open_object();
    json.key("notice");
    json.open_object();
    json.text_member("id", id);
    json.text_member("kind", "limit");
    json.time_member("window_start", notice.window_start);
    json.time_member("window_end", notice.window_end);
    json.integer_member("limit", notice.limit.into());
    json.close_object();
    json.members(judge);
    json.close_object();
    json.close_object();
    let mut headers = headers::common(id, part, rule.severity, "0");
    headers.push(headers::fixed("ouzel.notice", "limit"));
    Encoded { key: Some(id.into()), value: Some(json.into_bytes()), headers, timestamp: judged }
}

fn id(cluster: &str, rule: &Rule, notice: &Notice) -> AlertId {
    let start = notice.window_start.as_millis().to_string();
    hash_parts(&["ouzel-notice-1", &rule.id, cluster, "limit", &start])
}
