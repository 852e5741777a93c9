//! The API server over the wire, in process, under paused time.
