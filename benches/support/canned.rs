//! A broker that costs next to nothing: it keeps the batches that a producer sends once, as they
//! are, and replays them to whoever fetches, over and over, up to a number of records. It takes a
//! broker's own work out of a measurement, and says nothing about one.
//!
//! It knows groups whose members all join before anybody is answered and never change, and of each
//! request the version that it names. All partitions of a topic replay the same batches. Nothing is
//! checked, nothing is stored; it is no broker for anything but benches.

use std::collections::BTreeMap;
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when a group has got another member or its assignments.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<String, Topic>,
    /// By group, topic and partition.
    committed: BTreeMap<(String, String, i32), i64>,
    groups: BTreeMap<String, Group>,
}

#[derive(Default)]
struct Group {
    /// How many members it is to have; one, where nobody said more.
    members_expected: usize,
    /// What each member said of itself; the first one leads.
    members: Vec<Vec<u8>>,
    /// By member, once the leader has sent them.
    assignments: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct Topic {
    batches: Vec<Batch>,
    /// Records in all batches together.
    records: i64,
    /// The end of the log that fetchers see: the batches repeat until then.
    end: i64,
    keeping: Keeping,
    partitions: i32,
    /// By partition: when the last reader asked for the beginning, and when for what is behind the
    /// end.
    reading: BTreeMap<i32, (Instant, Option<Instant>)>,
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
        let shared = Arc::<Shared>::default();
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
        self.create_parted(topic, 1, keeping);
    }

    /// As [`Canned::create`], with so many partitions.
    pub fn create_parted(&self, topic: &str, partitions: i32, keeping: Keeping) {
        let about = Topic { keeping, partitions, ..Topic::default() };
        let mut state = lock(&self.shared);
        // A topic of this name that was there before is gone, with what groups had read of it.
        state.committed.retain(|(_, other, _), _| other != topic);
        state.topics.insert(topic.to_owned(), about);
    }

    /// Nobody who joins the group is answered before it has so many members.
    pub fn expect_members(&self, group: &str, members: usize) {
        let about = Group { members_expected: members, ..Group::default() };
        lock(&self.shared).groups.insert(group.to_owned(), about);
    }

    /// Lets each partition's batches repeat until there are at least `records`; how many there are.
    pub fn stretch(&self, topic: &str, records: i64) -> i64 {
        let mut state = lock(&self.shared);
        let topic = state.topics.get_mut(topic).expect("it was created");
        topic.end = records.max(topic.records);
        while topic.batches.iter().all(|batch| (topic.end - batch.first) % topic.records != 0) {
            topic.end += 1;
        }
        topic.end
    }

    /// How long the last reader of the topic took, from its first request to the one behind the end
    /// of the last partition.
    pub fn reading_took(&self, topic: &str) -> Option<Duration> {
        let state = lock(&self.shared);
        let reading = &state.topics.get(topic)?.reading;
        let began = reading.values().map(|(began, _)| *began).min()?;
        let ended: Option<Vec<Instant>> = reading.values().map(|(_, ended)| *ended).collect();
        Some(ended?.into_iter().max()? - began)
    }

    /// What is committed in all partitions together.
    pub fn committed(&self, group: &str, topic: &str) -> i64 {
        let state = lock(&self.shared);
        let of_both =
            state.committed.iter().filter(|((g, t, _), _)| (&**g, &**t) == (group, topic));
        of_both.map(|(_, offset)| offset).sum()
    }

