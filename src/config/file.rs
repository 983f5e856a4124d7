//! What may be written in a configuration file.
