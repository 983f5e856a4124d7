//! Reading everything again while the stage runs: the same files, in the same order of precedence.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::Shared;
use super::configuration::{self, Loaded};
use super::exit::Failure;
use super::{exceptions, files, rules};
use crate::config::{KeyPath, Settings, Tree};
use crate::pipeline::driver::{Reload, Reloaded};
use crate::telemetry::logging::LevelHandle;

/// Keys that a running stage heeds, with everything below them.
const HEEDED: [&str; 4] = ["rules", "exceptions", "rule", "log.level"];

/// Reads again what a command was started with.
#[derive(Debug)]
pub(super) struct FileReload {
    shared: Shared,
    running: Loaded,
    /// What the connections were made with, as it was then.
    connected: Vec<ConnectionFile>,
    level: LevelHandle,
}

/// A secret, a certificate or a key: the client library reads them when it connects first.
#[derive(Clone, Debug)]
struct ConnectionFile {
    key: String,
    path: PathBuf,
    seen: u64,
}

impl ConnectionFile {
    /// Those that `written` names. A token's file is none: it is read again at each refresh.
    fn all(written: &Tree) -> Vec<Self> {
        let clusters = [KeyPath::new("kafka"), KeyPath::new("output.kafka")];
        let leaves = written.leaves().iter();
        leaves
            .filter(|(key, _)| clusters.iter().any(|cluster| key.is_within(cluster)))
            .filter_map(|(key, leaf)| {
                let key = key.to_string();
                let is_file = key.ends_with("_file") && !key.ends_with(".token_file");
                let path = match &leaf.value {
                    toml::Value::Table(secret) => secret.get("file")?.as_str()?,
                    value if is_file => value.as_str()?,
                    _ => return None,
                };
                let path = PathBuf::from(path);
                Some(Self { seen: files::look(&[std::slice::from_ref(&path)]), key, path })
            })
            .collect()
    }

    fn has_changed(&self) -> bool {
        files::look(&[std::slice::from_ref(&self.path)]) != self.seen
    }
}

impl FileReload {
    /// `running` is what the stage was started with.
    pub(super) fn new(shared: Shared, running: Loaded, level: LevelHandle) -> Self {
        let connected = ConnectionFile::all(&running.written);
        Self { shared, running, connected, level }
    }

    fn read(&self) -> Result<Reloaded, Failure> {
        let loaded = configuration::load(&self.shared)?;
        let settings = heeded(&self.running.settings, loaded.settings);
        let rules = rules::load(&settings, &self.shared)?;
        let exceptions = exceptions::load(&settings, &rules)?;
        let mut needs_restart = unheeded(&self.running.written, &loaded.written);
        let changed = self.connected.iter().filter(|file| file.has_changed());
        needs_restart.extend(changed.map(|file| format!("{} (its file)", file.key)));
        Ok(Reloaded { settings, rules: Arc::clone(&rules), exceptions, needs_restart })
    }
}

impl Reload for FileReload {
    fn load(&mut self) -> Result<Reloaded, Vec<String>> {
        self.read().map_err(|failure| failure.faults().to_vec())
    }

    fn look(&mut self) -> u64 {
        let settings = &self.running.settings;
        let file: Vec<PathBuf> = self.running.file.iter().cloned().collect();
        let connected: Vec<PathBuf> = self.connected.iter().map(|file| file.path.clone()).collect();
        files::look(&[&file, &settings.rules, &settings.exceptions, &connected])
    }

    fn adopt(&mut self, settings: &Settings) {
        self.level.set(&settings.log.level);
        self.running.settings = settings.clone();
    }
}

/// The settings in force, with what of `new` a running stage heeds.
fn heeded(running: &Settings, new: Settings) -> Settings {
    let mut settings = running.clone();
    settings.rules = new.rules;
    settings.exceptions = new.exceptions;
    settings.rule_overrides = new.rule_overrides;
    settings.log.level = new.log.level;
    settings
}

/// Keys whose values differ between `running` and `new`, and that only a restart heeds.
fn unheeded(running: &Tree, new: &Tree) -> Vec<String> {
    let documented = Tree::documented();
    let before = documented.clone().overlaid(running);
    let after = documented.overlaid(new);
    let mut keys: Vec<&KeyPath> = before.leaves().keys().chain(after.leaves().keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let value =
        |tree: &'_ Tree, key: &KeyPath| tree.leaves().get(key).map(|leaf| leaf.value.to_string());
    keys.into_iter()
        .filter(|key| !HEEDED.iter().any(|heeded| key.is_within(&KeyPath::new(heeded))))
        .filter(|key| value(&before, key) != value(&after, key))
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Reader;

    fn written(text: &str) -> Tree {
        let mut reader = Reader::default();
        reader.file(Path::new("ouzel.toml"), text);
        reader.tree
    }

    #[test]
    fn files_that_connections_were_made_with_are_watched() {
        let folder = std::env::temp_dir().join(format!("ouzel-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = |name: &str| folder.join(name).display().to_string();
        for name in ["password", "ca.pem", "token"] {
            std::fs::write(path(name), "one").expect("a file");
        }
        let [password, authority, token] = ["password", "ca.pem", "token"].map(path);
        let written = written(&format!(
            "[kafka]\nbrokers = 'a:1'\n[kafka.tls]\nca_file = '{authority}'\n[kafka.sasl]\n\
             mechanism = 'PLAIN'\nusername = 'u'\npassword = {{ file = '{password}' }}\n\
             [output.kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken_file = '{token}'\n\
             [output.kafka.tls]\nkey_password = {{ env = 'NAME' }}\n"
        ));
        let files = ConnectionFile::all(&written);
        let changed = || -> Vec<&str> {
            files.iter().filter(|file| file.has_changed()).map(|file| &*file.key).collect()
        };
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(changed().is_empty());
        std::fs::write(&password, "another").expect("a file");
        assert_eq!(changed(), ["kafka.sasl.password"]);
        std::fs::remove_file(&authority).expect("a file");
        assert_eq!(changed(), ["kafka.sasl.password", "kafka.tls.ca_file"]);
        std::fs::remove_dir_all(&folder).expect("it was ours");
    }

    #[test]
    fn keys_that_need_a_restart_are_named_and_no_others() {
        let before = written("rules = ['a']\n[input]\ngroup = 'one'\n[log]\nlevel = 'info'\n");
        let check = |after: &str, keys: &[&str]| {
            assert_eq!(unheeded(&before, &written(after)), keys, "{after}");
        };
        check("rules = ['b']\n[input]\ngroup = 'one'\n[log]\nlevel = 'debug'\n", &[]);
        check(
            "[input]\ngroup = 'two'\n[output]\nlinger_ms = 7\n",
            &["input.group", "output.linger_ms"],
        );
        // Written as the default is no change.
        check("[input]\ngroup = 'one'\n[output]\nlinger_ms = 1\n", &[]);
        check("[input]\ngroup = 'one'\n[rule.x]\nmax_signals = 5\n", &[]);
    }
}
