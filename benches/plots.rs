//! Where do the nanoseconds go, and what do rules, hits, size and workers do to throughput? Measures
//! the detector and the stage in this process and draws what it found under docs/performance.
//!
//! `cargo bench --bench plots [-- --megabytes N --runs N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;
#[path = "support/svg.rs"]
mod svg;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
use support::{Corpus, Plan, corpus, thread_seconds};
use svg::{Bars, Lines};

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LITERAL: &str = "user.mfa.factor.reset_all";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plan = Plan::from(&arguments);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance");
    fs::create_dir_all(&folder).expect("docs/ can be written");
    let draw = |name: &str, svg: String| {
        fs::write(folder.join(name), svg).expect("docs/ can be written");
        println!("  docs/performance/{name}");
    };
    draw("stages.svg", stages(&plan).svg());
    draw("rules.svg", by_rules(&plan).svg());
    draw("hits.svg", by_hits(&plan).svg());
    draw("size.svg", by_size(&plan).svg());
    draw("workers.svg", by_workers(&plan).svg());
}

fn events(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|event| !event.is_empty())
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
    let (profile, mut scratch) = (TopicProfile::default(), Scratch::default());
    let (mut tally, mut prepared) = (Tally::default(), Vec::new());
    let mut decoding = Scratch::default();
    least(plan, corpus, || {
        for (offset, event) in events(&bytes).enumerate() {
            let record = Record {
                payload: Some(event),
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

/// What a clean record and an alert are made of.
fn stages(plan: &Plan) -> Bars<'static> {
    let clean = corpus(&Options { hits_permille: 0, ..Options::default() }, plan.megabytes);
    let hits = corpus(&Options { hits_permille: 1000, ..Options::default() }, plan.megabytes);
    let bytes = fs::read(&clean.path).expect("the corpus was just made");
    let split = least(plan, &clean, || {
        black_box(events(&bytes).count());
    });
    let hides =
        |byte: u8| LITERAL.bytes().chain(*b"\\u0123456789abcdefABCDEF").any(|own| own == byte);
    let kernel = Kernel::new(&[LITERAL.as_bytes()], hides).expect("the literal is ASCII");
    let scan = |look| {
        least(plan, &clean, || {
            events(&bytes).for_each(|event| {
                black_box(kernel.scan(event, look));
            });
        })
    };
    let (filter, envelope) = (scan(Look::Filter), scan(Look::FilterAndEnvelope));
    let judge = one_rule();
    let inspected = taken(&judge, &clean, plan, Until::Inspected);
    let whole = staged(&clean, plan, 1);
    let sha = {
        let payload = vec![b'x'; 2800];
        least(plan, &clean, || {
            (0..clean.events).for_each(|_| {
                black_box(Sha256::digest(black_box(&payload)));
            });
        })
    };
    let decoded = taken(&judge, &hits, plan, Until::Decoded) - split;
    let candidate = taken(&judge, &hits, plan, Until::Inspected) - split;
    let encoded = taken(&judge, &hits, plan, Until::Encoded) - split;
    let alert = staged(&hits, plan, 1);
    let part = |value: f64| value.max(0.0);
    Bars {
        title: "What is paid where (CPU time, pipe without its output)",
        unit: "ns",
        bars: vec![
            (
                "a clean record",
                vec![
                    ("the pass, filter", part(filter - split)),
                    ("the pass, envelope", part(envelope - filter)),
                    ("the rest of inspecting", part(inspected - envelope)),
                    (
                        "reading the file, ends of lines, the worker",
                        part(whole - inspected + split),
                    ),
                ],
            ),
            (
                "an alert",
                vec![
                    ("decoding, mapping to ECS", part(decoded)),
                    ("the pass, evaluating", part(candidate - decoded)),
                    ("decision, alert's bytes", part(encoded - candidate - sha)),
                    ("SHA-256 of the payload", sha),
                    ("file, worker, what is kept, sink", part(alert - encoded)),
                ],
            ),
        ],
    }
}

/// Nanoseconds an event of the whole stage, the least of some runs, in `workers` threads: of wall
/// time where there are several.
fn staged(corpus: &Corpus, plan: &Plan, workers: usize) -> f64 {
    let one = |_| {
        let judge = Arc::new(one_rule());
        if workers == 1 {
            let before = thread_seconds();
            stage(&corpus.path, Arc::clone(&judge));
            return (thread_seconds() - before) * 1e9 / corpus.events as f64;
        }
        let before = std::time::Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| stage(&corpus.path, Arc::clone(&judge)));
            }
        });
        before.elapsed().as_secs_f64() * 1e9 / (corpus.events as f64 * workers as f64)
    };
    (0..plan.runs).map(one).fold(f64::INFINITY, f64::min)
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
        title: "Throughput of the detector against rules (clean raw events, one core)",
        across: "rules",
        up: "k events/s",
        places: counts.map(|count| count.to_string()).to_vec(),
        lines: vec![
            ("values, by key", rates(&by_key)),
            ("without a literal: every event decoded", rates(&decoded)),
        ],
    }
}

fn by_hits(plan: &Plan) -> Lines<'static> {
    let permilles = [0_u32, 1, 10, 100, 1000];
    let rate = |hits_permille| {
        let corpus = corpus(&Options { hits_permille, ..Options::default() }, plan.megabytes);
        1e6 / staged(&corpus, plan, 1)
    };
    Lines {
        title: "Throughput of the stage against hits (raw events, one core)",
        across: "hits",
        up: "k events/s",
        places: permilles.map(|permille| format!("{} %", f64::from(permille) / 10.0)).to_vec(),
        lines: vec![("from lines to lines", permilles.map(rate).to_vec())],
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
        title: "Bytes judged a second against the size of events (clean, one core)",
        across: "bytes of an event",
        up: "GB/s",
        places: factors.map(|factor| format!("{} KB", 28 * factor / 10)).to_vec(),
        lines: vec![("as shipped", rates.to_vec())],
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

fn by_workers(plan: &Plan) -> Lines<'static> {
    let corpus = corpus(&Options::default(), plan.megabytes);
    let counts = [1_usize, 2, 4];
    let rates = counts.map(|count| 1e6 / staged(&corpus, plan, count));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("  {cores} cores");
    Lines {
        title: "Throughput against workers, each with a file of its own (0.1 % hits)",
        across: "workers",
        up: "k events/s",
        places: counts.map(|count| count.to_string()).to_vec(),
        lines: vec![("from lines to lines", rates.to_vec())],
    }
}
