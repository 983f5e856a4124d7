//! Exactly-once over all targets of alerts: what is past a limit and what an exception hides are in
//! the transaction as well.
//!
//! Every reset must be in one place: on the audit topic where the exception holds for it, which is
//! decided here from the input alone, else on the alert topic or, past the limit, the overflow
//! topic. How many go where depends on the kills, since a limit begins anew with each start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::message::Message;

use super::broker::Broker;
use super::client::{self, Isolation};
use super::feed::{ALERT, EXPECTED, Plan};
use super::history::{self, text_header};
use super::seed::Random;
use super::stage::{self, Setup, Stage};

const MINUTES: Duration = Duration::from_secs(120);

/// Long enough that a kill nearly always meets a transaction with outputs in it.
const DELIVERY: &str = "transaction_interval_ms = 700\ntransaction_timeout_ms = 20000\n\
     message_timeout_ms = 1500\n";

/// Resets by these are hidden: by the first letter of the login of who did it.
const HIDDEN: [char; 5] = ['a', 'e', 'i', 'j', 'l'];

/// Three kills.
pub fn kills(broker: &Broker) -> Result<String, String> {
    check(broker, "exactly-once-targets", (3, Duration::ZERO))
}

/// More of them, and a broker that does not answer until outputs have timed out in between.
pub fn kills_and_silence(broker: &Broker) -> Result<String, String> {
    check(broker, "exactly-once-targets-long", (10, Duration::from_secs(4)))
}

/// The topics of outputs.
struct Targets {
    alerts: String,
    overflow: String,
    audit: String,
}

fn setup(broker: &Broker, name: &str) -> Result<(Setup, Targets), String> {
    let brokers = broker.plaintext();
    let exceptions = broker.folder_for(name)?.join("exceptions.toml");
    let logins: Vec<String> = HIDDEN.iter().map(|letter| format!("{letter}*")).collect();
    let text = format!(
        "[[exception]]\nid = \"desk\"\nowner = \"suite\"\nreason = \"so that some are hidden\"\n\
         query = 'okta.actor.alternate_id:({})'\n",
        logins.join(" or ")
    );
    std::fs::write(&exceptions, text).map_err(|fault| fault.to_string())?;
    let mut setup = Setup::exactly_once(name, &brokers, "a", DELIVERY);
    let (overflow, audit) = (format!("{name}-overflow"), format!("{name}-audit"));
    setup.head = format!("exceptions = [{:?}]\n", exceptions.display().to_string());
    setup.limit = 50;
    setup.output = format!("overflow = {overflow:?}\naudit = {audit:?}\n");
    setup.create_topics(&brokers, 4)?;
    client::create_topics(&brokers, &[(&overflow, 2), (&audit, 2)])?;
    let targets = Targets { alerts: setup.alerts.clone(), overflow, audit };
    Ok((setup, targets))
}

fn check(broker: &Broker, name: &str, (kills, silence): (u64, Duration)) -> Result<String, String> {
    let brokers = broker.plaintext();
    let (setup, targets) = setup(broker, name)?;
    let folder = broker.folder_for(name)?;
    let plan = Plan { hits_permille: 100, ..Plan::new(&brokers, name, u64::MAX) };
    let feed = plan.at_rate(2_000).start();
    let mut random = Random::of(name);
    let work = |stage: &Stage| {
        let judged = stage.metric("ouzel_records_total", "").unwrap_or_default() as u64;
        stage.wait_for_records(judged + 2_000, MINUTES)
    };
    for _ in 0..kills {
        let stage = stage::start(&folder, "killed", &setup)?;
        work(&stage)?;
        // The moment of the fault is what is random here.
        std::thread::sleep(random.time_below(Duration::from_millis(700)));
        stage.kill()?;
    }
    let mut last = stage::start(&folder, "last", &setup)?;
    work(&last)?;
    if !silence.is_zero() {
        broker.node.signal(Signal::SIGSTOP)?;
        // The fault is that nothing answers for so long.
        std::thread::sleep(silence);
        broker.node.signal(Signal::SIGCONT)?;
        work(&last)?;
    }
    let fed = feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    last.is_alive()?;
    last.stop()?;
    let seen = judge(&brokers, name, (&targets, kills))?;
    Ok(format!("{kills} kills, broker silent for {silence:?}, {fed} records fed; {seen}"))
}

