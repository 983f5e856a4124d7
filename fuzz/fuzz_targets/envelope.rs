//! Any bytes as a payload, through the detector: every level of validation finds the same hits, a
//! looser one refuses nothing that a stricter one lets pass, and the prefilter excludes no record
//! that a rule holds for. A System Log event hits the same rules however it is wrapped.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ouzel::detect::{Detector, Outcome, Validate};
use ouzel::event::{DecodeFault, FieldTypes, Scratch, Shape, TopicProfile, decode};
use ouzel::rule::{RuleIndex, RuleSet};
use ouzel_fuzz::{NOW, record, shipped_rules};
use serde_json::Value as Json;

struct Detectors {
    candidates: Detector,
    envelope: Detector,
    full: Detector,
}

static DETECTORS: LazyLock<Detectors> = LazyLock::new(|| {
    let (rules, types): (Arc<RuleSet>, _) = (shipped_rules(), FieldTypes::builtin());
    let of = |validate| Detector::new(Arc::clone(&rules), &types, validate);
    Detectors {
        candidates: of(Validate::Candidates),
        envelope: of(Validate::Envelope),
        full: of(Validate::Full),
    }
});

fuzz_target!(|payload: &[u8]| {
    let Detectors { candidates, envelope, full } = &*DETECTORS;
    let (loose, middle, strict) =
        (inspect(candidates, payload), inspect(envelope, payload), inspect(full, payload));
    assert_eq!(loose.hits, middle.hits);
    assert_eq!(loose.hits, strict.hits);
    for (looser, stricter) in [(&loose, &middle), (&middle, &strict)] {
        assert!(
            !is_unreadable(looser.outcome) || is_unreadable(stricter.outcome),
            "{:?} below {:?}",
            looser.outcome,
            stricter.outcome
        );
    }
    let mut scratch = Scratch::default();
    let decoded = decode(&record(payload), &TopicProfile::default(), &mut scratch);
    assert!(!is_unreadable(strict.outcome) || decoded.fault.is_some(), "{:?}", strict.outcome);
    let mut expected = Vec::new();
    for event in decoded.events {
        for index in 0..full.rules().rules().len() {
            let index = RuleIndex(u32::try_from(index).expect("there are few rules"));
            if full.program(index).is_some_and(|program| program.holds(event, NOW)) {
                expected.push((event.index, index));
            }
        }
    }
    assert_eq!(loose.hits, expected, "the prefilter hides a hit");
    let is_bare = decoded.fault.is_none()
        && matches!(decoded.events, [event] if event.shape == Shape::Raw)
        && payload.first() == Some(&b'{');
    if let (true, Ok(text)) = (is_bare, std::str::from_utf8(payload)) {
        wrap(text, &loose);
    }
});

struct Seen {
    outcome: Outcome,
    hits: Vec<(u32, RuleIndex)>,
}

fn inspect(detector: &Detector, payload: &[u8]) -> Seen {
    let mut scratch = Scratch::default();
    let verdict = detector.inspect(&record(payload), &TopicProfile::default(), &mut scratch);
    let hits = verdict.hits.iter().map(|hit| (hit.event, hit.rule)).collect();
    Seen { outcome: verdict.outcome, hits }
}

fn is_unreadable(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Unreadable(_))
}

/// `text` in every wrapper hits what it hits bare.
fn wrap(text: &str, bare: &Seen) {
    let quoted = Json::from(text);
    let agent = format!(r#"{{"data_stream":{{"dataset":"okta.system"}},"message":{quoted}}}"#);
    let wrappers = [
        format!("[{text}]"),
        format!(r#"{{"message":{quoted}}}"#),
        format!(r#"{{"log":{quoted}}}"#),
        format!(r#"{{"event":{{"original":{quoted}}}}}"#),
        format!(r#"{{"event":{{"module":"okta"}},"fileset":{{"name":"system"}},"json":{text}}}"#),
        format!(
            r#"{{"version":"0","source":"aws.partner/okta.com/x","detail-type":"d","detail":{text}}}"#
        ),
        format!(r#"{{"time":1,"sourcetype":"OktaIM2:log","event":{text}}}"#),
        format!(r#"{{"time":1,"sourcetype":"OktaIM2:log","event":{quoted}}}"#),
        format!(r#"{{"specversion":"1.0","type":"t","data":{text}}}"#),
        format!(r#"{{"message":{}}}"#, Json::from(agent.as_str())),
        agent,
    ];
    for wrapped in wrappers {
        let seen = inspect(&DETECTORS.envelope, wrapped.as_bytes());
        if seen.outcome == Outcome::Unreadable(DecodeFault::TooDeep) {
            continue;
        }
        assert_eq!(seen.hits, bare.hits, "{wrapped}");
    }
}
