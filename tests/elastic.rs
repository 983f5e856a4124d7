//! The recipe of docs/ELASTIC.md, as far as it can be tested without an Elasticsearch: the real
//! Logstash pipeline is parsed and applied to the real golden files, and what it asks for is
//! applied to an index with Elasticsearch's rules for `create` and for `update` with an upsert.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::support::source;

/// A block of a Logstash pipeline.
#[derive(Debug)]
enum Block {
    /// A section or a plug-in: its name, its settings, and the blocks in it.
    Plain(String, Vec<(String, Setting)>, Vec<Block>),
    /// `if … { } else if … { } else { }`: condition (the last may have none) and blocks.
    Choice(Vec<(Option<Condition>, Vec<Block>)>),
}

#[derive(Debug)]
enum Setting {
    Text(String),
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// A field is there, or equals a number.
#[derive(Debug)]
struct Condition {
    path: Vec<String>,
    equals: Option<i64>,
}

/// A pipeline's text, cut into names, quoted texts, field references and signs.
struct Tokens {
    tokens: Vec<String>,
    at: usize,
}

impl Tokens {
    fn of(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let text = lines.collect::<Vec<_>>().join("\n");
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => rest[1..].find('"').expect("a quote is closed") + 2,
                '{' | '}' => 1,
                '=' => 2,
                '[' if rest[1..].starts_with('"') => 1,
                ']' | ',' => 1,
                '[' => rest.find(|c: char| c.is_whitespace()).expect("a reference ends"),
                _ => rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                    .filter(|length| *length > 0)
                    .unwrap_or_else(|| panic!("what is {rest:?}?")),
            };
            tokens.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
        Self { tokens, at: 0 }
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens[self.at - 1].clone()
    }

    fn take(&mut self, expected: &str) {
        let found = self.next();
        assert_eq!(found, expected, "token {} of {:?}", self.at, self.tokens);
    }

    /// Blocks up to the closing brace, or the end.
    fn blocks(&mut self) -> (Vec<(String, Setting)>, Vec<Block>) {
        let (mut settings, mut blocks) = (Vec::new(), Vec::new());
        while !matches!(self.peek(), "}" | "") {
            let name = self.next();
            match (name.as_str(), self.peek()) {
                ("if", _) => blocks.push(self.choice()),
                (_, "=>") => {
                    self.take("=>");
                    settings.push((name, self.setting()));
                }
                _ => {
                    self.take("{");
                    let (settings, inner) = self.blocks();
                    self.take("}");
                    blocks.push(Block::Plain(name, settings, inner));
                }
            }
        }
        (settings, blocks)
    }

    fn setting(&mut self) -> Setting {
        match self.peek() {
            "[" => {
                let mut texts = Vec::new();
                while self.next() != "]" {
                    texts.push(unquoted(&self.next()));
                }
                Setting::Texts(texts)
            }
            "{" => {
                self.take("{");
                let mut pairs = Vec::new();
                while self.peek() != "}" {
                    let name = unquoted(&self.next());
                    self.take("=>");
                    pairs.push((name, unquoted(&self.next())));
                }
                self.take("}");
                Setting::Pairs(pairs)
            }
            _ => Setting::Text(unquoted(&self.next())),
        }
    }

    /// Behind an `if`.
    fn choice(&mut self) -> Block {
        let mut branches = Vec::new();
        let mut condition = Some(self.condition());
        loop {
            self.take("{");
            let (settings, blocks) = self.blocks();
            self.take("}");
            assert!(settings.is_empty(), "a branch holds plug-ins");
            let is_last = condition.is_none();
            branches.push((condition, blocks));
            if is_last || self.peek() != "else" {
                return Block::Choice(branches);
            }
            self.take("else");
            condition = match self.peek() {
                "if" => {
                    self.take("if");
                    Some(self.condition())
                }
                _ => None,
            };
        }
    }

    fn condition(&mut self) -> Condition {
        let path = path(&self.next());
        let equals = (self.peek() == "==").then(|| {
            self.take("==");
            self.next().parse().expect("a number")
        });
        Condition { path, equals }
    }
}

