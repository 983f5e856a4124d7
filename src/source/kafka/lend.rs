//! Lending records: from the client library's memory, and from what was kept while a commit was
//! waited for.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{Headers as _, Message};

use crate::kafka::Lent;
use crate::record::{Header, Headers, Position, Record, Timestamp};

/// Stands for a header's name that is not UTF-8, which any producer can send; its value is left out.
const UNREADABLE: Header<'static> = Header { name: "ouzel.unreadable-header-name", value: None };

/// Lends one record from the library's memory.
pub(super) fn lend_fetched(
    message: Lent<'_>,
    received: Timestamp,
    visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    visit(&Record {
        payload: message.payload(),
        key: message.key(),
        headers: &FetchedHeaders(message),
        position: Position {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp: message.timestamp().map(Timestamp::from_millis),
        received,
    })
}

/// Headers are parsed by the client library when they are first asked for, so a record that needs
/// no output pays nothing for them.
struct FetchedHeaders<'a>(Lent<'a>);

impl Headers for FetchedHeaders<'_> {
    fn count(&self) -> usize {
        self.0.headers()
    }

    fn at(&self, index: usize) -> Option<Header<'_>> {
        let (name, value) = self.0.header(index)?;
        Some(str::from_utf8(name).map_or(UNREADABLE, |name| Header { name, value }))
    }
}

/// Lends one record that the wrapper handed out.
pub(super) fn lend<M: Message>(
    message: &M,
    received: Timestamp,
    visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    visit(&Record {
        payload: message.payload(),
        key: message.key(),
        headers: &MessageHeaders(message),
        position: Position {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp: message.timestamp().to_millis().map(Timestamp::from_millis),
        received,
    })
}

/// Parsed when they are first asked for, as above.
struct MessageHeaders<'a, M>(&'a M);

impl<M: Message> Headers for MessageHeaders<'_, M> {
    fn count(&self) -> usize {
        self.0.headers().map_or(0, rdkafka::message::Headers::count)
    }

    fn at(&self, index: usize) -> Option<Header<'_>> {
        let headers = self.0.headers()?;
        // The client library panics on a name that is not UTF-8, which any producer can send. The
        // name cannot be had then, nor the value; the record must not be lost over it.
        let found = catch_unwind(AssertUnwindSafe(|| headers.try_get(index)));
        match found {
            Ok(header) => header.map(|header| Header { name: header.key, value: header.value }),
            Err(_) => Some(UNREADABLE),
        }
    }
}
