//! `ouzel check` on rule files and exceptions, as a user runs it: every fault at once, every skip
//! with its reason, and a warning for what is allowed and seldom meant.

use serde_json::json;

use crate::support::program::{folder, rule, run, write};

#[test]
fn every_fault_of_rules_and_of_the_configuration_is_told_in_one_run() {
    let folder = folder("all_faults");
    write(&folder, "query.toml", rule("a", "(x:1 or y:not z and b : >5", ""));
    write(&folder, "key.toml", rule("b", "x:1", "max_signal = 5"));
    write(&folder, "bytes.toml", b"\xff\xfe[rule]");
    write(&folder, "one.toml", rule("c", "x:1", ""));
    write(&folder, "two.toml", rule("c", "x:1", "version = 2"));
    let ran = run(&folder, &["check", "-r", ".", "--set", "rule.\"c\".severity=\"urgent\""], b"");
    for part in [
        "this `(` is never closed",
        "found the operator `not`",
        "a range has no colon",
        "did you mean `max_signals`",
        "bytes.toml: not UTF-8 (byte 0)",
        "rule_id c (version 2) is also in ./one.toml (version 1)",
        "rule.c.severity: found \"urgent\"",
    ] {
        assert!(ran.stderr.contains(part), "{part:?} is missing in {}", ran.stderr);
    }
    assert_eq!(ran.code, Some(3), "where rules and configuration are wrong, configuration counts");
}

#[test]
fn overrides_that_mean_nothing_are_the_configurations_fault() {
    let folder = folder("overrides");
    write(&folder, "a.toml", rule("a-1", "x:1", ""));
    write(
        &folder,
        "e.toml",
        rule("e-1", "x", "").replace("\"query\"\nlanguage = \"kuery\"", "\"eql\""),
    );
    let sets =
        ["rule.\"a-2\".enabled=true", "rule.\"e-1\".enabled=true", "rule.\"zz\".interval=\"5m\""];
    let mut arguments = vec!["check", "-r", "."];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let ran = run(&folder, &arguments, b"");
    for part in [
        "\"a-2\"] names no loaded rule; did you mean `a-1`?",
        "cannot run",
        "\"zz\"] names no loaded",
    ] {
        assert!(ran.stderr.contains(part), "{part:?} is missing in {}", ran.stderr);
    }
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
}

#[test]
fn what_a_folder_load_skips_is_listed_with_its_reason() {
    let folder = folder("skips");
    write(&folder, "on.toml", rule("a", "event.action:some.thing", ""));
    write(&folder, "off.toml", rule("b", "x:1", "enabled = false"));
    write(
        &folder,
        "old.toml",
        format!("[metadata]\nmaturity = \"deprecated\"\n{}", rule("c", "x:1", "")),
    );
    write(&folder, "lucene.toml", rule("d", "x:1", "").replace("kuery", "lucene"));
    for kind in ["eql", "esql", "machine_learning", "new_terms", "threat_match", "threshold"] {
        let text = rule(kind, "x:1", "").replace("type = \"query\"", &format!("type = {kind:?}"));
        write(&folder, &format!("{kind}.toml"), text);
    }
    write(&folder, "notes.toml", "x = 1\n");
    write(&folder, ".hidden.toml", "this is no TOML");
    write(&folder, "on.cases.toml", "");
    let ran = run(&folder, &["check", "-r", "."], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.text());
    assert!(ran.stdout.contains("rules: 1 loaded, 10 skipped"), "{}", ran.stdout);
    for part in [
        "off.toml: it says enabled = false (rule b)",
        "old.toml: its maturity is deprecated (rule c)",
        "lucene.toml: its query is in Lucene's language",
        "eql.toml: a rule of type eql needs",
        "threshold.toml: a rule of type threshold needs",
        "notes.toml: the file has no table [rule]\n",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is missing in {}", ran.stdout);
    }
    let ran = run(&folder, &["check", "-r", "eql.toml"], b"");
    assert_eq!(ran.code, Some(2), "named itself, it is an error: {}", ran.text());
}

