//! Where do the nanoseconds go, and what do rules, hits, size, workers and partitions do to
//! throughput? Measures the detector and the stage in this process, and `ouzel run` on topics of a
//! server in this process that replays (`support/canned.rs`), and draws what it found under
//! docs/performance. Each drawing says on which commit, machine and load.
//!
//! `cargo bench --bench plots [-- --megabytes N --runs N --events N] [--only stages|rules|hits|size|workers|partitions]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "support/growth.rs"]
mod growth;
#[expect(dead_code, reason = "each bench uses its part")]
mod support;
#[path = "support/svg.rs"]
mod svg;
#[path = "support/threads.rs"]
mod threads;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use growth::{Group, Rule, Topic};
use memchr::memmem;
use ouzel::clock::SystemClock;
use ouzel::config::Settings;
use ouzel::detect::Scratch;
use ouzel::detect::kernel::{Kernel, Look};
use ouzel::event::{TopicProfile, decode};
use ouzel::generate::Options;
use ouzel::pipeline::setup::{self, JudgeOptions};
use ouzel::pipeline::{Judge, Step, Tally, Worker, WorkerOptions};
use ouzel::record::{NoHeaders, Position, Record, Timestamp};
use ouzel::rule::{self, Found, RuleText};
use ouzel::sink::lines::{Flush, LinesOutput, LinesSink};
use ouzel::source::lines::{LinesInput, LinesSource, Terminator};
use sha2::{Digest, Sha256};
use support::canned::Canned;
use support::{Corpus, Plan, corpus, median, number, option, thread_seconds};
use svg::{Bar, Bars, Lines};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LITERAL: &str = "user.mfa.factor.reset_all";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if threads::drop_records(&arguments) {
        return;
    }
    let plan = Plan::from(&arguments);
    let server = growth::server();
    let events = number(&arguments, "--events", 600_000);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance");
    fs::create_dir_all(&folder).expect("docs/ can be written");
    let about = about();
    println!("{about}");
    let draw = |name: &str, svg: String| {
        fs::write(folder.join(name), svg).expect("docs/ can be written");
        println!("  docs/performance/{name}");
    };
    let caption = || format!("{about}, load {}", support::load());
    let only = option(&arguments, "--only");
    let is_asked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if is_asked("stages") {
        let (clean, alert) = stages(&plan);
        draw("clean.svg", clean_bars(clean, &server, (events, plan.runs)).svg(&caption()));
        draw("alert.svg", alert.svg(&caption()));
    }
    if is_asked("rules") {
        draw("rules.svg", by_rules(&plan).svg(&caption()));
    }
    if is_asked("hits") {
        draw("hits.svg", by_hits(&plan).svg(&caption()));
    }
    if is_asked("size") {
        draw("size.svg", by_size(&plan).svg(&caption()));
    }
    if is_asked("workers") {
        draw("workers.svg", by_workers(&server, events, plan.runs).svg(&caption()));
    }
    if is_asked("partitions") {
        draw("partitions.svg", by_partitions(&server, events, plan.runs).svg(&caption()));
    }
}

/// Commit and machine.
fn about() -> String {
    let output = Command::new("git")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["describe", "--always", "--dirty", "--exclude", "*"])
        .output();
    let commit = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("Commit {}, {} cores of {model}", commit.unwrap_or_default(), growth::cores())
}

/// The events of a file, found before anything is measured.
fn events(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|event| !event.is_empty()).collect()
}

fn judge(queries: &[String]) -> Judge {
    let text = |(number, query): (usize, &String)| RuleText {
        origin: format!("{number}.toml"),
        found: Found::Named,
        text: format!(
            "[rule]\nrule_id = \"r-{number}\"\nname = \"n\"\ntype = \"query\"\nlanguage = \"kuery\"\n\
             description = \"d\"\nseverity = \"low\"\nrisk_score = 21\nquery = '{query}'\n"
        ),
    };
    let texts: Vec<RuleText> = queries.iter().enumerate().map(text).collect();
    let rules = rule::load(&texts, &BTreeMap::new()).expect("the rules are right");
    setup::judge(&Settings::default(), Arc::new(rules), JudgeOptions::default())
}

fn one_rule() -> Judge {
    judge(&[format!("event.action:{LITERAL}")])
}

