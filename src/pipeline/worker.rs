//! One consumer, one thread: a batch of records → verdicts → outputs.
