//! Commits whose outcome comes back.
//!
//! An asynchronous commit of the wrapper tells nobody how it ended: librdkafka reports to a callback
//! that the wrapper never registers, or to a queue that it never names, and else only logs. So a
//! commit that a rebalance outran would look like one that was made. Here commits name a queue of
//! their own, which is read without waiting. docs/decisions/0002 has the alternatives.
//!
//! The generation of a group's member, and whether it is one, are asked for here as well, for the
//! same reason: the wrapper does not tell.
//!
//! One of the files of this crate with `unsafe`: calls of librdkafka that the wrapper lacks. It
//! relies on the client's handle outliving this queue: [`CommitQueue`] borrows nothing, so its owner
//! drops it before the consumer.

#![expect(unsafe_code, reason = "calls of librdkafka that the wrapper lacks; see each SAFETY")]

use std::ffi::CStr;
use std::ptr::{self, NonNull};

use rdkafka::TopicPartitionList;
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

use super::TopicPartition;

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOutcome {
    /// What the broker took.
    pub taken: Vec<(TopicPartition, i64)>,
    /// Why it did not take (all of) it, where it did not.
    pub fault: Option<RDKafkaErrorCode>,
}

/// A queue of commit outcomes of one consumer.
#[derive(Debug)]
pub struct CommitQueue {
    queue: NonNull<c::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's queues may be used from any thread; this one is only ever reached through
// its single owner.
unsafe impl Send for CommitQueue {}

impl CommitQueue {
    /// A queue for the commits of `consumer`; it has to be dropped before it. `None` where the
    /// library has no memory for it.
    #[must_use]
    pub fn of<X: ConsumerContext>(consumer: &BaseConsumer<X>) -> Option<Self> {
        // SAFETY: the handle is alive while `consumer` is borrowed; the call has no other demand.
        let queue = unsafe { c::rd_kafka_queue_new(consumer.client().native_ptr()) };
        NonNull::new(queue).map(|queue| Self { queue })
    }

    /// Sends a commit of `offsets`; how it ends comes from [`CommitQueue::take`].
    ///
    /// # Errors
    /// When the client has no group to commit for.
    pub fn commit<X: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<X>,
        offsets: &TopicPartitionList,
    ) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: handle, list and queue are alive for the time of the call; the library copies the
        // list and counts its reference to the queue; without a callback it needs no opaque.
        let answer = unsafe {
            c::rd_kafka_commit_queue(
                consumer.client().native_ptr(),
                offsets.ptr(),
                self.queue.as_ptr(),
                None,
                ptr::null_mut(),
            )
        };
        match answer {
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            other => Err(other.into()),
        }
    }

    /// How commits ended since the last call, in order; does not wait.
    #[must_use]
    pub fn take(&self) -> Vec<CommitOutcome> {
        let mut outcomes = Vec::new();
        loop {
            // SAFETY: the queue is alive; an event, where there is one, is ours until it is
            // destroyed.
            let Some(event) =
                NonNull::new(unsafe { c::rd_kafka_queue_poll(self.queue.as_ptr(), 0) })
            else {
                return outcomes;
            };
            // SAFETY: the event is alive, and nothing read from it is kept past its end.
            unsafe {
                if c::rd_kafka_event_type(event.as_ptr()) == c::RD_KAFKA_EVENT_OFFSET_COMMIT {
                    outcomes.push(outcome(event));
                }
                c::rd_kafka_event_destroy(event.as_ptr());
            }
        }
    }
}

impl Drop for CommitQueue {
    fn drop(&mut self) {
        // SAFETY: it was made by `rd_kafka_queue_new` and is destroyed once. Commits that are still
        // on their way hold references of their own.
        unsafe { c::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// The generation of its group that `consumer` is a member of; `None` where it is none.
///
/// The wrapper hands the membership out as a whole and shows nothing of it. A transaction must not
/// be given one without a generation: the group's coordinator may take its offsets then, although
/// others have the partitions.
#[must_use]
pub fn generation<X: ConsumerContext>(consumer: &BaseConsumer<X>) -> Option<i32> {
    // SAFETY: the handle is alive while `consumer` is borrowed; what comes back is ours.
    let membership = unsafe { c::rd_kafka_consumer_group_metadata(consumer.client().native_ptr()) };
    let membership = NonNull::new(membership)?;
    // SAFETY: it is alive, and destroyed once.
    let generation = unsafe {
        let generation = c::rd_kafka_consumer_group_metadata_generation_id(membership.as_ptr());
        c::rd_kafka_consumer_group_metadata_destroy(membership.as_ptr());
        generation
    };
    (generation >= 0).then_some(generation)
}

/// Whether `consumer` is a member of its group: it has a name there.
#[must_use]
pub fn is_member<X: ConsumerContext>(consumer: &BaseConsumer<X>) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: the handle is alive while `consumer` is borrowed; what comes back is ours, or null.
    let Some(name) = NonNull::new(unsafe { c::rd_kafka_memberid(client) }) else { return false };
    // SAFETY: the name ends with a zero byte, and is given back once.
    unsafe {
        let is_one = !CStr::from_ptr(name.as_ptr()).is_empty();
        c::rd_kafka_mem_free(client, name.as_ptr().cast());
        is_one
    }
}

/// Reads an event of a commit.
///
/// # Safety
/// The event must be alive and of the kind that tells of a commit.
unsafe fn outcome(event: NonNull<c::rd_kafka_event_t>) -> CommitOutcome {
    // SAFETY: as the caller promises. The list belongs to the event; its elements are `cnt` in
    // number, and each has a name that ends with a zero byte.
    let (error, elements) = unsafe {
        let error = c::rd_kafka_event_error(event.as_ptr());
        let list = c::rd_kafka_event_topic_partition_list(event.as_ptr()).as_ref();
        let elements = list.map_or(&[][..], |list| match usize::try_from(list.cnt) {
            Ok(count) if !list.elems.is_null() => std::slice::from_raw_parts(list.elems, count),
            _ => &[],
        });
        (error, elements)
    };
    let no_error = c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    let refused = elements.iter().map(|element| element.err).find(|error| *error != no_error);
    let fault = if error == no_error { refused } else { Some(error) };
    let taken = elements
        .iter()
        .filter(|element| error == no_error && element.err == no_error && element.offset >= 0)
        .map(|element| {
            // SAFETY: the name lives as long as the event, and is copied here.
            let topic = unsafe { CStr::from_ptr(element.topic) };
            let topic = topic.to_string_lossy().into_owned();
            (TopicPartition { topic, partition: element.partition }, element.offset)
        })
        .collect();
    CommitOutcome { taken, fault: fault.map(Into::into) }
}
