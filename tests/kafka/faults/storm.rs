//! Row 6: members of the group come and go without end.

use std::time::{Duration, Instant};

use super::MINUTES;
use crate::broker::Broker;
use crate::feed::Plan;
use crate::history::{self, AtRest};
use crate::seed::Random;
use crate::stage::{self, Setup, Stage};

/// For twenty seconds.
pub fn short(broker: &Broker) -> Result<String, String> {
    storm(broker, "storm", Duration::from_secs(20))
}

/// For three minutes.
pub fn long(broker: &Broker) -> Result<String, String> {
    storm(broker, "storm-long", Duration::from_secs(180))
}

/// One member stays; every second another one comes or goes, by a signal or by a kill.
fn storm(broker: &Broker, name: &str, long: Duration) -> Result<String, String> {
    let brokers = broker.plaintext();
    let mut setup = Setup::mortal(name, &brokers);
    // One worker each: the members are what comes and goes.
    setup.input += "workers = 1\n";
    setup.create_topics(&brokers, 6)?;
    let folder = broker.folder_for(name)?;
    let mut random = Random::of(name);
    let mut stays = stage::start(&folder, "stays", &setup)?;
    let feed = Plan::new(&brokers, name, u64::MAX).at_rate(1_000).start();
    let mut others: Vec<Stage> = Vec::new();
    let mut commits = Vec::new();
    let (mut came, mut left, mut killed) = (0, 0, 0);
    let until = Instant::now() + long;
    while Instant::now() < until {
        let leaves = others.len() >= 3 || (!others.is_empty() && random.below(2) == 0);
        if leaves {
            let one =
                others.swap_remove(usize::try_from(random.below(others.len() as u64)).unwrap_or(0));
            if random.below(3) == 0 {
                one.kill()?;
                killed += 1;
            } else {
                one.leave()?;
                left += 1;
            }
        } else {
            came += 1;
            others.push(stage::spawn(&folder, &format!("comes-{came}"), &setup)?);
        }
        commits.push(setup.topics(&brokers).commits(name, AtRest::No)?);
        std::thread::sleep(random.time_below(Duration::from_secs(2)));
    }
    let progress: i64 = commits.last().map_or(0, |last| last.committed.values().sum());
    let fed = feed.stop()?;
    for one in others {
        one.leave()?;
    }
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    let rebalances = stays.metric("ouzel_rebalances_total", "")?;
    stays.is_alive()?;
    stays.stop()?;
    if progress == 0 {
        return Err("nothing was committed while members came and went".to_owned());
    }
    let seen = history::only_repeats(&setup.topics(&brokers), commits)?;
    Ok(format!(
        "{came} came, {left} left, {killed} were killed, {rebalances} rebalances; {progress} of \
         {fed} records committed meanwhile; {seen}"
    ))
}
