//! The envelope check: what is checked on a record that no rule can match.
