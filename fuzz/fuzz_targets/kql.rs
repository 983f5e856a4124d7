//! Any text as a query: what is refused is refused with places that can be shown; what is accepted
//! prints back to the same tree, compiles, and can be judged and explained.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ouzel::detect::{Program, explain};
use ouzel::event::{FieldTypes, Scratch, TopicProfile, decode};
use ouzel::kql;
use ouzel_fuzz::{NOW, record};

static TYPES: LazyLock<FieldTypes> = LazyLock::new(FieldTypes::builtin);

const EVENT: &str = r#"{"uuid":"u","published":"2026-01-01T00:00:00.000Z","eventType":"user.mfa.factor.reset_all","displayMessage":"Reset all factors","client":{"ipAddress":"10.0.0.1"},"outcome":{"result":"SUCCESS"},"target":[{"id":"1","type":"User","alternateId":"b@example.com"},{"id":"2","type":"App"}],"a":["x",5,null,true,{"b":[]}]}"#;

fuzz_target!(|text: &str| {
    let query = match kql::parse(text) {
        Ok(query) => query,
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(text.get(fault.span.start..fault.span.end).is_some(), "{fault:?}");
                assert!(!fault.render(text, 0).is_empty());
            }
            return;
        }
    };
    let printed = kql::print(&query.root);
    match kql::parse(&printed) {
        Ok(again) => assert_eq!(again.root, query.root, "{printed:?}"),
        // Escapes make the printed text longer than what was written.
        Err(faults) => assert!(faults[0].message.contains("bytes"), "{printed:?}: {faults:?}"),
    }
    let program = Program::compile(&query, &TYPES);
    let mut scratch = Scratch::default();
    let decoded = decode(&record(EVENT.as_bytes()), &TopicProfile::default(), &mut scratch);
    for event in decoded.events {
        let explanation = explain::explain(&query, event, &TYPES, NOW);
        assert_eq!(explanation.held, program.holds(event, NOW), "{text:?}");
    }
});
