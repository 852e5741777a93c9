//! Writes and what became of them.
