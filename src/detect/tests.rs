//! What each construct of the language means, one line a case.

use serde_json::Value as Json;

use super::support_tests::{agreed, holds, query, types};

/// `text` must hold on the documents of `yes` and on none of `no`.
fn check(text: &str, yes: &[&str], no: &[&str]) {
    let (query, types) = (query(text), types());
    let cases = yes.iter().map(|one| (one, true)).chain(no.iter().map(|one| (one, false)));
    for (document, wanted) in cases {
        let json: Json = serde_json::from_str(document).expect("the document is JSON");
        assert_eq!(agreed(&query, document, &json, &types), wanted, "{text} on {document}");
    }
}

#[test]
fn texts_are_exact_and_case_sensitive() {
    check("a:x", &[r#"{"a":"x"}"#], &[r#"{"a":"X"}"#, r#"{"a":"x "}"#, r#"{"a":"xy"}"#, "{}"]);
    check("a:\"x y\"", &[r#"{"a":"x y"}"#], &[r#"{"a":"x  y"}"#, r#"{"a":"x"}"#]);
    check("a:x y", &[r#"{"a":"x y"}"#], &[r#"{"a":"x"}"#, r#"{"a":"y"}"#]);
    check("a:\"\"", &[r#"{"a":""}"#], &[r#"{"a":" "}"#, r#"{"a":null}"#]);
    check("a:\"é\"", &["{\"a\":\"\\u00e9\"}"], &["{\"a\":\"e\u{301}\"}"]);
    check("a:x?y", &[r#"{"a":"x?y"}"#], &[r#"{"a":"xay"}"#]);
}

#[test]
fn a_star_is_any_run_of_characters_outside_of_quotes() {
    check("a:x*", &[r#"{"a":"x"}"#, "{\"a\":\"x\\n\"}"], &[r#"{"a":"X"}"#, r#"{"a":"ax"}"#]);
    check("a:*x*y", &[r#"{"a":"xy"}"#, r#"{"a":"axbyy"}"#], &[r#"{"a":"yx"}"#]);
    check("a:x*x", &[r#"{"a":"xx"}"#], &[r#"{"a":"x"}"#]);
    check(
        "event.action:\"user.mfa.*\"",
        &[r#"{"event.action":"user.mfa.*"}"#],
        &[r#"{"event.action":"user.mfa.x"}"#],
    );
    check("a:46*", &[r#"{"a":"4625"}"#, r#"{"a":4625}"#], &[r#"{"a":5462}"#]);
}

#[test]
fn any_element_of_an_array_counts() {
    check("a:x", &[r#"{"a":["y","x"]}"#, r#"{"a":[["x"]]}"#], &[r#"{"a":[]}"#, r#"{"a":["y"]}"#]);
    check("a:(x and y)", &[r#"{"a":["y","x"]}"#], &[r#"{"a":"x"}"#]);
    check("a > 5 and a < 3", &[r#"{"a":[2,6]}"#], &[r#"{"a":4}"#]);
    check("a:(* and not x)", &[r#"{"a":"y"}"#], &[r#"{"a":["x","y"]}"#, "{}"]);
    check("a:(x or y and z)", &[r#"{"a":"x"}"#, r#"{"a":["y","z"]}"#], &[r#"{"a":"y"}"#]);
}

#[test]
fn siblings_in_arrays_of_objects_are_paired_only_inside_a_nested_query() {
    let crossed = r#"{"list":[{"t":"User","id":"1"},{"t":"App","id":"2"}]}"#;
    check("list.t:User and list.id:\"2\"", &[crossed], &[]);
    check("list:{ t:User and id:\"2\" }", &[r#"{"list":{"t":"User","id":"2"}}"#], &[crossed]);
    check("list:{ t:User and id:\"1\" }", &[crossed], &[r#"{"list":[]}"#, r#"{"list":["User"]}"#]);
    check("list:{ not t:User }", &[crossed], &[r#"{"list":[{"t":"User"}]}"#, "{}"]);
    check(
        "list:{ in:{ x:1 and y:2 } }",
        &[r#"{"list":[{"in":[{"x":1,"y":2}]}]}"#],
        &[r#"{"list":[{"in":[{"x":1},{"y":2}]}]}"#],
    );
    check("li*:{ t:User and id:2 }", &[r#"{"list":[{"t":"User","id":2}]}"#], &[crossed]);
    let mixed = r#"{"okta.target":[{"type":"User","id":"1"},{"type":"App","id":"2"}]}"#;
    check("okta.target.type:User and okta.target.id:\"2\"", &[mixed], &[]);
}

#[test]
fn dotted_and_nested_keys_name_the_same_field() {
    let spelled = [
        r#"{"a.b.c":"x"}"#,
        r#"{"a":{"b.c":"x"}}"#,
        r#"{"a.b":{"c":"x"}}"#,
        r#"{"a":{"b":{"c":"x"}}}"#,
        r#"{"a":{"b":{"d":1}},"a.b.c":"x"}"#,
    ];
    check("a.b.c:x", &spelled, &[r#"{"a":{"b":"x"}}"#, r#"{"c":"x"}"#]);
    check("a.b:*", &spelled, &[r#"{"a":{"b":{}}}"#, r#"{"a":{"b":[null,{"c":null}]}}"#]);
}

#[test]
fn nothing_is_no_value_but_empty_false_and_zero_are() {
    let nothing = ["{}", r#"{"a":null}"#, r#"{"a":[]}"#, r#"{"a":[null]}"#, r#"{"a":{}}"#];
    let something = [r#"{"a":""}"#, r#"{"a":false}"#, r#"{"a":0}"#, r#"{"a":[null,0]}"#];
    check("a:*", &something, &nothing);
    check("not a:*", &nothing, &something);
    check("a:null", &nothing, &something);
    check("not a:x", &nothing, &[r#"{"a":"x"}"#]);
    check("not event.action:foo", &[r#"{"event":{"action":null}}"#], &[]);
    check("a:\"null\"", &[r#"{"a":"null"}"#], &nothing);
    check("*:*", &nothing, &[]);
}

#[test]
fn numbers_compare_as_numbers_and_with_texts_as_texts() {
    check("a:5", &[r#"{"a":5}"#, r#"{"a":5.0}"#, r#"{"a":"5"}"#], &[r#"{"a":"05"}"#, r#"{"a":6}"#]);
    check("a:05", &[r#"{"a":"05"}"#, r#"{"a":5}"#], &[r#"{"a":"5"}"#]);
    check("a:\"5\"", &[r#"{"a":5}"#], &[]);
    check(
        "a >= 5",
        &[r#"{"a":5}"#, r#"{"a":10}"#, r#"{"a":"5"}"#],
        &[r#"{"a":4.9}"#, r#"{"a":"10"}"#],
    );
    check("a < b", &[r#"{"a":"a"}"#, r#"{"a":"B"}"#], &[r#"{"a":"c"}"#, r#"{"a":null}"#]);
    check("n:5", &[r#"{"n":5}"#, r#"{"n":"5"}"#, r#"{"n":"5.0"}"#], &[r#"{"n":"x"}"#]);
    check("n > 9", &[r#"{"n":"10"}"#, r#"{"n":9.5}"#], &[r#"{"n":"9"}"#, r#"{"n":"x"}"#]);
    check("n > x", &[], &[r#"{"n":5}"#]);
    check("a:9007199254740993", &[r#"{"a":9007199254740993}"#], &[]);
}

#[test]
fn booleans_are_also_their_texts() {
    check("a:true", &[r#"{"a":true}"#, r#"{"a":"true"}"#], &[r#"{"a":"TRUE"}"#, r#"{"a":1}"#]);
    check("a:\"false\"", &[r#"{"a":false}"#], &[r#"{"a":0}"#]);
    check("a:TRUE", &[r#"{"a":"TRUE"}"#], &[r#"{"a":true}"#]);
    check("flag:false", &[r#"{"flag":false}"#, r#"{"flag":"false"}"#], &["{}"]);
}

#[test]
fn addresses_compare_by_value_on_ip_fields_only() {
    check(
        "source.ip:10.0.0.0/8",
        &[r#"{"source.ip":"10.1.2.3"}"#],
        &[r#"{"source.ip":"11.0.0.1"}"#],
    );
    check("source.ip:\"10.0.0.0/8\"", &[r#"{"source.ip":["x","::ffff:10.0.0.1"]}"#], &["{}"]);
    check(
        "source.ip:\"fe80::1\"",
        &[r#"{"source.ip":"FE80:0:0::1"}"#],
        &[r#"{"source.ip":"fe80::2"}"#],
    );
    check("source.ip:10.0.0.1", &[r#"{"source.ip":"::ffff:10.0.0.1"}"#], &[]);
    check(
        "source.ip >= 10.0.0.0 and source.ip < 10.0.1.0",
        &[r#"{"source.ip":"10.0.0.9"}"#],
        &[r#"{"source.ip":"10.0.1.0"}"#, r#"{"source.ip":"9.9.9.9"}"#],
    );
    check("a:10.0.0.0/8", &[r#"{"a":"10.0.0.0/8"}"#], &[r#"{"a":"10.0.0.1"}"#]);
    check("okta.client.ip:192.168.0.0/16", &[r#"{"okta":{"client":{"ip":"192.168.3.4"}}}"#], &[]);
}

#[test]
fn dates_span_their_unit_and_count_from_the_time_of_judging() {
    let at = |text: &str| format!(r#"{{"@timestamp":"{text}"}}"#);
    let yes = |query: &str, text: &str| check(query, &[&at(text)], &[]);
    let no = |query: &str, text: &str| check(query, &[], &[&at(text)]);
    yes("@timestamp:2024-02", "2024-02-29T23:59:59.999Z");
    no("@timestamp:2024-02", "2024-03-01T00:00:00Z");
    yes("@timestamp:\"2024-02-29T12:00:00Z\"", "2024-02-29T13:00:00.5+01:00");
    yes("@timestamp > 2024-01", "2024-02-01T00:00:00Z");
    no("@timestamp > 2024-02", "2024-02-29T23:00:00Z");
    yes("@timestamp >= 2024-02", "2024-02-01T00:00:00Z");
    yes("@timestamp <= 2024-02", "2024-02-29T23:00:00Z");
    no("@timestamp < 2024-02", "2024-02-01T00:00:00Z");
    yes("@timestamp >= now-1d", "2024-02-28T12:00:00Z");
    no("@timestamp >= now-1d", "2024-02-28T11:59:59.999Z");
    yes("@timestamp:now-1d/d", "2024-02-28T23:00:00Z");
    check("@timestamp:2024", &[r#"{"@timestamp":1709164800000}"#], &[r#"{"@timestamp":"x"}"#]);
    check("a:2024", &[r#"{"a":"2024"}"#], &[r#"{"a":"2024-02-29"}"#]);
}

#[test]
fn analysed_texts_are_searched_for_words() {
    check(
        "message:\"Failed Login\"",
        &[r#"{"message":"A failed LOGIN!"}"#],
        &[r#"{"message":"login failed"}"#],
    );
    check("message:failed login", &[r#"{"message":"LOGIN"}"#], &[r#"{"message":"logins"}"#]);
    check("message:log*", &[r#"{"message":"two logins"}"#], &[r#"{"message":"blog"}"#]);
    check("message:\"log*\"", &[r#"{"message":"a log"}"#], &[r#"{"message":"login"}"#]);
    check("message:\"--\"", &[], &[r#"{"message":"--"}"#]);
    check(
        "process.name.text:cmd",
        &[r#"{"process":{"name":"CMD"}}"#],
        &[r#"{"process":{"name":"cmds"}}"#],
    );
    check("process.name.text:*", &[r#"{"process.name":"x"}"#], &[r#"{"process.pid":1}"#]);
    check("process.name:cmd", &[], &[r#"{"process":{"name":"CMD"}}"#]);
}

#[test]
fn flattened_fields_compare_as_text_and_their_root_searches_all_leaves() {
    let target = r#"{"okta":{"target":[{"id":"u","n":10,"deep":{"x":true}}]}}"#;
    check("okta.target.n:10", &[target], &[r#"{"okta":{"target":{"n":"010"}}}"#]);
    check("okta.target.n:\"10\"", &[target, r#"{"okta.target.n":"10"}"#], &[]);
    check("okta.target:10", &[target], &[r#"{"okta":{"target":{"n":100}}}"#]);
    check("okta.target:true", &[target], &[]);
    check("okta.target.deep:true", &[target], &[]);
    check("okta.target.n < 9", &[target], &[r#"{"okta":{"target":{"n":9}}}"#]);
    check("okta.target:*", &[target], &[r#"{"okta":{"target":[{"id":null}]}}"#]);
    check("okta.tar*:u", &[target], &[]);
}

#[test]
fn a_wildcard_in_a_name_is_any_matching_field() {
    let hashes = r#"{"file":{"hash":{"md5":"m","sha256":"s"}}}"#;
    check("file.hash.*:s", &[hashes], &[r#"{"file":{"hash":"s"}}"#, r#"{"file":{"x":"s"}}"#]);
    check("file.*:s", &[hashes], &[]);
    check("file.hash.*:*", &[hashes], &[r#"{"file":{"hash":{"md5":null}}}"#]);
    check("*.ip:10.0.0.0/8", &[r#"{"source":{"ip":"10.0.0.1"}}"#], &[r#"{"a":{"ip":"x"}}"#]);
    check("*:s", &[hashes], &[r#"{"a":"t"}"#]);
    check("not file.hash.*:s", &["{}"], &[hashes]);
    check("a* > 5", &[r#"{"ab":6}"#], &[r#"{"b":6}"#, r#"{"ab":4}"#]);
    check("process.*.text:cmd", &[r#"{"process":{"name":"a CMD"}}"#], &[r#"{"file.name":"cmd"}"#]);
}

#[test]
fn free_text_searches_every_field() {
    let event = r#"{"a":{"b":["x y"]},"source":{"ip":"10.0.0.1"},"message":"One two","n":5}"#;
    check("x y", &[event], &[r#"{"a":"x"}"#]);
    check("\"x y\"", &[event], &[]);
    check("x*", &[event], &[r#"{"x":"y"}"#]);
    check("10.0.0.0/8", &[event], &[r#"{"a":"10.0.0.1"}"#]);
    check("two", &[event], &[r#"{"a":"one two"}"#]);
    check("5", &[event], &[]);
    check("not x", &["{}"], &[r#"{"a":"x"}"#]);
    check("null", &[], &["{}", r#"{"a":"null"}"#]);
}

#[test]
fn a_query_at_the_limits_is_compiled_and_evaluated() {
    let deep = format!("{}a:x{}", "not (".repeat(63), ")".repeat(63));
    check(&deep, &["{}"], &[r#"{"a":"x"}"#]);
    let wide = format!("a:({} or z)", vec!["y"; 4000].join(" or "));
    check(&wide, &[r#"{"a":"z"}"#], &[r#"{"a":"x"}"#]);
    // The naive evaluator would take for ever here.
    let stars = query(&format!("a:{}b", "a*".repeat(32)));
    assert!(!holds(&stars, &format!(r#"{{"a":"{}"}}"#, "a".repeat(100_000)), &types()));
}
