use std::sync::LazyLock;

use proptest::strategy::Strategy as _;

use super::levels::Level;
use super::*;
use crate::limits;

/// The naive filter: the literal anywhere, or the escape of a byte that could hide it.
fn naive_filter(literals: &[&[u8]], hides: impl Fn(u8) -> bool, payload: &[u8]) -> bool {
    let has = |literal: &&[u8]| payload.windows(literal.len()).any(|window| window == *literal);
    let hiding = |window: &[u8]| {
        let Some(digits) = window.strip_prefix(b"\\u00") else { return false };
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            && u8::from_str_radix(digits, 16).is_ok_and(&hides)
    };
    literals.iter().any(has) || payload.windows(6).any(hiding)
}

/// The blocks that hold bytes beyond ASCII, from the first to the last; of the last block of the
/// payload, which may be looked at on its own, the end may lie further on.
fn encoded(payload: &[u8]) -> Found {
    let places = || payload.iter().enumerate().filter(|(_, byte)| !byte.is_ascii());
    let first = places().next().map_or(0, |(at, _)| at);
    let last = places().next_back().map_or(0, |(at, _)| at);
    let to = (last / 64 * 64 + 64).min(payload.len().max(128));
    Found::Encoded { from: first / 64 * 64, to }
}

/// The naive envelope, byte by byte; depth is looked at at the end of each block of 64.
fn naive_envelope(payload: &[u8]) -> Found {
    let (mut inside, mut escaped, mut depth) = (false, false, 0_i64);
    let padded = payload.len().next_multiple_of(64);
    let bytes = payload.iter().copied().chain(std::iter::repeat(b' ')).take(padded);
    for (at, byte) in bytes.enumerate() {
        let opens = !escaped && byte == b'"';
        let was_inside = inside;
        if opens {
            inside = !inside;
        }
        // The closing quote itself counts as outside, the opening one as inside.
        let is_inside = if opens { !was_inside } else { inside };
        escaped = !escaped && byte == b'\\';
        let is_space = matches!(byte, b'\n' | b'\r' | b'\t');
        if byte < b' ' && (is_inside || !is_space) || byte >= 0x80 && !is_inside {
            return Found::Suspect;
        }
        if !is_inside {
            depth += i64::from(matches!(byte, b'{' | b'['));
            depth -= i64::from(matches!(byte, b'}' | b']'));
        }
        if at % 64 == 63 && !(0..=limits::EVENT_DEPTH_MAX as i64).contains(&depth) {
            return Found::Suspect;
        }
    }
    match !inside && depth == 0 {
        true if payload.is_ascii() => Found::Clean,
        true => encoded(payload),
        false => Found::Suspect,
    }
}

fn hides(byte: u8) -> bool {
    b"needle\\u0123456789abcdefABCDEF".contains(&byte)
}

/// A kernel for [`NEEDLES`] on every level.
static KERNELS: LazyLock<Vec<Kernel>> = LazyLock::new(|| kernels(NEEDLES));

fn kernels(literals: &[&[u8]]) -> Vec<Kernel> {
    let kernel = Kernel::new(literals, hides).expect("these literals are of the right kind");
    kernel.on_every_level().collect()
}

/// Holds every level against the naive one.
fn check(payload: &[u8]) {
    check_with(&KERNELS, NEEDLES, payload);
}

fn check_with(kernels: &[Kernel], literals: &[&[u8]], payload: &[u8]) {
    let candidate = naive_filter(literals, hides, payload);
    let whole = naive_envelope(payload);
    for kernel in kernels {
        let level = kernel.level;
        let filter = if candidate { Found::Candidate } else { Found::Clean };
        assert_eq!(kernel.scan(payload, Look::Filter), filter, "{level:?} {payload:?}");
        let both = if candidate { Found::Candidate } else { whole };
        let found = kernel.scan(payload, Look::FilterAndEnvelope);
        assert_eq!(found, both, "{level:?} {:?}", String::from_utf8_lossy(payload));
    }
}

const NEEDLES: &[&[u8]] = &[b"needle.of_rare-bytes", b"zq"];

#[test]
fn a_literal_is_found_at_every_place_of_every_length() {
    for length in 0..=256 {
        let payload = vec![b'n'; length];
        check(&payload);
        for needle in NEEDLES {
            for start in 0..=length.saturating_sub(needle.len()) {
                let mut payload = payload.clone();
                payload.splice(start..(start + needle.len()).min(length), needle.iter().copied());
                payload.truncate(length);
                check(&payload);
            }
        }
    }
}

