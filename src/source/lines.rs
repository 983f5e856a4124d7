//! Records that are lines: standard input or files, plain, `.gz` or `.zst`.
//!
//! ```text
//! read ─▶ [····· one buffer, used again ·····] ─ memchr ─▶ a line, lent where it stands
//! ```
//!
//! A line is lent out of the buffer that it was read into: no copy and no system call per line.
//! What has arrived is lent before more is read, so a live stream is judged as it comes. A line
//! that is longer than a payload may be is lent cut off, one byte longer than allowed, so that it
//! is judged as too large; the rest of it is read past. Offsets count records from 0 within each
//! input; there is one partition, 0.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Began, CommitMode, Partition, Source, SourceError, SourceEvent};
use crate::clock::Clock;
use crate::limits::{LINE_BUFFER_BYTES, PAYLOAD_BYTES_MAX};
use crate::record::{NoHeaders, Position, Record, Timestamp};

/// What a record ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminator {
    /// A newline; a carriage return before it belongs to it.
    #[default]
    Newline,
    /// A NUL byte.
    Nul,
}

impl Terminator {
    const fn byte(self) -> u8 {
        match self {
            Self::Newline => b'\n',
            Self::Nul => 0,
        }
    }

    /// The record in a line that ended with this terminator.
    fn record(self, line: &[u8]) -> &[u8] {
        match self {
            Self::Newline => line.strip_suffix(b"\r").unwrap_or(line),
            Self::Nul => line,
        }
    }
}

/// One input: a name, and where its bytes come from.
pub struct LinesInput {
    name: Arc<str>,
    bytes: Bytes,
}

enum Bytes {
    /// Opened when its turn comes, so that many files need one descriptor.
    File(PathBuf),
    Reader(Box<dyn Read>),
}

impl LinesInput {
    /// Standard input; its topic is `stdin`.
    #[must_use]
    pub fn stdin() -> Self {
        Self::reader("stdin", Box::new(io::stdin()))
    }

    /// A file, read through a decoder where its name ends with `.gz` or `.zst`; its topic is its
    /// name as given.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        let name = path.to_string_lossy();
        Self { name: name.as_ref().into(), bytes: Bytes::File(path.to_owned()) }
    }

    /// Anything that can be read.
    #[must_use]
    pub fn reader(name: &str, reader: Box<dyn Read>) -> Self {
        Self { name: name.into(), bytes: Bytes::Reader(reader) }
    }

    fn partition(&self) -> Partition {
        Partition { topic: Arc::clone(&self.name), partition: 0 }
    }

    fn open(self) -> io::Result<Box<dyn Read>> {
        let path = match self.bytes {
            Bytes::Reader(reader) => return Ok(reader),
            Bytes::File(path) => path,
        };
        let file = File::open(&path)?;
        Ok(match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Some("zst") => Box::new(zstd::stream::read::Decoder::new(file)?),
            _ => Box::new(file),
        })
    }
}

/// The source.
pub struct LinesSource {
    inputs: VecDeque<LinesInput>,
    current: Option<Current>,
    terminator: Terminator,
    clock: Arc<dyn Clock>,
    buffer: Buffer,
    events: VecDeque<SourceEvent>,
    paused: bool,
    ended: bool,
    bytes_read: u64,
}

/// The input that is being read.
struct Current {
    name: Arc<str>,
    reader: Box<dyn Read>,
    /// The offset of the next record.
    next: i64,
    /// When the bytes at hand were read.
    received: Timestamp,
    input: Input,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// More may come.
    Flowing,
    /// What is in the buffer is all.
    AtEnd,
}

impl LinesSource {
    /// A source of all records of all `inputs`, one input after the other.
    #[must_use]
    pub fn new(inputs: Vec<LinesInput>, terminator: Terminator, clock: Arc<dyn Clock>) -> Self {
        let partitions: Vec<_> = inputs.iter().map(LinesInput::partition).collect();
        let positions = partitions.iter().map(|partition| (partition.clone(), 0)).collect();
        let began = SourceEvent::Began(positions, Began::Assigned);
        let assigned = SourceEvent::Assigned(partitions);
        Self {
            inputs: inputs.into(),
            current: None,
            terminator,
            clock,
            buffer: Buffer::new(terminator.byte()),
            events: VecDeque::from([assigned, began]),
            paused: false,
            ended: false,
            bytes_read: 0,
        }
    }

