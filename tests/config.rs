//! The configuration as an operator meets it: the documented file, the layers, and what `check`
//! prints of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ouzel::config::file::FieldTypeName;
use ouzel::config::{
    self, Configuration, KeyPath, Origin, Reader, Secrets, Settings, Surroundings, schema, show,
};
use ouzel::event::FieldType;
use serde_json::Value;

const DOCUMENTED: &str = include_str!("../config/ouzel.toml");

/// A secret that must turn up nowhere.
const CANARY: &str = "canary-8f3a";

fn surroundings() -> Surroundings {
    let variables = [("PASSWORD".into(), CANARY.into())].into_iter().collect();
    Surroundings { variables, secrets: Secrets::Read }
}

fn finish(reader: Reader) -> Configuration {
    config::finish(reader, &surroundings())
}

fn read(file: &str, environment: &[(&str, &str)], sets: &[&str]) -> Configuration {
    let mut reader = Reader::default();
    reader.file(Path::new("ouzel.toml"), file);
    environment.iter().for_each(|(name, value)| reader.variable(name, value));
    sets.iter().for_each(|assignment| reader.assignment("--set", assignment));
    finish(reader)
}

fn settings(file: &str, environment: &[(&str, &str)], sets: &[&str]) -> Settings {
    let found = read(file, environment, sets);
    assert_eq!(found.faults, [], "{file} {environment:?} {sets:?}");
    found.settings
}

fn faults(file: &str, environment: &[(&str, &str)], sets: &[&str]) -> Vec<String> {
    read(file, environment, sets).faults.iter().map(ToString::to_string).collect()
}

/// The keys of the schema, without those of `[output.kafka]`, which are those of `[kafka]`.
fn schema_keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    walk(&schema::schema(), &mut Vec::new(), &mut keys);
    keys.retain(|key| !key.starts_with("output.kafka."));
    keys
}

fn walk(schema: &Value, path: &mut Vec<String>, keys: &mut BTreeSet<String>) {
    let members = schema.get("properties").and_then(Value::as_object);
    if let Some(members) = members.filter(|_| schema.get("x-secret").is_none()) {
        for (name, inner) in members {
            path.push(name.clone());
            walk(inner, path, keys);
            path.pop();
        }
    } else if let Some(inner) = schema.get("additionalProperties").filter(|it| it.is_object()) {
        path.push("*".to_owned());
        walk(inner, path, keys);
        path.pop();
    } else {
        keys.insert(path.join("."));
    }
}

/// The documented file with its optional keys as well: `#key = …` without the `#`.
fn with_optional_keys() -> String {
    let is_key = |rest: &str| {
        rest.starts_with(|first: char| first.is_ascii_lowercase() || "[\"".contains(first))
    };
    let line =
        |line: &str| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line).to_owned();
    DOCUMENTED.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_documented_file_is_the_defaults() {
    let found = read(DOCUMENTED, &[], &[]);
    assert_eq!(found.faults, []);
    assert_eq!(found.settings, Settings::default());
}

#[test]
fn the_documented_file_has_every_key() {
    let found = read(&with_optional_keys(), &[], &[]);
    let parse: Vec<_> =
        found.faults.iter().filter(|fault| fault.message.contains("unknown")).collect();
    assert!(parse.is_empty(), "{parse:?}");
    let schema = schema_keys();
    let documented: BTreeSet<String> = found
        .written
        .leaves()
        .keys()
        .map(|key| generic(key, &schema))
        .filter(|key| !key.starts_with("output.kafka"))
        .collect();
    assert_eq!(documented, schema);
}

/// The key as the schema has it: names that the writer chose are `*`.
fn generic(key: &KeyPath, schema: &BTreeSet<String>) -> String {
    let fits = |candidate: &&String| {
        let parts: Vec<&str> = candidate.split('.').collect();
        let mut pairs = parts.iter().zip(key.parts());
        parts.len() == key.parts().len() && pairs.all(|(part, found)| *part == "*" || part == found)
    };
    schema.iter().find(fits).cloned().unwrap_or_else(|| key.to_string())
}

#[test]
fn the_documented_file_lists_the_raw_keys() {
    let allowed: BTreeSet<&str> = config::librdkafka::ALLOWED.iter().map(|(key, _)| *key).collect();
    let (_, list) = DOCUMENTED.split_once("Allowed are\n").expect("the list is there");
    let (list, _) = list.split_once("#[kafka.librdkafka]").expect("it ends");
    let listed: BTreeSet<&str> = list.split_whitespace().filter(|word| *word != "#").collect();
    assert_eq!(listed, allowed);
}

