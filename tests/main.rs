//! One integration binary: a module per file beside it.
