//! The levels of the pass: AVX-512, AVX2, SSE2 and portable, chosen once at run time.
//!
//! One of the two files of this crate with `unsafe` (the other is `kafka/commit_queue.rs`): vector
//! loads at places that the body has checked, and calls of functions that need a feature which was
//! detected. All levels run the same body. In masks of 64 bits, bit *k* stands for byte *k* of the
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
        while at + SHORTEST <= text.len() {
            prefetch(text, at);
            // SAFETY: from `at` on, the text has two blocks.
            let block = unsafe { <$Block>::load(text, at) };
            let mut any = <$Block>::none();
            for (first, second, distance) in &pairs {
                // SAFETY: a distance is below one block, so this one ends within the second.
                let behind = unsafe { <$Block>::load(text, at + distance) };
                any = <$Block>::or_pair(any, (block, *first), (behind, *second));
            }
            if !$ENVELOPE {
                // SAFETY: as above, for a distance of 1.
                let behind = unsafe { <$Block>::load(text, at + 1) };
                let (slash, u) = (<$Block>::splat(b'\\'), <$Block>::splat(b'u'));
                any = <$Block>::or_pair(any, (block, slash), (behind, u));
            }
            let special = if $ENVELOPE { <$Block>::or_special(any, block) } else { any };
            let is_special = <$Block>::is_any(special) || ($ENVELOPE && rare.is_pending());
            if is_special && <$Block>::is_any(any) && kernel.finds(payload, at, BLOCK) {
                return Found::Candidate;
            }
            if $ENVELOPE {
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
        if <$Block>::is_any(any) && kernel.finds(payload, end - BLOCK, SHORTEST) {
            return Found::Candidate;
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
                let is_special = <$Block>::is_any(special) || rare.is_pending();
                let place = (payload, at);
                envelope!($Block, kernel, place, (state, rare), (block, seen, is_special));
            }
        }
        state.verdict(&rare)
    }};
}

/// The envelope of one block, whose lowest `$seen` bytes were looked at with the block before. Leaves
/// the function that it stands in where an escape makes a candidate.
macro_rules! envelope {
    ($Block:ty, $kernel:expr, $place:expr, ($state:expr, $rare:expr), ($block:expr, $seen:expr, $is_special:expr)) => {{
        let inside = if $is_special {
            let carried = (&mut $rare, $state.inside);
            let Some(inside) = $block.carefully($kernel, $place, $seen, carried) else {
                return Found::Candidate;
            };
            inside
        } else {
            <$Block>::prefix_xor($block.eq(b'"') >> $seen) ^ $state.inside
        };
        let (opened, closed) = $block.brackets();
        $state.block(inside, opened >> $seen, closed >> $seen);
    }};
}

/// Plain bytes, compared one by one into the mask.
#[derive(Clone, Copy)]
struct Portable([u8; BLOCK]);

impl Portable {
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
    const fn is_any(any: u8) -> bool {
        any != 0
    }
    fn mask(self, is_set: impl Fn(u8) -> bool) -> u64 {
        self.0.iter().rev().fold(0, |mask, byte| (mask << 1) | u64::from(is_set(*byte)))
    }
    fn eq(self, byte: u8) -> u64 {
        self.mask(|found| found == byte)
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The levels of x86-64: what a block can do on each.

    use std::arch::x86_64::*;

    use super::{AHEAD, BLOCK, Found, Kernel, Masks, Rare, SHORTEST, State, carefully, padded};

    /// Asks for the bytes that will be looked at soon.
    #[inline(always)]
    fn prefetch(text: &[u8], at: usize) {
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address is; SSE is part of
        // the target.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(text.as_ptr().wrapping_add(at + AHEAD).cast());
        }
    }

