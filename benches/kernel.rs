//! What does one look at a clean event cost, against reading its bytes and doing nothing? Cold data:
//! every run goes over the whole corpus, which is larger than the caches. CPU time, so that a busy
//! machine disturbs less.
//!
//! `cargo bench --bench kernel [-- --megabytes N --runs N]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[expect(dead_code, reason = "each bench uses its part")]
mod support;

use std::hint::black_box;

use memchr::memmem;
use ouzel::detect::kernel::{Found, Kernel, Look};
use ouzel::generate::Options;
use support::{Plan, corpus, median, thread_seconds};

const LITERAL: &str = "user.mfa.factor.reset_all";

/// One way to look at an event; says whether it might be a hit.
type Way<'a> = (&'static str, Box<dyn Fn(&[u8]) -> bool + 'a>);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plan = Plan::from(&arguments);
    let corpus = corpus(&Options { hits_permille: 0, ..Options::default() }, plan.megabytes);
    let bytes = std::fs::read(&corpus.path).expect("the corpus was just made");
    let events: Vec<&[u8]> =
        bytes.split(|byte| *byte == b'\n').filter(|event| !event.is_empty()).collect();
    let hides =
        |byte: u8| LITERAL.bytes().chain(*b"\\u0123456789abcdefABCDEF").any(|own| own == byte);
    let kernel = Kernel::new(&[LITERAL.as_bytes()], hides).expect("the literal is ASCII");
    let literal = memmem::Finder::new(LITERAL);
    let escape = memmem::Finder::new("\\u00");
    let ways: [Way<'_>; 5] = [
        ("read every byte", Box::new(|event| read_every_byte(event) == 0)),
        (
            "memmem literal, memmem \\u00",
            Box::new(|event| literal.find(event).is_some() || escape.find(event).is_some()),
        ),
        ("filter", Box::new(|event| kernel.scan(event, Look::Filter) == Found::Candidate)),
        (
            "filter and envelope",
            Box::new(|event| kernel.scan(event, Look::FilterAndEnvelope) == Found::Candidate),
        ),
        ("std UTF-8", Box::new(|event| std::str::from_utf8(event).is_err())),
    ];
    let mut nanoseconds = vec![Vec::new(); ways.len()];
    for _ in 0..plan.runs {
        for ((_, way), spent) in ways.iter().zip(&mut nanoseconds) {
            let before = thread_seconds();
            let found = events.iter().filter(|event| way(black_box(event))).count();
            spent.push((thread_seconds() - before) * 1e9 / events.len() as f64);
            assert_eq!(black_box(found), 0, "the corpus is clean");
        }
    }
    let average = bytes.len() / events.len();
    println!(
        "{} clean raw events of {average} bytes, {} runs, interleaved, medians of CPU time",
        events.len(),
        plan.runs
    );
    let baseline = nanoseconds.first().cloned().unwrap_or_default();
    for ((name, _), spent) in ways.iter().zip(&nanoseconds) {
        let share = median(baseline.iter().zip(spent).map(|(read, own)| read / own));
        let own = median(spent.iter().copied());
        println!(
            "  {name:<28} {own:>6.0} ns   {:>5.1} GB/s   {share:.2} of reading",
            average as f64 / own
        );
    }
}

/// Reads and folds every byte, as fast as plain code does it: the compiler uses vectors here.
fn read_every_byte(event: &[u8]) -> u8 {
    let (chunks, rest) = event.as_chunks::<64>();
    let mut folded = [0_u8; 64];
    for chunk in chunks {
        for (fold, byte) in folded.iter_mut().zip(chunk) {
            *fold |= byte;
        }
    }
    folded.iter().chain(rest).fold(0, |fold, byte| fold | byte)
}
