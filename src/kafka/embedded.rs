//! A broker in this process (librdkafka's mock cluster): for `demo` and quick tests only.
