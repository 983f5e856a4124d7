//! Decisions of a worker: input → effects, synchronous and without I/O.
