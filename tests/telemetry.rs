//! The telemetry endpoint as its clients see it: raw TCP, kind and unkind.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ouzel::telemetry::http::{self, Bounds, Endpoint, HEADER_BYTES_MAX, Server};
use ouzel::telemetry::{
    Health, Hold, Holds, Known, Membership, Metrics, Moment, Outputs, RecordCounts, RuleInfo,
    WorkerStatus,
};

const RULE: &str = "5d1c6b3a-0000-4000-8000-000000000001";

/// An endpoint on a free port, with one worker and a clock that the test moves.
struct Served {
    server: Server,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    seconds: Arc<AtomicU64>,
}

impl Served {
    fn start(bounds: Bounds) -> Self {
        let known = Known { version: "1.2.3", topics: vec!["okta"], ..Known::default() };
        let metrics = Arc::new(Metrics::new(&known));
        let rule =
            RuleInfo { id: RULE.to_owned(), name: "A rule".to_owned(), ..RuleInfo::default() };
        metrics.rule_set_loaded("cd", 0, &[rule]);
        let health = Arc::new(Health::new(1, Duration::ZERO));
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let now = Arc::new(move || {
            let monotonic = Duration::from_secs(clock.load(Ordering::Relaxed));
            Moment { wall_ms: 0, monotonic }
        });
        let endpoint = Endpoint { metrics: Arc::clone(&metrics), health: Arc::clone(&health), now };
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = http::serve(loopback, endpoint, bounds).expect("a free port can be bound");
        Self { server, metrics, health, seconds }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).expect("the endpoint listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("sockets have time-outs");
        stream
    }

    fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("the endpoint reads");
        Answer::read(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: ouzel\r\n\r\n"))
    }

    fn at(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }
}

/// What came back until the endpoint closed the connection.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the endpoint answers and closes");
        let text = String::from_utf8(bytes).expect("answers are UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.expect("an answer has a status"),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

fn working() -> WorkerStatus {
    WorkerStatus {
        membership: Membership::Joined,
        outputs: Outputs::Reachable,
        ..WorkerStatus::default()
    }
}

#[test]
fn metrics_are_served_in_the_text_format() {
    let served = Served::start(Bounds::default());
    served.metrics.records("okta", &RecordCounts { clean: 7, ..RecordCounts::default() });
    let answer = served.get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.body.contains("\nouzel_records_total{outcome=\"clean\",topic=\"okta\"} 7\n"));
    assert!(answer.body.starts_with("# HELP ") && answer.body.ends_with('\n'));
}

