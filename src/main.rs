//! The `gonogo` program.

fn main() -> std::process::ExitCode {
    gonogo::cli::main()
}
