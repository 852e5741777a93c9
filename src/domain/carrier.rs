//! How a new version gets to a region, where it is not written into its workload.

use std::sync::Arc;

use super::id::Text;

/// Before the name of what a carrier remembers, in a record: no path of a workload begins so.
pub const OF_CARRIER: &str = "carrier.";
use super::pipeline::Pipeline;

/// What carries versions to a region, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierRef {
    /// The Application that delivers the region's workload.
    Application(ApplicationCarrier),
    /// A scalar of a file in a Git repository, which something else brings to the cluster.
    Overlay(OverlayRef),
    /// A pipeline that is asked by command or HTTP.
    Pipeline(Arc<Pipeline>),
}

/// Which field of an Application is the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationCarrier {
    /// The source that it is a field of, by its name or its position; absent where there is one source.
    pub source: Option<Text>,
    /// The field.
    pub field: ApplicationField,
    /// What a revision or a parameter is called: with `{{version}}` in it.
    pub template: Text,
}

/// A field of an Application's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationField {
    /// `targetRevision`.
    TargetRevision,
    /// An entry of `kustomize.images`, by the name that the manifests have the image by; absent: the repository of
    /// the image that runs.
    KustomizeImage(Option<Text>),
    /// A parameter of `helm.parameters`, by its name.
    HelmParameter(Text),
    /// None: what the repository has is synced.
    Sync,
}

/// A scalar of a file in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayRef {
    /// Name of the repository in the configuration.
    pub repository: Text,
    /// Branch that is followed.
    pub branch: Text,
    /// File, from the repository's root.
    pub path: Text,
    /// Which scalar: a [`super::fleet::CarryPath`], e.g. `/images[name=web]/newTag`.
    pub pointer: Text,
    /// Commits leave on a branch of their own, for people to merge.
    pub own_branch: bool,
}