#[test]
fn rules_are_served_as_json() {
    let served = Served::start(Bounds::default());
    let answer = served.get("/rules");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let rules: serde_json::Value = serde_json::from_str(&answer.body).expect("/rules is JSON");
    assert_eq!(rules[0]["id"], RULE);
    let mut keys: Vec<_> = rules[0].as_object().expect("a rule is an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["id", "last_hit", "loaded_at", "name", "sha256", "state", "version"]);
}

#[test]
fn health_and_readiness_follow_the_workers() {
    let served = Served::start(Bounds::default());
    let check = |path: &str, status: u16, body: &str| {
        let answer = served.get(path);
        assert_eq!((answer.status, &*answer.body), (status, body), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    };
    check("/healthz", 200, "healthy\n");
    let joining =
        "worker 0 has not joined the consumer group\nworker 0 has not reached its outputs yet\n";
    check("/readyz", 503, joining);
    served.health.report(0, Duration::ZERO, &working());
    check("/readyz", 200, "ready\n");
    let holds = Holds::default().with(Hold::BackPressure);
    served.health.report(0, Duration::ZERO, &WorkerStatus { holds, ..working() });
    check("/readyz", 200, "ready\nworker 0 is held: back_pressure\n");
    served.at(31);
    check("/healthz", 503, "worker 0 has not polled for 31 s (at most 30 s)\n");
}

#[test]
fn head_is_get_without_the_body() {
    let served = Served::start(Bounds::default());
    for path in ["/metrics", "/healthz", "/readyz", "/rules"] {
        let get = served.get(path);
        let head = served.ask(&format!("HEAD {path} HTTP/1.1\r\nHost: ouzel\r\n\r\n"));
        assert_eq!((head.status, &*head.body), (get.status, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        let length: usize =
            head.header("content-length").and_then(|text| text.parse().ok()).expect("a length");
        // The process metrics of two scrapes may differ by a digit.
        assert!(length.abs_diff(get.body.len()) < 64, "{path}: {length}, {}", get.body.len());
    }
}

#[test]
fn nothing_else_is_served() {
    let served = Served::start(Bounds::default());
    for path in
        ["/", "/metrics/", "/METRICS", "//metrics", "/rules/1", "/../etc/passwd", "/%6detrics"]
    {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
    assert_eq!(served.get("/metrics?name=x").status, 200);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = served.ask(&format!("{method} /rules HTTP/1.1\r\nHost: ouzel\r\n\r\n"));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("get, head")), "{method}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let served = Served::start(Bounds::default());
    let long = "x".repeat(HEADER_BYTES_MAX + 1);
    let many: String = (0..200).map(|index| format!("X-{index}: y\r\n")).collect();
    for (request, status) in [
        ("hello\r\n\r\n".to_owned(), 400),
        ("GET /metrics HTTP/1.1\r\nHost ouzel\r\n\r\n".to_owned(), 400),
        (format!("GET /metrics HTTP/1.1\r\nCookie: {long}\r\n\r\n"), 431),
        (format!("GET /metrics HTTP/1.1\r\n{many}\r\n"), 431),
    ] {
        let start = request.get(..24).unwrap_or(&request);
        assert_eq!(served.ask(&request).status, status, "{start:?}");
    }
    assert_eq!(served.get("/healthz").status, 200, "the endpoint is still there");
}

/// Waits until the endpoint has closed a connection on which it said nothing.
fn wait_until_closed(stream: &mut TcpStream) {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(read) => assert_eq!(read, 0, "the endpoint said something"),
        Err(fault) => assert_eq!(fault.kind(), ErrorKind::ConnectionReset, "{fault}"),
    }
}

const SOON: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(600);

/// Bounds whose other time-out does not help.
fn timeouts(header_timeout: Duration, connection_timeout: Duration) -> Bounds {
    Bounds { header_timeout, connection_timeout, ..Bounds::default() }
}

#[test]
fn a_connection_does_not_outlive_its_time() {
    let served = Served::start(timeouts(NEVER, SOON));
    let mut silent = served.connect();
    wait_until_closed(&mut silent);
}

#[test]
fn a_client_that_never_finishes_its_request_is_closed() {
    let served = Served::start(timeouts(SOON, NEVER));
    let mut silent = served.connect();
    let mut partial = served.connect();
    partial.write_all(b"GET /metrics HTTP/1.1\r\nHost: ouz").expect("the endpoint reads");
    wait_until_closed(&mut silent);
    wait_until_closed(&mut partial);
}

#[test]
fn a_byte_now_and_then_does_not_keep_a_connection() {
    let served = Served::start(timeouts(SOON, NEVER));
    let mut slow = served.connect();
    slow.set_read_timeout(Some(Duration::from_millis(10))).expect("sockets have time-outs");
    slow.write_all(b"GET /metrics HTTP/1.1\r\nCookie: ").expect("the endpoint reads");
    // One byte each 10 ms could go on for 80 s before the head is too large.
    let closed_after = (0..HEADER_BYTES_MAX).find(|_| {
        let read = slow.read(&mut [0]);
        let waits = matches!(&read, Err(fault) if fault.kind() == ErrorKind::WouldBlock);
        !waits || slow.write_all(b"x").is_err()
    });
    assert!(closed_after.is_some_and(|bytes| bytes < 1000), "{closed_after:?}");
}

#[test]
fn slow_clients_that_take_every_connection_lock_nobody_out() {
    let bounds = Bounds {
        connections_max: 4,
        grace: Duration::from_millis(1),
        patience: Duration::from_millis(1),
        header_timeout: NEVER,
        connection_timeout: NEVER,
    };
    let served = Served::start(bounds);
    let mut slow: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").expect("the endpoint reads");
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(served.get("/healthz").status, 200);
    }
    // The oldest had to go, and only as many as there was need for.
    wait_until_closed(slow.first_mut().expect("there are four"));
    let last = slow.last_mut().expect("there are four");
    last.write_all(b"Host: ouzel\r\n\r\n").expect("the last one is still connected");
    assert_eq!(Answer::read(last).status, 200);
}

#[test]
fn slow_clients_that_come_again_and_again_crowd_no_scraper_out() {
    let bounds = Bounds { connections_max: 8, header_timeout: NEVER, ..Bounds::default() };
    let served = Served::start(bounds);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut slow = VecDeque::new();
            while !over.load(Ordering::Relaxed) {
                let mut stream = served.connect();
                // Where it was closed already, it has not crowded anybody out.
                drop(stream.write_all(b"GET /metrics HTTP/1.1\r\nCookie: "));
                slow.push_back(stream);
                if slow.len() > 50 {
                    slow.pop_front();
                }
            }
        });
        let scrapers: Vec<_> =
            (0..30).map(|_| scope.spawn(|| served.get("/metrics").status)).collect();
        let statuses: Vec<_> = scrapers.into_iter().map(|it| it.join().unwrap_or(0)).collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [200; 30]);
    });
}

#[test]
fn more_clients_than_connections_are_all_served() {
    let bounds = Bounds { connections_max: 8, ..Bounds::default() };
    let served = Served::start(bounds);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..200).map(|_| scope.spawn(|| served.get("/metrics"))).collect();
        for client in clients {
            assert_eq!(client.join().expect("no client panics").status, 200);
        }
    });
}

#[test]
fn one_connection_carries_one_request() {
    let served = Served::start(Bounds::default());
    let request = "GET /healthz HTTP/1.1\r\nHost: ouzel\r\n\r\n";
    let answer = served.ask(&request.repeat(3));
    assert_eq!((answer.status, &*answer.body), (200, "healthy\n"));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let served = Served::start(Bounds::default());
    let endpoint = Endpoint {
        metrics: Arc::clone(&served.metrics),
        health: Arc::clone(&served.health),
        now: Arc::new(Moment::default),
    };
    let taken = http::serve(served.server.address(), endpoint, Bounds::default());
    assert_eq!(taken.expect_err("the address is taken").kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_dropped_endpoint_is_gone_even_while_somebody_is_slow() {
    let served = Served::start(Bounds::default());
    let address = served.server.address();
    let mut slow = served.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").expect("the endpoint reads");
    drop(served);
    wait_until_closed(&mut slow);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
