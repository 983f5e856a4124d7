//! `ouzel coverage`: were all events looked at, and where not, why.
//!
//! The documents of the ledger are read first and the ends of the logs after them, so that nothing
//! that is finished seems to stand beyond an end. Where documents leave something out that is still
//! in the topic, the topic is asked whether a record stands there.

mod answer;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use super::args::{CoverageArguments, CoverageOutput, Shared};
use super::configuration;
use super::exit::{Exit, Failure};
use super::terminal::{self, Paint};
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::{ClusterSettings, CoverageTarget};
use crate::kafka::preflight::Cluster;
use crate::kafka::reader::{ReadFault, Reader};
use crate::kafka::settings as client;
use crate::limits;
use crate::pipeline::driver::coverage as ledger;
use crate::pipeline::ledger::Document;
use crate::pipeline::ledger::ranges::{Range, Ranges};
use crate::pipeline::ledger::survey::{self, Log, Period, Place};
use crate::record::Timestamp;
use answer::Answer;

/// How long a cluster may take to answer.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(8);

/// A member that has said nothing for so many intervals, and a little, reads no more.
const SILENT_INTERVALS: u64 = 3;
const SILENT_SLACK_MS: u64 = 5_000;

/// Answers.
///
/// # Errors
/// No ledger is kept or the time is none (3); it cannot be read or a cluster does not answer (4).
pub fn run(
    arguments: &CoverageArguments,
    shared: &Shared,
    clock: &impl Clock,
) -> Result<Exit, Failure> {
    let now = clock.wall();
    let since = since(&arguments.since, now)?;
    let settings = configuration::load(shared)?.settings;
    if arguments.offline && settings.coverage.topic().is_some() {
        let fault = "--offline: the ledger is on a topic; only that of a coverage.file can be read \
                     without a cluster";
        return Err(Failure::new(Exit::Configuration, fault));
    }
    let silence_ms = u64::from(settings.coverage.interval_ms) * SILENT_INTERVALS + SILENT_SLACK_MS;
    let period = Period { since, now, silence_ms };
    let (mut documents, unreadable) = documents(&settings)?;
    let logs = match arguments.offline {
        true => BTreeMap::new(),
        false => logs(&settings, &mut documents, period)?,
    };
    let answer = Answer {
        group: settings.input.group.clone(),
        since,
        until: now,
        documents: documents.len(),
        unreadable,
        partitions: survey::survey(&documents, &logs, period),
    };
    let paint = Paint::stdout(shared.color);
    let printed = match arguments.output {
        CoverageOutput::Text => terminal::print(&table::text(&answer, paint), paint),
        CoverageOutput::Json => terminal::print_json(&answer.json()),
    };
    printed.map_err(|fault| unavailable(format!("standard output: {fault}")))?;
    Ok(if answer.has_gaps() { Exit::Findings } else { Exit::Fine })
}

fn unavailable(fault: impl ToString) -> Failure {
    Failure::new(Exit::Unavailable, fault.to_string())
}

/// When the period begins: so long ago, or at a time.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
        Some(now.as_millis().saturating_sub(i64::from(number).saturating_mul(unit)))
    };
    let time = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    ago().or_else(time).map(Timestamp::from_millis).ok_or_else(|| {
        let fault = format!(
            "--since: found {text:?}; allowed are a whole number and m, h or d, such as \"24h\", \
             and a time with its zone, such as \"2026-01-31T08:00:00Z\""
        );
        Failure::new(Exit::Configuration, fault)
    })
}

/// The latest document of each key, of this group, and how many records were none.
fn documents(settings: &Settings) -> Result<(Vec<Document>, u64), Failure> {
    let (mut documents, unreadable) = match &settings.coverage.target {
        None => {
            let fault = "no ledger of coverage is kept: name where, in `coverage.topic` or \
                         `coverage.file`, before the stage runs";
            return Err(Failure::new(Exit::Configuration, fault));
        }
        Some(CoverageTarget::File(path)) => of_file(path)?,
        Some(CoverageTarget::Topic(topic)) => of_topic(settings, topic)?,
    };
    documents.retain(|document| document.group == settings.input.group);
    Ok((documents, unreadable))
}

fn of_file(path: &Path) -> Result<(Vec<Document>, u64), Failure> {
    match ledger::read(path) {
        Ok(lines) => Ok((lines.documents, lines.unreadable)),
        Err(fault) => Err(unavailable(format!("read {}: {fault}", path.display()))),
    }
}

