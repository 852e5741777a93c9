//! The `gonogo` program.

fn main() -> std::process::ExitCode {
    gonogo::run::main(gonogo::cli::parse())
}