    /// Bytes read so far, after decompression, terminators included.
    #[must_use]
    pub const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Reads once; opens the next input where the last one has ended.
    fn read(&mut self) -> Result<(), SourceError> {
        if self.current.as_ref().is_none_or(|current| current.input == Input::AtEnd) {
            return self.next_input();
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        let read = loop {
            match current.reader.read(self.buffer.room()) {
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let read = read.map_err(|cause| unreadable(&current.name, cause))?;
        self.buffer.filled(read);
        self.bytes_read += read as u64;
        current.input = if read == 0 { Input::AtEnd } else { Input::Flowing };
        current.received = self.clock.wall();
        Ok(())
    }

    fn next_input(&mut self) -> Result<(), SourceError> {
        self.buffer.clear();
        self.current = None;
        let Some(input) = self.inputs.pop_front() else {
            if !self.ended {
                self.ended = true;
                self.events.push_back(SourceEvent::Ended);
            }
            return Ok(());
        };
        let name = Arc::clone(&input.name);
        let reader = input.open().map_err(|cause| unreadable(&name, cause))?;
        let received = self.clock.wall();
        self.current = Some(Current { name, reader, next: 0, received, input: Input::Flowing });
        Ok(())
    }

    /// Lends the records that the buffer holds.
    fn lend(
        &mut self,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> usize {
        let Some(current) = &mut self.current else { return 0 };
        let mut lent = 0;
        while lent < records_max {
            let Some(line) = self.buffer.next_line(current.input) else { break };
            let record = Record {
                payload: Some(self.terminator.record(line)),
                key: None,
                headers: &NoHeaders,
                position: Position { topic: &current.name, partition: 0, offset: current.next },
                timestamp: None,
                received: current.received,
            };
            current.next += 1;
            lent += 1;
            if visit(&record).is_break() {
                break;
            }
        }
        lent
    }
}

fn unreadable(name: &str, cause: io::Error) -> SourceError {
    SourceError::Read { name: name.to_owned(), cause }
}

impl Source for LinesSource {
    type Enlisted = ();

    /// Blocks until bytes arrive where none are at hand: a pipe has no time-outs. That holds
    /// nothing up, because a sink of lines has nothing in flight between two steps.
    fn poll(
        &mut self,
        _wait: Duration,
        records_max: usize,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<usize, SourceError> {
        if self.paused || self.ended || !self.events.is_empty() {
            return Ok(0);
        }
        let lent = self.lend(records_max, visit);
        if lent > 0 {
            return Ok(lent);
        }
        self.read()?;
        Ok(self.lend(records_max, visit))
    }

    fn event(&mut self) -> Option<SourceEvent> {
        self.events.pop_front()
    }

    fn pause(&mut self) -> Result<(), SourceError> {
        self.paused = true;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), SourceError> {
        self.paused = false;
        Ok(())
    }

    /// Lines have nobody to remember how far they were read.
    fn commit(&mut self, _: &[(Partition, i64)], _: CommitMode) -> Result<(), SourceError> {
        Ok(())
    }

    fn release(&mut self, _: &[Partition]) -> Result<(), SourceError> {
        Ok(())
    }

    fn close(&mut self) {
        self.inputs.clear();
        self.current = None;
    }
}

/// The buffer: what was read and not lent yet stands in `start..end`.
struct Buffer {
    bytes: Vec<u8>,
    terminator: u8,
    start: usize,
    end: usize,
    /// So many bytes from `start` hold no terminator.
    searched: usize,
    /// The rest of the current line was cut off and is read past.
    skipping: bool,
}

/// Longest line that is kept whole: a payload, one byte that makes it too large, and the carriage
/// return that may stand before the terminator.
const LINE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 2;

impl Buffer {
    fn new(terminator: u8) -> Self {
        let bytes = vec![0; LINE_BUFFER_BYTES];
        Self { bytes, terminator, start: 0, end: 0, searched: 0, skipping: false }
    }

    /// Room for the next read: what is left of a line moves to the front, and a line that fills
    /// the whole buffer gets a larger one.
    fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            let length = (self.bytes.len() * 2).min(LINE_BYTES_MAX);
            self.bytes.resize(length, 0);
        } else if self.end == 0 && self.bytes.len() > LINE_BUFFER_BYTES {
            self.bytes.truncate(LINE_BUFFER_BYTES);
            self.bytes.shrink_to_fit();
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn filled(&mut self, read: usize) {
        self.end = self.bytes.len().min(self.end + read);
    }

    fn clear(&mut self) {
        (self.start, self.end, self.searched, self.skipping) = (0, 0, 0, false);
    }

    /// The next line that stands whole in the buffer, without its terminator; at the end of the
    /// input, the rest; of a line that is too long, its beginning.
    fn next_line(&mut self, input: Input) -> Option<&[u8]> {
        if self.skipping {
            self.skip_line();
        }
        let unsearched = self.bytes.get(self.start + self.searched..self.end)?;
        if let Some(at) = memchr::memchr(self.terminator, unsearched) {
            return self.take(self.searched + at, 1);
        }
        let length = self.end - self.start;
        self.searched = length;
        let is_cut = length >= LINE_BYTES_MAX;
        if length == 0 || !(input == Input::AtEnd || is_cut) {
            return None;
        }
        self.skipping = is_cut;
        self.take(length, 0)
    }

    /// Takes `length` bytes out, and the terminator after them.
    fn take(&mut self, length: usize, terminator: usize) -> Option<&[u8]> {
        let start = self.start;
        self.start += length + terminator;
        self.searched = 0;
        self.bytes.get(start..start + length)
    }

    /// Reads past the rest of a line that was cut off, as far as it stands in the buffer.
    fn skip_line(&mut self) {
        let rest = self.bytes.get(self.start..self.end).unwrap_or_default();
        match memchr::memchr(self.terminator, rest) {
            Some(at) => {
                self.start += at + 1;
                self.skipping = false;
            }
            None => self.start = self.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    /// Gives its bytes in pieces of the given sizes, over and over.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.sizes[self.turn % self.sizes.len()].min(into.len());
            self.turn += 1;
            let piece = &self.bytes[self.at..self.bytes.len().min(self.at + size)];
            into[..piece.len()].copy_from_slice(piece);
            self.at += piece.len();
            Ok(piece.len())
        }
    }

    fn source(bytes: &[u8], sizes: &[usize], terminator: Terminator) -> LinesSource {
        let pieces = Pieces { bytes: bytes.to_vec(), at: 0, sizes: sizes.to_vec(), turn: 0 };
        let input = LinesInput::reader("in", Box::new(pieces));
        LinesSource::new(vec![input], terminator, Arc::new(SystemClock::default()))
    }

    /// Every record as topic, offset and payload, until the source says that it has ended.
    fn drain(source: &mut LinesSource, records_max: usize) -> Vec<(String, i64, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            while let Some(event) = source.event() {
                if event == SourceEvent::Ended {
                    return found;
                }
            }
            let lent = source.poll(Duration::ZERO, records_max, &mut |record| {
                let payload = record.payload.expect("lines have payloads").to_vec();
                found.push((record.position.topic.to_owned(), record.position.offset, payload));
                ControlFlow::Continue(())
            });
            assert!(lent.expect("it can be read") <= records_max);
        }
    }

    fn check(text: &str, terminator: Terminator, lines: &[&str]) {
        let expected: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| ("in".to_owned(), at as i64, line.as_bytes().to_vec()))
            .collect();
        for (sizes, records_max) in [(&[1][..], 100), (&[3, 1, 7], 1), (&[usize::MAX], 2)] {
            let mut source = source(text.as_bytes(), sizes, terminator);
            assert_eq!(drain(&mut source, records_max), expected, "{text:?} in {sizes:?}");
            assert_eq!(source.bytes_read(), text.len() as u64);
        }
    }

    #[test]
    fn each_line_is_a_record() {
        let newline = Terminator::Newline;
        check("", newline, &[]);
        check("a\n", newline, &["a"]);
        check("a\nbc\n", newline, &["a", "bc"]);
        check("a\nlast without newline", newline, &["a", "last without newline"]);
        check("\n\na\n", newline, &["", "", "a"]);
        check("a\r\nb\r\n\r\n", newline, &["a", "b", ""]);
        check("a\rb\n", newline, &["a\rb"]);
        check("a\0b\n", newline, &["a\0b"]);
    }

    #[test]
    fn nul_bytes_end_records_that_hold_newlines() {
        let nul = Terminator::Nul;
        check("{\n}\0[\r\n]\0", nul, &["{\n}", "[\r\n]"]);
        check("a\0b\r", nul, &["a", "b\r"]);
    }

    #[test]
    fn a_line_may_be_longer_than_the_buffer_but_not_than_a_payload() {
        let long = "x".repeat(3 * LINE_BUFFER_BYTES + 5);
        check(&format!("a\n{long}\nb\n"), Terminator::Newline, &["a", &long, "b"]);

        let payload = |bytes: usize| {
            let mut text = vec![b'y'; bytes];
            text.extend_from_slice(b"\r\nnext\n");
            let mut source = source(&text, &[1 << 20], Terminator::Newline);
            let lengths: Vec<_> =
                drain(&mut source, 10).iter().map(|(_, at, line)| (*at, line.len())).collect();
            assert!(source.buffer.bytes.len() <= LINE_BYTES_MAX, "the buffer is bounded");
            lengths
        };
        assert_eq!(payload(PAYLOAD_BYTES_MAX), [(0, PAYLOAD_BYTES_MAX), (1, 4)]);
        let cut = payload(3 * PAYLOAD_BYTES_MAX);
        assert!(cut[0].1 > PAYLOAD_BYTES_MAX && cut[0].1 <= LINE_BYTES_MAX, "{cut:?}");
        assert_eq!(cut[1..], [(1, 4)]);
    }

    #[test]
    fn a_visit_that_breaks_loses_no_record() {
        let mut source = source(b"a\nb\nc\n", &[usize::MAX], Terminator::Newline);
        let mut found = Vec::new();
        while source.event() != Some(SourceEvent::Ended) {
            let lent = source.poll(Duration::ZERO, 10, &mut |record| {
                found.push(record.payload.expect("it has one").to_vec());
                ControlFlow::Break(())
            });
            assert!(lent.expect("it can be read") <= 1);
        }
        assert_eq!(found, [b"a", b"b", b"c"]);
    }

    #[test]
    fn inputs_are_read_one_after_the_other_with_offsets_of_their_own() {
        let input = |name, text: &'static str| LinesInput::reader(name, Box::new(text.as_bytes()));
        let inputs = vec![input("one", "a\nb"), input("none", ""), input("two", "c\n")];
        let clock = Arc::new(SystemClock::default());
        let mut source = LinesSource::new(inputs, Terminator::Newline, clock);
        let found = drain(&mut source, 10);
        let found: Vec<_> = found.iter().map(|(name, at, _)| (name.as_str(), *at)).collect();
        assert_eq!(found, [("one", 0), ("one", 1), ("two", 0)]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let inputs = vec![LinesInput::file(Path::new("/no/such/file"))];
        let clock = Arc::new(SystemClock::default());
        let mut source = LinesSource::new(inputs, Terminator::Newline, clock);
        while source.event().is_some() {}
        let fault = source.poll(Duration::ZERO, 1, &mut |_| ControlFlow::Continue(()));
        let fault = fault.expect_err("it is not there").to_string();
        assert!(fault.starts_with("read /no/such/file: "), "{fault}");
    }
}