#[test]
fn a_rule_on_a_field_that_nothing_here_fills_is_warned_of() {
    let folder = folder("absent_fields");
    let warned = |query: &str, part: &str| {
        write(&folder, "r.toml", rule("a", query, ""));
        let ran = run(&folder, &["check", "-r", "r.toml", "--strict"], b"");
        assert_eq!(ran.stdout.contains("warning:"), !part.is_empty(), "{query}: {}", ran.stdout);
        assert!(ran.stdout.contains(part), "{query}: {part:?} is missing in {}", ran.stdout);
        assert_eq!(ran.code, Some(i32::from(!part.is_empty())), "{query}");
    };
    let country = "source.geo.country_iso_code";
    warned(&format!("event.action:login and {country}:US"), "can never hold");
    warned(&format!("event.action:login and not {country}:US"), country);
    warned(&format!("event.action:login or {country}:US"), country);
    warned("event.action:login and client.geo.country_name:Germany", "");
    // By KQL's grammar the second `and` belongs to a field's name.
    warned("event.action:login and and user.name:ada", "is called \"and user.name\"");
    warned("event.action:\"log in\" and user.name:\"ada l\"", "");
}

#[test]
fn a_list_that_a_rule_names_and_nobody_loads_is_warned_of() {
    let folder = folder("missing_lists");
    let lines = "[[rule.exceptions_list]]\nid = \"1\"\nlist_id = \"desk\"\ntype = \"detection\"\nnamespace_type = \"single\"";
    write(&folder, "r.toml", rule("a", "event.action:some.thing", lines));
    let ran = run(&folder, &["check", "-r", "r.toml"], b"");
    assert!(
        ran.stdout.contains("names the exception list \"desk\", which is not loaded"),
        "{}",
        ran.text()
    );
    // A list without items hides nothing, and is there all the same.
    let list =
        json!({"list_id": "desk", "type": "detection", "name": "n", "namespace_type": "single"});
    write(&folder, "desk.ndjson", format!("{list}\n"));
    let ran =
        run(&folder, &["check", "-r", "r.toml", "--set", "exceptions=[\"desk.ndjson\"]"], b"");
    assert!(!ran.stdout.contains("warning:"), "{}", ran.text());
}