    /// Parity of all bits up to each, as a product without carries with all ones.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(mask: u64) -> u64 {
        let mask = _mm_set_epi64x(0, mask.cast_signed());
        _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0>(mask, _mm_set1_epi8(-1))).cast_unsigned()
    }

    #[derive(Clone, Copy)]
    struct Avx512(__m512i);

    impl Avx512 {
        /// # Safety
        /// `at + BLOCK <= text.len()`
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn load(text: &[u8], at: usize) -> Self {
            debug_assert!(at + BLOCK <= text.len(), "the caller promised it");
            // SAFETY: the caller promises that the 64 bytes are there; no alignment is asked for.
            Self(unsafe { _mm512_loadu_si512(text.as_ptr().add(at).cast()) })
        }
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn splat(byte: u8) -> Self {
            Self(_mm512_set1_epi8(byte.cast_signed()))
        }
        #[inline(always)]
        const fn none() -> u64 {
            0
        }
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn or_pair(any: u64, (block, first): (Self, Self), (behind, second): (Self, Self)) -> u64 {
            let begins = _mm512_cmpeq_epi8_mask(block.0, first.0);
            any | _mm512_mask_cmpeq_epi8_mask(begins, behind.0, second.0)
        }
        #[inline(always)]
        const fn is_any(any: u64) -> bool {
            any != 0
        }
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn eq(self, byte: u8) -> u64 {
            _mm512_cmpeq_epi8_mask(self.0, Self::splat(byte).0)
        }
        /// Adds what needs a careful look: a backslash, or what is no printable ASCII and no DEL (as
        /// signed numbers, those are below space).
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn or_special(any: u64, block: Self) -> u64 {
            any | block.eq(b'\\') | _mm512_cmplt_epi8_mask(block.0, _mm512_set1_epi8(0x20))
        }
        /// Opening and closing brackets: `[` and `{`, `]` and `}` differ in one bit.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn brackets(self) -> (u64, u64) {
            let lower = Self(_mm512_or_si512(self.0, _mm512_set1_epi8(0x20)));
            (lower.eq(b'{'), lower.eq(b'}'))
        }
        carefully!(#[target_feature(enable = "avx512f,avx512bw")]);
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn below_space(self) -> u64 {
            _mm512_cmplt_epu8_mask(self.0, _mm512_set1_epi8(0x20))
        }
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn high(self) -> u64 {
            _mm512_movepi8_mask(self.0)
        }
        #[inline]
        #[target_feature(enable = "pclmulqdq")]
        fn prefix_xor(mask: u64) -> u64 {
            prefix_xor(mask)
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn avx512<const N: usize, const ENVELOPE: bool>(
        kernel: &Kernel,
        payload: &[u8],
    ) -> Found {
        pass!(Avx512, kernel, payload, N, ENVELOPE)
    }

    #[derive(Clone, Copy)]
    struct Avx2(__m256i, __m256i);

    impl Avx2 {
        /// # Safety
        /// `at + BLOCK <= text.len()`
        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn load(text: &[u8], at: usize) -> Self {
            debug_assert!(at + BLOCK <= text.len(), "the caller promised it");
            // SAFETY: the caller promises that the two times 32 bytes are there; no alignment is asked
            // for.
            unsafe {
                let at: *const __m256i = text.as_ptr().add(at).cast();
                Self(_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)))
            }
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn splat(byte: u8) -> __m256i {
            _mm256_set1_epi8(byte.cast_signed())
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn none() -> __m256i {
            _mm256_setzero_si256()
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn or_pair(
            any: __m256i,
            (block, first): (Self, __m256i),
            (behind, second): (Self, __m256i),
        ) -> __m256i {
            let low = _mm256_cmpeq_epi8(block.0, first);
            let low = _mm256_and_si256(low, _mm256_cmpeq_epi8(behind.0, second));
            let high = _mm256_cmpeq_epi8(block.1, first);
            let high = _mm256_and_si256(high, _mm256_cmpeq_epi8(behind.1, second));
            _mm256_or_si256(any, _mm256_or_si256(low, high))
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn is_any(any: __m256i) -> bool {
            _mm256_movemask_epi8(any) != 0
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn mask(low: __m256i, high: __m256i) -> u64 {
            let low = u64::from(_mm256_movemask_epi8(low).cast_unsigned());
            let high = u64::from(_mm256_movemask_epi8(high).cast_unsigned());
            low | (high << 32)
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn eq(self, byte: u8) -> u64 {
            let byte = Self::splat(byte);
            Self::mask(_mm256_cmpeq_epi8(self.0, byte), _mm256_cmpeq_epi8(self.1, byte))
        }
        /// As on the level above.
        #[inline]
        #[target_feature(enable = "avx2")]
        fn or_special(any: __m256i, block: Self) -> __m256i {
            let (slash, space) = (Self::splat(b'\\'), Self::splat(b' '));
            let slash = [_mm256_cmpeq_epi8(block.0, slash), _mm256_cmpeq_epi8(block.1, slash)];
            let odd = _mm256_cmpgt_epi8(space, _mm256_min_epi8(block.0, block.1));
            _mm256_or_si256(_mm256_or_si256(any, odd), _mm256_or_si256(slash[0], slash[1]))
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn brackets(self) -> (u64, u64) {
            let bit = Self::splat(0x20);
            let lower = Self(_mm256_or_si256(self.0, bit), _mm256_or_si256(self.1, bit));
            (lower.eq(b'{'), lower.eq(b'}'))
        }
        carefully!(#[target_feature(enable = "avx2")]);
        #[inline]
        #[target_feature(enable = "avx2")]
        fn below_space(self) -> u64 {
            let most = _mm256_set1_epi8(0x1f);
            let low = _mm256_cmpeq_epi8(_mm256_max_epu8(self.0, most), most);
            Self::mask(low, _mm256_cmpeq_epi8(_mm256_max_epu8(self.1, most), most))
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn high(self) -> u64 {
            Self::mask(self.0, self.1)
        }
        #[inline]
        #[target_feature(enable = "pclmulqdq")]
        fn prefix_xor(mask: u64) -> u64 {
            prefix_xor(mask)
        }
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn avx2<const N: usize, const ENVELOPE: bool>(
        kernel: &Kernel,
        payload: &[u8],
    ) -> Found {
        pass!(Avx2, kernel, payload, N, ENVELOPE)
    }

    /// SSE2 is part of the target: nothing has to be detected.
    #[derive(Clone, Copy)]
    struct Sse2([__m128i; 4]);

    impl Sse2 {
        /// # Safety
        /// `at + BLOCK <= text.len()`
        #[inline]
        #[target_feature(enable = "sse2")]
        unsafe fn load(text: &[u8], at: usize) -> Self {
            debug_assert!(at + BLOCK <= text.len(), "the caller promised it");
            // SAFETY: the caller promises that the four times 16 bytes are there; no alignment is asked
            // for.
            unsafe {
                let at: *const __m128i = text.as_ptr().add(at).cast();
                Self([0, 1, 2, 3].map(|quarter| _mm_loadu_si128(at.add(quarter))))
            }
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn splat(byte: u8) -> __m128i {
            _mm_set1_epi8(byte.cast_signed())
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn none() -> __m128i {
            _mm_setzero_si128()
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn or_pair(
            any: __m128i,
            (block, first): (Self, __m128i),
            (behind, second): (Self, __m128i),
        ) -> __m128i {
            block.0.iter().zip(&behind.0).fold(any, |any, (block, behind)| {
                let begins = _mm_cmpeq_epi8(*block, first);
                _mm_or_si128(any, _mm_and_si128(begins, _mm_cmpeq_epi8(*behind, second)))
            })
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn is_any(any: __m128i) -> bool {
            _mm_movemask_epi8(any) != 0
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn mask(quarters: [__m128i; 4]) -> u64 {
            let bits =
                quarters.map(|quarter| u64::from(_mm_movemask_epi8(quarter).cast_unsigned()));
            let [a, b, c, d] = bits;
            a | (b << 16) | (c << 32) | (d << 48)
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn eq(self, byte: u8) -> u64 {
            let byte = Self::splat(byte);
            Self::mask(self.0.map(|quarter| _mm_cmpeq_epi8(quarter, byte)))
        }
        /// As on the levels above.
        #[inline]
        #[target_feature(enable = "sse2")]
        fn or_special(any: __m128i, block: Self) -> __m128i {
            block.0.iter().fold(any, |any, quarter| {
                let odd = _mm_cmplt_epi8(*quarter, _mm_set1_epi8(0x20));
                let slash = _mm_cmpeq_epi8(*quarter, Self::splat(b'\\'));
                _mm_or_si128(any, _mm_or_si128(odd, slash))
            })
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn brackets(self) -> (u64, u64) {
            let lower = Self(self.0.map(|quarter| _mm_or_si128(quarter, _mm_set1_epi8(0x20))));
            (lower.eq(b'{'), lower.eq(b'}'))
        }
        carefully!(#[target_feature(enable = "sse2")]);
        #[inline]
        #[target_feature(enable = "sse2")]
        fn below_space(self) -> u64 {
            let most = _mm_set1_epi8(0x1f);
            Self::mask(self.0.map(|quarter| _mm_cmpeq_epi8(_mm_max_epu8(quarter, most), most)))
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn high(self) -> u64 {
            Self::mask(self.0)
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn prefix_xor(mask: u64) -> u64 {
            super::prefix_xor(mask)
        }
    }

    #[target_feature(enable = "sse2")]
    pub(super) fn sse2<const N: usize, const ENVELOPE: bool>(
        kernel: &Kernel,
        payload: &[u8],
    ) -> Found {
        pass!(Sse2, kernel, payload, N, ENVELOPE)
    }
}
