//! Metric sources: query text out, samples in.
