//! Required literals → byte scan; may only over-approximate.

/// Why a rule has no literal that every record which it can hit must hold. A set with such a rule
/// decodes every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoLiteral {
    /// The query (or an alternative of it) holds by absence.
    #[error("it holds where something is absent (`not`)")]
    Negation,
    /// The query asks that a field is there, whatever its value.
    #[error("it asks only that a field exists")]
    Existence,
    /// The query compares a range, a number, a boolean, an address or a time, whose bytes can be
    /// written in many ways.
    #[error(
        "it compares a value that can be written in many ways (a range, number, boolean, address or date)"
    )]
    ManySpellings,
    /// The query searches words, whatever their letter case.
    #[error("it searches words without regard to letter case")]
    Words,
    /// The field's values are made while decoding; the payload need not hold them.
    #[error("the field `event.*` or the like is derived, the payload need not hold its value")]
    Derived,
    /// The value has no run of plain ASCII text.
    #[error("the value has no piece of plain ASCII text that is long enough")]
    NoText,
    /// The query matches everything, or any field.
    #[error("it is not bound to a field")]
    AnyField,
}
