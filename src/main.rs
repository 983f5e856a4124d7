//! Starts the program: arguments in, an exit code out.

use std::process::ExitCode;

/// Serves librdkafka's C code as well (feature `override`), which saves 15-25 % of all CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(ouzel::cli::main(std::env::args_os()).code())
}
