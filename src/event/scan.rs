//! Where a JSON value ends, and where its parts stand, without reading it.
//!
//! This is no parser: it knows strings, brackets and what lies between, which is enough to cut a
//! record into its values and to say in which way a record is broken. It never recurses, so input
//! of any depth is safe here, and it is what bounds the depth for the readers that do recurse.

use super::DecodeFault;
use crate::limits::EVENT_DEPTH_MAX;

/// The text without the white space and byte-order marks that it begins with.
pub(super) fn skip_blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}'])
}

/// Splits the text that starts with a value behind that value.
pub(super) fn split_value(text: &str) -> Result<(&str, &str), DecodeFault> {
    let end = value_end(text.as_bytes(), 0)?;
    text.split_at_checked(end).ok_or(DecodeFault::NotJson)
}

/// The offset behind the value that starts at `from`.
fn value_end(bytes: &[u8], from: usize) -> Result<usize, DecodeFault> {
    let mut depth = 0_usize;
    let mut at = from;
    loop {
        match bytes.get(at) {
            None => return Err(DecodeFault::Truncated),
            Some(b'"') => at = string_end(bytes, at)?,
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') => {
                depth = depth.checked_sub(1).ok_or(DecodeFault::NotJson)?;
                at += 1;
            }
            Some(_) if depth > 0 => {
                at += 1;
                continue;
            }
            Some(_) => at = scalar_end(bytes, at),
        }
        match depth {
            0 => return Ok(at),
            1..=EVENT_DEPTH_MAX => {}
            _ => return Err(DecodeFault::TooDeep),
        }
    }
}

/// The offset behind the string whose opening quote stands at `from`.
fn string_end(bytes: &[u8], from: usize) -> Result<usize, DecodeFault> {
    let mut at = from + 1;
    loop {
        match bytes.get(at) {
            None => return Err(DecodeFault::Truncated),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(0..=0x1f) => return Err(DecodeFault::ControlByte),
            Some(_) => at += 1,
        }
    }
}

/// The offset behind the number or name that starts at `from`: at least one byte on.
fn scalar_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from + 1..).unwrap_or_default();
    let is_end = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"'
        )
    };
    let length = rest.iter().position(is_end).unwrap_or(rest.len());
    from + 1 + length
}

/// The text of each element of the array that `text` is. Only for text that was read as JSON.
pub(super) fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = skip_blank(text).strip_prefix('[').unwrap_or_default();
    std::iter::from_fn(move || {
        let (element, behind) = next_value(rest)?;
        rest = behind;
        Some(element)
    })
}

/// The text of the member of that name of the object that `text` is; `None` where there is not
/// exactly one that is spelt so. Only for text that was read as JSON.
pub(super) fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = skip_blank(text).strip_prefix('{')?;
    let mut found = None;
    while let Some((key, behind)) = next_value(rest) {
        let behind = skip_blank(behind).strip_prefix(':')?;
        let (value, behind) = next_value(behind)?;
        let is_named =
            key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).is_some_and(|k| k == name);
        if is_named && found.replace(value).is_some() {
            return None;
        }
        rest = behind;
    }
    found
}

fn next_value(text: &str) -> Option<(&str, &str)> {
    let text = skip_blank(text);
    let text = skip_blank(text.strip_prefix(',').unwrap_or(text));
    split_value(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, DecodeFault>) {
        assert_eq!(split_value(text).map(|(value, _)| value), expected, "{text}");
    }

    #[test]
    fn a_value_ends_where_its_last_bracket_closes() {
        check(r#"{"a":[1,2]} {"b":1}"#, Ok(r#"{"a":[1,2]}"#));
        check(r#"{"a":"}\"{"}x"#, Ok(r#"{"a":"}\"{"}"#));
        check("12,3", Ok("12"));
        check("\"ä\"\"b\"", Ok("\"ä\""));
        check("ü{}", Ok("ü"));
        check(",", Ok(","));
    }

    #[test]
    fn what_is_broken_is_told_apart() {
        check(r#"{"a":1"#, Err(DecodeFault::Truncated));
        check(r#"{"a":"b"#, Err(DecodeFault::Truncated));
        check(r#"{"a":"b\"#, Err(DecodeFault::Truncated));
        check("{\"a\":\"b\u{1}\"}", Err(DecodeFault::ControlByte));
        check("]", Err(DecodeFault::NotJson));
        check(&"[".repeat(1_000_000), Err(DecodeFault::TooDeep));
        let deepest = "[".repeat(EVENT_DEPTH_MAX) + &"]".repeat(EVENT_DEPTH_MAX);
        check(&deepest, Ok(&deepest));
        check(&format!("[{deepest}]"), Err(DecodeFault::TooDeep));
    }

    #[test]
    fn parts_are_found_in_the_text() {
        let found: Vec<&str> = elements(" [ {\"a\":1}, 2 ,\"]\" ] ").collect();
        assert_eq!(found, ["{\"a\":1}", "2", "\"]\""]);
        assert_eq!(elements("[]").count(), 0);
        assert_eq!(member(r#"{"a":{"b":1} , "c" : [2]}"#, "c"), Some("[2]"));
        assert_eq!(member(r#"{"a":1,"a":2}"#, "a"), None);
        assert_eq!(member(r#"{"\u0061":1}"#, "a"), None);
        assert_eq!(member("{}", "a"), None);
    }
}
