//! Wiring: workers, signals, shutdown.
