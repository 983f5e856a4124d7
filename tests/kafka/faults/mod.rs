//! Faults, row by row: each test breaks something and says what the stage made of it.

mod brokers;
mod control;
mod endpoint;
mod fatal;
mod exactly_once;
mod input;
mod kill;
pub mod malformed;
mod memory;
mod network;
mod output;
mod retention;
mod storm;
mod tls;
mod unpack;

use std::time::Duration;

use super::table::Case;

/// How long anything may take here that has no bound of its own.
const MINUTES: Duration = Duration::from_secs(180);

pub const CASES: &[Case] = &[
    Case::short("1", "kills_at_random_points_lose_nothing", kill::short),
    Case::long("1", "a_hundred_kills_lose_nothing", kill::long),
    Case::long("1", "kills_with_static_membership_lose_nothing", kill::with_static_membership),
    Case::long(
        "1",
        "kills_in_a_group_that_the_broker_balances_lose_nothing",
        kill::with_consumer_protocol,
    ),
    Case::short("1", "exactly_once_kills_lose_and_repeat_nothing", exactly_once::kills_short),
    Case::long(
        "1",
        "exactly_once_a_hundred_kills_lose_and_repeat_nothing",
        exactly_once::kills_long,
    ),
    Case::long("1", "exactly_once_kafkas_own_copier_as_a_control", control::copier),
    Case::short("2", "a_broker_that_restarts_loses_nothing", brokers::restart),
    Case::long("2", "three_nodes_restart_in_turn_and_one_is_killed", brokers::rolling_restart),
    Case::long("2", "a_partition_whose_only_node_is_gone_is_told", brokers::one_of_three),
    Case::short("3", "with_all_brokers_down_the_stage_waits_and_resumes", brokers::down),
    Case::long("3", "with_all_brokers_down_for_long_memory_stays_flat", brokers::down_for_long),
    Case::short("4", "a_slow_broker_costs_time_and_no_rebalance", network::slow),
    Case::short("4", "brokers_that_answer_late_cost_no_core", network::far_outputs),
    Case::long("4", "a_thin_line_costs_time_and_no_rebalance", network::thin),
    Case::short("5", "a_member_that_was_cut_off_returns_and_nothing_is_lost", network::zombie),
    Case::short("5", "exactly_once_a_zombie_is_fenced", exactly_once::zombie),
    Case::long(
        "5",
        "exactly_once_a_zombie_returns_after_the_broker_gave_up_on_it",
        exactly_once::shut_out,
    ),
    Case::long("5", "connections_cut_again_and_again_lose_nothing", network::cuts),
    Case::short("6", "members_that_come_and_go_lose_nothing", storm::short),
    Case::long("6", "members_that_come_and_go_for_long_lose_nothing", storm::long),
    Case::short("7", "malformed_records_cost_bounded_time_and_memory", malformed::table),
    Case::short("7", "a_batch_too_large_to_unpack_stops_its_partition_aloud", unpack::raised),
    Case::long("7", "a_batch_too_large_to_unpack_can_be_left_out", unpack::left_out),
    Case::short("8", "an_alert_too_large_for_its_topic_is_reduced", output::alert_too_large),
    Case::short(
        "8",
        "an_alert_too_large_even_reduced_is_a_dead_letter",
        output::reduced_alert_too_large,
    ),
    Case::short(
        "8",
        "a_dead_letter_too_large_for_its_topic_goes_without_its_value",
        output::dead_letter_too_large,
    ),
    Case::long("9", "a_deleted_alert_topic_holds_and_recovers", output::alert_topic_deleted),
    Case::long(
        "9",
        "an_alert_topic_that_may_not_be_written_holds_and_recovers",
        output::unauthorised,
    ),
    Case::long(
        "9",
        "an_alert_topic_with_too_few_replicas_holds_and_recovers",
        output::under_replicated,
    ),
    Case::long("9", "an_alert_topic_over_quota_holds_and_recovers", output::over_quota),
    Case::long("9", "an_alert_topic_on_a_full_disk_holds_and_recovers", output::disk_full),
    Case::short("10", "dead_letters_are_discarded_where_configured", output::discarded),
    Case::short(
        "10",
        "a_deleted_dead_letter_topic_holds_and_recovers",
        output::dead_letter_topic_deleted,
    ),
    Case::short(
        "11",
        "records_that_retention_took_are_named_and_reading_goes_on",
        retention::overtaken,
    ),
    Case::short(
        "12",
        "added_partitions_are_read_from_their_beginning",
        retention::partitions_added,
    ),
    Case::short("12", "a_topic_that_is_made_anew_is_read_from_its_beginning", retention::recreated),
    Case::short("14", "certificates_that_prove_nothing_are_refused", tls::refused),
    Case::long("14", "credentials_that_change_while_running_are_waited_out", tls::rotated),
    Case::long("15", "a_thousand_scrapers_leave_the_rate_unchanged", endpoint::scrapers),
    Case::long("16", "a_full_backlog_stays_within_the_memory_bound", memory::backlog),
    Case::short("17", "a_member_that_is_shut_out_for_good_ends_with_4", fatal::fenced),
    Case::short("18", "a_topic_that_may_not_be_read_for_a_while_loses_nothing", input::short),
    Case::long("18", "a_topic_that_may_not_be_read_for_long_loses_nothing", input::long),
    Case::long(
        "18",
        "exactly_once_a_topic_that_may_not_be_read_for_long_loses_nothing",
        input::exactly_once,
    ),
];
