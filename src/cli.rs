//! Arguments and dispatch.
