//! One cluster's API server, as a `tower::Service`: on a socket or in process.

/// What the world plugs in: pod logs, and the services behind the proxy path.
pub mod hooks;
