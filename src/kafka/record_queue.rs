//! Records, many in one call.
//!
//! The wrapper's `poll` takes one record: it reads the clock three times, takes four locks and makes
//! an event and a reference count for it, a fifth of what a consumer costs. The library has a call
//! that hands out a batch, but on a consumer's own queue that call would answer the group's questions
//! by itself ("forcing unassign"), as the wrapper registers no callback for them. So the partitions'
//! queues are led into a queue of their own here; everything else (rebalances, errors, statistics,
//! tokens) stays on the consumer's queue, which the wrapper serves as ever.
//!
//! ```text
//! partition ─▶ fetched ──(claim)──▶ records ─▶ fetch: a batch ─▶ pop: one after the other
//! group, errors, statistics, tokens ─▶ the consumer's queue ─▶ the wrapper's poll
//!                                            └─(wakes whoever waits in fetch)
//! ```
//!
//! The library counts all of a batch as consumed when the call ends, a fault in the place of a record
//! as well. So what was fetched and not handed out yet is kept here across calls; where the library
//! pauses a partition while a call goes on, it hands the batch out once more; and behind a fault the
//! reader has to be put back. docs/decisions/0007 has what follows from each.
//!
//! One of the files of this crate with `unsafe`: calls of librdkafka that the wrapper lacks. It
//! relies on the client's handle outliving this queue: [`RecordQueue`] borrows nothing, so its owner
//! drops it, and each [`Fetched`], before the consumer.

#![expect(unsafe_code, reason = "calls of librdkafka that the wrapper lacks; see each SAFETY")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

use crate::limits::RECORDS_PER_FETCH_MAX;
use crate::record::Position;

/// The queue that the records of claimed partitions come to.
#[derive(Debug)]
pub struct RecordQueue {
    records: NonNull<c::rd_kafka_queue_t>,
    /// The consumer's own: whatever is no record of a claimed partition.
    others: NonNull<c::rd_kafka_queue_t>,
    batch: Batch,
    handed: Vec<Handed>,
    /// The one of them that was needed last: records of a partition come in a row.
    last: usize,
}

/// How far a partition's records were handed out.
#[derive(Debug)]
struct Handed {
    /// The library's topic, as a number that is compared only; 0 where it is not known.
    topic: usize,
    name: Box<str>,
    partition: i32,
    /// The offset behind the last one.
    next: i64,
}

// SAFETY: librdkafka's queues and messages may be used from any thread; these are only ever reached
// through their single owner, and `records` by `wake` as well, which the library calls under a lock
// of its own and which only calls what may be called from any thread.
unsafe impl Send for RecordQueue {}

impl RecordQueue {
    /// A queue for the records of `consumer`; it has to be dropped before it. `None` where the
    /// library has no memory for it, or the consumer no group.
    #[must_use]
    pub fn of<X: ConsumerContext>(consumer: &BaseConsumer<X>) -> Option<Self> {
        let client = consumer.client().native_ptr();
        // SAFETY: the handle is alive while `consumer` is borrowed; the call has no other demand.
        let others = NonNull::new(unsafe { c::rd_kafka_queue_get_consumer(client) })?;
        // SAFETY: as above.
        let Some(records) = NonNull::new(unsafe { c::rd_kafka_queue_new(client) }) else {
            // SAFETY: it is a reference of ours, and destroyed once.
            unsafe { c::rd_kafka_queue_destroy(others.as_ptr()) };
            return None;
        };
        // SAFETY: both queues are alive until `drop`, which takes the callback away first. The
        // library calls it with the lock of `others` held; `wake` takes that of `records` only, and
        // nothing takes them the other way round.
        unsafe {
            c::rd_kafka_queue_cb_event_enable(
                others.as_ptr(),
                Some(wake),
                records.as_ptr().cast::<c_void>(),
            );
        }
        let (batch, handed) = (Batch::default(), Vec::new());
        Some(Self { records, others, batch, handed, last: 0 })
    }

