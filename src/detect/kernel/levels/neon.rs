//! The level of aarch64: NEON, which every such processor has.
//!
//! With `unsafe` for loads at places that the body of the pass has checked; every other instruction
//! is safe in a function that has its feature.

use std::arch::aarch64::*;

use super::{BLOCK, Found, Kernel, Masks, Rare, SHORTEST, State, carefully, padded, prefetch};

#[derive(Clone, Copy)]
struct Neon([uint8x16_t; 4]);

impl Neon {
    const HAS_ROOM: bool = true;

    /// # Safety
    /// `at + BLOCK <= text.len()`
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn load(text: &[u8], at: usize) -> Self {
        debug_assert!(at + BLOCK <= text.len(), "the caller promised it");
        // SAFETY: the caller promises that the four times 16 bytes are there; no alignment is asked
        // for.
        unsafe {
            let at = text.as_ptr().add(at);
            Self([0, 16, 32, 48].map(|quarter| vld1q_u8(at.add(quarter))))
        }
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn splat(byte: u8) -> uint8x16_t {
        vdupq_n_u8(byte)
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn none() -> uint8x16_t {
        vdupq_n_u8(0)
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn or_pair(
        any: uint8x16_t,
        (block, first): (Self, uint8x16_t),
        (behind, second): (Self, uint8x16_t),
    ) -> uint8x16_t {
        block.0.iter().zip(&behind.0).fold(any, |any, (block, behind)| {
            vorrq_u8(any, vandq_u8(vceqq_u8(*block, first), vceqq_u8(*behind, second)))
        })
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn or(one: uint8x16_t, other: uint8x16_t) -> uint8x16_t {
        vorrq_u8(one, other)
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn is_any(any: uint8x16_t) -> bool {
        vmaxvq_u8(any) != 0
    }
    /// The mask of bytes that are all ones or all zeros: each byte keeps the bit of its place among
    /// eight, and neighbours are added until eight bytes are left.
    #[inline]
    #[target_feature(enable = "neon")]
    fn mask(quarters: [uint8x16_t; 4]) -> u64 {
        let places = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
        let [a, b, c, d] = quarters.map(|quarter| vandq_u8(quarter, places));
        let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn eq(self, byte: u8) -> u64 {
        let byte = Self::splat(byte);
        Self::mask(self.0.map(|quarter| vceqq_u8(quarter, byte)))
    }
    /// As on the other levels: a backslash, or what is below space as a signed number.
    #[inline]
    #[target_feature(enable = "neon")]
    fn or_special(any: uint8x16_t, block: Self) -> uint8x16_t {
        block.0.iter().fold(Self::or_odd(any, block), |any, quarter| {
            vorrq_u8(any, vceqq_u8(*quarter, Self::splat(b'\\')))
        })
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn or_odd(any: uint8x16_t, block: Self) -> uint8x16_t {
        block.0.iter().fold(any, |any, quarter| {
            vorrq_u8(any, vcltq_s8(vreinterpretq_s8_u8(*quarter), vdupq_n_s8(0x20)))
        })
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn brackets(self) -> (u64, u64) {
        let lower = Self(self.0.map(|quarter| vorrq_u8(quarter, Self::splat(0x20))));
        (lower.eq(b'{'), lower.eq(b'}'))
    }
    carefully!(#[target_feature(enable = "neon")]);
    finds!(#[target_feature(enable = "neon")]);
    #[inline]
    #[target_feature(enable = "neon")]
    fn below_space(self) -> u64 {
        Self::mask(self.0.map(|quarter| vcltq_u8(quarter, Self::splat(b' '))))
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn high(self) -> u64 {
        Self::mask(self.0.map(|quarter| vcltzq_s8(vreinterpretq_s8_u8(quarter))))
    }
    #[inline]
    #[target_feature(enable = "neon")]
    fn prefix_xor(mask: u64) -> u64 {
        super::prefix_xor(mask)
    }
}

#[target_feature(enable = "neon")]
pub(super) fn neon<const N: usize, const ENVELOPE: bool>(kernel: &Kernel, payload: &[u8]) -> Found {
    pass!(Neon, kernel, payload, N, ENVELOPE)
}