/// How far a record is taken.
#[derive(Clone, Copy)]
enum Until {
    Decoded,
    Inspected,
    Encoded,
}

/// Nanoseconds an event, the least of some runs, of taking each event of the corpus `until` there.
fn taken(judge: &Judge, corpus: &Corpus, plan: &Plan, until: Until) -> f64 {
    let bytes = fs::read(&corpus.path).expect("the corpus was just made");
    let events = events(&bytes);
    let (profile, mut scratch) = (TopicProfile::default(), Scratch::default());
    let (mut tally, mut prepared) = (Tally::default(), Vec::new());
    let mut decoding = Scratch::default();
    least(plan, corpus, || {
        for (offset, event) in events.iter().enumerate() {
            let record = Record {
                payload: Some(*event),
                key: None,
                headers: &NoHeaders,
                position: Position { topic: "okta", partition: 0, offset: offset as i64 },
                timestamp: None,
                received: Timestamp::from_millis(1_767_225_600_000),
            };
            if matches!(until, Until::Decoded) {
                black_box(decode(&record, &profile, &mut decoding).events.len());
                continue;
            }
            let verdict = judge.detector().inspect(&record, &profile, &mut scratch);
            if matches!(until, Until::Encoded) {
                judge.prepare(&record, &verdict, &mut tally, &mut prepared);
                black_box(&prepared);
                prepared.clear();
            }
            black_box(verdict.hits.len());
        }
    })
}

/// Nanoseconds an event, the least of some runs.
fn least(plan: &Plan, corpus: &Corpus, mut run: impl FnMut()) -> f64 {
    let one = |_| {
        let before = thread_seconds();
        run();
        (thread_seconds() - before) * 1e9 / corpus.events as f64
    };
    (0..plan.runs).map(one).fold(f64::INFINITY, f64::min)
}

/// What a clean record in `pipe`, and an alert, are made of.
fn stages(plan: &Plan) -> (Bar<'static>, Bars<'static>) {
    let clean = corpus(&Options { hits_permille: 0, ..Options::default() }, plan.megabytes);
    let hits = corpus(&Options { hits_permille: 1000, ..Options::default() }, plan.megabytes);
    let bytes = fs::read(&clean.path).expect("the corpus was just made");
    let each = events(&bytes);
    let hides =
        |byte: u8| LITERAL.bytes().chain(*b"\\u0123456789abcdefABCDEF").any(|own| own == byte);
    let kernel = Kernel::new(&[LITERAL.as_bytes()], hides).expect("the literal is ASCII");
    let scan = |look| {
        least(plan, &clean, || {
            each.iter().for_each(|event| {
                black_box(kernel.scan(event, look));
            });
        })
    };
    let (filter, envelope) = (scan(Look::Filter), scan(Look::FilterAndEnvelope));
    let judge = one_rule();
    let inspected = taken(&judge, &clean, plan, Until::Inspected);
    let whole = staged(&clean, plan);
    let part = |value: f64| value.max(0.0);
    let clean = vec![
        ("reading the file, ends of lines, the worker", part(whole - inspected)),
        ("the pass: does a literal stand in it", part(filter)),
        ("the pass: is its envelope whole", part(envelope - filter)),
        ("the rest of inspecting: what is not ASCII", part(inspected - envelope)),
    ];
    let sha = {
        let payload = vec![b'x'; 2800];
        least(plan, &hits, || {
            (0..hits.events).for_each(|_| {
                black_box(Sha256::digest(black_box(&payload)));
            });
        })
    };
    let decoded = taken(&judge, &hits, plan, Until::Decoded);
    let candidate = taken(&judge, &hits, plan, Until::Inspected);
    let encoded = taken(&judge, &hits, plan, Until::Encoded);
    let alert = staged(&hits, plan);
    let micro = |value: f64| part(value) / 1e3;
    let alert = vec![
        ("decoding, mapping to ECS", micro(decoded)),
        ("the pass, evaluating", micro(candidate - decoded)),
        ("decision, the alert's bytes", micro(encoded - candidate - sha)),
        ("SHA-256 of the payload", micro(sha)),
        ("file, worker, what is kept, sink", micro(alert - encoded)),
    ];
    let alert = Bars {
        title: "What an alert costs: CPU time by step",
        unit: "us",
        bars: vec![("an event that hits, from lines to lines", alert)],
    };
    (("a clean record in pipe, from lines", clean), alert)
}

