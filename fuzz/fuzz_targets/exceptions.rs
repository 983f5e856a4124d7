//! Any text as a file of exceptions, an exported list or a list of values: what is refused says
//! why, what is loaded can be judged at any time.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ouzel::disposition::exception::{self, ExceptionText};
use ouzel::disposition::{AlertId, HitContext};
use ouzel::event::{FieldTypes, Scratch, TopicProfile, decode};
use ouzel::record::Timestamp;
use ouzel::rule::{RuleIndex, RuleSet};
use ouzel_fuzz::{NOW, record, shipped_rules};

static TYPES: LazyLock<FieldTypes> = LazyLock::new(FieldTypes::builtin);
static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(shipped_rules);

const EVENT: &str = r#"{"uuid":"u","published":"2026-03-29T01:30:00.000Z","eventType":"user.mfa.factor.reset_all","actor":{"id":"00u1","alternateId":"audit@example.com"},"client":{"ipAddress":"10.0.0.1"},"outcome":{"result":"SUCCESS"},"target":[{"id":"1","type":"User","alternateId":"b@example.com"},{"id":"2","type":"App"}]}"#;

// Files are separated by a NUL; the first byte of each says what it is.
fuzz_target!(|text: &str| {
    let texts: Vec<ExceptionText<'_>> = text
        .split('\0')
        .map(|text| match text.chars().next() {
            Some('{') => ExceptionText { origin: "list.ndjson", text },
            Some('!') => ExceptionText { origin: "values.txt", text: &text[1..] },
            _ => ExceptionText { origin: "exceptions.toml", text },
        })
        .collect();
    let exceptions = match exception::load(&texts, &RULES, &TYPES) {
        Ok(exceptions) => exceptions,
        Err(faults) => {
            assert!(!faults.is_empty());
            faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
            return;
        }
    };
    let mut scratch = Scratch::default();
    let record = record(EVENT.as_bytes());
    let decoded = decode(&record, &TopicProfile::default(), &mut scratch);
    for judged in [NOW, Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX)] {
        for event in decoded.events {
            let rule = RuleIndex(0);
            let hit = HitContext { id: AlertId([0; 32]), rule, event, record: &record, judged };
            let hidden = exceptions.hides(&hit);
            let shown = hidden.and_then(|index| exceptions.get(index));
            assert_eq!(hidden.is_some(), shown.is_some());
            assert!(shown.is_none_or(|exception| !exception.is_expired(judged)));
        }
        exceptions.expired(judged).for_each(|exception| assert!(exception.is_expired(judged)));
    }
});
