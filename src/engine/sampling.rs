//! Which questions to ask Prometheus now.
