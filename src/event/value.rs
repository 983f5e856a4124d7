//! Values: what JSON says, borrowed from the arena.
//!
//! The types are plain data without behaviour of their own; [`super::tree`] keeps their promises
//! (names unique, never dotted).

/// One JSON value, borrowed from an [`Arena`](super::Arena).
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
pub enum Value<'s> {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits with a sign.
    Int(i64),
    /// An integer above `i64::MAX` that fits 64 bits.
    Uint(u64),
    /// Any other number (integers beyond 64 bits lose precision here).
    Float(f64),
    /// A string, unescaped.
    Text(&'s str),
    /// An array, in order.
    Array(&'s [Value<'s>]),
    /// An object, members in the order of their first occurrence, names unique.
    Object(&'s [Member<'s>]),
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member<'s> {
    /// The member's name: never dotted, unique within its object.
    pub name: &'s str,
    /// The member's value.
    pub value: Value<'s>,
}

impl Member<'_> {
    /// Whether this is its name. Usual names stand in one place (see [`super::names`]), and others
    /// of one length differ in their first byte more often than not: both is seen without a call.
    #[inline]
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        if self.name.len() != name.len() {
            return false;
        }
        self.name.as_ptr() == name.as_ptr()
            || self.name.as_bytes().first() == name.as_bytes().first() && self.name == name
    }
}

impl<'s> Value<'s> {
    /// The value, arrays opened: their first element that is neither null nor an array.
    #[must_use]
    pub fn first_leaf(self) -> Option<Self> {
        match self {
            Self::Null => None,
            Self::Array(items) => items.iter().find_map(|item| item.first_leaf()),
            other => Some(other),
        }
    }

    /// The text that the value is, arrays opened.
    #[must_use]
    pub fn first_text(self) -> Option<&'s str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Array(items) => items.iter().find_map(|item| item.first_text()),
            _ => None,
        }
    }

    /// The members of the object that the value is, arrays opened; none where it is no object.
    #[must_use]
    pub fn members(self) -> &'s [Member<'s>] {
        match self {
            Self::Object(members) => members,
            Self::Array(items) => items
                .iter()
                .map(|item| item.members())
                .find(|members| !members.is_empty())
                .unwrap_or_default(),
            _ => &[],
        }
    }
}

impl From<Value<'_>> for serde_json::Value {
    /// The value as an owned tree; a number that JSON cannot spell becomes null.
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(found) => Self::Bool(found),
            Value::Int(whole) => whole.into(),
            Value::Uint(whole) => whole.into(),
            Value::Float(float) => float.into(),
            Value::Text(text) => text.into(),
            Value::Array(items) => items.iter().copied().map(Self::from).collect(),
            Value::Object(members) => {
                let owned = |member: &Member<'_>| (member.name.to_owned(), member.value.into());
                Self::Object(members.iter().map(owned).collect())
            }
        }
    }
}

/// The value of the member of that name.
#[inline]
#[must_use]
pub fn member<'s>(members: &'s [Member<'s>], name: &str) -> Option<Value<'s>> {
    members.iter().find(|member| member.is_named(name)).map(|member| member.value)
}

/// The value that `path` leads to through objects, arrays not opened on the way.
#[must_use]
pub fn at<'s>(members: &'s [Member<'s>], path: &[&str]) -> Option<Value<'s>> {
    let (head, rest) = path.split_first()?;
    let value = member(members, head)?;
    match (rest, value) {
        ([], found) => Some(found),
        (rest, Value::Object(inner)) => at(inner, rest),
        _ => None,
    }
}