#[test]
fn the_schema_takes_the_documented_file_and_refuses_what_the_program_refuses() {
    let schema = schema::schema();
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let json =
        |text: &str| serde_json::to_value(text.parse::<toml::Table>().expect(text)).expect(text);
    let check = |text: &str| {
        let is_taken = faults(text, &[], &[]).is_empty();
        assert_eq!(validator.is_valid(&json(text)), is_taken, "{text}");
        is_taken
    };
    assert!(check(DOCUMENTED));
    assert!(check("[kafka.tls]\n[input.topic.okta.labels]\na = 'b'\n"));
    assert!(check("[kafka.librdkafka]\n\"log.connection.close\" = true\n"));
    assert!(!check("[input]\ngruop = 'x'\n"));
    assert!(!check("[input]\nvalidate = 'ful'\n"));
    assert!(!check("[input]\nworkers = 'x'\n"));
    assert!(!check("[kafka.tls]\nkey_password = 'x'\n"));
    let default = |pointer: &str| schema.pointer(&format!("{pointer}/default")).cloned();
    let group = default("/properties/input/properties/group");
    assert_eq!(group, Some("ouzel".into()));
    assert!(schema.to_string().contains("additionalProperties"));
    assert!(!schema.to_string().contains("null"), "TOML has no null: {schema}");
}

#[test]
fn later_layers_outweigh_earlier_ones() {
    let file = "[input]\ngroup = 'file'\n";
    let environment = [("OUZEL__INPUT__GROUP", "environment")];
    let set = ["input.group=set"];
    let group = |file: &str, environment: &[(&str, &str)], sets: &[&str]| {
        let found = read(file, environment, sets);
        (found.settings.input.group, found.written.origin(&KeyPath::new("input.group")).to_string())
    };
    let expect = |group: &str, origin: &str| (group.to_owned(), origin.to_owned());
    assert_eq!(group("", &[], &[]), expect("ouzel", "default"));
    assert_eq!(group(file, &[], &[]), expect("file", "ouzel.toml:2"));
    let name = "environment OUZEL__INPUT__GROUP";
    assert_eq!(group(file, &environment, &[]), expect("environment", name));
    assert_eq!(group(file, &environment, &set), expect("set", "--set input.group"));
    assert_eq!(group(file, &[], &["input.group=a", "input.group=b"]).0, "b");
}

#[test]
fn a_variable_is_toml_or_plain_text() {
    let one = |name: &str, value: &str| settings("", &[(name, value)], &[]);
    assert_eq!(one("OUZEL__INPUT__GROUP", "plain text").input.group, "plain text");
    assert_eq!(one("OUZEL__INPUT__GROUP", "\"quoted\"").input.group, "quoted");
    assert_eq!(one("OUZEL__INPUT__GROUP", "2026").input.group, "2026");
    assert_eq!(one("OUZEL__INPUT__GROUP", "true").input.group, "true");
    assert_eq!(one("OUZEL__INPUT__WORKERS", "3").input.workers, Some(3));
    assert_eq!(one("OUZEL__INPUT__TOPICS", "['a', 'b']").input.topics, ["a", "b"]);
    assert_eq!(one("OUZEL__KAFKA__BROKERS", "a:1,b:2").kafka.brokers, "a:1,b:2");
    assert!(one("OUZEL__OUTPUT__CREATE_TOPICS", "true").output.create_topics);
    assert!(one("OUZEL__KAFKA__TLS", "{}").kafka.tls.is_some());
    let label = one("OUZEL__INPUT__TOPIC__okta__LABELS__TENANT", "t");
    assert_eq!(label.input.topic["okta"].labels["tenant"], "t");
    let raw = one("OUZEL__KAFKA__LIBRDKAFKA", "{ \"log.connection.close\" = true }");
    assert_eq!(raw.kafka.librdkafka["log.connection.close"], "true");
    let raw = one("OUZEL__KAFKA__LIBRDKAFKA__LOG__CONNECTION__CLOSE", "true");
    assert_eq!(raw.kafka.librdkafka["log.connection.close"], "true");
    let time = one("OUZEL__INPUT__START", "2026-01-31T08:00:00Z").input.start;
    assert_eq!(time, config::settings::Start::Timestamp(1_769_846_400_000));
    // Kubernetes' own variables are no keys.
    assert_eq!(one("OUZEL_PORT", "tcp://10.0.0.1:9847"), Settings::default());
    assert_eq!(one("OUZEL_CONFIG", "/x.toml"), Settings::default());
}

