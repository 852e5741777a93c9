//! Asks commands and endpoints how regions stand that no cluster tells of, again and again; what they said is told
//! like what a watch shows, and that they did not answer like the loss of a cluster.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::domain::change::ObjectRef;
use crate::domain::fleet::{Fleet, Region, Service, VersionFrom};
use crate::domain::id::{ClusterIx, Namespace, Place, RegionIx, ServiceIx, Text};
use crate::domain::link::{Link, LostReason};
use crate::domain::observation::{Observation, Seen};
use crate::domain::outside::Outside;
use crate::domain::workload::Route;
use crate::io::Tell;
use crate::io::act::{self, Outsides};
use crate::io::clock::Clock;
use crate::kinds::{self, ReadHow, WorkloadKind};
use crate::traffic::{self, TrafficProvider};

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// Everything that is asked. Dropping it ends the questions.
pub struct Reports {
    sources: Vec<Arc<Source>>,
    outsides: Option<Outsides>,
    turns: Arc<Semaphore>,
    _tasks: JoinSet<()>,
}

/// What is asked about one region.
struct Source {
    about: About,
    cluster: ClusterIx,
    namespace: Namespace,
    name: Text,
    /// In the place of `metadata.uid`: another pipeline is another workload.
    uid: String,
    every: Duration,
    /// The question, or why it cannot be asked.
    question: Result<Outside, String>,
    nudge: Notify,
}

/// What a report is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// The workload of one region.
    Workload(Place),
    /// The weights of one service.
    Weights,
}

impl Reports {
    /// Starts to ask about every region that is reported. Without `outsides` nobody is asked, and each of them is said
    /// to be lost: a watch screen runs nothing. Must be called inside a tokio runtime.
    pub fn start(fleet: &Fleet, outsides: Option<Outsides>, clock: &Clock, tell: &Tell, seed: u64) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        let mut rng = fastrand::Rng::with_seed(seed);
        let sources: Vec<Arc<Source>> = sources(fleet).into_iter().map(Arc::new).collect();
        for source in &sources {
            match &outsides {
                Some(outsides) => {
                    let asking = Asking {
                        source: Arc::clone(source),
                        outsides: outsides.clone(),
                        turns: Arc::clone(&turns),
                        clock: clock.clone(),
                        tell: Arc::clone(tell),
                        rng: rng.fork(),
                    };
                    tasks.spawn(asking.go_on());
                }
                None => {
                    let About::Workload(place) = source.about else { continue };
                    let reason = LostReason::Unusable("a watch screen runs no command and asks no endpoint".into());
                    let next_try = clock.wall_after(Duration::from_secs(86_400));
                    tell(Observation::Reported { place, link: Link::Lost { reason, next_try } });
                }
            }
        }
        Self { sources, outsides, turns, _tasks: tasks }
    }

    /// Whether this object is one that is asked for here.
    pub fn has(&self, object: &ObjectRef) -> bool {
        self.find(object).is_some()
    }

    fn find(&self, object: &ObjectRef) -> Option<&Arc<Source>> {
        let weights = object.api == traffic::Command.api();
        if !weights && object.api != kinds::Pipeline.api() {
            return None;
        }
        let is = |s: &&Arc<Source>| {
            (s.about == About::Weights) == weights && s.name == object.name && s.cluster == object.cluster
        };
        self.sources.iter().find(is)
    }

    /// Asks about one object now.
    pub fn fetch(&self, object: &ObjectRef) -> impl Future<Output = Result<Option<Value>, LostReason>> + Send + use<> {
        let source = self.find(object).map(Arc::clone);
        let (outsides, turns) = (self.outsides.clone(), Arc::clone(&self.turns));
        async move {
            let missing = || LostReason::Unusable("nothing is asked about it here".into());
            let (source, outsides) = source.zip(outsides).ok_or_else(missing)?;
            let _turn = turns.acquire().await;
            source.ask(&outsides).await.map(|(value, _)| Some(value))
        }
    }

    /// Asks again now about every region of a cluster.
    pub fn hurry(&self, cluster: ClusterIx) {
        self.sources.iter().filter(|s| s.cluster == cluster).for_each(|s| s.nudge.notify_one());
    }
}

