//! File → settings, all faults at once.
