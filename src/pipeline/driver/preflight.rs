//! Before the first record: the clusters answer, the topics are there, and how many workers there
//! are to be.

use std::num::NonZero;
use std::time::Duration;

use super::DriverFault;
use crate::config::Settings;
use crate::config::settings::ClusterSettings;
use crate::kafka::preflight::{Cleanup, Cluster, ClusterFault, NewTopicShape, TopicState};
use crate::kafka::settings as client;
use crate::sink::kafka::Topics;

/// How long one cluster may take to answer. Two of them, and the questions after that, stay within
/// ten seconds.
const WITHIN: Duration = Duration::from_secs(8);

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The input cluster's id; empty where it has none.
    pub cluster: String,
    /// How many workers there are to be.
    pub workers: usize,
}

/// Asks both clusters everything, and tells every topic that cannot be used at once.
pub(super) fn ask(settings: &Settings) -> Result<Found, DriverFault> {
    let within = if settings.output.kafka.is_some() { WITHIN / 2 } else { WITHIN };
    let input = reach(&settings.kafka, within)?;
    let mut faults = Vec::new();
    let partitions = inputs(&input, settings, &mut faults);
    match &settings.output.kafka {
        Some(other) => outputs(&reach(other, within)?, settings, &mut faults),
        None => outputs(&input, settings, &mut faults),
    }
    if !faults.is_empty() {
        return Err(DriverFault::Topics(faults));
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = workers(settings.input.workers, cores, partitions);
    Ok(Found { cluster: input.id(), workers })
}

fn reach(cluster: &ClusterSettings, within: Duration) -> Result<Cluster, DriverFault> {
    Ok(Cluster::reach(&client::admin(cluster), cluster, within)?)
}

/// The partitions of all input topics; `None` where an expression may match more at any time.
fn inputs(cluster: &Cluster, settings: &Settings, faults: &mut Vec<ClusterFault>) -> Option<usize> {
    let topics = &settings.input.topics;
    let mut partitions = 0;
    for topic in topics.iter().filter(|topic| !topic.starts_with('^')) {
        match cluster.partitions(topic, "create it, or change `input.topics`") {
            Ok(found) => partitions += found,
            Err(fault) => faults.push(fault),
        }
    }
    topics.iter().all(|topic| !topic.starts_with('^')).then_some(partitions)
}

fn outputs(cluster: &Cluster, settings: &Settings, faults: &mut Vec<ClusterFault>) {
    let output = &settings.output;
    let shape = NewTopicShape {
        partitions: output.create_partitions,
        replicas: output.create_replicas,
        cleanup: Cleanup::Default,
    };
    let compacted = NewTopicShape { cleanup: Cleanup::Compact, ..shape };
    let topics = Topics::of(output);
    let all = topics.names().into_iter().map(|topic| (topic, shape));
    let ledger = settings.coverage.topic().map(|topic| (topic, compacted));
    for (topic, shape) in all.chain(ledger) {
        let outcome = if output.create_topics && cluster.topic(topic) == TopicState::Missing {
            let created = cluster.create(topic, shape);
            created.inspect(|()| tracing::info!(topic, "an output topic was created"))
        } else {
            let what_to_do = "create it, or set `output.create_topics = true`";
            cluster.partitions(topic, what_to_do).map(drop)
        };
        faults.extend(outcome.err());
    }
}

/// One worker per core, and none that could never have a partition.
fn workers(configured: Option<usize>, cores: usize, partitions: Option<usize>) -> usize {
    let workers = configured.unwrap_or(cores);
    partitions.map_or(workers, |partitions| workers.min(partitions)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_bounded_by_the_partitions() {
        assert_eq!(workers(None, 8, Some(4)), 4);
        assert_eq!(workers(None, 2, Some(4)), 2);
        assert_eq!(workers(Some(16), 2, Some(4)), 4);
        assert_eq!(workers(Some(3), 2, Some(4)), 3);
    }

    #[test]
    fn an_expression_may_match_more_at_any_time() {
        assert_eq!(workers(None, 8, None), 8);
        assert_eq!(workers(Some(3), 8, None), 3);
    }
}
