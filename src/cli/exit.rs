//! Outcomes and exit codes.