/// The same record from a file and from a topic.
fn clean_bars(piped: Bar<'static>, server: &Canned, (events, runs): (u64, usize)) -> Bars<'static> {
    let path = threads::path(server, events, runs);
    let run = vec![
        ("the client library's threads: fetching, unpacking lz4", path.library),
        ("taking a record from the client library", path.taking),
        ("the pass, the worker's book-keeping", path.judging),
        ("everything else, the start among it", path.rest),
    ];
    Bars {
        title: "A clean record: CPU time by step, from a file and from a topic",
        unit: "ns",
        bars: vec![piped, ("a clean record in run, from a topic (lz4)", run)],
    }
}

/// Nanoseconds an event of the whole stage, the least of some runs.
fn staged(corpus: &Corpus, plan: &Plan) -> f64 {
    let judge = Arc::new(one_rule());
    least(plan, corpus, || stage(&corpus.path, Arc::clone(&judge)))
}

fn stage(file: &Path, judge: Arc<Judge>) {
    let input = LinesInput::file(file);
    let source =
        LinesSource::new(vec![input], Terminator::Newline, Arc::new(SystemClock::default()));
    let alerts = LinesOutput::new("nowhere", Box::new(io::sink()));
    let options = WorkerOptions {
        bounds: setup::bounds(&Settings::default().delivery),
        records_max: 4096,
        idle_wait: Duration::ZERO,
        busy_wait: Duration::ZERO,
    };
    let sink = LinesSink::new(alerts, None, Flush::WhenFull);
    let mut worker = Worker::new(source, sink, judge, options);
    while let Step::Went(_) = worker.step(Duration::from_millis(1)) {
        worker.tally().clear();
    }
}

fn by_rules(plan: &Plan) -> Lines<'static> {
    let clean = corpus(&Options { hits_permille: 0, ..Options::default() }, plan.megabytes);
    let counts = [1_usize, 10, 100, 1000];
    let by_key = |number| format!("event.action:user.mfa.none.such_{number}");
    let decoded = |number| {
        format!(
            "not event.outcome:success and source.as.number > {number} and event.type:none_{number}"
        )
    };
    let rates = |query: &dyn Fn(usize) -> String| {
        counts
            .map(|count| {
                let judge = judge(&(0..count).map(query).collect::<Vec<_>>());
                1e6 / taken(&judge, &clean, plan, Until::Inspected)
            })
            .to_vec()
    };
    Lines {
        title: "A thousand rules cost what ten cost: the detector, clean raw events, one core",
        across: "rules in the set",
        up: "thousand events/s",
        places: counts.map(|count| count.to_string()).to_vec(),
        lines: vec![
            ("values of event.action, looked up by key", rates(&by_key)),
            ("without a literal: every event decoded", rates(&decoded)),
        ],
    }
}

fn by_hits(plan: &Plan) -> Lines<'static> {
    let permilles = [0_u32, 1, 10, 100, 1000];
    let corpora = permilles.map(|hits_permille| {
        corpus(&Options { hits_permille, ..Options::default() }, plan.megabytes)
    });
    // In turn: what else the machine does meets all of them.
    let mut nanoseconds = permilles.map(|_| f64::INFINITY);
    for _ in 0..plan.runs {
        for (least, corpus) in nanoseconds.iter_mut().zip(&corpora) {
            *least = least.min(staged(corpus, &Plan { runs: 1, ..*plan }));
        }
    }
    Lines {
        title: "Hits are what costs: the stage from lines to lines, raw events, one core",
        across: "share of events that hit",
        up: "thousand events/s",
        places: permilles.map(|permille| format!("{} %", f64::from(permille) / 10.0)).to_vec(),
        lines: vec![("one rule with a literal", nanoseconds.map(|each| 1e6 / each).to_vec())],
    }
}

