//! A canary in every place where a secret may stand, and in those where it must not: no command
//! repeats it, whether it works or fails. What a stage prints that works is searched by the suite
//! against a real Apache Kafka.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::program::{folder, rule, write};

/// What every secret here begins with.
const MARK: &str = "canary-";
const PASSWORD: &str = "canary-pa55word";
/// Claims `{"sub":"ouzel","exp":4102444800}`, and a signature that is the secret.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvdXplbCIsImV4cCI6NDEwMjQ0NDgwMH0.canary-t0ken";

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

/// Runs a command with canaries in its environment; what it printed, and its exit code.
fn ran(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs([("PASSWORD", PASSWORD), ("PASSPHRASE", "canary-pa55phrase")])
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code())
}

/// A folder with a rule and a configuration in which every secret is named.
fn with_secrets(name: &str, sasl: &str) -> std::path::PathBuf {
    let folder = folder(name);
    write(&folder, "a.toml", rule("a", "x:1", ""));
    write(&folder, "password", PASSWORD);
    write(&folder, "token", TOKEN);
    write(&folder, "key.pem", "canary-key: no key at all");
    write(&folder, "certificate.pem", "no certificate at all");
    write(
        &folder,
        "ouzel.toml",
        format!(
            "rules = ['a.toml']\n[kafka]\nbrokers = '{NOBODY}'\nsasl = {{ {sasl} }}\n\
             [kafka.tls]\ncertificate_file = 'certificate.pem'\nkey_file = 'key.pem'\n\
             key_password = {{ env = 'PASSPHRASE' }}\n[log]\nlevel = 'debug'\n"
        ),
    );
    folder
}

#[test]
fn no_command_prints_a_canary() {
    let scram = "mechanism = 'SCRAM-SHA-512', username = 'u', password =";
    let from_file = format!("{scram} {{ file = 'password' }}");
    let from_environment = format!("{scram} {{ env = 'PASSWORD' }}");
    let token = "mechanism = 'OAUTHBEARER', token_file = 'token'".to_owned();
    for (name, sasl) in [("file", from_file), ("environment", from_environment), ("token", token)] {
        let folder = with_secrets(&format!("canary_{name}"), &sasl);
        let mut commands = vec![
            vec!["check"],
            vec!["check", "--show"],
            vec!["check", "--schema"],
            vec!["pipe", "a.toml"],
            vec!["test"],
            vec!["explain", "a.toml"],
        ];
        if cfg!(feature = "kafka") {
            commands.extend([vec!["check", "--topics"], vec!["run"]]);
        }
        for mut command in commands {
            command.extend(["-v", "--log-format", "json"]);
            let (text, _) = ran(&folder, &command, &[]);
            assert!(!text.is_empty(), "{name} {command:?} prints nothing");
            assert!(!text.contains(MARK), "{name} {command:?}: {text}");
        }
    }
}

#[test]
fn a_canary_where_none_may_stand_is_refused_and_not_repeated() {
    let folder = with_secrets("canary_misplaced", "mechanism = 'PLAIN', username = 'u'");
    let plain = format!("\"{PASSWORD}\"");
    let places = [
        "kafka.sasl.password",
        "kafka.tls.key_password",
        "output.kafka.sasl.password",
        "kafka.sasl.password.env",
        "kafka.librdkafka.\"sasl.password\"",
        "kafka.librdkafka.\"ssl.key.password\"",
        "kafka.librdkafka.\"sasl.oauthbearer.client.secret\"",
    ];
    for place in places {
        let set = format!("{place}={plain}");
        let (text, code) = ran(&folder, &["check", "--set", &set], &[]);
        assert_eq!(code, Some(3), "{place}: {text}");
        assert!(!text.contains(MARK), "{place}: {text}");
        let variable = format!("OUZEL__{}", place.to_uppercase().replace('.', "__"));
        if !place.contains('"') {
            let (text, code) = ran(&folder, &["check"], &[(&variable, PASSWORD)]);
            assert_eq!(code, Some(3), "{variable}: {text}");
            assert!(!text.contains(MARK), "{variable}: {text}");
        }
    }
}

#[test]
fn the_search_finds_what_is_printed() {
    let folder = with_secrets("canary_found", "mechanism = 'PLAIN', username = 'u'");
    let (text, _) = ran(&folder, &["check", "--set", &format!("input.start={PASSWORD}")], &[]);
    assert!(text.contains(MARK), "a value that is no secret is repeated: {text}");
}
