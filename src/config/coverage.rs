//! `[coverage]`: where the ledger of coverage goes.

use super::file::CoverageTable;
use super::settings::{CoverageSettings, CoverageTarget, InputSettings, OutputSettings};
use super::validate::{Check, topic_name};

impl Check<'_> {
    /// Checks the table; its topic is one of its own, like every other one that is written.
    pub(super) fn coverage(
        &mut self,
        table: &CoverageTable,
        input: &InputSettings,
        output: &OutputSettings,
    ) -> CoverageSettings {
        let defaults = CoverageSettings::default();
        if let Some(topic) = &table.topic {
            self.coverage_topic(topic, input, output);
        }
        if table.file.as_ref().is_some_and(|file| file.path().as_os_str().is_empty()) {
            self.fault("coverage.file", "is empty; leave it out to do without");
        }
        let target = match (&table.topic, &table.file) {
            (Some(_), Some(_)) => {
                let message = "stands beside coverage.topic; the ledger goes to one of the two";
                self.fault("coverage.file", message);
                None
            }
            (Some(topic), None) => Some(CoverageTarget::Topic(topic.clone())),
            (None, Some(file)) => Some(CoverageTarget::File(file.path().to_owned())),
            (None, None) => None,
        };
        let interval_ms = self.number(
            "coverage.interval_ms",
            table.interval_ms,
            defaults.interval_ms,
            1_000..=600_000,
        );
        CoverageSettings { target, interval_ms }
    }

    fn coverage_topic(&mut self, topic: &String, input: &InputSettings, output: &OutputSettings) {
        const KEY: &str = "coverage.topic";
        if let Err(fault) = topic_name(topic) {
            self.fault(KEY, format!("{topic:?}: {fault}; leave it out to do without"));
        }
        let others = [
            ("output.alerts", Some(&output.alerts)),
            ("output.dead_letters", output.dead_letters.as_ref()),
            ("output.overflow", output.overflow.as_ref()),
            ("output.audit", output.audit.as_ref()),
        ];
        for (other, _) in others.into_iter().filter(|(_, name)| *name == Some(topic)) {
            self.fault(
                KEY,
                format!("{topic:?} is the topic of {other} as well; their readers differ"),
            );
        }
        if output.kafka.is_none() && input.topics.contains(topic) {
            self.fault(KEY, format!("{topic:?} is an input topic as well"));
        }
    }
}
