//! Outcomes and exit codes: the one place that knows which number means what.

use std::fmt::Write as _;

/// How a command ended, as its exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: fine.
    Fine,
    /// 1: findings, or a failed expectation.
    Findings,
    /// 2: a rule or an exception is wrong.
    Rules,
    /// 3: configuration or usage.
    Configuration,
    /// 4: broker or I/O.
    Unavailable,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Rules => 2,
            Self::Configuration => 3,
            Self::Unavailable => 4,
        }
    }
}

/// Why a command could not do its work: every fault, and the exit code they mean together.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Failure {
    exit: Exit,
    faults: Vec<String>,
}

impl Failure {
    /// A failure with one fault.
    #[must_use]
    pub fn new(exit: Exit, fault: impl Into<String>) -> Self {
        Self { exit, faults: vec![fault.into()] }
    }

    /// A failure with several faults; the list must not be empty.
    #[must_use]
    pub fn all(exit: Exit, faults: Vec<String>) -> Self {
        Self { exit, faults }
    }

    /// Both failures in one: where rules and configuration are wrong, configuration counts.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        if other.exit.code() > self.exit.code() {
            self.exit = other.exit;
        }
        self.faults.extend(other.faults);
        self
    }

    /// Every fault.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The exit code.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for fault in &self.faults {
            let _ = writeln!(text, "error: {}", fault.trim_end());
        }
        if self.faults.len() > 1 {
            let _ = writeln!(text, "{} faults in all", self.faults.len());
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// What a build without librdkafka says of a command that needs it.
#[cfg(not(feature = "kafka"))]
#[must_use]
pub fn without_kafka(command: &str) -> Failure {
    let fault =
        format!("{command} needs Kafka, and this program was built without the feature `kafka`");
    Failure::new(Exit::Configuration, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_outweighs_rules() {
        let both = Failure::new(Exit::Rules, "a").and(Failure::new(Exit::Configuration, "b"));
        assert_eq!(both.exit(), Exit::Configuration);
        let both = Failure::new(Exit::Configuration, "b").and(Failure::new(Exit::Rules, "a"));
        assert_eq!(both.exit(), Exit::Configuration);
        assert_eq!(both.to_string(), "error: b\nerror: a\n2 faults in all");
    }
}
