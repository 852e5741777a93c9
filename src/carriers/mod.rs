//! What carries a new version to a region where it is not written into the workload: each a pure translator in a
//! file of its own, listed in one table.
//!
//! A carrier says what must be read before a plan, and turns a version into one exact change. What came of it shows
//! in the workload, which is read from its cluster as ever.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::carrier::{CarrierRef, OverlayRef};
use crate::domain::change::{Change, ObjectRef};
use crate::domain::fleet::{Fleet, Region, Service};
use crate::domain::id::Text;
use crate::domain::plan::{DiffLine, PlanId};
use crate::domain::stamp::Timestamp;
use crate::domain::version::{Image, Version};
use crate::kinds::Still;

mod application;
mod overlay;
pub mod pipeline;

pub use application::Application;
pub use overlay::Overlay;

/// Every carrier.
pub const CARRIERS: &[&dyn Carrier] = &[&Application, &Overlay, &pipeline::Pipeline];

/// The carrier of a region; none: versions are written into its workload.
pub fn carrier(region: &Region) -> Option<&'static dyn Carrier> {
    let wanted = region.carrier.as_ref()?;
    CARRIERS.iter().copied().find(|c| c.carries(wanted))
}

/// Turns a version into one exact change.
pub trait Carrier: Sync {
    /// Its name in the configuration, e.g. `application`.
    fn name(&self) -> &'static str;

    /// Whether it is what a configuration names.
    fn carries(&self, wanted: &CarrierRef) -> bool;

    /// What must be read before a plan; none: nothing beyond the workload.
    fn reads(&self, region: &Region) -> Option<CarrierRead>;

    /// What must be read besides, now that the first is there; what of it cannot be read is left out of
    /// [`Order::besides`].
    fn besides(&self, _region: &Region, _read: &Value) -> Vec<ObjectRef> {
        Vec::new()
    }

    /// The change that brings a version.
    ///
    /// # Errors
    /// Why that cannot be done, and what to do.
    fn carry(&self, order: &Order<'_>) -> Result<Carried, Still>;
}

/// What a carrier must have read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierRead {
    /// An object of a cluster.
    Object(ObjectRef),
    /// A scalar of a file in a repository: `{head, value, line, last: {commit, message, alone}}`, or `{cannot}`.
    Scalar(OverlayRef),
}

/// A version that is to be brought to a region.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The plan.
    pub plan: PlanId,
    /// The fleet.
    pub fleet: &'a Fleet,
    /// The service.
    pub service: &'a Service,
    /// The region.
    pub region: &'a Region,
    /// Name of its ring.
    pub ring: &'a str,
    /// What was read; none: nothing was to be read, or it is not there.
    pub read: Option<&'a Value>,
    /// What was read besides.
    pub besides: &'a BTreeMap<ObjectRef, Value>,
    /// Who asks.
    pub by: &'a str,
    /// Server time.
    pub now: Timestamp,
    /// What runs.
    pub from: &'a Version,
    /// What is to run.
    pub to: &'a Version,
    /// The image that is to run, where it is known.
    pub image: Option<&'a Image>,
    /// Forward or back.
    pub way: Way<'a>,
}

/// Forward or back.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    /// To a version that the ring before runs.
    Forward,
    /// Back; with what [`Carried::remembers`] said when the version that runs was brought. Empty: not known.
    Back(&'a [(Text, Text)]),
}

/// The change that brings a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// What is written.
    pub change: Change,
    /// How it is shown.
    pub diff: Vec<DiffLine>,
    /// What was there before, by name: enough to go back.
    pub remembers: Vec<(Text, Text)>,
    /// What a person must have seen before; each follows the region's name.
    pub warnings: Vec<String>,
    /// It is only proposed: others decide about it, and nothing is to be seen in the workload before.
    pub proposed: bool,
}
