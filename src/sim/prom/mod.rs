//! Prometheus at the wire.
