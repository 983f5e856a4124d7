//! Outputs as lines: standard output, standard error and files.
