use proptest::prelude::*;

use super::{BLOCK, Masks, check, envelope, masks};
use crate::detect::Validate;
use crate::event::DecodeFault;

/// The masks of a block, byte by byte.
fn plain_masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    for (at, byte) in block.iter().enumerate() {
        masks.quote |= u64::from(*byte == b'"') << at;
        masks.backslash |= u64::from(*byte == b'\\') << at;
        masks.control |= u64::from(*byte < 0x20) << at;
        masks.bracket |= u64::from(b"{}[]Y_y\x7f".contains(byte)) << at;
        masks.beyond_ascii |= u64::from(!byte.is_ascii()) << at;
    }
    masks
}

fn found(payload: &[u8]) -> Result<(), DecodeFault> {
    let fast = envelope(payload, masks);
    assert_eq!(fast, envelope(payload, plain_masks), "{}", payload.escape_ascii());
    fast
}

fn fine(payload: &str) {
    assert_eq!(found(payload.as_bytes()), Ok(()), "{payload:?}");
    assert_eq!(check(payload.as_bytes(), Validate::Full), Ok(()), "{payload:?}");
}

fn bad(payload: &[u8], fault: DecodeFault) {
    assert_eq!(found(payload), Err(fault), "{}", payload.escape_ascii());
    assert!(check(payload, Validate::Full).is_err(), "{}", payload.escape_ascii());
    assert_eq!(check(payload, Validate::Candidates), Ok(()));
}

#[test]
fn whole_values_pass() {
    fine("{}");
    fine(" \t\r\n{\"a\":[1,{\"b\":\"}]\"}]}\n");
    fine("\u{feff}{\"a\":1}");
    fine("{\"a\":1}{\"b\":2}\n[3]");
    fine("{\"a\":\"\\\\\",\"b\":\"\\\"]\",\"c\":\"\\\\\\\"\"}");
    fine("{\"ü\":\"山田 👩\"}");
    fine("{\"Y_y\":\"\u{7f}\"}");
    fine("[[[[[[]]]]]]");
    fine(&format!("{{\"a\":\"{}\"}}", "\\\\".repeat(100)));
}

#[test]
fn what_is_cut_short_is_truncated() {
    bad(b"{\"a\":1", DecodeFault::Truncated);
    bad(b"{\"a\":\"x", DecodeFault::Truncated);
    bad(b"{\"a\":\"x\\", DecodeFault::Truncated);
    bad(b"{\"a\":\"x\\\"}", DecodeFault::Truncated);
    bad(b"[{}", DecodeFault::Truncated);
    bad(b"{}{", DecodeFault::Truncated);
}

#[test]
fn what_is_unbalanced_or_outside_of_a_value_is_no_json() {
    bad(b"{]", DecodeFault::NotJson);
    bad(b"[}", DecodeFault::NotJson);
    bad(b"{}}", DecodeFault::NotJson);
    bad(b"{} x", DecodeFault::NotJson);
    bad(b"hello", DecodeFault::NotJson);
    bad(b"{\"a\":y}", DecodeFault::NotJson);
    bad(b"{\"a\":\\\"}", DecodeFault::NotJson);
    bad(b"{\x01}", DecodeFault::NotJson);
    bad(b"{},{}", DecodeFault::NotJson);
    bad("{\"a\":é}".as_bytes(), DecodeFault::NotJson);
}

#[test]
fn raw_control_bytes_and_other_encodings_are_found() {
    bad(b"{\"a\":\"x\ny\"}", DecodeFault::ControlByte);
    bad(b"{\"a\":\"\0\"}", DecodeFault::ControlByte);
    bad(b"{\"a\":\"\xff\"}", DecodeFault::NotUtf8);
    bad(b"{\"a\":\"\xc3\"}", DecodeFault::NotUtf8);
    bad(b"{\"a\":\"\xed\xa0\x80\"}", DecodeFault::NotUtf8);
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(found(nested(64).as_bytes()), Ok(()));
    assert_eq!(found(nested(65).as_bytes()), Err(DecodeFault::TooDeep));
    assert_eq!(found("[{".repeat(500_000).as_bytes()), Err(DecodeFault::TooDeep));
}

#[test]
fn every_truncation_of_an_event_is_found() {
    let event =
        br#"{"uuid":"1","target":[{"id":"x\\","n":"\u00e9\""},null],"s":{"a":"[{"},"n":-1.5e3}"#;
    for padding in 0..70 {
        let payload = [b" ".repeat(padding), event.to_vec()].concat();
        assert_eq!(found(&payload), Ok(()));
        for end in padding + 1..payload.len() {
            let fault = found(&payload[..end]).expect_err("it is cut short");
            assert_eq!(fault, DecodeFault::Truncated, "{end}");
        }
    }
}

#[test]
fn the_fast_masks_are_the_plain_ones_at_every_byte_and_place() {
    for byte in 0..=u8::MAX {
        for place in 0..BLOCK {
            let mut block = [b'x'; BLOCK];
            block[place] = byte;
            block[(place * 7 + 13) % BLOCK] ^= byte;
            assert_eq!(masks(&block), plain_masks(&block), "{byte:#x} at {place}");
        }
    }
}

/// The check written down without bit tricks: one byte after the other.
fn naive(payload: &[u8]) -> Result<(), ()> {
    let payload = super::without_lead(payload);
    let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
    for byte in payload {
        let is_outside = open.is_empty() && !in_string;
        if is_outside && !byte.is_ascii_whitespace() && !matches!(byte, b'{' | b'[') {
            return Err(());
        }
        if in_string {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            in_string = !closes;
            if *byte < 0x20 {
                return Err(());
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' if open.pop() != Some(*byte) => return Err(()),
            b'\\' | b'Y' | b'_' | b'y' | 0x7f.. => return Err(()),
            0..0x20 if !b"\t\n\r".contains(byte) => return Err(()),
            _ => {}
        }
        if open.len() > 64 {
            return Err(());
        }
    }
    let is_whole = !in_string && open.is_empty() && std::str::from_utf8(payload).is_ok();
    if is_whole { Ok(()) } else { Err(()) }
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        6 => "[a-z{}\\[\\]\"\\\\,:1 ]{0,12}".prop_map(String::into_bytes),
        3 => Just(b"{\"k\":\"v\"}".to_vec()),
        2 => Just(b"\\\\\\".to_vec()),
        1 => Just("é".as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        2 => "\"[^\"\\\\]{0,90}\"".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| {
        let mut payload = b"{".to_vec();
        payload.extend(parts.concat());
        payload.extend(b"}");
        payload
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_check_says_what_the_naive_one_says(payload in payloads()) {
        for start in 0..payload.len().min(3) {
            let part = &payload[start..];
            prop_assert_eq!(found(part).is_ok(), naive(part).is_ok());
        }
    }

    #[test]
    fn nothing_that_is_json_is_refused(
        text in "\\PC{0,40}",
        number in any::<f64>(),
        padding in 0..256_usize,
    ) {
        let value = serde_json::json!({
            "a": text, "b": [number, {"c": text}], &text: null, "p": "\\".repeat(padding),
        });
        let payload = format!("{}{value}{value:#}", " ".repeat(padding));
        prop_assert_eq!(found(payload.as_bytes()), Ok(()));
    }
}
