//! The levels of x86-64: what a block can do on each.
//!
//! With `unsafe` for loads at places that the body of the pass has checked; every other instruction
//! is safe in a function that has its feature.

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
    let mask = _mm_cvtsi64_si128(mask.cast_signed());
    _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0>(mask, _mm_set1_epi8(-1))).cast_unsigned()
}

#[derive(Clone, Copy)]
struct Avx512(__m512i);

impl Avx512 {
    const HAS_ROOM: bool = true;

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
    const fn or(one: u64, other: u64) -> u64 {
        one | other
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
        Self::or_odd(any | block.eq(b'\\'), block)
    }
    /// The same without the backslash.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn or_odd(any: u64, block: Self) -> u64 {
        any | _mm512_cmplt_epi8_mask(block.0, _mm512_set1_epi8(0x20))
    }
    /// Opening and closing brackets: `[` and `{`, `]` and `}` differ in one bit.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn brackets(self) -> (u64, u64) {
        let lower = Self(_mm512_or_si512(self.0, _mm512_set1_epi8(0x20)));
        (lower.eq(b'{'), lower.eq(b'}'))
    }
    carefully!(#[target_feature(enable = "avx512f,avx512bw")]);
    finds!(#[target_feature(enable = "avx512f,avx512bw")]);
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
    const HAS_ROOM: bool = true;

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
    fn or(one: __m256i, other: __m256i) -> __m256i {
        _mm256_or_si256(one, other)
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
        let slash = Self::splat(b'\\');
        let slash = [_mm256_cmpeq_epi8(block.0, slash), _mm256_cmpeq_epi8(block.1, slash)];
        _mm256_or_si256(Self::or_odd(any, block), _mm256_or_si256(slash[0], slash[1]))
    }
    #[inline]
    #[target_feature(enable = "avx2")]
    fn or_odd(any: __m256i, block: Self) -> __m256i {
        let odd = _mm256_cmpgt_epi8(Self::splat(b' '), _mm256_min_epi8(block.0, block.1));
        _mm256_or_si256(any, odd)
    }
    #[inline]
    #[target_feature(enable = "avx2")]
    fn brackets(self) -> (u64, u64) {
        let bit = Self::splat(0x20);
        let lower = Self(_mm256_or_si256(self.0, bit), _mm256_or_si256(self.1, bit));
        (lower.eq(b'{'), lower.eq(b'}'))
    }
    carefully!(#[target_feature(enable = "avx2")]);
    finds!(#[target_feature(enable = "avx2")]);
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
pub(super) fn avx2<const N: usize, const ENVELOPE: bool>(kernel: &Kernel, payload: &[u8]) -> Found {
    pass!(Avx2, kernel, payload, N, ENVELOPE)
}

/// SSE2 is part of the target: nothing has to be detected.
#[derive(Clone, Copy)]
struct Sse2([__m128i; 4]);

impl Sse2 {
    const HAS_ROOM: bool = false;

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
    fn or(one: __m128i, other: __m128i) -> __m128i {
        _mm_or_si128(one, other)
    }
    #[inline]
    #[target_feature(enable = "sse2")]
    fn is_any(any: __m128i) -> bool {
        _mm_movemask_epi8(any) != 0
    }
    #[inline]
    #[target_feature(enable = "sse2")]
    fn mask(quarters: [__m128i; 4]) -> u64 {
        let bits = quarters.map(|quarter| u64::from(_mm_movemask_epi8(quarter).cast_unsigned()));
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
        block.0.iter().fold(Self::or_odd(any, block), |any, quarter| {
            _mm_or_si128(any, _mm_cmpeq_epi8(*quarter, Self::splat(b'\\')))
        })
    }
    #[inline]
    #[target_feature(enable = "sse2")]
    fn or_odd(any: __m128i, block: Self) -> __m128i {
        block.0.iter().fold(any, |any, quarter| {
            _mm_or_si128(any, _mm_cmplt_epi8(*quarter, _mm_set1_epi8(0x20)))
        })
    }
    #[inline]
    #[target_feature(enable = "sse2")]
    fn brackets(self) -> (u64, u64) {
        let lower = Self(self.0.map(|quarter| _mm_or_si128(quarter, _mm_set1_epi8(0x20))));
        (lower.eq(b'{'), lower.eq(b'}'))
    }
    carefully!(#[target_feature(enable = "sse2")]);
    finds!(#[target_feature(enable = "sse2")]);
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
pub(super) fn sse2<const N: usize, const ENVELOPE: bool>(kernel: &Kernel, payload: &[u8]) -> Found {
    pass!(Sse2, kernel, payload, N, ENVELOPE)
}
