//! A cluster's table → its settings: `[kafka]` and `[output.kafka]` alike.

use std::path::PathBuf;

use super::file::{ClusterTable, FilePath, SaslTable, TlsTable};
use super::librdkafka;
use super::origin::KeyPath;
use super::secret::Secrets;
use super::settings::{ClusterSettings, SaslSettings, Secret, TlsSettings};
use super::validate::Check;

/// Checks the table that stands at `at`.
pub(super) fn settings(
    check: &mut Check<'_>,
    at: &str,
    table: &ClusterTable,
    defaults: &ClusterSettings,
) -> ClusterSettings {
    let key = |name: &str| format!("{at}.{name}");
    let brokers = check.text(&key("brokers"), table.brokers.as_ref(), &defaults.brokers);
    if let Err(fault) = check_brokers(&brokers) {
        check.fault(&key("brokers"), fault);
    }
    let settings = ClusterSettings {
        brokers,
        client_id: check.text(&key("client_id"), table.client_id.as_ref(), &defaults.client_id),
        tls: table.tls.as_ref().map(|table| tls(check, &key("tls"), table)),
        sasl: table.sasl.as_ref().and_then(|table| sasl(check, &key("sasl"), table)),
        librdkafka: table
            .librdkafka
            .iter()
            .map(|(name, value)| (name.clone(), value.text().to_owned()))
            .collect(),
    };
    for name in settings.librdkafka.keys() {
        if let Err(fault) = librdkafka::check(name) {
            check.fault_at(KeyPath::new(&key("librdkafka")).child(name), fault);
        }
    }
    let allowed = table.allow_plaintext_credentials.unwrap_or_default();
    if table.sasl.is_some() && table.tls.is_none() && !allowed {
        let message = format!(
            "credentials would travel unencrypted: add an [{at}.tls] table (it may be empty), or \
             say {at}.allow_plaintext_credentials = true"
        );
        check.fault(&key("sasl"), message);
    }
    settings
}

fn check_brokers(brokers: &str) -> Result<(), String> {
    for broker in brokers.split(',').map(str::trim) {
        let (host, port) = broker.rsplit_once(':').unwrap_or((broker, "9092"));
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        if host.is_empty() || host.contains(['/', ' ', '@']) || !is_port {
            return Err(format!(
                "found {broker:?}; write host:port, several separated by commas, without a scheme"
            ));
        }
    }
    Ok(())
}

fn tls(check: &mut Check<'_>, at: &str, table: &TlsTable) -> TlsSettings {
    let key = |name: &str| format!("{at}.{name}");
    if table.certificate_file.is_some() && table.key_file.is_none() {
        check.fault(&key("key_file"), "is missing: a certificate needs its key");
    }
    if table.key_file.is_some() && table.certificate_file.is_none() {
        check.fault(&key("certificate_file"), "is missing: a key needs its certificate");
    }
    if table.key_password.is_some() && table.key_file.is_none() {
        check.fault(&key("key_password"), "has no key_file that it would open");
    }
    TlsSettings {
        ca_file: file(check, &key("ca_file"), table.ca_file.as_ref()),
        certificate_file: file(check, &key("certificate_file"), table.certificate_file.as_ref()),
        key_file: file(check, &key("key_file"), table.key_file.as_ref()),
        key_password: table.key_password.as_ref().map(|reference| {
            let read = check.surroundings.read(reference);
            secret(check, &key("key_password"), read)
        }),
    }
}

fn sasl(check: &mut Check<'_>, at: &str, table: &SaslTable) -> Option<SaslSettings> {
    let key = |name: &str| format!("{at}.{name}");
    let Some(mechanism) = table.mechanism.clone() else {
        let allowed = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER";
        check.fault(&key("mechanism"), format!("is missing; write one of {allowed}"));
        return None;
    };
    let is_token = mechanism == "OAUTHBEARER";
    let parts = [
        ("username", table.username.is_some(), !is_token),
        ("password", table.password.is_some(), !is_token),
        ("token_file", table.token_file.is_some(), is_token),
    ];
    for (name, is_there, is_wanted) in parts {
        match (is_there, is_wanted) {
            (false, true) => {
                check.fault(&key(name), format!("is missing: {mechanism} needs it"));
            }
            (true, false) => {
                check.fault(&key(name), format!("means nothing to {mechanism}; leave it out"));
            }
            _ => {}
        }
    }
    if is_token {
        let token_file = file(check, &key("token_file"), table.token_file.as_ref())?;
        return Some(SaslSettings::TokenFile { token_file });
    }
    let read = check.surroundings.read(table.password.as_ref()?);
    Some(SaslSettings::Password {
        mechanism,
        username: check.text(&key("username"), table.username.as_ref(), ""),
        password: secret(check, &key("password"), read),
    })
}

fn secret(check: &mut Check<'_>, key: &str, read: Result<Secret, String>) -> Secret {
    read.unwrap_or_else(|fault| {
        check.fault(key, fault);
        Secret::new("")
    })
}

/// A file that must be there when a connection is made.
fn file(check: &mut Check<'_>, key: &str, path: Option<&FilePath>) -> Option<PathBuf> {
    let path = path?.path().to_owned();
    if path.as_os_str().is_empty() {
        check.fault(key, "is empty; leave the key out");
    } else if check.surroundings.secrets == Secrets::Read
        && let Err(fault) = std::fs::File::open(&path)
    {
        check.fault(key, format!("{}: {fault}", path.display()));
    }
    Some(path)
}
