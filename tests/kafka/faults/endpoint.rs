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

/// Records a second: what one core carries with room to spare, also while brokers, feed and crowd
/// want theirs of the same machine. At full speed the crowd would be measured, not the stage.
const RATE: u64 = 2_000;
/// As long as each scraper takes to have come by once.
const RECORDS: u64 = RATE * EVERY.as_secs();
const SCRAPERS: usize = 1_000;
/// Each scraper asks once in so long, as Prometheus does by default.
const EVERY: Duration = Duration::from_secs(15);
/// Connections that send a byte of their request now and then.
const SLOW_CLIENTS: usize = 200;
/// The rate with the crowd, of the rate without.
const SHARE_MIN: f64 = 0.95;

/// The same feed is read with and without the crowd, and must be read as fast.
pub fn scrapers(broker: &Broker) -> Result<String, String> {
    let crowd = Crowd::default();
    let alone = rate(broker, "scrapers-alone", None)?;
    let crowded = rate(broker, "scrapers-crowd", Some(&crowd))?;
    let (served, refused) =
        (crowd.served.load(Ordering::Relaxed), crowd.refused.load(Ordering::Relaxed));
    let share = crowded / alone;
    let seen = format!(
        "{alone:.0} records a second alone, {crowded:.0} with {SCRAPERS} scrapers and \
         {SLOW_CLIENTS} slow clients ({:.0} %); {served} scrapes served, {refused} not",
        share * 100.0
    );
    if share < SHARE_MIN || served < SCRAPERS / 2 || refused > served / 100 {
        Err(seen)
    } else {
        Ok(seen)
    }
}

/// How fast the feed is read.
fn rate(broker: &Broker, name: &str, crowd: Option<&Crowd>) -> Result<f64, String> {
    let brokers = broker.plaintext();
    let setup = Setup::named(name, &brokers);
    setup.create_topics(&brokers, 4)?;
    let over = AtomicBool::new(false);
    let mut stage = stage::start(&broker.folder_for(name)?, "stage", &setup)?;
    let address = stage.http().to_owned();
    std::thread::scope(|threads| {
        if let Some(crowd) = crowd {
            threads.spawn(|| crowd.scrape(&address, &over));
            threads.spawn(|| crowd.dawdle(&address, &over));
        }
        let started = Instant::now();
        let fed = Plan::new(&brokers, name, RECORDS).at_rate(RATE).send();
        let done = fed.and_then(|_| history::wait_for_end(&brokers, name, name, MINUTES));
        let took = started.elapsed();
        over.store(true, Ordering::Relaxed);
        done?;
        stage.is_alive()?;
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
