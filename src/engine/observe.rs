//! Observations into the state: the only way the world enters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Engine;
use super::draft::Read;
use super::newest::Came;
use super::state::{Happened, RegionState};
use crate::domain::approval::Approval;
use crate::domain::delivery::Delivery;
use crate::domain::fleet::{Fleet, Service};
use crate::domain::id::{ClusterIx, Namespace, Place, RegionIx, ServiceIx, Text};
use crate::domain::link::Link;
use crate::domain::observation::{Observation, ResourceVersion, Seen, WatchKind};
use crate::domain::record::{FACT_LIFE, FactId, RegionRecord};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::workload::{Phase, Route, Workload};
use crate::kinds::ReadHow;

/// Which objects are which regions' workloads, records and routes.
#[derive(Clone, Debug, Default)]
pub struct Index {
    workloads: Objects,
    records: Objects,
    routes: Objects,
    deliveries: Objects,
    /// Places of each cluster.
    pub(super) clusters: BTreeMap<ClusterIx, BTreeSet<Place>>,
}

/// Objects by cluster, namespace and name, in that order, each with a place it belongs to.
#[derive(Clone, Debug, Default)]
struct Objects(Vec<(ClusterIx, Namespace, Text, Place)>);

impl Objects {
    fn of(mut all: Vec<(ClusterIx, Namespace, Text, Place)>) -> Self {
        all.sort();
        all.shrink_to_fit();
        Self(all)
    }

    /// The places that an object belongs to, first by service.
    fn find(&self, cluster: ClusterIx, namespace: &str, name: &str) -> impl Iterator<Item = Place> + use<> {
        let key = |(c, ns, n, _): &(ClusterIx, Namespace, Text, Place)| {
            c.cmp(&cluster).then_with(|| ns.as_str().cmp(namespace)).then_with(|| (**n).cmp(name))
        };
        let first = self.0.partition_point(|o| key(o).is_lt());
        let found = self.0.get(first..).unwrap_or_default().iter().take_while(|o| key(o).is_eq());
        found.map(|(_, _, _, place)| *place).collect::<Vec<_>>().into_iter()
    }
}

impl Index {
    /// Of a fleet.
    pub fn new(fleet: &Fleet) -> Self {
        let (mut workloads, mut records, mut routes) = (Vec::new(), Vec::new(), Vec::new());
        let mut deliveries = Vec::new();
        let mut clusters: BTreeMap<ClusterIx, BTreeSet<Place>> = BTreeMap::new();
        for (s, service) in fleet.services.iter().enumerate() {
            let record: Text = fleet.record_name(service).into();
            for (r, region) in service.regions.iter().enumerate() {
                let place: Place = (ServiceIx::from(s), RegionIx::from(r));
                let w = &region.workload;
                workloads.push((region.cluster, w.namespace.clone(), w.name.clone(), place));
                records.push((region.cluster, w.namespace.clone(), record.clone(), place));
                clusters.entry(region.cluster).or_default().insert(place);
                if let Some(route) = &region.route {
                    routes.push((route.cluster, route.namespace.clone(), route.name.clone(), place));
                    clusters.entry(route.cluster).or_default().insert(place);
                }
                if let Some(delivery) = &region.delivery {
                    deliveries.push((delivery.cluster, delivery.namespace.clone(), delivery.name.clone(), place));
                    clusters.entry(delivery.cluster).or_default().insert(place);
                }
            }
        }
        Self {
            workloads: Objects::of(workloads),
            records: Objects::of(records),
            routes: Objects::of(routes),
            deliveries: Objects::of(deliveries),
            clusters,
        }
    }
}

/// Which of a region's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Workload,
    Record,
    Route,
    Delivery,
}

/// Beyond this, an answer's `Date` is not the same moment as ours.
const SKEW_NOISE: SignedDuration = SignedDuration::from_secs(2);

