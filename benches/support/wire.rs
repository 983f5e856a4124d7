//! Kafka's wire format, as far as the canned broker speaks it: the versions without tagged fields.

/// Reads one request; what it does not have ends the connection.
pub struct Reader<'b>(pub &'b [u8]);

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub fn i8(&mut self) -> Option<i8> {
        self.take().map(i8::from_be_bytes)
    }

    pub fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    pub fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn slice(&mut self, length: usize) -> Option<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    /// A text; null is an empty one.
    pub fn text(&mut self) -> Option<String> {
        let length = self.i16()?;
        let bytes = self.slice(usize::try_from(length).unwrap_or(0))?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Bytes; null is none.
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.i32()?;
        self.slice(usize::try_from(length).unwrap_or(0))
    }

    /// The entries of an array; `None` for null.
    pub fn array<T>(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Option<Vec<T>>> {
        let count = self.i32()?;
        if count < 0 {
            return Some(None);
        }
        (0..count).map(|_| entry(self)).collect::<Option<Vec<T>>>().map(Some)
    }

    /// The same, where null means that there are none.
    pub fn list<T>(&mut self, entry: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.array(entry).map(Option::unwrap_or_default)
    }
}

/// Writes one response.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn i8(&mut self, number: i8) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub fn i16(&mut self, number: i16) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub fn i32(&mut self, number: i32) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub fn i64(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.i16(i16::try_from(text.len()).expect("names are short"));
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    /// How many entries, or bytes, follow.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.i32(i32::try_from(count).expect("a response is small"))
    }

    pub fn list<T>(&mut self, entries: &[T], mut entry: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.count(entries.len());
        entries.iter().for_each(|it| entry(self, it));
        self
    }
}
