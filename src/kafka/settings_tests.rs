//! What each combination of settings becomes, and that the client library takes it.

use std::path::PathBuf;

use rdkafka::ClientConfig;

use super::*;
use crate::config::settings::{CoverageTarget, Secret, TlsSettings};

/// The keys of `config` are what is expected, and the library takes them all.
fn check(config: &ClientConfig, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        let value = (*value != "-").then_some(*value);
        assert_eq!(config.get(key), value, "{key}");
    }
    config.create_native_config().unwrap_or_else(|fault| panic!("{fault}: {config:?}"));
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

fn password(mechanism: &str) -> SaslSettings {
    SaslSettings::Password {
        mechanism: mechanism.to_owned(),
        username: "u".to_owned(),
        password: Secret::new("hunter2"),
    }
}

fn cluster(tls: Option<TlsSettings>, sasl: Option<SaslSettings>) -> Settings {
    let kafka = ClusterSettings { tls, sasl, ..ClusterSettings::default() };
    Settings { kafka, ..Settings::default() }
}

/// All clients of a cluster are secured alike.
fn secured(tls: Option<TlsSettings>, sasl: Option<SaslSettings>, expected: &[(&str, &str)]) {
    let settings = cluster(tls, sasl);
    check(&consumer(&settings, 0), expected);
    check(&producer(&settings), expected);
    check(&admin(&settings.kafka), expected);
}

#[test]
fn the_default_is_plaintext() {
    secured(None, None, &[("security.protocol", "plaintext"), ("sasl.mechanisms", "-")]);
}

#[test]
fn tls_trusts_the_system_or_a_file() {
    let system = [("security.protocol", "ssl"), ("ssl.ca.location", "probe")];
    secured(Some(TlsSettings::default()), None, &system);
    let tls = TlsSettings {
        ca_file: Some(PathBuf::from("/ca.pem")),
        certificate_file: Some(PathBuf::from("/client.pem")),
        key_file: Some(PathBuf::from("/client.key")),
        key_password: Some(Secret::new("hunter2")),
    };
    let mutual = [
        ("security.protocol", "ssl"),
        ("ssl.ca.location", "/ca.pem"),
        ("ssl.certificate.location", "/client.pem"),
        ("ssl.key.location", "/client.key"),
        ("ssl.key.password", "hunter2"),
        ("enable.ssl.certificate.verification", "-"),
        ("ssl.endpoint.identification.algorithm", "-"),
    ];
    secured(Some(tls), None, &mutual);
}

#[test]
fn each_mechanism_logs_in() {
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let expected = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanisms", mechanism),
            ("sasl.username", "u"),
            ("sasl.password", "hunter2"),
        ];
        secured(Some(TlsSettings::default()), Some(password(mechanism)), &expected);
        let expected = [("security.protocol", "sasl_plaintext"), ("sasl.mechanisms", mechanism)];
        secured(None, Some(password(mechanism)), &expected);
    }
    let token = SaslSettings::TokenFile { token_file: PathBuf::from("/token") };
    let expected = [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanisms", "OAUTHBEARER"),
        ("sasl.password", "-"),
        ("enable.sasl.oauthbearer.unsecure.jwt", "-"),
    ];
    secured(Some(TlsSettings::default()), Some(token), &expected);
}

#[test]
fn offsets_are_the_programs_own_business() {
    let expected = [
        ("group.id", "ouzel"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("isolation.level", "read_committed"),
        ("fetch.queue.backoff.ms", "5"),
        ("fetch.message.max.bytes", "1048576"),
        ("fetch.max.bytes", "2097152"),
        ("queued.max.messages.kbytes", "8192"),
        ("allow.auto.create.topics", "false"),
        ("topic.blacklist", "-"),
        ("group.instance.id", "-"),
    ];
    check(&consumer(&Settings::default(), 0), &expected);
}

#[test]
fn each_group_protocol_gets_what_it_takes() {
    let mut settings = Settings::default();
    settings.input.instance_id = Some("stage".to_owned());
    let classic = [
        ("group.protocol", "classic"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "45000"),
        ("group.instance.id", "stage-2"),
    ];
    check(&consumer(&settings, 2), &classic);
    settings.input.protocol = GroupProtocol::Consumer;
    let consumer_protocol = [
        ("group.protocol", "consumer"),
        ("partition.assignment.strategy", "-"),
        ("session.timeout.ms", "-"),
        ("heartbeat.interval.ms", "-"),
        ("group.instance.id", "stage-2"),
    ];
    check(&consumer(&settings, 2), &consumer_protocol);
}

#[test]
fn the_library_creates_both_kinds_of_client() {
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::producer::BaseProducer;
    let mut settings = Settings::default();
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        settings.input.protocol = protocol;
        let _: BaseConsumer = consumer(&settings, 0).create().expect("a consumer");
    }
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        compression.clone_into(&mut settings.output.compression);
        let _: BaseProducer = producer(&settings).create().expect("a producer");
    }
}

