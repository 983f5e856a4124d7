//! Outputs kept in memory, for tests and benches of the pipeline.
