//! What others wrote cannot act on the terminal of whoever reads it: rules, events, file names and
//! values of the configuration go through every command that prints them.

use crate::support::program::{Ran, folder, rule, run, write};

/// A window title, a colour, a C1 control, text that turns around, a mark that cannot be seen and
/// the start of a line of its own. Each is spelled out somewhere in what is printed.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e}evil\u{2066}\u{feff}";

/// Fails where something is left that a terminal would obey, or that hides text.
fn is_harmless(ran: &Ran, what: &str) {
    let text = ran.text();
    let left: Vec<char> = text
        .chars()
        .filter(|symbol| !matches!(symbol, '\n' | '\t') && ouzel::text::is_unfit(*symbol))
        .collect();
    assert!(left.is_empty(), "{what}: {left:?} in {text:?}");
}

/// As [`is_shown`]; in data, a character that only cannot be seen stays what it is.
fn is_data(ran: &Ran, what: &str) {
    let stdout = ran.stdout.replace('\u{feff}', "");
    let stderr = ran.stderr.replace('\u{feff}', "");
    is_shown(&Ran { stdout, stderr, code: ran.code }, what);
}

fn is_shown(ran: &Ran, what: &str) {
    is_harmless(ran, what);
    assert!(ran.text().contains("evil"), "{what}: the text is not there at all: {}", ran.text());
}

/// TOML of a text, all of it spelled out.
fn toml_text(text: &str) -> String {
    let spelled: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    format!("\"{spelled}\"")
}

#[test]
fn rules_cannot_act_on_the_terminal() {
    let folder = folder("untrusted_rules");
    let name = format!("name = {}", toml_text(HOSTILE));
    let hostile = rule("a", "x:1", "").replace("name = \"rule a\"", &name);
    write(&folder, "a.toml", &hostile);
    write(
        &folder,
        "a.cases.toml",
        format!(
            "[[case]]\nname = {0}\nwhy = {0}\nexpect = \"hit\"\nevent = {{ x = {0} }}\n",
            toml_text(HOSTILE)
        ),
    );
    is_shown(&run(&folder, &["test", "-r", "."], b""), "a failed case");
    is_shown(&run(&folder, &["explain", "-r", "."], br#"{"x":1}"#), "the name of a rule");
    is_shown(&run(&folder, &["explain", "-r", ".", "--output", "json"], br#"{"x":1}"#), "as JSON");
    let query = format!("query = {}", toml_text(&format!("x:{HOSTILE} and ((")));
    write(&folder, "b.toml", rule("b", "x:1", "").replace("query = '''x:1'''", &query));
    is_shown(&run(&folder, &["check", "-r", "b.toml"], b""), "a fault in a query");
    write(&folder, "c.toml", rule("c", "x:1", &format!("{} = 1", toml_text(HOSTILE))));
    is_shown(&run(&folder, &["check", "-r", "c.toml"], b""), "a fault in a rule file");
    let off = hostile.replace("rule_id = \"a\"", "enabled = false\nrule_id = \"d\"");
    write(&folder, "d.toml", off);
    is_shown(&run(&folder, &["check", "-r", "d.toml", "-r", "a.toml"], b""), "a skipped rule");
}

#[test]
fn events_cannot_act_on_the_terminal() {
    let folder = folder("untrusted_events");
    write(&folder, "a.toml", rule("a", "user.name:*", ""));
    let value = serde_json::Value::from(HOSTILE);
    let event = format!("{{\"uuid\":{value},\"user\":{{\"name\":{value}}},\"x\":{value}}}");
    let event = event.as_bytes();
    is_shown(&run(&folder, &["explain", "-r", "."], event), "explain");
    is_shown(&run(&folder, &["explain", "-r", ".", "--output", "json"], event), "explain as JSON");
    is_data(&run(&folder, &["pipe", "-r", "."], event), "an alert");
    let broken = [b"{\"user\":", event, HOSTILE.as_bytes()].concat();
    is_data(&run(&folder, &["pipe", "-r", "."], &broken), "a dead letter");
    is_harmless(&run(&folder, &["explain", "-r", "."], &broken), "what cannot be read");
}

#[test]
fn the_configuration_cannot_act_on_the_terminal() {
    let folder = folder("untrusted_configuration");
    let set = |key: &str| format!("{key}={}", toml_text(HOSTILE));
    for key in ["input.start", "kafka.brokers", "http.listen", "rule.x.severity", "log.level"] {
        is_harmless(&run(&folder, &["check", "--set", &set(key)], b""), key);
    }
    let named = format!("rules/{HOSTILE}.toml");
    is_shown(&run(&folder, &["check", "-r", &named], b""), "the name of a file");
    is_shown(&run(&folder, &["check", "-c", &named], b""), "the name of the configuration");
    is_shown(&run(&folder, &["pipe", &named], b""), "the name of an input");
    is_shown(&run(&folder, &["check", "--set", &format!("a{HOSTILE}=1")], b""), "a key");
    is_shown(&run(&folder, &["check", "--show", "--set", &set("input.group")], b""), "--show");
}
