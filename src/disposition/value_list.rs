//! Value lists: what an exception item of type `list` compares with, one value a line.
//!
//! A list of addresses holds single addresses, `first-last` ranges and CIDR blocks; IPv4 and
//! IPv6 stand in one space, in which an IPv4 address equals its IPv4-mapped IPv6 form. A list of
//! keywords holds exact texts without wildcards, letter case as written.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::limits::VALUE_LIST_LINES_MAX;

/// The values of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueList {
    /// Exact texts.
    Keywords(HashSet<String>),
    /// First and last address of each range, sorted, none overlapping another.
    Addresses(Vec<(u128, u128)>),
}

impl ValueList {
    /// Reads a list of Elastic's type `keyword`, `ip` or `ip_range`.
    ///
    /// # Errors
    /// One sentence for each line that is wrong, or that the type is none of these.
    pub fn parse(list_type: &str, text: &str) -> Result<Self, Vec<String>> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.clone().count() > VALUE_LIST_LINES_MAX {
            return Err(vec![format!("more than {VALUE_LIST_LINES_MAX} values in one list")]);
        }
        match list_type {
            "keyword" => Ok(Self::Keywords(lines.map(str::to_owned).collect())),
            "ip" | "ip_range" => addresses(lines),
            other => Err(vec![format!(
                "lists of type {other:?} are not supported; allowed are keyword, ip and ip_range"
            )]),
        }
    }

    /// Whether the list holds `text`.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        match self {
            Self::Keywords(keywords) => keywords.contains(text),
            Self::Addresses(ranges) => text.parse().is_ok_and(|address| {
                let number = number(address);
                let after = ranges.partition_point(|(first, _)| *first <= number);
                let range = after.checked_sub(1).and_then(|at| ranges.get(at));
                range.is_some_and(|(_, last)| number <= *last)
            }),
        }
    }
}

fn addresses<'t>(lines: impl Iterator<Item = &'t str>) -> Result<ValueList, Vec<String>> {
    let (mut ranges, mut faults) = (Vec::new(), Vec::new());
    for line in lines {
        match range(line) {
            Some(range) => ranges.push(range),
            None => faults
                .push(format!("{line:?} is no address, no range (first-last) and no CIDR block")),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    Ok(ValueList::Addresses(merged))
}

/// First and last address of a line.
fn range(line: &str) -> Option<(u128, u128)> {
    if let Some((address, bits)) = line.split_once('/') {
        let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
        let width = if address.is_ipv4() { 32 } else { 128 };
        let free = u32::checked_sub(width, bits)?;
        let mask = 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        let first = number(address) & !mask;
        return Some((first, first | mask));
    }
    if let Some((first, last)) = line.split_once('-') {
        let (first, last): (IpAddr, IpAddr) =
            (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let (first, last) = (number(first), number(last));
        return (first <= last).then_some((first, last));
    }
    let address = number(line.parse().ok()?);
    Some((address, address))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `inside` all, of `outside` none are in the list.
    fn check(list_type: &str, text: &str, inside: &[&str], outside: &[&str]) {
        let list = ValueList::parse(list_type, text).expect("a list");
        inside.iter().for_each(|value| assert!(list.contains(value), "{value} in {text:?}"));
        outside.iter().for_each(|value| assert!(!list.contains(value), "{value} not in {text:?}"));
    }

    #[test]
    fn keywords_are_exact() {
        check("keyword", "alice\n  bob  \r\n\n", &["alice", "bob"], &["Alice", "al*", "", "alic"]);
        check("keyword", "al*", &["al*"], &["alice"]);
    }

    #[test]
    fn addresses_ranges_and_blocks_are_ranges() {
        check(
            "ip_range",
            "10.0.0.0/8\n192.0.2.1-192.0.2.9\n2001:db8::/32\n198.51.100.7",
            &["10.255.0.1", "192.0.2.1", "192.0.2.9", "2001:db8::1", "198.51.100.7"],
            &["11.0.0.0", "192.0.2.10", "2001:db9::", "198.51.100.8", "ten", ""],
        );
        check("ip", "192.0.2.1", &["::ffff:192.0.2.1", "192.0.2.1"], &["::192.0.2.1"]);
        check("ip_range", "0.0.0.0/0", &["255.255.255.255", "0.0.0.0"], &["::1"]);
        check("ip_range", "::/0", &["255.255.255.255", "::1", "ffff::"], &["x"]);
        check("ip_range", "10.1.2.3/8", &["10.0.0.0"], &[]);
        check(
            "ip_range",
            "10.0.0.0/8\n10.1.0.0/16\n10.255.0.0-11.0.0.5",
            &["10.1.2.3", "10.200.0.1", "11.0.0.5"],
            &["11.0.0.6", "9.255.255.255"],
        );
    }

    #[test]
    fn every_wrong_line_is_named() {
        let faults = |text: &str| ValueList::parse("ip_range", text).expect_err("wrong").len();
        assert_eq!(faults("10.0.0.0/33\n10.0.0.9-10.0.0.1\n::/129\nhost\n10.0.0.1"), 4);
        assert!(ValueList::parse("date_range", "").is_err());
    }
}
