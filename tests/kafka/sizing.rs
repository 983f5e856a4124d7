//! What a stage needs: resident memory and open files by partitions, the figures of
//! docs/OPERATIONS.md. A build that is not optimised needs more.

use std::time::Duration;

use super::broker::Broker;
use super::feed::Plan;
use super::proxy::Fault;
use super::stage::{self, Setup};
use super::{history, seed};

/// One partition, and what most and what large topics have; and workers.
const SIZES: [(i32, u32); 4] = [(1, 1), (64, 1), (256, 1), (256, 2)];
/// Enough that every queue has been full once: the feed is there before the stage.
const RECORDS: u64 = 60_000;
/// What the document says, for each worker and besides.
const MEMORY_MIB: (u64, u64) = (32, 32);
/// What a build that is not optimised may need besides.
const UNOPTIMISED_MIB: u64 = if cfg!(debug_assertions) { 32 } else { 0 };
const MINUTES: Duration = Duration::from_secs(300);
const FILES_MAX: usize = 64;
/// Bytes a second for the outputs: about twenty alerts.
const SLOW: u64 = 100 << 10;

/// Reads the same backlog from topics with more and more partitions, while alerts get away slowly.
pub fn by_partitions(broker: &Broker) -> Result<String, String> {
    let brokers = broker.plaintext();
    let mut seen = Vec::new();
    for (partitions, workers) in SIZES {
        let name = format!("sizing-{partitions}-{workers}");
        let mut setup = Setup::named(&name, &brokers);
        setup.input = format!("workers = {workers}\n");
        setup.more = format!("[output.kafka]\nbrokers = {:?}\n", broker.proxied());
        setup.create_topics(&brokers, partitions)?;
        let plan = Plan::new(&brokers, &name, RECORDS).seeded(seed::seed());
        Plan { hits_permille: 5, broken_permille: 0, ..plan }.send()?;
        let stage = stage::start(&broker.folder_for(&name)?, "stage", &setup)?;
        let slow = broker.proxy.put(Fault::Throttle(SLOW));
        stage.wait_for_records(RECORDS, MINUTES)?;
        let files = stage.open_files()?;
        drop(slow);
        history::wait_for_end(&brokers, &name, &name, MINUTES)?;
        let (most, now) = stage.memory()?;
        stage.stop()?;
        seen.push(format!(
            "{partitions} partitions, {workers} workers: {most} MiB at most, {now} at the end, {files} files"
        ));
        let bound = MEMORY_MIB.0 * u64::from(workers) + MEMORY_MIB.1 + UNOPTIMISED_MIB;
        if most > bound || files > FILES_MAX {
            return Err(format!("{} (of {bound} MiB, {FILES_MAX} files)", seen.join("; ")));
        }
    }
    Ok(seen.join("; "))
}
