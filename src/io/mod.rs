//! Everything that can block or fail.
