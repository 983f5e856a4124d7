//! Where an event is put together: a sheet, and texts that are put on it in blocks.
//!
//! An event is about a hundred short texts. A copy of so many bytes as a text happens to have is a
//! call; a copy of one block is two instructions. So every text is kept in a block that is filled up,
//! the whole block is copied, and the next one is laid over what was too much. What is drawn anew is
//! laid down in words of eight bytes, never in bytes that are read as a block soon after: a processor
//! has to wait until such bytes have reached its cache.
//!
//! Nothing here knows what an event is.

/// Bytes that are copied at once.
pub(super) const BLOCK: usize = 32;

/// A text in a block of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Text {
    /// The text, and then anything.
    block: [u8; BLOCK],
    /// At most [`BLOCK`].
    length: usize,
}

impl Text {
    /// Cuts `text` into as many texts as it takes; one, where it is empty.
    pub(super) fn cut(text: &[u8]) -> Vec<Self> {
        let one = |chunk: &[u8]| {
            let mut block = [0; BLOCK];
            for (to, from) in block.iter_mut().zip(chunk) {
                *to = *from;
            }
            Self { block, length: chunk.len() }
        };
        if text.is_empty() {
            return vec![Self::default()];
        }
        text.chunks(BLOCK).map(one).collect()
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    pub(super) const fn clear(&mut self) {
        self.length = 0;
    }

    /// Lays `N` bytes down behind the text, of which `length` belong to it.
    #[inline]
    pub(super) fn add<const N: usize>(&mut self, bytes: [u8; N], length: usize) {
        lay(&mut self.block, self.length, bytes);
        self.length += length;
    }

    /// Lays bytes over a part of the text.
    #[inline]
    pub(super) fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        lay(&mut self.block, at, bytes);
    }
}

#[inline]
fn lay<const N: usize>(over: &mut [u8], at: usize, bytes: [u8; N]) {
    let room = over.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<N>);
    *room.expect("texts are laid where there is room: a test makes the longest of each") = bytes;
}

/// What an event is written on, over and over.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// One block longer than what is ever put on it.
    bytes: Box<[u8]>,
    end: usize,
}

impl Sheet {
    /// A sheet for at most `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes: vec![0; bytes_max + BLOCK].into_boxed_slice(), end: 0 }
    }

    pub(super) const fn clear(&mut self) {
        self.end = 0;
    }

    #[inline]
    pub(super) fn put(&mut self, text: &Text) {
        self.put_block(text.block, text.length);
    }

    /// Puts `N` bytes down, of which `length` count.
    #[inline]
    pub(super) fn put_block<const N: usize>(&mut self, block: [u8; N], length: usize) {
        lay(&mut self.bytes, self.end, block);
        self.end += length;
    }

    /// What was put on it since it was cleared.
    pub(super) fn written(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_stand_one_behind_the_other() {
        let long = "0123456789".repeat(13);
        for length in 0..=long.len() {
            let text = &long[..length];
            let mut sheet = Sheet::new(2 * length + 1);
            for part in [text, "|", text].iter().flat_map(|part| Text::cut(part.as_bytes())) {
                sheet.put(&part);
            }
            assert_eq!(sheet.written(), format!("{text}|{text}").as_bytes());
            sheet.clear();
            assert_eq!(sheet.written(), b"");
        }
    }
}
