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
        let mut text = String::with_capacity(128);
        if let Some(category) = texts(event, &self.category) {
            text.push_str(&category);
            text.push(' ');
        }
        text.push_str("event");
        let about = self.about(event);
        if !about.is_empty() {
            text.push_str(" with");
            text.push_str(&about);
        }
        for (word, field) in [(" by ", &self.user), (" on ", &self.host)] {
            if let Some(value) = texts(event, field) {
                text.push_str(word);
                text.push_str(&value);
            }
        }
        text.push_str(&end(severity, name));
        text
    }

    /// The sentence without anything of an event.
    pub(super) fn without_event(severity: &str, name: &str) -> String {
        format!("event{}", end(severity, name))
    }

    fn about(&self, event: &Event<'_>) -> String {
        let mut text = String::new();
        let named = [(" process ", &self.process), (" parent process ", &self.parent)];
        for (word, field) in named.into_iter().chain([(" file ", &self.file)]) {
            if let Some(value) = texts(event, field) {
                text.extend([word, &value, ","]);
            }
        }
        let addresses = [(" source ", &self.source), (" destination ", &self.destination)];
        for (word, (address, port)) in addresses {
            if let Some(address) = texts(event, address) {
                text.extend([word, &address]);
            }
            if let Some(port) = texts(event, port) {
                text.extend([":", &port, ","]);
            }
        }
        text
    }
}

fn end(severity: &str, name: &str) -> String {
    format!(" created {severity} alert {name}.")
}

/// The values of a field, joined; `None` where there is none, or only the `-` that some sources
/// write for it.
fn texts(event: &Event<'_>, field: &FieldPath) -> Option<String> {
    let mut found: Vec<String> = Vec::new();
    let _: std::ops::ControlFlow<()> = event.visit(field, &mut |value| {
        leaves(value, &mut found);
        std::ops::ControlFlow::Continue(())
    });
    match found.as_slice() {
        [] => None,
        [only] if only == "-" || only.is_empty() => None,
        several => Some(several.join(", ")),
    }
}

fn leaves(value: Value<'_>, found: &mut Vec<String>) {
    match value {
        Value::Text(text) => found.push(text.to_owned()),
        Value::Int(number) => found.push(number.to_string()),
        Value::Uint(number) => found.push(number.to_string()),
        Value::Float(number) => found.push(number.to_string()),
        Value::Bool(truth) => found.push(truth.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(*item, found)),
        Value::Null | Value::Object(_) => {}
    }
}
