//! The crate's own source, parsed: for the tests that hold it against the plan of the house.

use std::path::{Path, PathBuf};

use syn::spanned::Spanned;

/// One file of `src/`.
pub struct SourceFile {
    /// Where it stands.
    pub path: PathBuf,
    /// The module it is, as a path from the crate's root; empty for `lib.rs`.
    pub module: Vec<String>,
    /// What it says, parsed.
    pub syntax: syn::File,
    /// What it says.
    pub text: String,
    /// Whether it is compiled for tests only.
    pub is_test: bool,
}

/// The package's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of `src/`, in the order of paths.
pub fn files() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    walk(&root().join("src"), &mut paths);
    paths.sort();
    paths.into_iter().map(|path| load(&path)).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            paths.push(path);
        }
    }
}

fn load(path: &Path) -> SourceFile {
    let text = std::fs::read_to_string(path).expect("source files are UTF-8");
    let syntax = syn::parse_file(&text)
        .unwrap_or_else(|fault| panic!("{} does not parse: {fault}", path.display()));
    let relative = path.strip_prefix(root().join("src")).expect("it was found there");
    let mut module: Vec<String> = relative
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let is_test = module.iter().any(|part| part == "tests" || part.ends_with("_tests"));
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    SourceFile { path: path.to_owned(), module, syntax, text, is_test }
}

/// Whether an item with these attributes is compiled for tests only.
pub fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        if attribute.path().is_ident("test") {
            return true;
        }
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// The attributes of an item.
pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The line on which something starts, from 1.
pub fn line(what: &impl Spanned) -> usize {
    what.span().start().line
}

/// The lines that something takes.
pub fn lines(what: &impl Spanned) -> usize {
    let span = what.span();
    span.end().line + 1 - span.start().line
}