#[test]
fn an_escape_that_could_hide_a_literal_is_found_at_every_place() {
    for escape in
        ["\\u006e", "\\u006E", "\\u005c", "\\u0075", "\\\\u0065", "\\u0026", "\\u00e9", "\\u016e"]
    {
        for start in 0..140 {
            let mut payload = vec![b' '; start];
            payload.extend(escape.as_bytes());
            for end in start..=payload.len() {
                check(&payload[..end]);
            }
            payload.extend([b' '; 70]);
            check(&payload);
        }
    }
}

#[test]
fn the_envelope_is_judged_alike_at_every_place() {
    let pieces = [
        "{\"a\":\"b\"}",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\\\\\\"\"",
        "\"[{\"",
        "[[]]",
        "{]",
        "[}",
        "]",
        "[",
        "\"",
        "\u{1}",
        "\n",
        "\"\n\"",
        "\t\"\t\"",
        "é",
        "\"é\"",
        "\\",
        "\"\\\\\\\\\\\\\\\"\"",
    ];
    for piece in pieces {
        for start in 0..130 {
            let mut payload = vec![b' '; start];
            payload.extend(piece.as_bytes());
            check(&payload);
            payload.extend([b'\\'; 3]);
            payload.extend(piece.as_bytes());
            check(&payload);
            // Plain blocks and back: what was carried must hold when two blocks are looked at at once.
            payload.extend([b' '; 200]);
            payload.extend(piece.as_bytes());
            check(&payload);
        }
    }
    check("[".repeat(200).as_bytes());
    check(format!("{}{}", "[".repeat(60), "]".repeat(60)).as_bytes());
}

proptest::proptest! {
    #[test]
    fn every_level_agrees_with_the_naive_one(
        pieces in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::sample::select(vec![
                    "needle.of_rare-bytes", "needle.of_rare-byte", "zq", "z", "q", "\\", "\"", "{", "}", "[", "]",
                    "\\u00", "6e", "\\u006e", "\\\\u006e", "u", "\u{2}", "\n", "é", " ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            ],
            0..40,
        )
    ) {
        check(&pieces.concat());
    }
}

#[test]
fn every_number_of_literals_finds_each_of_them_at_every_place() {
    let all: [&[u8]; 5] = [b"first.literal", b"xy", b"the_third-one is long", b"4th", b"No 5"];
    for count in 0..=all.len() {
        let literals = &all[..count];
        let kernels = kernels(literals);
        for literal in all {
            for start in (0..300).step_by(7) {
                let mut payload = vec![b'.'; 300];
                payload.splice(start..start, literal.iter().copied());
                check_with(&kernels, literals, &payload);
                check_with(&kernels, literals, &payload[..start + literal.len()]);
            }
        }
    }
}

#[test]
fn literals_of_the_wrong_kind_are_refused() {
    let is_taken = |literals: &[&[u8]]| Kernel::new(literals, hides).is_some();
    assert!(is_taken(&[]));
    assert!(is_taken(&[b"ab"]));
    assert!(!is_taken(&[b"a"]));
    assert!(!is_taken(&[b""]));
    assert!(!is_taken(&["é!".as_bytes()]));
    assert!(!is_taken(&[b"ab".as_slice(); NEEDLES_MAX + 1]));
}

#[test]
fn a_key_is_a_candidate_where_one_of_the_values_is_behind_it() {
    let keys: [&[u8]; 2] = [b"eventType", b"action"];
    let kernel = Kernel::with_keys(&[b"zq"], &keys, &[b"a.b", b"c.d"], |byte| byte == b'n');
    let kernel = kernel.expect("these texts are of the right kind");
    for level in Level::available() {
        let kernel = Kernel { level, ..kernel.clone() };
        let check = |text: &str, is_candidate: bool| {
            for start in 0..140 {
                for rest in [0, 3, 90] {
                    let payload = format!("{}{text}{}", " ".repeat(start), " ".repeat(rest));
                    for look in [Look::Filter, Look::FilterAndEnvelope] {
                        let found = kernel.scan(payload.as_bytes(), look);
                        assert_eq!(found == Found::Candidate, is_candidate, "{level:?} {payload}");
                    }
                }
            }
        };
        check(r#"{"eventType":"a.b"}"#, true);
        check(r#"{"event.action" : "c.d"}"#, true);
        check(r#"{"message":"{\"eventType\":\"c.d\"}"}"#, true);
        check(r#"{"eventType":"a.bc"}"#, false);
        check(r#"{"legacyeventType":"a.b"}"#, false);
        check(r#"{"transaction":"a.b","action":null}"#, false);
        check(r#"{"eventType":"x","zq":1}"#, true);
        check(r#"{"eve\u006etType":"x"}"#, true);
    }
}
