//! Is the load generator fast enough to load the stage? `ouzel generate` against `ouzel pipe` as
//! shipped on the same events.
//!
//! Events a second and events a CPU-second: to nowhere, which is what making them costs; through the
//! pipe of a shell, where the system copies them twice; and to a topic of a server that takes records
//! and throws them away (`support/canned.rs`), where the client library's compression and framing
//! come on top. To standard output, as many threads as there are cores make events.
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
    let generate = || {
        let mut command = ouzel(&["generate", "-q", "--count"]);
        command.arg(corpus.events.to_string());
        command
    };
    let through_pipe = || {
        let mut command = Command::new("sh");
        let generate = generate();
        command.args(["-c", "\"$@\" | cat > /dev/null", "sh"]).arg(generate.get_program());
        command.args(generate.get_args());
        command
    };
    let to_topic = || {
        let mut command = generate();
        command.args(["--brokers", &server.address(), "--topic", "okta"]);
        command
    };
    let judge = || {
        let mut command = ouzel(&["pipe", "-q", "-r", RULE]);
        command.arg(&corpus.path);
        command
    };
    let mut sides = ["pipe, from a file", "to nowhere", "to a pipe", "to a topic"]
        .map(|what| (what, Vec::new()));
    for _ in 0..plan.runs {
        let commands = [judge(), generate(), through_pipe(), to_topic()];
        for (mut command, (_, costs)) in commands.into_iter().zip(&mut sides) {
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
fn print(sides: &[(&str, Vec<Cost>)], events: u64) {
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
