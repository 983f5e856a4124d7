//! The one pass over a payload, on every level that this processor has, against a naive look: all
//! levels say the same, a literal or an escape that could hide one is never missed and never made
//! up, a key with a value that is asked for is never missed, and what is called whole is whole.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use ouzel::detect::kernel::{Found, Kernel, Look};

/// What literals, keys and values are made of, and what payloads have between them.
const TEXTS: [&str; 14] = [
    "needle.of_rare-bytes",
    "zq",
    "user.mfa.factor.reset_all",
    "user.mfa.factor.",
    "eventType",
    "action",
    "aaaaaaaa",
    "aaaaaaab",
    "policy.lifecycle.update-and-something-longer-than-a-block-of-sixty-four-bytes",
    "ab",
    "\"a\"",
    "u005c",
    "true",
    "ouzel",
];

struct Case {
    literals: Vec<String>,
    keys: Vec<String>,
    values: Vec<String>,
    payload: Vec<u8>,
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    if let Ok(case) = case(&mut bytes) {
        judge(&case);
    }
});

fn texts(bytes: &mut Unstructured<'_>, most: usize) -> Result<Vec<String>> {
    let count = bytes.int_in_range(0..=most)?;
    let text = |bytes: &mut Unstructured<'_>| -> Result<String> {
        if bytes.ratio(3, 4)? {
            return Ok((*bytes.choose(&TEXTS)?).to_owned());
        }
        let mut text: String = bytes.arbitrary::<&str>()?.chars().filter(char::is_ascii).collect();
        text.truncate(80);
        Ok(if text.len() < 2 { "ab".to_owned() } else { text })
    };
    (0..count).map(|_| text(bytes)).collect()
}

fn case(bytes: &mut Unstructured<'_>) -> Result<Case> {
    let literals = texts(bytes, 4)?;
    let keys = texts(bytes, 3)?;
    // Values are what literals are: none of them has a byte with a short escape.
    let plain = |text: &String| !text.contains(['"', '\\', '/']);
    let values: Vec<String> = texts(bytes, 6)?.into_iter().filter(plain).collect();
    let keys: Vec<String> = keys.into_iter().filter(plain).collect();
    let mut payload = Vec::new();
    while !bytes.is_empty() && payload.len() < 2000 {
        piece(bytes, [&literals, &keys, &values], &mut payload)?;
    }
    Ok(Case { literals, keys, values, payload })
}

fn piece(
    bytes: &mut Unstructured<'_>,
    texts: [&Vec<String>; 3],
    payload: &mut Vec<u8>,
) -> Result<()> {
    match bytes.int_in_range(0..=9)? {
        0..=2 => {
            let all: Vec<&String> = texts.into_iter().flatten().collect();
            if !all.is_empty() {
                payload.extend(bytes.choose(&all)?.bytes());
            }
        }
        3 => {
            let (one, length) = (bytes.arbitrary::<u8>()?, bytes.int_in_range(1..=130_usize)?);
            payload.extend(std::iter::repeat_n(one, length));
        }
        4 => payload.extend(format!("\\u00{:02x}", bytes.arbitrary::<u8>()?).bytes()),
        5 => {
            let [_, keys, values] = texts;
            if !keys.is_empty() && !values.is_empty() {
                let (key, value) = (bytes.choose(keys)?, bytes.choose(values)?);
                let blank = *bytes.choose(&["", " ", "\n\t"])?;
                payload.extend(format!("\"{key}\"{blank}:{blank}\"{value}\"").bytes());
            }
        }
        6 => payload.extend(*bytes.choose(&[b"\"", b"\\", b":", b"{", b"}", b"[", b"]", b","])?),
        7 => payload.extend(b"\":\""),
        _ => {
            let length = bytes.int_in_range(0..=70_usize)?.min(bytes.len());
            payload.extend(bytes.bytes(length)?);
        }
    }
    Ok(())
}

/// The bytes whose escapes could hide one of the texts: what the prefilter gives the kernel.
fn hidden(case: &Case) -> [bool; 256] {
    let mut hides = [false; 256];
    let texts = [&case.literals, &case.keys, &case.values];
    let texts = texts.into_iter().flatten().map(String::as_bytes);
    let keys = if case.keys.is_empty() { b"".as_slice() } else { b"\"." };
    for byte in texts.chain([b"\\u0123456789abcdefABCDEF".as_slice(), keys]).flatten() {
        hides[usize::from(*byte)] = true;
    }
    hides
}

