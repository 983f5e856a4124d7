//! The table of bad input, record by record through `pipe`: what must come of each comes, within a
//! bound of time, and all of them leave the process within a bound of memory.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ouzel::generate::{Generator, Options};
use serde_json::Value;

use crate::support::malformed::{ALERT, CLEAN, table};
use crate::support::source;

/// One record may take so long; what it takes is the build without optimisation, on a machine that
/// does other things as well. Optimised, the slowest takes a fraction of a second.
const RECORD_WITHIN: Duration = Duration::from_secs(40);

/// The most that the process may have had resident: the largest payload as it came, as text, as
/// events and as an alert, several times over. 335 MiB were measured.
const MEMORY_MIB_MAX: u64 = 512;

const RULE: &str = "config/rules/okta/attempt_to_reset_mfa_factors.toml";
const SEED: u64 = 7;

/// A `pipe` that lives as long as its input is open.
struct Pipe {
    process: Child,
    input: ChildStdin,
    alerts: Receiver<String>,
    dead_letters: JoinHandle<String>,
}

impl Pipe {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ouzel"))
            .args(["pipe", "-q", "-z", "-r", RULE])
            .current_dir(source::root())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = process.stdin.take().expect("standard input is a pipe");
        let stdout = process.stdout.take().expect("standard output is a pipe");
        let mut stderr = process.stderr.take().expect("standard error is a pipe");
        let (line, alerts) = channel();
        // Nobody may wait for the other: `pipe` writes while it is still being written to.
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|text| drop(line.send(text)));
        });
        let dead_letters = std::thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        Self { process, input, alerts, dead_letters }
    }

    fn record(&mut self, payload: &[u8]) {
        self.input.write_all(payload).expect("pipe reads");
        self.input.write_all(b"\0").expect("pipe reads");
    }

    /// The alerts up to the one of the event `uuid`, that one left out; `None` where it does not
    /// come in time.
    fn alerts_before(&self, uuid: &str) -> Option<Vec<String>> {
        let mut alerts = Vec::new();
        loop {
            let alert = self.alerts.recv_timeout(RECORD_WITHIN).ok()?;
            if alert.contains(uuid) {
                return Some(alerts);
            }
            alerts.push(alert);
        }
    }

    /// The most that it has had resident so far, in MiB.
    fn memory_mib(&self) -> u64 {
        let file = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(Path::new(&file)).expect("it still runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.expect("the kernel tells the most that was resident") >> 10
    }

    /// Ends its input; the reason of each dead letter, by offset.
    fn end(mut self) -> BTreeMap<u64, String> {
        drop(self.input);
        assert!(self.process.wait().expect("it ends").success());
        let text = self.dead_letters.join().expect("the reader ends");
        let letter = |line: &str| -> Option<(u64, String)> {
            let letter: Value = serde_json::from_str(line).ok()?;
            let offset = letter.pointer("/position/offset")?.as_u64()?;
            Some((offset, letter.get("reason")?.as_str()?.to_owned()))
        };
        text.lines()
            .map(|line| letter(line).unwrap_or_else(|| panic!("no letter: {line}")))
            .collect()
    }
}

#[test]
fn hostile_records_cost_bounded_time_and_memory_and_none_is_lost() {
    let mut pipe = Pipe::start();
    // Behind each record comes a reset, whose alert says that the record is done with.
    let options = Options { seed: SEED + 1, hits_permille: 1000, ..Options::default() };
    let mut marks = Generator::new(options.clone());
    let (mut expected, mut slowest) = (BTreeMap::new(), (Duration::ZERO, ""));
    let records = table(SEED);
    // A NUL ends a record here, and there is no tombstone: those are the other suite's.
    let records = records.iter().filter_map(|record| {
        let payload = record.payload.as_ref().filter(|payload| !payload.contains(&0))?;
        Some((record, payload))
    });
    let mut offset = 0;
    for (record, payload) in records {
        let mut mark = Vec::new();
        let made = marks.next_into(&mut mark);
        let started = Instant::now();
        pipe.record(payload);
        pipe.record(&mark);
        let alerts = pipe.alerts_before(&options.uuid(made.number));
        let alerts = alerts.unwrap_or_else(|| panic!("{}: not done in time", record.name));
        slowest = slowest.max((started.elapsed(), record.name));
        assert!(started.elapsed() < RECORD_WITHIN, "{}: {:?}", record.name, started.elapsed());
        let own = usize::from(record.expected == ALERT);
        assert_eq!(alerts.len(), own, "{}: {} alerts", record.name, alerts.len());
        assert!(alerts.iter().all(|alert| alert.contains(&record.uuid)), "{}", record.name);
        if record.expected != ALERT && record.expected != CLEAN {
            expected.insert(offset, record.expected.to_owned());
        }
        offset += 2;
    }
    let memory_mib = pipe.memory_mib();
    assert_eq!(pipe.end(), expected);
    println!("{} kinds, slowest {:?} ({}), {memory_mib} MiB", offset / 2, slowest.0, slowest.1);
    assert!(memory_mib <= MEMORY_MIB_MAX, "{memory_mib} MiB resident");
}
