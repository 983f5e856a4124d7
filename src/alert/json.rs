//! A small JSON writer into one buffer.
//!
//! It exists because an alert is written straight from the event's arena: no tree is built per
//! alert. It never writes a raw control character, and it escapes the invisible characters that
//! could repaint a terminal or reorder a line (C1 controls, line separators, bidi controls), so
//! its output is safe to print. It relies on its caller for balanced objects and arrays.

use std::io::Write as _;

use crate::event::Value;
use crate::record::Timestamp;

/// The writer. Separators are written as they become due.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: Vec<u8>,
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Goes on with what was written before.
    pub(super) fn from_bytes(out: Vec<u8>) -> Self {
        Self { out }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// A comma, unless a value has just been opened or named. A text ends with a quote, so the
    /// last byte says which.
    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    pub(super) fn open_object(&mut self) {
        self.separate();
        self.out.push(b'{');
    }

    pub(super) fn close_object(&mut self) {
        self.out.push(b'}');
    }

    pub(super) fn open_array(&mut self) {
        self.separate();
        self.out.push(b'[');
    }

    pub(super) fn close_array(&mut self) {
        self.out.push(b']');
    }

    /// The name of the member whose value comes next.
    pub(super) fn key(&mut self, name: &str) {
        self.separate();
        write_text(&mut self.out, name);
        self.out.push(b':');
    }

    /// The name of the member whose value comes next, in two pieces.
    pub(super) fn key_of(&mut self, prefix: &str, name: &str) {
        self.separate();
        self.out.push(b'"');
        write_escaped(&mut self.out, prefix);
        write_escaped(&mut self.out, name);
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn text(&mut self, text: &str) {
        self.separate();
        write_text(&mut self.out, text);
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.separate();
        write_display(&mut self.out, number);
    }

    /// The literal `true`.
    pub(super) fn yes(&mut self) {
        self.literal(b"true");
    }

    /// A literal of JSON.
    fn literal(&mut self, literal: &[u8]) {
        self.separate();
        self.out.extend_from_slice(literal);
    }

    pub(super) fn time(&mut self, time: Timestamp) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(rfc3339(time).as_bytes());
        self.out.push(b'"');
    }

    /// Members that were written before, without the braces around them.
    pub(super) fn members(&mut self, prepared: &[u8]) {
        if !prepared.is_empty() {
            self.separate();
            self.out.extend_from_slice(prepared);
        }
    }

    pub(super) fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Null => self.literal(b"null"),
            Value::Bool(true) => self.yes(),
            Value::Bool(false) => self.literal(b"false"),
            Value::Int(number) => self.integer(number),
            Value::Uint(number) => {
                self.separate();
                write_display(&mut self.out, number);
            }
            Value::Float(number) => self.float(number),
            Value::Text(text) => self.text(text),
            Value::Array(items) => {
                self.open_array();
                items.iter().for_each(|item| self.value(*item));
                self.close_array();
            }
            Value::Object(members) => {
                self.open_object();
                for member in members {
                    self.key(member.name);
                    self.value(member.value);
                }
                self.close_object();
            }
        }
    }

    /// A value of a rule file, in the order in which it was written.
    pub(super) fn tree(&mut self, value: &serde_json::Value) {
        use serde_json::Value as Tree;
        match value {
            Tree::Null => self.literal(b"null"),
            Tree::Bool(true) => self.yes(),
            Tree::Bool(false) => self.literal(b"false"),
            Tree::Number(number) => {
                self.separate();
                write_display(&mut self.out, number);
            }
            Tree::String(text) => self.text(text),
            Tree::Array(items) => {
                self.open_array();
                items.iter().for_each(|item| self.tree(item));
                self.close_array();
            }
            Tree::Object(members) => {
                self.open_object();
                for (name, value) in members {
                    self.key(name);
                    self.tree(value);
                }
                self.close_object();
            }
        }
    }

    /// A number that is no integer; what is no JSON number (infinity) becomes null.
    fn float(&mut self, number: f64) {
        match serde_json::Number::from_f64(number) {
            Some(number) => {
                self.separate();
                write_display(&mut self.out, number);
            }
            None => self.literal(b"null"),
        }
    }

    // ── members: a name and a value at once ──

    pub(super) fn text_member(&mut self, name: &str, text: &str) {
        self.key(name);
        self.text(text);
    }

    pub(super) fn integer_member(&mut self, name: &str, number: i64) {
        self.key(name);
        self.integer(number);
    }

    pub(super) fn time_member(&mut self, name: &str, time: Timestamp) {
        self.key(name);
        self.time(time);
    }

    pub(super) fn texts_member(&mut self, name: &str, texts: &[String]) {
        self.key(name);
        self.open_array();
        texts.iter().for_each(|text| self.text(text));
        self.close_array();
    }

    pub(super) fn yes_member(&mut self, name: &str) {
        self.key(name);
        self.yes();
    }
}

