//! The suite against a real Apache Kafka: `cargo test --test kafka`.
//!
//! One broker is started for the whole suite from jars (see `broker`), topics and groups are named
//! per test, and everything that was started is ended by its id, also when a test fails. It needs
//! Java 17 or later and Maven; without them the tests are listed as ignored, and with `CI=true`
//! that is a failure. `KAFKA=0` skips the suite and says so.
//!
//! Each test of a fault names its row of the table in docs/OPERATIONS.md. A short selection of all
//! kinds always runs; `OUZEL_FAULTS=1` (`make faults`) runs everything, and `OUZEL_FAULT_ROWS=1,7`
//! the rows named. Everything random comes from one seed, which is printed and can be given:
//! `OUZEL_FAULT_SEED`. At the end a table says, per test, what was seen.

#![expect(clippy::print_stdout, reason = "a test runner prints what it saw")]
#![expect(clippy::indexing_slicing, reason = "a test that panics is a test that fails")]

mod admin;
mod broker;
mod certificates;
mod checker;
mod client;
mod exactly_once;
mod exactly_once_targets;
mod cluster;
mod coverage;
mod dead_letters;
mod faults;
mod feed;
mod grants;
mod history;
mod java;
mod lending;
mod main_job;
#[path = "../support/malformed.rs"]
mod malformed_records;
mod node;
mod proxy;
mod secrets;
mod security;
mod seed;
mod sizing;
mod slow_matcher;
mod speed;
mod stage;
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use broker::Broker;
use table::{Case, Table};

/// What does not belong to a row of faults.
const MAIN_JOB: &[Case] = &[
    Case::short("", "doctored_histories_are_found", checker::doctored_histories_are_found),
    Case::short(
        "",
        "every_reset_is_alerted_once_with_its_position_and_hash",
        main_job::every_reset_once,
    ),
    Case::short("", "a_stop_in_the_middle_loses_nothing", main_job::stop_in_the_middle),
    Case::short("", "two_instances_share_a_group_and_one_leaves", main_job::two_instances),
    Case::short("", "a_member_without_partitions_leaves_its_group", main_job::idle_members_leave),
    Case::short(
        "",
        "a_topic_that_appears_later_matches_the_expression",
        main_job::topic_that_appears_later,
    ),
    Case::short("", "exactly_once_alerts_and_dead_letters_come_once", exactly_once::main_job),
    Case::short("", "exactly_once_two_instances_and_one_leaves", exactly_once::two_instances),
    Case::short("", "exactly_once_an_abort_loses_and_repeats_nothing", exactly_once::aborts),
    Case::short(
        "1",
        "exactly_once_holds_for_overflow_and_audit_as_well",
        exactly_once_targets::kills,
    ),
    Case::long(
        "1",
        "exactly_once_holds_for_overflow_and_audit_when_a_broker_is_silent",
        exactly_once_targets::kills_and_silence,
    ),
    Case::short("", "exactly_once_says_plainly_what_it_cannot_be_had_with", exactly_once::refusals),
    Case::short("", "exactly_once_needs_rights_on_its_transactional_ids", exactly_once::rights),
    Case::long("", "exactly_once_throughput_beside_at_least_once", speed::throughput),
    Case::long("", "exactly_once_alerts_are_visible_in_time", speed::latency),
    Case::short("", "scram_over_tls_with_least_privilege", security::scram_over_tls),
    Case::short("14", "secrets_are_printed_nowhere", secrets::nowhere),
    Case::short("", "records_are_lent_as_the_wrapper_has_them", lending::as_the_wrapper),
    Case::short("", "a_fault_among_records_moves_no_reader", lending::a_fault_is_no_record),
    Case::short("", "a_slow_matcher_costs_its_own_time", slow_matcher::costs_its_own_time),
    Case::long("", "memory_and_files_by_partitions", sizing::by_partitions),
    Case::long("", "each_grant_of_the_document_is_needed", grants::each_is_needed),
    Case::short("14", "a_wrong_password_ends_with_4_and_is_not_printed", security::wrong_password),
    Case::short("9", "a_missing_topic_ends_with_4_and_names_it", security::missing_topic),
    Case::short(
        "7",
        "unreadable_records_are_dead_letters_byte_for_byte",
        dead_letters::byte_for_byte,
    ),
    Case::short("", "coverage_names_every_gap", coverage::every_gap_is_named),
    Case::short("", "coverage_of_a_hand_over_has_no_gap", coverage::hand_over),
    Case::short("", "coverage_in_a_file_survives_a_restart", coverage::in_a_file),
    Case::long("", "coverage_with_exactly_once", coverage::with_exactly_once),
    Case::long("", "coverage_that_is_refused_holds_nothing_up", coverage::refused_ledger),
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
    let wants_all = std::env::var("OUZEL_FAULTS").is_ok_and(|value| value == "1");
    let mut cases: Vec<Case> = MAIN_JOB.to_vec();
    cases.extend(faults::CASES.iter().copied());
    cases.retain(|case| wants_all || case.length == table::Length::Short);
    if let Ok(rows) = std::env::var("OUZEL_FAULT_ROWS") {
        cases.retain(|case| rows.split(',').any(|row| row == case.row));
    }
    if arguments.list || missing.is_some() {
        let trials = cases
            .iter()
            .map(|case| Trial::test(case.name, || Ok(())).with_ignored_flag(missing.is_some()));
        return libtest_mimic::run(&arguments, trials.collect()).exit_code();
    }
    println!("seed {}: repeat with OUZEL_FAULT_SEED={}", seed::seed(), seed::seed());
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
    let table = Arc::new(Table::default());
    let trials = cases.iter().map(|case| {
        let (broker, table, case) = (Arc::clone(&broker), Arc::clone(&table), *case);
        Trial::test(case.name, move || table.run(&case, &broker).map_err(Failed::from))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let secrets = secrets::Search::below(broker.folder());
    drop(broker);
    println!("{}", table.text(seed::seed()));
    match secrets.map_err(|fault| fault.to_string()).and_then(|search| search.verdict()) {
        Ok(seen) => println!("{seen}"),
        Err(fault) => {
            println!("{fault}");
            return ExitCode::FAILURE;
        }
    }
    conclusion.exit_code()
}
