//! Configuration as written: file, environment and `--set` in one tree of values, each with where
//! it came from. Every unknown key, wrong type and broken line is a fault of its own.
//!
//! A later layer replaces what an earlier one said of the same key, wholly: a table given by an
//! environment variable or an option does not mix with the file's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::origin::{Fault, KeyPath, Origin};
use super::schema::{Shape, nearest};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What it is; paths are resolved.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Values by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    leaves: BTreeMap<KeyPath, Leaf>,
}

/// The documented defaults.
const DOCUMENTED: &str = include_str!("../../config/ouzel.toml");

impl Tree {
    /// What the shipped `config/ouzel.toml` says: every key that has a default. (A test proves
    /// that these are the defaults.)
    #[must_use]
    pub fn documented() -> Self {
        let mut reader = Reader::default();
        reader.file(Path::new(""), DOCUMENTED);
        let mut tree = reader.tree;
        tree.leaves.values_mut().for_each(|leaf| leaf.origin = Origin::Default);
        tree
    }

    /// The values, by key.
    #[must_use]
    pub fn leaves(&self) -> &BTreeMap<KeyPath, Leaf> {
        &self.leaves
    }

    /// Where the value of `key` came from.
    #[must_use]
    pub fn origin(&self, key: &KeyPath) -> Origin {
        let exact = self.leaves.get(key);
        let leaf = exact.or_else(|| {
            self.leaves.iter().find(|(other, _)| other.is_within(key)).map(|(_, leaf)| leaf)
        });
        leaf.map_or(Origin::Default, |leaf| leaf.origin.clone())
    }

    /// Whether `key`, or something in it, was written.
    #[must_use]
    pub fn has(&self, key: &KeyPath) -> bool {
        self.leaves.keys().any(|other| other.is_within(key))
    }

    /// `self`, with what `over` says in its place.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        for (key, leaf) in &over.leaves {
            self.set(key.clone(), leaf.clone());
        }
        self
    }

    /// The values as one TOML table.
    #[must_use]
    pub fn to_table(&self) -> toml::Table {
        let mut root = toml::Table::new();
        for (key, leaf) in &self.leaves {
            let Some((name, parents)) = key.parts().split_last() else { continue };
            let mut table = Some(&mut root);
            for part in parents {
                table = table.and_then(|table| {
                    let entry = table.entry(part.clone());
                    entry.or_insert_with(|| Value::Table(toml::Table::new())).as_table_mut()
                });
            }
            if let Some(table) = table {
                table.insert(name.clone(), leaf.value.clone());
            }
        }
        root
    }

    fn set(&mut self, key: KeyPath, leaf: Leaf) {
        self.leaves.retain(|other, _| !other.is_within(&key) && !key.is_within(other));
        self.leaves.insert(key, leaf);
    }

    fn remove(&mut self, table: &KeyPath) {
        self.leaves.retain(|key, _| !key.is_within(table));
    }
}

/// Reads the layers, the weakest first.
#[derive(Clone, Debug)]
pub struct Reader {
    shape: Shape,
    /// What was read.
    pub tree: Tree,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { shape: Shape::of_file(), tree: Tree::default(), faults: Vec::new() }
    }
}

/// Where a layer's values come from, and what its paths are relative to.
struct Layer<'a> {
    origin: Origin,
    /// The text of a file: places in it are lines.
    text: Option<&'a str>,
    base: Option<PathBuf>,
}

impl Layer<'_> {
    fn origin_at(&self, offset: usize) -> Origin {
        match (&self.origin, self.text) {
            (Origin::File { path, .. }, Some(text)) => {
                let before = text.as_bytes().get(..offset).unwrap_or_default();
                let line = 1 + memchr::memchr_iter(b'\n', before).count();
                Origin::File { path: path.clone(), line }
            }
            (origin, _) => origin.clone(),
        }
    }
}

