use std::sync::Arc;

use super::{Detector, Outcome, Validate};
use crate::detect::support_tests::{NOW, record, types};
use crate::event::{DecodeFault, Scratch, SkipReason, TopicProfile};
use crate::record::Record;
use crate::rule::{self, Found, RuleSet, RuleText};

/// A set of rules by their queries; their ids are `rule-0`, `rule-1`, … in order.
pub(crate) fn rules(queries: &[&str], index: &str) -> Arc<RuleSet> {
    let texts: Vec<RuleText> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| RuleText {
            origin: format!("{number}.toml"),
            found: Found::Named,
            text: format!(
                "[rule]\nrule_id = \"rule-{number:03}\"\nname = \"Rule {number}\"\n\
                 description = \"A rule.\"\ntype = \"query\"\nlanguage = \"kuery\"\n\
                 severity = \"low\"\nrisk_score = 21\nindex = [{index}]\nquery = '''{query}'''\n"
            ),
        })
        .collect();
    let set = rule::load(&texts, &Default::default());
    Arc::new(set.unwrap_or_else(|faults| panic!("{faults:#?}")))
}

pub(crate) fn detector(queries: &[&str], validate: Validate) -> Detector {
    Detector::new(rules(queries, ""), &types(), validate)
}

/// What is said of a payload: outcome, candidate, hits as (event, rule).
fn inspected(detector: &Detector, payload: &[u8]) -> (Outcome, bool, Vec<(u32, u32)>) {
    let mut scratch = Scratch::default();
    let verdict = detector.inspect(&record(payload), &TopicProfile::default(), &mut scratch);
    let hits = verdict.hits.iter().map(|hit| (hit.event, hit.rule.0)).collect();
    (verdict.outcome, verdict.candidate, hits)
}

const RULES: [&str; 2] = ["event.action:app.thing.happened", "event.action:app.thing.* and n > 5"];

