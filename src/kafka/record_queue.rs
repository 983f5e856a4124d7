//! Records, many in one call.
//!
//! The wrapper's `poll` takes one record: it reads the clock three times, takes four locks and makes
//! an event and a reference count for it, a fifth of what a consumer costs. The library has a call
//! that hands over record after record, but on a consumer's own queue that call would answer the
//! group's questions by itself ("forcing unassign"), as the wrapper registers no callback for them.
//! So the partitions' queues are led into a queue of their own here; everything else (rebalances,
//! errors, statistics, tokens) stays on the consumer's queue, which the wrapper serves as ever.
//!
//! ```text
//! partition ─▶ fetched ──(claim)──▶ records ─▶ take: record after record
//! group, errors, statistics, tokens ─▶ the consumer's queue ─▶ the wrapper's poll
//!                                            └─(wakes whoever waits in take)
//! ```
//!
//! A record counts as consumed in the library when it is handed over, each by itself; what a call
//! leaves stays at the head of the queue. docs/decisions/0006 has the alternatives.
//!
//! One of the files of this crate with `unsafe`: calls of librdkafka that the wrapper lacks. It
//! relies on the client's handle outliving this queue: [`RecordQueue`] borrows nothing, so its owner
//! drops it before the consumer.

#![expect(unsafe_code, reason = "calls of librdkafka that the wrapper lacks; see each SAFETY")]

use std::any::Any;
use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

/// The queue that the records of claimed partitions come to.
#[derive(Debug)]
pub struct RecordQueue {
    records: NonNull<c::rd_kafka_queue_t>,
    /// The consumer's own: whatever is no record of a claimed partition.
    others: NonNull<c::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's queues may be used from any thread; these are only ever reached through
// their single owner, and by `wake`, which the library calls under a lock of its own.
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
        Some(Self { records, others })
    }

    /// Has the records of a partition come here from now on, those that wait for it as well.
    ///
    /// To be called when the partition is assigned, and now and then afterwards: when the library
    /// stops a partition's fetcher, which it does some time after it was asked to, it takes this
    /// away again, also where the partition was assigned anew in between.
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

    /// Hands over the records at hand, in order, or the faults of partitions, until `visit` breaks;
    /// waits at most `wait` for the first, and less where the consumer's own queue gets something.
    pub fn take<X, V>(&self, consumer: &BaseConsumer<X>, wait: Duration, visit: V)
    where
        X: ConsumerContext,
        V: FnMut(Result<Lent<'_>, RDKafkaErrorCode>) -> ControlFlow<()>,
    {
        let client = consumer.client().native_ptr();
        let mut call = Call { client, visit, panic: None };
        // Upwards, so that a wait below a millisecond is none without an end.
        let wait = c_int::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        // SAFETY: the queue is alive. The library calls back within this call only, in this thread,
        // with the pointer to `call`, which nothing else uses meanwhile.
        unsafe {
            c::rd_kafka_consume_callback_queue(
                self.records.as_ptr(),
                wait,
                Some(hand_over::<V>),
                ptr::from_mut(&mut call).cast::<c_void>(),
            );
        }
        if let Some(panic) = call.panic {
            resume_unwind(panic);
        }
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

/// One call of [`RecordQueue::take`].
struct Call<V> {
    client: *mut c::rd_kafka_t,
    visit: V,
    panic: Option<Box<dyn Any + Send>>,
}

/// Called by the library with each record.
///
/// # Safety
/// `message` must be alive, and `call` point to a [`Call`] with the same `V` that nobody else uses.
unsafe extern "C" fn hand_over<V>(message: *mut c::rd_kafka_message_t, call: *mut c_void)
where
    V: FnMut(Result<Lent<'_>, RDKafkaErrorCode>) -> ControlFlow<()>,
{
    // SAFETY: as the caller promises.
    let (message, call) = unsafe { (&*message, &mut *call.cast::<Call<V>>()) };
    let given = match message.err {
        c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(Lent(message)),
        fault => Err(fault.into()),
    };
    // No panic may cross the library; it goes on where the call ends.
    let went = catch_unwind(AssertUnwindSafe(|| (call.visit)(given)));
    if !matches!(went, Ok(ControlFlow::Continue(()))) {
        call.panic = went.err();
        // SAFETY: the client is alive as long as the call; this tells it to come back, and to leave
        // what it has not handed over at the head of its queue.
        unsafe { c::rd_kafka_yield(call.client) };
    }
}

/// A record in the library's own memory.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a>(&'a c::rd_kafka_message_t);

impl<'a> Lent<'a> {
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

    /// The topic's name.
    #[must_use]
    pub fn topic(self) -> &'a str {
        // SAFETY: a consumed message has a topic; its name ends with a zero byte and lives at least
        // as long as the message.
        let name = unsafe { CStr::from_ptr(c::rd_kafka_topic_name(self.0.rkt)) };
        // Kafka allows nothing beyond ASCII in it.
        name.to_str().unwrap_or_default()
    }

    /// The partition.
    #[must_use]
    pub const fn partition(self) -> i32 {
        self.0.partition
    }

    /// The offset.
    #[must_use]
    pub const fn offset(self) -> i64 {
        self.0.offset
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
