//! What a source hands over: one Kafka unit as borrowed bytes, with the place it stands at.
//!
//! Nothing here decodes or judges anything, and nothing here knows where the bytes came
//! from. Everything downstream relies on a [`Position`] naming exactly one record for ever.

use std::borrow::Cow;
use std::fmt;

/// One record as a source lends it for the time of one call: bytes, key, headers, position.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The value bytes; `None` is a tombstone (a record whose value is null).
    pub payload: Option<&'a [u8]>,
    /// The key bytes, where the record has a key.
    pub key: Option<&'a [u8]>,
    /// The headers, read only when an output is built.
    pub headers: &'a dyn Headers,
    /// Where the record stands.
    pub position: Position<'a>,
    /// The record's own time stamp (create or append time), where it has one.
    pub timestamp: Option<Timestamp>,
    /// Wall-clock time at which the source received the batch that holds the record.
    pub received: Timestamp,
}

/// Topic, partition and offset: the name of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position<'a> {
    /// Topic name; for files the file's name, for standard input `stdin`.
    pub topic: &'a str,
    /// Partition, from 0.
    pub partition: i32,
    /// Offset, from 0.
    pub offset: i64,
}

impl fmt::Display for Position<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// The headers of a record, by index, in the order of the record.
pub trait Headers {
    /// How many headers there are; a name may occur more than once.
    fn count(&self) -> usize;
    /// The header at `index`, or `None` past the end.
    fn at(&self, index: usize) -> Option<Header<'_>>;
}

/// One header: a name, and a value that may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The header's name.
    pub name: &'a str,
    /// The header's bytes; `None` is a null value.
    pub value: Option<&'a [u8]>,
}

/// Name and value of one header of an output; a `None` value is null. Most of both are the same for
/// every output and are not copied.
pub type OutputHeader = (Cow<'static, str>, Option<Cow<'static, [u8]>>);

/// The headers of a record that has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn count(&self) -> usize {
        0
    }
    fn at(&self, _index: usize) -> Option<Header<'_>> {
        None
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, the resolution of Kafka and of Elastic's `date`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A time stamp from milliseconds since the epoch; negative values are before 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to this one, 0 where `earlier` is in fact later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        let difference = self.0.saturating_sub(earlier.0);
        if difference < 0 { 0 } else { difference.unsigned_abs() }
    }
}
