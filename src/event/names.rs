//! The names that members of events usually have, each kept once, in a cell.
//!
//! ```text
//! cell:  ,"eventType":              (32 bytes, the rest blank)
//!          └ the name is this piece of it
//! ```
//!
//! The tables of the mapping name their fields by these, and the reader gives a member that is
//! called so this name instead of a piece of the payload. Whoever compares two of them sees by their
//! place that they are the same, and whoever writes one copies its cell in one piece, with what JSON
//! wants around it. A name is a text like any other: nobody needs to know where it stands, and the
//! same name elsewhere is only dearer.

use wide::u8x16;

/// A name as a member that is not the first has it, ready to be copied.
pub(crate) type Cell = [u8; 32];

const CELL_BYTES: usize = size_of::<Cell>();

/// What stands before a name in its cell, and behind it.
const BEFORE: &[u8] = b",\"";
const BEHIND: &[u8] = b"\":";

/// The table in which names are looked up has three times as many entries as there are names, so
/// that the first look mostly says which it is, or that it is none.
const TABLE_BITS: u32 = 9;

const COUNT: usize = 153;

/// Okta's own names first, then those that the mapping gives.
const LIST: [&str; COUNT] = [
    "actor",
    "id",
    "type",
    "alternateId",
    "displayName",
    "detailEntry",
    "client",
    "userAgent",
    "rawUserAgent",
    "os",
    "browser",
    "zone",
    "device",
    "ipAddress",
    "geographicalContext",
    "city",
    "state",
    "country",
    "postalCode",
    "geolocation",
    "lat",
    "lon",
    "name",
    "os_platform",
    "os_version",
    "managed",
    "registered",
    "authenticationContext",
    "authenticationProvider",
    "credentialProvider",
    "credentialType",
    "issuer",
    "interface",
    "authenticationStep",
    "rootSessionId",
    "externalSessionId",
    "displayMessage",
    "eventType",
    "outcome",
    "result",
    "reason",
    "published",
    "securityContext",
    "asNumber",
    "asOrg",
    "isp",
    "domain",
    "isProxy",
    "ipDetails",
    "userBehaviors",
    "severity",
    "debugContext",
    "debugData",
    "authnRequestId",
    "deviceFingerprint",
    "dtHash",
    "requestId",
    "requestUri",
    "url",
    "threatSuspected",
    "oktaUserAgentExtended",
    "origin",
    "behaviors",
    "risk",
    "logOnlySecurityData",
    "traceId",
    "targetEventHookIds",
    "factor",
    "promptingPolicyTypes",
    "level",
    "reasons",
    "legacyEventType",
    "transaction",
    "detail",
    "uuid",
    "version",
    "request",
    "ipChain",
    "ip",
    "source",
    "target",
    "requestApiTokenId",
    "rootApiTokenId",
    "@timestamp",
    "as",
    "number",
    "organization",
    "geo",
    "city_name",
    "country_name",
    "location",
    "region_name",
    "user",
    "full_name",
    "ecs",
    "event",
    "action",
    "category",
    "kind",
    "dataset",
    "module",
    "okta",
    "alternate_id",
    "display_name",
    "authentication_context",
    "user_agent",
    "raw_user_agent",
    "debug_context",
    "debug_data",
    "display_message",
    "event_type",
    "legacy_event_type",
    "ip_chain",
    "security_context",
    "is_proxy",
    "request_api_token_id",
    "root_api_token_id",
    "related",
    "email",
    "group",
    "original",
    "data_stream",
    "namespace",
    "detail_entry",
    "geographical_context",
    "postal_code",
    "flattened",
    "client_secret",
    "device_fingerprint",
    "dt_hash",
    "granted_scopes",
    "grant_type",
    "request_id",
    "request_uri",
    "requested_scopes",
    "threat_suspected",
    "risk_behaviors",
    "risk_level",
    "risk_reasons",
    "suspicious_activity",
    "authentication_provider",
    "authentication_step",
    "credential_provider",
    "credential_type",
    "external_session_id",
    "root_session_id",
    "device_integrator",
    "labels",
    "tags",
    "clientSecret",
    "grantedScopes",
    "grantType",
    "requestedScopes",
];

