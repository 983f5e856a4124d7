//! Row 16: a full backlog and outputs that do not get away stay within the documented memory.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::MINUTES;
use crate::broker::Broker;
use crate::feed::Plan;
use crate::history;
use crate::proxy::Fault;
use crate::stage::{self, Setup};

const RECORDS: u64 = 60_000;

/// What two workers may need with everything full; docs/OPERATIONS.md has the sum.
const MEMORY_MIB_MAX: u64 = 512;

/// How long everything stays full.
const FULL_FOR: Duration = Duration::from_secs(20);

/// A control group of the kernel with a bound on memory; removed when dropped.
struct Bounded(PathBuf);

impl Bounded {
    /// `None` where this machine does not let us make one.
    fn new(mebibytes: u64) -> Option<Self> {
        let name = format!("ouzel-suite-{}", std::process::id());
        let places =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        places.into_iter().find_map(|(place, bound)| {
            let group = Self(PathBuf::from(place).join(&name));
            fs::create_dir(&group.0).ok()?;
            fs::write(group.0.join(bound), (mebibytes << 20).to_string()).ok()?;
            Some(group)
        })
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

/// Every record is a hit, and the outputs go over a silent line: what can fill up is full. Then
/// the line is there again.
pub fn backlog(broker: &Broker) -> Result<String, String> {
    let name = "backlog";
    let brokers = broker.plaintext();
    let mut setup = Setup::named(name, &brokers);
    setup.input = "workers = 2\n".to_owned();
    setup.more = format!("[output.kafka]\nbrokers = {:?}\n", broker.proxied());
    setup.create_topics(&brokers, 4)?;
    let plan =
        Plan { hits_permille: 1000, broken_permille: 0, ..Plan::new(&brokers, name, RECORDS) };
    plan.send()?;
    let group = Bounded::new(MEMORY_MIB_MAX);
    let enter = group
        .as_ref()
        .map(|group| format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.0.display()));
    let wrapper = enter.as_ref().map_or(vec![], |enter| vec!["sh", "-c", enter, "sh"]);
    let folder = broker.folder_for(name)?;
    let mut stage = stage::spawn_under(&wrapper, &folder, "stage", &setup)?.until_ready()?;
    let silent = broker.proxy.put(Fault::HalfOpen);
    let full_at = Instant::now();
    let mut most = 0;
    let mut in_flight = 0.0_f64;
    while full_at.elapsed() < FULL_FOR {
        std::thread::sleep(Duration::from_millis(200));
        stage.is_alive()?;
        most = most.max(stage.memory()?.0);
        in_flight = in_flight.max(stage.metric("ouzel_in_flight_outputs", "")?);
    }
    let full = most;
    drop(silent);
    history::wait_for_end(&brokers, name, name, MINUTES)?;
    stage.is_alive()?;
    most = most.max(stage.memory()?.0);
    stage.stop()?;
    let how =
        if group.is_some() { "in a control group" } else { "measured, no control group here" };
    if most > MEMORY_MIB_MAX {
        return Err(format!("{most} MiB resident, at most {MEMORY_MIB_MAX} are documented"));
    }
    let seen = history::only_repeats(&setup.topics(&brokers), Vec::new())?;
    Ok(format!(
        "{in_flight} outputs in flight for {FULL_FOR:?}: {full} MiB while full, {most} at most, of \
         {MEMORY_MIB_MAX} ({how}); {seen}"
    ))
}
