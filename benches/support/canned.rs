//! A broker that costs next to nothing: it keeps the batches that a producer sends once, as they
//! are, and replays them to whoever fetches, over and over, up to a number of records. It takes a
//! broker's own work out of a measurement, and says nothing about one.
//!
//! It knows one partition per topic, one member per group, and of each request the version that it
//! names. Nothing is checked, nothing is stored; it is no broker for anything but benches.

use std::collections::BTreeMap;
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::wire::{Reader, Writer};

/// Key and version of each request that is understood.
const REQUESTS: [(i16, i16); 13] = [
    (PRODUCE, 7),
    (FETCH, 10),
    (LIST_OFFSETS, 1),
    (METADATA, 4),
    (OFFSET_COMMIT, 2),
    (OFFSET_FETCH, 1),
    (FIND_COORDINATOR, 0),
    (JOIN_GROUP, 0),
    (HEARTBEAT, 0),
    (LEAVE_GROUP, 0),
    (SYNC_GROUP, 0),
    (API_VERSIONS, 0),
    (INIT_PRODUCER_ID, 0),
];
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const JOIN_GROUP: i16 = 11;
const HEARTBEAT: i16 = 12;
const LEAVE_GROUP: i16 = 13;
const SYNC_GROUP: i16 = 14;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;

const UNSUPPORTED_VERSION: i16 = 35;
const UNKNOWN_TOPIC: i16 = 3;
const OUT_OF_RANGE: i16 = 1;

/// Where a batch says how many records it has.
const COUNT_AT: usize = 57;
/// Where a batch says how long it is, behind its own length field.
const LENGTH_AT: usize = 8;

/// The broker; its threads end with the process.
pub struct Canned {
    address: String,
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<String, Topic>,
    /// By group and topic.
    committed: BTreeMap<(String, String), i64>,
    generation: i32,
}

#[derive(Default)]
struct Topic {
    batches: Vec<Batch>,
    /// Records in all batches together.
    records: i64,
    /// The end of the log that fetchers see: the batches repeat until then.
    end: i64,
    keeping: Keeping,
    /// When the last reader asked for the beginning, and when for what is behind the end.
    reading: Option<(Instant, Option<Instant>)>,
}

/// What becomes of what is produced.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Keeping {
    /// It is counted.
    #[default]
    Counted,
    /// It is kept, to be replayed.
    Replayed,
}

#[derive(Clone)]
struct Batch {
    /// In the first round.
    first: i64,
    records: i64,
    bytes: Arc<[u8]>,
}

