//! Records from lines: standard input and files, plain, `.gz` or `.zst`.
