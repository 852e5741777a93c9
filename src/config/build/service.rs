//! `[service.NAME]`: everything comes together here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::reader::Table;
use super::super::source::{At, Span};
use super::clusters::Clusters;
use super::gates::{self, Resolved};
use super::git::{GitDraft, git};
use super::names::{self, Kind};
use super::pipeline::Pipelines;
use super::prometheus::Prometheuses;
use super::region::{RegionFacts, Regions, text, texts, zone};
use super::steering::Steerings;
use super::topology::{Level, RingDraft, TopologyDraft, rings};
use super::workload::{DeliveryDraft, Here, RouteDraft, delivery, route, workload};
use super::{Build, carry, columns, hash, lint, pipeline, policy};
use crate::domain::carrier::{CarrierRef, OverlayRef};
use crate::domain::fleet::{Capacity, Carry, Region, Ring, RouteRef, Service, VersionFrom, WorkloadRef};
use crate::domain::id::{ClusterIx, Namespace, RegionIx, RegionName, RingIx, RingName, ServiceName};
use crate::domain::pipeline::Pipeline;
use crate::domain::policy::Policy;

/// What services are built from.
pub(super) struct Shared<'s> {
    pub clusters: &'s Clusters,
    pub regions: &'s Regions<'s>,
    pub topologies: &'s [TopologyDraft],
    pub prometheuses: &'s Prometheuses,
    pub pipelines: &'s Pipelines,
    pub steerings: &'s Steerings,
}

/// All services.
pub(super) struct Services {
    pub services: Vec<Service>,
}

/// Where each object was first claimed.
type Claims = BTreeMap<(ClusterIx, WorkloadRef), (String, Span)>;

pub(super) fn read(build: &Build<'_>, root: Table<'_>, shared: &Shared<'_>) -> Services {
    let defaults = root.table("defaults");
    let mut claims = Claims::new();
    let mut services = Vec::new();
    for (name, table) in root.named("service") {
        if !names::is_label(&name.value) {
            let message = format!("`{}` cannot be the name of a service", name.value);
            let fix = "use lower-case letters, digits and `-`: it becomes part of ConfigMap names";
            build.problems.error("bad-name", name.at, message, fix);
        }
        let one = One { build, root, shared, defaults, table, name: &name };
        services.extend(one.read(&mut claims));
    }
    if root.raw("service").is_none() {
        let fix = "add `[service.NAME]`; `gonogo print config` shows a complete example";
        build.problems.error("missing-service", root.at, "there is no service", fix);
    }
    Services { services }
}

/// One service while it is read.
struct One<'r, 'a> {
    build: &'r Build<'a>,
    root: Table<'r>,
    shared: &'r Shared<'r>,
    defaults: Option<Table<'r>>,
    table: Table<'r>,
    name: &'r At<String>,
}

