//! The keys of what brings workloads from a repository.

use super::{Key, NONE, REQUIRED, Section, Shape, key};

pub(super) const DELIVERY_KEY: Key = key(
    "delivery",
    Shape::TableOrOff(&DELIVERY),
    NONE,
    "What brings its workloads from a repository; it is read, and shown beside what runs.",
);
pub(super) const OWN_DELIVERY: Key = key(
    "delivery",
    Shape::Flag,
    "`true` if the service has one",
    "`false`: the service's delivery does not bring this region's workload.",
);
pub(super) const OWN_APPLICATION: Key =
    key("application", Shape::Text, "the delivery's", "Name of the object that brings its workload.");

/// What brings the workloads.
pub static DELIVERY: Section = Section {
    path: "service.NAME.delivery",
    about: "What brings the workload of a region from a repository, in whatever cluster it lies; `{{service}} {{region}} {{ring}} {{cluster}}` are replaced.",
    keys: &[
        key(
            "kind",
            Shape::Text,
            "`Application`",
            "Kind of the object: `Application` (Argo CD), `Kustomization` or `HelmRelease` (Flux).",
        ),
        key("cluster", Shape::Text, REQUIRED, "Cluster that holds it; `{{cluster}}`: each region's own."),
        key("namespace", Shape::Text, "`argocd`, or `flux-system`", "Its namespace."),
        key("name", Shape::Text, "`{{service}}-{{region}}`", "Its name."),
        key("except", Shape::Texts, NONE, "Regions whose workload is brought otherwise."),
    ],
};
