//! The keys of what brings workloads from a repository.

use super::{Key, NONE, REQUIRED, Section, Shape, key};

pub(super) const DELIVERY_KEY: Key = key(
    "delivery",
    Shape::TableOrOff(&DELIVERY),
    NONE,
    "What brings its workloads from a repository; it is shown beside what runs, and may carry promotions.",
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
        key(
            "promote",
            Shape::Word(&["workload", "revision", "image", "parameter", "sync"]),
            "`workload`",
            "What a promotion writes: the workload itself; or, of the Application, the `targetRevision` that it follows, an image override (`kustomize.images`), a chart parameter (`helm.parameters`), or nothing but a sync of what the repository has.",
        ),
        key(
            "source",
            Shape::TextOrNumber,
            "the only one",
            "With `promote`: which source, by its name or its position from 0; needed where an Application has several.",
        ),
        key(
            "value",
            Shape::Text,
            "`{{version}}`",
            "With `promote = \"revision\"` or `\"parameter\"`: what a version is called there, e.g. `release-{{version}}`.",
        ),
        key(
            "image",
            Shape::Text,
            "the repository of the image that runs",
            "With `promote = \"image\"`: the name that the manifests have the image by.",
        ),
        key(
            "parameter",
            Shape::Text,
            NONE,
            "With `promote = \"parameter\"`, and needed there: name of the chart parameter, e.g. `image.tag`.",
        ),
        key(
            "hold",
            Shape::Word(&["leave", "stop", "terminate"]),
            "`stop` where promotions go by the Application, else `leave`",
            "What a hold does to the Application besides: nothing; take `automated` away until the hold is released; and end a sync that runs, too.",
        ),
    ],
};