impl Engine {
    /// Takes an observation in.
    pub(super) fn observe(&mut self, seen: Observation) {
        match seen {
            Observation::Link { cluster, link } => self.link(cluster, link),
            Observation::Heard { cluster, server_time } => self.heard(cluster, server_time),
            Observation::Cluster { cluster, facts } => {
                if let Some(state) = self.clusters.get_mut(cluster.at())
                    && state.facts != facts
                {
                    state.facts = facts;
                    self.touch_cluster(cluster);
                }
            }
            Observation::Object { cluster, seen, version } => self.object(cluster, seen, version, Came::Watched),
            Observation::Synced { cluster, watch, namespace, present, version, gap } => {
                self.synced(cluster, &watch, namespace.as_ref(), &present, version, gap);
            }
            Observation::Revisions { place, result } => self.with(place, |region| match result {
                Ok(revisions) => {
                    region.revisions_for = region.workload.as_ref().map(|w| w.template);
                    region.revisions = revisions;
                    region.trouble = None;
                }
                Err(reason) => region.trouble = Some(reason),
            }),
            Observation::Pods { place, result } => self.with(place, |region| match result {
                Ok(pods) => {
                    region.pods = pods;
                    region.trouble = None;
                }
                Err(reason) => region.trouble = Some(reason),
            }),
            Observation::Events { place, lines } => self.with(place, |region| region.events = lines),
            Observation::Samples { service, column, at, readings } => {
                self.take_samples(service, &column, at, readings);
            }
            Observation::Windows { service, column, readings } => self.take_windows(service, &column, readings),
            Observation::History { service, column, step, points } => {
                self.take_history(service, &column, step, points);
            }
            Observation::Exemplars { service, column, last, found } => {
                self.take_exemplars(service, &column, last, found);
            }
            Observation::Reported { place, link } => self.reported(place, link),
            Observation::Called { place, call, result } => self.called(place, *call, result),
            // Full objects are answers to a draft or to a region that was opened: see `reply`.
            Observation::Full { object, result } => {
                self.full.insert(object, (self.now, result));
                self.revision.shown += 1;
            }
        }
    }

    fn link(&mut self, cluster: ClusterIx, link: Link) {
        let Some(state) = self.clusters.get_mut(cluster.at()) else { return };
        if state.link != link {
            state.link = link;
            self.touch_cluster(cluster);
        }
    }

    fn heard(&mut self, cluster: ClusterIx, server_time: Option<Timestamp>) {
        let now = self.now;
        let Some(state) = self.clusters.get_mut(cluster.at()) else { return };
        let was = state.freshness(now).is_live();
        state.heard = Some(now);
        let mut other_skew = false;
        if let Some(server) = server_time {
            // `Date` has whole seconds: only what is beyond that is a difference.
            let skew = server.duration_since(now.wall);
            let skew = if skew.abs() <= SKEW_NOISE { SignedDuration::ZERO } else { skew };
            other_skew = state.skew.replace(skew) != Some(skew);
        }
        if other_skew {
            self.skew = super::scene::median_skew(&self.clusters).unwrap_or_default();
        }
        if !was {
            self.touch_cluster(cluster);
        }
    }

    /// Clusters that were live when this was asked last and are not any more by silence alone.
    pub(super) fn notice_silence(&mut self) {
        let now = self.now;
        let mut turned = Vec::new();
        for (at, state) in self.clusters.iter_mut().enumerate() {
            let live = state.freshness(now).is_live();
            if std::mem::replace(&mut state.was_live, live) && !live {
                turned.push(ClusterIx::from(at));
            }
        }
        turned.into_iter().for_each(|cluster| self.touch_cluster(cluster));
        self.notice_silent_sources();
    }

