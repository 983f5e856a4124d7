//! Records as nobody should send them, each with what must come of it: the one table of bad input.
//!
//! The suite against a real Apache Kafka sends them to a stage, `hostile` to `pipe`.

use ouzel::generate::{Generator, Options};
use ouzel::limits;

/// The outcome of a record that nothing comes of.
pub const CLEAN: &str = "clean";
/// The outcome of a record that an alert comes of.
pub const ALERT: &str = "alert";

/// A record of the table.
pub struct Malformed {
    /// What is odd about it.
    pub name: &'static str,
    /// `None`: a tombstone.
    pub payload: Option<Vec<u8>>,
    /// [`CLEAN`], [`ALERT`] or the reason of a dead letter.
    pub expected: &'static str,
    /// The `uuid` of its event; empty where it is none.
    pub uuid: String,
}

/// Makes the records of the table.
struct Maker {
    generator: Generator,
    options: Options,
    records: Vec<Malformed>,
}

impl Maker {
    fn new(seed: u64) -> Self {
        let options = Options { seed, hits_permille: 1000, ..Options::default() };
        Self { generator: Generator::new(options.clone()), options, records: Vec::new() }
    }

    fn push(&mut self, name: &'static str, expected: &'static str, payload: Vec<u8>) {
        let payload = Some(payload);
        self.records.push(Malformed { name, payload, expected, uuid: String::new() });
    }

    /// A reset with another member in front.
    fn with_member(&mut self, name: &'static str, expected: &'static str, member: &[u8]) {
        self.reset(name, expected, |event| {
            event.splice(1..1, [member, b","].concat());
        });
    }

    /// A reset to which something is done.
    fn reset(
        &mut self,
        name: &'static str,
        expected: &'static str,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut event = Vec::new();
        let made = self.generator.next_into(&mut event);
        change(&mut event);
        let uuid = self.options.uuid(made.number);
        self.records.push(Malformed { name, payload: Some(event), expected, uuid });
    }
}

/// Bytes.
pub const MEBIBYTE: usize = 1 << 20;

/// The table; the events in it follow from `seed`.
pub fn table(seed: u64) -> Vec<Malformed> {
    let mut all = Maker::new(seed);
    let tombstone = Malformed { name: "null", payload: None, expected: CLEAN, uuid: String::new() };
    all.records.push(tombstone);
    small_ones(&mut all);
    deep_ones(&mut all);
    large_ones(&mut all);
    all.records
}

fn small_ones(all: &mut Maker) {
    all.push("empty", CLEAN, Vec::new());
    all.push("blank", CLEAN, b" \t\r\n ".to_vec());
    all.push("a byte order mark alone", CLEAN, b"\xef\xbb\xbf".to_vec());
    all.push("an empty page", CLEAN, b"[]".to_vec());
    all.push("an empty object", CLEAN, b"{}".to_vec());
    all.push("a number", "not an object", b"42".to_vec());
    all.push("a text", "not an object", br#""user.mfa.factor.reset_all""#.to_vec());
    all.push("words", "not JSON", b"not JSON at all".to_vec());
    all.push("zero bytes", "not JSON", vec![0; 64]);
    all.push("UTF-16", "not UTF-8", b"\xff\xfe{\0}\0".to_vec());
    all.push("compressed bytes", "not JSON", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05".to_vec());
    all.push("a bracket too few", "truncated", b"{\"a\":[1,2}".to_vec());
    all.push("a bracket too many", "not JSON", b"{\"a\":1}}".to_vec());
    all.reset("cut in a string", "truncated", |event| event.truncate(event.len() / 2));
    all.reset("a byte order mark", ALERT, |event| {
        event.splice(0..0, *b"\xef\xbb\xbf");
    });
    all.with_member("a control byte", "control byte", b"\"a\":\"\x01\"");
    all.with_member("invalid UTF-8", "not UTF-8", b"\"a\":\"\xc3\x28\"");
    all.with_member("an overlong encoding", "not UTF-8", b"\"a\":\"\xc0\xaf\"");
    all.with_member("a number beyond a float", ALERT, br#""a":1e999"#);
    all.with_member(
        "a number with many digits",
        ALERT,
        &[b"\"a\":".to_vec(), vec![b'9'; 10_000]].concat(),
    );
    all.with_member("a lone surrogate", ALERT, br#""a":"\ud800""#);
    all.with_member("surrogates in the wrong order", ALERT, br#""a":"\udc00\ud800""#);
    all.with_member("a key that stands twice", ALERT, br#""severity":"INFO","a":1,"a":2"#);
    all.with_member("an escaped key", ALERT, br#""\u0061":"\u0000\u001b[31m""#);
    all.with_member("a name of the program's own", ALERT, br#""__proto__":{"ouzel":1}"#);
}

fn deep_ones(all: &mut Maker) {
    let deep = |open: &str, close: &str| {
        [b"\"a\":".to_vec(), open.repeat(100_000).into(), close.repeat(100_000).into()].concat()
    };
    all.push("100,000 brackets that stay open", "too deep", vec![b'['; 100_000]);
    all.push("100,000 objects that stay open", "too deep", b"{\"a\":".repeat(100_000));
    all.with_member("100,000 levels of arrays", "too deep", &deep("[", "]"));
    all.with_member("100,000 levels of objects", "too deep", &deep("{\"a\":1,\"b\":[", "]}"));
    // Each level of text in text doubles the backslashes: a few levels are what fits.
    let mut text = String::from("{}");
    for _ in 0..12 {
        text = format!("{{\"message\":{}}}", serde_json::Value::from(text));
    }
    all.with_member("texts in texts", ALERT, format!("\"a\":{text}").as_bytes());
}

fn large_ones(all: &mut Maker) {
    let keys: String = (0..1_000_000).map(|key| format!("\"k{key}\":1,")).collect();
    let object = format!("\"a\":{{{keys}\"end\":1}}");
    all.with_member("1,000,000 keys", ALERT, object.as_bytes());
    all.push("1,000,000 keys and no reset", CLEAN, format!("{{{keys}\"end\":1}}").into());
    let same = format!("\"a\":{{{}\"a\":1}}", "\"a\":1,".repeat(1_000_000));
    all.with_member("one key 1,000,000 times", ALERT, same.as_bytes());
    let array = format!("\"a\":[{}1]", "1,".repeat(1_000_000));
    all.with_member("1,000,000 elements", ALERT, array.as_bytes());
    let long = |bytes: usize| [b"\"a\":\"".to_vec(), vec![b'x'; bytes], b"\"".to_vec()].concat();
    all.with_member("10 MiB", ALERT, &long(10 * MEBIBYTE));
    let escapes = [b"\"a\":\"".to_vec(), br"\u0041".repeat(MEBIBYTE), b"\"".to_vec()].concat();
    all.with_member("1,000,000 escapes", ALERT, &escapes);
    all.push("a byte more than is judged", "too large", vec![b' '; limits::PAYLOAD_BYTES_MAX + 1]);
    let one = "{\"a\":\"user.mfa.factor.reset_all\"}";
    let page = vec![one; limits::EVENTS_PER_RECORD_MAX + 1].join(",");
    all.push("a page with an event too many", "too many events", format!("[{page}]").into());
}
