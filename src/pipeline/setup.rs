//! Settings → a judge, a worker's bounds: the one place where both are read off the configuration,
//! for every command alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::budget::BudgetBounds;
use super::judge::{Audit, DeadLetterForm, Judge};
use super::state::{Bounds, TransactionBounds};
use crate::alert::{AlertEncoder, EncoderOptions};
use crate::config::Settings;
use crate::config::settings::{
    DeliverySettings, Guarantee, OutputSettings, TopicSettings, ValidateLevel,
};
use crate::detect::{Detector, Validate};
use crate::disposition::{Dispositions, Exceptions};
use crate::event::{FieldType, FieldTypes, TopicProfile};
use crate::limits;
use crate::rule::RuleSet;

/// What the command adds to the settings.
#[derive(Clone, Debug, Default)]
pub struct JudgeOptions {
    /// The exceptions, loaded for the same rules.
    pub exceptions: Arc<Exceptions>,
    /// The id of the input cluster; empty where the input is no cluster.
    pub cluster: String,
    /// What dead letters look like.
    pub dead_letters: DeadLetterForm,
    /// The program's version.
    pub build_version: String,
    /// The program's commit.
    pub build_commit: String,
}

/// The judge that `settings` and `rules` describe.
#[must_use]
pub fn judge(settings: &Settings, rules: Arc<RuleSet>, options: JudgeOptions) -> Judge {
    let types = field_types(settings, &rules);
    let validate = match settings.input.validate {
        ValidateLevel::Candidates => Validate::Candidates,
        ValidateLevel::Envelope => Validate::Envelope,
        ValidateLevel::Full => Validate::Full,
    };
    let detector = Detector::new(Arc::clone(&rules), &types, validate);
    let dispositions = Dispositions::new(Arc::clone(&rules), limits::RECENT_IDS_MAX)
        .with_exceptions(Arc::clone(&options.exceptions));
    let dead_letters = options.dead_letters;
    let encoder = AlertEncoder::new(rules, &types, encoder_options(settings, options));
    let profiles =
        settings.input.topic.iter().map(|(topic, about)| (topic.clone(), profile(about))).collect();
    let audit = match settings.output.audit {
        Some(_) => Audit::Published,
        None => Audit::Counted,
    };
    Judge::new(detector, encoder, Arc::new(Mutex::new(dispositions)), profiles, dead_letters)
        .with_audit(audit)
}

/// The field types that hold for `rules`: the built-in table, what the rules' files declare about
/// fields that it does not know, and over all of it what the configuration says.
#[must_use]
pub fn field_types(settings: &Settings, rules: &RuleSet) -> FieldTypes {
    let mut types = FieldTypes::builtin();
    for field in rules.rules().iter().flat_map(|rule| &rule.declared_fields) {
        // Types that compare as keywords do (geo_point, nested, unknown) declare nothing.
        if let Some(field_type) = FieldType::from_name(&field.field_type)
            && types.of(&field.name) == FieldType::Keyword
        {
            types.declare(&field.name, field_type);
        }
    }
    for (field, name) in &settings.field_types {
        if let Some(field_type) = FieldType::from_name(name) {
            types.declare(field, field_type);
        }
    }
    types
}

/// What the configuration of a topic adds to its events.
#[must_use]
pub fn profile(topic: &TopicSettings) -> TopicProfile {
    TopicProfile {
        index: topic.index.clone(),
        labels: topic.labels.clone().into_iter().collect(),
        okta: topic.okta,
    }
}

fn encoder_options(settings: &Settings, options: JudgeOptions) -> EncoderOptions {
    let index_of_topic: BTreeMap<String, String> = settings
        .input
        .topic
        .iter()
        .filter_map(|(topic, about)| Some((topic.clone(), about.index.clone()?)))
        .collect();
    let output = &settings.output;
    EncoderOptions {
        cluster: options.cluster,
        index_of_topic,
        event_kind: output.event_kind.clone(),
        key_field: output.key_field.clone(),
        pass_headers: output.pass_headers.clone(),
        has_overflow_target: output.overflow.is_some(),
        include_original: output.include_original,
        build_version: options.build_version,
        build_commit: options.build_commit,
    }
}

/// The bounds that `delivery` describes.
#[must_use]
pub fn bounds(delivery: &DeliverySettings) -> Bounds {
    let millis = |millis: u32| Duration::from_millis(u64::from(millis));
    Bounds {
        in_flight_max: delivery.in_flight_max,
        revoke_drain: millis(delivery.revoke_drain_ms),
        shutdown_drain: millis(delivery.shutdown_drain_ms),
        commit_interval: millis(delivery.commit_interval_ms),
        delivery_timeout: millis(delivery.message_timeout_ms),
        transactions: match delivery.guarantee {
            Guarantee::AtLeastOnce => None,
            Guarantee::ExactlyOnce => Some(TransactionBounds {
                interval: millis(delivery.transaction_interval_ms),
                records_max: u64::from(delivery.transaction_records_max),
            }),
        },
    }
}

/// The budget of dead letters that `output` describes.
#[must_use]
pub fn budget(output: &OutputSettings) -> BudgetBounds {
    BudgetBounds {
        percent_max: output.dead_letter_percent_max,
        window: Duration::from_millis(u64::from(output.dead_letter_window_ms)),
        records_min: u64::from(output.dead_letter_records_min),
    }
}
