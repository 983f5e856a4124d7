//! The Kafka client: settings, callbacks and the embedded broker.

pub mod settings;
pub mod context;
pub mod embedded;
