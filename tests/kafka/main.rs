//! The suite against a real Apache Kafka: `cargo test --test kafka`.
//!
//! One broker is started for the whole suite from jars (see `broker`), topics and groups are named
//! per test, and everything that was started is ended by its id, also when a test fails. It needs
//! Java 17 or later and Maven; without them the tests are listed as ignored, and with `CI=true`
//! that is a failure. `KAFKA=0` skips the suite and says so.

#![expect(clippy::print_stdout, reason = "a test runner prints what it saw")]

mod broker;
mod client;
mod dead_letters;
mod history;
mod java;
mod main_job;
mod security;
mod stage;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use broker::Broker;

/// What a test is: it gets the broker and says what went wrong.
type Test = fn(&Broker) -> Result<(), String>;

const TESTS: &[(&str, Test)] = &[
    ("doctored_histories_are_found", history::doctored_histories_are_found),
    ("every_reset_is_alerted_once_with_its_position_and_hash", main_job::every_reset_once),
    ("a_stop_in_the_middle_loses_nothing", main_job::stop_in_the_middle),
    ("two_instances_share_a_group_and_one_leaves", main_job::two_instances),
    ("a_topic_that_appears_later_matches_the_expression", main_job::topic_that_appears_later),
    ("scram_over_tls_with_least_privilege", security::scram_over_tls),
    ("a_wrong_password_ends_with_4_and_is_not_printed", security::wrong_password),
    ("a_missing_topic_ends_with_4_and_names_it", security::missing_topic),
    ("unreadable_records_are_dead_letters_byte_for_byte", dead_letters::byte_for_byte),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if std::env::var("KAFKA").is_ok_and(|value| value == "0") {
        println!("KAFKA=0: the suite against a real Apache Kafka is skipped");
        return ExitCode::SUCCESS;
    }
    let missing = java::what_is_missing();
    if let Some(missing) = &missing {
        println!("{missing}");
        if std::env::var("CI").is_ok_and(|value| value == "true") {
            return ExitCode::FAILURE;
        }
    }
    if arguments.list || missing.is_some() {
        let trials = TESTS
            .iter()
            .map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(missing.is_some()));
        return libtest_mimic::run(&arguments, trials.collect()).exit_code();
    }
    // The broker is started from this thread: it is ended when this thread is.
    let broker = match Broker::start() {
        Ok(broker) => Arc::new(broker),
        Err(fault) => {
            println!("the broker did not start: {fault}");
            return ExitCode::FAILURE;
        }
    };
    // One after the other: two cores hold a broker, a stage and a generator.
    let arguments = Arguments { test_threads: Some(1), ..arguments };
    let trials = TESTS.iter().map(|(name, test)| {
        let broker = Arc::clone(&broker);
        Trial::test(*name, move || test(&broker).map_err(Failed::from))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(broker);
    conclusion.exit_code()
}
