//! What the benches share: corpora, CPU time of children, medians, a broker that replays.

pub mod canned;
#[cfg(feature = "kafka")]
pub mod fill;
mod wire;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use ouzel::generate::{Generator, Options};

/// How much is measured.
pub struct Plan {
    pub megabytes: u64,
    pub runs: usize,
}

impl Plan {
    pub fn from(arguments: &[String]) -> Self {
        let runs = usize::try_from(number(arguments, "--runs", 7)).unwrap_or(7);
        Self { megabytes: number(arguments, "--megabytes", 200), runs }
    }
}

/// The value behind the option `name`.
pub fn option(arguments: &[String], name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

/// The number behind the option `name`.
pub fn number(arguments: &[String], name: &str, default: u64) -> u64 {
    option(arguments, name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A file of generated events, one a line.
pub struct Corpus {
    pub path: PathBuf,
    pub events: u64,
}

/// Makes the corpus, or takes the one that an earlier run made.
pub fn corpus(options: &Options, megabytes: u64) -> Corpus {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder).expect("target/ can be written");
    let Options { hits_permille, seed, .. } = options;
    let noise = if options.noise_hits { "-noise" } else { "" };
    let name = format!("{}-{hits_permille}-{seed}-{megabytes}{noise}", options.shape.name());
    let path = folder.join(format!("{name}.ndjson"));
    let count = folder.join(format!("{name}.count"));
    if let Some(events) = fs::read_to_string(&count).ok().and_then(|text| text.parse().ok()) {
        settle(&path);
        return Corpus { path, events };
    }
    let mut out = BufWriter::new(File::create(&path).expect("target/ can be written"));
    let mut generator = Generator::new(options.clone());
    let mut event = Vec::new();
    let (mut bytes, mut events) = (0, 0);
    while bytes < megabytes * 1_000_000 {
        event.clear();
        generator.next_into(&mut event);
        event.push(b'\n');
        out.write_all(&event).expect("target/ can be written");
        bytes += event.len() as u64;
        events += 1;
    }
    out.flush().expect("target/ can be written");
    fs::write(count, events.to_string()).expect("target/ can be written");
    settle(&path);
    Corpus { path, events }
}

/// Has the file in memory as reading it from the disk leaves it, in large pieces. One that was just
/// written lies there in pages, out of which the kernel copies more slowly, and an event of `pipe`
/// took 0.84 us instead of 0.45: figures would depend on when the corpus was made.
fn settle(path: &Path) {
    let mut file = File::open(path).expect("it was just made");
    file.sync_all().expect("target/ can be written");
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("it is a file");
    io::copy(&mut file, &mut io::sink()).expect("it can be read");
}

/// What a child process cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub cpu_seconds: f64,
    pub wall_seconds: f64,
    /// The largest resident set, in MB, as far as it was seen.
    pub resident_megabytes: f64,
}

/// Runs a child to its end and says what it cost; a failure ends the bench.
pub fn cost_of(command: Command) -> Cost {
    cost_of_child(command, |_| {})
}

/// As [`cost_of`]; `meanwhile` runs beside the child and may tell it to end.
pub fn cost_of_child(mut command: Command, meanwhile: impl FnOnce(&Child)) -> Cost {
    let before = children_seconds();
    let started = Instant::now();
    let mut child = command.spawn().expect("the child can be started");
    meanwhile(&child);
    let mut resident_megabytes = 0.0;
    let status = loop {
        resident_megabytes = resident(&child).unwrap_or(resident_megabytes);
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert!(status.success(), "{command:?} ended with {status}");
    Cost {
        cpu_seconds: children_seconds() - before,
        wall_seconds: started.elapsed().as_secs_f64(),
        resident_megabytes,
    }
}

/// The largest resident set of a child that runs. (What is said of all children together would
/// count those that were started for other reasons.)
fn resident(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok().map(|kilobytes: f64| kilobytes / 1024.0)
}

/// CPU time of all children that have ended.
pub fn children_seconds() -> f64 {
    seconds(UsageWho::RUSAGE_CHILDREN)
}

/// CPU time of this thread, in nanoseconds; `getrusage` only moves by the ticks of the system, which
/// are milliseconds apart.
pub fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock");
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

/// CPU time of all threads of this process.
pub fn process_seconds() -> f64 {
    seconds(UsageWho::RUSAGE_SELF)
}

fn seconds(whose: UsageWho) -> f64 {
    let usage = getrusage(whose).expect("this call has no failure");
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .sum()
}

/// How busy the machine is: the averages of 1, 5 and 15 minutes.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One line of a table: rate, CPU time, wall time, memory.
pub fn print_row(what: &str, events_per_second: f64, costs: &[Cost]) {
    let resident = costs.iter().map(|cost| cost.resident_megabytes).fold(0.0, f64::max);
    println!(
        "  {what:<18} {:>10.0} k events per CPU-second   CPU {:.3} s   wall {:.3} s   at most {resident:.0} MB resident",
        events_per_second / 1e3,
        median(costs.iter().map(|cost| cost.cpu_seconds)),
        median(costs.iter().map(|cost| cost.wall_seconds)),
    );
}
