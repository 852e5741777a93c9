//! Names that must not be confused, each a type of its own.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Shared immutable text.
pub type Text = Arc<str>;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Text);

        impl $type {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<Text>) -> Self {
                Self(text.into())
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($type), &*self.0)
            }
        }
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

name!(/// All clusters, services and rings of one configuration.
    FleetName);
name!(/// One deployable thing that is released ring by ring.
    ServiceName);
name!(/// An ordered stage of a release.
    RingName);
name!(/// Where a service runs: a cluster, a namespace and a workload.
    RegionName);
name!(/// A cluster as the configuration names it; never the current context.
    ClusterName);
name!(/// A Kubernetes namespace.
    Namespace);
name!(/// A column of the metric table.
    ColumnName);
name!(/// `metadata.uid` of an object.
    Uid);
name!(/// Identity of a cluster: uid of namespace kube-system, else a digest of CA and URL.
    ClusterUid);
name!(/// Who acts or acted: the user a cluster names, or `user@host` where none does.
    Operator);

/// Position of a service in [`super::fleet::Fleet::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIx(pub u32);

/// Position of a region in [`super::fleet::Service::regions`]; ring order, then configuration order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionIx(pub u32);

/// Position of a ring in [`super::fleet::Service::rings`]; earlier rings first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingIx(pub u32);

/// Position of a cluster in [`super::fleet::Fleet::clusters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterIx(pub u32);

/// Position of a Prometheus in [`super::fleet::Fleet::prometheuses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrometheusIx(pub u32);

macro_rules! index {
    ($($type:ident),*) => {$(
        impl $type {
            /// As a position in a slice.
            pub fn at(self) -> usize {
                self.0 as usize
            }
        }
        impl From<usize> for $type {
            fn from(position: usize) -> Self {
                Self(u32::try_from(position).unwrap_or(u32::MAX))
            }
        }
    )*};
}
index!(ServiceIx, RegionIx, RingIx, ClusterIx, PrometheusIx);

/// One region of one service.
pub type Place = (ServiceIx, RegionIx);
