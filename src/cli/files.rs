//! Finds and reads the files that rules, exceptions and cases are written in.
//!
//! A folder is read with all its folders below, in the order of names. Names that start with a dot
//! are skipped, so a mounted ConfigMap (whose files are links through `..data`) is read once.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use crate::limits;

/// Deepest nesting of folders below a path that is read; deeper is a loop of links.
const FOLDER_DEPTH_MAX: usize = 16;

/// One text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Where it stands.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl TextFile {
    /// The path, for messages.
    #[must_use]
    pub fn origin(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether the file's name ends with `ending`.
    #[must_use]
    pub fn has_ending(&self, ending: &str) -> bool {
        has_ending(&self.path, ending)
    }
}

/// What is wrong with a file, as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It is not there, or cannot be read.
    #[error("{0}")]
    Unavailable(String),
    /// It can be read, but is no such file.
    #[error("{0}")]
    Malformed(String),
}

/// The faults as a command's failure: 4 where a file cannot be read, else 2.
fn failure(faults: &[FileFault]) -> Failure {
    let is_unavailable = |fault: &FileFault| matches!(fault, FileFault::Unavailable(_));
    let exit = if faults.iter().any(is_unavailable) { Exit::Unavailable } else { Exit::Rules };
    Failure::all(exit, faults.iter().map(ToString::to_string).collect())
}

/// Reads every file that `paths` name: files as they are, folders with every file in them whose
/// name has one of `endings`. What could not be read stands beside what could, so that one run
/// shows every fault: a path that is not there, cannot be read, is too large or is no UTF-8.
#[must_use]
pub fn gather(paths: &[PathBuf], endings: &[&str]) -> (Vec<TextFile>, Option<Failure>) {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => walk(path, endings, 0, &mut found, &mut faults),
            Ok(_) => found.push(path.clone()),
            Err(fault) => faults.push(unavailable(path, &fault)),
        }
    }
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        match read(&path) {
            Ok(text) => files.push(TextFile { path, text }),
            Err(fault) => faults.push(fault),
        }
    }
    let unread = (!faults.is_empty()).then(|| failure(&faults));
    (files, unread)
}

fn walk(
    folder: &Path,
    endings: &[&str],
    depth: usize,
    found: &mut Vec<PathBuf>,
    faults: &mut Vec<FileFault>,
) {
    if depth > FOLDER_DEPTH_MAX {
        faults.push(FileFault::Malformed(format!(
            "read {}: more than {FOLDER_DEPTH_MAX} folders deep; is a link pointing back up?",
            folder.display()
        )));
        return;
    }
    let mut paths = match fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    }) {
        Ok(paths) => paths,
        Err(fault) => return faults.push(unavailable(folder, &fault)),
    };
    paths.sort();
    for path in paths.into_iter().filter(|path| !is_hidden(path)) {
        if path.is_dir() {
            walk(&path, endings, depth + 1, found, faults);
        } else if endings.iter().any(|ending| has_ending(&path, ending)) {
            found.push(path);
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(ending.as_bytes()))
}

/// A number that changes when a file that `paths` name, or one in a folder that they name, has
/// changed, is new or is gone. Links are followed, so the files of a ConfigMap count as changed when
/// the link that all of them go through is swapped. Contents are not read.
#[must_use]
pub fn look(paths: &[&[PathBuf]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths.iter().flat_map(|paths| paths.iter()) {
        let mut found = vec![path.clone()];
        if path.is_dir() {
            walk(path, &[""], 0, &mut found, &mut Vec::new());
        }
        for path in found {
            let about = fs::metadata(&path).ok();
            let state = about.map(|about| {
                (about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec())
            });
            (path, state).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Reads one text file.
///
/// # Errors
/// One sentence: what is wrong with which file.
pub fn read(path: &Path) -> Result<String, FileFault> {
    let size = fs::metadata(path).map_err(|fault| unavailable(path, &fault))?.len();
    if size > limits::RULE_FILE_BYTES_MAX as u64 {
        return Err(FileFault::Malformed(format!(
            "read {}: {size} bytes, at most {} are allowed for such a file",
            path.display(),
            limits::RULE_FILE_BYTES_MAX
        )));
    }
    let bytes = fs::read(path).map_err(|fault| unavailable(path, &fault))?;
    String::from_utf8(bytes).map_err(|fault| {
        FileFault::Malformed(format!(
            "read {}: not UTF-8 (byte {}); save the file as UTF-8",
            path.display(),
            fault.utf8_error().valid_up_to()
        ))
    })
}

fn unavailable(path: &Path, fault: &std::io::Error) -> FileFault {
    FileFault::Unavailable(format!("read {}: {fault}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A mounted ConfigMap: files are links through `..data`, which is swapped as a whole.
    #[test]
    fn a_swapped_link_a_new_file_and_a_changed_one_are_seen() {
        let folder = std::env::temp_dir().join(format!("ouzel-look-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        let mounted = folder.join("rules");
        fs::create_dir_all(&mounted).expect("a folder");
        for version in ["..one", "..two"] {
            fs::create_dir(mounted.join(version)).expect("a folder");
            fs::write(mounted.join(version).join("a.toml"), "same").expect("a file");
        }
        symlink("..one", mounted.join("..data")).expect("a link");
        symlink("..data/a.toml", mounted.join("a.toml")).expect("a link");
        let paths = [mounted.clone()];
        let mut seen = vec![look(&[&paths])];
        assert_eq!(look(&[&paths]), seen[0], "nothing has changed");
        symlink("..two", mounted.join("..next")).expect("a link");
        fs::rename(mounted.join("..next"), mounted.join("..data")).expect("a swap");
        seen.push(look(&[&paths]));
        fs::write(mounted.join("b.toml"), "new").expect("a file");
        seen.push(look(&[&paths]));
        fs::write(mounted.join("b.toml"), "other").expect("a file");
        seen.push(look(&[&paths]));
        fs::remove_dir_all(&folder).expect("it was ours");
        seen.push(look(&[&paths]));
        let different: std::collections::BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!(different.len(), seen.len(), "{seen:?}");
    }
}