/// Cells next to each other, none across two lines of the cache.
#[repr(align(64))]
struct Cells([Cell; COUNT]);

static CELLS: Cells = Cells(cells());

/// The names, as pieces of their cells.
static NAMES: [&str; COUNT] = names();

/// One more than the number of a name, 0 where there is none. A name whose entry is taken stands in
/// the next one that is free.
static TABLE: [u8; 1 << TABLE_BITS] = table();

/// The name in its cell, where it is one of those; else as it is. For tables that are made when the
/// program is compiled.
pub(super) const fn own(name: &'static str) -> &'static str {
    let mut names: &[&'static str] = &NAMES;
    while let [known, rest @ ..] = names {
        if is_same(known.as_bytes(), name.as_bytes()) {
            return known;
        }
        names = rest;
    }
    name
}

/// A name in its cell, and which it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    number: usize,
}

/// Names that were met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Met([u64; COUNT.div_ceil(64)]);

impl Met {
    /// Adds one; whether it was new.
    #[inline]
    pub(super) fn add(&mut self, known: Known) -> bool {
        let bit = 1 << (known.number % 64);
        let Some(met) = self.0.get_mut(known.number / 64) else { return false };
        let is_new = *met & bit == 0;
        *met |= bit;
        is_new
    }
}

/// The name in its cell, where `text` begins with one of those of `length` bytes, fewer than 16,
/// and a quote behind it.
#[inline]
pub(super) fn known(text: &[u8; 16], length: u32) -> Option<Known> {
    let [a, b, c, d, e, f, g, h, ..] = *text;
    let lane = u8x16::new(*text);
    // The quote is compared as well, so that no longer name is taken for this one.
    let asked = (2_u32 << length) - 1;
    let is_it = |cell: &Cell| {
        let own = cell.get(BEFORE.len()..).and_then(|own| own.first_chunk());
        own.is_some_and(|own| lane.simd_eq(u8x16::new(*own)).to_bitmask() & asked == asked)
    };
    look_up(u64::from_le_bytes([a, b, c, d, e, f, g, h]), length as usize, is_it)
}

/// The same for a name of any length.
pub(super) fn known_at_length(name: &str) -> Option<Known> {
    let is_it = |cell: &Cell| {
        let own = cell.get(BEFORE.len()..).and_then(|own| own.strip_prefix(name.as_bytes()));
        own.is_some_and(|behind| behind.first() == Some(&b'"'))
    };
    let head = match name.as_bytes().first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => head(name.as_bytes()),
    };
    look_up(head, name.len(), is_it)
}

/// The cell of a name that stands in one.
#[inline]
pub(crate) fn cell(name: &str) -> Option<&'static Cell> {
    let place = name.as_ptr().addr().wrapping_sub(CELLS.0.as_ptr().addr());
    let cell = CELLS.0.get(place / CELL_BYTES)?;
    let is_whole =
        place % CELL_BYTES == BEFORE.len() && cell.get(BEFORE.len() + name.len()) == Some(&b'"');
    is_whole.then_some(cell)
}

/// The name with that head and length which `is_it`.
#[inline]
fn look_up(head: u64, length: usize, is_it: impl Fn(&Cell) -> bool) -> Option<Known> {
    let mut at = slot(head, length);
    loop {
        let number = usize::from(*TABLE.get(at)?).checked_sub(1)?;
        if CELLS.0.get(number).is_some_and(&is_it) {
            return NAMES.get(number).map(|name| Known { name, number });
        }
        at = (at + 1) % TABLE.len();
    }
}

/// Where a name is looked for first, told by its length and its first eight bytes; of a shorter
/// one, what stands in `head` behind it does not count.
#[inline]
const fn slot(head: u64, length: usize) -> usize {
    let beyond = 8_u32.saturating_sub(length as u32) * 8;
    let mixed = head.wrapping_shl(beyond).wrapping_add(length as u64);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - TABLE_BITS)) as usize
}

/// The first eight bytes as a number, or as many as there are.
const fn head(mut bytes: &[u8]) -> u64 {
    let (mut head, mut shift) = (0, 0);
    while let [byte, rest @ ..] = bytes {
        if shift == 64 {
            break;
        }
        head |= (*byte as u64) << shift;
        (bytes, shift) = (rest, shift + 8);
    }
    head
}

