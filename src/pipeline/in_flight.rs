//! What was sent and has not come back: a note for each token.

use crate::sink::Token;

/// Notes by token. A token names one send: it is answered once, and a second answer finds nothing.
#[derive(Debug)]
pub struct InFlight<N> {
    places: Vec<Place<N>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<N> {
    generation: u32,
    note: Option<N>,
}

impl<N> Default for InFlight<N> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<N> InFlight<N> {
    /// Keeps `note` under a token of its own.
    pub fn insert(&mut self, note: N) -> Token {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.places.push(Place { generation: 0, note: None });
                u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let Some(place) = self.places.get_mut(at as usize) else { return Token::MAX };
        place.note = Some(note);
        Token::from(place.generation) << 32 | Token::from(at)
    }

    /// The note of `token`; `None` where it was taken.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut N> {
        let at = u32::try_from(token & Token::from(u32::MAX)).ok()?;
        let place = self.places.get_mut(at as usize)?;
        (Token::from(place.generation) == token >> 32).then_some(place.note.as_mut())?
    }

    /// Takes the note of `token` out; `None` where it was taken before.
    pub fn take(&mut self, token: Token) -> Option<N> {
        let at = u32::try_from(token & Token::from(u32::MAX)).ok()?;
        let place = self.places.get_mut(at as usize)?;
        if Token::from(place.generation) != token >> 32 {
            return None;
        }
        let note = place.note.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(at);
        Some(note)
    }

    /// Takes every note out; their tokens are answered.
    pub fn take_all(&mut self) -> Vec<N> {
        let mut notes = Vec::with_capacity(self.len());
        for (at, place) in self.places.iter_mut().enumerate() {
            let Some(note) = place.note.take() else { continue };
            place.generation = place.generation.wrapping_add(1);
            self.free.push(u32::try_from(at).unwrap_or(u32::MAX));
            notes.push(note);
        }
        notes
    }

    /// How many notes are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_answered_once() {
        let mut notes = InFlight::default();
        let (first, second) = (notes.insert('a'), notes.insert('b'));
        assert_eq!(notes.len(), 2);
        assert_eq!(notes.take(first), Some('a'));
        assert_eq!(notes.take(first), None);
        let third = notes.insert('c');
        assert_ne!(third, first);
        assert_eq!(notes.take(first), None);
        assert_eq!(notes.take(second), Some('b'));
        assert_eq!(notes.take(third), Some('c'));
        assert_eq!(notes.take(12345), None);
        assert!(notes.is_empty());
    }

    #[test]
    fn what_was_taken_with_all_others_is_answered() {
        let mut notes = InFlight::default();
        let (first, second) = (notes.insert('a'), notes.insert('b'));
        assert_eq!(notes.take(first), Some('a'));
        assert_eq!(notes.take_all(), ['b']);
        assert!(notes.is_empty());
        assert_eq!(notes.take(second), None);
        let again = [notes.insert('c'), notes.insert('d')];
        assert!(!again.contains(&first) && !again.contains(&second));
        assert_eq!(notes.len(), 2);
    }
}