    /// Has the records of a partition come here from now on, those that wait for it as well.
    ///
    /// To be called when the partition is assigned, and now and then afterwards: when the library
    /// stops a partition's fetcher, which it does some time after it was asked to, it takes this
    /// away again, also where the partition was assigned anew in between; and then the records stay
    /// in the partition's own queue, where nobody else looks.
    pub fn claim<X: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<X>,
        topic: &str,
        partition: i32,
    ) {
        let Ok(topic) = CString::new(topic) else { return };
        let client = consumer.client().native_ptr();
        // SAFETY: handle and name are alive for the time of the call; what comes back is a reference
        // of ours.
        let of_partition =
            unsafe { c::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        let Some(of_partition) = NonNull::new(of_partition) else { return };
        // SAFETY: both queues are alive; the first keeps a reference to the second by itself, and
        // the handle that was made above is destroyed once.
        unsafe {
            c::rd_kafka_queue_forward(of_partition.as_ptr(), self.records.as_ptr());
            c::rd_kafka_queue_destroy(of_partition.as_ptr());
        }
    }

    /// Whether the consumer's own queue holds something: it comes before the records here.
    #[must_use]
    pub fn has_other(&self) -> bool {
        // SAFETY: the queue is alive.
        unsafe { c::rd_kafka_queue_length(self.others.as_ptr()) > 0 }
    }

    /// Whether something is at hand for [`RecordQueue::pop`]: of the last batch, or else of another
    /// one, for which it waits at most `wait`, and less where the consumer's own queue gets
    /// something.
    pub fn fetch(&mut self, size: Size, wait: Duration) -> bool {
        if !self.batch.is_empty() {
            return true;
        }
        if size == Size::One {
            self.fetch_one(wait);
            return !self.batch.is_empty();
        }
        let batch = &mut self.batch;
        // Without waiting: the call waits until the batch is full.
        // SAFETY: the queue is alive, and there is room for as many messages as the call is told.
        let count = unsafe {
            c::rd_kafka_consume_batch_queue(
                self.records.as_ptr(),
                0,
                batch.messages.as_mut_ptr(),
                batch.messages.len(),
            )
        };
        // Less than 0 is a fault of the call, and nothing was taken.
        batch.next = 0;
        batch.end = usize::try_from(count).unwrap_or(0).min(batch.messages.len());
        if batch.end == 0 && !wait.is_zero() && !self.has_other() {
            // What comes to the other queue from here on ends the wait.
            self.fetch_one(wait);
        }
        !self.batch.is_empty()
    }

    /// Waits for one message. (Of a fault this call counts nothing.)
    fn fetch_one(&mut self, wait: Duration) {
        // Upwards, so that a wait below a millisecond is none without an end.
        let wait = c_int::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        // SAFETY: the queue is alive; what comes back is ours.
        let first = NonNull::new(unsafe { c::rd_kafka_consume_queue(self.records.as_ptr(), wait) });
        if let (Some(first), Some(place)) = (first, self.batch.messages.first_mut()) {
            *place = first.as_ptr();
            (self.batch.next, self.batch.end) = (0, 1);
        }
    }

    /// The next of what was fetched, in order.
    pub fn pop(&mut self) -> Option<Fetched> {
        let fetched = self.batch.pop()?;
        let message = fetched.message();
        if message.is_record() {
            let (topic, partition) = (message.0.rkt.addr(), message.0.partition);
            let is_its = |handed: &Handed| handed.topic == topic && handed.partition == partition;
            if !self.handed.get(self.last).is_some_and(is_its) {
                self.last = self.handed.iter().position(is_its).unwrap_or(self.handed.len());
            }
            match self.handed.get_mut(self.last) {
                Some(handed) => handed.next = message.0.offset + 1,
                None => self.note(topic, message.position()),
            }
        }
        Some(fetched)
    }

    /// A record was handed out another way.
    pub fn handed_out(&mut self, at: Position<'_>) {
        self.note(0, at);
    }

    fn note(&mut self, topic: usize, at: Position<'_>) {
        let Position { topic: name, partition, offset } = at;
        let is_its = |handed: &&mut Handed| handed.partition == partition && *handed.name == *name;
        let next = offset + 1;
        match self.handed.iter_mut().find(is_its) {
            Some(handed) => (handed.topic, handed.next) = (topic, next),
            None => self.handed.push(Handed { topic, name: name.into(), partition, next }),
        }
    }

    /// The offset behind the last record of a partition that was fetched or handed out; `None` where
    /// there was none, or it was forgotten.
    #[must_use]
    pub fn behind_last(&self, topic: &str, partition: i32) -> Option<i64> {
        let mut waiting = self.waiting().rev().map(Lent::position);
        let last = waiting.find(|at| at.partition == partition && at.topic == topic);
        let mut handed = self.handed.iter();
        last.map(|at| at.offset + 1).or_else(|| {
            let it = handed.find(|it| it.partition == partition && *it.name == *topic)?;
            Some(it.next)
        })
    }

    /// The records that were fetched and not handed out yet, in order.
    pub fn waiting(&self) -> impl DoubleEndedIterator<Item = Lent<'_>> {
        self.messages().filter(|message| message.is_record())
    }

    /// Where the faults stand that were fetched and not handed out yet, in order. An offset below 0
    /// is none.
    pub fn faults(&self) -> impl Iterator<Item = Position<'_>> {
        self.messages().filter(|message| !message.is_record()).map(Lent::position)
    }

    /// What was fetched and not handed out yet, in order.
    fn messages(&self) -> impl DoubleEndedIterator<Item = Lent<'_>> {
        // SAFETY: what is waiting is a message of ours, alive until it is handed out or forgotten,
        // which needs `&mut self`.
        self.batch.waiting().iter().filter_map(|at| unsafe { at.as_ref() }).map(Lent)
    }

    /// Forgets what is waiting of the partitions that `is_gone` says so of, faults as well, and how
    /// far they were handed out.
    pub fn forget(&mut self, mut is_gone: impl FnMut(Position<'_>) -> bool) {
        self.last = 0;
        self.handed.retain(|Handed { name, partition, next, .. }| {
            !is_gone(Position { topic: name, partition: *partition, offset: *next })
        });
        // Handed out before it is looked at, so that a panic of `is_gone` leaves nothing twice.
        let mut kept = Batch::default();
        while let Some(fetched) = self.batch.pop() {
            if !is_gone(fetched.message().position()) {
                kept.push(fetched);
            }
        }
        self.batch = kept;
    }
}

