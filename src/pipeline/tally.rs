//! What a worker counts locally and publishes once per batch.
