//! A small world around one engine: full objects per cluster, a journal, and answers to effects.
//!
//! Everything goes in as messages. What the world does by itself is what a healthy cluster
//! does; a test takes a cluster away, holds the watch back, or gives one write another answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gonogo::domain::approval::Approval;
use gonogo::domain::call::HttpCall;
use gonogo::domain::challenge::{Approved, Asked};
use gonogo::domain::change::{Change, ObjectRef, PatchKind};
use gonogo::domain::fleet::*;
use gonogo::domain::id::*;
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::link::{Link, LostReason};
use gonogo::domain::observation::{ClusterFacts, Observation, ResourceVersion, Seen, WatchKind};
use gonogo::domain::plan::{Plan, PlanId, Refusal};
use gonogo::domain::record::{Body, Fact, FactId, RegionRecord};
use gonogo::domain::stamp::{Stamp, Stamped, Timestamp};
use gonogo::domain::version::TemplateDigest;
use gonogo::engine::effect::{ActResult, Effect, Msg, NoteKind, Reply};
use gonogo::engine::operation::{Operation, ProposalState, StepState};
use gonogo::engine::{Engine, Setting};
use gonogo::kinds::{self, ReadHow};
use gonogo::sim::patch;
use gonogo::{delivery, traffic};
use serde_json::{Value, json};
use ulid::Ulid;

#[path = "rollout_world.rs"]
pub mod rollout_world;

#[path = "pipeline_world.rs"]
pub mod pipeline_world;

/// When the tests begin.
pub const NOW: &str = "2026-03-02T10:00:00Z";
/// When everything settled: long enough ago for every bake.
pub const LONG_AGO: &str = "2026-02-28T09:00:00Z";

pub const STAGE_A: RegionIx = RegionIx(0);
pub const STAGE_B: RegionIx = RegionIx(1);
pub const AP: RegionIx = RegionIx(2);
pub const EU: RegionIx = RegionIx(3);
pub const US: RegionIx = RegionIx(4);
pub const ALL: [RegionIx; 5] = [STAGE_A, STAGE_B, AP, EU, US];
pub const EDGE: ClusterIx = ClusterIx(5);
pub const WEBAPP: ServiceIx = ServiceIx(0);

pub const V1: &str = "registry.example/webapp:v2.0.0@sha256:1111111111111111";
pub const V2: &str = "registry.example/webapp:v2.1.0@sha256:2222222222222222";

/// Queries per second in each region, as the dashboard of a normal day shows them.
pub const QPS: [f64; 5] = [0.0, 0.0, 12_400.0, 45_200.0, 52_100.0];

/// Answer to a write that a test chose.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, and nothing happens.
    Answer(ActResult),
    /// The write happens, and the reply is lost.
    LostAfter,
    /// The reply is lost, and nothing happened.
    LostBefore,
    /// No reply yet.
    Hang,
}

/// What the journal does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journal {
    Durable,
    Broken,
    Hangs,
}

