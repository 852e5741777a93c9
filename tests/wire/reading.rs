//! Reads on demand.