impl Reader {
    /// Reads a file's text. Paths in it are relative to its folder.
    pub fn file(&mut self, path: &Path, text: &str) {
        let origin = Origin::File { path: path.to_owned(), line: 0 };
        let base = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let layer = Layer { origin, text: Some(text), base: base.map(Path::to_owned) };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            // The library's own text would quote the line, and a line may hold a secret.
            self.fault(layer.origin_at(offset), &KeyPath::default(), error.message().to_owned());
        }
        if errors.is_empty() {
            let shape = self.shape.clone();
            for (name, value) in table.get_ref() {
                let offset = name.span().start;
                self.member(&layer, &KeyPath::default(), &shape, (name.get_ref(), value, offset));
            }
        }
    }

    /// Reads an environment variable whose name begins with `OUZEL__`; all others are no keys.
    pub fn variable(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix("OUZEL__") else { return };
        let origin = Origin::Environment(name.to_owned());
        let parts: Vec<String> = rest.split("__").map(str::to_owned).collect();
        self.single(origin, self.target(&parts, Spelling::Variable), value);
    }

    /// Reads `key=value` of the command line; `option` is what it was given with.
    pub fn assignment(&mut self, option: &str, assignment: &str) {
        let Some((written, value)) = assignment.split_once('=') else {
            let message = format!("{assignment:?} is no KEY=VALUE, such as input.group=ouzel");
            let origin = Origin::Argument(option.to_owned());
            return self.fault(origin, &KeyPath::default(), message);
        };
        let written = written.trim();
        let target = dotted(written).and_then(|parts| self.target(&parts, Spelling::Exact));
        self.single(Origin::Argument(format!("{option} {written}")), target, value);
    }

    /// Takes a list of paths as the value of `key`; they are relative to the working directory.
    pub fn paths(&mut self, option: &str, key: &str, paths: &[PathBuf]) {
        let items = paths.iter().map(|path| Value::String(path.display().to_string())).collect();
        let origin = Origin::Argument(option.to_owned());
        self.tree.set(KeyPath::new(key), Leaf { value: Value::Array(items), origin });
    }

    /// Takes an option of its own as the value of `key`, which must be one of a text.
    pub fn option(&mut self, option: &str, key: &str, value: &str) {
        let origin = Origin::Argument(option.to_owned());
        self.tree.set(KeyPath::new(key), Leaf { value: Value::String(value.to_owned()), origin });
    }

    /// The key that `parts` name.
    fn target(&self, parts: &[String], spelling: Spelling) -> Result<Target, String> {
        let mut key = KeyPath::default();
        let mut shape = &self.shape;
        let mut parts = parts.iter();
        while let Some(part) = parts.next() {
            match shape {
                Shape::Table(keys) => {
                    let name = spelling.of_key(part);
                    let child =
                        keys.get(&name).ok_or_else(|| self.unknown(&key.child(&name), keys))?;
                    (key, shape) = (key.child(&name), child);
                }
                Shape::Names(child) if child.is_single() => {
                    // Such names have dots themselves: fields, labels, keys of the library.
                    let all: Vec<&str> =
                        std::iter::once(part).chain(parts.by_ref()).map(String::as_str).collect();
                    (key, shape) = (key.child(&spelling.of_key(&all.join("."))), child);
                }
                Shape::Names(child) => (key, shape) = (key.child(part), child),
                Shape::Secret => {
                    let inside = Some(spelling.of_key(part));
                    return Ok(Target { key, shape: Shape::Secret, inside });
                }
                _ => return Err(format!("{key} is no table: there is no {part:?} in it")),
            }
        }
        Ok(Target { key, shape: shape.clone(), inside: None })
    }

    /// A value given as text: TOML, and plain text where that is no TOML or where text is wanted.
    fn single(&mut self, origin: Origin, target: Result<Target, String>, text: &str) {
        let Target { key, shape, inside } = match target {
            Ok(target) => target,
            Err(message) => return self.fault(origin, &KeyPath::default(), message),
        };
        let layer = Layer { origin, text: None, base: None };
        self.tree.remove(&key);
        if let Some(name) = inside {
            let table = [(name, Value::String(text.to_owned()))].into_iter().collect();
            return self.leaf(&layer, key, &shape, (Value::Table(table), 0));
        }
        let plain = || Spanned::new(0..text.len(), DeValue::String(text.into()));
        let value = match DeValue::parse(text.trim()) {
            Ok(value) if shape.is_text() && value.get_ref().as_str().is_none() => plain(),
            Ok(value) => value,
            Err(_) => plain(),
        };
        self.value(&layer, key, &shape, (&value, 0));
    }

    /// A value at `offset` of its layer.
    fn value(
        &mut self,
        layer: &Layer<'_>,
        key: KeyPath,
        shape: &Shape,
        (value, offset): (&Spanned<DeValue<'_>>, usize),
    ) {
        match (shape, value.get_ref()) {
            (Shape::Table(_) | Shape::Names(_), DeValue::Table(table)) if !table.is_empty() => {
                for (name, value) in table {
                    let offset = name.span().start;
                    self.member(layer, &key, shape, (name.get_ref(), value, offset));
                }
            }
            _ => match Value::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(value) => self.leaf(layer, key, shape, (value, offset)),
                Err(error) => {
                    self.fault(layer.origin_at(offset), &key, error.message().to_owned());
                }
            },
        }
    }

    /// The member `name` of a table.
    fn member(
        &mut self,
        layer: &Layer<'_>,
        table: &KeyPath,
        shape: &Shape,
        (name, value, offset): (&str, &Spanned<DeValue<'_>>, usize),
    ) {
        match (shape, value.get_ref()) {
            (Shape::Table(keys), _) => match keys.get(name) {
                Some(child) => self.value(layer, table.child(name), child, (value, offset)),
                None => {
                    let message = self.unknown(&table.child(name), keys);
                    self.fault(layer.origin_at(offset), &KeyPath::default(), message);
                }
            },
            // An unquoted name with dots reads as tables in tables.
            (Shape::Names(child), DeValue::Table(inner)) if child.is_single() => {
                for (rest, value) in inner {
                    let name = format!("{name}.{}", rest.get_ref());
                    let offset = rest.span().start;
                    self.member(layer, table, shape, (&name, value, offset));
                }
            }
            (Shape::Names(child), _) => {
                self.value(layer, table.child(name), child, (value, offset));
            }
            // No other shape has members: `value` asks for none.
            _ => {}
        }
    }

    fn leaf(
        &mut self,
        layer: &Layer<'_>,
        key: KeyPath,
        shape: &Shape,
        (value, offset): (Value, usize),
    ) {
        let origin = layer.origin_at(offset);
        match shape.fit(value) {
            Ok(mut value) => {
                resolve(shape, &mut value, layer.base.as_deref());
                self.tree.set(key, Leaf { value, origin });
            }
            Err(message) => {
                let hint = self.beside(&key, shape);
                self.fault(origin, &key, message + &hint);
            }
        }
    }

    /// What is said besides, where something else was written in the place of a table: the key
    /// beside it that is no table and has nearly the same name, such as `topics` beside `topic`.
    fn beside(&self, key: &KeyPath, shape: &Shape) -> String {
        let is_table = |shape: &Shape| matches!(shape, Shape::Table(_) | Shape::Names(_));
        let parent = key.parent();
        let within = parent.parts().iter().try_fold(&self.shape, |table, part| match table {
            Shape::Table(keys) => keys.get(part),
            _ => None,
        });
        let Some(Shape::Table(keys)) = within.filter(|_| is_table(shape)) else {
            return String::new();
        };
        let others = keys.iter().filter(|(_, shape)| !is_table(shape)).map(|(name, _)| &**name);
        let near = nearest(key.name(), others);
        near.map_or(String::new(), |near| format!("; did you mean {}?", parent.child(near)))
    }

    fn fault(&mut self, origin: Origin, key: &KeyPath, message: String) {
        self.faults.push(Fault { origin, key: key.clone(), message });
    }

    /// What is said of a key that no table has: the nearest there, or its place elsewhere.
    fn unknown(&self, key: &KeyPath, here: &BTreeMap<String, Shape>) -> String {
        let hint = match nearest(key.name(), here.keys().map(String::as_str)) {
            Some(near) => format!("did you mean {}?", key.parent().child(near)),
            None => match elsewhere(&self.shape, &KeyPath::default(), key.name()) {
                Some(other) => format!("did you mean {other}?"),
                None => {
                    let names: Vec<&str> = here.keys().map(String::as_str).collect();
                    format!("allowed here are {}", names.join(", "))
                }
            },
        };
        format!("unknown key {key}; {hint}")
    }
}

