//! Spans of time as rule files write them: `5m`, `now-6m`.

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What an interval may look like, as a sentence.
pub(super) const INTERVAL_ALLOWED: &str =
    "expected a number and one of s, m, h, d, w, above zero, such as \"5m\"";

/// What a look-back may look like, as a sentence.
pub(super) const FROM_ALLOWED: &str =
    "expected `now-` and a number with one of s, m, h, d, w, such as \"now-6m\"";

/// The milliseconds that `text` means (`5m`, `1h`), where it means any.
pub(super) fn millis(text: &str) -> Option<u64> {
    let mut symbols = text.chars();
    let unit = unit_ms(symbols.next_back()?)?;
    let digits = symbols.as_str();
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|count| is_number && *count > 0)?;
    count.checked_mul(unit)
}

/// The milliseconds before now that `text` (`now-6m`) names.
pub(super) fn look_back_ms(text: &str) -> Option<u64> {
    millis(text.strip_prefix("now-")?.trim())
}

/// The milliseconds of a unit letter.
pub(super) const fn unit_ms(letter: char) -> Option<u64> {
    match letter {
        's' => Some(SECOND_MS),
        'm' => Some(MINUTE_MS),
        'h' => Some(HOUR_MS),
        'd' => Some(DAY_MS),
        'w' => Some(7 * DAY_MS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_look_backs() {
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(millis(text), expected, "{text}");
        check("5m", Some(300_000));
        check("90s", Some(90_000));
        check("1h", Some(3_600_000));
        check("7d", Some(604_800_000));
        check("1w", Some(604_800_000));
        check("0m", None);
        check("m", None);
        check("", None);
        check("5", None);
        check("+5m", None);
        check("5 m", None);
        check("5ä", None);
        check("99999999999999999999d", None);
        check("9999999999999999999w", None);
        assert_eq!(look_back_ms("now-6m"), Some(360_000));
        assert_eq!(look_back_ms("now"), None);
        assert_eq!(look_back_ms("6m"), None);
    }
}
