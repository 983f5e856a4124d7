//! The shape of the configuration, derived from the types of [`super::file`]: as the JSON Schema
//! that editors read, and as the tree that unknown keys and wrong types are found with.
//!
//! One source for both, so that what the schema promises is what the program takes.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json};
use toml::Value;

use super::file::File;
use super::tree::Tree;

/// The JSON Schema of the configuration file, with every default in it.
#[must_use]
pub fn schema() -> Json {
    let mut schema = raw_schema();
    for (key, leaf) in Tree::documented().leaves() {
        let property = key.parts().iter().try_fold(&mut schema, |schema, part| {
            schema.get_mut("properties").and_then(|properties| properties.get_mut(part))
        });
        if let (Some(Json::Object(property)), Ok(value)) =
            (property, serde_json::to_value(&leaf.value))
        {
            property.insert("default".to_owned(), value);
        }
    }
    schema
}

fn raw_schema() -> Json {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>().to_value();
    remove_null(&mut schema);
    schema
}

/// TOML has no null: an optional key is left out.
fn remove_null(schema: &mut Json) {
    if let Json::Object(object) = schema {
        if let Some(inner) = nullable(object) {
            let kept = std::mem::take(object);
            let described = kept.into_iter().filter(|(name, _)| name == "description");
            object.extend(inner);
            object.extend(described);
        }
        if let Some(Json::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Json::Array(values)) = object.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
        // The types' own names of integers and defaults say nothing to a reader of TOML.
        object.retain(|name, value| !(name == "format" && value == "int64" || name == "default"));
    }
    match schema {
        Json::Object(object) => object.values_mut().for_each(remove_null),
        Json::Array(items) => items.iter_mut().for_each(remove_null),
        _ => {}
    }
}

/// What `{"anyOf": [X, {"type": "null"}]}` says besides null.
fn nullable(object: &Map<String, Json>) -> Option<Map<String, Json>> {
    let (Some(Json::Array(any)), None) = (object.get("anyOf"), object.get("type")) else {
        return None;
    };
    match any.as_slice() {
        [Json::Object(inner), null] if null.get("type").is_some_and(|name| name == "null") => {
            Some(inner.clone())
        }
        _ => None,
    }
}

/// What may stand at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A table with fixed keys.
    Table(BTreeMap<String, Shape>),
    /// A table whose keys are names that the writer chose.
    Names(Box<Shape>),
    /// Where a secret is; never the secret.
    Secret,
    /// A list.
    List(Box<Shape>),
    /// One of a few texts.
    Choice(Vec<String>),
    /// Any text.
    Text,
    /// A path.
    Path,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A text, whole number, `true` or `false`, taken as text.
    Scalar,
}

impl Shape {
    /// The shape of the whole file.
    #[must_use]
    pub fn of_file() -> Self {
        Self::of_schema(&raw_schema())
    }

    fn of_schema(schema: &Json) -> Self {
        if schema.get("x-secret").is_some() {
            return Self::Secret;
        }
        if let Some(choices) = choices(schema) {
            return Self::Choice(choices);
        }
        let kind = match schema.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            _ => return Self::Scalar,
        };
        let inner = |name: &str| Box::new(schema.get(name).map_or(Self::Text, Self::of_schema));
        match kind {
            "object" => match schema.get("properties") {
                Some(Json::Object(properties)) => {
                    let of =
                        |(name, schema): (&String, &Json)| (name.clone(), Self::of_schema(schema));
                    Self::Table(properties.iter().map(of).collect())
                }
                _ => Self::Names(inner("additionalProperties")),
            },
            "array" => Self::List(inner("items")),
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            _ if schema.get("format").is_some_and(|format| format == "path") => Self::Path,
            _ => Self::Text,
        }
    }

    /// Whether values of this shape stand alone, unlike tables and lists.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        !matches!(self, Self::Table(_) | Self::Names(_) | Self::Secret | Self::List(_))
    }

    /// Whether a value of this shape is written as text.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Choice(_) | Self::Text | Self::Path | Self::Scalar)
    }

    /// `value`, as this shape wants it.
    ///
    /// # Errors
    /// What was found (its kind only: it could be a secret in the wrong place) and what is allowed.
    pub fn fit(&self, value: Value) -> Result<Value, String> {
        match (self, value) {
            // Times are taken as text: `start = 2026-01-01T00:00:00Z` needs no quotes.
            (Self::Text, Value::Datetime(time)) => Ok(Value::String(time.to_string())),
            (Self::Choice(choices), Value::String(text)) => choose(choices, text),
            (Self::Scalar, Value::Integer(number)) => Ok(Value::String(number.to_string())),
            (Self::Scalar, Value::Boolean(value)) => Ok(Value::String(value.to_string())),
            (Self::List(inner), Value::Array(items)) => {
                let fit = |item| inner.fit(item).map_err(|fault| format!("in the list: {fault}"));
                items.into_iter().map(fit).collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            (Self::Secret, value) => fit_secret(value),
            (Self::Text | Self::Path | Self::Scalar, value @ Value::String(_))
            | (Self::Integer, value @ Value::Integer(_))
            | (Self::Boolean, value @ Value::Boolean(_))
            | (Self::Table(_) | Self::Names(_), value @ Value::Table(_)) => Ok(value),
            (_, value) => Err(format!("found {}; {}", kind(&value), self.expected())),
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Table(_) | Self::Names(_) => "a table is expected".to_owned(),
            Self::Secret => SECRET_HINT.to_owned(),
            Self::List(_) => "a list is expected, such as [\"a\", \"b\"]".to_owned(),
            Self::Choice(choices) => format!("allowed are {}", quoted(choices)),
            Self::Text => "a text is expected, in quotes".to_owned(),
            Self::Path => "a path is expected, in quotes".to_owned(),
            Self::Integer => "a whole number is expected".to_owned(),
            Self::Boolean => "true or false is expected".to_owned(),
            Self::Scalar => "a text, a whole number, true or false is expected".to_owned(),
        }
    }
}