/// Events of other sizes: some of raw ones side by side in a text of one more member.
fn by_size(plan: &Plan) -> Lines<'static> {
    let clean = corpus(&Options { hits_permille: 0, ..Options::default() }, plan.megabytes);
    let bytes = fs::read(&clean.path).expect("the corpus was just made");
    let judge = one_rule();
    let factors = [1_usize, 4, 16, 64];
    let at = memmem::find(&bytes, b"\"eventType\"").map_or(0, |_| 1);
    assert_eq!(at, 1, "the corpus is Okta's");
    let rates = factors.map(|factor| {
        let made = padded(&bytes, factor);
        let nanoseconds = taken(&judge, &made, plan, Until::Inspected);
        let average = made_bytes(&made) / made.events as f64;
        average / nanoseconds
    });
    Lines {
        title: "A byte costs the same in small and in large events: the detector, clean, one core",
        across: "size of an event",
        up: "GB/s",
        places: ["2.8 KB", "11 KB", "45 KB", "179 KB"].map(str::to_owned).to_vec(),
        lines: vec![("filter and envelope, as shipped", rates.to_vec())],
    }
}

fn made_bytes(corpus: &Corpus) -> f64 {
    fs::metadata(&corpus.path).expect("it was just made").len() as f64
}

/// The events with `factor - 1` copies of their own members under names of their own.
fn padded(bytes: &[u8], factor: usize) -> Corpus {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/bench/padded-{factor}.ndjson"));
    let mut out = Vec::with_capacity(bytes.len());
    let mut count = 0;
    for event in events(bytes) {
        if out.len() + event.len() * factor > bytes.len() {
            break;
        }
        out.extend_from_slice(event.strip_suffix(b"}").expect("an event is an object"));
        for copy in 1..factor {
            out.extend_from_slice(format!(",\"copy{copy}\":").as_bytes());
            out.extend_from_slice(event);
        }
        out.extend_from_slice(b"}\n");
        count += 1;
    }
    fs::write(&path, out).expect("target/ can be written");
    Corpus { path, events: count }
}

/// Thousands of events a second that a group reads, the median of some runs.
fn rate(server: &Canned, topic: &Topic, workers: usize, runs: usize) -> f64 {
    let group = Group { instances: 1, workers };
    let readings: Vec<_> = (0..runs).map(|run| topic.read(server, group, run)).collect();
    topic.events as f64 / growth::medians(&readings).seconds / 1e3
}

fn by_workers(server: &Canned, events: u64, runs: usize) -> Lines<'static> {
    let counts = [1_usize, 2, 4];
    let rates = |rule, events| {
        let topic = growth::topic(server, rule, 4, events);
        counts.map(|workers| rate(server, &topic, workers, runs)).to_vec()
    };
    let literal = rates(Rule::Literal, events);
    let decoded = rates(Rule::Decoded, events / 4);
    Lines {
        title: "More workers help until the cores are busy: run, four partitions",
        across: "workers",
        up: "thousand events/s",
        places: counts.map(|count| count.to_string()).to_vec(),
        lines: vec![
            ("a rule with a literal: a worker keeps two threads busy", literal),
            ("a rule without one, every event decoded: a worker is one busy thread", decoded),
        ],
    }
}

/// One worker and two over the same topics, in turn: what else the machine does meets all of them.
fn by_partitions(server: &Canned, events: u64, runs: usize) -> Lines<'static> {
    let counts = [1_i32, 2, 4, 16, 64, 256];
    let topics = counts.map(|count| growth::topic(server, Rule::Literal, count, events));
    let mut seconds = [1_usize, 2].map(|workers| (workers, counts.map(|_| Vec::new())));
    for run in 0..runs {
        for (workers, each) in &mut seconds {
            for (topic, seconds) in topics.iter().zip(each) {
                let group = Group { instances: 1, workers: *workers };
                seconds.push(topic.read(server, group, run).seconds);
            }
        }
    }
    let rate = |(topic, seconds): (&Topic, Vec<f64>)| {
        topic.events as f64 / median(seconds.into_iter()) / 1e3
    };
    let [one, two] = seconds.map(|(_, each)| topics.iter().zip(each).map(rate).collect());
    Lines {
        title: "Throughput over partitions: run, a rule with a literal",
        across: "partitions of the topic",
        up: "thousand events/s",
        places: counts.map(|count| count.to_string()).to_vec(),
        lines: vec![
            ("one worker", one),
            ("two workers; the stage starts one where there is one partition", two),
        ],
    }
}
