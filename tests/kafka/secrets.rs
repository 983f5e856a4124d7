//! Secrets are printed nowhere: every secret of this suite begins with [`MARK`], which is searched
//! for in all that the stages said, in each page that they served, and in what they wrote.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;
use ouzel::config::settings::{ClusterSettings, SaslSettings, Secret, TlsSettings};
use ouzel::kafka::settings;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use super::broker::{Broker, PASSWORD, USER};
use super::client::{self, wait_until};
use super::feed::Plan;
use super::stage::{self, Setup};
use super::{grants, history, security};

/// What every secret of this suite begins with.
pub const MARK: &str = "canary-";
const PASSPHRASE: &str = "canary-pa55phrase-of-the-key";
/// Where the stage is told to look for the passphrase.
const VARIABLE: &str = "OUZEL_SUITE_PASSPHRASE";
/// Claims `{"sub":"ouzel","exp":4102444800}`, and a signature that is the secret.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvdXplbCIsImV4cCI6NDEwMjQ0NDgwMH0.canary-t0ken";
/// The files of this suite that hold a secret, and should.
const HOLDERS: [&str; 2] = ["password", "token"];

/// Whether a secret stands in `bytes`.
pub fn has_secret(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// What a search has found.
#[derive(Debug, Default)]
pub struct Search {
    /// Files that were searched and should hold none.
    searched: usize,
    /// Those that do.
    leaks: Vec<PathBuf>,
    /// Files that hold a secret and should: without any, the search would find nothing anywhere.
    holders: usize,
}

impl Search {
    /// Searches every log and every file that holds what a program said, below `folder`.
    pub fn below(folder: &Path) -> std::io::Result<Self> {
        let mut search = Self::default();
        search.folder(folder)?;
        Ok(search)
    }

    fn folder(&mut self, folder: &Path) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                self.folder(&path)?;
            } else if HOLDERS.contains(&name) {
                self.holders += usize::from(has_secret(&fs::read(&path)?));
            } else if matches!(ending, Some("log" | "said")) {
                self.searched += 1;
                if has_secret(&fs::read(&path)?) {
                    self.leaks.push(path);
                }
            }
        }
        Ok(())
    }

    /// What is to be said of it.
    pub fn verdict(&self) -> Result<String, String> {
        let Self { searched, leaks, .. } = self;
        match leaks.is_empty() {
            true => Ok(format!("{searched} files of output searched: no secret in any")),
            false => Err(format!("secrets were printed: {leaks:?}")),
        }
    }

    /// As [`Search::verdict`], of a search that must have found a secret where one belongs.
    fn proof(&self) -> Result<String, String> {
        if self.holders == 0 || self.searched == 0 {
            return Err(format!("the search finds nothing anywhere: {self:?}"));
        }
        self.verdict()
    }
}

/// Password, passphrase and token in every place where a stage may have them, while it works and
/// while it fails, with everything said that it can say.
pub fn nowhere(broker: &Broker) -> Result<String, String> {
    let name = "secrets";
    let folder = broker.folder_for(name)?;
    doctored(&folder.join("doctored"))?;
    let setup = with_all(broker, name)?;
    setup.create_topics(&broker.plaintext(), 2)?;
    grants::all(broker, name)?;
    for (number, format) in ["text", "json"].into_iter().enumerate() {
        works(broker, &setup, (number as u64, format))?;
    }
    checks(&folder)?;
    fails(broker, &setup)?;
    let lines = library(broker)?;
    let mut records = 0;
    for topic in [&setup.alerts, &setup.dead_letters] {
        for record in client::read_all(&broker.plaintext(), topic)? {
            records += 1;
            if has_secret(format!("{:?}", Text(&record)).as_bytes()) {
                return Err(format!("a secret stands in {topic} at {}", record.offset));
            }
        }
    }
    let said = Search::below(&folder).map_err(|fault| fault.to_string())?.proof()?;
    Ok(format!("{said}, nor in {records} outputs, nor in {lines} lines of the library"))
}

