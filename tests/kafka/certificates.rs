//! Authorities and certificates of the suite, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Certificates of one run.
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes an authority, another one, and a node's certificates signed by the first: a good one
    /// for `localhost` and 127.0.0.1, one that has expired, and one for another host.
    pub fn make(folder: &Path) -> Result<Self, String> {
        let certificates = Self { folder: folder.to_owned() };
        for authority in ["ca", "other-ca"] {
            certificates.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {authority}.key -out {authority}.pem \
                 -days 2 -subj /CN=ouzel-test-{authority}"
            ))?;
        }
        certificates.sign("server", "DNS:localhost,IP:127.0.0.1", 2)?;
        certificates.sign("expired", "DNS:localhost,IP:127.0.0.1", -1)?;
        certificates.sign("elsewhere", "DNS:elsewhere.example", 2)?;
        Ok(certificates)
    }

    /// A client's certificate and its key, which only `passphrase` opens.
    pub fn client(&self, passphrase: &str) -> Result<(PathBuf, PathBuf), String> {
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -keyout client.key -out client.pem -days 2 \
             -subj /CN=client -passout pass:{passphrase}"
        ))?;
        Ok((self.folder.join("client.pem"), self.folder.join("client.key")))
    }

    fn sign(&self, name: &str, hosts: &str, days: i32) -> Result<(), String> {
        let file = |ending: &str| self.folder.join(format!("{name}{ending}"));
        fs::write(file(".cnf"), format!("subjectAltName={hosts}\n"))
            .map_err(|fault| fault.to_string())?;
        self.openssl(&format!(
            "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} \
             -extfile {name}.cnf -out {name}.pem"
        ))?;
        let mut store = String::new();
        for part in [file(".key"), file(".pem"), self.folder.join("ca.pem")] {
            store += &fs::read_to_string(part).map_err(|fault| fault.to_string())?;
        }
        fs::write(self.store(name), store).map_err(|fault| fault.to_string())
    }

    /// Key, certificate and authority in one file, as Kafka reads it.
    pub fn store(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-keystore.pem"))
    }

    /// The certificate of the authority that signed the nodes'.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// One that signed nothing here.
    pub fn other_authority(&self) -> PathBuf {
        self.folder.join("other-ca.pem")
    }

    fn openssl(&self, arguments: &str) -> Result<(), String> {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .output()
            .map_err(|fault| format!("run openssl: {fault}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
