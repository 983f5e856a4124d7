//! Every bound of the program in one place, each with its reason.
//!
//! Outside input meets one of these before it meets recursion or memory. A limit that is passed
//! is an error or a dead letter that names the limit, never a silent cut.

use std::time::Duration;

/// Largest payload that is judged, in bytes. Kafka's default `message.max.bytes` is 1 MiB; an
/// operator may raise it, and 32 MiB of JSON is the most that is worth decoding for one record.
pub const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// Most events in one record. Okta's System Log API returns at most 1000 events a page.
pub const EVENTS_PER_RECORD_MAX: usize = 1000;

/// Deepest nesting of objects and arrays in an event. Elasticsearch's default
/// `index.mapping.depth.limit` is 20; Okta's own events stay below 10.
pub const EVENT_DEPTH_MAX: usize = 64;

/// Most levels of wrapping around an event (a JSON string in a wrapper in a wrapper).
pub const WRAPPER_DEPTH_MAX: usize = 4;

/// Most memory that the events of one record may take beyond the record's own values, in bytes: an
/// envelope's fields are copied into each event of a page, so a small record can ask for a lot.
pub const EVENTS_BYTES_MAX: usize = 256 << 20;

/// Most memory that a worker's decoding keeps from one record to the next, in bytes: enough for
/// records of a mebibyte, so that one huge record does not stay in the resident set for ever.
pub const SCRATCH_BYTES_KEPT_MAX: usize = 16 << 20;

/// Longest KQL query, in bytes. The longest of Elastic's prebuilt queries is below 8 KiB.
pub const QUERY_BYTES_MAX: usize = 64 << 10;

/// Deepest nesting of a KQL query (parentheses, `not`, nested paths); the parser recurses.
pub const QUERY_DEPTH_MAX: usize = 64;

/// Most clauses of one KQL query, lists counted out.
pub const QUERY_CLAUSES_MAX: usize = 4096;

/// Most `*` in one KQL value or field name: matching is linear in this number.
pub const WILDCARDS_PER_VALUE_MAX: usize = 32;

/// Longest field name of a KQL query, in bytes (Elasticsearch's own limit on names is lower).
pub const FIELD_NAME_BYTES_MAX: usize = 512;

/// Largest rule, exception or case file, in bytes. Kibana's export of every prebuilt rule, some
/// 10 KiB each, is one file.
pub const RULE_FILE_BYTES_MAX: usize = 64 << 20;

/// Most rules in one set.
pub const RULES_MAX: usize = 20_000;

/// Most records of one call to the client library: 16, 256 and 1024 cost more (docs/decisions/0006).
/// Of a partition, so many of the last ones are known when they come once more.
pub const RECORDS_PER_FETCH_MAX: usize = 64;

/// Alerts of one rule in one interval when the rule does not say (Kibana's `max_signals`).
pub const MAX_SIGNALS_DEFAULT: u32 = 100;

/// Ids kept to drop repeats inside one instance: 32 bytes each, so about 4 MiB with the index.
pub const RECENT_IDS_MAX: usize = 65_536;

/// Windows of one rule's alert limit that are counted side by side. Partitions are read at
/// different speeds; a backlog of several intervals may be read interleaved.
pub const LIMIT_WINDOWS_PER_RULE: usize = 16;

/// Longest `ouzel.error.detail` of a dead letter, in bytes: one line for people.
pub const ERROR_DETAIL_BYTES_MAX: usize = 1024;

/// Bytes of original headers that a dead letter without its value still carries. Kafka's limit
/// counts headers too, and such a letter was refused for its size once already.
pub const TRUNCATED_HEADER_BYTES_MAX: usize = 16 << 10;

/// Longest text of an event that a reduced alert still carries, in bytes (ids are below 100).
pub const REDUCED_TEXT_BYTES_MAX: usize = 512;

/// Most exceptions, items of imported lists counted in.
pub const EXCEPTIONS_MAX: usize = 20_000;

