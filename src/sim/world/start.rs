//! A running simulated fleet: its servers, its clock, and the handles that tests and the demo use.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fleet::World;
use super::layout::{EDGE, Layout};
use super::run::{self, SharedWorld, lock};
use super::wire::Wire;
use crate::sim::api::ApiServer;
use crate::sim::api::hooks::{BeforeRead, LogQuery, PodLogs, ServiceProxy};
use crate::sim::clock::SimClock;
use crate::sim::controllers::pod_object::log;
use crate::sim::fleet_files::{self, Addresses, ClockLine};
use crate::sim::prom::PromServer;
use crate::sim::resources::Resource;
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::socket::{self, Served};

/// Fleets with more regions than this have one Prometheus for all of them.
const OWN_PROMETHEUS: usize = 8;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct SimOptions {
    /// Name of a scenario.
    pub scenario: String,
    /// Simulated seconds per real second; none: the scenario's.
    pub speed: Option<f64>,
    /// Seed of everything that is made up.
    pub seed: u64,
    /// Number of regions, staging included; at least two.
    pub regions: usize,
    /// Number of services; at least one.
    pub services: usize,
    /// Status updates per second; none: the scenario's.
    pub events_per_second: Option<u32>,
    /// Simulated time at the start; none: the machine's.
    pub start: Option<Timestamp>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            scenario: "steady".into(),
            speed: None,
            seed: 1,
            regions: 4,
            services: 1,
            events_per_second: None,
            start: None,
        }
    }
}

/// Why a simulation cannot start or be served.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The scenario names a region that the fleet does not have.
    #[error("scenario {scenario:?} names region {region:?}, which this fleet of {regions} regions does not have")]
    NoSuchRegion {
        /// The scenario.
        scenario: String,
        /// The region.
        region: String,
        /// How many regions there are.
        regions: usize,
    },
    /// A socket or a file failed.
    #[error("cannot serve the simulated fleet: {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What went wrong.
        source: std::io::Error,
    },
}

/// A running fleet. Dropping it stops everything.
pub struct SimFleet {
    world: SharedWorld,
    wire: Arc<Wire>,
    layout: Layout,
    login: String,
    clock: SimClock,
    /// The machine's time at the clock's start.
    began: Timestamp,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    served: Vec<Served>,
    addresses: Option<Addresses>,
}

impl SimFleet {
    /// Starts a fleet; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the scenario does not exist, cannot be read, or does not fit the fleet.
    pub fn start(options: &SimOptions) -> Result<Self, SimError> {
        let scenario = Scenario::named(&options.scenario)?;
        Self::start_scenario(&options.scenario, scenario, options)
    }

    /// Starts a fleet with a scenario of one's own.
    ///
    /// # Errors
    /// When the scenario does not fit the fleet.
    pub fn start_scenario(name: &str, scenario: Scenario, options: &SimOptions) -> Result<Self, SimError> {
        let layout = Layout::new(options.regions, options.services, &scenario.release, options.seed);
        let (delivered, rollouts) = (scenario.delivery.is_some(), scenario.workload.rollouts);
        let layout = Layout {
            steering: scenario.steering,
            delivered,
            in_git: scenario.repository.is_some(),
            rollouts,
            ..layout
        };
        check_regions(name, &scenario, &layout)?;
        let speed = options.speed.unwrap_or(scenario.speed);
        let began = SimClock::wall();
        let clock = SimClock::new(options.start.unwrap_or(began), speed);
        let churn = options.events_per_second.unwrap_or(scenario.events_per_second);
        let login = scenario.login.clone();
        let world = World::build(layout.clone(), scenario, clock.clone(), churn);
        let wire = Arc::new(Wire::new(&world, layout.regions.len() <= OWN_PROMETHEUS));
        let world: SharedWorld = Arc::new(Mutex::new(world));
        for (index, server) in wire.servers.iter().enumerate() {
            let eyes = Arc::new(Eyes { world: Arc::clone(&world), cluster: index });
            server.set_before_read(eyes.clone());
            server.set_logs(eyes);
            if let Some(prom) = wire.prometheus_of(server.name()) {
                server.set_proxy(Arc::new(Monitoring(prom.clone())));
            }
        }
        let stop = CancellationToken::new();
        let told = Arc::clone(&wire);
        let task = run::start(Arc::clone(&world), stop.clone(), move |world| told.carry_out(world));
        Ok(Self {
            world,
            wire,
            layout,
            login,
            clock,
            began,
            stop,
            task: Some(task),
            served: Vec::new(),
            addresses: None,
        })
    }

    /// Regions, rings and services.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Names of all clusters: the regions in order, then `edge`.
    #[must_use]
    pub fn clusters(&self) -> Vec<&str> {
        self.wire.servers.iter().map(ApiServer::name).collect()
    }

    /// A cluster's API server, for use in process; its `faults()` cut and slow it.
    #[must_use]
    pub fn api(&self, cluster: &str) -> Option<&ApiServer> {
        self.wire.servers.iter().find(|server| server.name() == cluster)
    }

    /// The Prometheus that has a region's series, for use in process.
    #[must_use]
    pub fn prometheus(&self, region: &str) -> Option<&PromServer> {
        self.wire.prometheus_of(region)
    }

    /// The simulated time.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// The world behind the wire, for tests that look behind it.
    #[must_use]
    pub fn world(&self) -> &SharedWorld {
        &self.world
    }

