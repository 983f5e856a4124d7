//! A small JSON writer into one buffer.
//!
//! It exists because an alert is written straight from the event's arena: no tree is built per
//! alert. It never writes a raw control character or one that hides (see [`super::escape`]), so
//! its output is safe to print. It relies on its caller for balanced objects and arrays.

use super::escape::{write_escaped, write_text};
use super::origin::Origin;
use super::sheet::Sheet;
use crate::event::{Member, Value};
use crate::record::Timestamp;

/// The writer. Separators are written as they become due.
#[derive(Debug, Default)]
pub(super) struct Json {
    sheet: Sheet,
    /// The first two times that were written, as they were: an alert says several times when it was
    /// judged, and when the event happened.
    times: [Option<(Timestamp, [u8; TIME_BYTES])>; 2],
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { sheet: Sheet::with_room(bytes), times: [None; 2] }
    }

    /// Goes on with what was written before.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { sheet: Sheet::from_bytes(bytes), times: [None; 2] }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.sheet.into_bytes()
    }

    /// A comma, unless a value has just been opened or named. A text ends with a quote, so the
    /// last byte says which.
    #[inline]
    fn separate(&mut self) {
        if !matches!(self.sheet.last(), None | Some(b'{' | b'[' | b':')) {
            self.sheet.push(b',');
        }
    }

    pub(super) fn open_object(&mut self) {
        self.separate();
        self.sheet.push(b'{');
    }

    pub(super) fn close_object(&mut self) {
        self.sheet.push(b'}');
    }

    pub(super) fn open_array(&mut self) {
        self.separate();
        self.sheet.push(b'[');
    }

    pub(super) fn close_array(&mut self) {
        self.sheet.push(b']');
    }

    /// The name of the member whose value comes next: one of our own, in which nothing needs an
    /// escape.
    pub(super) fn key(&mut self, name: &'static str) {
        self.separate();
        self.sheet.put_between(name.as_bytes(), b'"', b"\":");
    }

    /// The name of the member whose value comes next, whatever is in it.
    pub(super) fn any_key(&mut self, name: &str) {
        self.separate();
        write_text(&mut self.sheet, name);
        self.sheet.push(b':');
    }

    /// The name of the member whose value comes next, in two pieces.
    pub(super) fn key_of(&mut self, prefix: &str, name: &str) {
        self.separate();
        self.sheet.push(b'"');
        write_escaped(&mut self.sheet, prefix);
        write_escaped(&mut self.sheet, name);
        self.sheet.put(b"\":");
    }

    /// The name of a member of an event with that `origin` behind a `prefix` of our own.
    pub(super) fn key_behind(&mut self, prefix: &'static str, name: &str, origin: Origin<'_>) {
        self.separate();
        self.sheet.put_between(prefix.as_bytes(), b'"', b"");
        origin.write_end_of_name(&mut self.sheet, name);
    }

    /// A text of our own, in which nothing needs an escape, behind a name.
    pub(super) fn plain_member(&mut self, name: &'static str, text: &str) {
        self.key(name);
        self.sheet.put_between(text.as_bytes(), b'"', b"\"");
    }

    pub(super) fn text(&mut self, text: &str) {
        self.separate();
        write_text(&mut self.sheet, text);
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.separate();
        write_integer(&mut self.sheet, number);
    }

    /// The literal `true`.
    pub(super) fn yes(&mut self) {
        self.literal(b"true");
    }

    /// A literal of JSON.
    fn literal(&mut self, literal: &[u8]) {
        self.separate();
        self.sheet.put(literal);
    }

    pub(super) fn time(&mut self, time: Timestamp) {
        self.separate();
        if let Some((_, text)) = self.times.iter().flatten().find(|(known, _)| *known == time) {
            return self.sheet.put(text);
        }
        let text = quoted_time(time);
        self.sheet.put(&text);
        if let Some(free) = self.times.iter_mut().find(|known| known.is_none()) {
            *free = Some((time, text));
        }
    }

    /// Members that were written before, without the braces around them.
    pub(super) fn members(&mut self, prepared: &[u8]) {
        if !prepared.is_empty() {
            self.separate();
            self.sheet.put(prepared);
        }
    }

    pub(super) fn value(&mut self, value: Value<'_>) {
        self.separate();
        self.value_here(value, Origin::default());
    }

    /// The same, of an event with that `origin`.
    pub(super) fn value_of(&mut self, value: Value<'_>, origin: Origin<'_>) {
        self.separate();
        self.value_here(value, origin);
    }

    /// A member that is not the first of its object, of an event with that `origin`.
    pub(super) fn further_member(&mut self, member: &Member<'_>, origin: Origin<'_>) {
        self.member_here(b',', member, origin);
    }

    /// A member with what stands `before` it. Texts are most of what there is, and go no further.
    #[inline(always)]
    fn member_here(&mut self, before: u8, member: &Member<'_>, origin: Origin<'_>) {
        origin.write_name(&mut self.sheet, before, member.name);
        match member.value {
            Value::Text(text) => origin.write_text(&mut self.sheet, text),
            value => self.value_here(value, origin),
        }
    }

    /// A value where no comma is due. An event has hundreds of names and values, so objects and
    /// arrays know which member is their first and look at nothing that was written.
    fn value_here(&mut self, value: Value<'_>, origin: Origin<'_>) {
        match value {
            Value::Null => self.sheet.put(b"null"),
            Value::Bool(true) => self.sheet.put(b"true"),
            Value::Bool(false) => self.sheet.put(b"false"),
            Value::Int(number) => write_integer(&mut self.sheet, number),
            Value::Uint(number) => write_number(&mut self.sheet, number),
            Value::Float(number) => self.float_here(number),
            Value::Text(text) => origin.write_text(&mut self.sheet, text),
            Value::Array(items) => {
                self.sheet.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.sheet.push(b',');
                    }
                    self.value_here(*item, origin);
                }
                self.sheet.push(b']');
            }
            Value::Object([]) => self.sheet.put(b"{}"),
            Value::Object(members) => {
                let mut before = b'{';
                for member in members {
                    self.member_here(before, member, origin);
                    before = b',';
                }
                self.sheet.push(b'}');
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
                self.sheet.put(number.to_string().as_bytes());
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
                    self.any_key(name);
                    self.tree(value);
                }
                self.close_object();
            }
        }
    }

    /// A number that is no integer; what is no JSON number (infinity) becomes null.
    fn float_here(&mut self, number: f64) {
        if number.is_finite() {
            self.sheet.put(zmij::Buffer::new().format_finite(number).as_bytes());
        } else {
            self.sheet.put(b"null");
        }
    }

    // ── members: a name and a value at once ──

    pub(super) fn text_member(&mut self, name: &'static str, text: &str) {
        self.key(name);
        self.text(text);
    }

    pub(super) fn integer_member(&mut self, name: &'static str, number: i64) {
        self.key(name);
        self.integer(number);
    }

    pub(super) fn time_member(&mut self, name: &'static str, time: Timestamp) {
        self.key(name);
        self.time(time);
    }

    pub(super) fn texts_member(&mut self, name: &'static str, texts: &[String]) {
        self.key(name);
        self.open_array();
        texts.iter().for_each(|text| self.text(text));
        self.close_array();
    }

    pub(super) fn yes_member(&mut self, name: &'static str) {
        self.key(name);
        self.yes();
    }
}

