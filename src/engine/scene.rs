//! One service as it stands at one moment: what derivations and judgements look at.

use std::cell::OnceCell;

use super::bake;
use super::judge::{self, Gates};
use super::sources::Sources;
use super::state::{ClusterState, RegionState, ServiceState};
use super::view::RingRuns;
use crate::domain::fleet::{Fleet, Region, Ring, Service};
use crate::domain::gate::{BakeStart, Peer};
use crate::domain::id::{RegionIx, RingIx, ServiceIx, Text};
use crate::domain::link::Freshness;
use crate::domain::pool::Pools;
use crate::domain::record::HoldInForce;
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp};
use crate::domain::verdict::RingVerdict;
use crate::domain::version::Version;
use crate::domain::workload::Workload;

/// A host whose clock is off by more than this may lower risk only.
pub const CLOCK_LIMIT: SignedDuration = SignedDuration::from_secs(30);

/// What surrounds every service: the same for all of them at one moment.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// Clusters, by position.
    pub clusters: &'a [ClusterState],
    /// What is believed of every service, by position: for gates that ask about another.
    pub services: &'a [ServiceState],
    /// Commands and endpoints that are asked how regions stand.
    pub sources: &'a Sources,
    /// Gates of all services.
    pub gates: &'a Gates,
    /// Server time.
    pub now: Timestamp,
    /// Stamp of the moment.
    pub stamp: Stamp,
}

/// A service with everything that is read of it more than once.
pub struct Scene<'a> {
    /// What surrounds it.
    pub world: World<'a>,
    /// Position of the service.
    pub at: ServiceIx,
    /// The service.
    pub service: &'a Service,
    /// What is believed of it.
    pub state: &'a ServiceState,
    /// Holds in force, oldest first.
    pub holds: Vec<HoldInForce>,
    /// Per ring: what it runs.
    pub runs: Vec<RingRuns>,
    /// Per ring: since when it bakes; none for a ring that is mixed.
    pub starts: Vec<Option<BakeStart>>,
    /// Every region as gates see it that compare.
    pub peers: Vec<Peer<'a>>,
    /// Windows of regions that gates compare with, pooled once.
    pub pools: Pools,
    /// This console is about to promote.
    pub promoting: bool,
    /// See [`Scene::exits`].
    pub(super) exits: OnceCell<Vec<RingVerdict>>,
}

impl<'a> Scene<'a> {
    /// The scene of a service; none when there is no such service.
    pub fn new(world: World<'a>, at: ServiceIx, state: &'a ServiceState) -> Option<Self> {
        let service = world.fleet.service(at)?;
        let runs: Vec<RingRuns> = service.rings.iter().map(|r| ring_runs(service, r, state)).collect();
        let starts = service.rings.iter().zip(&runs).map(|(ring, runs)| match runs {
            RingRuns::One(_) => bake::ring_start(ring, state),
            RingRuns::Unknown | RingRuns::Mixed(_) => None,
        });
        let starts = starts.collect();
        let holds = state.holds();
        let held = |at: RegionIx| holds.iter().any(|h| h.scope.covers(service, at));
        let peers = service.region_indexes().zip(service.regions.iter().zip(&state.regions));
        let peers = peers.map(|(at, (region, seen))| peer(&world, held(at), region, seen)).collect();
        let (pools, exits) = (Pools::default(), OnceCell::new());
        Some(Self { world, at, service, state, holds, runs, starts, peers, pools, promoting: false, exits })
    }

    /// Exit gates per ring, on what it runs now: judged when they are first asked for, and once.
    pub fn exits(&self) -> &[RingVerdict] {
        self.exits.get_or_init(|| (0..self.service.rings.len()).map(|r| judge::exit(self, r.into())).collect())
    }

    /// What is believed of a region.
    pub fn region(&self, at: RegionIx) -> Option<&'a RegionState> {
        self.state.region(at)
    }

    /// A region's workload, if it was seen.
    pub fn workload(&self, at: RegionIx) -> Option<&'a Workload> {
        self.region(at)?.workload.as_ref()
    }

    /// A region's name.
    pub fn region_name(&self, at: RegionIx) -> Text {
        self.service.region(at).map_or_else(|| "?".into(), |r| r.name.as_str().into())
    }

    /// A ring's name.
    pub fn ring_name(&self, at: RingIx) -> Text {
        self.service.ring(at).map_or_else(|| "?".into(), |r| r.name.as_str().into())
    }

    /// How well a region's cluster is heard.
    pub fn freshness(&self, region: &Region) -> Freshness<'a> {
        self.world.freshness(region)
    }

    /// How well the cluster that holds what delivers a region is heard.
    pub fn delivery_freshness(&self, region: &Region) -> Freshness<'a> {
        let cluster = region.delivery.as_ref().and_then(|d| self.world.clusters.get(d.cluster.at()));
        cluster.map_or(Freshness::Never, |c| c.freshness(self.world.stamp))
    }

    /// What a ring runs.
    pub fn runs(&self, ring: RingIx) -> &RingRuns {
        self.runs.get(ring.at()).unwrap_or(&RingRuns::Unknown)
    }

    /// Since when a ring bakes.
    pub fn start(&self, ring: RingIx) -> Option<BakeStart> {
        self.starts.get(ring.at()).copied().flatten()
    }

    /// The first hold that covers any region of a ring.
    pub fn hold_on(&self, ring: RingIx) -> Option<&HoldInForce> {
        let spec = self.service.ring(ring)?;
        let covers = |h: &HoldInForce| spec.regions.iter().any(|at| self.covers(h, *at));
        self.holds.iter().find(|h| covers(h))
    }

    /// Whether a hold covers a region.
    pub fn covers(&self, hold: &HoldInForce, at: RegionIx) -> bool {
        hold.scope.covers(self.service, at)
    }

    /// How far this host's clock is off: the median over clusters that are heard; positive when behind.
    pub fn skew(&self) -> Option<SignedDuration> {
        median_skew(self.world.clusters)
    }
}

