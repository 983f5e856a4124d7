//! `ouzel demo`: the main job on an embedded broker, and a check of what came out.
//!
//! ```text
//! feed: generated events ─▶ topic ─▶ the pipeline of `run` ─▶ alert topic ─▶ watch: cards, check
//! ```
//!
//! The broker is librdkafka's mock cluster, in this process: the demonstration shows that the parts
//! fit and that every reset is alerted once; it claims nothing about load.

mod card;
mod feed;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::args::{DemoArguments, Shared};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::run::{failure, start_logs};
use super::terminal::{Color, Paint, print};
use super::{rules, version};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::config::settings::{GroupProtocol, RuleOverride};
use crate::disposition::Exceptions;
use crate::generate::Options;
use crate::kafka::embedded::EmbeddedBroker;
use crate::pipeline::driver::{self, Phase, Running, Signals, Stage};
use crate::record::Timestamp;
use crate::rule::{self, RuleSet};
use feed::Feed;
use watch::{Report, Watch};

/// The rule of the demonstration, named so that another built-in rule changes nothing here.
const RULE_ID: &str = "729aa18d-06a6-41c7-b175-b65b739b1181";
const PARTITIONS: i32 = 4;
/// How long the group may take to form, and the last alerts to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the state is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Runs the demonstration.
///
/// # Errors
/// Options that mean nothing here (3), or when it cannot run (4). A result that is not what was generated is [`Exit::Findings`].
pub fn run(arguments: &DemoArguments, shared: &Shared) -> Result<Exit, Failure> {
    refuse(shared)?;
    let unavailable = |what: String| Failure::new(Exit::Unavailable, what);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let broker = EmbeddedBroker::start().map_err(|fault| unavailable(fault.to_string()))?;
    let settings = settings(&broker.address());
    for topic in
        [&settings.output.alerts, &settings.output.dead_letters.clone().unwrap_or_default()]
    {
        broker.create_topic(topic, 1).map_err(|fault| unavailable(fault.to_string()))?;
    }
    let input = settings.input.topics.first().cloned().unwrap_or_default();
    broker.create_topic(&input, PARTITIONS).map_err(|fault| unavailable(fault.to_string()))?;
    start_logs(&settings.log, shared.color, &clock)?;
    let options = options(arguments, clock.wall());
    let paint = Paint::stdout(shared.color);
    print(&title(&settings, &options, arguments.count, paint), paint).map_err(output_fault)?;
    let mut running = start(&settings, &clock)?;
    wait_until_ready(&mut running, &*clock)?;
    let mut watch = Watch::open(&broker.address(), &settings.output.alerts, &options, paint)
        .map_err(|fault| unavailable(format!("read alerts: {fault}")))?;
    watch.expect(arguments.count);
    let started = clock.monotonic();
    let feed = Feed::start(&broker.address(), &input, options, arguments.count)
        .map_err(|fault| unavailable(format!("publish events: {fault}")))?;
    follow(&mut running, &feed, &mut watch, &*clock)?;
    let took = clock.monotonic().saturating_sub(started);
    feed.finish().map_err(|fault| unavailable(format!("publish events: {fault}")))?;
    let report = watch.report(arguments.count, &running, took);
    print(&report.text(paint), paint).map_err(output_fault)?;
    if arguments.stay {
        print(&addresses(&broker, &running), paint).map_err(output_fault)?;
        running.wait().map_err(|fault| failure(&fault))?;
    } else {
        end(running)?;
    }
    Ok(exit(&report))
}

/// Settings that were asked for and not heeded would make the demonstration claim what it did not
/// show, another guarantee for instance.
fn refuse(shared: &Shared) -> Result<(), Failure> {
    let asked = [("--set", shared.sets.is_empty()), ("-r/--rules", shared.rules.is_empty())];
    let asked = asked.into_iter().filter(|(_, is_absent)| !is_absent);
    let faults: Vec<String> = asked
        .map(|(option, _)| {
            format!(
                "{option} means nothing to demo, which has settings and a rule of its own (at-least-once, \
                 on an embedded broker without transactions); leave it out, or use run"
            )
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Failure::all(Exit::Configuration, faults)) }
}

const fn exit(report: &Report) -> Exit {
    if report.is_right() { Exit::Fine } else { Exit::Findings }
}

fn output_fault(fault: std::io::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("write to standard output: {fault}"))
}