fn unquoted(token: &str) -> String {
    token.trim_matches('"').to_owned()
}

/// `[a][b.c]` → `a`, `b.c`.
fn path(reference: &str) -> Vec<String> {
    let inner = reference.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.unwrap_or_else(|| panic!("{reference} is no field reference"));
    inner.split("][").map(str::to_owned).collect()
}

fn at<'j>(event: &'j Json, path: &[String]) -> &'j Json {
    path.iter().fold(event, |json, name| &json[name.as_str()])
}

/// A text with its `%{[field]}` filled in.
fn filled(template: &str, event: &Json) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("%{") {
        let (reference, behind) = behind.split_once('}').expect("it is closed");
        let value = at(event, &path(reference));
        out.push_str(before);
        out.push_str(value.as_str().unwrap_or_else(|| panic!("{reference} is {value}")));
        rest = behind;
    }
    out + rest
}

/// Applies the plug-ins of the filter to an event.
fn filter(blocks: &[Block], event: &mut Json) {
    for block in blocks {
        match block {
            Block::Choice(branches) => {
                let taken = branches.iter().find(|(condition, _)| {
                    condition.as_ref().is_none_or(|condition| {
                        let found = at(event, &condition.path);
                        match condition.equals {
                            Some(number) => *found == json!(number),
                            None => !found.is_null() && *found != json!(false),
                        }
                    })
                });
                if let Some((_, blocks)) = taken {
                    filter(blocks, event);
                }
            }
            Block::Plain(name, settings, _) => {
                assert_eq!(name, "mutate", "a plug-in that this test knows");
                settings.iter().for_each(|(key, setting)| mutate(key, setting, event));
            }
        }
    }
}

fn mutate(key: &str, setting: &Setting, event: &mut Json) {
    match (key, setting) {
        ("add_field", Setting::Pairs(pairs)) => {
            for (reference, template) in pairs {
                let value = filled(template, event);
                let [outer, inner] = &path(reference)[..] else { panic!("{reference}") };
                event[outer.as_str()][inner.as_str()] = value.into();
            }
        }
        ("remove_field", Setting::Texts(names)) => {
            let fields = event.as_object_mut().expect("an event is an object");
            names.iter().for_each(|name| drop(fields.remove(name)));
        }
        _ => panic!("{key} {setting:?} is not known to this test"),
    }
}

/// The pipeline, and an index that behaves as Elasticsearch's.
struct Carrier {
    filter: Vec<Block>,
    output: BTreeMap<String, String>,
    index: BTreeMap<String, Json>,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Created,
    Updated,
    /// 409: the document is there already.
    Conflict,
}

impl Carrier {
    fn new() -> Self {
        let path = source::root().join("config/elastic/logstash.conf");
        let text = std::fs::read_to_string(path).expect("the pipeline can be read");
        let mut tokens = Tokens::of(&text);
        let (_, sections) = tokens.blocks();
        assert_eq!(tokens.at, tokens.tokens.len(), "all of it is read");
        let mut carrier =
            Self { filter: Vec::new(), output: BTreeMap::new(), index: BTreeMap::new() };
        for section in sections {
            match section {
                Block::Plain(name, _, blocks) if name == "filter" => carrier.filter = blocks,
                Block::Plain(name, _, blocks) if name == "output" => {
                    let [Block::Plain(name, settings, _)] = &blocks[..] else {
                        panic!("{blocks:?}")
                    };
                    assert_eq!(name, "elasticsearch");
                    carrier.output.extend(settings.iter().filter_map(|(key, value)| match value {
                        Setting::Text(text) => Some((key.clone(), text.clone())),
                        _ => None,
                    }));
                }
                Block::Plain(name, ..) => assert_eq!(name, "input"),
                Block::Choice(_) => panic!("a choice between sections"),
            }
        }
        carrier
    }

