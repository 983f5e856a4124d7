//! How many events per CPU-second does `pipe`, as shipped, judge in a file, against a program that
//! reads the same file through a buffer of the same size and only counts the lines that hold the
//! rule's literal? The second one cannot be beaten by anything that looks at every byte.
//!
//! `cargo bench --bench pipe [-- --megabytes N --runs N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(
    clippy::indexing_slicing,
    reason = "the yardstick is plain code; every bound stands beside it"
)]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use memchr::memmem;
use ouzel::generate::{Options, Shape};
use support::{Cost, Plan, corpus, cost_of, median, print_row};

const LITERAL: &str = "user.mfa.factor.reset_all";
const RULE: &str = "config/rules/okta/attempt_to_reset_mfa_factors.toml";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(file) = support::option(&arguments, "--count-lines") {
        return count_lines(Path::new(&file), Search::PerLine);
    }
    if let Some(file) = support::option(&arguments, "--count-buffers") {
        return count_lines(Path::new(&file), Search::PerBuffer);
    }
    let plan = Plan::from(&arguments);
    println!(
        "pipe against memmem: {} MB, {} runs, interleaved, medians",
        plan.megabytes, plan.runs
    );
    for (name, shape, permille) in [
        ("raw, 0.1 % hits", Shape::Raw, 1),
        ("agent, 0.1 % hits", Shape::Agent, 1),
        ("raw, no hits", Shape::Raw, 0),
    ] {
        let options = Options { shape, hits_permille: permille, ..Options::default() };
        let corpus = corpus(&options, plan.megabytes);
        compare(name, &corpus.path, corpus.events, plan.runs);
    }
}

fn compare(name: &str, file: &Path, events: u64, runs: usize) {
    let mut pipe = Vec::new();
    let mut lines = Vec::new();
    let mut buffers = Vec::new();
    for _ in 0..runs {
        lines.push(cost_of(myself("--count-lines", file)));
        pipe.push(cost_of(pipe_command(file)));
        buffers.push(cost_of(myself("--count-buffers", file)));
    }
    let rate = |costs: &[Cost]| events as f64 / median(costs.iter().map(|cost| cost.cpu_seconds));
    println!("\n{name}: {events} events");
    for (what, costs) in
        [("memmem per line", &lines), ("memmem per buffer", &buffers), ("ouzel pipe", &pipe)]
    {
        print_row(what, rate(costs), costs);
    }
    let ratio = |other: &[Cost]| {
        median(pipe.iter().zip(other).map(|(pipe, other)| other.cpu_seconds / pipe.cpu_seconds))
    };
    println!(
        "  events per CPU-second, pipe : memmem = {:.2} (per line), {:.2} (per buffer)",
        ratio(&lines),
        ratio(&buffers)
    );
}

fn pipe_command(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["pipe", "-q", "-r", RULE]).arg(file);
    command.stdout(Stdio::null());
    command
}

fn myself(mode: &str, file: &Path) -> Command {
    let program: PathBuf = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.arg(mode).arg(file).stdout(Stdio::null());
    command
}

#[derive(Clone, Copy)]
enum Search {
    /// Finds each line's end first, then looks into the line.
    PerLine,
    /// Looks into the buffer as a whole and finds the end of lines that hold the literal.
    PerBuffer,
}

/// The yardstick: reads, finds, counts.
fn count_lines(file: &Path, search: Search) {
    let finder = memmem::Finder::new(LITERAL);
    let mut source = File::open(file).expect("the corpus was just made");
    let mut buffer = vec![0_u8; ouzel::limits::LINE_BUFFER_BYTES];
    let mut filled = 0;
    let mut count = 0_u64;
    loop {
        let read = source.read(&mut buffer[filled..]).expect("the corpus can be read");
        filled += read;
        let end = match memchr::memrchr(b'\n', &buffer[..filled]) {
            Some(newline) => newline + 1,
            None if read == 0 => break,
            None => continue,
        };
        count += match search {
            Search::PerLine => in_lines(&finder, &buffer[..end]),
            Search::PerBuffer => in_buffer(&finder, &buffer[..end]),
        };
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
    println!("{count}");
}

fn in_lines(finder: &memmem::Finder<'_>, mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(end) = memchr::memchr(b'\n', bytes) {
        count += u64::from(finder.find(&bytes[..end]).is_some());
        bytes = &bytes[end + 1..];
    }
    count
}

fn in_buffer(finder: &memmem::Finder<'_>, mut bytes: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(at) = finder.find(bytes) {
        count += 1;
        let end = memchr::memchr(b'\n', &bytes[at..]).expect("the slice ends with a line end");
        bytes = &bytes[at + end + 1..];
    }
    count
}
