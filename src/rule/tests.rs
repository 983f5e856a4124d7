use std::collections::BTreeMap;

use super::{Found, MissingFields, Override, RuleFault, RuleSet, RuleText, Severity, load};
use crate::kql;

const HEAD: &str = "[rule]\nrule_id = \"r-1\"\nname = \"n\"\ntype = \"query\"\ndescription = \"d\"\nseverity = \"low\"\nrisk_score = 21\n";

fn text(origin: &str, text: &str) -> RuleText {
    RuleText { origin: origin.to_owned(), text: text.to_owned(), found: Found::Named }
}

fn in_folder(origin: &str, body: &str) -> RuleText {
    RuleText { found: Found::InFolder, ..text(origin, body) }
}

fn loaded(texts: &[RuleText]) -> Result<RuleSet, Vec<RuleFault>> {
    load(texts, &BTreeMap::new())
}

/// One rule: the usual head, and these lines.
fn one(lines: &str) -> super::Rule {
    let set = loaded(&[text("r.toml", &format!("{HEAD}{lines}"))]);
    set.unwrap_or_else(|faults| panic!("{lines}: {}", shown(&faults))).rules()[0].clone()
}

fn shown(faults: &[RuleFault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

/// The faults of the usual head and these lines, as text.
fn faults(lines: &str) -> String {
    let body = format!("{HEAD}{lines}");
    shown(&loaded(&[text("r.toml", &body)]).expect_err("there is a fault"))
}

fn overridden(texts: &[RuleText], id: &str, wanted: Override) -> Result<RuleSet, String> {
    load(texts, &BTreeMap::from([(id.to_owned(), wanted)])).map_err(|faults| shown(&faults))
}

#[test]
fn a_short_rule_gets_kibanas_defaults() {
    let rule = one("query = \"a:1\"\n");
    assert_eq!((rule.version, rule.max_signals), (1, Some(100)));
    assert_eq!((&*rule.interval, rule.interval_ms), ("5m", 300_000));
    assert_eq!((&*rule.from, rule.look_back_ms), ("now-6m", 360_000));
    assert_eq!((rule.severity, rule.risk_score), (Severity::Low, 21));
    assert_eq!(rule.threat, serde_json::json!([]));
    assert!(rule.covers("anything") && rule.extra.is_empty());
    assert_eq!(rule.sha256.len(), 64);
}

#[test]
fn options_are_typed_and_kept_as_written() {
    let rule = one(
        "query = \"a:1\"\nrule_name_override = \"okta.display_message\"\nbuilding_block_type = \"default\"\n\
         [[rule.severity_mapping]]\nfield = \"event.severity\"\noperator = \"equals\"\nvalue = \"99\"\nseverity = \"critical\"\n\
         [[rule.risk_score_mapping]]\nfield = \"event.risk_score\"\noperator = \"equals\"\nvalue = \"\"\n\
         [rule.alert_suppression]\ngroup_by = [\"user.name\"]\nduration = {value = 2, unit = \"h\"}\nmissing_fields_strategy = \"doNotSuppress\"\n\
         [rule.investigation_fields]\nfield_names = [\"user.name\"]\n\
         [[rule.required_fields]]\nname = \"source.ip\"\ntype = \"ip\"\necs = true\n",
    );
    assert_eq!(rule.rule_name_override.as_deref(), Some("okta.display_message"));
    assert_eq!(rule.severity_mapping[0].severity, Severity::Critical);
    assert_eq!(rule.risk_score_field.as_deref(), Some("event.risk_score"));
    let suppression = rule.suppression.expect("it was written");
    assert_eq!(suppression.duration_ms, Some(7_200_000));
    assert_eq!(suppression.missing_fields, MissingFields::DoNotSuppress);
    assert_eq!(rule.investigation_fields, ["user.name"]);
    assert_eq!(rule.declared_fields[0].field_type, "ip");
    let kept: Vec<&str> = rule.extra.keys().map(String::as_str).collect();
    for key in ["alert_suppression", "investigation_fields", "required_fields", "severity_mapping"]
    {
        assert!(kept.contains(&key), "{key} is not among {kept:?}");
    }
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_key() {
    let check = |lines: &str, expected: &str| {
        let found = faults(lines);
        assert!(found.contains(expected), "{lines:?}: {found}");
    };
    check(
        "query = \"a:1\"\nsevrity_mapping = []\n",
        "r.toml:9: unknown key `sevrity_mapping` in [rule]; did you mean `severity_mapping`?",
    );
    check("query = \"a:1\"\nzzz = 1\n", "r.toml:9: unknown key `zzz` in [rule]\n");
    check(
        "query = \"a:1\"\n[metadata]\nmaturty = \"x\"\n",
        "in [metadata]; did you mean `maturity`?",
    );
    check("query = \"a:1\"\n[rules]\n", "unknown key `rules` in the file; did you mean `rule`?");
    check(
        "query = \"a:1\"\n[[rule.threat]]\nframework = \"f\"\ntactics = 1\n",
        "r.toml:11: unknown key `tactics` in rule.threat; did you mean `tactic`?",
    );
}

#[test]
fn wrong_values_say_what_is_allowed() {
    let check = |lines: &str, expected: &str| {
        let found = faults(lines);
        assert!(found.contains(expected), "{lines:?}: {found}");
    };
    check("", "`query` is missing in the rule");
    check("query = 5\n", "r.toml:8: `query` is an integer, expected a text");
    check(
        "query = \"a:1\"\ninterval = \"5\"\n",
        "`interval` is `5`; expected a number and one of s, m, h, d, w",
    );
    check("query = \"a:1\"\nfrom = \"6m\"\n", "`from` is `6m`; expected `now-`");
    check("query = \"a:1\"\nmax_signals = 0\n", "`max_signals` is `0`; expected an integer from 1");
    check("query = \"a:1\"\nlanguage = \"kql\"\n", "`language` is `kql`; expected kuery");
    check("query = \"a:1\"\ntags = [1]\n", "`tags` is an integer, expected a list of texts");
    check(
        "query = \"a:1\"\nalert_suppression = {}\n",
        "`group_by` is missing in alert_suppression",
    );
    check(
        "query = \"a:1\"\n[metadata]\nmaturity = \"prod\"\n",
        "`maturity` is `prod`; expected one of",
    );
    let bare =
        loaded(&[text("r.toml", "[rule]\ntype = \"qery\"\nrisk_score = 101\nseverity = \"hi\"\n")]);
    let all = shown(&bare.expect_err("everything is wrong"));
    for expected in [
        "`rule_id` is missing in [rule]",
        "`name` is missing in [rule]",
        "`type` is `qery`; expected query; did you mean query?",
        "`risk_score` is `101`; expected an integer from 0 to 100",
        "`severity` is `hi`; expected low, medium, high or critical",
    ] {
        assert!(all.contains(expected), "{expected} is not in {all}");
    }
}

#[test]
fn a_wrong_query_is_shown_with_the_lines_of_its_file() {
    let found = faults("query = '''\na:1 and\nb:(2\n'''\n");
    assert!(found.starts_with("r.toml:10: "), "{found}");
    assert!(found.contains("10 | b:(2\n"), "{found}");
    let found = faults("query = \"a:not x\"\n");
    assert!(found.starts_with("r.toml:8: ") && found.contains("8 | a:not x"), "{found}");
    let two = faults("query = \"a:not x and b:\"\n");
    assert_eq!(two.matches("r.toml:8: ").count(), 2, "{two}");
}

#[test]
fn broken_toml_shows_every_fault() {
    let broken = loaded(&[text("r.toml", "[rule]\nname = \n\nquery = 'a\n")]);
    let found = shown(&broken.expect_err("it is broken"));
    assert!(found.contains("r.toml:2: not TOML: ") && found.contains("r.toml:4: "), "{found}");
}

#[test]
fn what_cannot_run_is_refused_by_name_and_skipped_in_a_folder() {
    for kind in ["eql", "esql", "machine_learning", "threshold", "threat_match", "new_terms"] {
        let body = format!("[rule]\nrule_id = \"r\"\nname = \"n\"\ntype = \"{kind}\"\n");
        let found = shown(&loaded(&[text("r.toml", &body)]).expect_err("it cannot run"));
        assert!(found.contains(&format!("a rule of type {kind} needs")), "{found}");
        let set = loaded(&[in_folder("r.toml", &body)]).expect("a folder skips it");
        assert_eq!((set.rules().len(), set.skipped().len()), (0, 1));
        assert!(set.skipped()[0].reason.contains(kind) && set.skipped()[0].name == "n");
    }
    let lucene = format!("{HEAD}query = \"a:1\"\nlanguage = \"lucene\"\n");
    assert!(loaded(&[text("r.toml", &lucene)]).is_err());
    assert!(
        loaded(&[in_folder("r.toml", &lucene)]).expect("skipped").skipped()[0]
            .reason
            .contains("Lucene")
    );
    let other = in_folder("x.toml", "[hunt]\nname = \"n\"\n");
    assert_eq!(
        loaded(&[other]).expect("skipped").skipped()[0].reason,
        "the file has no table [rule]"
    );
    assert!(loaded(&[text("x.toml", "[hunt]\n")]).is_err());
    assert!(loaded(&[in_folder("x.toml", "[metadata]\n")]).is_err());
}

#[test]
fn what_is_off_is_skipped_until_an_override_switches_it_on() {
    let off = format!("{HEAD}query = \"a:1\"\nenabled = false\n");
    let old = format!("{HEAD}query = \"a:1\"\n[metadata]\nmaturity = \"deprecated\"\n");
    for body in [off, old] {
        let texts = [in_folder("r.toml", &body)];
        let set = loaded(&texts).expect("skipped");
        assert_eq!((set.rules().len(), set.skipped().len()), (0, 1));
        let on = Override { enabled: Some(true), ..Override::default() };
        let set = overridden(&texts, "r-1", on).expect("switched on");
        assert_eq!((set.rules().len(), set.skipped().len()), (1, 0));
    }
    let texts = [text("r.toml", &format!("{HEAD}query = \"a:1\"\n"))];
    let off = Override { enabled: Some(false), ..Override::default() };
    assert_eq!(overridden(&texts, "r-1", off).expect("off").rules().len(), 0);
}

#[test]
fn overrides_tune_a_rule_and_change_its_hash() {
    let texts = [text("r.toml", &format!("{HEAD}query = \"a:1\"\n"))];
    let plain = loaded(&texts).expect("fine");
    let wanted = Override {
        enabled: None,
        severity: Some(Severity::High),
        risk_score: Some(73),
        max_signals: Some(0),
        interval: Some("1h".to_owned()),
    };
    let tuned = overridden(&texts, "r-1", wanted.clone()).expect("fine");
    let rule = &tuned.rules()[0];
    assert_eq!((rule.severity, rule.risk_score, rule.max_signals), (Severity::High, 73, None));
    assert_eq!((&*rule.interval, rule.interval_ms), ("1h", 3_600_000));
    assert_ne!(rule.sha256, plain.rules()[0].sha256);
    assert_ne!(tuned.sha256(), plain.sha256());
    assert_eq!(overridden(&texts, "r-1", wanted).expect("fine").sha256(), tuned.sha256());
    let empty = overridden(&texts, "r-1", Override::default()).expect("fine");
    assert_eq!(empty.sha256(), plain.sha256());
    let unknown = overridden(&texts, "r-2", Override::default()).expect_err("no such rule");
    assert_eq!(
        unknown,
        "the configuration: [rule.\"r-2\"] names no loaded rule; did you mean `r-1`?\n"
    );
    let wrong = Override { interval: Some("x".to_owned()), ..Override::default() };
    assert!(overridden(&texts, "r-1", wrong).expect_err("wrong").contains("`interval` is `x`"));
    let eql = [in_folder("e.toml", "[rule]\nrule_id = \"e\"\nname = \"n\"\ntype = \"eql\"\n")];
    let on = Override { enabled: Some(true), ..Override::default() };
    assert!(
        overridden(&eql, "e", on)
            .expect_err("cannot")
            .contains("switches on a rule that cannot run")
    );
}

#[test]
fn one_id_twice_is_a_fault_and_order_does_not_matter() {
    let rule = |id: &str, version: u32| {
        format!("{}query = \"a:1\"\nversion = {version}\n", HEAD.replace("r-1", id))
    };
    let twice = loaded(&[text("a.toml", &rule("x", 3)), text("b.toml", &rule("x", 4))]);
    let found = shown(&twice.expect_err("two versions"));
    assert!(
        found.contains("b.toml:2: rule_id x (version 4) is also in a.toml (version 3)"),
        "{found}"
    );
    let (one, two) = (text("a.toml", &rule("x", 1)), text("b.toml", &rule("y", 1)));
    let set = loaded(&[two.clone(), one.clone()]).expect("fine");
    assert_eq!(set.rules()[0].id, "x");
    assert_eq!(set.sha256(), loaded(&[one, two]).expect("fine").sha256());
    assert_eq!(set.find("y").map(|(index, _)| index.0), Some(1));
    assert!(set.find("z").is_none());
}

#[test]
fn an_index_scopes_a_rule_by_globs() {
    let rule =
        one("query = \"a:1\"\nindex = [\"filebeat-*\", \"logs-okta*\", \"-logs-okta.test*\"]\n");
    let check = |index: &str, covered: bool| assert_eq!(rule.covers(index), covered, "{index}");
    check("logs-okta.system-prod", true);
    check("filebeat-8.17", true);
    check("logs-aws", false);
    check("logs-okta.test-1", false);
    check("", false);
}

#[test]
fn kibanas_export_is_read_line_by_line() {
    let line = |id: &str, more: &str| {
        format!(
            "{{\"rule_id\":\"{id}\",\"name\":\"n\",\"type\":\"query\",\"language\":\"kuery\",\"description\":\"d\",\
             \"severity\":\"high\",\"risk_score\":73,\"query\":\"a:1\",\"id\":\"so\",\"immutable\":false,\
             \"created_at\":\"2026-01-01T00:00:00Z\",\"to\":\"now\",\"rule_source\":{{\"type\":\"internal\"}}{more}}}\n"
        )
    };
    let export = [
        line("x", ""),
        line("y", ",\"enabled\":false"),
        "{\"list_id\":\"l\",\"name\":\"trusted\"}\n".to_owned(),
        "{\"exported_count\":2}\n".to_owned(),
    ]
    .concat();
    let set = loaded(&[text("rules.ndjson", &export)]).expect("an export");
    assert_eq!((set.rules().len(), set.skipped().len()), (1, 2));
    assert_eq!(set.rules()[0].severity, Severity::High);
    assert!(set.rules()[0].extra.contains_key("rule_source"));
    let broken = [line("x", ""), line("y", ",\"sevrity\":1"), "{\n".to_owned()].concat();
    let found = shown(&loaded(&[text("rules.ndjson", &broken)]).expect_err("broken"));
    assert!(found.contains("rules.ndjson:2: unknown key `sevrity` in the rule"), "{found}");
    assert!(found.contains("rules.ndjson:3: not a line of JSON"), "{found}");
    let twice = [line("x", ""), line("x", "")].concat();
    assert!(
        shown(&loaded(&[text("r.ndjson", &twice)]).expect_err("twice"))
            .contains("r.ndjson:2: rule_id x")
    );
}

/// The tree of a rule with these filters and the query `q:1`, as text.
fn filtered(filters: &str) -> String {
    kql::print(&one(&format!("query = \"q:1\"\n{filters}")).query.root)
}

#[test]
fn filters_join_the_query() {
    let check = |query: &str, expected: &str| {
        let lines = format!("[[rule.filters]]\n[rule.filters.query]\n{query}\n");
        assert_eq!(filtered(&lines), format!("q:1{expected}"), "{query}");
    };
    check("exists = {field = \"a\"}", " and a:*");
    check("term = {a = \"x\"}", " and a:\"x\"");
    check("term = {a = {value = 5}}", " and a:5");
    check("term = {a = {value = \"x*\", case_insensitive = true}}", " and a like~ \"x\\\\*\"");
    check("terms = {a = [\"x\", \"y\"]}", " and (a:\"x\" or a:\"y\")");
    check("terms = {a = []}", " and not *:*");
    check("match_phrase = {\"a.b\" = \"x y\"}", " and a.b:\"x y\"");
    check("match_phrase = {a = {query = true}}", " and a:true");
    check("range = {a = {gte = 1, lt = 5.5}}", " and a >= 1 and a < 5.5");
    check(
        "range = {a = {gt = \"now-1d\", format = \"strict_date_optional_time\"}}",
        " and a > \"now-1d\"",
    );
    check("wildcard = {a = \"x*y\"}", " and a:x*y");
    check("wildcard = {a = {value = \"*\"}}", " and a:*");
    check("wildcard = {a = {value = \"x\\\\*\"}}", " and a:\"x*\"");
    check("wildcard = {a = {value = \"?:x\"}}", " and a like \"?:x\"");
    check("wildcard = {a = {value = \"X*\", case_insensitive = true}}", " and a like~ \"X*\"");
    check("match_all = {}", " and *:*");
    check(
        "bool = {should = [{term = {a = 1}}, {term = {b = 2}}], minimum_should_match = 1, must = [], filter = []}",
        " and (a:1 or b:2)",
    );
    check(
        "bool = {filter = {term = {a = 1}}, must_not = [{exists = {field = \"b\"}}], should = []}",
        " and a:1 and not b:*",
    );
}

#[test]
fn a_filter_may_be_negated_or_switched_off() {
    let older = "[[rule.filters]]\nexists = {field = \"a\"}\nmeta = {negate = true, disabled = false}\n\"$state\" = {store = \"appState\"}\n";
    assert_eq!(filtered(older), "q:1 and not a:*");
    let off = "[[rule.filters]]\nmeta = {disabled = true}\nquery = {nonsense = {}}\n";
    assert_eq!(filtered(off), "q:1");
    let only = "query = \"\"\nfilters = [{meta = {}, query = {term = {a = 1}}}]\n";
    assert_eq!(kql::print(&one(only).query.root), "a:1");
}

#[test]
fn filters_that_were_combined_are_joined() {
    let combined = |relation: &str| {
        filtered(&format!(
            "[[rule.filters]]\nquery = {{}}\n[rule.filters.meta]\ntype = \"combined\"\nrelation = \"{relation}\"\n\
             params = [{{meta = {{negate = true}}, query = {{term = {{a = 1}}}}}}, {{meta = {{}}, query = {{exists = {{field = \"b\"}}}}}}]\n"
        ))
    };
    assert_eq!(combined("OR"), "q:1 and (not a:1 or b:*)");
    assert_eq!(combined("AND"), "q:1 and not a:1 and b:*");
}

#[test]
fn a_deep_filter_is_refused() {
    let deep = (0..70).fold("{\"match_all\":{}}".to_owned(), |inner, _| {
        format!("{{\"bool\":{{\"must\":{inner}}}}}")
    });
    let export = format!(
        "{{\"rule_id\":\"x\",\"name\":\"n\",\"type\":\"query\",\"description\":\"d\",\"severity\":\"low\",\
         \"risk_score\":1,\"query\":\"\",\"filters\":[{{\"query\":{deep}}}]}}"
    );
    let found = shown(&loaded(&[text("r.ndjson", &export)]).expect_err("too deep"));
    assert!(found.contains("nested too deep") || found.contains("recursion limit"), "{found}");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let body =
        format!("\u{feff}{HEAD}query = \"\"\"\na:1 and\nb:(2\n\"\"\"\n").replace('\n', "\r\n");
    let found = shown(&loaded(&[text("r.toml", &body)]).expect_err("the query is wrong"));
    assert!(found.starts_with("r.toml:10: "), "{found}");
    let whole = format!("\u{feff}{HEAD}query = \"a:1\"\n").replace('\n', "\r\n");
    assert_eq!(loaded(&[text("r.toml", &whole)]).expect("fine").rules().len(), 1);
}

#[test]
fn what_kibanas_forms_leave_empty_is_absent() {
    let rule = one(
        "query = \"a:1\"\nrule_name_override = \"\"\ntimestamp_override = \"\"\nfilters = []\nseverity_mapping = [{field = \"\", operator = \"equals\", value = \"\", severity = \"low\"}]\n",
    );
    assert_eq!((rule.rule_name_override, rule.timestamp_override), (None, None));
    assert!(rule.severity_mapping.is_empty());
}

proptest::proptest! {
    #[test]
    fn any_text_loads_or_says_where_not(start in 0_usize..3000, length in 0_usize..40, junk in "[\\[\\]{}=\"'a-z.\\n#0-9]{0,12}") {
        let file = include_str!("../../config/rules/okta/threatinsight_detection.toml");
        let cut = |at: usize| file.char_indices().map(|(index, _)| index).nth(at).unwrap_or(file.len());
        let (from, to) = (cut(start), cut(start + length));
        let edited = format!("{}{junk}{}", &file[..from], &file[to..]);
        if let Err(faults) = loaded(&[text("r.toml", &edited)]) {
            proptest::prop_assert!(!faults.is_empty());
            let lines = edited.lines().count() + 1;
            proptest::prop_assert!(faults.iter().all(|fault| fault.line.is_none_or(|line| line <= lines)));
        }
        let broken_case = super::case::parse("r.cases.toml", &edited);
        proptest::prop_assert!(broken_case.is_err());
    }
}

#[test]
fn a_filter_without_a_sound_form_refuses_the_rule() {
    let check = |query: &str, expected: &str| {
        let found =
            faults(&format!("query = \"q:1\"\n[[rule.filters]]\n[rule.filters.query]\n{query}\n"));
        assert!(found.contains(expected), "{query}: {found}");
        assert!(found.starts_with("r.toml:1"), "{query}: {found}");
    };
    check(
        "query_string = {query = \"a\"}",
        "filter `query_string` is not supported; allowed are exists",
    );
    check("term = {a = 1, b = 2}", "`term` is not supported; it needs exactly one field");
    check("range = {a = {gte = 1, time_zone = \"x\"}}", "`range` with `time_zone`");
    check("wildcard = {a = {value = \"x\", rewrite = \"y\"}}", "`wildcard` with `rewrite`");
    check("bool = {should = [], minimum_should_match = 2}", "it may be 0 or 1");
    check("exists = {field = \"a\"}\nterm = {a = 1}", "with no query or with several");
}

#[test]
fn the_shipped_rule_states_the_facts() {
    let file = include_str!("../../config/rules/okta/attempt_to_reset_mfa_factors.toml");
    let set = loaded(&[text("shipped.toml", file)]).expect("it loads");
    let rule = &set.rules()[0];
    assert_eq!(rule.id, "729aa18d-06a6-41c7-b175-b65b739b1181");
    assert_eq!((rule.version, rule.severity, rule.risk_score), (411, Severity::Low, 21));
    assert_eq!(rule.index, ["filebeat-*", "logs-okta*"]);
    assert_eq!(
        (rule.interval_ms, rule.look_back_ms, rule.max_signals),
        (300_000, 360_000, Some(100))
    );
    assert_eq!(rule.timestamp_override.as_deref(), Some("event.ingested"));
    assert_eq!((rule.tags.len(), rule.references.len()), (4, 6));
    assert_eq!(rule.threat[0]["technique"][0]["id"], "T1098");
    assert_eq!(rule.threat[0]["tactic"]["id"], "TA0003");
}
