//! The levels of the pass: AVX-512, AVX2, SSE2 and portable, chosen once at run time.
//!
//! The only file of this crate with `unsafe`: vector loads through a pointer, and calls of
//! functions that need a feature which was detected. Everything else is the same safe body for all
//! levels, over masks of 64 bits: bit *k* stands for byte *k* of the block.

#![expect(unsafe_code, reason = "vector loads and calls behind feature detection; see each SAFETY")]

use super::{Found, Kernel, Look, NEEDLES_MAX, limits};

/// Bytes looked at in one step.
pub(super) const BLOCK: usize = 64;

/// How far ahead of the block the payload is asked for. 2 KiB gained 8-14 % on cold payloads.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 2048;

/// Every second bit, beginning with the second one.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

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

/// Runs the pass on the kernel's level.
#[inline]
pub(super) fn scan(kernel: &Kernel, payload: &[u8], look: Look) -> Found {
    match kernel.level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            // SAFETY: this level is only made after its features were detected.
            unsafe { x86::avx512(kernel, payload, look) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            // SAFETY: this level is only made after its features were detected.
            unsafe { x86::avx2(kernel, payload, look) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Sse2 => {
            // SAFETY: SSE2 is part of every x86-64 target.
            unsafe { x86::sse2(kernel, payload, look) }
        }
        Level::Portable => portable(kernel, payload, look),
    }
}

/// What is carried from block to block.
struct State {
    /// Masks of the first pair bytes of the block before, one per needle.
    first: [u64; NEEDLES_MAX],
    /// Mask of the backslashes of the block before.
    slash: u64,
    /// 1 where the first byte of the next block is escaped.
    escaped: u64,
    /// All ones inside a string.
    inside: u64,
    /// Bytes that must not stand where they stand.
    bad: u64,
    /// Bytes above ASCII.
    high: u64,
    depth: i64,
    lowest: i64,
    highest: i64,
}

impl State {
    const fn new() -> Self {
        Self {
            first: [0; NEEDLES_MAX],
            slash: 0,
            escaped: 0,
            inside: 0,
            bad: 0,
            high: 0,
            depth: 0,
            lowest: 0,
            highest: 0,
        }
    }

    /// The bytes of the block that are escaped, from the mask of its backslashes: those behind an
    /// odd run of them. The subtraction carries along a run from its begin to its end, so that the
    /// parity of both places decides (the method of simdjson, arXiv:1902.08318, section 3.1.1).
    #[inline(always)]
    fn escaped(&mut self, slash: u64) -> u64 {
        if slash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let begins = slash & !self.escaped;
        let carried = ((begins << 1) | ODD).wrapping_sub(begins) ^ ODD;
        let escaped = carried ^ (slash | self.escaped);
        self.escaped = (carried & slash) >> 63;
        escaped
    }

    #[inline(always)]
    const fn verdict(&self) -> Found {
        let is_whole = self.bad == 0
            && self.high == 0
            && self.inside == 0
            && self.depth == 0
            && self.lowest >= 0
            && self.highest <= limits::EVENT_DEPTH_MAX as i64;
        if is_whole { Found::Clean } else { Found::Suspect }
    }
}

/// The body of every level: all full blocks, then the padded rest. `$Block` has `load`, `eq`,
/// `below_space`, `high`, `lower`, `prefix_xor` and `prefetch`; the body stands in a function that
/// has the features which those need.
macro_rules! pass {
    ($Block:ty, $kernel:expr, $payload:expr, $look:expr) => {{
        let (kernel, payload): (&Kernel, &[u8]) = ($kernel, $payload);
        let mut state = State::new();
        let (blocks, rest) = payload.as_chunks::<BLOCK>();
        let mut at = 0;
        for bytes in blocks {
            <$Block>::prefetch(payload, at);
            step!($Block, kernel, payload, $look, state, bytes, at);
            at += BLOCK;
        }
        if !rest.is_empty() {
            let mut last = [b' '; BLOCK];
            for (place, byte) in last.iter_mut().zip(rest) {
                *place = *byte;
            }
            step!($Block, kernel, payload, $look, state, &last, at);
        }
        if $look == Look::Filter { Found::Clean } else { state.verdict() }
    }};
}

/// One block; leaves the function that it stands in with a candidate.
macro_rules! step {
    ($Block:ty, $kernel:expr, $payload:expr, $look:expr, $state:ident, $bytes:expr, $at:expr) => {{
        let block = <$Block>::load($bytes);
        let slash = block.eq(b'\\');
        for (needle, before) in $kernel.needles.iter().zip(&mut $state.first) {
            let first = block.eq(needle.first);
            let second = block.eq(needle.second);
            let carried = (first << needle.distance) | (*before >> (64 - needle.distance));
            *before = first;
            let mut pairs = second & carried;
            while pairs != 0 {
                if Kernel::is_literal(needle, $payload, $at + pairs.trailing_zeros() as usize) {
                    return Found::Candidate;
                }
                pairs &= pairs - 1;
            }
        }
        if slash | $state.slash != 0 {
            let mut escapes = block.eq(b'u') & ((slash << 1) | ($state.slash >> 63));
            $state.slash = slash;
            while escapes != 0 {
                if $kernel.is_hiding($payload, $at + escapes.trailing_zeros() as usize) {
                    return Found::Candidate;
                }
                escapes &= escapes - 1;
            }
        }
        if $look == Look::FilterAndEnvelope {
            let quotes = block.eq(b'"') & !$state.escaped(slash);
            let inside = <$Block>::prefix_xor(quotes) ^ $state.inside;
            $state.inside = 0_u64.wrapping_sub(inside >> 63);
            let control = block.below_space();
            if control != 0 {
                let space = block.eq(b'\n') | block.eq(b'\r') | block.eq(b'\t');
                $state.bad |= control & (inside | !space);
            }
            $state.high |= block.high();
            // `[` and `{`, `]` and `}` differ in one bit.
            let lower = block.lower();
            let opened = (lower.eq(b'{') & !inside).count_ones();
            let closed = (lower.eq(b'}') & !inside).count_ones();
            $state.depth += i64::from(opened) - i64::from(closed);
            $state.lowest = $state.lowest.min($state.depth);
            $state.highest = $state.highest.max($state.depth);
        }
    }};
}

/// Eight machine words; bytes are compared one by one into the mask.
#[derive(Clone, Copy)]
struct Portable([u8; BLOCK]);

impl Portable {
    const fn load(bytes: &[u8; BLOCK]) -> Self {
        Self(*bytes)
    }
    const fn prefetch(_payload: &[u8], _at: usize) {}
    fn mask(self, is_set: impl Fn(u8) -> bool) -> u64 {
        self.0.iter().rev().fold(0, |mask, byte| (mask << 1) | u64::from(is_set(*byte)))
    }
    fn eq(self, byte: u8) -> u64 {
        self.mask(|found| found == byte)
    }
    fn below_space(self) -> u64 {
        self.mask(|found| found < b' ')
    }
    fn high(self) -> u64 {
        self.mask(|found| !found.is_ascii())
    }
    fn lower(self) -> Self {
        Self(self.0.map(|byte| byte | 0x20))
    }
    const fn prefix_xor(mask: u64) -> u64 {
        prefix_xor(mask)
    }
}

fn portable(kernel: &Kernel, payload: &[u8], look: Look) -> Found {
    pass!(Portable, kernel, payload, look)
}

/// Bit *k* of the answer is the parity of bits 0 to *k*.
const fn prefix_xor(mut mask: u64) -> u64 {
    mask ^= mask << 1;
    mask ^= mask << 2;
    mask ^= mask << 4;
    mask ^= mask << 8;
    mask ^= mask << 16;
    mask ^ (mask << 32)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The levels of x86-64.

    use std::arch::x86_64::*;

    use super::{AHEAD, BLOCK, Found, Kernel, Look, State};

    /// Asks for the bytes that will be looked at soon.
    #[inline(always)]
    fn prefetch(payload: &[u8], at: usize) {
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address is; SSE is part
        // of the target.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(payload.as_ptr().wrapping_add(at + AHEAD).cast());
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
        #[inline(always)]
        fn prefetch(payload: &[u8], at: usize) {
            prefetch(payload, at);
        }
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn load(bytes: &[u8; BLOCK]) -> Self {
            // SAFETY: the array holds the 64 bytes that are read; no alignment is asked for.
            Self(unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) })
        }
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn eq(self, byte: u8) -> u64 {
            _mm512_cmpeq_epi8_mask(self.0, _mm512_set1_epi8(byte.cast_signed()))
        }
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
        #[target_feature(enable = "avx512f,avx512bw")]
        fn lower(self) -> Self {
            Self(_mm512_or_si512(self.0, _mm512_set1_epi8(0x20)))
        }
        #[inline]
        #[target_feature(enable = "pclmulqdq")]
        fn prefix_xor(mask: u64) -> u64 {
            prefix_xor(mask)
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn avx512(kernel: &Kernel, payload: &[u8], look: Look) -> Found {
        pass!(Avx512, kernel, payload, look)
    }

    #[derive(Clone, Copy)]
    struct Avx2([__m256i; 2]);

    impl Avx2 {
        #[inline(always)]
        fn prefetch(payload: &[u8], at: usize) {
            prefetch(payload, at);
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn load(bytes: &[u8; BLOCK]) -> Self {
            let at: *const __m256i = bytes.as_ptr().cast();
            // SAFETY: the array holds the two times 32 bytes that are read; no alignment is asked
            // for.
            Self(unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] })
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn mask(halves: [__m256i; 2]) -> u64 {
            let [low, high] =
                halves.map(|half| u64::from(_mm256_movemask_epi8(half).cast_unsigned()));
            low | (high << 32)
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn eq(self, byte: u8) -> u64 {
            let byte = _mm256_set1_epi8(byte.cast_signed());
            Self::mask(self.0.map(|half| _mm256_cmpeq_epi8(half, byte)))
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn below_space(self) -> u64 {
            let most = _mm256_set1_epi8(0x1f);
            Self::mask(self.0.map(|half| _mm256_cmpeq_epi8(_mm256_max_epu8(half, most), most)))
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn high(self) -> u64 {
            Self::mask(self.0)
        }
        #[inline]
        #[target_feature(enable = "avx2")]
        fn lower(self) -> Self {
            Self(self.0.map(|half| _mm256_or_si256(half, _mm256_set1_epi8(0x20))))
        }
        #[inline]
        #[target_feature(enable = "pclmulqdq")]
        fn prefix_xor(mask: u64) -> u64 {
            prefix_xor(mask)
        }
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn avx2(kernel: &Kernel, payload: &[u8], look: Look) -> Found {
        pass!(Avx2, kernel, payload, look)
    }

    /// SSE2 is part of the target: nothing has to be detected.
    #[derive(Clone, Copy)]
    struct Sse2([__m128i; 4]);

    impl Sse2 {
        #[inline(always)]
        fn prefetch(payload: &[u8], at: usize) {
            prefetch(payload, at);
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn load(bytes: &[u8; BLOCK]) -> Self {
            let at: *const __m128i = bytes.as_ptr().cast();
            // SAFETY: the array holds the four times 16 bytes that are read; no alignment is asked
            // for.
            Self(unsafe { [0, 1, 2, 3].map(|quarter| _mm_loadu_si128(at.add(quarter))) })
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
            let byte = _mm_set1_epi8(byte.cast_signed());
            Self::mask(self.0.map(|quarter| _mm_cmpeq_epi8(quarter, byte)))
        }
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
        fn lower(self) -> Self {
            Self(self.0.map(|quarter| _mm_or_si128(quarter, _mm_set1_epi8(0x20))))
        }
        #[inline]
        #[target_feature(enable = "sse2")]
        fn prefix_xor(mask: u64) -> u64 {
            super::prefix_xor(mask)
        }
    }

    #[target_feature(enable = "sse2")]
    pub(super) fn sse2(kernel: &Kernel, payload: &[u8], look: Look) -> Found {
        pass!(Sse2, kernel, payload, look)
    }
}