    /// One record of the alert topic.
    fn carry(&mut self, value: &Json) -> Answer {
        let mut event = value.clone();
        event["@version"] = "1".into();
        filter(&self.filter, &mut event);
        let id = filled(&self.output["document_id"], &event);
        let action = filled(&self.output["action"], &event);
        event.as_object_mut().expect("an object").remove("@metadata");
        assert_eq!(&event, value, "the document is the alert, nothing added, nothing lost");
        assert_eq!(id.len(), 64, "{id}");
        match (action.as_str(), self.index.get_mut(&id)) {
            ("create", None) => {
                self.index.insert(id, event);
                Answer::Created
            }
            ("create", Some(_)) => Answer::Conflict,
            ("update", None) => {
                assert_eq!(self.output["doc_as_upsert"], "true");
                self.index.insert(id, event);
                Answer::Created
            }
            ("update", Some(document)) => {
                merge(document, event);
                Answer::Updated
            }
            (other, _) => panic!("the action {other}"),
        }
    }
}

/// What an update with a partial document does: objects are merged, anything else is replaced.
fn merge(document: &mut Json, update: Json) {
    match (document, update) {
        (Json::Object(document), Json::Object(update)) => {
            for (name, value) in update {
                merge(document.entry(name).or_insert(Json::Null), value);
            }
        }
        (document, update) => *document = update,
    }
}

fn golden(name: &str) -> Json {
    let path = source::root().join(format!("tests/golden/{name}.json"));
    let text = std::fs::read_to_string(path).expect("the golden file can be read");
    let golden: Json = serde_json::from_str(&text).expect("it is JSON");
    golden["value"].clone()
}

#[test]
fn an_update_keeps_an_analysts_work_and_brings_the_count() {
    let mut carrier = Carrier::new();
    let (first, update) = (golden("suppression_first"), golden("suppression_update"));
    assert_eq!(carrier.carry(&first), Answer::Created);
    let id = first["kibana.alert.uuid"].as_str().expect("an id").to_owned();
    let document = carrier.index.get_mut(&id).expect("it is there");
    document["kibana.alert.workflow_status"] = "acknowledged".into();
    document["kibana.alert.workflow_tags"] = json!(["mine"]);
    assert_eq!(carrier.carry(&update), Answer::Updated);
    let document = &carrier.index[&id];
    assert_eq!(document["kibana.alert.workflow_status"], "acknowledged");
    assert_eq!(document["kibana.alert.workflow_tags"], json!(["mine"]));
    assert_eq!(document["kibana.alert.status"], "active");
    assert_eq!(document["kibana.alert.suppression.docs_count"], 3);
    assert_eq!(document["ouzel"]["revision"], 1);
    // A redelivery of either changes nothing.
    let before = document.clone();
    assert_eq!(carrier.carry(&first), Answer::Conflict);
    assert_eq!(carrier.carry(&update), Answer::Updated);
    assert_eq!((carrier.index.len(), &carrier.index[&id]), (1, &before));
}

#[test]
fn an_update_that_overtakes_its_alert_stands() {
    let mut carrier = Carrier::new();
    assert_eq!(carrier.carry(&golden("suppression_update")), Answer::Created);
    assert_eq!(carrier.carry(&golden("suppression_first")), Answer::Conflict);
    let document = carrier.index.values().next().expect("it is there");
    assert_eq!(document["kibana.alert.suppression.docs_count"], 3);
}

#[test]
fn every_golden_alert_and_notice_is_one_document() {
    let mut carrier = Carrier::new();
    let mut ids = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(source::root().join("tests/golden")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let value = golden(name);
        if !value.is_object() || value["ouzel"]["revision"] == 1 {
            continue;
        }
        let id = value["kibana.alert.uuid"].as_str().or(value["ouzel"]["notice"]["id"].as_str());
        let is_new = ids.insert(id.expect("an id").to_owned());
        let answer = carrier.carry(&value);
        assert_eq!(answer, if is_new { Answer::Created } else { Answer::Conflict }, "{name}");
    }
    assert!(ids.len() >= 3 && carrier.index.len() == ids.len(), "{ids:?}");
}
