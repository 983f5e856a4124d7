//! `[delivery]`: the guarantee and its bounds, and what exactly-once cannot be had with.
//!
//! A transaction spans one cluster, belongs to a name that no other process has, and is fenced by
//! the generation of a group whose members give everything back before each rebalance. Where the
//! configuration says otherwise it is refused: never a silent step back to the lesser guarantee.

use super::file::{DeliveryTable, File};
use super::settings::{DeliverySettings, GroupProtocol, Guarantee, InputSettings};
use super::validate::Check;
use crate::limits;

/// Checks `[delivery]`, and the rest of the file as far as the guarantee needs it.
pub(super) fn settings(
    check: &mut Check<'_>,
    file: &File,
    input: &InputSettings,
) -> DeliverySettings {
    let table = &file.delivery;
    let bounds = at_least_once(check, table);
    let mut settings = transactions(check, table, bounds);
    settings.guarantee = table.guarantee.unwrap_or_default();
    if settings.guarantee == Guarantee::ExactlyOnce {
        bound_by_transactions(check, table, &mut settings);
        refuse(check, file, input);
    }
    settings
}

/// What every guarantee has.
fn at_least_once(check: &mut Check<'_>, table: &DeliveryTable) -> DeliverySettings {
    let defaults = DeliverySettings::default();
    DeliverySettings {
        commit_interval_ms: check.number(
            "delivery.commit_interval_ms",
            table.commit_interval_ms,
            defaults.commit_interval_ms,
            10..=600_000,
        ),
        revoke_drain_ms: check.number(
            "delivery.revoke_drain_ms",
            table.revoke_drain_ms,
            defaults.revoke_drain_ms,
            0..=limits::REVOKE_DRAIN_MS_MAX,
        ),
        shutdown_drain_ms: check.number(
            "delivery.shutdown_drain_ms",
            table.shutdown_drain_ms,
            defaults.shutdown_drain_ms,
            0..=600_000,
        ),
        in_flight_max: check.number(
            "delivery.in_flight_max",
            table.in_flight_max,
            u32::try_from(defaults.in_flight_max).unwrap_or(u32::MAX),
            1..=limits::IN_FLIGHT_MAX,
        ) as usize,
        message_timeout_ms: check.number(
            "delivery.message_timeout_ms",
            table.message_timeout_ms,
            defaults.message_timeout_ms,
            1_000..=86_400_000,
        ),
        ..defaults
    }
}

/// The keys about transactions; they mean nothing to the other guarantee and are checked all the
/// same.
fn transactions(
    check: &mut Check<'_>,
    table: &DeliveryTable,
    defaults: DeliverySettings,
) -> DeliverySettings {
    DeliverySettings {
        transaction_interval_ms: check.number(
            "delivery.transaction_interval_ms",
            table.transaction_interval_ms,
            defaults.transaction_interval_ms,
            10..=600_000,
        ),
        transaction_records_max: check.number(
            "delivery.transaction_records_max",
            table.transaction_records_max,
            defaults.transaction_records_max,
            1..=1_000_000_000,
        ),
        transaction_timeout_ms: check.number(
            "delivery.transaction_timeout_ms",
            table.transaction_timeout_ms,
            defaults.transaction_timeout_ms,
            2_000..=3_600_000,
        ),
        transactional_id_prefix: check.text(
            "delivery.transactional_id_prefix",
            table.transactional_id_prefix.as_ref(),
            &defaults.transactional_id_prefix,
        ),
        ..defaults
    }
}

/// A message that is still being tried must not outlive its transaction.
fn bound_by_transactions(
    check: &mut Check<'_>,
    table: &DeliveryTable,
    settings: &mut DeliverySettings,
) {
    let timeout = settings.transaction_timeout_ms;
    if table.message_timeout_ms.is_none() {
        settings.message_timeout_ms = settings.message_timeout_ms.min(timeout / 2);
    }
    let bounded = [
        ("delivery.message_timeout_ms", settings.message_timeout_ms),
        ("delivery.transaction_interval_ms", settings.transaction_interval_ms),
    ];
    for (key, found) in bounded {
        if found >= timeout {
            let message = format!(
                "found {found}; with exactly-once it must be below \
                 delivery.transaction_timeout_ms, which is {timeout}"
            );
            check.fault(key, message);
        }
    }
}

/// What exactly-once cannot be had with.
fn refuse(check: &mut Check<'_>, file: &File, input: &InputSettings) {
    const OTHERWISE: &str = "or set delivery.guarantee = \"at-least-once\"";
    if file.output.kafka.is_some() {
        let message = format!(
            "is another cluster, and with exactly-once outputs and offsets are one transaction, \
             which cannot span two; leave the table out, {OTHERWISE}"
        );
        check.fault("output.kafka", message);
    }
    if input.protocol == GroupProtocol::Consumer {
        let message = format!(
            "found \"consumer\"; exactly-once needs \"classic\", whose members give everything \
             back before each rebalance; change it, {OTHERWISE}"
        );
        check.fault("input.protocol", message);
    }
    if input.instance_id.is_none() {
        let message = format!(
            "is missing: with exactly-once each running process needs a name of its own that it \
             keeps across restarts, such as the pod's; set it, {OTHERWISE}"
        );
        check.fault("input.instance_id", message);
    }
}