#[test]
fn a_record_is_clean_or_has_hits_by_event_then_by_rule() {
    let detector = detector(&RULES, Validate::Envelope);
    let check = |payload: &str, outcome: Outcome, candidate: bool, hits: &[(u32, u32)]| {
        let wanted = (outcome, candidate, hits.to_vec());
        assert_eq!(inspected(&detector, payload.as_bytes()), wanted, "{payload}");
    };
    let one = r#"{"event":{"action":"app.thing.happened"},"n":9}"#;
    check(r#"{"event":{"action":"app.other"}}"#, Outcome::Clean, false, &[]);
    check(r#"{"event":{"action":"x"},"a":"app.thing.happened"}"#, Outcome::Clean, true, &[]);
    check(one, Outcome::Hits, true, &[(0, 0), (0, 1)]);
    let page = format!(r#"[{{"event.action":"no"}},{one},{{"event.action":"app.thing.x","n":6}}]"#);
    check(&page, Outcome::Hits, true, &[(1, 0), (1, 1), (2, 1)]);
    check(&format!("{one}\n{one}"), Outcome::Hits, true, &[(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn a_record_without_content_is_skipped() {
    let detector = detector(&RULES, Validate::Envelope);
    for blank in ["", " ", "\r\n\t ", "\u{feff}", "\u{feff}\n"] {
        let wanted = (Outcome::Skipped(SkipReason::Empty), false, Vec::new());
        assert_eq!(inspected(&detector, blank.as_bytes()), wanted, "{blank:?}");
    }
    let mut scratch = Scratch::default();
    let tombstone = Record { payload: None, ..record(b"") };
    let verdict = detector.inspect(&tombstone, &TopicProfile::default(), &mut scratch);
    assert_eq!(verdict.outcome, Outcome::Skipped(SkipReason::Tombstone));
}

#[test]
fn what_cannot_be_read_says_so_as_far_as_validation_looks() {
    let check = |payload: &[u8], wanted: [Option<DecodeFault>; 3]| {
        let validations = [Validate::Candidates, Validate::Envelope, Validate::Full];
        for (validate, wanted) in validations.into_iter().zip(wanted) {
            let outcome = wanted.map_or(Outcome::Clean, Outcome::Unreadable);
            let found = inspected(&detector(&RULES, validate), payload);
            assert_eq!(found, (outcome, false, vec![]), "{validate:?} {}", payload.escape_ascii());
        }
    };
    let found = |fault| [None, Some(fault), Some(fault)];
    check(b"{\"a\":1", found(DecodeFault::Truncated));
    check(b"{\"a\":\"x", found(DecodeFault::Truncated));
    check(b"{\"a\":\"\x01\"}", found(DecodeFault::ControlByte));
    check(b"{\"a\":\"\xff\"}", found(DecodeFault::NotUtf8));
    check(b"hello", found(DecodeFault::NotJson));
    check(b"{\"a\":1}}", found(DecodeFault::NotJson));
    check("{\"\u{fc}\":1]".as_bytes(), found(DecodeFault::NotJson));
    check(b"{\"a\":1,}", [None, None, Some(DecodeFault::NotJson)]);
    check(b"42", found(DecodeFault::NotAnObject));
}

#[test]
fn a_fault_behind_an_event_does_not_hide_its_hits() {
    let detector = detector(&RULES, Validate::Envelope);
    let payload = br#"{"event":{"action":"app.thing.happened"}}{"event":"#;
    let (outcome, candidate, hits) = inspected(&detector, payload);
    assert_eq!(outcome, Outcome::Unreadable(DecodeFault::Truncated));
    assert_eq!((candidate, hits), (true, vec![(0, 0)]));
}

#[test]
fn what_the_check_refuses_and_the_decoder_reads_is_judged() {
    // Deeper than one event may be, but in a wrapper's string that nobody opens.
    let detector = detector(&RULES, Validate::Full);
    let odd = br#"{"a":1e999,"b":"\ud800","c":123456789012345678901234567890}"#;
    let (outcome, ..) = inspected(&detector, odd);
    assert_eq!(outcome, Outcome::Clean);
}

#[test]
fn a_rule_judges_the_topics_that_its_index_names() {
    let set = rules(&["event.action:happened"], "\"logs-okta*\", \"-logs-okta.debug*\"");
    let detector = Detector::new(set, &types(), Validate::Envelope);
    let check = |index: Option<&str>, hits: usize| {
        let profile = TopicProfile { index: index.map(str::to_owned), ..TopicProfile::default() };
        let mut scratch = Scratch::default();
        let payload = br#"{"event":{"action":"happened"}}"#;
        let verdict = detector.inspect(&record(payload), &profile, &mut scratch);
        assert_eq!(verdict.hits.len(), hits, "{index:?}");
    };
    check(None, 1);
    check(Some("logs-okta.system-prod"), 1);
    check(Some("logs-okta.debug-prod"), 0);
    check(Some("logs-aws"), 0);
}

#[test]
fn date_maths_counts_from_the_arrival_of_the_record() {
    let detector =
        detector(&["@timestamp >= now-1h and event.action:happened"], Validate::Envelope);
    let check = |time: &str, hits: usize| {
        let payload = format!(r#"{{"@timestamp":"{time}","event":{{"action":"happened"}}}}"#);
        assert_eq!(inspected(&detector, payload.as_bytes()).2.len(), hits, "{time}");
    };
    assert_eq!(NOW.as_millis(), 1_709_208_000_000);
    check("2024-02-29T11:00:00Z", 1);
    check("2024-02-29T10:59:59Z", 0);
}

#[test]
fn an_empty_set_hits_nothing_and_still_checks() {
    let detector = detector(&[], Validate::Envelope);
    assert_eq!(inspected(&detector, b"{\"a\":1}"), (Outcome::Clean, false, vec![]));
    let fault = Outcome::Unreadable(DecodeFault::Truncated);
    assert_eq!(inspected(&detector, b"{\"a\":"), (fault, false, vec![]));
}

#[test]
fn rules_without_a_literal_are_named_with_the_reason() {
    let check = |query: &str, reason: &str| {
        let detector = detector(&["event.action:some.action", query], Validate::Envelope);
        let found: Vec<_> =
            detector.needs_extraction().map(|(r, why)| (r.0, why.to_string())).collect();
        match reason {
            "" => assert_eq!(found, [], "{query}"),
            _ => {
                assert!(
                    matches!(&found[..], [(1, why)] if why.contains(reason)),
                    "{query}: {found:?}"
                );
                assert!(inspected(&detector, b"{}").1, "{query} makes everything a candidate");
            }
        }
    };
    check("event.action:other", "");
    check("event.action:other and not n:5", "");
    check("event.action:oth*", "");
    check("event.action:(one or two)", "");
    check("list:{ x:inner }", "");
    check("not event.action:other", "absent");
    check("event.action:one or not n:5", "absent");
    check("event.action:*", "exists");
    check("n > 5", "many ways");
    check("a:12345", "many ways");
    check("source.ip:10.0.0.0/8", "many ways");
    check("message:word", "letter case");
    check("event.outcome:success", "derived");
    check("event.action:éé", "plain ASCII");
    check("word", "not bound");
    check("a*:word", "not bound");
    check("*:*", "not bound");
}
