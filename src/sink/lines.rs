//! Outputs as lines: alerts to one writer, dead letters to another, hidden hits to a third.
//!
//! A line counts as delivered when the writer has taken it. Nothing is ever in flight between two
//! polls. The first fault of a writer is kept and every later line is refused, so that nobody takes
//! a broken pipe for silence.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use super::{Delivery, DeliveryFault, Output, SendError, Sink, Target, Token};

/// When lines leave the buffer, besides when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// With each poll: somebody is waiting for them.
    EachPoll,
    /// When it is full, and at the end.
    WhenFull,
}

impl Flush {
    /// The more eager of the two.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::WhenFull, Self::WhenFull) => Self::WhenFull,
            _ => Self::EachPoll,
        }
    }
}

/// A writer with a name for messages.
pub struct LinesOutput {
    name: String,
    writer: BufWriter<Box<dyn Write>>,
}

impl LinesOutput {
    /// Lines to `writer`, which messages call `name`.
    #[must_use]
    pub fn new(name: &str, writer: Box<dyn Write>) -> Self {
        Self { name: name.to_owned(), writer: BufWriter::with_capacity(BUFFER_BYTES, writer) }
    }

    fn line(&mut self, value: &[u8]) -> io::Result<()> {
        self.writer.write_all(value)?;
        self.writer.write_all(b"\n")
    }
}

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// What went wrong with a writer.
#[derive(Debug, thiserror::Error)]
#[error("write {name}: {cause}")]
pub struct LinesFault {
    name: String,
    cause: io::Error,
}

impl LinesFault {
    /// Whether the reader has gone away, which is its good right.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.cause.kind() == io::ErrorKind::BrokenPipe
    }
}

/// The sink.
pub struct LinesSink {
    alerts: LinesOutput,
    /// `None`: left out.
    dead_letters: Option<LinesOutput>,
    /// `None`: left out. A hidden hit never stands among the alerts.
    audit: Option<LinesOutput>,
    flush: Flush,
    taken: Vec<Token>,
    fault: Option<LinesFault>,
}

impl LinesSink {
    /// A sink of lines; without `dead_letters` they are left out.
    #[must_use]
    pub fn new(alerts: LinesOutput, dead_letters: Option<LinesOutput>, flush: Flush) -> Self {
        Self { alerts, dead_letters, audit: None, flush, taken: Vec::new(), fault: None }
    }

    /// With a writer for the hits that an exception hides.
    #[must_use]
    pub fn with_audit(self, audit: Option<LinesOutput>) -> Self {
        Self { audit, ..self }
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// The first fault of a writer, now or earlier.
    pub fn finish(mut self) -> Result<(), LinesFault> {
        self.flush();
        self.fault.map_or(Ok(()), Err)
    }

    fn flush(&mut self) {
        let outputs = [Some(&mut self.alerts), self.dead_letters.as_mut(), self.audit.as_mut()];
        for output in outputs.into_iter().flatten() {
            if let Err(cause) = output.writer.flush()
                && self.fault.is_none()
            {
                self.fault = Some(LinesFault { name: output.name.clone(), cause });
            }
        }
    }
}

impl Sink for LinesSink {
    type Enlisted = ();

    fn send(&mut self, output: &Output<'_>, token: Token) -> Result<(), SendError> {
        if let Some(fault) = &self.fault {
            return Err(SendError::Refused(DeliveryFault::fatal(fault.to_string())));
        }
        let to = match output.target {
            Target::Alerts | Target::Overflow => Some(&mut self.alerts),
            Target::Audit => self.audit.as_mut(),
            Target::DeadLetters => self.dead_letters.as_mut(),
        };
        if let Some(to) = to
            && let Err(cause) = to.line(output.value.unwrap_or_default())
        {
            let fault = LinesFault { name: to.name.clone(), cause };
            let refused = SendError::Refused(DeliveryFault::fatal(fault.to_string()));
            self.fault = Some(fault);
            return Err(refused);
        }
        self.taken.push(token);
        Ok(())
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn poll(&mut self, _wait: Duration, done: &mut impl FnMut(Token, Delivery)) {
        if self.flush == Flush::EachPoll {
            self.flush();
        }
        for token in self.taken.drain(..) {
            done(
                token,
                match &self.fault {
                    None => Delivery::Delivered,
                    Some(fault) => Delivery::Failed(DeliveryFault::fatal(fault.to_string())),
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Shares what is written; full after `room` bytes.
    #[derive(Clone, Default)]
    struct Shared {
        bytes: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut all = self.bytes.lock().expect("nobody panicked");
            if all.len() + bytes.len() > self.room {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            all.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn with_room(room: usize) -> Self {
            Self { room, ..Self::default() }
        }
        fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().expect("nobody panicked").clone()).expect("UTF-8")
        }
        fn output(&self, name: &str) -> LinesOutput {
            LinesOutput::new(name, Box::new(self.clone()))
        }
    }

    fn output(target: Target, value: &str) -> Output<'_> {
        Output { target, key: None, value: Some(value.as_bytes()), headers: &[], timestamp_ms: 0 }
    }

    fn polled(sink: &mut LinesSink) -> Vec<(Token, Delivery)> {
        let mut done = Vec::new();
        sink.poll(Duration::ZERO, &mut |token, delivery| done.push((token, delivery)));
        done
    }

    #[test]
    fn each_target_has_its_writer() {
        let (alerts, letters) = (Shared::with_room(100), Shared::with_room(100));
        let mut sink =
            LinesSink::new(alerts.output("a"), Some(letters.output("d")), Flush::EachPoll);
        sink.send(&output(Target::Alerts, "one"), 1).expect("there is room");
        sink.send(&output(Target::DeadLetters, "bad"), 2).expect("there is room");
        sink.send(&output(Target::Overflow, "two"), 3).expect("there is room");
        assert_eq!(polled(&mut sink).len(), 3);
        assert_eq!((alerts.text(), letters.text()), ("one\ntwo\n".into(), "bad\n".into()));
        assert_eq!(polled(&mut sink), []);
    }

    #[test]
    fn lines_leave_with_each_poll_or_in_batches() {
        for (flush, early) in [(Flush::EachPoll, "one\n"), (Flush::WhenFull, "")] {
            let alerts = Shared::with_room(100);
            let mut sink = LinesSink::new(alerts.output("a"), None, flush);
            sink.send(&output(Target::Alerts, "one"), 1).expect("there is room");
            assert_eq!(polled(&mut sink), [(1, Delivery::Delivered)]);
            assert_eq!(alerts.text(), early);
            sink.finish().expect("there is room");
            assert_eq!(alerts.text(), "one\n");
        }
    }

    #[test]
    fn a_broken_writer_delivers_nothing_and_is_remembered() {
        let mut sink = LinesSink::new(Shared::default().output("a"), None, Flush::EachPoll);
        sink.send(&output(Target::Alerts, "one"), 1).expect("the buffer has room");
        let done = polled(&mut sink);
        assert!(matches!(done.as_slice(), [(1, Delivery::Failed(_))]), "{done:?}");
        assert!(sink.send(&output(Target::Alerts, "two"), 2).is_err());
        let fault = sink.finish().expect_err("it is broken");
        assert!(fault.is_closed());
        assert!(fault.to_string().starts_with("write a: "), "{fault}");
    }
}