#[test]
fn a_wrong_variable_or_option_is_named() {
    let check = |environment: &[(&str, &str)], sets: &[&str], expected: &str| {
        let found = faults("", environment, sets);
        assert_eq!(found, [expected], "{environment:?} {sets:?}");
    };
    check(
        &[("OUZEL__INPUT__GRUOP", "x")],
        &[],
        "environment OUZEL__INPUT__GRUOP: unknown key input.gruop; did you mean input.group?",
    );
    check(
        &[("OUZEL__INPUT__WORKERS", "many")],
        &[],
        "environment OUZEL__INPUT__WORKERS: input.workers: found a text; a whole number is expected",
    );
    check(
        &[],
        &["kafka.broker=a:1"],
        "--set kafka.broker: unknown key kafka.broker; did you mean kafka.brokers?",
    );
    check(&[], &["topics=['a']"], "--set topics: unknown key topics; did you mean input.topics?");
    check(
        &[],
        &["input.group"],
        "--set: \"input.group\" is no KEY=VALUE, such as input.group=ouzel",
    );
    check(
        &[],
        &["input.group.x=1"],
        "--set input.group.x: input.group is no table: there is no \"x\" in it",
    );
    let topics = "found a text; a table is expected; did you mean input.topics?";
    check(&[], &["input.topic=okta"], &format!("--set input.topic: {topics}"));
    let variable = [("OUZEL__INPUT__TOPIC", "okta")];
    check(&variable, &[], &format!("environment OUZEL__INPUT__TOPIC: input.topic: {topics}"));
    // No key beside this one has nearly its name.
    check(&[], &["kafka.tls=true"], "--set kafka.tls: found true or false; a table is expected");
    let listed = faults("", &[], &["http.zzz=1"]);
    assert_eq!(listed, ["--set http.zzz: unknown key http.zzz; allowed here are listen"]);
}

#[test]
fn an_option_reaches_every_key() {
    let one = |assignment: &str| settings("", &[], &[assignment]);
    assert_eq!(
        one("kafka.librdkafka.log.connection.close=true").kafka.librdkafka["log.connection.close"],
        "true"
    );
    assert_eq!(
        one("kafka.librdkafka.\"log.connection.close\"=true").kafka.librdkafka["log.connection.close"],
        "true"
    );
    assert_eq!(one("rule.\"a-b\".max_signals=0").rule_overrides["a-b"].max_signals, Some(0));
    assert_eq!(one("rule.a-b={ enabled = false }").rule_overrides["a-b"].enabled, Some(false));
    assert_eq!(one("field_types.a.b=long").field_types["a.b"], "long");
    assert_eq!(one("http.listen=off").http.listen, None);
    assert_eq!(one("rules=['x']").rules, [PathBuf::from("x")]);
}

#[test]
fn a_later_layer_replaces_a_whole_table() {
    let file = "[kafka.tls]\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\n\
                password = { file = '/absent' }\n[rule.a]\nenabled = true\nrisk_score = 1\n";
    let sasl = [("OUZEL__KAFKA__SASL__PASSWORD", "{ env = 'PASSWORD' }")];
    assert_eq!(faults(file, &[], &[]).len(), 1, "the file is absent");
    assert!(settings(file, &sasl, &[]).kafka.sasl.is_some());
    assert!(settings(file, &[], &["kafka.sasl.password.env=PASSWORD"]).kafka.sasl.is_some());
    let rule = &settings(file, &sasl, &["rule.a={ max_signals = 5 }"]).rule_overrides["a"];
    assert_eq!((rule.enabled, rule.risk_score, rule.max_signals), (None, None, Some(5)));
    let rule = &settings(file, &sasl, &["rule.a.risk_score=2"]).rule_overrides["a"];
    assert_eq!((rule.enabled, rule.risk_score), (Some(true), Some(2)));
}

#[test]
fn what_is_shown_is_what_is_in_effect() {
    let file = "rules = ['mine']\n[kafka.tls]\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\n\
                password = { env = 'PASSWORD' }\n[input.topic.'a.b']\nindex = 'logs-x'\n\
                [rule.'r 1']\nenabled = false\n";
    let sets = ["input.topics=['a.b']", "output.linger_ms=5"];
    let found = read(file, &[("OUZEL__LOG__LEVEL", "debug")], &sets);
    assert_eq!(found.faults, []);
    let shown = show::show(&found.written);
    assert_eq!(settings(&shown, &[], &[]), found.settings, "{shown}");
    let origin = |key: &str, origin: &str| {
        let line = shown
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_else(|| panic!("{key}: {shown}"));
        assert!(line.ends_with(&format!("# {origin}")), "{line}");
    };
    origin("rules = [\"mine\"]", "ouzel.toml:1");
    origin("[kafka.tls]", "ouzel.toml:2");
    origin("linger_ms = 5", "--set output.linger_ms");
    origin("level = \"debug\"", "environment OUZEL__LOG__LEVEL");
    origin("group = \"ouzel\"", "default");
    origin("enabled = false", "ouzel.toml:10");
    assert_eq!(settings(&show::show(&read("", &[], &[]).written), &[], &[]), Settings::default());
}

