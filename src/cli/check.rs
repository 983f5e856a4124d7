//! `check`: everything that is wrong with configuration and rules, before anything runs.
//!
//! The report goes to standard output; with `--show` or `--schema`, that is where the document
//! goes, and the report to standard error.

use std::fmt::Write as _;
use std::sync::Arc;

use super::args::{CheckArguments, Shared};
use super::configuration::{self, Loaded};
use super::exit::{Exit, Failure};
use super::terminal::{Color, Paint, print, print_error};
use super::{exceptions, rules};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::config::{Secrets, schema, show};
use crate::detect::{Detector, Validate};
use crate::disposition::Exceptions;
use crate::pipeline::setup;
use crate::rule::RuleSet;

/// Checks what `shared` names.
///
/// # Errors
/// Every fault of the rules (2), of the configuration (3, also where both have faults) and, when
/// asked, of the cluster (4).
pub fn run(
    arguments: &CheckArguments,
    shared: &Shared,
    clock: &dyn Clock,
) -> Result<Exit, Failure> {
    if arguments.schema {
        return document(&format!("{:#}\n", schema::schema()), Paint::never());
    }
    let (loaded, wrong) = configuration::read(shared, Secrets::Read);
    // Nobody is asked with a configuration that is wrong; the rules are read all the same.
    let topics = match arguments.topics && wrong.is_none() {
        true => topics::check(&loaded.settings),
        false => Ok(Vec::new()),
    };
    let configuration = wrong.map_or(Ok(()), Err);
    let judges = rules::load(&loaded.settings, shared).and_then(|rules| {
        exceptions::load(&loaded.settings, &rules).map(|exceptions| (rules, exceptions))
    });
    let ((), ((rules, exceptions), topics)) = both(configuration, both(judges, topics))?;
    let mut warnings = warnings(&loaded.settings);
    warnings.extend(rules::warnings(&rules, &exceptions));
    warnings.extend(exceptions::warnings(&exceptions, clock.wall()));
    let findings = Findings { loaded: &loaded, rules, exceptions, topics, warnings: &warnings };
    report(arguments, shared, &findings)?;
    let is_fault = arguments.strict && !warnings.is_empty();
    Ok(if is_fault { Exit::Findings } else { Exit::Fine })
}

/// Both values, or the faults of both.
fn both<A, B>(left: Result<A, Failure>, right: Result<B, Failure>) -> Result<(A, B), Failure> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => Err(failure),
        (Err(left), Err(right)) => Err(left.and(right)),
    }
}

/// What a check without faults has found.
struct Findings<'a> {
    loaded: &'a Loaded,
    rules: Arc<RuleSet>,
    exceptions: Arc<Exceptions>,
    topics: Vec<String>,
    warnings: &'a [String],
}

fn report(
    arguments: &CheckArguments,
    shared: &Shared,
    findings: &Findings<'_>,
) -> Result<(), Failure> {
    if arguments.show {
        document(&show::show(&findings.loaded.written), Paint::never())?;
        if shared.quiet == 0 {
            let paint = Paint::stderr(shared.color);
            print_error(&text(findings, paint), paint);
        }
        return Ok(());
    }
    let paint = Paint::stdout(shared.color);
    document(&text(findings, paint), paint).map(drop)
}

fn document(text: &str, paint: Paint) -> Result<Exit, Failure> {
    print(text, paint)
        .map_err(|fault| Failure::new(Exit::Unavailable, format!("write the report: {fault}")))?;
    Ok(Exit::Fine)
}

/// The report, for people.
fn text(findings: &Findings<'_>, paint: Paint) -> String {
    let Findings { loaded, rules, exceptions, topics, warnings } = findings;
    let mut text = String::new();
    let file = loaded
        .file
        .as_ref()
        .map_or("no file, defaults".to_owned(), |path| path.display().to_string());
    let fine = paint.paint(Color::Green, "ok");
    let _ = writeln!(text, "{fine}  configuration: {file}");
    let count = rules.rules().len();
    let skipped = rules.skipped();
    let _ = writeln!(text, "{fine}  rules: {count} loaded, {} skipped", skipped.len());
    for rule in skipped {
        let name = if rule.name.is_empty() { &rule.id } else { &rule.name };
        let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
        let _ = writeln!(text, "    skipped {}: {}{name}", rule.origin, rule.reason);
    }
    for (name, reason) in extracted(&loaded.settings, rules) {
        let _ = writeln!(text, "    every record is decoded for {name:?}: {reason}");
    }
    if !exceptions.list().is_empty() {
        let _ = writeln!(text, "{fine}  exceptions: {} loaded", exceptions.list().len());
    }
    for topic in topics {
        let _ = writeln!(text, "{fine}  {topic}");
    }
    for warning in *warnings {
        let _ = writeln!(text, "{} {warning}", paint.paint(Color::Yellow, "warning:"));
    }
    text
}

