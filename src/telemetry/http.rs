//! `/metrics`, `/healthz`, `/readyz` and `/rules`: GET and HEAD, nothing else, changes nothing.
//!
//! The endpoint lives on a thread of its own and can hold nobody up: connections, header bytes,
//! header time and the life of a connection are bounded ([`Bounds`]), one connection carries one
//! request, and when every connection is taken, those go first who have not asked for anything: a
//! scraper sends its request at once, so slow clients cannot crowd scrapers out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::{Health, Metrics, Now};

/// What the endpoint shows.
#[derive(Clone)]
pub struct Endpoint {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The health of the workers.
    pub health: Arc<Health>,
    /// The clock.
    pub now: Now,
}

/// What a client may take of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Open connections; more wait in the listener's queue.
    pub connections_max: usize,
    /// How long a client may take to ask while every connection is taken; then it makes room.
    pub grace: Duration,
    /// How long a full house of clients that have asked waits for one of them to be done before the
    /// oldest connection is closed.
    pub patience: Duration,
    /// How long a client may take to send its request.
    pub header_timeout: Duration,
    /// How long a connection may live: a client may be slow to read its answer as well.
    pub connection_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 64,
            grace: Duration::from_millis(50),
            patience: Duration::from_millis(100),
            header_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(10),
        }
    }
}

/// Most bytes of a request's head: hyper's smallest buffer, ten times what a scraper sends.
pub const HEADER_BYTES_MAX: usize = 8192;

/// A running endpoint; stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens: with the port that was free, where port 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The receiver lives in the thread: where it is gone, the thread is as well.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Listens on `listen` and serves `endpoint` on a thread of its own.
///
/// # Errors
/// Where the address cannot be bound, or the thread cannot be started.
pub fn serve(listen: SocketAddr, endpoint: Endpoint, bounds: Bounds) -> io::Result<Server> {
    let listener = std::net::TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let thread = std::thread::Builder::new()
        .name("ouzel-http".to_owned())
        .spawn(move || runtime.block_on(accept(listener, endpoint, bounds, stopped)))?;
    Ok(Server { address, stop, thread: Some(thread) })
}

async fn accept(
    listener: TcpListener,
    endpoint: Endpoint,
    bounds: Bounds,
    mut stopped: watch::Receiver<bool>,
) {
    let mut open = Connections::new(bounds);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => open.take(stream, endpoint.clone()).await,
            Err(fault) => {
                // No file descriptor left, most likely: they come back, spinning would not help.
                tracing::warn!(cause = %fault, "the telemetry endpoint cannot accept");
                tokio::time::sleep(bounds.patience).await;
            }
        }
    }
}

/// The open connections, oldest first.
struct Connections {
    bounds: Bounds,
    tasks: JoinSet<()>,
    by_age: VecDeque<Open>,
}

/// One of them.
struct Open {
    task: AbortHandle,
    /// On the monotonic clock.
    since: Duration,
    /// Whether its request has come.
    has_asked: Arc<AtomicBool>,
}

impl Open {
    fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }
}

impl Connections {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, tasks: JoinSet::new(), by_age: VecDeque::new() }
    }

    /// Serves one more connection, after making room for it.
    async fn take(&mut self, stream: TcpStream, endpoint: Endpoint) {
        while self.tasks.try_join_next().is_some() {}
        while self.tasks.len() >= self.bounds.connections_max {
            self.make_room(&endpoint.now).await;
        }
        self.by_age.retain(|open| !open.task.is_finished());
        let has_asked = Arc::new(AtomicBool::new(false));
        let since = (endpoint.now)().monotonic;
        let served = serve_connection(stream, endpoint, self.bounds, Arc::clone(&has_asked));
        let task = self.tasks.spawn(served);
        self.by_age.push_back(Open { task, since, has_asked });
    }

    /// Waits for a connection to be done, or closes one: the oldest that has not asked yet, else
    /// the oldest.
    async fn make_room(&mut self, now: &Now) {
        self.by_age.retain(|open| !open.task.is_finished());
        let silent = self.by_age.iter().find(|open| !open.has_asked());
        let wait = silent.map_or(self.bounds.patience, |open| {
            (open.since + self.bounds.grace).saturating_sub(now().monotonic)
        });
        if tokio::time::timeout(wait, self.tasks.join_next()).await.is_ok() {
            return;
        }
        let silent = self.by_age.iter().find(|open| !open.has_asked());
        if let Some(open) = silent.or_else(|| self.by_age.front()) {
            open.task.abort();
        }
        self.tasks.join_next().await;
    }
}

async fn serve_connection(
    stream: TcpStream,
    endpoint: Endpoint,
    bounds: Bounds,
    has_asked: Arc<AtomicBool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let response = answer(&request, &endpoint);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // How a client's connection ends is the client's affair: neither outcome is ours to report.
    drop(tokio::time::timeout(bounds.connection_timeout, connection).await);
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn answer<B>(request: &Request<B>, endpoint: &Endpoint) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(path, "/metrics" | "/healthz" | "/readyz" | "/rules") {
        return respond(StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let text = "only GET and HEAD are allowed\n".to_owned();
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let now = (endpoint.now)().monotonic;
    match path {
        "/metrics" => respond(StatusCode::OK, METRICS, endpoint.metrics.render(&endpoint.health)),
        "/rules" => respond(StatusCode::OK, JSON, endpoint.metrics.rules_json()),
        "/healthz" => verdict("healthy", endpoint.health.healthy(now), endpoint),
        _ => verdict("ready", endpoint.health.ready(now), endpoint),
    }
}

/// 200 with the good word and any hold that is in force, or 503 with the reasons.
fn verdict(
    good: &str,
    verdict: Result<(), Vec<String>>,
    endpoint: &Endpoint,
) -> Response<Full<Bytes>> {
    let (status, lines) = match verdict {
        Ok(()) => {
            let mut lines = vec![good.to_owned()];
            lines.extend(endpoint.health.holds());
            (StatusCode::OK, lines)
        }
        Err(reasons) => (StatusCode::SERVICE_UNAVAILABLE, reasons),
    };
    respond(status, TEXT, lines.join("\n") + "\n")
}

fn respond(status: StatusCode, kind: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
