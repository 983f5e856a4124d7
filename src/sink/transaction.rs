//! How transactions of a sink end. Plain values; what follows is decided by the pipeline.

/// How a commit or an abort of a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is committed: its outputs are visible, its offsets are the group's.
    Committed,
    /// It is not committed, or it is not known whether it is: it has to be aborted.
    MustAbort(TransactionFault),
    /// It is aborted: nothing of it is ever visible.
    Aborted,
    /// The client was replaced, which ends the transaction; whether a commit that was under way
    /// has gone through, only the cluster knows.
    Replaced,
    /// The client cannot go on, and another one could not either; why, in one line.
    Failed(String),
}

/// Why a transaction has to be aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionFault {
    /// What it calls for.
    pub class: TransactionFaultClass,
    /// Why, in one line.
    pub why: String,
}

/// What a failed transaction calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionFaultClass {
    /// The group has moved on: whoever has the partitions now judges them again.
    Outrun,
    /// The broker does not take it now.
    Unavailable,
}