pub struct World {
    pub engine: Engine,
    pub fleet: Arc<Fleet>,
    pub objects: BTreeMap<ObjectRef, Value>,
    pub owned: BTreeMap<ClusterIx, Vec<Value>>,
    pub down: BTreeSet<ClusterIx>,
    pub journal: Journal,
    /// Pipelines that say what cannot be read.
    pub mute: BTreeSet<ObjectRef>,
    /// Writes are shown by the watch as soon as they are accepted.
    pub watch: bool,
    /// What others write is not shown by the watch.
    pub watch_is_behind: bool,
    /// Rollouts complete as soon as they are seen.
    pub controller: bool,
    /// By region and kind of object.
    pub faults: BTreeMap<(RegionIx, &'static str), VecDeque<Fault>>,
    pub dry_run: VecDeque<Fault>,
    /// Types have no status subresource, as those of old Argo Rollouts.
    pub no_status: bool,
    /// Clusters have the admission policy for approvals.
    pub policy: bool,
    /// What endpoints were asked, and what they answer; none: they do not.
    pub calls: Vec<(Place, HttpCall)>,
    pub endpoint: Option<Result<(u16, String), String>>,
    /// What files in Git say, as a reader of them answers; none: no repository is reached.
    pub git: Option<Value>,
    /// What bookkeeping is answered; none: it happens.
    pub keep_fault: Option<ActResult>,
    /// What went out, in order: journal entries, requests, notes.
    pub log: Vec<String>,
    /// What the journal was given when plans were opened, as it writes it.
    pub opened: Vec<String>,
    /// Bodies of the requests that were sent, in order.
    pub sent: Vec<Change>,
    /// How many objects were read.
    pub gets: usize,
    pub now: Stamp,
    /// After so many more effects the process is dead: nothing of it happens any more.
    pub dies_after: Option<usize>,
    /// What a guard told people.
    pub told: Vec<gonogo::engine::effect::Notice>,
    approved: BTreeMap<PlanId, Approved>,
}

/// A fleet of three production rings behind one HTTPRoute, and a staging ring of two regions.
pub fn fleet() -> Fleet {
    let regions = [
        ("stage-a", 0_usize, None),
        ("stage-b", 0, None),
        ("ap-south-1", 1, Some("webapp-ap")),
        ("eu-west-1", 2, Some("webapp-eu")),
        ("us-east-1", 3, Some("webapp-us")),
    ];
    let region = |at: usize, (name, ring, backend): (&str, usize, Option<&str>)| Region {
        name: name.into(),
        ring: ring.into(),
        cluster: at.into(),
        workload: WorkloadRef {
            kind: "Deployment".into(),
            namespace: "shop".into(),
            name: "webapp".into(),
            container: "web".into(),
        },
        route: backend.map(|b| RouteRef {
            provider: "HTTPRoute".into(),
            cluster: EDGE,
            namespace: "edge".into(),
            name: "webapp".into(),
            rule: 0,
            backend: b.into(),
            drained_below: None,
            steps: Vec::new(),
            dwell: std::time::Duration::ZERO,
            steering: None,
        }),
        delivery: None,
        carrier: None,
        capacity: Some(Capacity { qps: 120_000.0, measured: None }),
        absorbers: Vec::new(),
        zone: None,
        owner: None,
        escalation: None,
        deciders: Vec::new(),
        stays: false,
    };
    let bake = Params([("for".to_owned(), Param::Text("24h".to_owned()))].into());
    let ring = |at: u32, regions: &[RegionIx]| Ring {
        name: format!("ring-{at}").into(),
        label: None,
        regions: regions.to_vec(),
        parallelism: 1,
        stagger: None,
        exit_gates: vec![GateSpec { gate: "bake".into(), label: "bake".into(), params: bake.clone() }],
        entry_gates: Vec::new(),
    };
    let service = Service {
        name: "webapp".into(),
        rings: vec![ring(0, &[STAGE_A, STAGE_B]), ring(1, &[AP]), ring(2, &[EU]), ring(3, &[US])],
        regions: regions.iter().enumerate().map(|(at, r)| region(at, *r)).collect(),
        columns: vec![Column {
            name: "qps".into(),
            title: "QPS".into(),
            query: QueryText::PerRegion("rate(requests[5m])".into()),
            unit: Unit::PerSecond,
            better: Better::Neither,
            is_traffic: true,
        }],
        carries: vec![Carry::Image],
        version_from: VersionFrom::Image,
        owner: None,
        escalation: None,
        deciders: Vec::new(),
        runbook: None,
        release_url: None,
        freeze: false,
        flag_off: None,
        policy: Default::default(),
        policy_hash: "0011223344556677".into(),
    };
    let names = ["stage-a", "stage-b", "ap", "eu", "us", "edge"];
    Fleet {
        name: "prod".into(),
        clusters: names.map(|n| Cluster { name: n.into(), prometheus: None }).into(),
        prometheuses: Vec::new(),
        services: vec![service],
        identities: Default::default(),
    }
}

/// A Deployment at rest: rolled out, long ago. Its container stands behind a sidecar.
pub fn deployment(uid: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "webapp", "namespace": "shop", "uid": uid, "generation": 4,
            "annotations": {"deployment.kubernetes.io/revision": "7", "kubernetes.io/change-cause": "before"},
        },
        "spec": {
            "replicas": 4, "paused": false, "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "webapp"}},
            "template": {
                "metadata": {"labels": {"app": "webapp"}},
                "spec": {"containers": [
                    {"name": "proxy", "image": "registry.example/proxy:1"},
                    {"name": "web", "image": image, "args": ["--fast"]},
                ]},
            },
        },
        "status": {
            "observedGeneration": 4, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4,
            "availableReplicas": 4,
            "conditions": [{
                "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                "lastUpdateTime": LONG_AGO, "message": "rolled out",
            }],
        },
    })
}

/// A StatefulSet at rest, pod by pod from the top, with this partition.
pub fn stateful_set(uid: &str, image: &str, partition: u32) -> Value {
    let template = deployment(uid, image)["spec"]["template"].clone();
    let revision = format!("webapp-{}", TemplateDigest::of(&template).short());
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "webapp", "namespace": "shop", "uid": uid, "generation": 4},
        "spec": {
            "replicas": 4, "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}},
            "selector": {"matchLabels": {"app": "webapp"}},
            "template": template,
        },
        "status": {
            "observedGeneration": 4, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
            "currentRevision": revision, "updateRevision": revision,
        },
    })
}

/// A DaemonSet at rest on four nodes.
pub fn daemon_set(uid: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "webapp", "namespace": "shop", "uid": uid, "generation": 4},
        "spec": {
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "selector": {"matchLabels": {"app": "webapp"}},
            "template": deployment(uid, image)["spec"]["template"],
        },
        "status": {
            "observedGeneration": 4, "desiredNumberScheduled": 4, "currentNumberScheduled": 4, "numberMisscheduled": 0,
            "numberReady": 4, "updatedNumberScheduled": 4, "numberAvailable": 4,
        },
    })
}

/// A ControllerRevision owned by a region's workload.
pub fn controller_revision(owner: &str, number: i64, image: &str) -> Value {
    let mut template = deployment("x", image)["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    json!({
        "metadata": {
            "name": format!("webapp-{number}"), "namespace": "shop",
            "ownerReferences": [{"controller": true, "uid": owner}],
        },
        "revision": number,
        "data": {"spec": {"template": template}},
    })
}

/// The route: a fifth of the traffic in ap, two fifths in eu and us.
pub fn route(weights: [u32; 3]) -> Value {
    let backend = |name: &str, weight: u32| json!({"name": name, "port": 80, "weight": weight});
    let [ap, eu, us] = weights;
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "webapp", "namespace": "edge", "uid": "route-1", "generation": 2},
        "spec": {"rules": [{"backendRefs": [backend("webapp-ap", ap), backend("webapp-eu", eu), backend("webapp-us", us)]}]},
        "status": {"parents": []},
    })
}

/// The same fleet, steered by DNS: each region's weighted record lies in its own cluster.
pub fn dns_fleet() -> Fleet {
    let mut fleet = fleet();
    for region in fleet.services[0].regions.iter_mut() {
        let cluster = region.cluster;
        if let Some(route) = &mut region.route {
            (route.provider, route.cluster, route.namespace) = ("DNSEndpoint".into(), cluster, "shop".into());
            route.backend = region.name.as_str().into();
        }
    }
    fleet
}