    /// The end of a topic's log.
    pub fn end(&self, topic: &str) -> i64 {
        lock(&self.shared).topics.get(topic).map_or(0, |topic| topic.end)
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers one connection's requests, in order, until it closes.
fn serve(mut stream: TcpStream, address: &str, shared: &Shared) {
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

/// A response: bytes of its own, and in between batches with the offsets at which they stand this
/// time.
struct Answer {
    correlation: i32,
    parts: Vec<(Vec<u8>, Vec<Placed>)>,
}

/// A batch and the offset of its first record.
type Placed = (i64, Arc<[u8]>);

impl Answer {
    fn send(&self, out: &mut impl Write) -> std::io::Result<()> {
        let length = |(bytes, batches): &(Vec<u8>, Vec<Placed>)| bytes.len() + length_of(batches);
        let length: usize = self.parts.iter().map(length).sum();
        let length = u32::try_from(4 + length).expect("a response is small");
        out.write_all(&length.to_be_bytes())?;
        out.write_all(&self.correlation.to_be_bytes())?;
        for (bytes, batches) in &self.parts {
            out.write_all(bytes)?;
            for (offset, bytes) in batches {
                out.write_all(&offset.to_be_bytes())?;
                out.write_all(bytes.get(8..).unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

fn length_of(batches: &[Placed]) -> usize {
    batches.iter().map(|(_, bytes)| bytes.len()).sum()
}

#[derive(Clone, Copy)]
struct Session<'a> {
    address: &'a str,
    shared: &'a Shared,
}

impl Session<'_> {
    fn answer(self, request: &[u8]) -> Option<Answer> {
        let mut reader = Reader(request);
        let (key, version) = (reader.i16()?, reader.i16()?);
        let correlation = reader.i32()?;
        reader.text()?;
        let mut out = Writer::default();
        let mut parts = Vec::new();
        if !REQUESTS.contains(&(key, version)) {
            // The library asks in a newer version first, and takes this for an answer.
            (key == API_VERSIONS).then(|| versions(&mut out, UNSUPPORTED_VERSION))?;
            return Some(Answer { correlation, parts: vec![(out.0, Vec::new())] });
        }
        match key {
            API_VERSIONS => versions(&mut out, 0),
            METADATA => self.metadata(&mut reader, &mut out)?,
            PRODUCE => self.produce(&mut reader, &mut out)?,
            FETCH => parts = self.fetch(&mut reader)?,
            LIST_OFFSETS => self.list_offsets(&mut reader, &mut out)?,
            INIT_PRODUCER_ID => {
                out.i32(0).i16(0).i64(1).i16(0);
            }
            FIND_COORDINATOR => {
                out.i16(0);
                self.node(&mut out);
            }
            JOIN_GROUP => self.join(&mut reader, &mut out)?,
            SYNC_GROUP => self.synchronise(&mut reader, &mut out)?,
            OFFSET_COMMIT => self.commit(&mut reader, &mut out)?,
            OFFSET_FETCH => self.offsets(&mut reader, &mut out)?,
            HEARTBEAT | LEAVE_GROUP => {
                out.i16(0);
            }
            _ => return None,
        }
        parts.push((out.0, Vec::new()));
        Some(Answer { correlation, parts })
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
            let known = state.topics.get(name);
            let partitions: Vec<i32> = known.map_or(0..0, |topic| 0..topic.partitions).collect();
            out.i16(if known.is_some() { 0 } else { UNKNOWN_TOPIC }).text(name).i8(0);
            // Error, partition, leader, replicas, replicas in step.
            out.list(&partitions, |out, partition| {
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

    /// The batches of the partitions that are asked for, in that order, until there is no room.
    fn fetch(self, reader: &mut Reader<'_>) -> Option<Vec<(Vec<u8>, Vec<Placed>)>> {
        let (_, wait, _) = (reader.i32()?, reader.i32()?, reader.i32()?);
        let (bytes_max, _, _, _) = (reader.i32()?, reader.i8()?, reader.i32()?, reader.i32()?);
        let asked = reader.list(|it| {
            let name = it.text()?;
            let partitions = it.list(|it| {
                let (partition, _, offset) = (it.i32()?, it.i32()?, it.i64()?);
                it.i64()?;
                Some((partition, offset, it.i32()?))
            })?;
            Some((name, partitions))
        })?;
        let mut room = usize::try_from(bytes_max).unwrap_or(0);
        let (mut parts, mut found) = (Vec::new(), false);
        let mut out = Writer::default();
        out.i32(0).i16(0).i32(0).count(asked.len());
        for (name, partitions) in &asked {
            out.text(name).count(partitions.len());
            for (partition, offset, bytes_max) in partitions {
                let bytes_max = usize::try_from(*bytes_max).unwrap_or(0).min(room);
                let (batches, end) = self.batches(name, (*partition, *offset), bytes_max)?;
                let error = if (0..=end).contains(offset) { 0 } else { OUT_OF_RANGE };
                let length = length_of(&batches);
                out.i32(*partition).i16(error).i64(end).i64(end).i64(0).i32(-1).count(length);
                room = room.saturating_sub(length);
                found |= !batches.is_empty();
                parts.push((std::mem::take(&mut out.0), batches));
            }
        }
        parts.push((out.0, Vec::new()));
        if !found {
            std::thread::sleep(waiting(wait));
        }
        Some(parts)
    }

    /// What stands at this place of a topic, and the log's end.
    fn batches(
        self,
        name: &str,
        (partition, offset): (i32, i64),
        bytes_max: usize,
    ) -> Option<(Vec<Placed>, i64)> {
        let mut state = lock(self.shared);
        let topic = state.topics.get_mut(name)?;
        topic.note_reading(partition, offset);
        let batches = if bytes_max > 0 { topic.from(offset, bytes_max) } else { Vec::new() };
        Some((batches, topic.end))
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

    /// Answers when all members are there: nobody has to join a second time.
    fn join(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let (group, _) = (reader.text()?, reader.i32()?);
        let (id, _) = (reader.text()?, reader.text()?);
        let protocols = reader.list(|it| Some((it.text()?, it.bytes()?)))?;
        let (name, metadata) = protocols.first()?;
        let mut state = lock(self.shared);
        let about = state.groups.entry(group.clone()).or_default();
        // Who comes again has the name that it was given.
        let own = (0..about.members.len()).find(|at| member(*at) == id);
        let own = own.unwrap_or_else(|| {
            about.members.push((*metadata).to_vec());
            about.members.len() - 1
        });
        self.shared.changed.notify_all();
        let some_are_missing = |state: &mut State| {
            let about = state.groups.get(&group);
            about.is_some_and(|about| about.members.len() < about.members_expected)
        };
        let state = self.shared.changed.wait_while(state, some_are_missing);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let members = &state.groups.get(&group)?.members;
        let named: Vec<(String, &[u8])> =
            members.iter().enumerate().map(|(at, it)| (member(at), &**it)).collect();
        // The leader alone is told who is there.
        let told = if own == 0 { &named[..] } else { &[] };
        out.i16(0).i32(1).text(name).text(&member(0)).text(&member(own));
        out.list(told, |out, (name, metadata)| {
            out.text(name).bytes(metadata);
        });
        Some(())
    }

    /// Answers when the leader has sent everybody's assignment.
    fn synchronise(self, reader: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
        let (group, _, own) = (reader.text()?, reader.i32()?, reader.text()?);
        let sent = reader.list(|it| Some((it.text()?, it.bytes()?.to_vec())))?;
        let mut state = lock(self.shared);
        state.groups.entry(group.clone()).or_default().assignments.extend(sent);
        self.shared.changed.notify_all();
        let nothing_is_sent = |state: &mut State| {
            state.groups.get(&group).is_some_and(|about| about.assignments.is_empty())
        };
        let state = self.shared.changed.wait_while(state, nothing_is_sent);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let assignments = &state.groups.get(&group)?.assignments;
        out.i16(0).bytes(assignments.get(&own).map_or(&[], |bytes| bytes));
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
                state.committed.insert((group.clone(), name.clone(), *partition), *offset);
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
            out.text(name).list(partitions, |out, partition| {
                let key = (group.clone(), name.clone(), *partition);
                let committed = state.committed.get(&key).copied();
                out.i32(*partition).i64(committed.unwrap_or(-1)).text("").i16(0);
            });
        });
        Some(())
    }
}

fn member(at: usize) -> String {
    format!("member-{at}")
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

    fn note_reading(&mut self, partition: i32, offset: i64) {
        let now = Instant::now();
        if offset == 0 {
            self.reading.insert(partition, (now, None));
        } else if offset >= self.end
            && let Some((_, ended)) = self.reading.get_mut(&partition)
        {
            ended.get_or_insert(now);
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
