//! Any text as a configuration file, with environment and options behind it: every fault can be
//! shown, and what is accepted prints back to the same settings.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ouzel::config::{self, Configuration, Reader, Secrets, Surroundings, show};

// The file, then lines of NAME=VALUE: a variable where the name is one, else an option.
fuzz_target!(|text: &str| {
    let (file, lines) = text.split_once('\0').unwrap_or((text, ""));
    let found = read(file, lines);
    for fault in &found.faults {
        assert!(!fault.to_string().is_empty());
    }
    if found.faults.is_empty() {
        let shown = show::show(&found.written);
        let again = read(&shown, "");
        assert_eq!(again.faults, [], "{shown}");
        assert_eq!(again.settings, found.settings, "{shown}");
    }
});

/// A reader that has read nothing: what may be written is worked out once.
static READER: LazyLock<Reader> = LazyLock::new(Reader::default);

fn read(file: &str, lines: &str) -> Configuration {
    let mut reader = READER.clone();
    reader.file(Path::new("ouzel.toml"), file);
    for line in lines.lines().take(16) {
        match line.split_once('=') {
            Some((name, value)) if name.starts_with("OUZEL__") => reader.variable(name, value),
            _ => reader.assignment("--set", line),
        }
    }
    // Secrets are left where they are: no file is opened.
    let surroundings = Surroundings { secrets: Secrets::Leave, ..Surroundings::default() };
    config::finish(reader, &surroundings)
}