/// The weighted record of one region.
pub fn dns_endpoint(at: RegionIx, weight: u32) -> Value {
    json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": "DNSEndpoint",
        "metadata": {"name": "webapp", "namespace": "shop", "uid": format!("dns-{}", at.0), "generation": 1},
        "spec": {"endpoints": [{
            "dnsName": "webapp.example.com", "recordType": "A", "targets": ["198.51.100.7"], "recordTTL": 60,
            "setIdentifier": fleet().services[0].regions[at.at()].name.as_str(),
            "providerSpecific": [{"name": "aws/weight", "value": weight.to_string()}],
        }]},
    })
}

/// A ReplicaSet owned by a region's Deployment.
pub fn replica_set(owner: &str, revision: &str, image: &str) -> Value {
    let mut template = deployment("x", image)["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = revision.into();
    json!({
        "metadata": {
            "name": format!("webapp-{revision}"), "namespace": "shop",
            "annotations": {"deployment.kubernetes.io/revision": revision, "kubernetes.io/change-cause": format!("r{revision}")},
            "ownerReferences": [{"controller": true, "uid": owner}],
        },
        "spec": {"template": template},
    })
}

pub fn template_digest(object: &Value) -> TemplateDigest {
    TemplateDigest::of(&object["spec"]["template"])
}

impl World {
    /// Staging and ring-1 run v2.1.0 and have baked; rings 2 and 3 run v2.0.0.
    pub fn new() -> Self {
        Self::with(fleet())
    }

    pub fn with(fleet: Fleet) -> Self {
        let fleet = Arc::new(fleet);
        let now = Stamp { wall: NOW.parse().unwrap(), mono: Duration::from_secs(1_000) };
        let setting =
            Setting { operator: "ana@console".into(), seed: 7, may_keep: false, refresh: Duration::from_secs(15) };
        let mut world = Self {
            engine: Engine::new(fleet.clone(), setting, now),
            fleet,
            objects: BTreeMap::new(),
            owned: BTreeMap::new(),
            down: BTreeSet::new(),
            mute: BTreeSet::new(),
            journal: Journal::Durable,
            watch: true,
            watch_is_behind: false,
            controller: true,
            faults: BTreeMap::new(),
            dry_run: VecDeque::new(),
            no_status: false,
            policy: true,
            calls: Vec::new(),
            endpoint: None,
            git: None,
            keep_fault: None,
            log: Vec::new(),
            opened: Vec::new(),
            sent: Vec::new(),
            gets: 0,
            now,
            dies_after: None,
            told: Vec::new(),
            approved: BTreeMap::new(),
        };
        for at in ALL {
            let image = if at < EU { V2 } else { V1 };
            let uid = format!("uid-{}", at.0);
            let object = match &*world.fleet.services[0].regions[at.at()].workload.kind {
                "StatefulSet" => stateful_set(&uid, image, 0),
                "DaemonSet" => daemon_set(&uid, image),
                "Rollout" => rollout_world::rollout(&uid, image),
                "Pipeline" => {
                    let version = gonogo::domain::version::Image::parse(image).version();
                    pipeline_world::object(&world.workload_ref(at), &pipeline_world::complete(&version.0))
                }
                _ => deployment(&uid, image),
            };
            world.objects.insert(world.workload_ref(at), object);
        }
        if world.fleet.services[0].regions[EU.at()].route.as_ref().is_some_and(|r| &*r.provider == "HTTPRoute") {
            world.objects.insert(world.route_ref(), route([20, 40, 40]));
        }
        for (at, weight) in [(AP, 20), (EU, 40), (US, 40)] {
            if let Some(object) = world.record_of(at) {
                world.objects.insert(object, dns_endpoint(at, weight));
            }
        }
        for cluster in 0..world.fleet.clusters.len() {
            world.hear(cluster.into());
        }
        world.show_everything();
        world
    }

    /// A console opened fresh on the same clusters.
    pub fn restarted(self) -> Self {
        self.reopened(false)
    }

    /// A console that keeps the records of the service it shows.
    pub fn keeping() -> Self {
        let mut world = Self::new().reopened(true);
        let effects = world.engine.show(WEBAPP);
        world.perform(effects);
        world
    }

    /// The same clusters, to an engine that has heard nothing of them yet.
    pub fn unheard() -> Self {
        let mut world = Self::new();
        let setting =
            Setting { operator: "ana@console".into(), seed: 9, may_keep: false, refresh: Duration::from_secs(15) };
        world.engine = Engine::new(world.fleet.clone(), setting, world.now);
        world
    }

    /// Another process on the same clusters.
    pub fn reopened(self, may_keep: bool) -> Self {
        let mut world = Self::with((*self.fleet).clone());
        world.objects = self.objects;
        world.owned = self.owned;
        world.now = self.now;
        let setting = Setting { operator: "ana@console".into(), seed: 8, may_keep, refresh: Duration::from_secs(15) };
        world.engine = Engine::new(world.fleet.clone(), setting, world.now);
        for cluster in 0..world.fleet.clusters.len() {
            world.hear(cluster.into());
        }
        world.show_everything();
        world
    }

    fn service(&self) -> &Service {
        &self.fleet.services[0]
    }

    pub fn workload_ref(&self, at: RegionIx) -> ObjectRef {
        self.engine.workload_object((WEBAPP, at)).unwrap()
    }

    pub fn route_ref(&self) -> ObjectRef {
        let provider = traffic::provider("HTTPRoute").unwrap();
        ObjectRef { cluster: EDGE, api: provider.api(), namespace: "edge".into(), name: "webapp".into() }
    }

    /// The object with the region's weighted DNS record, where it is steered so.
    pub fn record_of(&self, at: RegionIx) -> Option<ObjectRef> {
        let route = self.service().regions[at.at()].route.as_ref().filter(|r| &*r.provider == "DNSEndpoint")?;
        let api = traffic::provider(&route.provider).unwrap().api();
        Some(ObjectRef { cluster: route.cluster, api, namespace: route.namespace.clone(), name: route.name.clone() })
    }

    /// The weight of a region's DNS record, as it is written.
    pub fn dns_weight(&self, at: RegionIx) -> &str {
        let object = &self.objects[&self.record_of(at).unwrap()];
        object["spec"]["endpoints"][0]["providerSpecific"][0]["value"].as_str().unwrap()
    }

    pub fn record_ref(&self, at: RegionIx) -> ObjectRef {
        let region = self.service().region(at).unwrap();
        ObjectRef {
            cluster: region.cluster,
            api: gonogo::domain::change::ApiType::config_map(),
            namespace: region.workload.namespace.clone(),
            name: self.fleet.record_name(self.service()).into(),
        }
    }

    pub fn name(&self, at: RegionIx) -> String {
        self.service().region(at).unwrap().name.to_string()
    }

    pub fn workload(&mut self, at: RegionIx) -> &mut Value {
        let object = self.workload_ref(at);
        self.objects.get_mut(&object).unwrap()
    }

    pub fn image(&mut self, at: RegionIx) -> String {
        self.workload(at)["spec"]["template"]["spec"]["containers"][1]["image"].as_str().unwrap().to_owned()
    }

    pub fn paused(&mut self, at: RegionIx) -> bool {
        self.workload(at)["spec"]["paused"].as_bool().unwrap()
    }

    pub fn weight(&self, at: usize) -> u64 {
        self.objects[&self.route_ref()]["spec"]["rules"][0]["backendRefs"][at]["weight"].as_u64().unwrap()
    }

    /// Facts in a region's record, as `kind` words.
    pub fn facts(&self, at: RegionIx) -> Vec<Fact> {
        let data =
            self.objects.get(&self.record_ref(at)).and_then(|o| o["data"].as_object().cloned()).unwrap_or_default();
        let record = RegionRecord::read(data.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())));
        assert!(record.unreadable.is_empty(), "{:?}", record.unreadable);
        record.facts.values().cloned().collect()
    }

    pub fn fact_kinds(&self, at: RegionIx) -> Vec<&'static str> {
        self.facts(at).iter().map(Fact::kind).collect()
    }

    // ---- messages in ----

    pub fn tell(&mut self, message: Msg) {
        let effects = self.engine.update(Stamped { stamp: self.now, value: message });
        self.perform(effects);
    }

    pub fn see(&mut self, seen: Observation) {
        self.tell(Msg::Seen(seen));
    }

    pub fn hear(&mut self, cluster: ClusterIx) {
        self.see(Observation::Link { cluster, link: Link::Live });
        let server_time = Some(self.now.wall);
        self.see(Observation::Heard { cluster, server_time });
    }

    /// A cluster goes away: its watch says so, and nothing reaches it.
    pub fn cut(&mut self, cluster: ClusterIx) {
        self.down.insert(cluster);
        let reason = LostReason::Unreachable("connection refused".into());
        let link = Link::Lost { reason, next_try: self.now.wall };
        self.see(Observation::Link { cluster, link });
    }

    pub fn mend(&mut self, cluster: ClusterIx) {
        self.down.remove(&cluster);
        self.hear(cluster);
    }

    /// Who we are in a cluster.
    pub fn known_as(&mut self, cluster: ClusterIx, user: &str) {
        self.known_in(cluster, user, &[]);
    }

    /// Who we are in a cluster, and in which groups.
    pub fn known_in(&mut self, cluster: ClusterIx, user: &str, groups: &[&str]) {
        let groups = groups.iter().map(|g| (*g).into()).collect();
        let facts = ClusterFacts { user: Some(user.into()), groups, ..ClusterFacts::default() };
        self.see(Observation::Cluster { cluster, facts });
    }

    /// Lists of everything complete: what is not there, is not there.
    pub fn show_everything(&mut self) {
        for at in ALL {
            self.show(self.workload_ref(at));
            self.show(self.record_ref(at));
        }
        self.show(self.route_ref());
        self.sample(QPS.map(Some));
    }

    pub fn sample(&mut self, qps: [Option<f64>; 5]) {
        let reading = |v: Option<f64>| v.ok_or(gonogo::domain::metric::NoData::Empty);
        let readings = ALL.into_iter().zip(qps.map(reading)).collect();
        self.see(Observation::Samples { service: WEBAPP, column: "qps".into(), at: self.now.wall, readings });
    }

    /// The watch shows an object as it is now.
    pub fn show(&mut self, object: ObjectRef) {
        let reports = &*object.api.kind == "Pipeline";
        let observation = self.observation(object.clone());
        self.see(observation);
        if reports {
            pipeline_world::hear(self, object.cluster);
        }
    }

    fn observation(&self, object: ObjectRef) -> Observation {
        let value = self.objects.get(&object).cloned();
        let version = value.as_ref().and_then(ResourceVersion::of);
        let (namespace, name) = (object.namespace.clone(), object.name.clone());
        let seen = match &*object.api.kind {
            name_of_kind @ ("Deployment" | "StatefulSet" | "DaemonSet" | "Rollout" | "Pipeline") => {
                let how = |_: &str, _: &str| {
                    Some(ReadHow {
                        container: "web".into(),
                        version_from: VersionFrom::Image,
                        left_out: Default::default(),
                    })
                };
                let read = |v: Value| kinds::kind(name_of_kind).unwrap().read(v.to_string().as_bytes(), &how);
                let state = value.map(|v| Box::new(read(v).unwrap().unwrap().workload));
                Seen::Workload { namespace, name, kind: name_of_kind.into(), state }
            }
            "Application" => {
                let read = |v: Value| {
                    Box::new(delivery::tool("Application").unwrap().read(v.to_string().as_bytes()).unwrap().delivery)
                };
                Seen::Delivery { namespace, name, kind: "Application".into(), state: value.map(read) }
            }
            "ConfigMap" if Approval::is_named_so(&name) => {
                let read = |v: Value| Box::new(Approval::read(&name, v.to_string().as_bytes()));
                Seen::Approval { namespace, name: name.clone(), state: value.map(read) }
            }
            "ConfigMap" => {
                let read = |v: Value| {
                    let data = v["data"].as_object().cloned().unwrap_or_default();
                    Box::new(RegionRecord::read(data.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap()))))
                };
                Seen::Record { namespace, name, state: value.map(read) }
            }
            _ => {
                let provider = traffic::PROVIDERS.iter().find(|p| p.api() == object.api).unwrap();
                let state = value.map(|v| Box::new(provider.read(v.to_string().as_bytes()).unwrap().route));
                Seen::Route { namespace, name, provider: provider.name().into(), state }
            }
        };
        Observation::Object { cluster: object.cluster, seen, version }
    }

    /// The watch shows a region's workload as it is now.
    pub fn show_workload(&mut self, at: RegionIx) {
        self.show(self.workload_ref(at));
    }

    /// A list of records is complete in a cluster, and ours is not in it.
    pub fn record_is_gone(&mut self, at: RegionIx) {
        let object = self.record_ref(at);
        self.objects.remove(&object);
        self.see(Observation::Synced {
            cluster: object.cluster,
            watch: WatchKind::Records,
            namespace: None,
            present: Vec::new(),
            version: None,
            gap: false,
        });
    }

    /// Time passes, second by second; clusters that are up are heard.
    pub fn pass(&mut self, seconds: u64) {
        for second in 0..seconds {
            self.now.mono += Duration::from_secs(1);
            self.now.wall = self.now.wall.checked_add(Duration::from_secs(1)).unwrap();
            if second % 20 == 0 {
                for cluster in (0..self.fleet.clusters.len()).map(ClusterIx::from) {
                    if !self.down.contains(&cluster) {
                        let server_time = None;
                        self.see(Observation::Heard { cluster, server_time });
                        pipeline_world::hear(self, cluster);
                    }
                }
            }
            self.tell(Msg::Tick);
        }
    }

    /// Time passes in one go: one tick at its end.
    pub fn skip(&mut self, seconds: u64) {
        self.now.mono += Duration::from_secs(seconds);
        self.now.wall = self.now.wall.checked_add(Duration::from_secs(seconds)).unwrap();
        for cluster in (0..self.fleet.clusters.len()).map(ClusterIx::from) {
            if !self.down.contains(&cluster) {
                self.see(Observation::Heard { cluster, server_time: None });
                pipeline_world::hear(self, cluster);
            }
        }
        self.tell(Msg::Tick);
    }

    pub fn cancel(&mut self, id: PlanId) {
        let effects = self.engine.cancel(id);
        self.perform(effects);
    }

    /// A rollout stands in the middle: new pods are missing.
    pub fn in_flight(&mut self, at: RegionIx) {
        let object = self.workload(at);
        object["status"]["updatedReplicas"] = 1.into();
        object["status"]["conditions"][0]["reason"] = "ReplicaSetUpdated".into();
        self.show_workload(at);
    }

    /// The controller finishes a rollout, and the watch shows it.
    pub fn finish(&mut self, at: RegionIx) {
        let now = self.now.wall.to_string();
        let object = self.workload(at);
        object["status"]["observedGeneration"] = object["metadata"]["generation"].clone();
        object["status"]["updatedReplicas"] = 4.into();
        object["status"]["conditions"][0]["reason"] = "NewReplicaSetAvailable".into();
        object["status"]["conditions"][0]["lastUpdateTime"] = now.into();
        self.show_workload(at);
    }

    /// Somebody else writes a record fact.
    pub fn write_fact(&mut self, at: RegionIx, body: Body) -> FactId {
        let id = FactId(Ulid::from_parts(
            self.now.wall.as_millisecond().unsigned_abs(),
            u128::from(self.sent.len() as u64 + 1),
        ));
        self.write_fact_as(at, id, body);
        id
    }

    pub fn write_fact_as(&mut self, at: RegionIx, id: FactId, body: Body) {
        let fact = Fact { id, by: "bo@elsewhere".into(), at: self.now.wall, journal: "".into(), body };
        self.write_key(at, &fact.key(), &fact.value());
    }

    pub fn write_key(&mut self, at: RegionIx, key: &str, value: &str) {
        let object = self.record_ref(at);
        let record = self.objects.entry(object.clone()).or_insert_with(|| json!({"data": {}}));
        record["data"][key] = value.into();
        if !self.watch_is_behind {
            self.show(object);
        }
    }

    // ---- the operator ----

    pub fn propose(&mut self, verb: Verb, target: Target) -> PlanId {
        let id = self.engine.next_plan_id();
        let intent = Intent { service: WEBAPP, verb, target, reason: None };
        let effects = self.engine.propose(id, intent);
        self.perform(effects);
        id
    }

    /// The plan under review, or why there is none; time passes until it is there.
    pub fn review(&mut self, verb: Verb, target: Target) -> Result<Plan, Refusal> {
        self.propose(verb, target);
        for _ in 0..20 {
            match &self.engine.proposal.as_ref().unwrap().state {
                ProposalState::Refused(refusal) => return Err(refusal.clone()),
                ProposalState::Ready { plan, checking: 0, .. } => return Ok((**plan).clone()),
                ProposalState::Ready { .. } | ProposalState::Reading { .. } => self.pass(1),
            }
        }
        panic!("the review never came to an end: {:?}", self.engine.proposal);
    }

    /// Answers what is asked, with a reason.
    pub fn approve(&mut self) -> PlanId {
        let Some(ProposalState::Ready { plan, challenge, .. }) = self.engine.proposal.as_ref().map(|p| p.state.clone())
        else {
            panic!("nothing to approve: {:?}", self.engine.proposal)
        };
        let typed = match &challenge.answer {
            Asked::Key => "y".to_owned(),
            Asked::Typed(text) => text.to_string(),
        };
        let approved = challenge.answer((*plan).clone(), &typed, Some("because".into()), "ana".into()).unwrap();
        self.carry_out(approved);
        plan.id
    }

    pub fn carry_out(&mut self, approved: Approved) {
        let effects = self.engine.carry_out(approved);
        self.perform(effects);
    }

    /// Reviews and approves.
    pub fn go(&mut self, verb: Verb, target: Target) -> PlanId {
        if let Err(refusal) = self.review(verb.clone(), target) {
            panic!("{verb} was refused: {refusal:?}");
        }
        self.approve()
    }

    pub fn operation(&self, id: PlanId) -> &Operation {
        self.engine.operations.iter().find(|o| o.plan.id == id).unwrap()
    }

    /// How an operation ended: the word and why; `open` while it goes on.
    pub fn end(&self, id: PlanId) -> (&'static str, String) {
        match &self.operation(id).ended {
            Some((_, outcome, why)) => (outcome.word(), why.to_string()),
            None => ("open", format!("{:?}", self.operation(id).steps)),
        }
    }

    /// State of each step in a word, by region.
    pub fn steps(&self, id: PlanId) -> Vec<(String, &'static str)> {
        let operation = self.operation(id);
        let word = |s: &StepState| match s {
            StepState::Pending => "pending",
            StepState::Sending { .. } => "sending",
            StepState::Retrying { .. } => "retrying",
            StepState::Verifying { .. } => "verifying",
            StepState::Ended(outcome, _) => outcome.word(),
        };
        operation.plan.steps.iter().zip(&operation.steps).map(|(p, s)| (self.name(p.region), word(s))).collect()
    }

    /// Requests that were sent, as `region role METHOD object`.
    pub fn requests(&self) -> Vec<&str> {
        self.log.iter().filter_map(|l| l.strip_prefix("send ")).collect()
    }

    /// Approvals that lie in a cluster.
    pub fn approvals(&self, cluster: ClusterIx) -> Vec<Value> {
        let lies_there = |o: &ObjectRef| o.cluster == cluster && Approval::is_named_so(&o.name);
        self.objects.iter().filter(|(o, _)| lies_there(o)).map(|(_, v)| v.clone()).collect()
    }

    // ---- effects out ----

    pub fn perform(&mut self, effects: Vec<Effect>) {
        let mut queue: VecDeque<Effect> = effects.into();
        let mut done = 0;
        while let Some(effect) = queue.pop_front() {
            done += 1;
            assert!(done < 10_000, "effects never end");
            for message in self.answer(effect) {
                queue.extend(self.engine.update(Stamped { stamp: self.now, value: message }));
            }
        }
    }

    fn answer(&mut self, effect: Effect) -> Vec<Msg> {
        match &mut self.dies_after {
            Some(0) => return Vec::new(),
            Some(left) => *left -= 1,
            None => {}
        }
        let unreachable = || LostReason::Unreachable("connection refused".into());
        let reply = match effect {
            Effect::Fetch { ticket, object } => {
                self.gets += 1;
                let down = self.down.contains(&object.cluster);
                let mute = LostReason::Failing("its report cannot be read: expected value".into());
                let result = match down {
                    true => Err(unreachable()),
                    false if self.mute.contains(&object) => Err(mute),
                    false => Ok(self.objects.get(&object).cloned()),
                };
                Reply::Fetched { ticket, result }
            }
            Effect::ReadScalar { ticket, .. } => {
                Reply::Fetched { ticket, result: self.git.clone().map(Some).ok_or_else(unreachable) }
            }
            Effect::FetchList { ticket, cluster, api, .. } => {
                let down = self.down.contains(&cluster);
                let result = match &*api.kind {
                    _ if down => Err(unreachable()),
                    "ConfigMap" => Ok(self.approvals(cluster)),
                    _ => Ok(self.owned.get(&cluster).cloned().unwrap_or_default()),
                };
                Reply::FetchedList { ticket, result }
            }
            Effect::DryRun { ticket, change } => {
                let result = match self.dry_run.pop_front() {
                    Some(Fault::Answer(result)) => result,
                    Some(_) => return Vec::new(),
                    None if self.down.contains(&change.object().unwrap().cluster) => {
                        ActResult::NotSent("connection refused".into())
                    }
                    None => match self.patched(&change) {
                        Ok(object) => accepted(Some(object)),
                        Err(result) => result,
                    },
                };
                Reply::DryRan { ticket, result }
            }
            Effect::Journal(approved) => {
                let plan = approved.plan().id;
                let title = approved.plan().title.clone();
                let entry = gonogo::io::journal::Entry::opened(&approved, &self.fleet, &BTreeMap::new());
                self.opened.push(serde_json::to_string(&entry).unwrap());
                self.approved.insert(plan, *approved);
                match self.journal {
                    Journal::Hangs => return Vec::new(),
                    Journal::Broken => {
                        self.log.push(format!("journal failed {title}"));
                        Reply::Journaled { plan, result: Err("no space left on device".into()) }
                    }
                    Journal::Durable => {
                        self.log.push(format!("journal {title}"));
                        Reply::Journaled { plan, result: Ok("head".into()) }
                    }
                }
            }
            Effect::Keep { ticket, change, if_absent } => {
                let object = change.object().unwrap().clone();
                let change = match if_absent {
                    Some(create) if !self.objects.contains_key(&object) => create,
                    _ => change,
                };
                self.log.push(format!("keep {} {}", object.cluster.0, change.method()));
                let (result, seen) = match self.keep_fault.clone() {
                    Some(result) => (result, None),
                    None => match self.patched(&change) {
                        Ok(value) => {
                            self.objects.insert(object.clone(), value.clone());
                            // Leases are looked at, not watched.
                            let watched = &*object.api.kind != "Lease";
                            let seen = watched.then(|| Msg::Seen(self.observation(object)));
                            (accepted(Some(value)), seen)
                        }
                        Err(result) => (result, None),
                    },
                };
                return std::iter::once(Msg::Reply(Reply::Kept { ticket, result })).chain(seen).collect();
            }
            Effect::Notify(notice) => {
                self.told.push(*notice);
                return Vec::new();
            }
            Effect::Call { place, call } => {
                self.calls.push((place, (*call).clone()));
                let Some(answer) = self.endpoint.clone() else { return Vec::new() };
                let result = answer.map(|(code, body)| (code, body.into())).map_err(Into::into);
                return vec![Msg::Seen(Observation::Called { place, call, result })];
            }
            Effect::Act { plan, step, write } => return self.act(plan, step, write),
            Effect::Note(note) => {
                self.log.push(match note.what {
                    NoteKind::StepStarted { step } => format!("note step {step} started"),
                    NoteKind::Answered { step, write, answer } => format!("note step {step} write {write} {answer}"),
                    NoteKind::StepEnded { step, outcome, .. } => format!("note step {step} {outcome}"),
                    NoteKind::Closed { outcome, .. } => format!("note closed {outcome}"),
                });
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        vec![Msg::Reply(reply)]
    }

    fn act(&mut self, plan: PlanId, step: usize, write: usize) -> Vec<Msg> {
        let spec = &self.approved[&plan].plan().steps[step];
        let (region, request) = (spec.region, spec.writes[write].clone());
        let Some(object) = request.change.object().cloned() else {
            // Nobody carries it on: a test moves the workload as whoever was asked would.
            self.log.push(format!("send {} {:?} {}", self.name(region), request.role, request.change.method()));
            let fault = self.faults.get_mut(&(region, "Outside")).and_then(VecDeque::pop_front);
            let result = match fault {
                Some(Fault::Hang) => return Vec::new(),
                Some(Fault::Answer(result)) => result,
                Some(Fault::LostBefore) => ActResult::Unknown("connection reset".into()),
                _ => {
                    self.sent.push(request.change.clone());
                    accepted(None)
                }
            };
            return vec![Msg::Reply(Reply::Acted { plan, step, write, result })];
        };
        self.log.push(format!(
            "send {} {:?} {} {}",
            self.name(region),
            request.role,
            request.change.method(),
            object.api.kind
        ));
        let kind =
            ["Deployment", "StatefulSet", "DaemonSet", "Rollout", "HTTPRoute", "DNSEndpoint", "ConfigMap", "Event"]
                .into_iter()
                .chain(["Application", "ApplicationSet"])
                .find(|k| *k == &*object.api.kind);
        let fault = self.faults.get_mut(&(region, kind.unwrap())).and_then(VecDeque::pop_front);
        let mut written = None;
        let result = match fault {
            Some(Fault::Hang) => return Vec::new(),
            Some(Fault::Answer(result)) => result,
            Some(Fault::LostBefore) => ActResult::Unknown("connection reset".into()),
            _ if self.down.contains(&object.cluster) => ActResult::NotSent("connection refused".into()),
            fault => {
                let change = match (&request.change, &request.if_absent) {
                    (change, Some(create)) if !self.objects.contains_key(change.object().unwrap()) => create.clone(),
                    (Change::Patch { subresource: Some(_), .. }, Some(whole)) if self.no_status => whole.clone(),
                    (change, _) => change.clone(),
                };
                self.sent.push(change.clone());
                match self.patched(&change) {
                    Err(result) => result,
                    Ok(value) => {
                        self.objects.insert(object.clone(), value.clone());
                        written = Some(object.clone());
                        let lost = matches!(fault, Some(Fault::LostAfter));
                        if lost { ActResult::Unknown("connection reset".into()) } else { accepted(Some(value)) }
                    }
                }
            }
        };
        let mut messages = vec![Msg::Reply(Reply::Acted { plan, step, write, result })];
        if let Some(object) = written.filter(|_| self.watch) {
            messages.extend(self.watch_shows(region, object));
        }
        messages
    }

    /// What the watch shows of a write, and of the controller that follows it.
    fn watch_shows(&mut self, region: RegionIx, object: ObjectRef) -> Vec<Msg> {
        if ["Event", "ApplicationSet"].contains(&&*object.api.kind) {
            return Vec::new();
        }
        if &*object.api.kind == "StatefulSet" {
            let finished = self.controller;
            roll_in_order(self.workload(region), finished);
        }
        if &*object.api.kind == "DaemonSet" {
            let finished = self.controller;
            roll_over_nodes(self.workload(region), finished);
        }
        if &*object.api.kind == "Rollout" {
            let (finished, now) = (self.controller, self.now.wall.to_string());
            rollout_world::follow(self.workload(region), finished, &now);
        }
        if &*object.api.kind == "Deployment" {
            let now = self.now.wall.to_string();
            let finished = self.controller && !self.paused(region);
            let workload = self.workload(region);
            workload["status"]["observedGeneration"] = workload["metadata"]["generation"].clone();
            if finished {
                workload["status"]["updatedReplicas"] = 4.into();
                workload["status"]["conditions"][0]["reason"] = "NewReplicaSetAvailable".into();
                workload["status"]["conditions"][0]["lastUpdateTime"] = now.into();
            }
        }
        vec![Msg::Seen(self.observation(object))]
    }

    /// The object as a write would make it, or the server's answer.
    fn patched(&self, change: &Change) -> Result<Value, ActResult> {
        match change {
            Change::Create { object, .. } if self.objects.contains_key(object) => {
                Err(ActResult::Refused { code: 409, message: "already exists".into() })
            }
            Change::Create { object, body } if Approval::is_named_so(&object.name) => {
                let facts = &self.engine.clusters[object.cluster.at()].facts;
                let user = facts.user.as_ref().map(Operator::as_str);
                if self.policy && body["data"]["approver"].as_str() != user {
                    let message = "ValidatingAdmissionPolicy 'gonogo-approvals' denied request";
                    return Err(ActResult::Refused { code: 422, message: message.into() });
                }
                let mut body = body.clone();
                body["metadata"]["creationTimestamp"] = self.now.wall.strftime("%FT%TZ").to_string().into();
                Ok(body)
            }
            Change::Create { body, .. } => Ok(body.clone()),
            Change::Outside(_) => Err(ActResult::NotSent("no server takes it".into())),
            Change::Patch { object, kind, body, .. } => {
                let mut value =
                    self.objects.get(object).cloned().ok_or_else(|| ActResult::Absent(object.to_string().into()))?;
                let before = value.get("spec").cloned();
                match kind {
                    PatchKind::Json => patch::json::apply(&mut value, body).map_err(|_| ActResult::Changed)?,
                    PatchKind::Merge => patch::merge::apply(&mut value, body),
                }
                let template = |spec: Option<&Value>| spec.and_then(|s| s.get("template")).cloned();
                if template(value.get("spec")) != template(before.as_ref()) {
                    // No new pod is there yet.
                    value["status"]["updatedReplicas"] = 0.into();
                    if let Some(condition) = value.pointer_mut("/status/conditions/0") {
                        condition["reason"] = "ReplicaSetUpdated".into();
                    }
                }
                if value.get("spec").cloned() != before {
                    let generation = value["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
                    value["metadata"]["generation"] = generation.into();
                }
                Ok(value)
            }
        }
    }
}

/// What a healthy cluster makes of a StatefulSet: pods at and above the partition run its template.
fn roll_in_order(set: &mut Value, finished: bool) {
    let revision = format!("webapp-{}", template_digest(set).short());
    let replicas = set["spec"]["replicas"].as_u64().unwrap();
    let partition = set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_u64().unwrap_or(0).min(replicas);
    let known = set["status"]["currentRevision"] == json!(revision);
    set["status"]["observedGeneration"] = set["metadata"]["generation"].clone();
    set["status"]["updateRevision"] = json!(revision);
    if !finished {
        set["status"]["readyReplicas"] = json!(replicas - 1);
        return;
    }
    let updated = if known { replicas } else { replicas - partition };
    set["status"]["readyReplicas"] = json!(replicas);
    set["status"]["updatedReplicas"] = json!(updated);
    if updated == replicas {
        set["status"]["currentRevision"] = json!(revision);
    }
}

/// What a healthy cluster makes of a DaemonSet: every node has a pod of its template; else only one of them.
fn roll_over_nodes(set: &mut Value, finished: bool) {
    set["status"]["observedGeneration"] = set["metadata"]["generation"].clone();
    set["status"]["updatedNumberScheduled"] = json!(if finished { 4 } else { 1 });
    set["status"]["numberReady"] = json!(if finished { 4 } else { 3 });
    set["status"]["numberAvailable"] = set["status"]["numberReady"].clone();
}

pub fn accepted(object: Option<Value>) -> ActResult {
    ActResult::Accepted { object: object.map(Box::new), audit: None, warnings: Vec::new() }
}

pub fn refused(code: u16, message: &str) -> Fault {
    Fault::Answer(ActResult::Refused { code, message: message.into() })
}

pub fn not_sent() -> Fault {
    Fault::Answer(ActResult::NotSent("connection refused".into()))
}

pub fn promote() -> Verb {
    Verb::Promote { to: None, without_wait: false }
}

pub fn promote_to(version: &str) -> Verb {
    Verb::Promote { to: Some(version.into()), without_wait: false }
}

pub fn resume() -> Verb {
    Verb::Resume { hold: None }
}

pub fn roll_back() -> Verb {
    Verb::RollBack { to_revision: None }
}

pub fn ring(at: u32) -> Target {
    Target::Ring(RingIx(at))
}

pub fn region(at: RegionIx) -> Target {
    Target::Regions(vec![at])
}

/// Codes of a plan's findings.
pub fn codes(plan: &Plan) -> Vec<&'static str> {
    plan.findings.iter().map(|f| f.code).collect()
}

pub fn later(at: &str) -> Timestamp {
    at.parse().unwrap()
}
