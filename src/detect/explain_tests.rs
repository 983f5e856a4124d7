use super::{Explanation, MatchedClause, explain, matched};
use crate::detect::support_tests::{NOW, query, types, with_event};

fn explained(text: &str, document: &str) -> Explanation {
    with_event(document, |event| explain(&query(text), event, &types(), NOW))
}

/// The lines that people read must be `wanted`.
fn shows(text: &str, document: &str, wanted: &[&str]) {
    let shown = explained(text, document).render();
    assert_eq!(shown.lines().collect::<Vec<_>>(), wanted, "{text} on {document}\n{shown}");
}

/// The matched clauses, as `clause | field | value`.
fn matches(text: &str, document: &str, wanted: &[&str]) {
    let clauses = with_event(document, |event| matched(&query(text), event, &types(), NOW));
    let line = |clause: &MatchedClause| {
        let field = clause.field.as_deref().unwrap_or("-");
        let value = clause.value.as_ref().map_or("-".to_owned(), ToString::to_string);
        format!("{} | {field} | {value}", clause.clause)
    };
    assert_eq!(clauses.iter().map(line).collect::<Vec<_>>(), wanted, "{text} on {document}");
}

#[test]
fn an_explanation_shows_each_clause_with_what_was_found_and_the_nearest_miss() {
    let near = r#"{"event":{"action":"user.mfa.factor.reset","kind":"event"}}"#;
    shows(
        "event.kind:event and event.action:user.mfa.factor.reset_one",
        near,
        &[
            "✗ all of",
            "  ✓ event.kind:event — `event.kind` is `event`",
            "  ✗ event.action:user.mfa.factor.reset_one — `event.action` is `user.mfa.factor.reset`, \
         expected `user.mfa.factor.reset_one`",
        ],
    );
    shows(
        "a:x or not b:*",
        r#"{"b":1}"#,
        &[
            "✗ any of",
            "  ✗ a:x — `a` has no value, expected `x`",
            "  ✗ not",
            "    ✓ b:* — `b` is `1`",
        ],
    );
    shows(
        "a > 5",
        r#"{"a":[1,2,3,4,5]}"#,
        &["✗ a > 5 — `a` is `1`, `2`, `3` and 2 more, expected a value above `5`"],
    );
    shows("a:x*", r#"{"a":["y","xa"]}"#, &["✓ a:x* — `a` is `xa`, `y`"]);
    shows("a.*:x", r#"{"a":{"b":1,"c":2}}"#, &["✗ a.*:x — none of 2 values, expected `x`"]);
    shows("a.*:2", r#"{"a":{"b":1,"c":2}}"#, &["✓ a.*:2 — `a.c` is `2`"]);
    shows("a:null", r#"{"a":1}"#, &["✗ a:null — `a` is `1`, expected no value"]);
    shows("*:*", "{}", &["✓ *:*"]);
}

#[test]
fn what_alone_is_different_is_said() {
    shows(
        "a:Root",
        r#"{"a":"root"}"#,
        &["✗ a:Root — `a` is `root`, expected `Root` (the letter case differs)"],
    );
    shows(
        "a:x",
        r#"{"a":"x "}"#,
        &["✗ a:x — `a` is `x `, expected `x` (white space at an end differs)"],
    );
    shows(
        "a:\"x*\"",
        r#"{"a":"xy"}"#,
        &["✗ a:\"x*\" — `a` is `xy`, expected `x*` (a star in quotes is a plain character)"],
    );
}

#[test]
fn a_nested_query_shows_the_object_that_decided() {
    let list = r#"{"list":[{"t":"User","id":"1"},{"t":"App","id":"2"}]}"#;
    shows(
        "list:{ t:App and id:\"2\" }",
        list,
        &[
            "✓ one object of — object 2 of `list`",
            "  ✓ all of",
            "    ✓ t:App — `list.t` is `App`",
            "    ✓ id:\"2\" — `list.id` is `2`",
        ],
    );
    shows(
        "list:{ t:Group }",
        list,
        &[
            "✗ one object of — none of 2 in `list`; the last",
            "  ✗ t:Group — `list.t` is `App`, expected `Group`",
        ],
    );
    shows("list:{ t:Group }", "{}", &["✗ one object of — `list` holds no object"]);
}

#[test]
fn a_long_list_shows_what_holds_or_the_nearest_misses() {
    let many = (0..50).map(|number| format!("value-{number:03}")).collect::<Vec<_>>().join(" or ");
    let shown = explained(&format!("a:({many})"), r#"{"a":"value-04"}"#).render();
    assert_eq!(shown.lines().count(), 7, "{shown}");
    assert!(shown.contains("a:value-004") && shown.ends_with("… and 45 more that do not hold"));
    let shown = explained(&format!("a:({many})"), r#"{"a":"value-042"}"#).render();
    assert!(shown.contains("✓ a:value-042"), "{shown}");
    assert_eq!(shown.lines().count(), 3, "{shown}");
}

#[test]
fn untrusted_values_cannot_steer_a_terminal() {
    let hostile = "{\"a\":\"\\u001b[2Jx\\u202ey\\nz\"}";
    shows("a:ok", hostile, &["✗ a:ok — `a` is `\\u{1b}[2Jx\\u{202e}y\\nz`, expected `ok`"]);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10_000));
    assert!(explained("a:ok", &long).render().len() < 300);
}

#[test]
fn an_explanation_is_data_as_well() {
    let json = serde_json::to_value(explained("a:x and not b:*", r#"{"a":["x","y"]}"#));
    let wanted = serde_json::json!({
        "clause": "a:x and not b:*", "held": true, "operator": "and",
        "operands": [
            {"clause": "a:x", "held": true, "field": "a", "found": ["x", "y"],
             "note": "`a` is `x`, `y`"},
            {"clause": "not b:*", "held": true, "operator": "not", "operands": [
                {"clause": "b:*", "held": false, "field": "b",
                 "note": "`b` has no value, expected a value"},
            ]},
        ],
    });
    assert_eq!(json.expect("it serialises"), wanted);
}

#[test]
fn the_matched_clauses_are_those_that_held() {
    let event = r#"{"event":{"action":["a","b"]},"n":7,"list":[{"x":1},{"x":2,"y":3}]}"#;
    matches(
        "event.action:(b or c) and n > 5",
        event,
        &["event.action:b | event.action | \"b\"", "n > 5 | n | 7"],
    );
    matches(
        "event.action:(a or b)",
        event,
        &["event.action:a | event.action | \"a\"", "event.action:b | event.action | \"b\""],
    );
    matches(
        "not n:8 and not missing:x",
        event,
        &["not n:8 | n | 7", "not missing:x | missing | -"],
    );
    matches("not (n:8 and missing:x)", event, &["not (n:8 and missing:x) | - | -"]);
    matches("list:{ x:2 and y:* }", event, &["x:2 | list.x | 2", "y:* | list.y | 3"]);
    matches("event.*:b", event, &["event.*:b | event.action | \"b\""]);
    matches("missing:null", event, &["missing:null | missing | -"]);
    matches("*:*", event, &["*:* | - | -"]);
    matches("n:8", event, &[]);
}
