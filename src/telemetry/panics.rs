//! Panics as lines of the log: one line each, escaped and limited as every other.
//!
//! A panic is a defect of this program, and what it says may hold what somebody else wrote. One is
//! none: the client library panics on the name of a record's header that is not UTF-8, which any
//! producer can send; whoever reads the header catches it, and the log has nothing to say of it.

use std::panic::PanicHookInfo;

/// From now on panics of this process are logged instead of printed.
pub fn to_log() {
    std::panic::set_hook(Box::new(|info| {
        let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
        if !is_caught(file) {
            log(file, line, said(info));
        }
    }));
}

/// Whether a panic at `file` is caught where it matters, and can be caused from outside.
fn is_caught(file: &str) -> bool {
    let mut parts = file.rsplit('/');
    let ends = [parts.next(), parts.next()] == [Some("message.rs"), Some("src")];
    ends && parts.next().is_some_and(|part| part == "rdkafka" || part.starts_with("rdkafka-"))
}

fn said<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

fn log(file: &str, line: u32, said: &str) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    tracing::error!(file, line, thread, said, "this program met a defect of its own (a panic)");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_client_librarys_headers_are_passed_over() {
        let check = |file: &str, expected: bool| assert_eq!(is_caught(file), expected, "{file}");
        check("/root/.cargo/registry/src/index/rdkafka-0.39.0/src/message.rs", true);
        check("/root/.cargo/registry/src/index/rdkafka-0.39.0/src/client.rs", false);
        check("vendor/rdkafka/src/message.rs", true);
        check("src/message.rs", false);
        check("src/event/decode.rs", false);
        check("", false);
    }
}