fn write_display(out: &mut Vec<u8>, what: impl std::fmt::Display) {
    write!(out, "{what}").expect("writing into memory cannot fail");
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Writes `text` as the inside of a JSON string. An original event has a quote every eight bytes, so
/// these take a short way, and what needs no escape is told by a table: 28 to 25 us an alert.
fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    let needs_look = |byte: &u8| NEEDS_LOOK.get(usize::from(*byte)) == Some(&true);
    while let Some(at) = rest.as_bytes().iter().position(needs_look) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        if let Some(behind) = tail.strip_prefix('"') {
            out.extend_from_slice(b"\\\"");
            rest = behind;
            continue;
        }
        let mut symbols = tail.chars();
        if let Some(symbol) = symbols.next() {
            write_symbol(out, symbol);
        }
        rest = symbols.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// For each byte, whether a character that begins with it may need an escape.
static NEEDS_LOOK: [bool; 256] = needs_look();

const fn needs_look() -> [bool; 256] {
    let mut table = [false; 256];
    let mut bytes: &mut [bool] = &mut table;
    let mut byte = 0_u8;
    while let [entry, rest @ ..] = bytes {
        *entry = may_need_escape(byte);
        byte = byte.wrapping_add(1);
        bytes = rest;
    }
    table
}

/// Whether a character that begins with this byte may need an escape. It is never the second
/// byte of a character: the lead bytes in here are those of U+0080-U+00BF, U+0600-U+063F and
/// U+2000-U+2FFF.
const fn may_need_escape(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2)
}

fn write_symbol(out: &mut Vec<u8>, symbol: char) {
    match symbol {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        symbol if is_hidden(symbol) => {
            write!(out, "\\u{:04x}", u32::from(symbol)).expect("writing into memory cannot fail");
        }
        symbol => {
            let mut bytes = [0; 4];
            out.extend_from_slice(symbol.encode_utf8(&mut bytes).as_bytes());
        }
    }
}

/// Characters that show nothing themselves but change how others show: controls, separators of
/// lines, and what reorders text.
const fn is_hidden(symbol: char) -> bool {
    matches!(
        symbol,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// First and last millisecond that RFC 3339 can say (years 0 to 9999).
const FIRST_MS: i64 = -62_167_219_200_000;
const LAST_MS: i64 = 253_402_300_799_999;

/// The time as RFC 3339 in UTC with milliseconds. Times outside the years 0 to 9999, which only a
/// broken producer sends, become the nearest one inside.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let millis = time.as_millis().clamp(FIRST_MS, LAST_MS);
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
/// Eras are 400 years, and years begin in March here, so that the leap day is the last of a year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Member;

    /// `text` is written as `json`, which reads back as `text`.
    fn check(text: &str, json: &str) {
        let mut out = Vec::new();
        write_text(&mut out, text);
        assert_eq!(String::from_utf8_lossy(&out), json);
        assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
    }

    #[test]
    fn texts_are_escaped() {
        check("plain äöü 漢字 🦝", "\"plain äöü 漢字 🦝\"");
        check("a\"b\\c/d", r#""a\"b\\c/d""#);
        check("\n\r\t\0\u{1b}[31m", r#""\n\r\t\u0000\u001b[31m""#);
        check("\u{7f}\u{85}\u{9b}", r#""\u007f\u0085\u009b""#);
        check(
            "\u{202e}txt\u{2066}\u{200f}\u{2028}\u{61c}",
            r#""\u202etxt\u2066\u200f\u2028\u061c""#,
        );
        check("\u{a0}\u{a7}\u{2013}\u{630}", "\"\u{a0}\u{a7}\u{2013}\u{630}\"");
    }

    #[test]
    fn separators_stand_between_values_only() {
        let mut json = Json::default();
        json.open_object();
        json.members(b"\"z\":0");
        json.members(b"");
        json.text_member("a{", "[");
        json.key("b");
        json.open_array();
        json.value(Value::Null);
        json.value(Value::Array(&[Value::Bool(false), Value::Uint(u64::MAX)]));
        json.value(Value::Object(&[]));
        json.value(Value::Float(f64::INFINITY));
        json.value(Value::Float(0.5));
        json.close_array();
        json.key_of("p.", "\"q\"");
        json.value(Value::Object(&[Member { name: "x", value: Value::Int(-1) }]));
        json.close_object();
        let expected = r#"{"z":0,"a{":"[","b":[null,[false,18446744073709551615],{},null,0.5],"p.\"q\"":{"x":-1}}"#;
        assert_eq!(String::from_utf8_lossy(&json.into_bytes()), expected);
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        let check = |millis: i64, text: &str| {
            assert_eq!(rfc3339(Timestamp::from_millis(millis)), text);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_827_696_789, "2000-02-29T12:34:56.789Z");
        check(i64::MAX, "9999-12-31T23:59:59.999Z");
        check(i64::MIN, "0000-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String) {
            let mut out = Vec::new();
            write_text(&mut out, &text);
            prop_assert!(!String::from_utf8_lossy(&out).chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
        }

        #[test]
        fn any_time_agrees_with_the_calendar(millis in FIRST_MS..=LAST_MS) {
            let ours = rfc3339(Timestamp::from_millis(millis));
            let time = jiff::Timestamp::from_millisecond(millis).expect("a time within range");
            let theirs = time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn any_tree_is_written_as_others_write_it(number: f64, texts: Vec<String>, whole: i64) {
            let tree = serde_json::json!({"n": number, "t": texts, "o": {"w": whole, "e": []}});
            let mut json = Json::default();
            json.tree(&tree);
            let read: serde_json::Value = serde_json::from_slice(&json.into_bytes()).expect("JSON");
            prop_assert_eq!(read, tree);
        }
    }
}
