//! The sentence that says in one line what an alert is about, in the form that analysts know from
//! Kibana's alerts page:
//!
//! ```text
//! authentication event with source 1.3.2.4 by homer created low alert <rule name>.
//! ```
//!
//! The form: categories joined with `, `, then `event`; `with` where anything follows that names a
//! process, file, source or destination; commas after each of these except an address that has no
//! port; then `by` the user and `on` the host. It is text for people: it is escaped where it is
//! written, and nothing parses it.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use crate::event::{Event, FieldPath, Value};

/// The fields that the sentence names, resolved once.
#[derive(Debug)]
pub(super) struct Reason {
    category: FieldPath,
    process: FieldPath,
    parent: FieldPath,
    file: FieldPath,
    source: (FieldPath, FieldPath),
    destination: (FieldPath, FieldPath),
    user: FieldPath,
    host: FieldPath,
}

impl Default for Reason {
    fn default() -> Self {
        Self {
            category: FieldPath::new("event.category"),
            process: FieldPath::new("process.name"),
            parent: FieldPath::new("process.parent.name"),
            file: FieldPath::new("file.name"),
            source: (FieldPath::new("source.ip"), FieldPath::new("source.port")),
            destination: (FieldPath::new("destination.ip"), FieldPath::new("destination.port")),
            user: FieldPath::new("user.name"),
            host: FieldPath::new("host.name"),
        }
    }
}

impl Reason {
    /// The sentence for `event` under a rule of this severity and name.
    pub(super) fn of(&self, event: &Event<'_>, severity: &str, name: &str) -> String {
        let mut text = String::with_capacity(256);
        if add(&mut text, "", event, &self.category) {
            text.push(' ');
        }
        text.push_str("event");
        self.about(&mut text, event);
        add(&mut text, " by ", event, &self.user);
        add(&mut text, " on ", event, &self.host);
        end(&mut text, severity, name);
        text
    }

    /// The sentence without anything of an event.
    pub(super) fn without_event(severity: &str, name: &str) -> String {
        let mut text = "event".to_owned();
        end(&mut text, severity, name);
        text
    }

    fn about(&self, text: &mut String, event: &Event<'_>) {
        let before = text.len();
        text.push_str(" with");
        let start = text.len();
        let named = [(" process ", &self.process), (" parent process ", &self.parent)];
        for (word, field) in named.into_iter().chain([(" file ", &self.file)]) {
            if add(text, word, event, field) {
                text.push(',');
            }
        }
        let addresses = [(" source ", &self.source), (" destination ", &self.destination)];
        for (word, (address, port)) in addresses {
            add(text, word, event, address);
            if add(text, ":", event, port) {
                text.push(',');
            }
        }
        if text.len() == start {
            text.truncate(before);
        }
    }
}

fn end(text: &mut String, severity: &str, name: &str) {
    text.extend([" created ", severity, " alert ", name, "."]);
}

/// Adds `word` and the values of a field, joined; nothing, and `false`, where there is none, or
/// only the `-` that some sources write for it.
fn add(text: &mut String, word: &str, event: &Event<'_>, field: &FieldPath) -> bool {
    let before = text.len();
    let mut count = 0;
    let _: ControlFlow<()> = event.visit(field, &mut |value| {
        leaves(value, word, text, &mut count);
        ControlFlow::Continue(())
    });
    let is_said = match (count, text.get(before + word.len()..)) {
        (0, _) => false,
        (1, Some(only)) => !matches!(only, "" | "-"),
        _ => true,
    };
    if !is_said {
        text.truncate(before);
    }
    is_said
}

/// Adds the values in `value`, `word` before the first and commas between all of the field, of which
/// there were `count`.
fn leaves(value: Value<'_>, word: &str, text: &mut String, count: &mut usize) {
    if let Value::Array(items) = value {
        return items.iter().for_each(|item| leaves(*item, word, text, count));
    }
    if matches!(value, Value::Null | Value::Object(_)) {
        return;
    }
    text.push_str(if *count > 0 { ", " } else { word });
    *count += 1;
    let written = match value {
        Value::Text(value) => text.write_str(value),
        Value::Int(number) => write!(text, "{number}"),
        Value::Uint(number) => write!(text, "{number}"),
        Value::Float(number) => write!(text, "{number}"),
        Value::Bool(truth) => write!(text, "{truth}"),
        Value::Array(_) | Value::Null | Value::Object(_) => Ok(()),
    };
    written.expect("writing into memory cannot fail");
}
