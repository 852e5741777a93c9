//! The shells around the engine.