    /// A view of an object; one that was overtaken by a newer view of it says nothing.
    pub(super) fn object(&mut self, cluster: ClusterIx, seen: Seen, version: Option<ResourceVersion>, came: Came) {
        match seen {
            Seen::Workload { namespace, name, state, .. } => {
                let (at, now) = (self.server_now(), self.now);
                for place in self.index.workloads.find(cluster, namespace.as_str(), &name) {
                    if !self.is_newest(place, Of::Workload, version, state.is_none(), came) {
                        continue;
                    }
                    // Most updates touch what we do not read: such an event says nothing new.
                    let known = self.services.get(place.0.at()).and_then(|s| s.region(place.1));
                    if known.is_some_and(|r| r.workload.as_ref() == state.as_deref() && r.absent == state.is_none()) {
                        continue;
                    }
                    self.with(place, |region| workload(region, state.as_deref(), at, now));
                }
            }
            Seen::Record { namespace, name, state } => {
                let mut places = self.index.records.find(cluster, namespace.as_str(), &name).peekable();
                let mut state = state;
                while let Some(place) = places.next() {
                    if self.is_newest(place, Of::Record, version, state.is_none(), came) {
                        // The last that it belongs to gets it itself.
                        let own = if places.peek().is_some() { state.clone() } else { state.take() };
                        self.record(place, own.map(|r| *r), came);
                    }
                }
            }
            Seen::Approval { namespace, name, state } => {
                self.approval(cluster, &namespace, &name, state.map(|s| *s));
            }
            Seen::Route { namespace, name, provider, state } => {
                let state: Option<Arc<Route>> = state.map(Arc::from);
                for place in self.index.routes.find(cluster, namespace.as_str(), &name) {
                    // Objects of several kinds may have one name.
                    let spec = self.fleet.service(place.0).and_then(|s| s.region(place.1));
                    let is_mine = spec.and_then(|r| r.route.as_ref()).is_some_and(|r| r.provider == provider);
                    if is_mine && self.is_newest(place, Of::Route, version, state.is_none(), came) {
                        self.route(place, state.clone());
                    }
                }
            }
            Seen::Delivery { namespace, name, state, .. } => {
                for place in self.index.deliveries.find(cluster, namespace.as_str(), &name) {
                    if self.is_newest(place, Of::Delivery, version, state.is_none(), came) {
                        self.delivery(place, state.as_deref().cloned());
                    }
                }
            }
        }
    }

    /// Whether a view of one of a region's objects counts. Where it does not, the watch must catch up.
    fn is_newest(&mut self, place: Place, of: Of, version: Option<ResourceVersion>, gone: bool, came: Came) -> bool {
        let now = self.now.mono;
        let region = self.services.get_mut(place.0.at()).and_then(|s| s.regions.get_mut(place.1.at()));
        let Some(region) = region else { return false };
        let newest = match of {
            Of::Workload => &mut region.newest.workload,
            Of::Record => &mut region.newest.record,
            Of::Route => &mut region.newest.route,
            Of::Delivery => &mut region.newest.delivery,
        };
        let counts = newest.take(version, gone, came, now);
        if counts && self.overtaken.is_empty() {
            return true;
        }
        let read = match of {
            Of::Workload => Read::Workload(place.1),
            Of::Record => Read::Record(place.1),
            Of::Route => Read::Route(place.1),
            Of::Delivery => Read::Delivery(place.1),
        };
        if let Some(object) = self.object_of(place.0, &read) {
            if counts {
                self.overtaken.remove(&object);
            } else {
                self.overtaken.entry(object).or_insert(now);
            }
        }
        counts
    }

    /// The record of a region, or its absence: what was there and is gone is remembered.
    fn record(&mut self, place: Place, state: Option<RegionRecord>, came: Came) {
        let now = self.server_now();
        let mono = self.now.mono;
        let Some(service) = self.services.get_mut(place.0.at()) else { return };
        let Some(slot) = service.record.regions.get_mut(place.1.at()) else { return };
        let Some(region) = service.regions.get_mut(place.1.at()) else { return };
        match came {
            Came::Watched => region.record_listed = true,
            Came::Read(_) => region.record_read = Some(mono),
        }
        // Lost is what the last reading had and this one has not; what was lost before that, somebody
        // has seen already.
        let has: BTreeSet<FactId> = state.iter().flat_map(|r| r.facts.keys().copied()).collect();
        let gone: Vec<FactId> = region.record_had.difference(&has).copied().collect();
        if !gone.is_empty() {
            region.record_lost |= slot.iter().flat_map(|old| old.relevant(now)).any(|f| gone.contains(&f.id));
        }
        region.record_had = has;
        service.stale_view = true;
        if self.shown == Some(place.0) {
            self.revision.shown += 1;
        }
        match (state, slot.as_mut()) {
            (Some(mut new), Some(old)) => {
                // A key that was deleted under us stays in memory: a fact may only be ended by a fact.
                // One that nobody could read has nothing to be remembered by: removing it is the way to end it.
                if new != *old {
                    let unreadable = std::mem::take(&mut new.unreadable);
                    new.merge(old);
                    new.unreadable = unreadable;
                    *old = new;
                }
            }
            (Some(new), None) => *slot = Some(new),
            (None, Some(_)) => {}
            (None, None) => *slot = Some(RegionRecord::default()),
        }
    }