#[test]
fn no_secret_is_in_anything_that_can_be_printed() {
    let file = "[kafka.tls]\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\n\
                password = { env = 'PASSWORD' }\n";
    let found = read(file, &[], &[]);
    assert_eq!(found.faults, []);
    for text in [format!("{found:?}"), show::show(&found.written)] {
        assert!(!text.contains(CANARY), "{text}");
        assert!(text.contains("PASSWORD"), "{text}");
    }
    let inline = format!("[kafka.sasl]\npassword = '{CANARY}'\n'pass word' = '{CANARY}'\n");
    let variable = [("OUZEL__KAFKA__SASL__PASSWORD", CANARY)];
    let set = format!("output.kafka.tls.key_password={CANARY}");
    let raw = format!("kafka.librdkafka.sasl.password={CANARY}");
    let found = faults(&inline, &variable, &[&set, &raw]);
    assert!(found.len() >= 4, "{found:?}");
    assert!(!found.concat().contains(CANARY), "{found:?}");
}

#[test]
fn every_field_type_that_may_be_written_has_a_meaning() {
    for name in FieldTypeName::ALL {
        assert!(FieldType::from_name(name).is_some(), "{name}");
    }
}

#[test]
fn origins_are_listed_in_the_order_of_their_weight() {
    let file = Origin::File { path: "x".into(), line: 3 };
    assert!(file.rank() < Origin::Environment("E".to_owned()).rank());
    assert!(
        Origin::Environment("E".to_owned()).rank() < Origin::Argument("--set".to_owned()).rank()
    );
}

proptest::proptest! {
    /// Whatever an operator's editor, template or shell makes of a configuration, the answer is
    /// settings or faults.
    #[test]
    fn no_text_makes_the_reader_panic(
        file in "[\\[\\]a-z.=\"'{},0-9\n _#é-]{0,120}",
        key in "[a-z.\"'\\[ é]{0,30}",
        value in "\\PC{0,30}",
    ) {
        let name = format!("OUZEL__{}", key.to_uppercase().replace('.', "__"));
        let found = read(&file, &[(&name, &value)], &[&format!("{key}={value}"), &value]);
        for fault in found.faults {
            proptest::prop_assert!(!fault.message.is_empty());
        }
    }

    /// Any text is shown so that it reads as the same text.
    #[test]
    fn any_text_is_shown_as_it_is(text in "\\PC{1,40}", name in "\\PC{1,20}") {
        proptest::prop_assume!(!text.trim().is_empty());
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let file = format!(
            "[input]\ngroup = {}\ntopics = ['^.']\n[input.topic.{}.labels]\na = {}\n",
            quoted(&text),
            Value::from(name.clone()),
            quoted(&text),
        );
        let found = read(&file, &[], &[]);
        proptest::prop_assert_eq!(&found.faults, &[]);
        proptest::prop_assert_eq!(&found.settings.input.group, &text);
        proptest::prop_assert_eq!(&found.settings.input.topic[&name].labels["a"], &text);
        proptest::prop_assert_eq!(settings(&show::show(&found.written), &[], &[]), found.settings);
    }
}

/// The program, in an empty folder, with nothing of this process's environment that it would read.
fn ouzel(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.current_dir(folder).args(arguments).env_clear().envs(environment.iter().copied());
    command.output().expect("ouzel starts")
}

