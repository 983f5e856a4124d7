//! Exceptions from text to verdict.

use serde_json::json;

use super::exception::{Exceptions, Fault, load};
use super::tests::{event, record, rules, time};
use super::{AlertId, Disposition, Dispositions, ExceptionIndex, HitContext};
use crate::disposition::exception::ExceptionText;
use crate::event::{Arena, Event, FieldTypes};
use crate::record::{Record, Timestamp};
use crate::rule::RuleIndex;

const NOON: &str = "2026-01-10T12:00:00Z";

fn try_load(texts: &[(&str, &str)]) -> Result<Exceptions, Vec<Fault>> {
    let texts: Vec<ExceptionText<'_>> =
        texts.iter().map(|(origin, text)| ExceptionText { origin, text }).collect();
    load(&texts, &rules(""), &FieldTypes::builtin())
}

fn loaded(texts: &[(&str, &str)]) -> Exceptions {
    try_load(texts).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

fn shown(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

/// The id of the exception that hides a hit of the only rule for this event.
fn hider(exceptions: &Exceptions, json: &serde_json::Value, judged: &str) -> Option<String> {
    let arena = Arena::new();
    let event: Event<'_> = event(&arena, json);
    let record: Record<'_> = record(b"{}");
    let hit = HitContext {
        id: AlertId([0; 32]),
        rule: RuleIndex(0),
        event: &event,
        record: &record,
        judged: time(judged),
    };
    let index = exceptions.hides(&hit)?;
    exceptions.get(index).map(|exception| exception.id.clone())
}

fn toml(lines: &str) -> String {
    format!(
        "[[exception]]\nid = \"e\"\nowner = \"o\"\nreason = \"r\"\nexpires = \"2030-01-01\"\n{lines}\n"
    )
}

/// One TOML exception with these lines: it hides each of `hidden` and none of `seen`.
fn check(lines: &str, hidden: &[serde_json::Value], seen: &[serde_json::Value]) {
    let exceptions = loaded(&[("e.toml", &toml(lines))]);
    check_events(&exceptions, hidden, seen);
}

fn check_events(exceptions: &Exceptions, hidden: &[serde_json::Value], seen: &[serde_json::Value]) {
    for json in hidden {
        assert!(hider(exceptions, json, NOON).is_some(), "{json} should be hidden");
    }
    for json in seen {
        assert_eq!(hider(exceptions, json, NOON), None, "{json} should be seen");
    }
}

/// One item with these entries, as a line of an exported list.
fn item(entries: &serde_json::Value) -> String {
    let list = json!({"_version": "WzEsMV0=", "created_by": "elastic", "id": "1", "list_id": "l", "name": "L",
        "description": "d", "type": "detection", "namespace_type": "single", "tags": [], "version": 1});
    let item = json!({"_version": "WzEsMV0=", "comments": [], "created_by": "ada", "entries": entries, "id": "2",
        "item_id": "i", "list_id": "l", "name": "I", "description": "known", "namespace_type": "single",
        "os_types": [], "tags": [], "tie_breaker_id": "t", "type": "simple", "updated_by": "ada"});
    let end = json!({"exported_exception_list_count": 1, "exported_exception_list_item_count": 1,
        "missing_exception_list_item_count": 0, "missing_exception_list_items": []});
    format!("{list}\n{item}\n{end}\n")
}

fn check_item(
    entries: serde_json::Value,
    hidden: &[serde_json::Value],
    seen: &[serde_json::Value],
) {
    let exceptions = loaded(&[
        ("l.ndjson", &item(&entries)),
        ("ips.txt", "10.0.0.0/8\n192.0.2.1-192.0.2.9"),
        ("names.csv", "alice\nbob"),
    ]);
    check_events(&exceptions, hidden, seen);
}

fn user(name: &str) -> serde_json::Value {
    json!({"user": {"name": name}})
}

#[test]
fn a_kql_exception_hides_what_its_query_holds_for() {
    check(
        "query = 'user.name:(alice or bob)'",
        &[user("alice"), user("bob")],
        &[user("Alice"), json!({})],
    );
    check(
        "query = 'user.name:* and not user.name:bob'",
        &[user("alice")],
        &[user("bob"), json!({})],
    );
    check("rules = [\"r-1\"]\nquery = 'user.name:a'", &[user("a")], &[]);
    check("rules = [\"other\"]\nquery = 'user.name:a'", &[], &[user("a")]);
}

#[test]
fn items_of_an_exported_list_hide_what_all_their_entries_ask_for() {
    let entry = |kind: &str, operator: &str, value: serde_json::Value| json!({"field": "user.name", "type": kind, "operator": operator, "value": value});
    check_item(
        json!([entry("match", "included", json!("alice"))]),
        &[user("alice"), json!({"user": {"name": ["x", "alice"]}})],
        &[user("Alice"), json!({})],
    );
    check_item(
        json!([entry("match", "excluded", json!("alice"))]),
        &[user("bob"), json!({})],
        &[user("alice")],
    );
    check_item(
        json!([entry("match_any", "included", json!(["a", "b"]))]),
        &[user("a"), user("b")],
        &[user("c"), json!({})],
    );
    check_item(
        json!([entry("match_any", "excluded", json!(["a", "b"]))]),
        &[user("c"), json!({})],
        &[user("a")],
    );
    check_item(
        json!([entry("wildcard", "included", json!("svc-?\\**"))]),
        &[user("svc-1*x"), user("svc-1*")],
        &[user("svc-*x"), user("SVC-1*"), json!({})],
    );
    check_item(
        json!([entry("wildcard", "excluded", json!("svc-*"))]),
        &[user("alice"), json!({})],
        &[user("svc-1")],
    );
    check_item(
        json!([{"field": "user.name", "type": "exists", "operator": "included"}]),
        &[user("x"), user("")],
        &[json!({}), json!({"user": {"name": null}})],
    );
    check_item(
        json!([{"field": "user.name", "type": "exists", "operator": "excluded"}]),
        &[json!({})],
        &[user("x")],
    );
    check_item(
        json!([entry("match", "included", json!("a")), {"field": "event.action", "type": "match", "operator": "included", "value": "x"}]),
        &[json!({"user": {"name": "a"}, "event": {"action": "x"}})],
        &[user("a"), json!({"event": {"action": "x"}})],
    );
}

#[test]
fn a_nested_entry_asks_for_one_object_that_has_it_all() {
    let entries = json!([{"field": "okta.target", "type": "nested", "entries": [
        {"field": "type", "type": "match", "operator": "included", "value": "User"},
        {"field": "id", "type": "match_any", "operator": "included", "value": ["1", "2"]}]}]);
    let targets = |targets: serde_json::Value| json!({"okta": {"target": targets}});
    check_item(
        entries,
        &[targets(json!([{"type": "App", "id": "9"}, {"type": "User", "id": "2"}]))],
        &[targets(json!([{"type": "App", "id": "1"}, {"type": "User", "id": "9"}])), json!({})],
    );
}

#[test]
fn value_lists_hold_names_and_addresses() {
    let list = |field: &str, id: &str, kind: &str, operator: &str| json!([{"field": field, "type": "list", "operator": operator, "list": {"id": id, "type": kind}}]);
    let from = |ip: &str| json!({"source": {"ip": ip}});
    check_item(
        list("source.ip", "ips.txt", "ip_range", "included"),
        &[from("10.1.1.1"), from("192.0.2.9")],
        &[from("192.0.2.10"), from("x"), json!({})],
    );
    check_item(
        list("source.ip", "ips", "ip_range", "excluded"),
        &[from("192.0.2.10"), json!({})],
        &[from("10.1.1.1")],
    );
    check_item(
        list("user.name", "names", "keyword", "included"),
        &[user("bob")],
        &[user("Bob"), json!({})],
    );
}

#[test]
fn entries_may_stand_in_toml_as_well() {
    check(
        "[[exception.entries]]\nfield = \"user.name\"\ntype = \"match\"\noperator = \"included\"\nvalue = \"a\"",
        &[user("a")],
        &[user("b")],
    );
}

#[test]
fn a_list_applies_to_the_rules_that_are_said_or_that_name_it_or_else_to_all() {
    let entries =
        json!([{"field": "user.name", "type": "match", "operator": "included", "value": "a"}]);
    let text = item(&entries);
    let scoped = |rule: &str| {
        let toml = format!(
            "[[list]]\nlist_id = \"l\"\nowner = \"team\"\nrules = [\"{rule}\"]\nexpires = \"2030-01-01\"\n"
        );
        loaded(&[("e.toml", &toml), ("l.ndjson", &text)])
    };
    check_events(&scoped("r-1"), &[user("a")], &[user("b")]);
    check_events(&scoped("r-2"), &[], &[user("a")]);
    assert_eq!(scoped("r-1").list()[0].owner.as_deref(), Some("team"));
    let all = loaded(&[("l.ndjson", &text)]);
    check_events(&all, &[user("a")], &[]);
    assert_eq!(all.list()[0].owner.as_deref(), Some("ada"));
    assert!(shown(all.warnings()).contains("applies to every rule"), "{}", shown(all.warnings()));
    let naming = rules(
        "[[rule.exceptions_list]]\nid = \"x\"\nlist_id = \"l\"\ntype = \"detection\"\nnamespace_type = \"single\"\n",
    );
    let texts = [ExceptionText { origin: "l.ndjson", text: &text }];
    let named = load(&texts, &naming, &FieldTypes::builtin()).expect("it loads");
    assert_eq!(named.list()[0].rules, Some(vec!["r-1".to_owned()]));
    assert_eq!(named.of_rule(RuleIndex(0)), [ExceptionIndex(0)]);
}

#[test]
fn past_its_end_an_exception_hides_nothing() {
    let check = |expires: &str, judged: &str, hides: bool| {
        let text = toml("query = 'user.name:a'").replace("\"2030-01-01\"", expires);
        let exceptions = loaded(&[("e.toml", &text)]);
        assert_eq!(hider(&exceptions, &user("a"), judged).is_some(), hides, "{expires} {judged}");
        assert_eq!(exceptions.expired(time(judged)).count(), usize::from(!hides));
    };
    check("\"2026-03-01\"", "2026-03-01T23:59:59.999Z", true);
    check("\"2026-03-01\"", "2026-03-02T00:00:00Z", false);
    check("2026-03-01", "2026-03-02T00:00:00Z", false);
    check("\"2026-03-01T12:00:00+01:00\"", "2026-03-01T10:59:59.999Z", true);
    check("2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00Z", false);
}

#[test]
fn a_schedule_is_judged_by_the_time_of_the_event() {
    let exceptions = loaded(&[(
        "e.toml",
        &toml(
            "query = 'user.name:audit'\n[[exception.schedule]]\ndays = [\"sat\"]\nfrom = \"20:00\"\nto = \"23:00\"\ntime_zone = \"Europe/Berlin\"\nlast_date = \"2026-03-01\"",
        ),
    )]);
    let check = |at: &str, hides: bool| {
        let json = json!({"@timestamp": at, "user": {"name": "audit"}});
        assert_eq!(hider(&exceptions, &json, "2026-06-01T00:00:00Z").is_some(), hides, "{at}");
    };
    check("2026-01-10T19:30:00Z", true);
    check("2026-01-10T22:30:00Z", false);
    check("2026-01-11T19:30:00Z", false);
    check("2026-03-07T19:30:00Z", false);
}

#[test]
fn the_first_exception_that_holds_is_the_one_that_counts() {
    let two = format!(
        "{}{}",
        toml("query = 'user.name:*'"),
        toml("query = 'user.name:a'").replace("\"e\"", "\"f\"")
    );
    let exceptions = loaded(&[("e.toml", &two)]);
    assert_eq!(hider(&exceptions, &user("a"), NOON).as_deref(), Some("e"));
}

#[test]
fn an_exception_that_absence_makes_true_is_refused_unless_it_says_so() {
    let check = |lines: &str, refused: bool| {
        let found = try_load(&[("e.toml", &toml(lines))]);
        assert_eq!(found.is_err(), refused, "{lines}");
        if let Err(faults) = found {
            assert!(shown(&faults).contains("allow_missing = true"), "{}", shown(&faults));
        }
    };
    check("query = 'not source.geo.country_iso_code:DE'", true);
    check("query = 'user.name:a and not user_agent.os.name:*'", true);
    check("allow_missing = true\nquery = 'not source.geo.country_iso_code:DE'", false);
    check("query = 'source.geo.country_iso_code:DE'", false);
    check("query = 'not user.name:a'", false);
    let entry = |field: &str| {
        format!(
            "[[exception.entries]]\nfield = \"{field}\"\ntype = \"match\"\noperator = \"excluded\"\nvalue = \"x\""
        )
    };
    check(&entry("source.geo.country_iso_code"), true);
    check(&entry("user.name"), false);
}

#[test]
fn what_looks_wrong_is_a_warning() {
    let check = |text: &str, warnings: &[&str]| {
        let found = loaded(&[("e.toml", text)]);
        let found: Vec<&str> =
            found.warnings().iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(found.len(), warnings.len(), "{text}: {found:?}");
        for (found, part) in found.iter().zip(warnings) {
            assert!(found.contains(part), "{found:?} should say {part:?}");
        }
    };
    check(&toml("query = 'a:1'"), &[]);
    check(&toml("query = 'a:1 and not b c:2'"), &["is called \"b c\""]);
    check("[[exception]]\nid = \"e\"\nquery = 'a:1'\n", &["no owner", "no end"]);
    check(&toml("rules = [\"r-9\"]\nquery = 'a:1'"), &["r-9, which is not loaded"]);
    check(&toml("query = 'user.name:a and user_agent.os.name:x'"), &["never hold"]);
    check(
        "[[exception]]\nid = \"e\"\nowner = \"o\"\nquery = 'a:1'\n[[exception.schedule]]\ntime_zone = \"UTC\"\nlast_date = \"2026-03-01\"\n",
        &[],
    );
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let faults = try_load(&[
        ("broken.toml", "[[exception]\n"),
        (
            "e.toml",
            "[[exception]]\nid = \"e\"\nownr = \"o\"\nquery = 'a:(1'\nexpires = \"soon\"\n\n\
             [[exception]]\nid = \"f\"\nquery = 'a:1'\nentries = []\n[[exception.schedule]]\ntime_zone = \"Mars\"\n\n\
             [[exception]]\nid = \"g\"\nquery = 'a:1'\nrules = []\n\n[[excepton]]\n",
        ),
        (
            "l.ndjson",
            "{\"list_id\":\"l\",\"item_id\":\"i\",\"entries\":[{\"field\":\"a\",\"type\":\"match_all\"},{\"type\":\"match\"},\
             {\"field\":\"s\",\"type\":\"list\",\"list\":{\"id\":\"gone\",\"type\":\"ip\"}}]}\nnot json\n{}\n",
        ),
    ])
    .expect_err("much is wrong");
    let text = shown(&faults);
    for part in [
        "broken.toml:1: is no TOML",
        "e.toml:1: exception \"e\" unknown key `ownr`; did you mean `owner`?",
        "e.toml:1: exception \"e\" `expires` is \"soon\"",
        "needs either `query` or `entries`",
        "e.toml:7: exception \"f\"",
        "\"Mars\" is no time zone",
        "`rules` is empty",
        "unknown key `excepton`; did you mean `exception`?",
        "l.ndjson:1: exception \"i\" the entry on \"a\" has the type \"match_all\"",
        "names no field",
        "the value list \"gone\" is not there",
        "l.ndjson:2: is no JSON",
        "l.ndjson:3: is neither",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn ids_are_unique_across_files() {
    let one = toml("query = 'a:1'");
    let faults = try_load(&[("a.toml", &one), ("b.toml", &one)]).expect_err("twice");
    assert!(shown(&faults).contains("is also in a.toml"), "{}", shown(&faults));
}

#[test]
fn lists_about_other_things_and_rules_of_an_export_are_passed_over() {
    let text = format!(
        "{}\n{}\n{}\n",
        json!({"rule_id": "r-1", "name": "A rule"}),
        json!({"list_id": "endpoint_trusted_apps", "type": "endpoint"}),
        json!({"list_id": "endpoint_trusted_apps", "item_id": "t", "entries": [{"field": "a", "type": "match", "value": "1"}]}),
    );
    assert!(loaded(&[("l.ndjson", &text)]).list().is_empty());
}

#[test]
fn a_hidden_hit_says_by_what_and_touches_no_other_state() {
    let rules = rules("max_signals = 1\n");
    let text = toml("query = 'user.name:a'");
    let texts = [ExceptionText { origin: "e.toml", text: &text }];
    let exceptions = load(&texts, &rules, &FieldTypes::builtin()).expect("it loads");
    let mut state = Dispositions::new(rules, 10).with_exceptions(exceptions.into());
    let mut decide = |number: u8, name: &str| {
        let arena = Arena::new();
        let event = event(&arena, &user(name));
        let record = record(b"{}");
        state.decide(&HitContext {
            id: AlertId([number; 32]),
            rule: RuleIndex(0),
            event: &event,
            record: &record,
            judged: Timestamp::from_millis(0),
        })
    };
    for number in 0..3 {
        let decision = decide(number, "a");
        assert_eq!(decision.disposition, Disposition::Excepted);
        let hidden = decision.exception.expect("the exception that hides it");
        assert_eq!((hidden.index, &*hidden.id), (ExceptionIndex(0), "e"));
    }
    assert_eq!(decide(4, "b").disposition, Disposition::Published);
    assert_eq!(decide(5, "b").disposition, Disposition::OverLimit);
}