/// Most lines of a value list. Kibana accepts 65,536 terms in one query.
pub const VALUE_LIST_LINES_MAX: usize = 65_536;

/// Most suppression groups that are open at once in one instance; the oldest closes first.
pub const SUPPRESSION_GROUPS_MAX: usize = 8192;

/// Most bytes that open suppression groups hold for their closing updates (an alert is some 10 KB).
pub const SUPPRESSION_BYTES_MAX: usize = 64 << 20;

/// Bytes that are read from a file or a pipe at once. Reading a file and looking at each byte took
/// 18.6 ms for 200 MB in pieces of 256 KiB, 14.7 of 1 MiB, 14.2 of 2 and 15.8 of 4 (medians of 3;
/// 1 MiB of second-level cache).
pub const LINE_BUFFER_BYTES: usize = 1 << 20;

/// Largest file that a secret is read from, in bytes: a token with many claims has a few KiB.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Most workers of one instance: each is a thread with a consumer of its own.
pub const WORKERS_MAX: u32 = 256;

/// Longest topic name; Kafka's own limit.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Longest drain of a partition that is taken away, in ms: the group waits for it, and a member
/// that does not poll for five minutes (`max.poll.interval.ms`) is thrown out.
pub const REVOKE_DRAIN_MS_MAX: u32 = 240_000;

/// Most outputs of one worker that may be on their way: the producer's queue takes no more.
pub const IN_FLIGHT_MAX: u32 = 100_000;

/// First pause before outputs whose target takes nothing are sent again: most troubles are short.
pub const OUTPUT_RETRY_MIN: Duration = Duration::from_millis(500);

/// Longest such pause: so long after the target is back the worker goes on at the latest.
pub const OUTPUT_RETRY_MAX: Duration = Duration::from_secs(10);

/// A record whose outputs are open for so long waits for its target: the worker says that it is
/// held. Well below the minute after which an open record is a fault of the program.
pub const OUTPUT_SLOW: Duration = Duration::from_secs(15);

/// How much longer than its own time-out the client may take to say how a delivery ended; after
/// that an open record is a fault of the program.
pub const OUTPUT_REPORT_SLACK: Duration = Duration::from_secs(30);

/// Most ranges of one list in a document of the ledger of coverage: a partition that is read in
/// order has one. Past it offsets are counted and no longer named, so that a document stays below
/// 150 KB, well below what a broker takes by default.
pub const LEDGER_RANGES_MAX: usize = 1000;

/// Largest document of the ledger that is read, in bytes; what is written is a tenth of it.
pub const LEDGER_DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Most documents of the ledger that wait for their topic or file; the oldest hours are given up
/// first. A thousand partitions for ten hours, some tens of MB.
pub const LEDGER_DOCUMENTS_MAX: usize = 10_000;

/// Most documents that `coverage` reads: a hundred partitions, a year of hours.
pub const LEDGER_DOCUMENTS_READ_MAX: usize = 1_000_000;

/// Most places of a log that `coverage` looks at to see whether a record stands there.
pub const LEDGER_PROBES_MAX: usize = 1000;

/// Hours that a file of the ledger keeps: a month.
pub const LEDGER_FILE_HOURS_MAX: i64 = 31 * 24;

/// Bytes that are added to a file of the ledger before it is written anew: twelve partitions add
/// some 5 MB a day, nearly all of it replaced by what came later.
pub const LEDGER_FILE_BYTES_GROWN: u64 = 16 << 20;

/// How long records are not taken for a transaction's sake before the source is paused: a pause
/// throws away what was fetched ahead, and a commit takes a few milliseconds.
pub const TRANSACTION_HELD_UNPAUSED: Duration = Duration::from_millis(50);

/// A producer that was shut out is replaced once in this time; if it is shut out again, somebody
/// else uses its transactional id, and the two would shut each other out for ever.
pub const PRODUCER_REPLACED_MIN: Duration = Duration::from_secs(60);