/// An empty folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ouzel-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn check(
    folder: &Folder,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (i32, String, String) {
    let output = ouzel(&folder.0, &[&["check"], arguments].concat(), environment);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_is_fine_with_nothing() {
    let folder = Folder::new("nothing");
    let (code, out, err) = check(&folder, &[], &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("no file, defaults") && out.contains("rules: "), "{out}");
}

#[test]
fn check_finds_the_file_and_takes_its_paths_from_there() {
    let folder = Folder::new("file");
    folder.write("ouzel.toml", "rules = ['absent']\n");
    let (code, _, err) = check(&folder, &[], &[]);
    assert_ne!(code, 0, "{err}");
    assert!(err.contains("absent"), "{err}");
    let other = Folder::new("other");
    let file = folder.0.join("ouzel.toml").display().to_string();
    let (_, _, err) = check(&other, &["-c", &file], &[]);
    assert!(err.contains(&folder.0.join("absent").display().to_string()), "{err}");
    let (_, _, err) = check(&other, &[], &[("OUZEL_CONFIG", &file)]);
    assert!(err.contains(&folder.0.join("absent").display().to_string()), "{err}");
    let (code, _, err) = check(&other, &["-c", "nowhere.toml"], &[]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("nowhere.toml"), "{err}");
}

#[test]
fn check_tells_faults_of_configuration_and_rules_together() {
    let folder = Folder::new("both");
    folder.write("rule.toml", "[rule]\nname = 'x'\n");
    folder.write("ouzel.toml", "rules = ['rule.toml']\n");
    let (code, _, err) = check(&folder, &[], &[]);
    assert_eq!(code, 2, "{err}");
    folder.write("ouzel.toml", "rules = ['rule.toml']\n[input]\ngruop = 'x'\nworkers = -1\n");
    let (code, out, err) = check(&folder, &["--topics"], &[]);
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("ouzel.toml:3: unknown key input.gruop"), "{err}");
    assert!(err.contains("ouzel.toml:4: input.workers"), "{err}");
    assert!(err.contains("rule.toml"), "{err}");
}

#[test]
fn check_warns_and_is_strict_when_asked() {
    let folder = Folder::new("strict");
    let discard = ["--set", "output.dead_letters=discard"];
    let (code, out, _) = check(&folder, &discard, &[]);
    assert_eq!(code, 0);
    assert!(out.contains("warning: output.dead_letters"), "{out}");
    assert_eq!(check(&folder, &[&discard[..], &["--strict"]].concat(), &[]).0, 1);
}

#[test]
fn check_shows_documents_on_standard_output_alone() {
    let folder = Folder::new("show");
    folder.write("secret", CANARY);
    folder.write(
        "ouzel.toml",
        "[kafka.tls]\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\npassword.file = 'secret'\n",
    );
    let (code, out, err) = check(&folder, &["--show", "-v"], &[("OUZEL__INPUT__GROUP", "g")]);
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains(CANARY) && !err.contains(CANARY), "{out}{err}");
    let shown: toml::Table = out.parse().expect("TOML");
    assert_eq!(shown["input"]["group"].as_str(), Some("g"));
    assert_eq!(shown["log"]["level"].as_str(), Some("debug"));
    assert!(out.contains("# environment OUZEL__INPUT__GROUP") && out.contains("# -v"), "{out}");
    let (code, out, _) = check(&folder, &["--schema"], &[]);
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), schema::schema());
}

#[cfg(feature = "kafka")]
#[test]
fn check_says_within_ten_seconds_that_nobody_answers() {
    let folder = Folder::new("topics");
    let started = std::time::Instant::now();
    let (code, out, err) = check(&folder, &["--topics", "--set", "kafka.brokers=127.0.0.1:1"], &[]);
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[cfg(feature = "kafka")]
#[test]
fn check_knows_which_topics_the_cluster_has() {
    use ouzel::kafka::embedded::EmbeddedBroker;
    let folder = Folder::new("known");
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("okta", 2).expect("a topic");
    broker.create_topic("okta-alerts", 1).expect("a topic");
    let brokers = format!("kafka.brokers={}", broker.address());
    let topics = ["--topics", "--set", &brokers];
    let (code, _, err) = check(&folder, &topics, &[]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("\"okta-dead-letters\"") && err.contains("output.create_topics"), "{err}");
    assert!(!err.contains("\"okta-alerts\""), "{err}");
    let create = [&topics[..], &["--set", "output.create_topics=true"]].concat();
    let (code, out, err) = check(&folder, &create, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("input okta: 2 partitions"), "{out}");
    assert!(out.contains("okta-dead-letters: is created at the start"), "{out}");
    let expression = [&create[..], &["--set", "input.topics=['^none']"]].concat();
    let (code, out, err) = check(&folder, &expression, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("input ^none: a regular expression"), "{out}");
}

#[cfg(feature = "kafka")]
#[test]
fn a_raw_value_that_the_client_does_not_take_is_a_fault() {
    let folder = Folder::new("raw");
    let (code, _, err) = check(&folder, &["--set", "kafka.librdkafka.batch.size=0"], &[]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("kafka.librdkafka.\"batch.size\""), "{err}");
}
