//! Credentials, encryption and access lists; and what is said when they are wrong.

use std::time::{Duration, Instant};

use super::broker::{Broker, PASSWORD, USER};
use super::exactly_once::SHORT;
use super::stage::{self, Setup};
use super::{client, grants, history};

/// `[kafka]` for the SASL_SSL listener; the password comes from a file.
pub fn with_password(broker: &Broker, name: &str, password: &str) -> Result<Setup, String> {
    let file = broker.folder_for(name)?.join("password");
    std::fs::write(&file, format!("{password}\n")).map_err(|fault| fault.to_string())?;
    let mut setup = Setup::named(name, &broker.plaintext());
    setup.kafka = format!(
        "brokers = {:?}\ntls = {{ ca_file = {:?} }}\n\
         sasl = {{ mechanism = \"SCRAM-SHA-512\", username = \"{USER}\", password = {{ file = {:?} }} }}\n",
        broker.sasl_ssl(),
        broker.authority().display(),
        file.display()
    );
    Ok(setup)
}

/// As [`with_password`], with exactly-once; its transactional ids begin with `NAME-`.
pub fn with_exactly_once(broker: &Broker, name: &str) -> Result<Setup, String> {
    let mut setup = with_password(broker, name, PASSWORD)?;
    setup.input += "instance_id = \"a\"\n";
    setup.more += &format!(
        "[delivery]\nguarantee = \"exactly-once\"\ntransactional_id_prefix = {name:?}\n{SHORT}"
    );
    Ok(setup)
}

/// The whole job over TLS with SCRAM-SHA-512, by a user who may do no more than it needs.
pub fn scram_over_tls(broker: &Broker) -> Result<String, String> {
    let name = "secured";
    let brokers = broker.plaintext();
    let setup = with_password(broker, name, PASSWORD)?;
    client::create_topics(&brokers, &[(name, 2), (&setup.alerts, 1), (&setup.dead_letters, 1)])?;
    grants::all(broker, name)?;
    let stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let arguments = ["--count", "5000", "--hits-permille", "10"];
    stage::finish(stage::generate(&brokers, name, &arguments)?)?;
    history::wait_for_end(&brokers, name, name, Duration::from_secs(60))?;
    let logged = stage.stop()?;
    if logged.contains(PASSWORD) {
        return Err(format!("the password stands in the log:\n{logged}"));
    }
    match history::nothing_lost(&brokers, name, &setup.alerts)? {
        (50, 0) => Ok("5,000 records over TLS with SCRAM-SHA-512, 50 alerts".to_owned()),
        (resets, repeats) => Err(format!("{resets} resets, {repeats} repeats")),
    }
}

/// Starts a stage that cannot work and returns what it said; it must end with 4 within 10 s.
pub fn refused(broker: &Broker, name: &str, setup: &Setup) -> Result<String, String> {
    let started = Instant::now();
    let mut stage = stage::spawn(&broker.folder_for(name)?, "stage", setup)?;
    let status = stage.ended(Duration::from_secs(15))?;
    let took = started.elapsed();
    let said = stage.logged();
    if status.code() != Some(4) {
        return Err(format!("ended with {status}, not 4:\n{said}"));
    }
    if took > Duration::from_secs(10) {
        return Err(format!("took {took:?} to give up:\n{said}"));
    }
    Ok(said)
}

/// A wrong password: a plain message within 10 s, without the password.
pub fn wrong_password(broker: &Broker) -> Result<String, String> {
    let name = "wrong-password";
    let wrong = "canary-wr0ng-pa55word";
    let setup = with_password(broker, name, wrong)?;
    let said = refused(broker, name, &setup)?;
    if said.contains(wrong) {
        return Err(format!("the password was printed:\n{said}"));
    }
    let lower = said.to_lowercase();
    if !(lower.contains("authentication") || lower.contains("credentials")) {
        return Err(format!("the message does not say what is wrong:\n{said}"));
    }
    Ok("exit 4 within 10 s, plain message, no password".to_owned())
}

/// A topic that the broker lacks.
pub fn missing_topic(broker: &Broker) -> Result<String, String> {
    let name = "not-there";
    let setup = Setup::named(name, &broker.plaintext());
    let said = refused(broker, name, &setup)?;
    for topic in [name, "not-there-alerts", "not-there-dead-letters"] {
        if !said.contains(topic) {
            return Err(format!("topic {topic} is not named:\n{said}"));
        }
    }
    Ok("exit 4 within 10 s, all three topics named".to_owned())
}