/// One file with rules and their lists, as Kibana exports it.
fn export(list_type: &str) -> String {
    let exported = |id: &str, lists: &serde_json::Value| {
        json!({
            "id": "x", "rule_id": id, "name": id, "description": "d", "type": "query", "language": "kuery",
            "query": "event.action:some.thing", "severity": "low", "risk_score": 21, "enabled": true,
            "exceptions_list": lists, "from": "now-360s", "to": "now", "interval": "5m", "max_signals": 100,
            "version": 1, "immutable": false, "revision": 0, "actions": [], "created_by": "u", "meta": {}
        })
    };
    let lists =
        json!([{"id": "1", "list_id": "desk", "type": list_type, "namespace_type": "single"}]);
    let lines = [
        exported("r-1", &lists),
        exported("r-2", &json!([])),
        json!({"list_id": "desk", "type": list_type, "name": "n", "namespace_type": "single"}),
        json!({"list_id": "desk", "item_id": "bob", "type": "simple", "name": "n", "namespace_type": "single",
            "entries": [{"field": "user.name", "operator": "included", "type": "match", "value": "bob"}]}),
        json!({"exported_count": 4, "exported_rules_count": 2, "exported_exception_list_count": 1}),
    ];
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_lists_of_an_export_hide_hits_of_the_rules_that_name_them_and_no_others() {
    let events = b"{\"event.action\":\"some.thing\",\"user.name\":\"bob\"}\n{\"event.action\":\"some.thing\"}\n";
    let folder = folder("export_with_lists");
    let exceptions = ["--set", "exceptions=[\"export.ndjson\"]"];
    for list_type in ["detection", "rule_default"] {
        write(&folder, "export.ndjson", export(list_type));
        let pipe = |rules: &str| {
            let arguments = [&["pipe", "-q", "-r", rules], &exceptions[..]].concat();
            run(&folder, &arguments, events).stdout.lines().count()
        };
        assert_eq!(pipe("export.ndjson"), 3, "{list_type}: r-1 once, r-2 twice");
        // The rule that names the list is in the same file, although it is not loaded.
        write(&folder, "other.toml", rule("r-3", "event.action:some.thing", ""));
        assert_eq!(pipe("other.toml"), 2, "{list_type}: the list is not about r-3");
    }
    // The list of a rule that is nowhere to be seen.
    let alone: String =
        export("rule_default").lines().skip(2).map(|line| format!("{line}\n")).collect();
    write(&folder, "export.ndjson", alone);
    let arguments = [&["pipe", "-q", "-r", "other.toml"], &exceptions[..]].concat();
    assert_eq!(run(&folder, &arguments, events).stdout.lines().count(), 2);
    let arguments = [&["check", "-r", "other.toml"], &exceptions[..]].concat();
    let ran = run(&folder, &arguments, b"");
    assert!(ran.stdout.contains("applies to no rule"), "{}", ran.text());
}

#[test]
fn a_rule_that_needs_every_record_decoded_is_named_with_the_reason() {
    let folder = folder("extraction");
    write(&folder, "r.toml", rule("plain", "event.action:some.thing", ""));
    let queries = [
        ("not event.action:some.thing", "something is absent"),
        ("event.action:*", "only that a field exists"),
        ("source.bytes >= 10", "written in many ways"),
        ("source.ip:10.0.0.0/8", "written in many ways"),
        ("message:failed", "searches words"),
        ("event.outcome:failure", "derived"),
        ("event.action:é", "at least three plain ASCII characters"),
        ("some.thing", "not bound to one field"),
        ("event.action:some.thing or event.action:*", "only that a field exists"),
    ];
    for (query, reason) in queries {
        write(&folder, "s.toml", rule("slow", query, ""));
        let ran = run(&folder, &["check", "-r", "."], b"");
        let named: Vec<&str> =
            ran.stdout.lines().filter(|line| line.contains("every record is decoded")).collect();
        assert!(
            matches!(named.as_slice(), [line] if line.contains("\"rule slow\": ") && line.contains(reason)),
            "{query}: {}",
            ran.text()
        );
    }
}

#[test]
fn the_type_of_a_field_comes_from_the_rules_and_from_the_configuration_before_them() {
    let folder = folder("field_types");
    let declares = |name: &str, kind: &str| {
        format!("[[rule.required_fields]]\nname = {name:?}\ntype = {kind:?}\necs = false")
    };
    let event = b"{\"own.peer\":\"10.1.2.3\",\"event.action\":\"x\"}\n";
    let alerts = |sets: &[&str]| {
        let mut arguments = vec!["pipe", "-q", "-r", "."];
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        run(&folder, &arguments, event).stdout.lines().count()
    };
    write(&folder, "r.toml", rule("a", "own.peer:10.0.0.0/8", ""));
    assert_eq!(alerts(&[]), 0, "a block is text on a field that nothing knows");
    write(&folder, "r.toml", rule("a", "own.peer:10.0.0.0/8", &declares("own.peer", "ip")));
    assert_eq!(alerts(&[]), 1, "the rule says that it is an address");
    let keyword = "field_types.\"own.peer\"=\"keyword\"";
    assert_eq!(alerts(&[keyword]), 0, "the configuration has the last word");
    // The table of types is not overruled by a rule, and is by the configuration.
    write(&folder, "r.toml", rule("a", "source.ip:10.0.0.0/8", &declares("source.ip", "keyword")));
    let event = b"{\"source.ip\":\"10.1.2.3\"}\n";
    let alerts = |arguments: &[&str]| {
        run(&folder, &[&["pipe", "-q", "-r", "."], arguments].concat(), event)
            .stdout
            .lines()
            .count()
    };
    assert_eq!(alerts(&[]), 1);
    assert_eq!(alerts(&["--set", "field_types.\"source.ip\"=\"keyword\""]), 0);
    // Two rules cannot both be right.
    write(&folder, "r.toml", rule("a", "own.peer:x", &declares("own.peer", "ip")));
    write(&folder, "s.toml", rule("b", "own.peer:x", &declares("own.peer", "long")));
    let ran = run(&folder, &["check", "-r", "."], b"");
    assert_eq!(ran.code, Some(2), "{}", ran.text());
    assert!(ran.stderr.contains("required_fields says that own.peer is number"), "{}", ran.stderr);
    assert_eq!(run(&folder, &["check", "-r", ".", "--set", keyword], b"").code, Some(0));
}
