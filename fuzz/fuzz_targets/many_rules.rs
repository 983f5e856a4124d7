//! A set of generated rules on a generated record: the whole detector, with its search for literals
//! or for keys and its index of rules, against the naive evaluator asked rule by rule.

#![no_main]

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use ouzel::detect::{Detector, Validate, reference};
use ouzel::event::{FieldTypes, Scratch, TopicProfile, decode};
use ouzel::kql::{self, Query};
use ouzel_fuzz::{NOW, choices, json_of, record, rules_of};

static TYPES: LazyLock<FieldTypes> = LazyLock::new(FieldTypes::builtin);

/// Rules of a set at most: enough for more literals than one pass looks for.
const RULES: usize = 24;
/// Records that one set is asked about.
const RECORDS: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(queries) = queries(&mut bytes) else { return };
    let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
    let validate = if texts.len() % 2 == 0 { Validate::Envelope } else { Validate::Candidates };
    let detector = Detector::new(rules_of(&texts), &TYPES, validate);
    for _ in 0..RECORDS {
        match choices::payload(&mut bytes) {
            Ok(payload) => judge(&queries, &detector, &payload),
            Err(_) => return,
        }
    }
});

/// Rules that each ask for one value of a field, alone or with more, or rules of any kind.
fn queries(bytes: &mut Unstructured<'_>) -> Result<Vec<Query>> {
    let with_literals = bytes.ratio(3, 4)?;
    let count = bytes.int_in_range(2..=RULES)?;
    let mut queries = Vec::new();
    for number in 0..count {
        let text = if with_literals {
            let field =
                *bytes.choose(&["event.action", "okta.event_type", "okta.outcome.reason"])?;
            let value = *bytes.choose(&VALUES)?;
            match bytes.int_in_range(0..=5)? {
                0 => {
                    let more = kql::print(&choices::tree(bytes, 2)?);
                    format!("{field}:\"{value}\" and ({more})")
                }
                1 => format!("{field}:({value}.{number} or {value})"),
                2 => format!("{field}:{value}*"),
                _ => format!("{field}:{value}"),
            }
        } else {
            kql::print(&choices::tree(bytes, 3)?)
        };
        queries.push(kql::parse(&text).unwrap_or_else(|faults| panic!("{text:?}: {faults:?}")));
    }
    Ok(queries)
}

/// Texts that payloads have now and then, and some that none has.
const VALUES: [&str; 14] = [
    "user.mfa.factor.reset_all",
    "user.session.start",
    "policy.lifecycle.update",
    "homer",
    "SUCCESS",
    "success",
    "true",
    "none.such.one",
    "none.such.two",
    "user.mfa.factor.update",
    "user.session.end",
    "zone.create",
    "system.api_token.create",
    "group.privilege.grant",
];

fn judge(queries: &[Query], detector: &Detector, payload: &str) {
    let (record, profile) = (record(payload.as_bytes()), TopicProfile::default());
    let mut scratch = Scratch::default();
    let decoded = decode(&record, &profile, &mut scratch);
    if decoded.fault.is_some() {
        return;
    }
    let mut expected = Vec::new();
    for event in decoded.events {
        let document = json_of(event);
        let held = (0..).zip(queries);
        let held = held.filter(|(_, query)| reference::holds(query, &document, &TYPES, NOW));
        expected.extend(held.map(|(rule, _)| (event.index, rule)));
    }
    let mut scratch = Scratch::default();
    let verdict = detector.inspect(&record, &profile, &mut scratch);
    let hits: Vec<(u32, u32)> = verdict.hits.iter().map(|hit| (hit.event, hit.rule.0)).collect();
    let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
    assert_eq!(hits, expected, "{texts:#?}\n{payload}");
}