/// The longest decimal number of 64 bits, and its sign.
pub(super) const DECIMAL_BYTES_MAX: usize = 21;

/// `number` in decimal, at the end of `digits`.
pub(super) fn decimal(number: i64, digits: &mut [u8; DECIMAL_BYTES_MAX]) -> &[u8] {
    let unsigned = write_digits_of(number.unsigned_abs(), digits);
    let begin = unsigned - usize::from(number < 0);
    if number < 0
        && let Some(sign) = digits.get_mut(begin)
    {
        *sign = b'-';
    }
    digits.get(begin..).unwrap_or_default()
}

fn write_integer(sheet: &mut Sheet, number: i64) {
    sheet.put(decimal(number, &mut [0; DECIMAL_BYTES_MAX]));
}

fn write_number(sheet: &mut Sheet, number: u64) {
    let mut digits = [0; DECIMAL_BYTES_MAX];
    let begin = write_digits_of(number, &mut digits);
    sheet.put(digits.get(begin..).unwrap_or_default());
}

/// Writes `number` at the end of `digits`; where it begins.
fn write_digits_of(mut number: u64, digits: &mut [u8; DECIMAL_BYTES_MAX]) -> usize {
    let mut begin = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        begin -= 1;
        if number == 0 {
            break;
        }
    }
    begin
}

/// The length of a time with its quotes.
const TIME_BYTES: usize = 26;

/// First and last millisecond that RFC 3339 can say (years 0 to 9999).
const FIRST_MS: i64 = -62_167_219_200_000;
const LAST_MS: i64 = 253_402_300_799_999;

/// The time as RFC 3339 in UTC with milliseconds, with its quotes. Times outside the years 0 to
/// 9999, which only a broken producer sends, become the nearest one inside.
fn quoted_time(time: Timestamp) -> [u8; TIME_BYTES] {
    let millis = time.as_millis().clamp(FIRST_MS, LAST_MS);
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
    let places = [1..5, 6..8, 9..11, 12..14, 15..17, 18..20, 21..24];
    for (place, number) in places.into_iter().zip([year, month, day, hour, minute, second, millis])
    {
        write_digits(text.get_mut(place).unwrap_or_default(), number.unsigned_abs());
    }
    text
}

/// Fills `digits` with the last digits of `number`.
fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
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
    fn a_time_that_is_written_again_is_the_same() {
        let [one, other, third] = [0, 1, 2].map(Timestamp::from_millis);
        let mut json = Json::default();
        json.open_array();
        for time in [one, other, one, third, other, third, one] {
            json.time(time);
        }
        json.close_array();
        let times: Vec<String> = serde_json::from_slice(&json.into_bytes()).expect("JSON");
        assert_eq!(times, [0, 1, 0, 2, 1, 2, 0].map(time));
    }

    fn time(millis: i64) -> String {
        let text = quoted_time(Timestamp::from_millis(millis));
        serde_json::from_slice(&text).expect("a text")
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        let check = |millis: i64, text: &str| assert_eq!(time(millis), text);
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_827_696_789, "2000-02-29T12:34:56.789Z");
        check(i64::MAX, "9999-12-31T23:59:59.999Z");
        check(i64::MIN, "0000-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn any_time_agrees_with_the_calendar(millis in FIRST_MS..=LAST_MS) {
            let ours = time(millis);
            let time = jiff::Timestamp::from_millisecond(millis).expect("a time within range");
            let theirs = time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn any_number_is_written_as_others_write_it(number: i64, other: u64) {
            let mut json = Json::default();
            json.open_array();
            json.integer(number);
            json.value(Value::Uint(other));
            json.close_array();
            let text = String::from_utf8(json.into_bytes()).expect("digits");
            prop_assert_eq!(text, format!("[{number},{other}]"));
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