pub(super) const fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, one_rest @ ..], [b, other_rest @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (one_rest, other_rest);
    }
    one.is_empty() && other.is_empty()
}

const fn cells() -> [Cell; COUNT] {
    let mut cells = [[b' '; CELL_BYTES]; COUNT];
    let (mut left, mut names): (&mut [Cell], &[&str]) = (&mut cells, &LIST);
    while let ([cell, more @ ..], [name, rest @ ..]) = (left, names) {
        let (before, place) = cell.split_at_mut(BEFORE.len());
        let (text, behind) = place.split_at_mut(name.len());
        before.copy_from_slice(BEFORE);
        text.copy_from_slice(name.as_bytes());
        behind.split_at_mut(BEHIND.len()).0.copy_from_slice(BEHIND);
        (left, names) = (more, rest);
    }
    cells
}

const fn names() -> [&'static str; COUNT] {
    let mut names = LIST;
    let (mut left, mut cells): (&mut [&'static str], &'static [Cell]) = (&mut names, &CELLS.0);
    while let ([name, more @ ..], [cell, rest @ ..]) = (left, cells) {
        let text = cell.split_at(BEFORE.len()).1.split_at(name.len()).0;
        if let Ok(text) = str::from_utf8(text) {
            *name = text;
        }
        (left, cells) = (more, rest);
    }
    names
}

const fn table() -> [u8; 1 << TABLE_BITS] {
    let mut table = [0; 1 << TABLE_BITS];
    let (mut names, mut number): (&[&str], u8) = (&LIST, 1);
    while let [name, rest @ ..] = names {
        let (before, behind) = table.split_at_mut(slot(head(name.as_bytes()), name.len()));
        if !enter(behind, number) {
            enter(before, number);
        }
        (names, number) = (rest, number + 1);
    }
    table
}

/// Puts `number` into the first entry that is free; whether there was one.
const fn enter(mut table: &mut [u8], number: u8) -> bool {
    while let [entry, rest @ ..] = table {
        if *entry == 0 {
            *entry = number;
            return true;
        }
        table = rest;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use proptest::prelude::*;

    use super::*;

    /// What is found for `name`, in both ways.
    fn found(name: &str) -> Option<&'static str> {
        let found = known_at_length(name);
        if name.len() < 16 {
            let mut text = [b'x'; 16];
            text[..name.len()].copy_from_slice(name.as_bytes());
            text[name.len()] = b'"';
            let short = known(&text, name.len() as u32).map(|known| known.number);
            assert_eq!(short, found.map(|known| known.number));
        }
        found.map(|known| known.name)
    }

    #[test]
    fn each_name_is_found_and_stands_in_its_cell() {
        for name in LIST {
            let elsewhere = String::from(name);
            let found = found(&elsewhere).expect("a name of the list");
            assert_eq!(found, name);
            assert!(ptr::eq(found, own(name)));
            let cell = str::from_utf8(cell(found).expect("a name in its cell")).expect("ASCII");
            assert_eq!(cell.trim_end(), format!(",\"{name}\":"));
            assert!(!name.contains('.'));
        }
    }

    #[test]
    fn a_name_is_new_once() {
        let mut met = Met::default();
        for is_new in [true, false] {
            for name in LIST {
                assert_eq!(met.add(known_at_length(name).expect("a name of the list")), is_new);
            }
        }
    }

    #[test]
    fn what_is_no_whole_name_of_the_list_has_no_cell() {
        for name in LIST {
            let inside = own(name);
            assert_eq!(cell(&inside[1..]), None);
            assert_eq!(cell(&inside[..inside.len() - 1]), None);
            let elsewhere = String::from(name);
            assert_eq!(cell(&elsewhere), None);
            for other in [format!("{name}x"), name[1..].to_owned(), name.to_uppercase()] {
                assert_eq!(found(&other).is_some(), LIST.contains(&other.as_str()), "{other}");
            }
        }
        assert_eq!(found(""), None);
        assert_eq!(cell(""), None);
    }

    proptest! {
        #[test]
        fn no_other_name_is_taken_for_one(name: String) {
            prop_assert_eq!(found(&name).is_some(), LIST.contains(&name.as_str()));
        }
    }
}
