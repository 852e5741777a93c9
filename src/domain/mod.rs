//! The pure core: no tokio, kube, ratatui, files, clock or randomness.