    /// Listens on loopback, and writes `kubeconfig` and `config.toml` into a directory.
    ///
    /// # Errors
    /// When a socket or a file fails.
    pub async fn serve(&mut self, dir: &Path) -> Result<&Addresses, SimError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| SimError::Io { what, source }
        };
        let mut addresses = self.no_addresses();
        for server in &self.wire.servers {
            // kubectl sends no credentials over plain HTTP: such requests are the scenario's user's.
            let served = socket::serve(server.trusting(&self.login)).await.map_err(io("API server socket"))?;
            addresses.clusters.insert(server.name().to_owned(), served.url());
            self.served.push(served);
        }
        for prom in &self.wire.prometheus {
            let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.map_err(io("Prometheus socket"))?;
            let served = socket::serve_on(listener, prom.server.clone(), prom.link.subscribe());
            let served = served.map_err(io("Prometheus socket"))?;
            for region in &self.layout.regions {
                if prom.region.as_ref().is_none_or(|only| *only == region.name) {
                    addresses.prometheus.insert(region.name.clone(), served.url());
                }
            }
            self.served.push(served);
        }
        crate::sim::dir::write(dir, &mut addresses, &self.layout, &self.clock_line()).map_err(io("fleet files"))?;
        Ok(self.addresses.insert(addresses))
    }

    /// The kubeconfig's text; with placeholders for addresses until the fleet is served.
    #[must_use]
    pub fn kubeconfig_yaml(&self) -> String {
        fleet_files::kubeconfig(&self.layout, &self.addresses.clone().unwrap_or_else(|| self.no_addresses()))
    }

    fn clock_line(&self) -> ClockLine {
        ClockLine { start: self.clock.start(), at: self.began, speed: self.clock.speed() }
    }

    fn no_addresses(&self) -> Addresses {
        Addresses { user: self.login.clone(), ..Addresses::default() }
    }

    /// The configuration's text; with placeholders for addresses until the fleet is served.
    #[must_use]
    pub fn config_toml(&self) -> String {
        let addresses = self.addresses.clone().unwrap_or_else(|| self.no_addresses());
        fleet_files::config(&self.layout, &addresses, &self.clock_line())
    }

    /// Stops the controllers and the servers, and waits until they are gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // A controller that panicked has nothing left to stop.
            let _ = task.await;
        }
        for served in std::mem::take(&mut self.served) {
            served.stop().await;
        }
    }
}

impl Drop for SimFleet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn check_regions(name: &str, scenario: &Scenario, layout: &Layout) -> Result<(), SimError> {
    let actions = scenario.action.iter().filter_map(|action| action.region.as_ref());
    let faults = scenario.fault.iter().filter_map(|fault| fault.region.as_ref());
    let behaviours = scenario.behaviour.iter().flat_map(|rule| &rule.regions);
    let known = |region: &str| layout.region(region).is_some() || region == EDGE;
    match actions.chain(faults).chain(behaviours).find(|region| !known(region)) {
        None => Ok(()),
        Some(region) => {
            Err(SimError::NoSuchRegion { scenario: name.into(), region: region.clone(), regions: layout.regions.len() })
        }
    }
}

/// What a cluster's server asks of the world.
struct Eyes {
    world: SharedWorld,
    cluster: usize,
}

impl BeforeRead for Eyes {
    fn touch(&self, resource: &'static Resource, namespace: &str) {
        if matches!(resource.plural, "pods" | "replicasets" | "events") {
            lock(&self.world).looked_at(self.cluster, namespace);
        }
    }
}

impl PodLogs for Eyes {
    fn text(&self, query: &LogQuery) -> Option<String> {
        let world = lock(&self.world);
        let cluster = world.clusters.get(self.cluster)?;
        let works = cluster.workloads.iter().chain(&cluster.stateful).chain(&cluster.daemons).chain(&cluster.rollouts);
        let (work, pod) = works
            .filter(|(key, _)| *key.0 == *query.namespace)
            .flat_map(|(_, work)| work.pods.iter().map(move |pod| (work, pod)))
            .find(|(_, pod)| pod.name() == query.pod)?;
        let version = work.version(&pod.set);
        let behaviour = world.pod_behaviour(&cluster.name, &version);
        log(pod, &version, &cluster.name, &behaviour, query.previous, world.clock.now())
    }
}

/// The Prometheus behind a cluster's service proxy: `monitoring/prometheus`.
struct Monitoring(PromServer);

impl ServiceProxy for Monitoring {
    fn call(
        &self,
        namespace: &str,
        service: &str,
        request: Request<Bytes>,
    ) -> Option<BoxFuture<'static, Response<Bytes>>> {
        if (namespace, service) != ("monitoring", "prometheus") {
            return None;
        }
        let server = self.0.clone();
        Some(Box::pin(async move {
            let answer = match server.answer(request.map(Full::new)).await {
                Ok(answer) => answer,
                Err(error) => return unavailable(&error.to_string()),
            };
            let (parts, body) = answer.into_parts();
            match body.collect().await {
                Ok(body) => Response::from_parts(parts, body.to_bytes()),
                Err(never) => match never {},
            }
        }))
    }
}

/// What an API server says of a service that it cannot reach.
fn unavailable(why: &str) -> Response<Bytes> {
    let text = format!("error trying to reach service: {why}");
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    response
}
