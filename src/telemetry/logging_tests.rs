//! Tests of `logging.rs`: the lines that come out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::telemetry::Moment;

/// A writer that keeps what was written, and a clock that the test moves.
#[derive(Clone, Default)]
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    seconds: Arc<AtomicU64>,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().expect("no test panics while it writes").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn now(&self) -> Now {
        let seconds = Arc::clone(&self.seconds);
        Arc::new(move || {
            let seconds = seconds.load(Ordering::Relaxed);
            let wall_ms = 1_700_000_000_000 + seconds as i64 * 1_000;
            Moment { wall_ms, monotonic: Duration::from_secs(seconds) }
        })
    }
    fn text(&self) -> String {
        let bytes = self.bytes.lock().expect("no test panics while it writes");
        String::from_utf8(bytes.clone()).expect("lines are UTF-8")
    }
}

/// What `log` writes at this level, in this format.
fn written(level: &str, format: LogFormat, colors: Colors, log: impl FnOnce(&Kept)) -> String {
    let kept = Kept::default();
    let settings = LogSettings { level: level.to_owned(), format };
    let subscriber = subscriber(&settings, colors, kept.now(), kept.clone());
    tracing::subscriber::with_default(subscriber, || log(&kept));
    kept.text()
}

fn check_text(log: impl FnOnce(&Kept), expected: &str) {
    assert_eq!(written("info", LogFormat::Text, Colors::Off, log), expected);
}

#[test]
fn a_line_is_a_sentence_and_its_fields() {
    check_text(
        |_| tracing::info!(topic = "okta", count = 3, ok = true, "partitions assigned"),
        "2023-11-14T22:13:20.000Z  INFO partitions assigned topic=okta count=3 ok=true\n",
    );
    check_text(
        |_| tracing::error!(cause = %"no route to host", empty = "", "brokers unreachable"),
        "2023-11-14T22:13:20.000Z ERROR brokers unreachable cause=\"no route to host\" empty=\"\"\n",
    );
}

#[test]
fn untrusted_values_stay_on_their_line_and_in_their_field() {
    check_text(
        |_| tracing::warn!(key = "x\n2023 ERROR forged", "record is a dead letter"),
        "2023-11-14T22:13:20.000Z  WARN record is a dead letter key=\"x\\n2023 ERROR forged\"\n",
    );
    check_text(
        |_| tracing::warn!(user = %"\u{1b}[2J\u{202e}", "record is a dead letter"),
        "2023-11-14T22:13:20.000Z  WARN record is a dead letter user=\\u{1b}[2J\\u{202e}\n",
    );
    check_text(
        |_| tracing::warn!(user = "a\" level=\"b", "record is a dead letter"),
        "2023-11-14T22:13:20.000Z  WARN record is a dead letter user=\"a\\\" level=\\\"b\"\n",
    );
}

#[test]
fn json_lines_are_json() {
    let line = written("info", LogFormat::Json, Colors::On, |_| {
        tracing::info!(name = "\u{1b}\"é\u{2028}", count = -3, share = f64::NAN, "a sentence");
    });
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    assert!(!line.contains('\u{2028}') && !line.contains('\u{1b}'), "{line}");
    let value: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    let expected = serde_json::json!({
        "timestamp": "2023-11-14T22:13:20.000Z",
        "level": "INFO",
        "target": module_path!(),
        "message": "a sentence",
        "fields": {"name": "\u{1b}\"é\u{2028}", "count": -3, "share": "NaN"},
    });
    assert_eq!(value, expected);
}

#[test]
fn the_level_decides_what_is_written() {
    let count = |level: &str| {
        let text = written(level, LogFormat::Text, Colors::Off, |_| {
            tracing::error!("one");
            tracing::warn!("two");
            tracing::info!("three");
            tracing::debug!("four");
            tracing::trace!("five");
        });
        text.lines().count()
    };
    assert_eq!(["error", "warn", "info", "debug"].map(count), [1, 2, 3, 4]);
}

#[test]
fn only_the_level_is_coloured_and_only_when_asked() {
    let line = written("info", LogFormat::Text, Colors::On, |_| tracing::info!("ready"));
    assert_eq!(line, "2023-11-14T22:13:20.000Z \u{1b}[32m INFO\u{1b}[0m ready\n");
}

#[test]
fn repeating_lines_are_held_back_and_counted() {
    let text = written("info", LogFormat::Text, Colors::Off, |kept| {
        for second in 0..181 {
            kept.seconds.store(second, Ordering::Relaxed);
            tracing::warn!("no broker can be reached");
        }
    });
    let expected = "\
2023-11-14T22:13:20.000Z  WARN no broker can be reached
2023-11-14T22:14:20.000Z  WARN no broker can be reached suppressed=59
2023-11-14T22:15:20.000Z  WARN no broker can be reached suppressed=59
2023-11-14T22:16:20.000Z  WARN no broker can be reached suppressed=59
";
    assert_eq!(text, expected);
}

#[test]
fn a_writer_that_fails_stops_nothing() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("no"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let settings = LogSettings { level: "info".to_owned(), format: LogFormat::Text };
    let subscriber = subscriber(&settings, Colors::Off, Kept::default().now(), Broken);
    tracing::subscriber::with_default(subscriber, || tracing::info!("still here"));
}