/// The ids of the resets in `topic`: those that an exception hides, and the others.
fn expected(brokers: &str, topic: &str) -> Result<[BTreeSet<String>; 2], String> {
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    client::read(brokers, topic, |message| {
        let payload = message.payload().unwrap_or_default();
        let event = serde_json::from_slice::<serde_json::Value>(payload).unwrap_or_default();
        let login = event.pointer("/actor/alternateId").and_then(|login| login.as_str());
        let is_hidden = login.is_some_and(|login| login.starts_with(HIDDEN));
        if text_header(message, EXPECTED).as_deref() == Some(ALERT)
            && let Some(id) = history::alert_id(payload)
        {
            found[usize::from(!is_hidden)].insert(id);
        }
    })?;
    Ok(found)
}

/// How often each alert stands in `topic`, by id; and how many notices do.
fn count(
    brokers: &str,
    topic: &str,
    isolation: Isolation,
) -> Result<(BTreeMap<String, usize>, usize), String> {
    let (mut alerts, mut notices) = (BTreeMap::new(), 0);
    client::read_with(brokers, topic, isolation, |message| {
        let id = text_header(message, "ouzel.alert.id").unwrap_or_default();
        match text_header(message, "ouzel.notice") {
            Some(_) => notices += 1,
            None => *alerts.entry(id).or_default() += 1,
        }
    })?;
    Ok((alerts, notices))
}

fn judge(brokers: &str, input: &str, (targets, kills): (&Targets, u64)) -> Result<String, String> {
    let [hidden, shown] = expected(brokers, input)?;
    let topics = [&targets.alerts, &targets.overflow, &targets.audit];
    let (mut places, mut torn) = (Vec::new(), 0);
    let mut notices = 0;
    for topic in topics {
        let (committed, told) = count(brokers, topic, Isolation::Committed)?;
        let (all, _) = count(brokers, topic, Isolation::Uncommitted)?;
        if let Some((id, times)) = committed.iter().find(|(_, times)| **times != 1) {
            return Err(format!("{topic}: {id} stands there {times} times"));
        }
        if let Some(id) = committed.keys().find(|id| !all.contains_key(*id)) {
            return Err(format!("{topic}: only a reader of committed records sees {id}"));
        }
        let of_aborted = all.values().sum::<usize>() - committed.len();
        torn += if *topic == targets.alerts { 0 } else { of_aborted };
        notices += told;
        places.push(committed.into_keys().collect::<BTreeSet<String>>());
    }
    let [alerts, overflow, audit] = &places[..] else { return Err("three topics".to_owned()) };
    if *audit != hidden {
        let difference = audit.symmetric_difference(&hidden).count();
        return Err(format!("audit: {difference} of {} lost or not to be there", hidden.len()));
    }
    if let Some(id) = alerts.intersection(overflow).next() {
        return Err(format!("{id} is an alert and stands on the overflow topic as well"));
    }
    let both: BTreeSet<String> = alerts.union(overflow).cloned().collect();
    if both != shown {
        let difference = both.symmetric_difference(&shown).count();
        return Err(format!("{difference} of {} alerts lost or invented", shown.len()));
    }
    // A start begins its limits anew, and so tells again; windows of five minutes may end meanwhile.
    let told_most = 2 * (kills as usize + 1);
    let (over, excepted) = (overflow.len(), audit.len());
    if torn == 0 || over == 0 || excepted == 0 || notices == 0 || notices > told_most {
        return Err(format!(
            "this shows little: {torn} outputs of aborted transactions, {over} past the limit, \
             {excepted} hidden, {notices} notices of at most {told_most}"
        ));
    }
    Ok(format!(
        "{} alerts, {over} on overflow, {excepted} on audit, each once and in one place; {torn} more \
         on overflow and audit in aborted transactions, seen by a reader of uncommitted records only",
        alerts.len()
    ))
}
