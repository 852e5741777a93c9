//! Names: those that are looked up, and those that must fit Kubernetes.

use super::super::reader::Problems;
use super::super::source::{At, Span};
use crate::domain::text::did_you_mean;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Cluster,
    Prometheus,
    Region,
    Ring,
    Topology,
    Column,
    Gate,
    Workload,
    Provider,
    Delivery,
    Pipeline,
    Steering,
    Service,
    Endpoint,
    Repository,
}

impl Kind {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Cluster => ("cluster", "unknown-cluster"),
            Kind::Prometheus => ("prometheus", "unknown-prometheus"),
            Kind::Region => ("region", "unknown-region"),
            Kind::Ring => ("ring", "unknown-ring"),
            Kind::Topology => ("topology", "unknown-topology"),
            Kind::Column => ("column", "unknown-column"),
            Kind::Gate => ("gate", "unknown-gate"),
            Kind::Workload => ("workload kind", "unknown-kind"),
            Kind::Provider => ("traffic provider", "unknown-provider"),
            Kind::Delivery => ("kind of delivery", "unknown-delivery"),
            Kind::Steering => ("steering", "unknown-steering"),
            Kind::Pipeline => ("pipeline", "unknown-pipeline"),
            Kind::Endpoint => ("endpoint", "unknown-endpoint"),
            Kind::Repository => ("repository", "unknown-repository"),
            Kind::Service => ("service", "unknown-service"),
        }
    }
}

/// Says that there is nothing of this name, and what there is.
pub(super) fn unknown<'k>(
    problems: &Problems<'_>,
    kind: Kind,
    wanted: &At<String>,
    known: impl IntoIterator<Item = &'k str>,
) {
    let (word, code) = kind.words();
    let known: Vec<&str> = known.into_iter().collect();
    let fix = match did_you_mean(&wanted.value, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {word} yet"),
        None => format!("there is: {}", list(&known)),
    };
    problems.error(code, wanted.at, format!("unknown {word} `{}`", wanted.value), fix);
}

/// Names for a message, at most twelve.
pub(super) fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
    let more = names.len().saturating_sub(12);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// Whether Kubernetes takes it as a label (RFC 1123): a namespace, a container, a Service.
pub(super) fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// Whether Kubernetes takes it as a name (RFC 1123 subdomain).
pub(super) fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Checks the name of a cluster, region, ring, service: it goes into labels, queries and commands.
pub(super) fn check(problems: &Problems<'_>, what: &str, name: &str, at: Span) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || name.len() > 63 || !name.chars().all(fits) {
        problems.error(
            "bad-name",
            at,
            format!("`{name}` cannot be the name of a {what}"),
            "use at most 63 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
        );
    }
}