fn judge(case: &Case) {
    fn slices(texts: &[String]) -> Vec<&[u8]> {
        texts.iter().map(String::as_bytes).collect()
    }
    let hides = hidden(case);
    let (literals, keys, values) =
        (slices(&case.literals), slices(&case.keys), slices(&case.values));
    let kernel = Kernel::with_keys(&literals, &keys, &values, |byte| hides[usize::from(byte)]);
    let kernel = kernel.expect("few texts of two ASCII bytes and more");
    let payload = case.payload.as_slice();
    let certain =
        literals.iter().any(|literal| has(payload, literal)) || has_escape(payload, &hides);
    let is_whole = is_whole(payload);
    let mut first: Option<[Found; 2]> = None;
    for kernel in kernel.on_every_level() {
        let found = [Look::Filter, Look::FilterAndEnvelope].map(|look| kernel.scan(payload, look));
        let said = || format!("{found:?} {literals:?} {keys:?} {:?}", payload.escape_ascii());
        assert_eq!(*first.get_or_insert(found), found, "{}", said());
        let [filter, both] = found.map(|found| found == Found::Candidate);
        assert_eq!(filter, both, "{}", said());
        assert!(filter || !certain, "missed: {}", said());
        if keys.is_empty() {
            assert_eq!(filter, certain, "made up: {}", said());
        } else {
            assert!(filter || !has_member(payload, &keys, &values), "missed: {}", said());
        }
        match found[1] {
            Found::Clean => assert!(is_whole && payload.is_ascii(), "not whole: {}", said()),
            Found::Encoded { from, to } => {
                let (before, after) = (payload.get(..from), payload.get(to.min(payload.len())..));
                let is_bounded = [before, after].iter().flatten().all(|part| part.is_ascii());
                assert!(is_whole && !payload.is_ascii() && is_bounded, "not whole: {}", said());
            }
            Found::Candidate | Found::Suspect => {}
        }
    }
}

fn has(payload: &[u8], text: &[u8]) -> bool {
    payload.windows(text.len()).any(|window| window == text)
}

fn has_escape(payload: &[u8], hides: &[bool; 256]) -> bool {
    payload.windows(6).any(|window| {
        let Some(digits) = window.strip_prefix(b"\\u00") else { return false };
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        is_hex && u8::from_str_radix(digits, 16).is_ok_and(|byte| hides[usize::from(byte)])
    })
}

/// Whether one of the keys stands there as a name with one of the values, as JSON writes it.
fn has_member(payload: &[u8], keys: &[&[u8]], values: &[&[u8]]) -> bool {
    let behind = |text: &'_ [u8], expected: &[u8]| -> Option<Vec<u8>> {
        text.trim_ascii_start().strip_prefix(expected).map(<[u8]>::to_vec)
    };
    (0..payload.len()).any(|at| {
        keys.iter().any(|key| {
            let quoted = [b"\"", *key, b"\""].concat();
            let Some(rest) = payload[at..].strip_prefix(quoted.as_slice()) else { return false };
            let Some(rest) = behind(rest, b":") else { return false };
            let Some(rest) = behind(&rest, b"\"") else { return false };
            values.iter().any(|value| rest.starts_with(&[*value, b"\""].concat()))
        })
    })
}

/// Whether strings and brackets are closed, no control byte stands there, and no byte beyond ASCII
/// outside of strings.
fn is_whole(payload: &[u8]) -> bool {
    let (mut inside, mut escaped, mut depth) = (false, false, 0_i64);
    for byte in payload {
        inside ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        let is_blank = !inside && matches!(byte, b'\n' | b'\r' | b'\t');
        if (*byte >= 0x80 && !inside) || (*byte < b' ' && !is_blank) {
            return false;
        }
        if !inside {
            depth += i64::from(matches!(byte, b'{' | b'['));
            depth -= i64::from(matches!(byte, b'}' | b']'));
        }
    }
    !inside && depth == 0
}
