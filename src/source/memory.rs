//! Records from memory, for tests and benches of the pipeline.
