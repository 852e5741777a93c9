//! The policy hash: consoles that judge by other rules notice each other.

use super::super::source::At;
use crate::domain::fleet::Service;
use crate::domain::id::Text;
use crate::domain::version::sha256_hex;
use crate::engine::policy_text::policy_text;

/// First 16 hex digits of the SHA-256 of a service's resolved topology and policy.
///
/// What only people read (labels, owners, titles, links) and how this console reaches
/// clusters (contexts, kubeconfigs) is no part of it.
pub(super) fn policy(service: &Service, clusters: &[At<String>]) -> Text {
    let text = policy_text(service, &|at| clusters.get(at).map_or_else(|| "?".to_owned(), |c| c.value.clone()));
    sha256_hex(text.as_bytes()).chars().take(16).collect::<String>().into()
}
