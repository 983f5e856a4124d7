//! Where `unsafe` may stand: the levels of the pass and two files of Kafka's, each named by a page of docs/decisions and
//! by docs/SECURITY.md. The lint denies it anywhere else; this test denies lifting the lint.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

use crate::support::source;

/// The one list. Another file needs a measured gain, a page in docs/decisions, a SAFETY comment on
/// each block and a test against a naive twin.
const MAY: [&str; 5] = [
    "src/detect/kernel/levels.rs",
    "src/detect/kernel/levels/neon.rs",
    "src/detect/kernel/levels/x86.rs",
    "src/kafka/commit_queue.rs",
    "src/kafka/record_queue.rs",
];

/// Folders and files with Rust of ours.
const OURS: [&str; 5] = ["src", "tests", "benches", "fuzz", "build.rs"];

/// Whether the word `unsafe`, or a lint of that name, is in the code: comments and texts are none.
fn has_unsafe(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => has_unsafe(group.stream()),
        TokenTree::Ident(word) => word == "unsafe" || word == "unsafe_code",
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("source files are Rust")
}

/// Files with `unsafe` at or below `path`, relative to the package's folder.
fn found(path: &Path, files: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.file_name().is_none_or(|name| name != "target") {
                found(&path, files);
            }
        }
    } else if path.extension().is_some_and(|ending| ending == "rs") {
        let text = std::fs::read_to_string(path).expect("source files are UTF-8");
        if has_unsafe(tokens(&text)) {
            let name = path.strip_prefix(source::root()).expect("it was found there");
            files.push(name.display().to_string());
        }
    }
}

#[test]
fn only_the_named_files_have_unsafe() {
    let mut files = Vec::new();
    for path in OURS {
        found(&source::root().join(path), &mut files);
    }
    files.sort();
    assert_eq!(files, MAY, "`unsafe` stands where it may, and nowhere else");
}

/// How far above a block its reason may begin: it is a few lines long, and may stand above the
/// statement that the block is part of.
const REASON_LINES_MAX: usize = 8;

/// The lines with an `unsafe` that nothing above gives a reason for.
fn without_reason(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_code = |line: &str| {
        let line = line.trim_start();
        !line.starts_with("//")
            && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
    };
    let above = |at: usize| lines.iter().take(at + 1).rev().take(REASON_LINES_MAX);
    let places = lines.iter().enumerate().filter(|(_, line)| is_code(line));
    let unsaid = places.filter(|(at, _)| {
        !above(*at).any(|line| line.contains("// SAFETY: ") || line.contains("# Safety"))
    });
    unsaid.map(|(at, line)| format!("{}: {}", at + 1, line.trim())).collect()
}

#[test]
fn each_block_says_why_it_may() {
    for file in MAY {
        let text = std::fs::read_to_string(source::root().join(file)).expect("it is there");
        let unsaid = without_reason(&text);
        assert!(unsaid.is_empty(), "{file}: no SAFETY comment: {unsaid:#?}");
    }
    assert_eq!(without_reason("// SAFETY: it is.\nlet a =\n  unsafe { b() };").len(), 0);
    assert_eq!(without_reason("let a = unsafe { b() };").len(), 1);
}

#[test]
fn the_lint_denies_it_and_the_documents_name_each_file() {
    let read = |path: &str| std::fs::read_to_string(source::root().join(path)).expect(path);
    let cargo: toml::Value = toml::from_str(&read("Cargo.toml")).expect("Cargo.toml is TOML");
    assert_eq!(cargo["lints"]["rust"]["unsafe_code"].as_str(), Some("deny"));
    let decisions: String = std::fs::read_dir(source::root().join("docs/decisions"))
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| std::fs::read_to_string(path).expect("a page is text"))
        .collect();
    let security = read("docs/SECURITY.md");
    for file in MAY {
        assert!(decisions.contains(&format!("`{file}`")), "no page of docs/decisions names {file}");
        assert!(security.contains(&format!("`{file}`")), "docs/SECURITY.md does not name {file}");
    }
    let named = security.matches(".rs`").count();
    assert_eq!(named, MAY.len(), "docs/SECURITY.md names files that have no `unsafe`");
}

#[test]
fn unsafe_is_found_wherever_it_hides() {
    let check = |text: &str, expected: bool| {
        assert_eq!(has_unsafe(tokens(text)), expected, "{text}");
    };
    check("fn f() { unsafe { g() } }", true);
    check("unsafe impl Send for S {}", true);
    check("macro_rules! m { () => { unsafe { g() } }; }", true);
    check("#![expect(unsafe_code, reason = \"no\")]", true);
    check("// unsafe\nfn f() -> &'static str { \"unsafe\" }", false);
}
