//! Logs: constant sentence plus fields, text or JSON, one line each on standard error.
//!
//! ERROR: data lost or an operator must act. WARN: degraded, nothing lost. INFO: life cycle.
//! DEBUG: for people who look, never per record. Values are escaped and cut ([`super::escape`]),
//! repeating lines are limited ([`super::limiter`]). A log that cannot be written never stops the
//! stage.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::Now;
use super::escape::{self, Notation};
use super::limiter::{Decision, Limiter};
use crate::config::settings::{LogFormat, LogSettings};

/// Whether levels are coloured: on a terminal, in text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// Plain text.
    #[default]
    Off,
    /// ANSI colours.
    On,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Somebody else was first.
    #[error("set up logs: they are set up already in this process")]
    AlreadySetUp,
}

/// Sends the logs of this process to standard error, from now to its end.
///
/// # Errors
/// When it was called before.
pub fn init(settings: &LogSettings, colors: Colors, now: Now) -> Result<LevelHandle, LoggingError> {
    let level = LevelHandle::new(&settings.level);
    let lines = Lines::new(settings, level.clone(), (colors, now), io::stderr());
    tracing::subscriber::set_global_default(Registry::default().with(lines))
        .map_err(|_| LoggingError::AlreadySetUp)?;
    Ok(level)
}

/// Changes the level of the logs while they are written.
#[derive(Clone, Debug)]
pub struct LevelHandle(Arc<AtomicU8>);

/// The levels by their number.
const LEVELS: [(&str, LevelFilter); 4] = [
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];

/// What a word counts as that is no level: the configuration has been validated before.
const LEVEL_ELSE: u8 = 2;

impl LevelHandle {
    fn new(word: &str) -> Self {
        Self(Arc::new(AtomicU8::new(number(word))))
    }

    /// From now on `word` (`error`, `warn`, `info` or `debug`) is the level.
    pub fn set(&self, word: &str) {
        self.0.store(number(word), Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    fn filter(&self) -> LevelFilter {
        let number = usize::from(self.0.load(Ordering::Relaxed));
        LEVELS.get(number).map_or(LevelFilter::INFO, |(_, filter)| *filter)
    }
}

fn number(word: &str) -> u8 {
    let at = LEVELS.iter().position(|(known, _)| *known == word);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(LEVEL_ELSE)
}

/// Logs to any writer.
pub fn subscriber(
    settings: &LogSettings,
    colors: Colors,
    now: Now,
    writer: impl Write + Send + 'static,
) -> impl Subscriber + Send + Sync {
    let level = LevelHandle::new(&settings.level);
    Registry::default().with(Lines::new(settings, level, (colors, now), writer))
}

/// Turns events into lines.
struct Lines {
    level: LevelHandle,
    format: LogFormat,
    colors: Colors,
    now: Now,
    limiter: Mutex<Limiter<Identifier>>,
    writer: Mutex<Box<dyn Write + Send>>,
}

impl Lines {
    fn new(
        settings: &LogSettings,
        level: LevelHandle,
        (colors, now): (Colors, Now),
        writer: impl Write + Send + 'static,
    ) -> Self {
        Self {
            level,
            format: settings.format,
            colors,
            now,
            limiter: Mutex::default(),
            writer: Mutex::new(Box::new(writer)),
        }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if *metadata.level() <= self.level.filter() {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level.filter()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let now = (self.now)();
        let site = event.metadata().callsite();
        let decision = self.limiter.lock().unwrap_or_else(PoisonError::into_inner).decide(
            site,
            said.hash(),
            now.monotonic,
        );
        let Decision::Write { suppressed } = decision else { return };
        if suppressed > 0 {
            said.fields.push(("suppressed", Value::Plain(suppressed.to_string())));
        }
        let time = super::rfc3339(now.wall_ms);
        let line = match self.format {
            LogFormat::Text => text(&time, event.metadata(), &said, self.colors),
            LogFormat::Json => json(&time, event.metadata(), &said),
        };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nowhere left to report a broken log to.
        drop(writer.write_all(line.as_bytes()).and_then(|()| writer.flush()));
    }
}

/// What an event says: its sentence, and its fields in order.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

/// A field's value.
#[derive(Hash)]
enum Value {
    /// A number or a truth value: as it is, in JSON without quotes.
    Plain(String),
    /// Anything else: escaped.
    Text(String),
}

impl Said {
    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.message.hash(&mut hasher);
        self.fields.hash(&mut hasher);
        hasher.finish()
    }

    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.fields.push((field.name(), Value::Plain(value.to_string())));
    }

    fn text(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name(), Value::Text(value)));
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what is not finite.
        if value.is_finite() {
            self.plain(field, value);
        } else {
            self.text(field, value.to_string());
        }
    }
}

/// `2026-01-02T03:04:05.678Z  INFO sentence key=value key="value with spaces"`
fn text(time: &str, metadata: &Metadata<'_>, said: &Said, colors: Colors) -> String {
    let mut line = format!("{time} {} ", painted(metadata.level(), colors));
    escape::append(&mut line, &said.message, Notation::Rust);
    for (name, value) in &said.fields {
        // Writing into a String cannot fail, here and below.
        let _ = write!(line, " {name}=");
        match value {
            Value::Plain(value) => line.push_str(value),
            Value::Text(value) if is_word(value) => {
                escape::append(&mut line, value, Notation::Rust)
            }
            Value::Text(value) => quoted(&mut line, value, Notation::Rust),
        }
    }
    line.push('\n');
    line
}

/// Whether a value can stand without quotes and still be told apart from what follows.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=')
}

fn painted(level: &Level, colors: Colors) -> String {
    let color = match *level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "2",
    };
    match colors {
        Colors::On => format!("\u{1b}[{color}m{level:>5}\u{1b}[0m"),
        Colors::Off => format!("{level:>5}"),
    }
}

/// One JSON object a line: timestamp, level, target, message, fields.
fn json(time: &str, metadata: &Metadata<'_>, said: &Said) -> String {
    let mut line = String::from("{\"timestamp\":");
    quoted(&mut line, time, Notation::Json);
    let _ = write!(line, ",\"level\":\"{}\",\"target\":", metadata.level());
    quoted(&mut line, metadata.target(), Notation::Json);
    line.push_str(",\"message\":");
    quoted(&mut line, &said.message, Notation::Json);
    line.push_str(",\"fields\":{");
    for (index, (name, value)) in said.fields.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        quoted(&mut line, name, Notation::Json);
        line.push(':');
        match value {
            Value::Plain(value) => line.push_str(value),
            Value::Text(value) => quoted(&mut line, value, Notation::Json),
        }
    }
    line.push_str("}}\n");
    line
}

fn quoted(line: &mut String, value: &str, notation: Notation) {
    line.push('"');
    escape::append(line, value, notation);
    line.push('"');
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
