//! The same program, installed as a kubectl plugin.

fn main() -> std::process::ExitCode {
    gonogo::run::main(gonogo::cli::parse())
}