    /// An approval as a cluster shows it, or its absence. It lies in a region of the ring it is about.
    pub(super) fn approval(
        &mut self,
        cluster: ClusterIx,
        namespace: &Namespace,
        name: &Text,
        state: Option<Result<Approval, Text>>,
    ) {
        let now = self.server_now();
        let fleet = self.fleet.clone();
        let places: Vec<Place> = self.index.clusters.get(&cluster).into_iter().flatten().copied().collect();
        for place in places {
            let Some(service) = fleet.service(place.0) else { continue };
            let Some(region) = service.region(place.1).filter(|r| r.cluster == cluster) else { continue };
            if region.workload.namespace != *namespace {
                continue;
            }
            // What cannot be read is shown with every service of its namespace.
            let wanted = state.clone().filter(|s| s.as_ref().map_or(true, |a| is_about(a, &fleet, service, now)));
            let Some(state) = self.services.get_mut(place.0.at()) else { continue };
            let Some(known) = state.record.approvals.get_mut(place.1.at()) else { continue };
            let changed = match wanted {
                Some(wanted) if known.get(name) == Some(&wanted) => false,
                Some(wanted) => {
                    known.insert(name.clone(), wanted);
                    true
                }
                None => known.remove(name).is_some(),
            };
            state.stale_view |= changed;
        }
    }

    fn delivery(&mut self, place: Place, state: Option<Delivery>) {
        let known = self.services.get(place.0.at()).and_then(|s| s.region(place.1));
        // Argo CD writes an Application every few minutes without anything that is read here.
        if known.is_some_and(|r| r.delivery == state && r.delivery_absent == state.is_none()) {
            return;
        }
        let now = self.now;
        self.with(place, |region| {
            region.delivery_absent = state.is_none();
            region.delivery = state;
            region.changed = Some(now);
        });
    }

    fn route(&mut self, place: Place, state: Option<Arc<Route>>) {
        let known = self.services.get(place.0.at()).and_then(|s| s.region(place.1));
        if known.is_some_and(|r| r.route == state) {
            return;
        }
        let spec = self.fleet.service(place.0).and_then(|s| s.region(place.1)).and_then(|r| r.route.clone());
        let at = self.server_now();
        let now = self.now;
        self.with(place, |region| {
            let weight = |route: &Option<Arc<Route>>| {
                let spec = spec.as_ref()?;
                route.as_ref()?.weight(spec.rule, &spec.backend)
            };
            let (before, after) = (weight(&region.route), weight(&state));
            if before != after
                && let (Some(_), Some(weight)) = (before, after)
            {
                region.remember(at, Happened::Weight(weight));
                region.changed = Some(now);
            }
            region.route = state;
        });
    }

    fn synced(
        &mut self,
        cluster: ClusterIx,
        watch: &WatchKind,
        namespace: Option<&Namespace>,
        present: &[Text],
        version: Option<ResourceVersion>,
        gap: bool,
    ) {
        let present: BTreeSet<&str> = present.iter().map(|t| &**t).collect();
        let places: Vec<Place> = self.index.clusters.get(&cluster).into_iter().flatten().copied().collect();
        let at = self.server_now();
        let now = self.now;
        for place in places {
            let fleet = self.fleet.clone();
            let Some(service) = fleet.service(place.0) else { continue };
            let Some(spec) = service.region(place.1) else { continue };
            let covers = |ns: &Namespace| namespace.is_none_or(|n| n == ns);
            let is_there = |ns: &Namespace, name: &str| present.contains(format!("{ns}/{name}").as_str());
            let w = &spec.workload;
            match watch {
                WatchKind::Workloads(kind) if spec.cluster == cluster && w.kind == *kind && covers(&w.namespace) => {
                    if !is_there(&w.namespace, &w.name) {
                        if self.is_newest(place, Of::Workload, version, true, Came::Watched) {
                            self.with(place, |region| {
                                if region.workload.is_some() || !region.absent {
                                    workload(region, None, at, now);
                                }
                            });
                        }
                    } else if gap {
                        self.with(place, |region| region.remember(at, Happened::Gap));
                    }
                }
                WatchKind::Records if spec.cluster == cluster && covers(&w.namespace) => {
                    if !is_there(&w.namespace, &fleet.record_name(service))
                        && self.is_newest(place, Of::Record, version, true, Came::Watched)
                    {
                        self.record(place, None, Came::Watched);
                    }
                    if let Some(state) = self.services.get_mut(place.0.at())
                        && let Some(known) = state.record.approvals.get_mut(place.1.at())
                    {
                        let before = known.len();
                        known.retain(|name, _| is_there(&w.namespace, name));
                        state.stale_view |= known.len() != before;
                    }
                }
                WatchKind::Routes(provider) => {
                    let Some(route) = spec.route.as_ref().filter(|r| r.cluster == cluster) else { continue };
                    if route.provider == *provider
                        && covers(&route.namespace)
                        && !is_there(&route.namespace, &route.name)
                        && self.is_newest(place, Of::Route, version, true, Came::Watched)
                    {
                        self.route(place, None);
                    }
                }
                WatchKind::Deliveries(kind) => {
                    let Some(delivery) = spec.delivery.as_ref().filter(|d| d.cluster == cluster) else { continue };
                    if delivery.kind == *kind
                        && covers(&delivery.namespace)
                        && !is_there(&delivery.namespace, &delivery.name)
                        && self.is_newest(place, Of::Delivery, version, true, Came::Watched)
                    {
                        self.delivery(place, None);
                    }
                }
                _ => {}
            }
        }
    }