impl Drop for RecordQueue {
    fn drop(&mut self) {
        // SAFETY: the callback goes first, under the lock that it is called with, so that nobody
        // uses `records` any more; each reference is ours and destroyed once. Partitions that are
        // still led here hold references of their own, to a queue that takes nothing any more.
        unsafe {
            c::rd_kafka_queue_cb_event_enable(self.others.as_ptr(), None, ptr::null_mut());
            c::rd_kafka_queue_destroy(self.others.as_ptr());
            c::rd_kafka_queue_destroy(self.records.as_ptr());
        }
    }
}

/// Called by the library when the consumer's own queue is no longer empty.
///
/// # Safety
/// `records` must be the queue that [`RecordQueue::of`] named, alive.
unsafe extern "C" fn wake(_client: *mut c::rd_kafka_t, records: *mut c_void) {
    // SAFETY: as the caller promises.
    unsafe { c::rd_kafka_queue_yield(records.cast::<c::rd_kafka_queue_t>()) };
}

/// How much one call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// One record: it costs more, and counts no fault as consumed.
    One,
    /// Up to [`RECORDS_PER_FETCH_MAX`].
    Batch,
}

/// What one call took. The messages from `next` to `end` are ours.
#[derive(Debug)]
struct Batch {
    messages: [*mut c::rd_kafka_message_t; RECORDS_PER_FETCH_MAX],
    next: usize,
    end: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { messages: [ptr::null_mut(); RECORDS_PER_FETCH_MAX], next: 0, end: 0 }
    }
}

impl Batch {
    const fn is_empty(&self) -> bool {
        self.next >= self.end
    }

    fn waiting(&self) -> &[*mut c::rd_kafka_message_t] {
        self.messages.get(self.next..self.end).unwrap_or_default()
    }

    fn pop(&mut self) -> Option<Fetched> {
        let message = *self.waiting().first()?;
        self.next += 1;
        NonNull::new(message).map(Fetched)
    }

