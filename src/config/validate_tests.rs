//! What each value means, and what is said of a wrong one.

use std::path::Path;

use super::super::{Fault, Reader, Secrets, Settings, Surroundings, finish};
use super::*;
use crate::config::settings::{CoverageTarget, Guarantee, LogFormat, SaslSettings, ValidateLevel};

fn surroundings() -> Surroundings {
    let variables = [("PASSWORD", "hunter2\n"), ("EMPTY", "")];
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Surroundings { variables, secrets: Secrets::Read }
}

fn load(text: &str) -> Result<Settings, Vec<Fault>> {
    let mut reader = Reader::default();
    reader.file(Path::new("conf/ouzel.toml"), text);
    let found = finish(reader, &surroundings());
    if found.faults.is_empty() { Ok(found.settings) } else { Err(found.faults) }
}

fn settings(text: &str) -> Settings {
    load(text).unwrap_or_else(|faults| panic!("{text}: {faults:#?}"))
}

/// `text` has exactly the faults whose parts are given, one list a fault.
fn check(text: &str, expected: &[&[&str]]) {
    let faults = load(text).map(|_| ()).expect_err(text);
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), expected.len(), "{text}: {shown:#?}");
    for (fault, parts) in shown.iter().zip(expected) {
        assert!(parts.iter().all(|part| fault.contains(part)), "{fault} lacks one of {parts:?}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}

/// One fault.
fn one(text: &str, parts: &[&str]) {
    check(text, &[parts]);
}

#[test]
fn nothing_written_means_the_defaults() {
    assert_eq!(settings(""), Settings::default());
}

#[test]
fn each_key_acts() {
    let input = settings(
        "[input]\ntopics = ['a', '^b.*']\ngroup = 'g'\nprotocol = 'consumer'\ninstance_id = 'i'\n\
         start = 'latest'\nvalidate = 'full'\nworkers = 3\n\
         [input.topic.\"a.b\"]\nindex = 'logs-x'\nokta = true\nlabels = { tenant = 't' }\n",
    )
    .input;
    assert_eq!(input.topics, ["a", "^b.*"]);
    assert_eq!(input.protocol, GroupProtocol::Consumer);
    assert_eq!(input.instance_id.as_deref(), Some("i"));
    assert_eq!((input.start, input.validate), (Start::Latest, ValidateLevel::Full));
    assert_eq!(input.workers, Some(3));
    let topic = &input.topic["a.b"];
    assert_eq!((topic.index.as_deref(), topic.okta), (Some("logs-x"), true));
    assert_eq!(topic.labels["tenant"], "t");

    let all = settings(
        "[output]\nalerts = 'x'\ndead_letters = 'discard'\nevent_kind = 'signal'\nkey_field = 'a.b'\n\
         pass_headers = ['h']\ninclude_original = true\ncompression = 'zstd'\nlinger_ms = 3\n\
         create_topics = true\ncreate_partitions = 6\ncreate_replicas = 3\n\
         [output.kafka]\nbrokers = 'other:1'\n[delivery]\nguarantee = 'at-least-once'\n\
         in_flight_max = 5\n[http]\nlisten = 'off'\n[log]\nlevel = 'debug'\nformat = 'json'\n\
         [field_types]\na.b = 'long'\n",
    );
    assert_eq!(all.output.dead_letters, None);
    assert_eq!(all.output.key_field.as_deref(), Some("a.b"));
    assert_eq!((all.output.create_partitions, all.output.create_replicas), (6, 3));
    let other = all.output.kafka.as_ref().unwrap();
    assert_eq!((other.brokers.as_str(), other.client_id.as_str()), ("other:1", "ouzel"));
    assert_eq!(all.output_cluster(), other);
    assert_eq!((all.delivery.guarantee, all.delivery.in_flight_max), (Guarantee::AtLeastOnce, 5));
    assert_eq!((all.http.listen, all.log.format), (None, LogFormat::Json));
    assert_eq!(all.field_types["a.b"], "long");
}

#[test]
fn a_start_may_be_a_time() {
    let start = |text: &str| settings(&format!("[input]\nstart = {text}\n")).input.start;
    assert_eq!(start("'earliest'"), Start::Earliest);
    assert_eq!(start("'2026-01-31T08:00:00Z'"), Start::Timestamp(1_769_846_400_000));
    assert_eq!(start("2026-01-31T09:00:00+01:00"), Start::Timestamp(1_769_846_400_000));
    one("[input]\nstart = '2026-01-31'\n", &["conf/ouzel.toml:2: input.start:", "with its zone"]);
    one("[input]\nstart = 'erliest'\n", &["\"erliest\"", "\"earliest\""]);
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let all = settings("rules = ['rules', '/etc/rules']\n");
    assert_eq!(all.rules, [Path::new("conf/rules"), Path::new("/etc/rules")]);
}

#[test]
fn topics_and_names_are_checked() {
    one("[input]\ntopics = []\n", &["input.topics", "at least one"]);
    one("[input]\ntopics = ['']\n", &["must not be empty"]);
    one("[input]\ntopics = ['a', 'a']\n", &["\"a\" is named twice"]);
    one("[input]\ntopics = ['a b']\n", &["\"a b\"", "letters, digits"]);
    one("[input]\ntopics = ['^okta-(']\n", &["\"^okta-(\"", "a ( is not closed"]);
    one("[input]\ntopics = 'okta'\n", &["a list is expected"]);
    one("[input]\ngroup = ''\n", &["input.group", "is empty"]);
    one("[input]\ninstance_id = 'a b'\n", &["input.instance_id", "letters"]);
    one("[output]\nalerts = ''\n", &["output.alerts", "must not be empty"]);
    one("[output]\ndead_letters = ''\n", &["output.dead_letters", "\"discard\""]);
    one("[output]\naudit = 'okta-alerts'\n", &["output.audit", "topic of output.alerts as well"]);
    one("[output]\noverflow = ''\n", &["output.overflow", "leave it out"]);
    one("[output]\ndead_letters = 'okta-alerts'\n", &["topic of output.alerts as well"]);
    one("[output]\nalerts = 'okta'\n", &["is an input topic as well"]);
    one("[input.topic.oktaa]\nokta = true\n", &["input.topic.oktaa", "did you mean \"okta\"?"]);
    one("[input.topic.okta]\nindex = ' '\n", &["input.topic.okta.index", "is empty"]);
    one("[output]\npass_headers = ['ouzel.alert.id']\n", &["of their own"]);
    one("[output]\nkey_field = ''\n", &["output.key_field", "is empty"]);
    let apart = "[output]\nalerts = 'okta'\n[output.kafka]\nbrokers = 'b:1'\n";
    assert_eq!(settings(apart).output.alerts, "okta");
}

#[test]
fn numbers_have_bounds() {
    one("[input]\nworkers = -1\n", &["input.workers: found -1; allowed is 0 to 256"]);
    one("[input]\nworkers = 1.5\n", &["a number with a fraction", "a whole number"]);
    one("[input]\nsession_timeout_ms = 1\n", &["found 1; allowed is 4000 to"]);
    one("[delivery]\nrevoke_drain_ms = 300000\n", &["allowed is 0 to 240000"]);
    one("[delivery]\nin_flight_max = 0\n", &["allowed is 1 to"]);
    one("[delivery]\nmessage_timeout_ms = 99999999999999\n", &["99999999999999"]);
    one("[output]\ncreate_partitions = 0\n", &["allowed is 1 to 10000, or -1"]);
    one("[rule.a]\nrisk_score = 101\n", &["rule.a.risk_score: found 101; allowed is 0 to 100"]);
    one("[rule.a]\nmax_signals = -1\n", &["rule.a.max_signals"]);
    one("[rule.a]\ninterval = '5'\n", &["rule.a.interval", "5m"]);
    one("[rule.a]\nseverity = 'hihg'\n", &["did you mean \"high\"?"]);
}

#[test]
fn what_is_not_there_is_refused() {
    one("[delivery]\nguarantee = 'exactly-onec'\n", &["did you mean \"exactly-once\"?"]);
    one("[field_types]\n\"a.b\" = 'nested'\n", &["field_types.\"a.b\"", "\"keyword\""]);
    one("[http]\nlisten = 'localhost:1'\n", &["http.listen", "127.0.0.1:9847", "off"]);
    one(
        "[input]\nprotocol = 'consumer'\nsession_timeout_ms = 45000\n",
        &["input.session_timeout_ms", "the broker decides"],
    );
    one(
        "[input]\nprotocol = 'consumer'\n[kafka.librdkafka]\nheartbeat.interval.ms = 1000\n",
        &["conf/ouzel.toml:4", "kafka.librdkafka.\"heartbeat.interval.ms\"", "the broker decides"],
    );
}

/// A configuration with exactly-once, and more of its `[input]` and `[delivery]` and the rest.
fn exactly_once(input: &str, delivery: &str, more: &str) -> String {
    format!("[input]\n{input}\n[delivery]\nguarantee = 'exactly-once'\n{delivery}\n{more}\n")
}

const NAMED: &str = "instance_id = 'a'";

#[test]
fn exactly_once_bounds_messages_by_their_transaction() {
    let delivery = |text: &str| settings(&exactly_once(NAMED, text, "")).delivery;
    assert_eq!(delivery("").guarantee, Guarantee::ExactlyOnce);
    assert_eq!(delivery("").message_timeout_ms, 30_000);
    assert_eq!(delivery("transaction_timeout_ms = 10_000").message_timeout_ms, 5_000);
    assert_eq!(delivery("message_timeout_ms = 59_999").message_timeout_ms, 59_999);
    let same = "message_timeout_ms = 10_000\ntransaction_timeout_ms = 10_000";
    let parts =
        ["delivery.message_timeout_ms: found 10000", "below delivery.transaction_timeout_ms"];
    one(&exactly_once(NAMED, same, ""), &parts);
    one(
        &exactly_once(NAMED, "transaction_interval_ms = 60_000", ""),
        &["delivery.transaction_interval_ms: found 60000", "which is 60000"],
    );
    let other = "[delivery]\nmessage_timeout_ms = 60_000\ntransaction_timeout_ms = 2_000\n";
    assert_eq!(settings(other).delivery.message_timeout_ms, 60_000, "the other guarantee");
    one("[delivery]\ntransaction_timeout_ms = 1\n", &["allowed is 2000 to"]);
    one("[delivery]\ntransactional_id_prefix = ''\n", &["transactional_id_prefix: is empty"]);
}

#[test]
fn exactly_once_is_refused_where_it_cannot_be_had() {
    let all = exactly_once("protocol = 'consumer'", "", "[output.kafka]\nbrokers = 'other:9092'");
    check(
        &all,
        &[
            &["input.protocol", "needs \"classic\"", "at-least-once"],
            &["output.kafka", "cannot span two", "at-least-once"],
            &["input.instance_id", "is missing", "at-least-once"],
        ],
    );
    let raw = |key: &str| {
        let table = format!("[kafka.librdkafka]\n\"{key}\" = 'x'");
        exactly_once(NAMED, "", &table)
    };
    one(&raw("partition.assignment.strategy"), &["follows from", "delivery.guarantee"]);
    one(&raw("transactional.id"), &["use delivery.transactional_id_prefix"]);
    one(&raw("transaction.timeout.ms"), &["use delivery.transaction_timeout_ms"]);
    one(&raw("enable.idempotence"), &["without it"]);
}

#[test]
fn credentials_need_a_safe_way_and_a_safe_place() {
    let sasl =
        "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\npassword = { env = 'PASSWORD' }\n";
    one(sasl, &["kafka.sasl", "unencrypted", "[kafka.tls]", "allow_plaintext_credentials"]);
    let allowed = format!("[kafka]\nallow_plaintext_credentials = true\n{sasl}");
    let expected = SaslSettings::Password {
        mechanism: "PLAIN".to_owned(),
        username: "u".to_owned(),
        password: crate::config::settings::Secret::new("hunter2"),
    };
    assert_eq!(settings(&allowed).kafka.sasl, Some(expected.clone()));
    assert_eq!(settings(&format!("{sasl}[kafka.tls]\n")).kafka.sasl, Some(expected));
    assert!(!format!("{:?}", settings(&allowed)).contains("hunter2"));

    let with = |line: &str| {
        format!("[kafka.tls]\n[kafka.sasl]\nmechanism = 'SCRAM-SHA-512'\nusername = 'u'\n{line}\n")
    };
    one(&with("password = 'hunter2'"), &["ouzel.toml:5: kafka.sasl.password", "env = \"NAME\""]);
    one(&with("password.env = 'hunter2'\npassword.file = 'x'"), &["kafka.sasl.password"]);
    one(&with("password = { enw = 'X' }"), &["kafka.sasl.password", "env = \"NAME\""]);
    one(&with("password = { env = 'ABSENT' }"), &["ABSENT is not set"]);
    one(&with("password = { env = 'EMPTY' }"), &["EMPTY is empty"]);
    one(&with("password = { file = 'absent' }"), &["file conf/absent"]);
    one(&with(""), &["kafka.sasl.password", "is missing", "SCRAM-SHA-512 needs it"]);
    let token = with("password = { env = 'PASSWORD' }\ntoken_file = '/dev/null'");
    one(&token, &["kafka.sasl.token_file", "means nothing to SCRAM-SHA-512"]);
}

#[test]
fn a_mechanism_has_what_it_needs() {
    let with = |lines: &str| format!("[kafka.tls]\n[kafka.sasl]\n{lines}\n");
    one(&with(""), &["kafka.sasl.mechanism", "OAUTHBEARER"]);
    one(&with("mechanism = 'GSSAPI'"), &["kafka.sasl.mechanism", "\"PLAIN\""]);
    one(&with("mechanism = 'OAUTHBEARER'"), &["kafka.sasl.token_file", "is missing"]);
    let token = with("mechanism = 'OAUTHBEARER'\ntoken_file = '/dev/null'");
    let expected = SaslSettings::TokenFile { token_file: "/dev/null".into() };
    assert_eq!(settings(&token).kafka.sasl, Some(expected));
}

#[test]
fn certificates_come_in_pairs_and_exist() {
    one("[kafka.tls]\ncertificate_file = '/dev/null'\n", &["kafka.tls.key_file", "is missing"]);
    one("[kafka.tls]\nkey_file = '/dev/null'\n", &["kafka.tls.certificate_file", "is missing"]);
    one("[kafka.tls]\nca_file = 'absent.pem'\n", &["kafka.tls.ca_file", "conf/absent.pem"]);
    one(
        "[output.kafka]\nbrokers = 'b:1'\n[output.kafka.tls]\nca_file = ''\n",
        &["leave the key out"],
    );
    one("[output.kafka]\n", &["output.kafka.brokers", "is missing"]);
}

#[test]
fn brokers_are_hosts_with_ports() {
    let with = |brokers: &str| format!("[kafka]\nbrokers = '{brokers}'\n");
    assert_eq!(settings(&with("a:1, b:2")).kafka.brokers, "a:1, b:2");
    assert_eq!(settings(&with("[::1]:9092")).kafka.brokers, "[::1]:9092");
    one(&with("http://a:1"), &["kafka.brokers", "without a scheme"]);
    one(&with("a:1,,b:2"), &["host:port"]);
    one(&with("a:x"), &["\"a:x\""]);
    one(&with(""), &["kafka.brokers", "is empty"]);
}

#[test]
fn raw_keys_pass_the_list_and_their_values_are_not_shown() {
    let text = "[kafka.librdkafka]\nsocket.keepalive.enable = true\n'socket.timeout.ms' = 5000\n";
    let raw = settings(text).kafka.librdkafka;
    assert_eq!(raw["socket.keepalive.enable"], "true");
    assert_eq!(raw["socket.timeout.ms"], "5000");
    check(
        "[kafka.librdkafka]\nsasl.password = 'hunter2'\nplugin.library.paths = 'hunter2'\n",
        &[&["sasl.password", "where the secret is"], &["plugin.library.paths", "load code"]],
    );
}

#[test]
fn all_faults_are_found_at_once_each_with_its_line() {
    check(
        "rulles = []\n[input]\ngruop = 'x'\ntopics = ['']\nworkers = 'many'\n[output]\nlinger_ms = -1\n\
         topics = []\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\npassword = 'hunter2'\n",
        &[
            &["conf/ouzel.toml:1: unknown key rulles; did you mean rules?"],
            &["conf/ouzel.toml:3: unknown key input.gruop; did you mean input.group?"],
            &["conf/ouzel.toml:4: input.topics"],
            &["conf/ouzel.toml:5: input.workers: found a text"],
            &["conf/ouzel.toml:7: output.linger_ms: found -1"],
            &["conf/ouzel.toml:8: unknown key output.topics; did you mean input.topics?"],
            &["conf/ouzel.toml:10: kafka.sasl: credentials would travel unencrypted"],
            &["conf/ouzel.toml:12: kafka.sasl.password"],
        ],
    );
}

#[test]
fn broken_toml_is_placed_without_quoting_the_line() {
    let text = "[input]\ngroup = 'a'\n[kafka.sasl]\npassword = \"hunter2\nusername = = 'x'\n";
    let faults = load(text).expect_err("broken");
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(shown.len() >= 2, "{shown:?}");
    assert!(shown.iter().any(|fault| fault.starts_with("conf/ouzel.toml:4: ")), "{shown:?}");
    assert!(shown.iter().any(|fault| fault.starts_with("conf/ouzel.toml:5: ")), "{shown:?}");
    assert!(!shown.concat().contains("hunter2"), "{shown:?}");
}

#[test]
fn the_ledger_goes_to_a_topic_of_its_own_or_to_a_file() {
    let coverage = |text: &str| settings(text).coverage;
    assert_eq!(coverage("").target, None);
    let topic = coverage("[coverage]\ntopic = 'c'\ninterval_ms = 5000\n");
    assert_eq!((topic.topic(), topic.interval_ms), (Some("c"), 5000));
    let file = coverage("[coverage]\nfile = 'c.ndjson'\n");
    assert_eq!(file.target, Some(CoverageTarget::File("conf/c.ndjson".into())));
    one("[coverage]\ntopic = 'c'\nfile = 'f'\n", &["coverage.file", "one of the two"]);
    one("[coverage]\nfile = ''\n", &["coverage.file", "is empty"]);
    one("[coverage]\ntopic = 'a b'\n", &["coverage.topic", "a b", "letters"]);
    one("[coverage]\ntopic = 'okta-alerts'\n", &["coverage.topic", "output.alerts"]);
    one("[coverage]\ntopic = 'okta'\n", &["coverage.topic", "input topic"]);
    one("[coverage]\ninterval_ms = 10\n", &["coverage.interval_ms", "found 10; allowed is 1000"]);
}
