//! The command line: arguments → one command → an exit code.
//!
//! Each command has a file of its own and returns how it ended; nothing but `main` ends the
//! process. What people and programs read goes to standard output, everything else to standard
//! error.

pub mod args;
pub mod cases;
pub mod check;
pub mod exceptions;
pub mod exit;
pub mod explain;
pub mod configuration;
#[cfg(feature = "kafka")]
pub mod coverage;
#[cfg(feature = "kafka")]
pub mod demo;
pub mod files;
pub mod generate;
pub mod pipe;
pub mod progress;
#[cfg(feature = "kafka")]
mod reload;
pub mod rules;
#[cfg(feature = "kafka")]
pub mod run;
pub mod terminal;
pub mod test;
pub mod version;

use std::ffi::OsString;

use clap::Parser;

use args::{Arguments, Command};
use exit::{Exit, Failure};
use terminal::Paint;

use crate::clock::SystemClock;

/// Runs the program with these arguments (the first one is its name) and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version are answers; anything else is a usage error.
            let exit = if answer.use_stderr() { Exit::Configuration } else { Exit::Fine };
            drop(answer.print());
            return exit;
        }
    };
    match run(&arguments) {
        Ok(exit) => exit,
        Err(failure) => {
            terminal::print_error(&format!("{failure}\n"), Paint::never());
            failure.exit()
        }
    }
}

fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let clock = SystemClock::default();
    match &arguments.command {
        #[cfg(feature = "kafka")]
        Command::Run => run::run(&arguments.shared),
        #[cfg(not(feature = "kafka"))]
        Command::Run => Err(exit::without_kafka("run")),
        Command::Generate(generate) => generate::run(generate, &clock),
        Command::Pipe(pipe) => pipe::run(pipe, &arguments.shared),
        Command::Test(test) => test::run(test, &arguments.shared),
        Command::Check(check) => check::run(check, &arguments.shared, &clock),
        #[cfg(feature = "kafka")]
        Command::Coverage(coverage) => coverage::run(coverage, &arguments.shared, &clock),
        #[cfg(not(feature = "kafka"))]
        Command::Coverage(_) => Err(exit::without_kafka("coverage")),
        Command::Explain(explain) => explain::run(explain, &arguments.shared, &clock),
        #[cfg(feature = "kafka")]
        Command::Demo(demo) => demo::run(demo, &arguments.shared),
        #[cfg(not(feature = "kafka"))]
        Command::Demo(_) => Err(exit::without_kafka("demo")),
    }
}