/// How a key is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// As it is.
    Exact,
    /// In the name of a variable, where keys are in capitals. Names that the writer chose (of
    /// topics and rules) are taken as they are.
    Variable,
}

impl Spelling {
    fn of_key(self, part: &str) -> String {
        match self {
            Self::Exact => part.to_owned(),
            Self::Variable => part.to_lowercase(),
        }
    }
}

/// What a variable or an option sets.
struct Target {
    key: KeyPath,
    shape: Shape,
    /// `env` or `file`, where the key is a secret's.
    inside: Option<String>,
}

/// The parts of a dotted key, quoted parts included.
fn dotted(written: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{written:?} is no key; a part with dots or other signs is quoted");
    if written.contains(['\n', '\r', '#', '[']) {
        return Err(wrong());
    }
    let text = format!("{written} = 0");
    let mut value = Value::Table(text.parse().map_err(|_| wrong())?);
    let mut parts = Vec::new();
    while let Value::Table(table) = value {
        let (name, inner) = table.into_iter().next().ok_or_else(wrong)?;
        parts.push(name);
        value = inner;
    }
    Ok(parts)
}

/// The first key called `name` in another table.
fn elsewhere(shape: &Shape, at: &KeyPath, name: &str) -> Option<KeyPath> {
    let Shape::Table(keys) = shape else { return None };
    let found = keys.contains_key(name).then(|| at.child(name));
    found.or_else(|| keys.iter().find_map(|(key, shape)| elsewhere(shape, &at.child(key), name)))
}

/// Makes the paths in a value relative to `base`.
fn resolve(shape: &Shape, value: &mut Value, base: Option<&Path>) {
    let Some(base) = base else { return };
    match (shape, value) {
        (Shape::Path, Value::String(path)) if !path.is_empty() => {
            *path = base.join(&*path).display().to_string();
        }
        (Shape::List(inner), Value::Array(items)) => {
            items.iter_mut().for_each(|item| resolve(inner, item, Some(base)));
        }
        (Shape::Secret, Value::Table(table)) => {
            if let Some(file) = table.get_mut("file") {
                resolve(&Shape::Path, file, Some(base));
            }
        }
        _ => {}
    }
}
