//! What an alert is written on: bytes that are there before they are written.
//!
//! A vector asks for room with each piece, and an alert has some five hundred pieces, nearly all of
//! them shorter than the asking. A sheet is blank for some way ahead of what is written, so that a
//! piece is a comparison and a copy, and a short one may be copied in a block that is too long for
//! it: what follows is written over. It is blanked bit by bit, shortly before it is written.

/// Bytes that are copied at once, whatever is wanted of them.
pub(super) const BLOCK: usize = 32;

/// Bytes that are blanked at a time.
const AHEAD: usize = 1024;

/// The bytes, and how many of them are written.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    bytes: Vec<u8>,
    written: usize,
}

impl Sheet {
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), written: 0 }
    }

    /// Goes on behind what was written before.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { written: bytes.len(), bytes }
    }

    /// What was written.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.written);
        self.bytes
    }

    /// The last byte.
    #[inline]
    pub(super) fn last(&self) -> Option<u8> {
        self.bytes.get(self.written.wrapping_sub(1)).copied()
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.written) {
            Some(place) => {
                *place = byte;
                self.written += 1;
            }
            None => self.push_beyond(byte),
        }
    }

    #[inline]
    pub(super) fn put(&mut self, piece: &[u8]) {
        let end = self.written + piece.len();
        match self.bytes.get_mut(self.written..end) {
            Some(place) => {
                place.copy_from_slice(piece);
                self.written = end;
            }
            None => self.put_beyond(piece),
        }
    }

    /// The first `length` bytes of `block`, with another byte in place of the first.
    #[inline]
    pub(super) fn put_front(&mut self, block: &[u8; BLOCK], length: usize, first: u8) {
        let free = self.bytes.get_mut(self.written..);
        match free.and_then(|free| free.first_chunk_mut::<BLOCK>()) {
            Some(place) => {
                *place = *block;
                let [begin, ..] = place;
                *begin = first;
                self.written += length;
            }
            None => self.put_front_beyond(block, length, first),
        }
    }

    /// What stands in `block` behind its first byte, with a quote on either side: `length` bytes
    /// with the quotes.
    #[inline]
    pub(super) fn put_quoted(&mut self, block: &[u8; BLOCK], length: usize) {
        let free = self.bytes.get_mut(self.written..);
        match free.and_then(|free| free.first_chunk_mut::<BLOCK>()) {
            Some(place) => {
                *place = *block;
                let [begin, rest @ ..] = place;
                *begin = b'"';
                if let Some(end) = rest.get_mut(length.wrapping_sub(2)) {
                    *end = b'"';
                }
                self.written += length;
            }
            None => self.put_quoted_beyond(block, length),
        }
    }

    /// The piece, with a byte before it and others behind it.
    #[inline]
    pub(super) fn put_between<const N: usize>(
        &mut self,
        piece: &[u8],
        before: u8,
        behind: &[u8; N],
    ) {
        let end = self.written + 1 + piece.len() + N;
        let place = self.bytes.get_mut(self.written..end);
        if let Some([begin, place @ ..]) = place
            && let Some((inside, rest)) = place.split_at_mut_checked(piece.len())
            && let Some(rest) = rest.first_chunk_mut::<N>()
        {
            *begin = before;
            inside.copy_from_slice(piece);
            *rest = *behind;
            self.written = end;
        } else {
            self.put_between_beyond(piece, before, behind);
        }
    }

    // What does not fit is written by functions of their own, so that what fits needs none.

    #[cold]
    #[inline(never)]
    fn push_beyond(&mut self, byte: u8) {
        self.put_beyond(&[byte]);
    }

    #[cold]
    #[inline(never)]
    fn put_front_beyond(&mut self, block: &[u8; BLOCK], length: usize, first: u8) {
        self.push(first);
        self.put(block.get(1..length).unwrap_or_default());
    }

    #[cold]
    #[inline(never)]
    fn put_quoted_beyond(&mut self, block: &[u8; BLOCK], length: usize) {
        self.put_between_beyond(block.get(1..length - 1).unwrap_or_default(), b'"', b"\"");
    }

    #[cold]
    #[inline(never)]
    fn put_between_beyond(&mut self, piece: &[u8], before: u8, behind: &[u8]) {
        self.push(before);
        self.put(piece);
        self.put(behind);
    }

    #[cold]
    #[inline(never)]
    fn put_beyond(&mut self, piece: &[u8]) {
        self.bytes.truncate(self.written);
        self.bytes.extend_from_slice(piece);
        self.written = self.bytes.len();
        self.bytes.resize(self.written + AHEAD, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sheet_holds_what_a_vector_would(
            room in 0..2000_usize,
            pieces in proptest::collection::vec(any::<(u8, Vec<u8>, [u8; BLOCK])>(), 0..20),
        ) {
            let (mut sheet, mut plain) = (Sheet::with_room(room), Vec::new());
            for (byte, piece, block) in &pieces {
                sheet.push(*byte);
                sheet.put(piece);
                let length = 1 + usize::from(*byte) % BLOCK;
                sheet.put_front(block, length, b'"');
                plain.push(*byte);
                plain.extend_from_slice(piece);
                plain.push(b'"');
                plain.extend_from_slice(&block[1..length]);
                sheet.put_quoted(block, 2 + (length - 1) % (BLOCK - 1));
                plain.push(b'"');
                plain.extend_from_slice(&block[1..=(length - 1) % (BLOCK - 1)]);
                plain.push(b'"');
                sheet.put_between(piece, *byte, b"\":");
                plain.push(*byte);
                plain.extend_from_slice(piece);
                plain.extend_from_slice(b"\":");
                prop_assert_eq!(sheet.written, plain.len());
            }
            prop_assert_eq!(sheet.last(), plain.last().copied());
            let sheet = Sheet::from_bytes(sheet.into_bytes());
            prop_assert_eq!(sheet.into_bytes(), plain);
        }
    }
}