/// The rules for which the prefilter has nothing to look for, each with the reason.
fn extracted(settings: &Settings, rules: &Arc<RuleSet>) -> Vec<(String, String)> {
    let types = setup::field_types(settings, rules);
    let detector = Detector::new(Arc::clone(rules), &types, Validate::default());
    let name = |index| rules.get(index).map(|rule| rule.name.clone()).unwrap_or_default();
    detector.needs_extraction().map(|(index, reason)| (name(index), reason.to_string())).collect()
}

/// What is allowed, and seldom meant.
fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.output.dead_letters.is_none() {
        warnings.push(
            "output.dead_letters is \"discard\": records that cannot be judged are lost, and only \
             counted"
                .to_owned(),
        );
    }
    let clusters =
        [("kafka", Some(&settings.kafka)), ("output.kafka", settings.output.kafka.as_ref())];
    for (table, cluster) in clusters {
        if cluster.is_some_and(|cluster| cluster.sasl.is_some() && cluster.tls.is_none()) {
            warnings
                .push(format!("{table}: credentials travel over a connection without encryption"));
        }
    }
    if settings.http.listen.is_some_and(|address| !address.ip().is_loopback()) {
        warnings.push(
            "http.listen is open to other machines, and asks nobody for a password".to_owned(),
        );
    }
    warnings
}

#[cfg(feature = "kafka")]
mod topics {
    //! `--topics`: what the cluster says.

    use std::time::Duration;

    use super::super::exit::{Exit, Failure};
    use crate::config::settings::{ClusterSettings, Settings};
    use crate::kafka::preflight::{Cluster, ClusterFault, TopicState};
    use crate::kafka::settings;

    /// How long both clusters together may take to answer.
    const WITHIN: Duration = Duration::from_secs(6);

    /// Asks the clusters for every topic; one line of text for each.
    pub(super) fn check(settings: &Settings) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let mut faults = Vec::new();
        let within = if settings.output.kafka.is_some() { WITHIN / 2 } else { WITHIN };
        let input = reach(&settings.kafka, within, &mut faults);
        let other = settings.output.kafka.as_ref().map(|other| reach(other, within, &mut faults));
        if let Some(cluster) = &input {
            for topic in &settings.input.topics {
                read(cluster, topic, &mut found, &mut faults);
            }
        }
        let output = match &other {
            Some(other) => other.as_ref(),
            None => input.as_ref(),
        };
        if let Some(cluster) = output {
            for (key, topic) in written(settings) {
                match write(cluster, settings, (key, topic)) {
                    Ok(line) => found.push(line),
                    Err(fault) => faults.push(fault.to_string()),
                }
            }
        }
        if faults.is_empty() { Ok(found) } else { Err(Failure::all(Exit::Unavailable, faults)) }
    }

    fn reach(
        cluster: &ClusterSettings,
        within: Duration,
        faults: &mut Vec<String>,
    ) -> Option<Cluster> {
        Cluster::reach(&settings::admin(cluster), cluster, within)
            .map_err(|fault| faults.push(fault.to_string()))
            .ok()
    }

    fn read(cluster: &Cluster, topic: &str, found: &mut Vec<String>, faults: &mut Vec<String>) {
        if topic.starts_with('^') {
            found.push(format!("input {topic}: a regular expression, which may wait for a match"));
            return;
        }
        match cluster.partitions(topic, "create it, or correct input.topics") {
            Ok(count) => found.push(format!("input {topic}: {count} partitions")),
            Err(fault) => faults.push(fault.to_string()),
        }
    }

    /// The topics that are written, with their keys.
    fn written(settings: &Settings) -> impl Iterator<Item = (&'static str, &str)> {
        let output = &settings.output;
        let topics = [
            ("output.alerts", Some(&output.alerts)),
            ("output.dead_letters", output.dead_letters.as_ref()),
            ("output.overflow", output.overflow.as_ref()),
            ("output.audit", output.audit.as_ref()),
        ];
        let topics = topics.into_iter().filter_map(|(key, topic)| Some((key, topic?.as_str())));
        topics.chain(settings.coverage.topic().map(|topic| ("coverage.topic", topic)))
    }

    /// A line on an output topic, which a start may create.
    fn write(
        cluster: &Cluster,
        settings: &Settings,
        (key, topic): (&str, &str),
    ) -> Result<String, ClusterFault> {
        if settings.output.create_topics && cluster.topic(topic) == TopicState::Missing {
            return Ok(format!("{key} {topic}: is created at the start"));
        }
        let hint = format!("create it, correct {key}, or set output.create_topics = true");
        let count = cluster.partitions(topic, &hint)?;
        Ok(format!("{key} {topic}: {count} partitions"))
    }
}

#[cfg(not(feature = "kafka"))]
mod topics {
    //! No clusters in this build.

    use super::super::exit::{Failure, without_kafka};
    use crate::config::settings::Settings;

    pub(super) fn check(_settings: &Settings) -> Result<Vec<String>, Failure> {
        Err(without_kafka("check --topics"))
    }
}
