//! The same program, installed as a kubectl plugin.
fn main() {}
