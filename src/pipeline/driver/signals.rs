//! Signals → words for the supervisor, on a thread of their own.

use std::io;
use std::sync::mpsc::Sender;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Word;

/// Listens from now on until the process ends.
pub(super) fn listen(tell: Sender<Word>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (terminate, interrupt, hang_up) = {
        let _context = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        )
    };
    std::thread::Builder::new()
        .name("ouzel-signals".to_owned())
        .spawn(move || runtime.block_on(hear(terminate, interrupt, hang_up, &tell)))
        .map(drop)
}

async fn hear(
    mut terminate: Signal,
    mut interrupt: Signal,
    mut hang_up: Signal,
    tell: &Sender<Word>,
) {
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hang_up.recv() => {
                if tell.send(Word::Reload).is_err() {
                    return;
                }
                continue;
            }
        };
        if tell.send(Word::Signal(name)).is_err() {
            return;
        }
    }
}
