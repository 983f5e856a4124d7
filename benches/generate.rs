//! Is the load generator fast enough to load the stage? `ouzel generate` against `ouzel pipe` as
//! shipped on the same events, and against `ouzel run` from a topic.
//!
//! Events a second and events a CPU-second: to nowhere, which is what making them costs; through the
//! pipe of a shell, where the system copies them twice; and to a topic of a server that takes records
//! and throws them away (`support/canned.rs`), where the client library's compression and framing
//! come on top. With one thread and with as many as there are cores.
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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{} events, {} runs, in turn, medians; load {}", corpus.events, plan.runs, load());
    let server = Canned::start();
    server.create("okta", Keeping::Counted);
    let generate = |threads: usize| {
        let mut command = ouzel(&["generate", "-q", "--count"]);
        command.arg(corpus.events.to_string()).args(["--threads", &threads.to_string()]);
        command
    };
    let to_topic = |threads| {
        let mut command = generate(threads);
        command.args(["--brokers", &server.address(), "--topic", "okta"]);
        command
    };
    let through_pipe = |threads| {
        let mut command = Command::new("sh");
        let generate = generate(threads);
        command.args(["-c", "\"$@\" | cat > /dev/null", "sh"]).arg(generate.get_program());
        command.args(generate.get_args());
        command
    };
    let judge = || {
        let mut command = ouzel(&["pipe", "-q", "-r", RULE]);
        command.arg(&corpus.path);
        command
    };
    let mut sides: Vec<(String, Vec<Cost>)> = vec![("pipe, from a file".to_owned(), Vec::new())];
    for threads in [1, cores] {
        for target in ["nowhere", "a pipe", "a topic"] {
            sides.push((format!("to {target}, {threads} threads"), Vec::new()));
        }
    }
    for _ in 0..plan.runs {
        let commands = [1, cores]
            .into_iter()
            .flat_map(|threads| [generate(threads), through_pipe(threads), to_topic(threads)]);
        for (command, (_, costs)) in [judge()].into_iter().chain(commands).zip(&mut sides) {
            let mut command = command;
            command.stdout(Stdio::null()).stderr(Stdio::null());
            costs.push(cost_of(command));
        }
    }
    print(&sides, corpus.events);
}

fn ouzel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

/// Rates, and how often as many events as the stage judges.
fn print(sides: &[(String, Vec<Cost>)], events: u64) {
    let Some((_, judged)) = sides.first() else { return };
    for (what, costs) in sides {
        let cpu = median(costs.iter().map(|cost| cost.cpu_seconds));
        print_row(what, events as f64 / cpu, costs);
        let times = |figure: fn(&Cost) -> f64| {
            median(judged.iter().zip(costs).map(|(judged, own)| figure(judged) / figure(own)))
        };
        println!(
            "      of what pipe judges: {:.2} a second, {:.2} a CPU-second",
            times(|cost| cost.wall_seconds),
            times(|cost| cost.cpu_seconds)
        );
    }
}
