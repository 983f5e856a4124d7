//! A fault proxy: TCP connections to one address, with faults put between on command.
//!
//! ```text
//! client ──▶ reader ──▶ pieces, each with the moment it is due ──▶ writer ──▶ broker
//! client ◀── writer ◀── the same in the other direction       ◀── reader ◀── broker
//! ```
//!
//! A delay moves each piece by the same time, so a slow line is not a thin one as well: pieces are
//! on their way side by side. The fault in force is looked at for each piece and, where nothing
//! passes, every few milliseconds, so it takes effect at once on open connections as well.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is done to the bytes that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Open connections are closed, new ones as soon as they come.
    Cut,
    /// Everything arrives so much later, in each direction.
    Delay(Duration),
    /// At most so many bytes a second, in each direction.
    Throttle(u64),
    /// Connections stay open and can be made; nothing passes.
    HalfOpen,
}

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    fault: Mutex<Fault>,
    /// Raised by each cut, so that connections of before are closed even if the cut is over.
    cuts: AtomicU64,
    passed: AtomicU64,
    closing: AtomicBool,
}

/// How often what waits looks at the fault again.
const LOOK: Duration = Duration::from_millis(10);
const PIECE: usize = 16 << 10;
/// A slow line takes no more than this: 32 MiB of pieces on their way.
const PIECES_ON_THEIR_WAY: usize = 2048;

/// A piece and when it was read.
type Piece = (Instant, Vec<u8>);

impl Proxy {
    /// Takes connections at `listener` and passes them on to `upstream` (`host:port`).
    pub fn start(listener: TcpListener, upstream: String) -> Result<Self, String> {
        let port = listener.local_addr().map_err(|fault| fault.to_string())?.port();
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::default(),
            cuts: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { port, shared })
    }

    /// Where clients connect.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Puts a fault in force until the answer is dropped.
    #[must_use]
    pub fn put(&self, fault: Fault) -> InForce<'_> {
        self.set(fault);
        InForce(self)
    }

    fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        if fault == Fault::Cut {
            self.shared.cuts.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Bytes passed so far, both directions.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.set(Fault::Cut);
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// A fault that ends when this is dropped, also where a test fails.
pub struct InForce<'p>(&'p Proxy);

impl InForce<'_> {
    /// Another fault instead.
    pub fn change(&self, fault: Fault) {
        self.0.set(fault);
    }
}

impl Drop for InForce<'_> {
    fn drop(&mut self) {
        self.0.set(Fault::None);
    }
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        if shared.fault() == Fault::Cut {
            continue;
        }
        let Ok(server) = TcpStream::connect(&shared.upstream) else { continue };
        let cuts = shared.cuts.load(Ordering::SeqCst);
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
            let line = Line { shared: Arc::clone(shared), cuts };
            line.start(from, to);
        }
    }
}

/// One direction of one connection.
struct Line {
    shared: Arc<Shared>,
    /// Cuts before it was made.
    cuts: u64,
}

impl Line {
    fn start(self, from: TcpStream, to: TcpStream) {
        drop((from.set_nodelay(true), from.set_read_timeout(Some(LOOK))));
        let (pieces_in, pieces_out) = sync_channel(PIECES_ON_THEIR_WAY);
        let line = Arc::new(self);
        let reading = Arc::clone(&line);
        thread::spawn(move || reading.read(&from, &pieces_in));
        thread::spawn(move || {
            line.write(&to, &pieces_out);
            drop(to.shutdown(Shutdown::Both));
        });
    }

    fn is_cut(&self) -> bool {
        self.shared.cuts.load(Ordering::SeqCst) != self.cuts
    }

    /// Reads until an end, a cut or an error; the writer ends with it.
    fn read(&self, mut from: &TcpStream, pieces: &SyncSender<Piece>) {
        let mut buffer = vec![0; PIECE];
        while !self.is_cut() {
            let fault = self.shared.fault();
            if fault == Fault::HalfOpen {
                thread::sleep(LOOK);
                continue;
            }
            // A thin line is also a short one: small pieces keep its pace even.
            let most = if matches!(fault, Fault::Throttle(_)) { 1 << 10 } else { PIECE };
            let read = match from.read(&mut buffer[..most]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(fault) if is_wait(fault.kind()) => continue,
                Err(_) => break,
            };
            let mut piece = (Instant::now(), buffer[..read].to_vec());
            while let Err(TrySendError::Full(back)) = pieces.try_send(piece) {
                if self.is_cut() {
                    break;
                }
                piece = back;
                thread::sleep(LOOK);
            }
        }
        if self.is_cut() {
            drop(from.shutdown(Shutdown::Both));
        }
    }

    fn write(&self, mut to: &TcpStream, pieces: &Receiver<Piece>) {
        loop {
            let (read_at, piece) = match pieces.recv_timeout(LOOK) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Timeout) if !self.is_cut() => continue,
                Err(_) => return,
            };
            while let Some(left) = self.held(read_at)
                && !self.is_cut()
            {
                thread::sleep(left.min(LOOK));
            }
            if let Fault::Throttle(rate) = self.shared.fault() {
                thread::sleep(Duration::from_secs_f64(piece.len() as f64 / rate.max(1) as f64));
            }
            if self.is_cut() || to.write_all(&piece).is_err() {
                return;
            }
            self.shared.passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    }

    /// How long a piece that was read then must not arrive yet, as far as is known now.
    fn held(&self, read_at: Instant) -> Option<Duration> {
        match self.shared.fault() {
            Fault::HalfOpen => Some(LOOK),
            Fault::Delay(time) => time.checked_sub(read_at.elapsed()).filter(|it| !it.is_zero()),
            Fault::None | Fault::Cut | Fault::Throttle(_) => None,
        }
    }
}

fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