fn of_topic(settings: &Settings, topic: &str) -> Result<(Vec<Document>, u64), Failure> {
    let cluster = settings.output_cluster();
    let what_to_do = "create it, or correct `coverage.topic`";
    reach(cluster)?.partitions(topic, what_to_do).map_err(unavailable)?;
    let mut latest: BTreeMap<Vec<u8>, Document> = BTreeMap::new();
    let (mut unreadable, mut is_full) = (0, false);
    let reader = Reader::open(cluster, &settings.input.group).map_err(unavailable)?;
    reader
        .read_all(topic, |key, value| {
            let key = key.unwrap_or_default();
            // A record without a value takes back what its key said.
            let Some(value) = value else { return drop(latest.remove(key)) };
            let is_new = !latest.contains_key(key);
            if is_new && latest.len() >= limits::LEDGER_DOCUMENTS_READ_MAX {
                is_full = true;
                return;
            }
            match Document::decode(value) {
                Ok(document) => drop(latest.insert(key.to_vec(), document)),
                Err(_) => unreadable += 1,
            }
        })
        .map_err(unavailable)?;
    if is_full {
        let most = limits::LEDGER_DOCUMENTS_READ_MAX;
        return Err(unavailable(format!(
            "read the topic {topic:?}: it holds more than {most} documents; delete old ones"
        )));
    }
    Ok((latest.into_values().collect(), unreadable))
}

fn reach(cluster: &ClusterSettings) -> Result<Cluster, Failure> {
    Cluster::reach(&client::admin(cluster), cluster, WITHIN).map_err(unavailable)
}

/// What is known of the logs of all topics that are configured or that documents name; documents
/// of other clusters are left out.
fn logs(
    settings: &Settings,
    documents: &mut Vec<Document>,
    period: Period,
) -> Result<BTreeMap<Place, Log>, Failure> {
    let cluster = reach(&settings.kafka)?;
    // A ledger may hold what was read of several clusters; one that has no id cannot be told apart.
    let id = cluster.id();
    let is_same = |other: &str| other == id || other.is_empty() || id.is_empty();
    documents.retain(|document| is_same(&document.cluster));
    let reader = Reader::open(&settings.kafka, &settings.input.group).map_err(unavailable)?;
    let configured = settings.input.topics.iter().filter(|topic| !topic.starts_with('^'));
    for topic in configured.clone() {
        cluster.partitions(topic, "create it, or change `input.topics`").map_err(unavailable)?;
    }
    let mut topics: Vec<&String> = configured.collect();
    topics.extend(documents.iter().map(|document| &document.topic));
    topics.sort_unstable();
    topics.dedup();
    let mut logs = BTreeMap::new();
    for topic in topics {
        for (partition, bounds) in reader.bounds(topic, period.since).map_err(unavailable)? {
            let (since, first, end) = (bounds.since, bounds.first, bounds.end);
            let log = Log { since, first, end, empty: Ranges::default() };
            logs.insert((topic.clone(), partition), log);
        }
    }
    look(&reader, documents, &mut logs, period).map_err(unavailable)?;
    Ok(logs)
}

/// Looks whether records stand where no document says anything.
fn look(
    reader: &Reader,
    documents: &[Document],
    logs: &mut BTreeMap<Place, Log>,
    period: Period,
) -> Result<(), ReadFault> {
    let mut probes = 0;
    for (place, open) in survey::questions(documents, logs, period) {
        let Some(log) = logs.get_mut(&place) else { continue };
        for run in open.iter() {
            probes += 1;
            if probes > limits::LEDGER_PROBES_MAX {
                return Ok(());
            }
            let found = reader.first_at(&place.0, place.1, run.from)?;
            let to = found.map_or(run.to, |offset| offset.min(run.to));
            log.empty.insert(Range::new(run.from, to));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_so_long_or_begins_at_a_time() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let ago = |text: &str| since(text, now).map(|at| now.as_millis() - at.as_millis());
        let cases = [("24h", 86_400_000), ("90m", 5_400_000), ("7d", 604_800_000)];
        for (text, millis) in cases {
            assert_eq!(ago(text).ok(), Some(millis), "{text}");
        }
        assert_eq!(ago("2025-12-31T23:00:00Z").ok(), Some(3_600_000));
        for text in ["", "h", "0h", "-1h", "1.5h", "24", "24w", "yesterday", "é", "2026-01-01"] {
            let fault = ago(text).expect_err(text);
            assert_eq!(fault.exit(), Exit::Configuration);
        }
    }
}