/// The defaults, on the embedded broker, without a limit of alerts: every one is checked.
fn settings(brokers: &str) -> Settings {
    let mut settings = Settings::default();
    settings.kafka.brokers = brokers.to_owned();
    settings.input.protocol = GroupProtocol::Consumer;
    // The embedded broker answers a fetch that met an empty log only when its wait is over.
    settings.kafka.librdkafka.insert("fetch.wait.max.ms".to_owned(), "5".to_owned());
    settings.http.listen = Some(([127, 0, 0, 1], 0).into());
    settings.log.level = "warn".to_owned();
    let unlimited = RuleOverride { max_signals: Some(0), ..RuleOverride::default() };
    settings.rule_overrides = BTreeMap::from([(RULE_ID.to_owned(), unlimited)]);
    settings
}

/// Events that end now, a millisecond apart.
fn options(arguments: &DemoArguments, now: Timestamp) -> Options {
    let length = i64::try_from(arguments.count).unwrap_or(i64::MAX);
    let start = Timestamp::from_millis(now.as_millis().saturating_sub(length));
    Options { seed: arguments.seed, start, ..Options::default() }
}

fn start(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Running, Failure> {
    let stage = Stage {
        settings: settings.clone(),
        rules: Arc::new(the_rule(settings)?),
        exceptions: Arc::new(Exceptions::default()),
        clock: Arc::clone(clock),
        version: version::VERSION,
        commit: version::COMMIT,
    };
    driver::start(stage, Signals::Heard).map_err(|fault| failure(&fault))
}

fn the_rule(settings: &Settings) -> Result<RuleSet, Failure> {
    let texts = rules::shipped();
    let one: Vec<_> = texts.into_iter().filter(|text| text.text.contains(RULE_ID)).collect();
    let overrides = rules::overrides(settings)?;
    rule::load(&one, &overrides).map_err(|faults| {
        Failure::all(Exit::Rules, faults.iter().map(ToString::to_string).collect())
    })
}

fn wait_until_ready(running: &mut Running, clock: &dyn Clock) -> Result<(), Failure> {
    let until = clock.monotonic() + PATIENCE;
    while !running.is_ready() {
        supervise(running)?;
        if clock.monotonic() > until {
            let seconds = PATIENCE.as_secs();
            let what = format!("form a consumer group on the embedded broker within {seconds} s");
            return Err(Failure::new(Exit::Unavailable, what));
        }
    }
    Ok(())
}

/// Looks after the stage for a moment; one that ends by itself or is told to ends this as well.
fn supervise(running: &mut Running) -> Result<(), Failure> {
    match running.supervise(LOOK) {
        Phase::Running => Ok(()),
        Phase::Over(Ok(())) => {
            Err(Failure::new(Exit::Unavailable, "stopped before the demonstration was over"))
        }
        Phase::Over(Err(fault)) => Err(failure(&fault)),
    }
}

/// Shows alerts as they come, until every event is judged and every alert has come.
fn follow(
    running: &mut Running,
    feed: &Feed,
    watch: &mut Watch,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let mut progress = Progress::new("events", feed.total());
    let mut quiet_since = clock.monotonic();
    let mut judged = 0;
    loop {
        supervise(running)?;
        feed.judged(running.totals().records());
        let fresh = watch
            .poll()
            .map_err(|fault| Failure::new(Exit::Unavailable, format!("read alerts: {fault}")))?;
        for card in fresh.cards {
            progress.clear();
            print(&card, watch.paint()).map_err(output_fault)?;
        }
        let now = running.totals().records();
        progress.at(now);
        if now > judged || fresh.alerts > 0 {
            (judged, quiet_since) = (now, clock.monotonic());
        }
        let is_complete = now >= feed.total() && watch.alerts() >= watch.expected();
        if is_complete || clock.monotonic() > quiet_since + PATIENCE {
            progress.finish();
            return Ok(());
        }
    }
}

fn end(mut running: Running) -> Result<(), Failure> {
    running.stop();
    running.wait().map_err(|fault| failure(&fault))
}

fn title(settings: &Settings, options: &Options, count: u64, paint: Paint) -> String {
    format!(
        "{}\n{count} generated Okta events, seed {}, {} resets of all MFA factors among them\n\
         topic {} ({PARTITIONS} partitions) → ouzel run → topic {}, on an embedded broker\n\n",
        paint.paint(Color::Bold, "Ouzel: the main job, in one process"),
        options.seed,
        options.hits_in(count),
        settings.input.topics.join(", "),
        settings.output.alerts,
    )
}

fn addresses(broker: &EmbeddedBroker, running: &Running) -> String {
    let metrics = running.address().map_or_else(String::new, |address| {
        format!("  metrics  http://{address}/metrics\n  rules    http://{address}/rules\n")
    });
    format!("still running, until interrupted (Ctrl-C)\n  broker   {}\n{metrics}", broker.address())
}
