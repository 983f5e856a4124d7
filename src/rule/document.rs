//! A rule file as a tree in which every value knows where it stands: what the readers of TOML and
//! of JSON lines make, and what the reader of rules takes.

use serde_json::Value as Json;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The first byte of the value in the file.
    pub(super) at: usize,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Item>),
    Table(Table),
}

/// A table; names unique.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Where it begins.
    pub(super) at: usize,
    pub(super) entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where the name stands.
    pub(super) at: usize,
    pub(super) item: Item,
}

impl Table {
    /// The value of `name`; an explicit null counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&Item> {
        self.entries
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| &entry.item)
            .filter(|item| !matches!(item.content, Content::Null))
    }

    pub(super) fn to_json(&self) -> serde_json::Map<String, Json> {
        self.entries.iter().map(|entry| (entry.name.clone(), entry.item.to_json())).collect()
    }
}

impl Item {
    /// A JSON value, all of which stands at `at`.
    pub(super) fn from_json(json: Json, at: usize) -> Self {
        let content = match json {
            Json::Null => Content::Null,
            Json::Bool(value) => Content::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Content::Integer(integer),
                None => Content::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Content::Text(text),
            Json::Array(items) => {
                Content::List(items.into_iter().map(|item| Self::from_json(item, at)).collect())
            }
            Json::Object(members) => {
                let entry = |(name, json)| Entry { name, at, item: Self::from_json(json, at) };
                Content::Table(Table { at, entries: members.into_iter().map(entry).collect() })
            }
        };
        Self { at, content }
    }

    pub(super) fn to_json(&self) -> Json {
        match &self.content {
            Content::Null => Json::Null,
            Content::Bool(value) => Json::Bool(*value),
            Content::Integer(value) => Json::from(*value),
            Content::Float(value) => Json::from(*value),
            Content::Text(text) => Json::String(text.clone()),
            Content::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Content::Table(table) => Json::Object(table.to_json()),
        }
    }

    /// What it is, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "null",
            Content::Bool(_) => "a boolean",
            Content::Integer(_) => "an integer",
            Content::Float(_) => "a number with a fraction",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }
}
