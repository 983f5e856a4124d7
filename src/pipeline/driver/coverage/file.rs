//! The ledger in a file: one document a line, the last one of a key stands.
//!
//! Lines are only added, in one write, so that a reader or a crash meets whole lines but for the
//! last one. When the file has grown enough, and at the start, what a newer line has replaced and
//! what is older than a month is left out, by way of a new file that takes the old one's place. One
//! process writes it: a lock beside it says so.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::waiting::Encoded;
use crate::limits::{LEDGER_DOCUMENT_BYTES_MAX, LEDGER_FILE_BYTES_GROWN, LEDGER_FILE_HOURS_MAX};
use crate::pipeline::ledger::{Document, Hour};
use crate::record::Timestamp;

/// A file that this process writes.
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    /// Bytes added since it was written anew; bytes that it had then.
    added: u64,
    base: u64,
    /// The last write failed and may have left a part of a line.
    is_torn: bool,
    /// Held as long as this process writes the file.
    _lock: File,
}

impl LedgerFile {
    /// Opens the file, or begins one, at the time `now`.
    pub fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let lock = lock(path)?;
        let base = write_anew(path, now)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, added: 0, base, is_torn: false, _lock: lock })
    }

    /// Adds documents.
    pub fn add(&mut self, documents: &[Encoded], now: Timestamp) -> io::Result<()> {
        if self.added > LEDGER_FILE_BYTES_GROWN.max(self.base) {
            self.base = write_anew(&self.path, now)?;
            self.file = OpenOptions::new().append(true).open(&self.path)?;
            self.added = 0;
        }
        let mut text = String::new();
        if std::mem::replace(&mut self.is_torn, true) {
            text.push('\n');
        }
        for document in documents {
            text.push_str(&document.value);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.is_torn = false;
        self.added += text.len() as u64;
        Ok(())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn lock(path: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().create(true).append(true).open(beside(path, ".lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let why = "another process writes it; give each its own `coverage.file`";
            Err(io::Error::new(io::ErrorKind::ResourceBusy, why))
        }
        Err(TryLockError::Error(fault)) => Err(fault),
    }
}

/// Writes the file without what is replaced or too old; says how large it is then.
fn write_anew(path: &Path, now: Timestamp) -> io::Result<u64> {
    let oldest = Timestamp::from_millis(now.as_millis() - LEDGER_FILE_HOURS_MAX * 3_600_000);
    let documents = match read(path) {
        Ok(Lines { documents, .. }) => documents,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(fault) => return Err(fault),
    };
    let mut text = String::new();
    for document in documents.iter().filter(|document| document.hour >= Hour::of(oldest)) {
        text.push_str(&document.encode());
        text.push('\n');
    }
    let new = beside(path, ".new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    std::fs::rename(&new, path)?;
    Ok(text.len() as u64)
}

/// What a file says.
#[derive(Debug, Default)]
pub struct Lines {
    /// The last document of each key, in the order of keys.
    pub documents: Vec<Document>,
    /// Lines that are none.
    pub unreadable: u64,
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> io::Result<Lines> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut by_key = BTreeMap::new();
    let mut unreadable = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = LEDGER_DOCUMENT_BYTES_MAX as u64;
        if io::Read::take(&mut reader, most).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.trim_ascii();
        match Document::decode(text) {
            Ok(document) => drop(by_key.insert(document.key(), document)),
            Err(_) if text.is_empty() => {}
            Err(_) => unreadable += 1,
        }
    }
    Ok(Lines { documents: by_key.into_values().collect(), unreadable })
}

#[cfg(test)]
mod tests {
    use super::super::waiting::Waiting;
    use super::*;
    use crate::pipeline::ledger::document::{Page, VERSION};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn said(partition: i32, hours_ago: i64, records: u64) -> Document {
        let time = Timestamp::from_millis(NOW.as_millis() - hours_ago * 3_600_000);
        Document {
            version: VERSION,
            cluster: String::new(),
            group: "g".to_owned(),
            topic: "okta".to_owned(),
            partition,
            hour: Hour::of(time),
            member: "m".to_owned(),
            updated: time,
            reads: true,
            page: Page { records, ..Page::default() },
        }
    }
    fn encoded(documents: &[Document]) -> Vec<Encoded> {
        let mut waiting = Waiting::default();
        waiting.add(documents);
        waiting.take()
    }
    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("ouzel-ledger-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn the_last_one_of_a_key_stands_and_history_survives_a_restart() {
        let path = folder("last").join("ledger");
        let mut file = LedgerFile::open(&path, NOW).expect("a new file");
        file.add(&encoded(&[said(0, 1, 5), said(1, 0, 1)]), NOW).expect("room");
        file.add(&encoded(&[said(0, 1, 6), said(0, 24 * 40, 9)]), NOW).expect("room");
        let found = read(&path).expect("a file");
        assert_eq!(found.documents.len(), 3);
        assert!(found.documents.contains(&said(0, 1, 6)) && found.unreadable == 0);
        drop(file);
        LedgerFile::open(&path, NOW).expect("the same file");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text.lines().count(), 2, "what is replaced or old is left out:\n{text}");
    }

    #[test]
    fn a_part_of_a_line_costs_that_line_only() {
        let path = folder("torn").join("ledger");
        let whole = said(0, 0, 5).encode();
        std::fs::write(&path, format!("{whole}\n{}", &whole[..40])).expect("room");
        assert_eq!(read(&path).expect("a file").unreadable, 1);
        let mut file = LedgerFile::open(&path, NOW).expect("the file");
        file.is_torn = true;
        file.add(&encoded(&[said(1, 0, 1)]), NOW).expect("room");
        let found = read(&path).expect("a file");
        assert_eq!((found.documents.len(), found.unreadable), (2, 0));
    }

    #[test]
    fn one_process_writes_a_file() {
        let path = folder("lock").join("ledger");
        let _first = LedgerFile::open(&path, NOW).expect("a new file");
        let fault = LedgerFile::open(&path, NOW).expect_err("it is locked").to_string();
        assert!(fault.contains("coverage.file"), "{fault}");
    }

    #[test]
    fn a_file_that_has_grown_is_written_anew() {
        let path = folder("grown").join("ledger");
        let mut file = LedgerFile::open(&path, NOW).expect("a new file");
        file.add(&encoded(&[said(0, 1, 5)]), NOW).expect("room");
        file.add(&encoded(&[said(0, 1, 6)]), NOW).expect("room");
        file.added = LEDGER_FILE_BYTES_GROWN + 1;
        file.add(&encoded(&[said(0, 1, 7)]), NOW).expect("room");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(read(&path).expect("a file").documents, [said(0, 1, 7)]);
    }
}