impl Canned {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let shared = Arc::<Mutex<State>>::default();
        let (own, state) = (address.clone(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, state) = (own.clone(), Arc::clone(&state));
                std::thread::spawn(move || serve(stream, &own, &state));
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> String {
        self.address.clone()
    }

    pub fn create(&self, topic: &str, keeping: Keeping) {
        lock(&self.shared).topics.insert(topic.to_owned(), Topic { keeping, ..Topic::default() });
    }

    /// Lets the topic's batches repeat until there are at least `records`; how many there are.
    pub fn stretch(&self, topic: &str, records: i64) -> i64 {
        let mut state = lock(&self.shared);
        let topic = state.topics.get_mut(topic).expect("it was created");
        topic.end = records.max(topic.records);
        while topic.batches.iter().all(|batch| (topic.end - batch.first) % topic.records != 0) {
            topic.end += 1;
        }
        topic.end
    }

    /// How long the last reader of the topic took, from its first request to the one behind the end.
    pub fn reading_took(&self, topic: &str) -> Option<Duration> {
        let (began, ended) = lock(&self.shared).topics.get(topic)?.reading?;
        Some(ended? - began)
    }

    pub fn committed(&self, group: &str, topic: &str) -> i64 {
        let key = (group.to_owned(), topic.to_owned());
        lock(&self.shared).committed.get(&key).copied().unwrap_or(0)
    }

    /// The end of a topic's log.
    pub fn end(&self, topic: &str) -> i64 {
        lock(&self.shared).topics.get(topic).map_or(0, |topic| topic.end)
    }
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers one connection's requests, in order, until it closes.
fn serve(mut stream: TcpStream, address: &str, shared: &Mutex<State>) {
    stream.set_nodelay(true).expect("a socket takes this");
    let mut out = BufWriter::with_capacity(1 << 18, stream.try_clone().expect("a socket has two"));
    let mut request = Vec::new();
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        request.resize(u32::from_be_bytes(length) as usize, 0);
        if stream.read_exact(&mut request).is_err() {
            return;
        }
        let answer = Session { address, shared }.answer(&request);
        let Some(answer) = answer else { return };
        if answer.send(&mut out).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// A response: bytes of its own, then batches with the offsets at which they stand this time.
struct Answer {
    correlation: i32,
    body: Vec<u8>,
    batches: Vec<(i64, Arc<[u8]>)>,
}

impl Answer {
    fn send(&self, out: &mut impl Write) -> std::io::Result<()> {
        let batches: usize = self.batches.iter().map(|(_, bytes)| bytes.len()).sum();
        let length = u32::try_from(4 + self.body.len() + batches).expect("a response is small");
        out.write_all(&length.to_be_bytes())?;
        out.write_all(&self.correlation.to_be_bytes())?;
        out.write_all(&self.body)?;
        for (offset, bytes) in &self.batches {
            out.write_all(&offset.to_be_bytes())?;
            out.write_all(bytes.get(8..).unwrap_or_default())?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Session<'a> {
    address: &'a str,
    shared: &'a Mutex<State>,
}

impl Session<'_> {
    fn answer(self, request: &[u8]) -> Option<Answer> {
        let mut reader = Reader(request);
        let (key, version) = (reader.i16()?, reader.i16()?);
        let correlation = reader.i32()?;
        reader.text()?;
        let mut out = Writer::default();
        let mut batches = Vec::new();
        if !REQUESTS.contains(&(key, version)) {
            // The library asks in a newer version first, and takes this for an answer.
            (key == API_VERSIONS).then(|| versions(&mut out, UNSUPPORTED_VERSION))?;
            return Some(Answer { correlation, body: out.0, batches });
        }
        match key {
            API_VERSIONS => versions(&mut out, 0),
            METADATA => self.metadata(&mut reader, &mut out)?,
            PRODUCE => self.produce(&mut reader, &mut out)?,
            FETCH => batches = self.fetch(&mut reader, &mut out)?,
            LIST_OFFSETS => self.list_offsets(&mut reader, &mut out)?,
            INIT_PRODUCER_ID => {
                out.i32(0).i16(0).i64(1).i16(0);
            }
            FIND_COORDINATOR => {
                out.i16(0);
                self.node(&mut out);
            }
            JOIN_GROUP => self.join(&mut reader, &mut out)?,
            SYNC_GROUP => {
                // The one member leads, so the first assignment is its own.
                let _ = (reader.text()?, reader.i32()?, reader.text()?);
                let own = reader.list(|it| Some((it.text()?, it.bytes()?)))?;
                out.i16(0).bytes(own.first().map_or(&[][..], |(_, bytes)| bytes));
            }
            OFFSET_COMMIT => self.commit(&mut reader, &mut out)?,
            OFFSET_FETCH => self.offsets(&mut reader, &mut out)?,
            HEARTBEAT | LEAVE_GROUP => {
                out.i16(0);
            }
            _ => return None,
        }
        Some(Answer { correlation, body: out.0, batches })
    }

    fn node(self, out: &mut Writer) {
        let (host, port) = self.address.split_once(':').expect("an address has a port");
        out.i32(1).text(host).i32(port.parse().expect("a port is a number"));
    }

    fn metadata(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let asked = reader.array(|it| it.text())?;
        let state = lock(self.shared);
        let names = asked.unwrap_or_else(|| state.topics.keys().cloned().collect());
        out.i32(0).i32(1);
        self.node(out);
        out.i16(-1).text("canned").i32(1).list(&names, |out, name| {
            let is_known = state.topics.contains_key(name);
            out.i16(if is_known { 0 } else { UNKNOWN_TOPIC }).text(name).i8(0);
            // Error, partition, leader, replicas, replicas in step.
            out.list(if is_known { &[0][..] } else { &[] }, |out, partition| {
                out.i16(0).i32(*partition).i32(1).i32(1).i32(1).i32(1).i32(1);
            });
        });
        Some(())
    }

    fn produce(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let _ = (reader.text()?, reader.i16()?, reader.i32()?);
        let topics = reader.list(|it| {
            Some((it.text()?, it.list(|it| Some((it.i32()?, it.bytes()?.to_vec())))?))
        })?;
        let mut state = lock(self.shared);
        out.list(&topics, |out, (name, partitions)| {
            let topic = state.topics.entry(name.clone()).or_default();
            out.text(name).list(partitions, |out, (partition, records)| {
                let first = topic.end;
                topic.take(records);
                out.i32(*partition).i16(0).i64(first).i64(-1).i64(0);
            });
        });
        out.i32(0);
        Some(())
    }

    /// The batches of the first partition that is asked for.
    fn fetch(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<Vec<(i64, Arc<[u8]>)>> {
        let (_, wait, _) = (reader.i32()?, reader.i32()?, reader.i32()?);
        let (_, _, _, _) = (reader.i32()?, reader.i8()?, reader.i32()?, reader.i32()?);
        let asked = reader.list(|it| {
            let name = it.text()?;
            let partitions = it.list(|it| {
                let (partition, _, offset) = (it.i32()?, it.i32()?, it.i64()?);
                it.i64()?;
                Some((partition, offset, it.i32()?))
            })?;
            Some((name, partitions))
        })?;
        let first = asked.iter().find_map(|(name, partitions)| Some((name, *partitions.first()?)));
        out.i32(0).i16(0).i32(0);
        let Some((name, (partition, offset, bytes_max))) = first else {
            out.i32(0);
            std::thread::sleep(waiting(wait));
            return Some(Vec::new());
        };
        let (batches, end) = {
            let mut state = lock(self.shared);
            let topic = state.topics.get_mut(name)?;
            topic.note_reading(offset);
            (topic.from(offset, usize::try_from(bytes_max).unwrap_or(0)), topic.end)
        };
        if batches.is_empty() {
            std::thread::sleep(waiting(wait));
        }
        let error = if (0..=end).contains(&offset) { 0 } else { OUT_OF_RANGE };
        let length: usize = batches.iter().map(|(_, bytes)| bytes.len()).sum();
        out.i32(1).text(name).i32(1).i32(partition).i16(error).i64(end).i64(end).i64(0).i32(-1);
        out.i32(i32::try_from(length).expect("a response is small"));
        Some(batches)
    }

    fn list_offsets(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        reader.i32()?;
        let asked =
            reader.list(|it| Some((it.text()?, it.list(|it| Some((it.i32()?, it.i64()?)))?)))?;
        let state = lock(self.shared);
        out.list(&asked, |out, (name, partitions)| {
            let end = state.topics.get(name).map_or(0, |topic| topic.end);
            out.text(name).list(partitions, |out, (partition, time)| {
                out.i32(*partition).i16(0).i64(-1).i64(if *time == -1 { end } else { 0 });
            });
        });
        Some(())
    }

    fn join(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let _ = (reader.text()?, reader.i32()?, reader.text()?, reader.text()?);
        let protocols = reader.list(|it| Some((it.text()?, it.bytes()?)))?;
        let (name, metadata) = protocols.first()?;
        let mut state = lock(self.shared);
        state.generation += 1;
        out.i16(0).i32(state.generation).text(name).text("member").text("member");
        out.i32(1).text("member").bytes(metadata);
        Some(())
    }

    fn commit(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let group = reader.text()?;
        let _ = (reader.i32()?, reader.text()?, reader.i64()?);
        let topics = reader.list(|it| {
            let name = it.text()?;
            let offset = |it: &mut Reader<'_>| {
                let (partition, offset) = (it.i32()?, it.i64()?);
                it.text()?;
                Some((partition, offset))
            };
            Some((name, it.list(offset)?))
        })?;
        let mut state = lock(self.shared);
        out.list(&topics, |out, (name, partitions)| {
            out.text(name).list(partitions, |out, (partition, offset)| {
                state.committed.insert((group.clone(), name.clone()), *offset);
                out.i32(*partition).i16(0);
            });
        });
        Some(())
    }

    fn offsets(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let group = reader.text()?;
        let topics = reader.list(|it| Some((it.text()?, it.list(|it| it.i32())?)))?;
        let state = lock(self.shared);
        out.list(&topics, |out, (name, partitions)| {
            let committed = state.committed.get(&(group.clone(), name.clone())).copied();
            out.text(name).list(partitions, |out, partition| {
                out.i32(*partition).i64(committed.unwrap_or(-1)).text("").i16(0);
            });
        });
        Some(())
    }
}

fn waiting(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0).min(100))
}

fn versions(out: &mut Writer, error: i16) {
    out.i16(error).list(&REQUESTS, |out, (key, version)| {
        out.i16(*key).i16(*version).i16(*version);
    });
}

impl Topic {
    /// Takes in what a producer sent: batches, one behind the other.
    fn take(&mut self, mut bytes: &[u8]) {
        let number = |bytes: &[u8], at: usize| {
            let digits = bytes.get(at..)?.first_chunk::<4>()?;
            usize::try_from(i32::from_be_bytes(*digits)).ok()
        };
        while let (Some(length), Some(records)) =
            (number(bytes, LENGTH_AT), number(bytes, COUNT_AT))
        {
            let Some((batch, rest)) = bytes.split_at_checked(LENGTH_AT + 4 + length) else {
                return;
            };
            let records = i64::try_from(records).expect("a batch is small");
            if self.keeping == Keeping::Replayed {
                let first = self.records;
                self.batches.push(Batch { first, records, bytes: batch.into() });
                self.records += records;
            }
            self.end += records;
            bytes = rest;
        }
    }

    fn note_reading(&mut self, offset: i64) {
        match &mut self.reading {
            reading if offset == 0 => *reading = Some((Instant::now(), None)),
            Some((_, ended)) if offset >= self.end => drop(ended.get_or_insert_with(Instant::now)),
            _ => {}
        }
    }

    /// The batches from the one that holds `offset`, of about `bytes_max` together.
    fn from(&self, offset: i64, bytes_max: usize) -> Vec<(i64, Arc<[u8]>)> {
        let mut found = Vec::new();
        if self.records == 0 || !(0..self.end).contains(&offset) {
            return found;
        }
        let mut round = offset / self.records * self.records;
        let within = offset - round;
        let mut at = self.batches.partition_point(|batch| batch.first + batch.records <= within);
        let mut bytes = 0;
        while let Some(batch) = self.batches.get(at) {
            let first = round + batch.first;
            if first >= self.end || (bytes > 0 && bytes + batch.bytes.len() > bytes_max) {
                break;
            }
            bytes += batch.bytes.len();
            found.push((first, Arc::clone(&batch.bytes)));
            at += 1;
            if at == self.batches.len() {
                (at, round) = (0, round + self.records);
            }
        }
        found
    }
}
