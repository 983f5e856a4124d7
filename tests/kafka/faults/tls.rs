//! Row 14: certificates that prove nothing, and credentials that change while the stage runs.

use std::path::Path;
use std::time::Duration;

use super::MINUTES;
use crate::admin::Admin;
use crate::broker::{Broker, PASSWORD, USER};
use crate::feed::Plan;
use crate::grants;
use crate::history;
use crate::security;
use crate::stage;

/// An expired certificate, another host's, one of an unknown authority, and no TLS at all where
/// TLS is asked for: each time the stage ends with 4 within ten seconds, says why, and sends its
/// password to nobody.
pub fn refused(broker: &Broker) -> Result<String, String> {
    let authority = broker.certificates.authority();
    let other = broker.certificates.other_authority();
    let cases: [(&str, String, &Path, &str); 4] = [
        ("expired", broker.expired(), &authority, "certificate"),
        ("elsewhere", broker.elsewhere(), &authority, "certificate"),
        ("unknown-authority", broker.sasl_ssl(), &other, "certificate"),
        ("no-tls", broker.plaintext(), &authority, "ssl"),
    ];
    let mut said = Vec::new();
    for (name, brokers, ca_file, word) in cases {
        let mut setup = security::with_password(broker, name, PASSWORD)?;
        setup.kafka = setup
            .kafka
            .replace(&broker.sasl_ssl(), &brokers)
            .replace(&authority.display().to_string(), &ca_file.display().to_string());
        let logged = security::refused(broker, name, &setup)?;
        if !logged.to_lowercase().contains(word) {
            return Err(format!("{name}: the message does not say {word:?}:\n{logged}"));
        }
        if logged.contains(PASSWORD) {
            return Err(format!("{name}: the password was printed:\n{logged}"));
        }
        said.push(name);
    }
    Ok(format!("exit 4 within 10 s and a message that says why: {}", said.join(", ")))
}

/// The password of the user changes while the stage runs, and the broker restarts so that it has
/// to log in again: it stays up, says that it is not ready, and goes on when the password is what
/// it knows.
pub fn rotated(broker: &Broker) -> Result<String, String> {
    let name = "rotated";
    let brokers = broker.plaintext();
    let setup = security::with_password(broker, name, PASSWORD)?;
    setup.create_topics(&brokers, 2)?;
    let admin = Admin::of(&brokers)?;
    grants::all(broker, name)?;
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let plan = Plan::new(&brokers, name, 2_000);
    plan.clone().seeded(1).send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    set_password(&admin, "canary-0ther-pa55word")?;
    broker.node.stop()?;
    broker.node.start()?;
    let while_wrong = stage.wait_until_not_ready(Duration::from_secs(45));
    let alive = stage.is_alive();
    set_password(&admin, PASSWORD)?;
    let why = while_wrong?;
    alive?;
    plan.seeded(2).send()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.wait_until_ready()?;
    let logged = stage.stop()?;
    if logged.contains(PASSWORD) {
        return Err(format!("the password was printed:\n{logged}"));
    }
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    let why = why.lines().next().unwrap_or_default();
    Ok(format!("not ready ({why}), healthy, resumed by itself; {seen}"))
}

fn set_password(admin: &Admin, password: &str) -> Result<(), String> {
    let credentials = format!("SCRAM-SHA-512=[password={password}]");
    admin.alter(&["--add-config", &credentials, "--entity-type", "users", "--entity-name", USER])
}
