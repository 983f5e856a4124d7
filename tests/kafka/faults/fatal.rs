//! Row 17: an error that the client library cannot go on from.

use std::time::Duration;

use super::MINUTES;
use crate::broker::Broker;
use crate::feed::Plan;
use crate::history;
use crate::stage::{self, Setup};

/// Two stages under one static name: the first is shut out of the group, which is fatal to its
/// client. It must end with 4 and say why; the second goes on, and nothing is lost.
pub fn fenced(broker: &Broker) -> Result<String, String> {
    let name = "fenced";
    let brokers = broker.plaintext();
    let mut setup = Setup::mortal(name, &brokers);
    setup.input += "instance_id = \"same\"\nworkers = 1\n";
    setup.create_topics(&brokers, 2)?;
    let folder = broker.folder_for(name)?;
    let mut first = stage::start(&folder, "first", &setup)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(1_000).start();
    first.wait_for_records(1_000, MINUTES)?;
    let mut second = stage::start(&folder, "second", &setup)?;
    let status = first.ended(Duration::from_secs(60))?;
    let said = first.logged();
    if status.code() != Some(4) || !said.contains("fenced") {
        return Err(format!("ended with {status}, and said:\n{said}"));
    }
    let judged = second.metric("ouzel_records_total", "")? as u64;
    second.wait_for_records(judged + 1_000, MINUTES)?;
    feed.stop()?;
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    second.is_alive()?;
    second.stop()?;
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!("the first ended with 4 and said so, the second went on; {seen}"))
}