#[test]
fn outputs_are_confirmed_by_all_replicas_and_keyed_as_java_does() {
    let expected = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("partitioner", "murmur2_random"),
        ("compression.type", "none"),
        ("linger.ms", "1"),
        ("message.timeout.ms", "300000"),
        ("queue.buffering.max.kbytes", "66560"),
        ("allow.auto.create.topics", "false"),
    ];
    check(&producer(&Settings::default()), &expected);
}

#[test]
fn exactly_once_has_eager_members_and_a_transactional_id_for_each_worker() {
    use rdkafka::producer::BaseProducer;
    let mut settings = Settings::default();
    settings.input.instance_id = Some("a".to_owned());
    check(&worker_producer(&settings, 3), &[("transactional.id", "-")]);
    settings.delivery.guarantee = Guarantee::ExactlyOnce;
    settings.delivery.message_timeout_ms = 30_000;
    let transactional =
        [("transactional.id", "ouzel-ouzel-a-3"), ("transaction.timeout.ms", "60000")];
    check(&worker_producer(&settings, 3), &transactional);
    check(&producer(&settings), &[("transactional.id", "-")]);
    check(&consumer(&settings, 3), &[("partition.assignment.strategy", "range,roundrobin")]);
    let _: BaseProducer = worker_producer(&settings, 0).create().expect("a producer");
}

#[test]
fn outputs_go_to_their_own_cluster() {
    let mut settings = cluster(None, Some(password("PLAIN")));
    let other = ClusterSettings { brokers: "other:1".to_owned(), ..ClusterSettings::default() };
    settings.output.kafka = Some(other);
    let expected = [("bootstrap.servers", "other:1"), ("security.protocol", "plaintext")];
    check(&producer(&settings), &expected);
    check(&consumer(&settings, 0), &[("bootstrap.servers", "localhost:9092")]);
}

#[test]
fn raw_keys_reach_the_clients_that_know_them() {
    let mut settings = Settings::default();
    for (key, value) in
        [("fetch.min.bytes", "2"), ("batch.size", "5000"), ("retry.backoff.ms", "7")]
    {
        settings.kafka.librdkafka.insert(key.to_owned(), value.to_owned());
    }
    let of_consumer = [("fetch.min.bytes", "2"), ("batch.size", "-"), ("retry.backoff.ms", "7")];
    check(&consumer(&settings, 0), &of_consumer);
    let of_producer = [("fetch.min.bytes", "-"), ("batch.size", "5000"), ("retry.backoff.ms", "7")];
    check(&producer(&settings), &of_producer);
    let of_admin = [("fetch.min.bytes", "-"), ("batch.size", "-"), ("retry.backoff.ms", "7")];
    check(&admin(&settings.kafka), &of_admin);
}

#[test]
fn the_library_knows_every_key_of_the_allow_list() {
    for (key, _) in crate::config::librdkafka::ALLOWED {
        // The value may be wrong for the key; a wrong name has an answer of its own.
        let answer = ClientConfig::new().set(*key, "1").create_native_config().map(drop);
        let answer = answer.map_err(|fault| fault.to_string());
        assert!(!matches!(&answer, Err(fault) if fault.contains("No such")), "{key}: {answer:?}");
    }
    let wrong = ClientConfig::new().set("no.such", "1").create_native_config().map(drop);
    assert!(wrong.is_err_and(|fault| fault.to_string().contains("No such")));
}

#[test]
fn an_expression_never_matches_the_topics_that_are_written() {
    let mut settings = Settings::default();
    settings.input.topics = vec!["^okta.*".to_owned()];
    settings.output.alerts = "okta.alerts".to_owned();
    let hidden = r"^okta\.alerts$,^okta-dead-letters$";
    check(&consumer(&settings, 0), &[("topic.blacklist", hidden)]);
    settings.kafka.librdkafka.insert("topic.blacklist".to_owned(), "^okta-test".to_owned());
    let hidden = r"^okta-test,^okta\.alerts$,^okta-dead-letters$";
    check(&consumer(&settings, 0), &[("topic.blacklist", hidden)]);
    check(&producer(&settings), &[("topic.blacklist", "-")]);
    settings.coverage.target = Some(CoverageTarget::Topic("okta-coverage".to_owned()));
    let hidden = r"^okta-test,^okta\.alerts$,^okta-dead-letters$,^okta-coverage$";
    check(&consumer(&settings, 0), &[("topic.blacklist", hidden)]);
    settings.output.kafka = Some(ClusterSettings::default());
    check(&consumer(&settings, 0), &[("topic.blacklist", "^okta-test")]);
}

#[test]
fn a_value_that_the_library_does_not_take_is_a_fault() {
    let mut settings = Settings::default();
    assert_eq!(refused(&settings), Vec::<String>::new());
    let mut set = |key: &str, value: &str| {
        settings.kafka.librdkafka.insert(key.to_owned(), value.to_owned());
    };
    set("batch.size", "0");
    set("fetch.min.bytes", "perhaps");
    set("retry.backoff.ms", "x");
    set("socket.keepalive.enable", "true");
    let faults = refused(&settings);
    assert_eq!(faults.len(), 3, "{faults:?}");
    for key in ["batch.size", "fetch.min.bytes", "retry.backoff.ms"] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(&format!("kafka.librdkafka.{key:?}: ")))
        );
    }
}
