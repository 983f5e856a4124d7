//! The levels of the pass: AVX-512, AVX2 and SSE2, or NEON, and portable, chosen once at run time.
//!
//! With the two files below it one of the two places of this crate with `unsafe` (the other is
//! `kafka/commit_queue.rs`): vector loads at places that the body has checked, and calls of functions
//! that need a feature which was detected. All levels run the same body. In masks of 64 bits, bit *k* stands for byte *k* of the
//! block.

#![expect(unsafe_code, reason = "vector loads and calls behind feature detection; see each SAFETY")]

use super::envelope::{Masks, Rare, SHORTEST, State, carefully, padded, prefix_xor};
use super::{Found, Kernel, Look, NEEDLES_MAX};

/// Bytes looked at in one step.
pub(super) const BLOCK: usize = 64;

/// How far ahead of the block the payload is asked for. On cold payloads 512 bytes were as fast as
/// none or faster, 1 to 4 KiB up to a fifth slower (EPYC, 2026-11-25); processors that do not fetch
/// ahead across pages by themselves need it more.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 512;

/// Which instructions the pass uses. A level other than portable is only made by detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Sse2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Level {
    /// The best level that this processor has.
    pub(super) fn detect() -> Self {
        let all = Self::available();
        all.first().copied().unwrap_or(Self::Portable)
    }

    /// Every level that this processor has, best first; portable is the last one.
    pub(super) fn available() -> Vec<Self> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let shared = is_x86_feature_detected!("pclmulqdq")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2");
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if shared && wide {
                levels.push(Self::Avx512);
            }
            if shared && is_x86_feature_detected!("avx2") {
                levels.push(Self::Avx2);
            }
            levels.push(Self::Sse2);
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(Self::Neon);
        levels.push(Self::Portable);
        levels
    }
}

/// Calls a level's function for the kernel's number of needles: a loop that is unrolled, over pairs
/// that stay in registers, is what keeps the filter at the speed of reading.
macro_rules! by_size {
    ($level:path, $kernel:expr, $payload:expr, $look:expr) => {{
        use $level as level;
        match ($kernel.needles.len(), $look) {
            (0, Look::Filter) => level::<0, false>($kernel, $payload),
            (0, Look::FilterAndEnvelope) => level::<0, true>($kernel, $payload),
            (1, Look::Filter) => level::<1, false>($kernel, $payload),
            (1, Look::FilterAndEnvelope) => level::<1, true>($kernel, $payload),
            (2, Look::Filter) => level::<2, false>($kernel, $payload),
            (2, Look::FilterAndEnvelope) => level::<2, true>($kernel, $payload),
            (4, Look::Filter) => level::<4, false>($kernel, $payload),
            (4, Look::FilterAndEnvelope) => level::<4, true>($kernel, $payload),
            (_, Look::Filter) => level::<NEEDLES_MAX, false>($kernel, $payload),
            (_, Look::FilterAndEnvelope) => level::<NEEDLES_MAX, true>($kernel, $payload),
        }
    }};
}