    /// How an object of a cluster is to be read; none: nobody asks for it.
    pub(super) fn read_how(&self, cluster: ClusterIx, namespace: &str, name: &str) -> Option<ReadHow> {
        let (service, region) = self.index.workloads.find(cluster, namespace, name).next()?;
        let service = self.fleet.service(service)?;
        let container = service.region(region)?.workload.container.clone();
        let left_out = crate::gates::left_out(service).into();
        Some(ReadHow { container, version_from: service.version_from.clone(), left_out })
    }

    /// Changes a region, and marks its service's view as stale.
    pub(super) fn with(&mut self, place: Place, change: impl FnOnce(&mut RegionState)) {
        let Some(service) = self.services.get_mut(place.0.at()) else { return };
        let Some(region) = service.regions.get_mut(place.1.at()) else { return };
        change(region);
        service.stale_view = true;
        self.changed(place.0);
    }

    /// Every view that shows something of this cluster is stale.
    fn touch_cluster(&mut self, cluster: ClusterIx) {
        self.revision.shown += 1;
        for (service, _) in self.index.clusters.get(&cluster).into_iter().flatten() {
            if let Some(state) = self.services.get_mut(service.at()) {
                state.stale_view = true;
            }
        }
    }

    /// Server time now: our clock plus the median difference of the clusters that are heard.
    pub fn server_now(&self) -> Timestamp {
        self.now.wall.saturating_add(self.skew).unwrap_or(self.now.wall)
    }
}

/// An approval of this service that is not long over.
fn is_about(approval: &Approval, fleet: &Fleet, service: &Service, now: Timestamp) -> bool {
    let about = &approval.about;
    *about.fleet == *fleet.name.as_str()
        && *about.service == *service.name.as_str()
        && now.duration_since(approval.created) <= FACT_LIFE
}

/// A workload as it is now; transitions are remembered in order.
fn workload(region: &mut RegionState, new: Option<&Workload>, at: Timestamp, now: crate::domain::stamp::Stamp) {
    let Some(new) = new else {
        if region.workload.take().is_some() {
            region.remember(at, Happened::Deleted);
            region.changed = Some(now);
        }
        region.absent = true;
        region.settled = None;
        return;
    };
    region.absent = false;
    let old = region.workload.replace(new.clone());
    let Some(old) = old else {
        region.still = Some(now);
        return;
    };
    if old == *new {
        return;
    }
    let mut notable = false;
    if old.template != new.template || old.uid != new.uid {
        let what = Happened::Template { version: new.version.0.clone(), template: new.template };
        region.remember(at, what);
        notable = true;
    }
    if old.paused != new.paused {
        region.remember(at, if new.paused { Happened::Paused } else { Happened::Unpaused });
        notable = true;
    }
    if old.phase != new.phase {
        match new.phase {
            Phase::Complete => region.remember(at, Happened::Settled),
            Phase::DeadlineExceeded | Phase::Degraded => region.remember(at, Happened::Failed),
            _ => {}
        }
        notable = true;
    }
    if notable || old.replicas != new.replicas {
        region.changed = Some(now);
        region.still = Some(now);
    }
}
