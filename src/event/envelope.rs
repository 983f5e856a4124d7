//! Which shape a record has, and where its events are.