    fn push(&mut self, fetched: Fetched) {
        if let Some(place) = self.messages.get_mut(self.end) {
            *place = ManuallyDrop::new(fetched).0.as_ptr();
            self.end += 1;
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        while let Some(fetched) = self.pop() {
            drop(fetched);
        }
    }
}

/// One message of the library, destroyed when it is dropped.
#[derive(Debug)]
pub struct Fetched(NonNull<c::rd_kafka_message_t>);

impl Fetched {
    /// The record.
    ///
    /// # Errors
    /// Where it is none: what is wrong with its partition.
    pub fn record(&self) -> Result<Lent<'_>, PartitionFault> {
        let message = self.message();
        if message.is_record() {
            return Ok(message);
        }
        let Lent(message) = message;
        // SAFETY: the message is alive; the text ends with a zero byte and lives as long.
        let reason = unsafe {
            let text = c::rd_kafka_message_errstr(message);
            if text.is_null() { c"" } else { CStr::from_ptr(text) }
        };
        let reason = reason.to_string_lossy().trim().to_owned();
        let topic = self.message().position().topic.to_owned();
        Err(PartitionFault { code: message.err.into(), topic, reason })
    }

    const fn message(&self) -> Lent<'_> {
        // SAFETY: the message is ours, and alive as long as `self`.
        Lent(unsafe { self.0.as_ref() })
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // SAFETY: the message is ours, and destroyed once.
        unsafe { c::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

/// What the library says of a partition, in the place of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionFault {
    /// What it is.
    pub code: RDKafkaErrorCode,
    /// The topic.
    pub topic: String,
    /// In words.
    pub reason: String,
}

/// A record in the library's own memory.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a>(&'a c::rd_kafka_message_t);

impl<'a> Lent<'a> {
    fn is_record(self) -> bool {
        self.0.err == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// The value; `None` is a null value.
    #[must_use]
    pub fn payload(self) -> Option<&'a [u8]> {
        // SAFETY: the message says where its value is and how long, and lives for `'a`.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    /// The key; `None` where there is none.
    #[must_use]
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: as for the value.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    /// Where it stands.
    #[must_use]
    pub fn position(self) -> Position<'a> {
        // A fault need not have a topic.
        if self.0.rkt.is_null() {
            return Position { topic: "", partition: self.0.partition, offset: self.0.offset };
        }
        // SAFETY: the topic's name ends with a zero byte and lives at least as long as the message.
        let topic = unsafe { CStr::from_ptr(c::rd_kafka_topic_name(self.0.rkt)) };
        // Kafka allows nothing beyond ASCII in it.
        let topic = topic.to_str().unwrap_or_default();
        Position { topic, partition: self.0.partition, offset: self.0.offset }
    }

    /// Milliseconds since the epoch, where the record has a time.
    #[must_use]
    pub fn timestamp(self) -> Option<i64> {
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` for the time of the call.
        let time = unsafe { c::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        let has_time = kind != c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (has_time && time != -1).then_some(time)
    }

    /// How many headers there are. The library reads them when they are first asked for.
    #[must_use]
    pub fn headers(self) -> usize {
        // SAFETY: headers that are there are alive as long as the message.
        self.own_headers()
            .map_or(0, |headers| unsafe { c::rd_kafka_header_cnt(headers.as_ptr().cast_const()) })
    }

    /// The name and value of a header: a name is UTF-8 by Kafka's rule and may be anything; a value
    /// may be null. `None` past the end.
    #[must_use]
    pub fn header(self, index: usize) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let headers = self.own_headers()?;
        let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers are alive as long as the message; the places to write to are alive for
        // the time of the call.
        let answer = unsafe {
            c::rd_kafka_header_get_all(
                headers.as_ptr().cast_const(),
                index,
                &raw mut name,
                &raw mut value,
                &raw mut length,
            )
        };
        if answer != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: the name ends with a zero byte, the value is as long as the library says; both
        // live as long as the message.
        unsafe { Some((CStr::from_ptr(name).to_bytes(), bytes(value, length))) }
    }

    fn own_headers(self) -> Option<NonNull<c::rd_kafka_headers_t>> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive, and the place to write to for the time of the call. What
        // comes back belongs to the message.
        let answer = unsafe { c::rd_kafka_message_headers(self.0, &raw mut headers) };
        let is_there = answer == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        NonNull::new(headers).filter(|_| is_there)
    }
}

/// So many bytes from there; `None` where it points nowhere.
///
/// # Safety
/// Where `at` is not null, `length` bytes from there must be readable for `'a`.
unsafe fn bytes<'a>(at: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!at.is_null()).then(|| unsafe { slice::from_raw_parts(at.cast::<u8>(), length) })
}