/// What to write instead of a secret.
pub const SECRET_HINT: &str = "a secret is never written here: name where it is, with \
     { env = \"NAME\" } for an environment variable or { file = \"PATH\" } for a file";

fn fit_secret(value: Value) -> Result<Value, String> {
    let Value::Table(table) = value else {
        return Err(format!("found {}; {SECRET_HINT}", kind(&value)));
    };
    let known = |name: &str| name == "env" || name == "file";
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    match table.len() {
        1 if table.iter().all(|(name, value)| known(name) && is_text(value)) => {
            Ok(Value::Table(table))
        }
        _ => Err(SECRET_HINT.to_owned()),
    }
}

fn choices(schema: &Json) -> Option<Vec<String>> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    if let Some(Json::Array(values)) = schema.get("enum") {
        return Some(values.iter().filter_map(text).collect());
    }
    let Some(Json::Array(one_of)) = schema.get("oneOf") else { return None };
    Some(one_of.iter().filter_map(|one| one.get("const").and_then(text)).collect())
}

fn choose(choices: &[String], text: String) -> Result<Value, String> {
    if choices.contains(&text) {
        return Ok(Value::String(text));
    }
    let near = nearest(&text, choices.iter().map(String::as_str));
    let hint = near.map_or(String::new(), |name| format!("; did you mean {name:?}?"));
    Err(format!("found {text:?}; allowed are {}{hint}", quoted(choices)))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// What a value is, in words; not the value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// The name nearest to `name`, where one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&lower, &other.to_lowercase());
    let (distance, nearest) =
        names.into_iter().map(|other| (distance(other), other)).min_by_key(|(far, _)| *far)?;
    (distance <= 1 + name.chars().count().max(nearest.chars().count()) / 4).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(dotted: &str) -> Shape {
        dotted.split('.').fold(Shape::of_file(), |shape, part| match shape {
            Shape::Table(mut keys) => keys.remove(part).unwrap_or_else(|| panic!("no {part}")),
            Shape::Names(inner) => *inner,
            other => panic!("{other:?} has no {part}"),
        })
    }

    #[test]
    fn shapes_are_what_the_types_say() {
        assert_eq!(at("rules"), Shape::List(Box::new(Shape::Path)));
        assert_eq!(at("kafka.brokers"), Shape::Text);
        assert_eq!(at("kafka.tls.ca_file"), Shape::Path);
        assert_eq!(at("kafka.sasl.password"), Shape::Secret);
        assert_eq!(at("output.kafka.tls.key_password"), Shape::Secret);
        assert_eq!(at("kafka.librdkafka.x"), Shape::Scalar);
        assert_eq!(at("input.workers"), Shape::Integer);
        assert_eq!(at("input.topic.any.labels.any"), Shape::Text);
        assert_eq!(at("rule.any.enabled"), Shape::Boolean);
        let choice =
            |names: &[&str]| Shape::Choice(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(at("input.validate"), choice(&["candidates", "envelope", "full"]));
        assert_eq!(at("log.level"), choice(&["error", "warn", "info", "debug"]));
        assert_eq!(at("delivery.guarantee"), choice(&["at-least-once", "exactly-once"]));
    }

    #[test]
    fn a_wrong_kind_is_named_and_its_value_is_not() {
        let check = |shape: Shape, value: Value, parts: &[&str]| {
            let fault = shape.fit(value).unwrap_err();
            assert!(parts.iter().all(|part| fault.contains(part)), "{fault}");
            assert!(!fault.contains("hunter2"), "{fault}");
        };
        let text = || Value::String("hunter2".to_owned());
        check(Shape::Secret, text(), &["a text", "env = \"NAME\""]);
        check(Shape::Integer, text(), &["a text", "whole number"]);
        check(at("kafka.sasl"), text(), &["a text", "a table"]);
        check(at("rules"), Value::Array(vec![Value::Integer(1)]), &["in the list", "a path"]);
        let level = Value::String("inof".to_owned());
        check(at("log.level"), level, &["\"inof\"", "\"warn\"", "did you mean \"info\"?"]);
    }

    #[test]
    fn the_nearest_name_is_found_only_when_it_is_near() {
        let names = ["brokers", "client_id", "tls", "sasl"];
        assert_eq!(nearest("broker", names), Some("brokers"));
        assert_eq!(nearest("clientId", names), Some("client_id"));
        assert_eq!(nearest("TLS", names), Some("tls"));
        assert_eq!(nearest("password", names), None);
    }
}
