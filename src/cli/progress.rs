//! Progress of long work, on a terminal only.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use super::terminal::draw;

/// How often the line is drawn again.
const INTERVAL: Duration = Duration::from_millis(200);

/// A line on standard error that says how far the work is; silent where nobody watches.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: u64,
    started: Instant,
    drawn: Option<Instant>,
    watched: bool,
}

impl Progress {
    /// Progress towards `total` of `what` (a plural, such as `events`).
    #[must_use]
    pub fn new(what: &'static str, total: u64) -> Self {
        let watched = io::stderr().is_terminal();
        Self { what, total, started: Instant::now(), drawn: None, watched }
    }

    /// Says that `done` are done.
    pub fn at(&mut self, done: u64) {
        if !self.watched || self.drawn.is_some_and(|drawn| drawn.elapsed() < INTERVAL) {
            return;
        }
        self.drawn = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        let share = 100.0 * done as f64 / self.total.max(1) as f64;
        draw(&format!(
            "\r{done} of {} {} ({share:.0} %), {:.0} a second\u{1b}[K",
            self.total,
            self.what,
            done as f64 / seconds
        ));
    }

    /// Takes the line away, to be drawn again at the next occasion.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            draw("\r\u{1b}[K");
        }
    }

    /// Takes the line away again and returns the time that the work took.
    pub fn finish(self) -> Duration {
        if self.drawn.is_some() {
            draw("\r\u{1b}[K");
        }
        self.started.elapsed()
    }
}