/// A search that cannot fail shows nothing.
fn doctored(folder: &Path) -> Result<(), String> {
    let io = |fault: std::io::Error| fault.to_string();
    fs::create_dir_all(folder.join("deep")).map_err(io)?;
    fs::write(folder.join("password"), PASSWORD).map_err(io)?;
    let log = folder.join("deep/stage.log");
    fs::write(&log, format!("INFO said=\"{PASSWORD}\"\n")).map_err(io)?;
    let found = Search::below(folder).map_err(io)?;
    fs::remove_dir_all(folder).map_err(io)?;
    match found.proof() {
        Err(fault) if fault.contains("stage.log") => Ok(()),
        other => Err(format!("a secret in a log was not found: {other:?}")),
    }
}

/// A record as text, so that what is not UTF-8 can be searched as well.
struct Text<'a>(&'a client::Stored);

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        write!(out, "{} {}", text(&self.0.key), text(&self.0.payload))?;
        self.0.headers.iter().try_for_each(|(name, value)| write!(out, " {name}={}", text(value)))
    }
}

/// SCRAM over TLS with a client certificate: the password from a file, the passphrase from the
/// environment; and the client library as talkative as can be.
fn with_all(broker: &Broker, name: &str) -> Result<Setup, String> {
    let mut setup = security::with_password(broker, name, PASSWORD)?;
    let (certificate, key) = broker.certificates.client(PASSPHRASE)?;
    let authority = format!("tls = {{ ca_file = {:?}", broker.authority());
    let with_key = format!(
        "{authority}, certificate_file = {certificate:?}, key_file = {key:?}, key_password = {{ env = \"{VARIABLE}\" }}"
    );
    setup.kafka = setup.kafka.replace(&authority, &with_key);
    setup.more = "[kafka.librdkafka]\ndebug = \"all\"\n".to_owned();
    Ok(setup)
}

/// A stage that does its job, reads its files again with a fault in them, and stops.
fn works(broker: &Broker, setup: &Setup, (run, format): (u64, &str)) -> Result<(), String> {
    let (name, brokers) = (&*setup.group, broker.plaintext());
    let folder = broker.folder_for(name)?;
    let mut setup = setup.clone();
    setup.more += &format!("[log]\nlevel = \"debug\"\nformat = \"{format}\"\n");
    let variable = format!("{VARIABLE}={PASSPHRASE}");
    let stage = stage::spawn_under(&["env", &variable], &folder, format, &setup)?.until_ready()?;
    Plan::new(&brokers, name, 2_000).seeded(run).send()?;
    history::wait_for_end(&brokers, name, name, Duration::from_secs(60))?;
    for page in ["/metrics", "/rules", "/healthz", "/readyz", "/"] {
        stage.get(page)?;
    }
    let file = folder.join(format!("{format}.toml"));
    let good = fs::read_to_string(&file).map_err(|fault| fault.to_string())?;
    // What is written in the place of a secret must not be repeated either.
    let bad = good.replace("username =", &format!("'pass word' = '{PASSWORD}', username ="));
    fs::write(&file, bad).map_err(|fault| fault.to_string())?;
    stage.signal(Signal::SIGHUP)?;
    wait_until("the fault is told", Duration::from_secs(20), || {
        Ok(stage.logged().contains("pass word").then_some(()))
    })?;
    fs::write(&file, good).map_err(|fault| fault.to_string())?;
    if run == 0 {
        rotates(&folder.join("password"), &stage)?;
    }
    stage.stop().map(drop)
}

/// A password that has been written again is noticed without a signal, and named as what needs a
/// restart.
fn rotates(password: &Path, stage: &stage::Stage) -> Result<(), String> {
    fs::write(password, PASSWORD).map_err(|fault| fault.to_string())?;
    wait_until("the changed password is named", Duration::from_secs(20), || {
        let logged = stage.logged();
        let line = logged.lines().find(|line| line.contains("only a restart heeds"));
        Ok(line.is_some_and(|line| line.contains("kafka.sasl.password (its file)")).then_some(()))
    })
}