impl<'a> World<'a> {
    /// How well a region is heard: its cluster, and what reports it where that is something else.
    fn freshness(&self, region: &Region) -> Freshness<'a> {
        let cluster = self.clusters.get(region.cluster.at());
        let cluster = cluster.map_or(Freshness::Never, |c| c.freshness(self.stamp));
        // Its record lies in the cluster: without it nothing is known of its holds.
        match self.sources.freshness(region, self.stamp) {
            Some(source) if cluster.is_live() => source,
            _ => cluster,
        }
    }
}

fn peer<'a>(world: &World<'a>, held: bool, region: &'a Region, seen: &'a RegionState) -> Peer<'a> {
    Peer {
        region,
        workload: seen.workload.as_ref(),
        freshness: world.freshness(region),
        settled: seen.settled,
        windows: &seen.windows,
        current: &seen.current,
        user: world.clusters.get(region.cluster.at()).and_then(|c| c.facts.user.as_ref()),
        held,
        weight: seen.weight(region),
    }
}

/// Regions of a service that are one and the same object: two clusters of the configuration lead to one
/// API server. What is said of the one is then said twice, and a write to one changes both.
pub fn one_object(service: &Service, clusters: &[ClusterState]) -> Vec<(RegionIx, RegionIx)> {
    let uid = |r: &Region| clusters.get(r.cluster.at()).and_then(|c| c.facts.uid.clone());
    let same = |a: &Region, b: &Region| {
        let (x, y) = (&a.workload, &b.workload);
        a.cluster != b.cluster
            && (&x.kind, &x.namespace, &x.name) == (&y.kind, &y.namespace, &y.name)
            && uid(a).is_some_and(|u| Some(u) == uid(b))
    };
    let regions = || service.regions.iter().enumerate();
    let pairs = regions().flat_map(|(i, a)| regions().skip(i + 1).map(move |(j, b)| (i, a, j, b)));
    pairs.filter(|(_, a, _, b)| same(a, b)).map(|(i, _, j, _)| (i.into(), j.into())).collect()
}

/// What to say of two regions that are one object.
pub fn one_object_sentence(fleet: &Fleet, service: &Service, (a, b): (RegionIx, RegionIx)) -> String {
    let name = |at: RegionIx| service.region(at).map_or_else(|| "?".into(), |r| r.name.to_string());
    let cluster =
        |at: RegionIx| service.region(at).map_or_else(|| "?".into(), |r| fleet.cluster_name(r.cluster).to_string());
    let object = service.region(a).map(|r| format!("{}/{}", r.workload.namespace, r.workload.name)).unwrap_or_default();
    format!(
        "{} and {} are one object ({object}): the clusters {} and {} lead to the same API server",
        name(a),
        name(b),
        cluster(a),
        cluster(b)
    )
}

/// Server clocks minus ours, the median of the clusters that answered.
pub fn median_skew(clusters: &[ClusterState]) -> Option<SignedDuration> {
    let mut skews: Vec<SignedDuration> = clusters.iter().filter_map(|c| c.skew).collect();
    skews.sort();
    skews.get(skews.len() / 2).copied()
}

/// Clusters whose clock is not that of the others, and by how much they are ahead.
pub fn odd_clocks(clusters: &[ClusterState]) -> Vec<(usize, SignedDuration)> {
    let Some(median) = median_skew(clusters) else { return Vec::new() };
    let off = |c: &ClusterState| Some(c.skew?.saturating_sub(median));
    let odd = |(at, c): (usize, &ClusterState)| Some((at, off(c)?)).filter(|(_, by)| by.abs() > CLOCK_LIMIT);
    clusters.iter().enumerate().filter_map(odd).collect()
}

/// What to say of a cluster whose clock is not that of the others.
pub fn odd_clock_sentence(name: &str, by: SignedDuration) -> String {
    let word = if by.is_negative() { "behind" } else { "ahead of" };
    let by = crate::domain::stamp::short(by.abs());
    format!("{name}: its clock is {by} {word} the other clusters': what it dates, and a bake counted from that, is off")
}

fn ring_runs(service: &Service, ring: &Ring, state: &ServiceState) -> RingRuns {
    let workloads: Option<Vec<&Workload>> =
        ring.regions.iter().map(|at| state.region(*at).and_then(|r| r.workload.as_ref())).collect();
    // One region that is not seen may run anything.
    let Some(workloads) = workloads else { return RingRuns::Unknown };
    let mut kinds: Vec<&Workload> = Vec::new();
    for workload in workloads {
        if !kinds.iter().any(|k| service.same_release(k, workload)) {
            kinds.push(workload);
        }
    }
    match kinds.as_slice() {
        [] => RingRuns::Unknown,
        [one] => RingRuns::One(one.version.clone()),
        several => RingRuns::Mixed(distinct_names(several)),
    }
}

/// Names of several releases; equal tags are told apart by their digests.
fn distinct_names(workloads: &[&Workload]) -> Vec<Version> {
    let name = |w: &&Workload| {
        let twice = workloads.iter().filter(|o| o.version == w.version).count() > 1;
        let digest = w.image.as_ref().and_then(|i| i.digest.as_deref()).filter(|_| twice);
        match digest {
            Some(digest) => Version(format!("{}@{}", w.version, digest.chars().take(15).collect::<String>()).into()),
            None => w.version.clone(),
        }
    };
    workloads.iter().map(name).collect()
}
