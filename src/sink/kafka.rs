//! Outputs to Kafka.