/// Runs the pass on the kernel's level.
#[inline]
pub(super) fn scan(kernel: &Kernel, payload: &[u8], look: Look) -> Found {
    match kernel.level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            // SAFETY: this level is only made after its features were detected.
            unsafe { by_size!(x86::avx512, kernel, payload, look) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            // SAFETY: this level is only made after its features were detected.
            unsafe { by_size!(x86::avx2, kernel, payload, look) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Sse2 => {
            // SAFETY: SSE2 is part of every x86-64 target.
            unsafe { by_size!(x86::sse2, kernel, payload, look) }
        }
        #[cfg(target_arch = "aarch64")]
        Level::Neon => {
            // SAFETY: NEON is part of every aarch64 target that has a standard library.
            unsafe { by_size!(neon::neon, kernel, payload, look) }
        }
        Level::Portable => by_size!(portable, kernel, payload, look),
    }
}

/// The body of every level, for `$N` needles. `$Block` has what the levels below have; the body
/// stands in a function that has the features which those need.
///
/// ```text
/// text   ├──64──┼──64──┼─ … ─┼──64──┼─ 0 to 63 ─┤
/// filter   pairs that begin here … ─┤            the rest: two blocks counted from the end
/// check    blocks … ────────────────┤ ├──64──────┤ the last one, bytes that were seen shifted out
/// ```
macro_rules! pass {
    ($Block:ty, $kernel:expr, $payload:expr, $N:expr, $ENVELOPE:expr) => {{
        let (kernel, payload): (&Kernel, &[u8]) = ($kernel, $payload);
        let short;
        let text: &[u8] = if payload.len() < SHORTEST {
            short = padded(payload);
            &short
        } else {
            payload
        };
        // The caller chose this function by the number of needles.
        let Some(needles) = kernel.needles.first_chunk::<$N>() else { return Found::Candidate };
        let mut pairs = [(<$Block>::splat(0), <$Block>::splat(0), 0_usize); $N];
        for ((first, second, distance), needle) in pairs.iter_mut().zip(needles) {
            *first = <$Block>::splat(needle.first);
            *second = <$Block>::splat(needle.second);
            *distance = needle.distance as usize % BLOCK;
        }
        let (mut state, mut rare) = (State::new(), Rare::new());
        let mut at = 0;
        // Whether the block before was a plain one. Others come in a row: in text with quotes that are
        // escaped each is one, and two blocks at once would be looked at in vain.
        let mut is_calm = true;
        loop {
            // No call stands in the two inner loops: a call anywhere in them would keep what is
            // compared with in memory instead of in registers. First plain blocks, two a step.
            while <$Block>::HAS_ROOM && is_calm && at + BLOCK + SHORTEST <= text.len() {
                prefetch(text, at);
                prefetch(text, at + BLOCK);
                let (block, any) = pairs_at!($Block, text, at, &pairs, $ENVELOPE);
                let (next, more) = pairs_at!($Block, text, at + BLOCK, &pairs, $ENVELOPE);
                let mut special = <$Block>::or(any, more);
                if $ENVELOPE {
                    special = <$Block>::or_special(special, block);
                    special = <$Block>::or_special(special, next);
                }
                if <$Block>::is_any(special) {
                    break;
                }
                if $ENVELOPE {
                    envelope!($Block, state, block, 0);
                    envelope!($Block, state, next, 0);
                }
                at += 2 * BLOCK;
            }
            // Then blocks with short escapes, until a plain one.
            if <$Block>::HAS_ROOM && $ENVELOPE {
                is_calm = false;
                let mut escapes = rare.escapes;
                while !is_calm && at + SHORTEST <= text.len() {
                    prefetch(text, at);
                    let (block, any) = pairs_at!($Block, text, at, &pairs, $ENVELOPE);
                    let slashes = block.eq(b'\\');
                    let is_odd = <$Block>::is_any(<$Block>::or_odd(any, block));
                    if is_odd || escapes.unicode(slashes, block.eq(b'u')) != 0 {
                        break;
                    }
                    is_calm = slashes == 0;
                    let quotes = block.eq(b'"') & !escapes.take(slashes);
                    let inside = <$Block>::prefix_xor(quotes) ^ state.inside;
                    let (opened, closed) = block.brackets();
                    state.block(inside, opened, closed);
                    at += BLOCK;
                }
                rare.escapes = escapes;
                if is_calm {
                    continue;
                }
            }
            if at + SHORTEST > text.len() {
                break;
            }
            let (block, any) = pairs_at!($Block, text, at, &pairs, $ENVELOPE);
            if <$Block>::is_any(any) {
                // SAFETY: from `at` on, the text has two blocks.
                let is_candidate = unsafe { <$Block>::finds::<false>(kernel, (payload, text), at) };
                if is_candidate {
                    return Found::Candidate;
                }
            }
            if $ENVELOPE {
                // A pair alone asks for no careful look, and with keys each event has one.
                let special = <$Block>::or_special(<$Block>::none(), block);
                let is_special = <$Block>::is_any(special) || rare.escapes.is_pending();
                let place = (payload, at);
                envelope!($Block, kernel, place, (state, rare), (block, 0, is_special));
            }
            at += BLOCK;
        }
        // What is left is at least one block and less than two.
        let end = text.len() - BLOCK;
        // SAFETY: a text has at least two blocks, so one begins at `end - BLOCK` and one at `end`.
        let (before, last) =
            unsafe { (<$Block>::load(text, end - BLOCK), <$Block>::load(text, end)) };
        let mut any = <$Block>::none();
        for (first, second, distance) in &pairs {
            // SAFETY: a distance is below one block, so both lie between `end - BLOCK` and `end`.
            let (behind, begin) = unsafe {
                (<$Block>::load(text, end - BLOCK + distance), <$Block>::load(text, end - distance))
            };
            any = <$Block>::or_pair(any, (before, *first), (behind, *second));
            any = <$Block>::or_pair(any, (begin, *first), (last, *second));
        }
        if !$ENVELOPE {
            // SAFETY: as above, for a distance of 1.
            let (behind, begin) =
                unsafe { (<$Block>::load(text, end - BLOCK + 1), <$Block>::load(text, end - 1)) };
            let (slash, u) = (<$Block>::splat(b'\\'), <$Block>::splat(b'u'));
            any = <$Block>::or_pair(any, (before, slash), (behind, u));
            any = <$Block>::or_pair(any, (begin, slash), (last, u));
        }
        if <$Block>::is_any(any) {
            // SAFETY: from `end - BLOCK` on, the text has two blocks.
            let is_candidate =
                unsafe { <$Block>::finds::<true>(kernel, (payload, text), end - BLOCK) };
            if is_candidate {
                return Found::Candidate;
            }
        }
        if !$ENVELOPE {
            return Found::Clean;
        }
        // SAFETY: what is left is at least one block.
        let block = unsafe { <$Block>::load(text, at) };
        // Of the last block, the bytes that it shares with the one before were seen.
        for (block, at, seen) in [(block, at, 0), (last, at + BLOCK, at + BLOCK - end)] {
            if seen < BLOCK {
                let special = <$Block>::or_special(<$Block>::none(), block);
                let is_special = <$Block>::is_any(special) || rare.escapes.is_pending();
                let place = (payload, at);
                envelope!($Block, kernel, place, (state, rare), (block, seen, is_special));
            }
        }
        state.verdict(&rare)
    }};
}

/// Whether a pair that begins in the block at `at` belongs to a needle that makes a candidate, or an
/// escape there could hide one; where it is the `LAST` but one, also what begins behind it. Called
/// where something looked like it: the pass itself only knows that some pair is there. `text` is the
/// payload, or what it is padded to.
macro_rules! finds {
    ($(#[$feature:meta])?) => {
        /// # Safety
        /// `at + SHORTEST <= text.len()`
        #[cold]
        #[inline(never)]
        $(#[$feature])?
        unsafe fn finds<const LAST: bool>(
            kernel: &Kernel,
            (payload, text): (&[u8], &[u8]),
            at: usize,
        ) -> bool {
            // SAFETY: the caller promises two blocks.
            let (block, last) = unsafe { (Self::load(text, at), Self::load(text, at + BLOCK)) };
            for needle in &kernel.needles {
                let distance = needle.distance as usize % BLOCK;
                // SAFETY: a distance is below one block, so this one ends within the second.
                let behind = unsafe { Self::load(text, at + distance) };
                let pairs = block.eq(needle.first) & behind.eq(needle.second);
                if needle.is_met(&kernel.values, payload, at, pairs) {
                    return true;
                }
                if LAST {
                    let at = at + BLOCK - distance;
                    // SAFETY: as above.
                    let begin = unsafe { Self::load(text, at) };
                    let pairs = begin.eq(needle.first) & last.eq(needle.second);
                    if needle.is_met(&kernel.values, payload, at, pairs) {
                        return true;
                    }
                }
            }
            // SAFETY: as above, for a distance of 1.
            let behind = unsafe { Self::load(text, at + 1) };
            // SAFETY: as above.
            let begin = unsafe { Self::load(text, at + BLOCK - 1) };
            let here = block.eq(b'\\') & behind.eq(b'u');
            let there = if LAST { begin.eq(b'\\') & last.eq(b'u') } else { 0 };
            kernel.is_any_hiding(payload, at + 1, here)
                || kernel.is_any_hiding(payload, at + BLOCK, there)
        }
    };
}

/// The block at `$at`, and whether a pair, or without the envelope an escape, begins in it. Two blocks
/// are there from `$at` on.
macro_rules! pairs_at {
    ($Block:ty, $text:expr, $at:expr, $pairs:expr, $ENVELOPE:expr) => {{
        // SAFETY: from `$at` on, the text has two blocks.
        let block = unsafe { <$Block>::load($text, $at) };
        let mut any = <$Block>::none();
        for (first, second, distance) in $pairs {
            // SAFETY: a distance is below one block, so this one ends within the second.
            let behind = unsafe { <$Block>::load($text, $at + distance) };
            any = <$Block>::or_pair(any, (block, *first), (behind, *second));
        }
        if !$ENVELOPE {
            // SAFETY: as above, for a distance of 1.
            let behind = unsafe { <$Block>::load($text, $at + 1) };
            let (slash, u) = (<$Block>::splat(b'\\'), <$Block>::splat(b'u'));
            any = <$Block>::or_pair(any, (block, slash), (behind, u));
        }
        (block, any)
    }};
}

/// The envelope of one block, whose lowest `$seen` bytes were looked at with the block before. One
/// that is special leaves the function that it stands in where an escape makes a candidate.
macro_rules! envelope {
    ($Block:ty, $kernel:expr, $place:expr, ($state:expr, $rare:expr), ($block:expr, $seen:expr, $is_special:expr)) => {{
        if $is_special {
            let carried = (&mut $rare, $state.inside);
            let Some(inside) = $block.carefully($kernel, $place, $seen, carried) else {
                return Found::Candidate;
            };
            let (opened, closed) = $block.brackets();
            $state.block(inside, opened >> $seen, closed >> $seen);
        } else {
            envelope!($Block, $state, $block, $seen);
        }
    }};
    ($Block:ty, $state:expr, $block:expr, $seen:expr) => {{
        let inside = <$Block>::prefix_xor($block.eq(b'"') >> $seen) ^ $state.inside;
        let (opened, closed) = $block.brackets();
        $state.block(inside, opened >> $seen, closed >> $seen);
    }};
}

/// Plain bytes, compared one by one into the mask.
#[derive(Clone, Copy)]
struct Portable([u8; BLOCK]);

impl Portable {
    /// Whether two blocks and what they are compared with have room in the registers.
    const HAS_ROOM: bool = false;

    /// Always found: this level loads with the bounds checked, and pads where nothing is.
    ///
    /// # Safety
    /// None is needed; the other levels need it.
    unsafe fn load(text: &[u8], at: usize) -> Self {
        let block = text.get(at..).and_then(|rest| rest.first_chunk());
        Self(block.copied().unwrap_or([b' '; BLOCK]))
    }
    const fn splat(byte: u8) -> u8 {
        byte
    }
    const fn none() -> u8 {
        0
    }
    fn or_pair(any: u8, (block, first): (Self, u8), (behind, second): (Self, u8)) -> u8 {
        let both = block.0.iter().zip(&behind.0);
        both.fold(any, |any, (one, other)| any | u8::from(*one == first && *other == second))
    }
    const fn or(one: u8, other: u8) -> u8 {
        one | other
    }
    const fn is_any(any: u8) -> bool {
        any != 0
    }
    fn mask(self, is_set: impl Fn(u8) -> bool) -> u64 {
        self.0.iter().rev().fold(0, |mask, byte| (mask << 1) | u64::from(is_set(*byte)))
    }
    fn eq(self, byte: u8) -> u64 {
        self.mask(|found| found == byte)
    }
    fn or_odd(any: u8, block: Self) -> u8 {
        let odd = |byte: u8| !(b' '..0x80).contains(&byte);
        block.0.iter().fold(any, |any, found| any | u8::from(odd(*found)))
    }
    fn or_special(any: u8, block: Self) -> u8 {
        let special = |byte: u8| byte == b'\\' || !(b' '..0x80).contains(&byte);
        block.0.iter().fold(any, |any, found| any | u8::from(special(*found)))
    }
    fn brackets(self) -> (u64, u64) {
        let lower = Self(self.0.map(|byte| byte | 0x20));
        (lower.eq(b'{'), lower.eq(b'}'))
    }
    carefully!();
    finds!();
    fn below_space(self) -> u64 {
        self.mask(|found| found < b' ')
    }
    fn high(self) -> u64 {
        self.mask(|found| !found.is_ascii())
    }
    const fn prefix_xor(mask: u64) -> u64 {
        prefix_xor(mask)
    }
}

/// Nothing is asked for on this level.
const fn prefetch(_text: &[u8], _at: usize) {}

fn portable<const N: usize, const ENVELOPE: bool>(kernel: &Kernel, payload: &[u8]) -> Found {
    pass!(Portable, kernel, payload, N, ENVELOPE)
}

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;