impl<'r> One<'r, '_> {
    /// The service's own key, else the defaults'.
    fn general(&self, key: &str) -> Option<Table<'r>> {
        [Some(self.table), self.defaults].into_iter().flatten().find(|t| t.raw(key).is_some())
    }

    fn read(&self, claims: &mut Claims) -> Option<Service> {
        let Some((drafts, topology_level)) = self.rings() else {
            self.without_rings();
            return None;
        };
        let regions = self.regions(&drafts, claims);
        let columns = columns::read(self.build, self.root, self.defaults, self.table, &self.name.value, &regions);
        let general = |key: &str| self.general(key).and_then(|t| text(t, key));
        let mut service = Service {
            name: ServiceName::new(self.name.value.clone()),
            rings: self.plain_rings(&drafts, &regions),
            regions,
            columns,
            carries: self
                .general("carries")
                .and_then(|t| carry::carries(self.build, t))
                .unwrap_or_else(|| vec![Carry::Image]),
            version_from: self
                .general("version_from")
                .and_then(|t| carry::version_from(self.build, t))
                .unwrap_or(VersionFrom::Image),
            owner: general("owner"),
            escalation: general("escalation"),
            deciders: self.general("deciders").map(|t| texts(t, "deciders")).unwrap_or_default(),
            runbook: general("runbook"),
            release_url: self.release_url(),
            freeze: self.general("freeze").and_then(|t| t.flag("freeze")).unwrap_or(false),
            flag_off: pipeline::flag_off(self.build, self.root, self.table, &self.name.value),
            policy: Policy::default(),
            policy_hash: "".into(),
        };
        self.gates(&mut service, &drafts, &topology_level);
        service.policy_hash = hash::policy(&service, &self.shared.clusters.names);
        lint::service(
            self.build,
            &service,
            &lint::Places { service: self.name.at, rings: &drafts },
            self.shared.prometheuses,
        );
        Some(service)
    }

    /// What can be said of a service whose rings are not known: all that is wrong is said at once.
    fn without_rings(&self) {
        let service = Service {
            name: ServiceName::new(self.name.value.clone()),
            rings: Vec::new(),
            regions: Vec::new(),
            columns: columns::read(self.build, self.root, self.defaults, self.table, &self.name.value, &[]),
            carries: Vec::new(),
            version_from: VersionFrom::Image,
            owner: None,
            escalation: None,
            deciders: Vec::new(),
            runbook: None,
            release_url: None,
            freeze: false,
            flag_off: None,
            policy: Policy::default(),
            policy_hash: "".into(),
        };
        let rings = self.table.named("ring").into_iter().map(|(_, table)| table);
        for level in std::iter::once(self.table).chain(rings).map(|table| Level::read(self.build, table)) {
            for draft in level.exit.iter().chain(&level.entry).flatten() {
                gates::parameters(self.build, draft, &service);
            }
        }
    }

    fn release_url(&self) -> Option<crate::domain::id::Text> {
        let url = self.general("release_url")?.text("release_url")?;
        carry::placeholders(self.build, &url.value, url.at, &["from", "to", "service"])?;
        Some(url.value.replace("{{service}}", &self.name.value).into())
    }

    /// Its rings: its own, or those of its topology.
    fn rings(&self) -> Option<(Vec<RingDraft>, Level)> {
        let problems = self.build.problems;
        if let Some(own) = rings(self.build, self.table) {
            if self.table.raw("topology").is_some() {
                let message = "`rings` and `topology` exclude each other";
                problems.error("contradiction", self.table.place_of("topology"), message, "keep one of them");
            }
            return Some((own, Level::default()));
        }
        let topologies = self.shared.topologies;
        let wanted = self.general("topology").and_then(|t| t.text("topology"));
        let found = match (&wanted, topologies) {
            (Some(wanted), _) => {
                let found = topologies.iter().find(|t| t.name.value == wanted.value);
                if found.is_none() {
                    names::unknown(problems, Kind::Topology, wanted, topologies.iter().map(|t| t.name.value.as_str()));
                }
                found
            }
            (None, [only]) => Some(only),
            (None, []) => {
                let message = format!("service `{}` has no rings", self.name.value);
                let fix = "add `rings = [[\"staging\"], [\"eu-west-1\"]]`, or a `[topology.NAME]` that services share";
                problems.error("missing-rings", self.name.at, message, fix);
                None
            }
            (None, _) => {
                let known: Vec<&str> = topologies.iter().map(|t| t.name.value.as_str()).collect();
                let message = format!("service `{}` does not say which topology", self.name.value);
                let fix = format!("add `topology = \"…\"`; there is: {}", names::list(&known));
                problems.error("missing-rings", self.name.at, message, fix);
                None
            }
        };
        let topology = found?;
        topology.used.set(true);
        Some((topology.rings.clone(), topology.level.clone()))
    }

    fn regions(&self, drafts: &[RingDraft], claims: &mut Claims) -> Vec<Region> {
        let overrides: BTreeMap<String, (At<String>, Table<'r>)> =
            self.table.named("region").into_iter().map(|(name, table)| (name.value.clone(), (name, table))).collect();
        let listed: Vec<&str> = drafts.iter().flat_map(|r| r.regions.iter().map(|n| n.value.as_str())).collect();
        for (name, _) in overrides.values() {
            self.mention(name, &listed);
        }
        let route = route(self.build, self.shared.clusters, self.shared.steerings, self.table, self.defaults);
        for name in route.iter().flat_map(RouteDraft::mentioned) {
            // Defaults may name regions that only other services have.
            if self.table.raw("route").is_some() || self.shared.regions.find(self.build, name).is_none() {
                self.mention(name, &listed);
            }
        }
        let delivery = delivery(self.build, self.shared.clusters, self.table, self.defaults);
        for name in delivery.iter().flat_map(DeliveryDraft::mentioned) {
            if self.table.raw("delivery").is_some() || self.shared.regions.find(self.build, name).is_none() {
                self.mention(name, &listed);
            }
        }
        let git = git(self.build, self.root, self.table, self.defaults);
        for name in git.iter().flat_map(GitDraft::mentioned) {
            if self.table.raw("git").is_some() || self.shared.regions.find(self.build, name).is_none() {
                self.mention(name, &listed);
            }
        }
        let brought = Brought { route: route.as_ref(), delivery: delivery.as_ref(), git: git.as_ref() };
        let mut out: Vec<Region> = Vec::with_capacity(drafts.iter().map(|r| r.regions.len()).sum());
        let mut backends: Vec<(RouteRef, String)> = Vec::new();
        for (ring_at, ring) in drafts.iter().enumerate() {
            for name in &ring.regions {
                if out.iter().any(|r| r.name.as_str() == name.value) {
                    continue; // Listed twice: said already.
                }
                let own = overrides.get(&name.value).map(|(_, table)| *table);
                let place = Named { name, ring: &ring.name.value, ring_at: ring_at.into(), own };
                out.extend(self.region(&place, &brought, &listed, claims, &mut backends));
            }
        }
        out
    }

    /// What carries versions to a region: one of them.
    fn carrier(
        &self,
        pipeline: Option<Arc<Pipeline>>,
        overlay: Option<OverlayRef>,
        application: Option<CarrierRef>,
        place: &Named<'_, '_>,
    ) -> Option<CarrierRef> {
        let all = [
            pipeline.map(|p| ("by a pipeline", CarrierRef::Pipeline(p))),
            overlay.map(|o| ("by a commit", CarrierRef::Overlay(o))),
            application.map(|a| ("by an Application", a)),
        ];
        let all: Vec<(&str, CarrierRef)> = all.into_iter().flatten().collect();
        if all.len() > 1 {
            let ways = all.iter().map(|(way, _)| *way).collect::<Vec<_>>().join(" and ");
            let message = format!("versions come to region `{}` {ways}", place.name.value);
            let fix = "keep one of `pipeline`, `git` and `promote` of the delivery";
            self.build.problems.error("contradiction", place.name.at, message, fix);
        }
        all.into_iter().next().map(|(_, carrier)| carrier)
    }

    /// The pipeline of a region: its own, the service's or the defaults'.
    fn pipeline(&self, own: Option<Table<'_>>) -> Option<Arc<Pipeline>> {
        let table = own.filter(|t| t.raw("pipeline").is_some()).or_else(|| self.general("pipeline"))?;
        let wanted = table.text("pipeline")?;
        match self.shared.pipelines.get(&wanted.value) {
            Some(pipeline) => pipeline.clone(),
            None => {
                let known = self.shared.pipelines.keys().map(String::as_str);
                names::unknown(self.build.problems, Kind::Pipeline, &wanted, known);
                None
            }
        }
    }

    fn mention(&self, name: &At<String>, listed: &[&str]) {
        if !listed.contains(&name.value.as_str()) {
            names::unknown(self.build.problems, Kind::Region, name, listed.iter().copied());
        }
    }

    fn region(
        &self,
        place: &Named<'_, 'r>,
        &Brought { route, delivery, git }: &Brought<'_>,
        listed: &[&str],
        claims: &mut Claims,
        backends: &mut Vec<(RouteRef, String)>,
    ) -> Option<Region> {
        let name = place.name;
        names::check(self.build.problems, "region", &name.value, name.at);
        let facts = self.shared.regions.find(self.build, name);
        // Go on without its cluster, so that all else that is wrong is said too.
        let cluster = facts.as_ref().map_or(ClusterIx(0), |f| f.cluster);
        let cluster_name = self.shared.clusters.names.get(cluster.at()).map_or("", |n| n.value.as_str());
        let here = Here { service: self.name, region: &name.value, ring: place.ring, cluster: cluster_name };
        let general = [self.table.table("workload"), self.defaults.and_then(|d| d.table("workload"))];
        let namespace = facts.as_ref().and_then(|f| f.namespace.as_ref());
        let pipeline = self.pipeline(place.own);
        let reported = pipeline.as_ref().is_some_and(|p| p.state.is_some());
        let workload = workload(self.build, here, place.own, general, namespace, reported);
        if let (Some(workload), Some(_)) = (&workload, &facts) {
            self.claim(place, cluster, workload, claims);
        }
        let route = route.and_then(|r| r.of(self.build, self.shared.clusters, here, place.own)).map(|(route, at)| {
            if let Some((_, other)) = backends.iter().find(|(known, _)| *known == route) {
                let message =
                    format!("regions `{other}` and `{}` are the same backend `{}`", name.value, route.backend);
                let fix = "give each its own `backend`, or put `{{region}}` into the template";
                self.build.problems.error("same-backend", at, message, fix);
            }
            backends.push((route.clone(), name.value.clone()));
            route
        });
        let own = place.own;
        let draft = delivery;
        let delivery = draft.and_then(|d| d.of(self.build, self.shared.clusters, here, own));
        let overlay = git.and_then(|g| g.of(self.build, here, own));
        let application = draft.filter(|_| delivery.is_some()).and_then(DeliveryDraft::carrier);
        let carrier = self.carrier(pipeline, overlay, application, place);
        let (capacity, absorbers) =
            own.map(|t| (self.capacity(t), self.absorbers(t, name, listed))).unwrap_or_default();
        let broken = || WorkloadRef {
            kind: "Deployment".into(),
            namespace: Namespace::new("default"),
            name: "unknown".into(),
            container: "unknown".into(),
        };
        let own_text = |key: &str| own.and_then(|t| text(t, key));
        let general = |of: fn(&RegionFacts) -> Option<crate::domain::id::Text>| facts.as_ref().and_then(of);
        let deciders = own.map(|t| texts(t, "deciders")).filter(|d| !d.is_empty());
        Some(Region {
            name: RegionName::new(self.build.name(&name.value)),
            ring: place.ring_at,
            cluster,
            // A broken one is never used: its error was collected.
            workload: workload.unwrap_or_else(broken),
            route,
            delivery,
            carrier,
            capacity,
            absorbers,
            zone: own.and_then(|t| zone(self.build, t)).or_else(|| general(|f| f.zone.clone())),
            owner: own_text("owner").or_else(|| general(|f| f.owner.clone())),
            escalation: own_text("escalation").or_else(|| general(|f| f.escalation.clone())),
            deciders: deciders.or_else(|| facts.as_ref().map(|f| f.deciders.clone())).unwrap_or_default(),
            stays: facts.as_ref().is_some_and(|f| f.stays),
        })
    }

    /// One object runs one region of one service.
    fn claim(&self, place: &Named<'_, '_>, cluster: ClusterIx, workload: &WorkloadRef, claims: &mut Claims) {
        let mut object = workload.clone();
        object.container = "".into();
        let (region, service) = (&place.name.value, &self.name.value);
        let Some((other, first)) = claims.get(&(cluster, object.clone())) else {
            claims.insert((cluster, object), (format!("region `{region}` of service `{service}`"), place.name.at));
            return;
        };
        let cluster = self.shared.clusters.names.get(cluster.at()).map_or("?", |n| n.value.as_str());
        let line = self.build.problems.source.line(*first);
        let message = format!(
            "region `{region}` of service `{service}` and {other} (line {line}) are the same object: {} {}/{} in cluster `{cluster}`",
            workload.kind, workload.namespace, workload.name
        );
        let fix = if other.ends_with(&format!("`{service}`")) {
            format!(
                "give one its own namespace: `[region.{region}]` with `namespace = \"{{{{service}}}}-{{{{region}}}}\"`, or its own cluster"
            )
        } else {
            format!("give service `{service}` another `namespace` or `name` in its `workload`")
        };
        // Services that share a topology would say it at the same place.
        let at = place.own.map_or(place.name.at, |t| t.at);
        self.build.problems.error("same-object", at, message, fix);
    }

    fn capacity(&self, table: Table<'_>) -> Option<Capacity> {
        let capacity = table.table("capacity")?;
        if capacity.raw("qps").is_none() {
            capacity.missing("qps", "12000");
        }
        let measured = capacity.day("measured");
        if let Some(measured) = &measured {
            lint::measured(self.build, measured);
        }
        let qps = capacity.number("qps")?;
        if qps.value <= 0.0 {
            let message = format!("a capacity of {} is impossible", qps.value);
            self.build.problems.error(
                "bad-capacity",
                qps.at,
                message,
                "write what the region can serve: `qps = 12000`",
            );
        }
        Some(Capacity { qps: qps.value, measured: measured.map(|m| m.value) })
    }

    fn absorbers(&self, table: Table<'_>, region: &At<String>, listed: &[&str]) -> Vec<RegionName> {
        let names = table.texts("absorbers").unwrap_or_default();
        for name in &names {
            if name.value == region.value {
                let message = format!("region `{}` cannot absorb its own traffic", name.value);
                self.build.problems.error("bad-absorber", name.at, message, "name other regions");
            } else {
                self.mention(name, listed);
            }
        }
        names.into_iter().map(|n| RegionName::new(n.value)).collect()
    }

    /// Rings without gates; a service's own parallelism and stagger win.
    fn plain_rings(&self, drafts: &[RingDraft], regions: &[Region]) -> Vec<Ring> {
        let overrides = self.table.named("ring");
        for (name, _) in &overrides {
            if !drafts.iter().any(|d| d.name.value == name.value) {
                names::unknown(self.build.problems, Kind::Ring, name, drafts.iter().map(|d| d.name.value.as_str()));
            }
        }
        let ring = |(at, draft): (usize, &RingDraft)| {
            let own = overrides.iter().find(|(name, _)| name.value == draft.name.value).map(|(_, table)| *table);
            let in_it = regions.iter().enumerate().filter(|(_, r)| r.ring == RingIx::from(at));
            Ring {
                name: RingName::new(draft.name.value.clone()),
                label: draft.label.clone(),
                regions: in_it.map(|(i, _)| RegionIx::from(i)).collect(),
                parallelism: own.and_then(|t| t.whole("parallelism")).unwrap_or(draft.parallelism),
                stagger: own.and_then(|t| t.duration("stagger")).map(|s| s.value).or(draft.stagger),
                exit_gates: Vec::new(),
                entry_gates: Vec::new(),
            }
        };
        drafts.iter().enumerate().map(ring).collect()
    }

    fn gates(&self, service: &mut Service, drafts: &[RingDraft], topology: &Level) {
        let overrides = self.table.named("ring");
        let own = Level::read(self.build, self.table);
        let defaults = self.defaults.map(|t| Level::read(self.build, t)).unwrap_or_default();
        let with_metrics = !self.shared.prometheuses.names.is_empty() && service.column("errors").is_some();
        let last = drafts.len().saturating_sub(1);
        let names = |key| self.root.named(key).into_iter().map(|(name, _)| name.value).collect();
        let known = gates::Known { services: names("service"), endpoints: names("endpoint") };
        let general = [&own, topology, &defaults];
        let preset = policy::preset(&general);
        let level_of = |draft: &RingDraft| {
            let ring = overrides.iter().find(|(name, _)| name.value == draft.name.value);
            ring.map(|(_, table)| Level::read(self.build, *table)).unwrap_or_default()
        };
        let rings: Vec<Level> = drafts.iter().map(level_of).collect();
        // A ring that there is not has mistakes of its own all the same.
        for (_, table) in overrides.iter().filter(|(name, _)| !drafts.iter().any(|d| d.name.value == name.value)) {
            let level = Level::read(self.build, *table);
            for draft in level.exit.iter().chain(&level.entry).flatten() {
                gates::parameters(self.build, draft, service);
            }
        }
        for (at, (draft, ring)) in drafts.iter().zip(&rings).enumerate() {
            let ready = policy::preset_level(preset, at, drafts.len());
            let levels = [ring, &draft.level, &own, topology, &defaults, &ready];
            let Resolved { exit, entry, exit_by_default } =
                gates::resolve(self.build, &levels, with_metrics, self.name.at);
            // A list whose gates are all wrong is not an empty one.
            let none = exit.is_empty();
            let exit = gates::finish(self.build, exit, service, at.into(), &known);
            let entry = gates::finish(self.build, entry, service, at.into(), &known);
            if none {
                lint::no_exit_gate(self.build, draft, &self.name.value, at == last);
            }
            lint::exit_gates(self.build, draft, &exit, exit_by_default, at == last);
            if let Some(ring) = service.rings.get_mut(at) {
                ring.exit_gates = exit;
                ring.entry_gates = entry;
            }
        }
        let rings: Vec<(&RingDraft, [&Level; 2])> =
            drafts.iter().zip(&rings).map(|(draft, ring)| (draft, [ring, &draft.level])).collect();
        service.policy = policy::resolve(self.build, service, &rings, &general);
    }
}

/// What of a service reaches its regions, from its own tables and the defaults'.
struct Brought<'b> {
    route: Option<&'b RouteDraft<'b>>,
    delivery: Option<&'b DeliveryDraft<'b>>,
    git: Option<&'b GitDraft<'b>>,
}

/// A region as listed in a ring.
struct Named<'n, 'r> {
    name: &'n At<String>,
    ring: &'n str,
    ring_at: RingIx,
    own: Option<Table<'r>>,
}
