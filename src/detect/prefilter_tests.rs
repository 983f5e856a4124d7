//! The prefilter against the plain truth: decode everything and evaluate.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Found, Look, NoLiteral, Prefilter};
use crate::detect::detector::tests::detector;
use crate::detect::support_tests::{NOW, query, record, types};
use crate::detect::{Program, Validate};
use crate::event::{Scratch, TopicProfile, decode};
use crate::limits::WRAPPER_DEPTH_MAX;

fn prefilter(queries: &[&str]) -> Prefilter {
    let programs = queries.iter().map(|text| Program::compile(&query(text), &types()));
    let required: Vec<_> = programs.map(|program| Prefilter::required(&program)).collect();
    Prefilter::new(required.iter().map(|one| one.as_ref().map_err(|reason| *reason)))
}

fn required(text: &str) -> Result<Vec<String>, NoLiteral> {
    let literals = Prefilter::required(&Program::compile(&query(text), &types()))?;
    Ok(literals.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect())
}

#[test]
fn the_rarest_piece_of_what_must_be_there_is_required() {
    let check = |text: &str, wanted: &[&str]| {
        assert_eq!(required(text).as_deref(), Ok(&wanted.map_owned()[..]), "{text}");
    };
    check("event.action:some.action", &["some.action"]);
    check("event.dataset:okta.system and event.action:some.action", &["some.action"]);
    check("event.action:short and event.action:much.longer.text", &["much.longer.text"]);
    check("event.action:(one.b or two.b or three)", &["one.b", "three", "two.b"]);
    check("event.action:(user.mfa or user.mfa.factor)", &["user.mfa", "user.mfa.factor"]);
    check("event.action:user.*.factor.*ed", &[".factor."]);
    check("okta.actor.display_name:\"a \\\"quoted\\\" name\"", &["quoted"]);
    check("okta.actor.display_name:\"path/to/somewhere\"", &["somewhere"]);
    check("okta.actor.display_name:\"Zoë Ångström\"", &["ngstr"]);
    check("okta.target.display_name:\"ten 10\"", &["ten 10"]);
    check("(event.action:aaa or not n:5) and event.action:bbb", &["bbb"]);
    check("list:{ x:inner and y:5 }", &["inner"]);
    check("okta.actor.type:\"12-34x\"", &["12-34x"]);
    assert_eq!(required("okta.actor.type:\"12-34\""), Err(NoLiteral::ManySpellings));
    assert_eq!(required("okta.actor.type:1*5"), Err(NoLiteral::ManySpellings));
    assert_eq!(required("okta.actor.type:ab"), Err(NoLiteral::NoText));
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn what_real_producers_escape_makes_no_candidates() {
    let few = prefilter(&["event.action:some.action"]);
    let names: Vec<String> = (0..30).map(|number| format!("a:word.{number:02}")).collect();
    let many = prefilter(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for plain in [
        r#"{"a":"\"quoted\" \\ \/ \n\t"}"#,
        r#"{"a":"\u003cb\u003e \u0026 \u0027 \u00e9 \u2028 \ud83d\ude00"}"#,
        r#"{"message":"{\"a\":\"\\u003c \\\\ \\u0026\"}"}"#,
    ] {
        assert_ne!(few.look(plain.as_bytes(), Look::Filter), Found::Candidate, "{plain}");
        assert_ne!(many.look(plain.as_bytes(), Look::Filter), Found::Candidate, "{plain}");
    }
}

#[test]
fn every_escape_of_a_literals_byte_makes_a_candidate() {
    let few = prefilter(&["event.action:some.action"]);
    let names: Vec<String> = (0..30).map(|number| format!("a:some.action{number:02}")).collect();
    let many = prefilter(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for escape in ["\\u0073", "\\u006F", "\\u002e", "\\u005c", "\\u005C", "\\u0075", "\\u0030"] {
        for at in 0..130 {
            let payload = format!("{}{escape}{}", " ".repeat(at), " ".repeat(130 - at));
            assert_eq!(few.look(payload.as_bytes(), Look::Filter), Found::Candidate, "{escape}");
            assert_eq!(many.look(payload.as_bytes(), Look::Filter), Found::Candidate, "{escape}");
        }
    }
}

/// `text` as a JSON string; `choices` says for each character how it is spelled.
fn escaped(text: &str, choices: &mut impl Iterator<Item = u8>) -> String {
    let mut out = "\"".to_owned();
    for symbol in text.chars() {
        let choice = choices.next().unwrap_or(0);
        let short = match symbol {
            '"' | '\\' | '/' => Some(symbol),
            '\n' => Some('n'),
            '\t' => Some('t'),
            _ => None,
        };
        let must = matches!(symbol, '"' | '\\') || symbol < ' ';
        match (choice % 8, short) {
            (0, _) => {
                let mut units = [0; 2];
                for unit in symbol.encode_utf16(&mut units) {
                    let _ = match choice / 8 % 2 {
                        0 => write!(out, "\\u{unit:04x}"),
                        _ => write!(out, "\\u{unit:04X}"),
                    };
                }
            }
            (1, Some(short)) => out.extend(['\\', short]),
            (_, Some(short)) if must => out.extend(['\\', short]),
            _ => out.push(symbol),
        }
    }
    out.push('"');
    out
}

/// A payload with `action` as its event's type, `levels` wrappers deep, and whether the text
/// still stands there as it is.
fn payload(action: &str, levels: usize, choices: &[u8]) -> String {
    let mut choices = choices.iter().copied().cycle();
    let mut text = format!(
        r#"{{"uuid":"1","published":"2024-02-29T11:00:00.000Z","eventType":{},"actor":{{"displayName":{}}}}}"#,
        escaped(action, &mut choices),
        escaped("Zoë \"Q\" /x/\n", &mut choices),
    );
    for level in 0..levels {
        let key = ["message", "log"][level % 2];
        text = format!("{{\"{key}\":{}}}", escaped(&text, &mut choices));
    }
    text
}

const ACTIONS: [&str; 5] = [
    "user.mfa.factor.update_it",
    "policy.rule.update",
    "app.oauth2.grant-x_y z",
    "user.mfa.factor.update",
    "something.else",
];

/// More rules than the kernel takes literals.
fn many_rules() -> Vec<String> {
    let others = (0..20).map(|number| format!("event.action:other.action.{number:02}"));
    let wanted = ACTIONS.iter().take(4).map(|action| format!("event.action:\"{action}\""));
    wanted.chain(others).collect()
}

/// Whether any query holds for any event of `payload`, without a prefilter.
fn truth(programs: &[Program], payload: &[u8]) -> bool {
    let mut scratch = Scratch::default();
    let decoded = decode(&record(payload), &TopicProfile::default(), &mut scratch);
    decoded.events.iter().any(|event| programs.iter().any(|one| one.holds(event, NOW)))
}

proptest! {
    #[test]
    fn no_hit_is_ever_excluded_however_its_bytes_are_spelled_and_wrapped(
        action in proptest::sample::select(&ACTIONS[..]),
        levels in 0..=WRAPPER_DEPTH_MAX,
        choices in proptest::collection::vec(prop_oneof![3 => Just(7_u8), 2 => any::<u8>()], 1..80),
    ) {
        let payload = payload(action, levels, &choices);
        let rules = many_rules();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        for set in [&rules[..1], &rules[..4], &rules[..]] {
            let programs: Vec<_> =
                set.iter().map(|text| Program::compile(&query(text), &types())).collect();
            let is_hit = truth(&programs, payload.as_bytes());
            let wanted = rules.iter().position(|rule| *rule == format!("event.action:\"{action}\""));
            prop_assert_eq!(is_hit, wanted.is_some_and(|at| at < set.len()), "{}", payload);
            let found = prefilter(set).look(payload.as_bytes(), Look::FilterAndEnvelope);
            prop_assert!(!is_hit || found == Found::Candidate, "{}", payload);
        }
    }

    #[test]
    fn the_whole_detector_says_what_decoding_everything_says(
        actions in proptest::collection::vec(proptest::sample::select(&ACTIONS[..]), 1..4),
        choices in proptest::collection::vec(any::<u8>(), 1..60),
    ) {
        let events: Vec<_> = actions.iter().map(|action| payload(action, 0, &choices)).collect();
        let rules = many_rules();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let programs: Vec<_> =
            rules.iter().map(|text| Program::compile(&query(text), &types())).collect();
        for payload in [format!("[{}]", events.join(",")), events.join("\n")] {
            for validate in [Validate::Candidates, Validate::Envelope, Validate::Full] {
                let detector = detector(&rules, validate);
                let mut scratch = Scratch::default();
                let verdict = detector.inspect(
                    &record(payload.as_bytes()), &TopicProfile::default(), &mut scratch);
                prop_assert_eq!(!verdict.hits.is_empty(), truth(&programs, payload.as_bytes()));
            }
        }
    }
}

/// `text` as a JSON string in which only what must be escaped is, and the character at `spelled`.
fn spelled_at(text: &str, spelled: usize) -> String {
    let at = |(index, symbol): (usize, char)| match symbol {
        _ if index == spelled => format!("\\u{:04x}", u32::from(symbol)),
        '"' | '\\' => format!("\\{symbol}"),
        _ => symbol.to_string(),
    };
    format!("\"{}\"", text.chars().enumerate().map(at).collect::<String>())
}

/// Where the characters of the first escape of `text` stand.
fn first_escape(text: &str) -> std::ops::Range<usize> {
    let start = text.find("\\u00").expect("there is an escape");
    start..start + 6
}

#[test]
fn one_escape_hidden_by_one_escape_hidden_by_one_escape_makes_a_candidate() {
    let prefilter = prefilter(&["event.action:some.action"]);
    let programs = [Program::compile(&query("event.action:some.action"), &types())];
    let mut judged = 0;
    let mut check = |payload: &str| {
        judged += 1;
        assert!(truth(&programs, payload.as_bytes()), "{payload}");
        assert!(!payload.contains("some.action"), "{payload}");
        assert_eq!(prefilter.look(payload.as_bytes(), Look::Filter), Found::Candidate, "{payload}");
    };
    for letter in 0.."some.action".len() {
        let action = spelled_at("some.action", letter);
        let event = format!(r#"{{"uuid":"1","published":"2024-02-29","eventType":{action}}}"#);
        check(&event);
        for outer in first_escape(&event) {
            let wrapped = format!("{{\"message\":{}}}", spelled_at(&event, outer));
            check(&wrapped);
            for outermost in first_escape(&wrapped) {
                check(&format!("{{\"log\":{}}}", spelled_at(&wrapped, outermost)));
            }
        }
    }
    assert_eq!(judged, 11 * (1 + 6 * (1 + 6)));
}

#[test]
fn the_generated_payloads_do_hide_their_literals() {
    let choices: Vec<u8> = (0..=255).map(|choice: u8| choice.wrapping_mul(37)).collect();
    let hidden = (0..200).filter(|start| {
        let choices = &choices[start % 200..];
        !payload(ACTIONS[0], start % 3, choices).contains(ACTIONS[0])
    });
    assert!(hidden.count() > 100);
}