fn sources(fleet: &Fleet) -> Vec<Source> {
    let mut out = Vec::new();
    for (s, service) in fleet.services.iter().enumerate() {
        for (r, region) in service.regions.iter().enumerate() {
            out.extend(weights(service, region, &out));
            let Some(pipeline) = region.pipeline() else { continue };
            let Some(state) = &pipeline.state else { continue };
            out.push(Source {
                about: About::Workload((ServiceIx::from(s), RegionIx::from(r))),
                cluster: region.cluster,
                namespace: region.workload.namespace.clone(),
                name: region.workload.name.clone(),
                uid: format!("pipeline {}", pipeline.name),
                every: pipeline.every,
                question: state
                    .filled(&format!("pipeline {}: state", pipeline.name), &service.names_of(fleet, region).each()),
                nudge: Notify::new(),
            });
        }
    }
    out
}

/// What is asked about the weights that reach a region; none where it is asked already, or a cluster holds them.
fn weights(service: &Service, region: &Region, known: &[Source]) -> Option<Source> {
    let route = region.route.as_ref()?;
    let steering = route.steering.as_ref()?;
    let same = |s: &Source| s.about == About::Weights && s.name == route.name && s.cluster == route.cluster;
    (!known.iter().any(same)).then(|| Source {
        about: About::Weights,
        cluster: route.cluster,
        namespace: route.namespace.clone(),
        name: route.name.clone(),
        uid: format!("steering {}", steering.name),
        every: steering.every,
        question: steering
            .state
            .filled(&format!("steering {}: state", steering.name), &[("service", service.name.as_str())]),
        nudge: Notify::new(),
    })
}

impl Source {
    /// The weights as a watch would show them.
    fn seen(&self, route: Route) -> Seen {
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        Seen::Route { namespace, name, provider: traffic::Command.name().into(), state: Some(Box::new(route)) }
    }

    async fn ask(&self, outsides: &Outsides) -> Result<(Value, Seen), LostReason> {
        let question = self.question.as_ref().map_err(|why| LostReason::Unusable(why.as_str().into()))?;
        let report = act::ask(outsides, question).await?;
        let unread = |why: String| LostReason::Failing(format!("its report cannot be read: {why}").into());
        if self.about == About::Weights {
            let object = traffic::reported(self.namespace.as_str(), &self.name, &self.uid, &report).map_err(unread)?;
            let read = traffic::Command.read(object.to_string().as_bytes()).map_err(|e| unread(e.to_string()))?;
            return Ok((object, self.seen(read.route)));
        }
        let object = kinds::reported(self.namespace.as_str(), &self.name, &self.uid, &report).map_err(unread)?;
        let how = |_: &str, _: &str| {
            Some(ReadHow { container: "".into(), version_from: VersionFrom::Image, left_out: Arc::new([]) })
        };
        let read = kinds::Pipeline.read(object.to_string().as_bytes(), &how).map_err(|e| unread(e.to_string()))?;
        let state = read.map(|named| Box::new(named.workload));
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        Ok((object, Seen::Workload { namespace, name, kind: kinds::Pipeline.name().into(), state }))
    }
}

struct Asking {
    source: Arc<Source>,
    outsides: Outsides,
    turns: Arc<Semaphore>,
    clock: Clock,
    tell: Tell,
    rng: fastrand::Rng,
}

impl Asking {
    async fn go_on(mut self) {
        let mut last: Option<Route> = None;
        loop {
            let asked = {
                let _turn = self.turns.acquire().await;
                self.source.ask(&self.outsides).await
            };
            // Many that were started together need not go on together.
            let wait = self.source.every.mul_f64(0.9 + 0.1 * self.rng.f64());
            let cluster = self.source.cluster;
            match (asked, self.source.about) {
                (Ok((_, seen)), about) => {
                    if let Seen::Route { state: Some(route), .. } = &seen {
                        last = Some((**route).clone());
                    }
                    (self.tell)(Observation::Object { cluster, seen, version: None });
                    if let About::Workload(place) = about {
                        (self.tell)(Observation::Reported { place, link: Link::Live });
                    }
                }
                (Err(reason), About::Workload(place)) => {
                    let link = Link::Lost { reason, next_try: self.clock.wall_after(wait) };
                    (self.tell)(Observation::Reported { place, link });
                }
                // What was last known stays, and says that it is not known any more.
                (Err(reason), About::Weights) => {
                    let (word, why) = reason.text();
                    if let Some(route) = &last {
                        let trouble = Some(format!("its weights are as last known: {word}: {why}").into());
                        let seen = self.source.seen(Route { trouble, ..route.clone() });
                        (self.tell)(Observation::Object { cluster, seen, version: None });
                    }
                }
            }
            tokio::select! {
                biased;
                () = self.source.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
