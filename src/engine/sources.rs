//! How well we hear what is no cluster: commands and endpoints that are asked how a region stands.
//!
//! What they said ages and is lost as a cluster's data is: last known values stay, and nothing rests on them.

use std::collections::BTreeMap;

use super::Engine;
use crate::domain::change::ObjectRef;
use crate::domain::fleet::Region;
use crate::domain::id::{Place, Text};
use crate::domain::link::{Freshness, Link};
use crate::domain::stamp::Stamp;

/// What is asked, by the name of the workload that it reports: no other has it.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<Text, Source>);

#[derive(Clone, Debug, Default)]
struct Source {
    link: Link,
    heard: Option<Stamp>,
    was_live: bool,
}

impl Sources {
    /// How well a region is heard that reports by itself; none: its cluster is all there is.
    pub fn freshness(&self, region: &Region, now: Stamp) -> Option<Freshness<'_>> {
        if !region.is_reported() {
            return None;
        }
        let source = self.0.get(&region.workload.name);
        Some(source.map_or(Freshness::Never, |s| s.link.freshness(s.heard, now)))
    }

    /// Its link and when it was heard last.
    pub fn link(&self, region: &Region) -> Option<(&Link, Option<Stamp>)> {
        let source = self.0.get(&region.workload.name).filter(|_| region.is_reported())?;
        Some((&source.link, source.heard))
    }
}

impl Engine {
    /// The region that an object of a report is about.
    pub(super) fn reported_at(&self, object: &ObjectRef) -> Option<Place> {
        self.fleet.services.iter().enumerate().find_map(|(s, service)| {
            let is = |r: &Region| r.is_reported() && r.workload.name == object.name && r.cluster == object.cluster;
            service.regions.iter().position(is).map(|r| (s.into(), r.into()))
        })
    }

    /// A command or endpoint answered for a region, or did not.
    pub(super) fn reported(&mut self, place: Place, link: Link) {
        let now = self.now;
        let Some(region) = self.fleet.service(place.0).and_then(|s| s.region(place.1)) else { return };
        let source = self.sources.0.entry(region.workload.name.clone()).or_default();
        let before = (source.link.clone(), source.link.freshness(source.heard, now).is_live());
        if link == Link::Live {
            source.heard = Some(now);
        }
        source.link = link;
        if before != (source.link.clone(), source.link.freshness(source.heard, now).is_live()) {
            self.with(place, |_| ());
            self.revision.shown += 1;
        }
    }

    /// Sources that were live when this was asked last, and are not any more by silence alone.
    pub(super) fn notice_silent_sources(&mut self) {
        let now = self.now;
        let mut turned = Vec::new();
        for (name, source) in &mut self.sources.0 {
            let live = source.link.freshness(source.heard, now).is_live();
            if std::mem::replace(&mut source.was_live, live) && !live {
                turned.push(name.clone());
            }
        }
        if turned.is_empty() {
            return;
        }
        let fleet = self.fleet.clone();
        for (at, service) in fleet.services.iter().enumerate() {
            let about = |r: &Region| r.is_reported() && turned.contains(&r.workload.name);
            for (region, _) in service.regions.iter().enumerate().filter(|(_, r)| about(r)) {
                self.with((at.into(), region.into()), |_| ());
            }
            self.revision.shown += 1;
        }
    }
}
