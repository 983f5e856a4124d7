//! Callbacks of the client → events and counters.
