//! Keys to commands: what a key is, what can be commanded, and the keymap that joins them.
//!
//! Help and the tables of the documentation are made from the same keymap.

pub mod command;
pub mod help;
pub mod key;
pub mod keymap;

pub use command::Command;
pub use key::Key;
pub use keymap::Keymap;
