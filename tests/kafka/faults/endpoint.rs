//! Row 15: a thousand scrapers, and clients that never finish their request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::MINUTES;
use crate::broker::Broker;
use crate::feed::Plan;
use crate::history;
use crate::stage::{self, Setup};

const RECORDS: u64 = 100_000;
const SCRAPERS: usize = 1_000;
/// Each scraper asks once in so long, as Prometheus does by default.
const EVERY: Duration = Duration::from_secs(15);
/// Connections that send a byte of their request now and then.
const SLOW_CLIENTS: usize = 200;
/// The rate with scrapers, of the rate without: what two cores that also run the broker and the
/// scrapers leave as noise.
const SHARE_MIN: f64 = 0.85;

/// A backlog is read with and without the crowd, in turn; the best of each is compared.
pub fn scrapers(broker: &Broker) -> Result<String, String> {
    let name = "scrapers";
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    Plan::new(&brokers, name, RECORDS).send()?;
    let crowd = Crowd::default();
    let (mut alone, mut crowded) = (0.0_f64, 0.0_f64);
    for round in 0..3 {
        alone = alone.max(rate(broker, &setup, &format!("alone-{round}"), None)?);
        crowded = crowded.max(rate(broker, &setup, &format!("crowd-{round}"), Some(&crowd))?);
    }
    let (served, refused) =
        (crowd.served.load(Ordering::Relaxed), crowd.refused.load(Ordering::Relaxed));
    let share = crowded / alone;
    let seen = format!(
        "{alone:.0} records a second alone, {crowded:.0} with {SCRAPERS} scrapers and \
         {SLOW_CLIENTS} slow clients ({:.0} %); {served} scrapes served, {refused} not",
        share * 100.0
    );
    if share < SHARE_MIN || served < SCRAPERS {
        return Err(seen);
    }
    Ok(seen)
}

/// How fast a new group reads the backlog.
fn rate(broker: &Broker, setup: &Setup, group: &str, crowd: Option<&Crowd>) -> Result<f64, String> {
    let brokers = broker.plaintext();
    let setup = Setup { group: format!("scrapers-{group}"), ..setup.clone() };
    let over = AtomicBool::new(false);
    let mut stage = stage::spawn(&broker.folder_for("scrapers")?, group, &setup)?;
    let address = stage.http().to_owned();
    std::thread::scope(|threads| {
        if let Some(crowd) = crowd {
            threads.spawn(|| crowd.scrape(&address, &over));
            threads.spawn(|| crowd.dawdle(&address, &over));
        }
        let started = Instant::now();
        let done = history::wait_for_end(&brokers, &setup.group, "scrapers", MINUTES);
        let took = started.elapsed();
        // The crowd stays until all of it has been there once.
        let stays = crowd.map_or(Duration::ZERO, |_| EVERY);
        std::thread::sleep(stays.saturating_sub(took));
        let alive = stage.is_alive();
        over.store(true, Ordering::Relaxed);
        done?;
        alive?;
        stage.stop()?;
        Ok(RECORDS as f64 / took.as_secs_f64())
    })
}

#[derive(Default)]
struct Crowd {
    served: AtomicUsize,
    refused: AtomicUsize,
}

impl Crowd {
    /// As a thousand scrapers do together: one asks after the other, evenly, in threads enough to
    /// have some of them wait.
    fn scrape(&self, address: &str, over: &AtomicBool) {
        let pause = EVERY / u32::try_from(SCRAPERS).unwrap_or(u32::MAX);
        std::thread::scope(|threads| {
            while !over.load(Ordering::Relaxed) {
                std::thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(threads, || {
                        let counter = if scrape(address) { &self.served } else { &self.refused };
                        counter.fetch_add(1, Ordering::Relaxed);
                    })
                    .map(drop)
                    .unwrap_or_default();
                std::thread::sleep(pause);
            }
        });
    }

    /// Opens connections and sends a byte of a request a second on each, and never an end.
    fn dawdle(&self, address: &str, over: &AtomicBool) {
        let mut open: Vec<TcpStream> = Vec::new();
        while !over.load(Ordering::Relaxed) {
            open.retain_mut(|stream| stream.write_all(b"x").is_ok());
            while open.len() < SLOW_CLIENTS {
                let Ok(mut stream) = TcpStream::connect(address) else { break };
                if stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").is_err() {
                    break;
                }
                open.push(stream);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

fn scrape(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    drop(stream.set_read_timeout(Some(Duration::from_secs(15))));
    let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
