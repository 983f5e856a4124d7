//! Is the load generator fast enough to load the stage? `ouzel generate` against `ouzel pipe` as
//! shipped on the same events.
//!
//! Events a second and events a CPU-second: to nowhere, which is what making them costs, with one
//! thread and with one for each core; through the pipe of a shell, where the system copies them
//! twice; and to a topic of a server that takes records and throws them away (`support/canned.rs`),
//! where the client library's compression and framing come on top. To nowhere and to a pipe ten
//! times as many events are made as are judged: a start is not what is measured.
//!
//! `cargo bench --bench generate [-- --megabytes N --runs N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::process::{Command, Stdio};

use ouzel::generate::Options;
use support::canned::{Canned, Keeping};
use support::{Cost, Plan, corpus, cost_of, load, median, print_row};

const RULE: &str = "config/rules/okta/attempt_to_reset_mfa_factors.toml";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plan = Plan::from(&arguments);
    let corpus = corpus(&Options::default(), plan.megabytes);
    println!("{} events, {} runs, in turn, medians; load {}", corpus.events, plan.runs, load());
    let server = Canned::start();
    server.create("okta", Keeping::Counted);
    let judge = || {
        let mut command = ouzel(&["pipe", "-q", "-r", RULE]);
        command.arg(&corpus.path);
        command
    };
    let many = corpus.events * 10;
    let pipe = ["sh", "-c", "\"$@\" | cat > /dev/null", "sh"];
    let to_topic = || {
        let mut command = wrapped(&[], corpus.events);
        command.args(["--brokers", &server.address(), "--topic", "okta"]);
        command
    };
    let mut sides = [
        Side::new("pipe, from a file", corpus.events, judge),
        Side::new("to nowhere, 1 thread", many, || wrapped(&["taskset", "-c", "0"], many)),
        Side::new("to nowhere", many, || wrapped(&[], many)),
        Side::new("to a pipe", many, || wrapped(&pipe, many)),
        Side::new("to a topic", corpus.events, to_topic),
    ];
    for _ in 0..plan.runs {
        for side in &mut sides {
            let mut command = (side.command)();
            command.stdout(Stdio::null()).stderr(Stdio::null());
            side.costs.push(cost_of(command));
        }
    }
    print(&sides);
}

/// One of what is compared.
struct Side<'c> {
    what: &'static str,
    events: u64,
    command: Box<dyn Fn() -> Command + 'c>,
    costs: Vec<Cost>,
}

impl<'c> Side<'c> {
    fn new(what: &'static str, events: u64, command: impl Fn() -> Command + 'c) -> Self {
        Self { what, events, command: Box::new(command), costs: Vec::new() }
    }
}

fn ouzel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

/// The generator as the last words of another command, which may have none.
fn wrapped(words: &[&str], events: u64) -> Command {
    let generate = [env!("CARGO_BIN_EXE_ouzel"), "generate", "-q", "--count"];
    let all = [words, &generate].concat();
    let (program, arguments) = all.split_first().expect("there are words");
    let mut command = Command::new(program);
    command.args(arguments).arg(events.to_string());
    command
}

/// Rates, and how often as many events as the stage judges.
fn print(sides: &[Side<'_>]) {
    let Some(judged) = sides.first() else { return };
    for side in sides {
        let cpu = median(side.costs.iter().map(|cost| cost.cpu_seconds));
        print_row(side.what, side.events as f64 / cpu, &side.costs);
        let more = side.events as f64 / judged.events as f64;
        let times = |figure: fn(&Cost) -> f64| {
            let pairs = judged.costs.iter().zip(&side.costs);
            median(pairs.map(|(judged, own)| more * figure(judged) / figure(own)))
        };
        println!(
            "      of what pipe judges: {:.2} a second, {:.2} a CPU-second",
            times(|cost| cost.wall_seconds),
            times(|cost| cost.cpu_seconds)
        );
    }
}