/// `ouzel check` with the same configuration.
fn checks(folder: &Path) -> Result<(), String> {
    for (name, arguments) in [("topics", ["check", "--topics"]), ("show", ["check", "--show"])] {
        let output = Command::new(env!("CARGO_BIN_EXE_ouzel"))
            .args(arguments)
            .args(["-vv", "-c"])
            .arg(folder.join("text.toml"))
            .env(VARIABLE, PASSPHRASE)
            .stdin(Stdio::null())
            .output()
            .map_err(|fault| fault.to_string())?;
        let said = [output.stdout, output.stderr].concat();
        if !output.status.success() {
            return Err(format!("check: {}", String::from_utf8_lossy(&said)));
        }
        fs::write(folder.join(format!("{name}.said")), said).map_err(|fault| fault.to_string())?;
    }
    Ok(())
}

/// Stages that cannot start: a wrong password, a wrong passphrase, a token that nobody wants.
fn fails(broker: &Broker, setup: &Setup) -> Result<(), String> {
    let name = &*setup.group;
    let folder = broker.folder_for(name)?;
    let mut setup = setup.clone();
    setup.more += "[log]\nlevel = \"debug\"\n";
    let run = |what: &str, setup: &Setup, passphrase: &str| -> Result<(), String> {
        let variable = format!("{VARIABLE}={passphrase}");
        let mut stage = stage::spawn_under(&["env", &variable], &folder, what, setup)?;
        let status = stage.ended(Duration::from_secs(20))?;
        match status.code() {
            Some(3 | 4) => Ok(()),
            _ => Err(format!("{what}: ended with {status}\n{}", stage.logged())),
        }
    };
    run("wrong-passphrase", &setup, "canary-wr0ng-pa55phrase")?;
    let password = folder.join("password");
    let io = |fault: std::io::Error| fault.to_string();
    fs::write(&password, "canary-wr0ng-pa55word").map_err(io)?;
    let outcome = run("wrong-password", &setup, PASSPHRASE);
    fs::write(&password, PASSWORD).map_err(io)?;
    outcome?;
    let token = folder.join("token");
    fs::File::create(&token).and_then(|mut file| file.write_all(TOKEN.as_bytes())).map_err(io)?;
    let (head, _) = setup.kafka.split_once("sasl = ").ok_or("no SASL in the setup")?;
    setup.kafka =
        format!("{head}sasl = {{ mechanism = \"OAUTHBEARER\", token_file = {token:?} }}\n");
    run("token", &setup, PASSPHRASE)
}

/// Keeps what the library logs, which the stage's log would cut and hold back.
#[derive(Default)]
struct Keeper(Mutex<Vec<String>>);

impl ClientContext for Keeper {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, said: &str) {
        let mut lines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.push(format!("{facility} {said}"));
    }
}

impl ConsumerContext for Keeper {}

/// The client library itself, configured as the stage configures it, with every debug line on.
fn library(broker: &Broker) -> Result<usize, String> {
    let (certificate, key) = broker.certificates.client(PASSPHRASE)?;
    let cluster = ClusterSettings {
        brokers: broker.sasl_ssl(),
        tls: Some(TlsSettings {
            ca_file: Some(broker.authority()),
            certificate_file: Some(certificate),
            key_file: Some(key),
            key_password: Some(Secret::new(PASSPHRASE)),
        }),
        sasl: Some(SaslSettings::Password {
            mechanism: "SCRAM-SHA-512".to_owned(),
            username: USER.to_owned(),
            password: Secret::new(PASSWORD),
        }),
        ..ClusterSettings::default()
    };
    let mut configuration = settings::admin(&cluster);
    configuration.set("debug", "all").set_log_level(RDKafkaLogLevel::Debug);
    let said = format!("{configuration:?}");
    let consumer: BaseConsumer<Keeper> =
        configuration.create_with_context(Keeper::default()).map_err(|fault| fault.to_string())?;
    consumer.fetch_metadata(None, Duration::from_secs(20)).map_err(|fault| fault.to_string())?;
    drop(consumer.poll(Duration::from_millis(200)));
    let lines = consumer.context().0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(leak) = lines.iter().chain([&said]).find(|line| has_secret(line.as_bytes())) {
        return Err(format!("the client library says a secret: {leak}"));
    }
    // Its configuration and its login are among them: without these the search would be of nothing.
    let is_talkative =
        ["sasl.password", "SCRAM"].iter().all(|word| lines.iter().any(|line| line.contains(word)));
    if is_talkative { Ok(lines.len()) } else { Err(format!("the library said little: {lines:#?}")) }
}
