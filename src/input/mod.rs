//! Keys to commands; help is generated from the keymap.
