//! Asks commands and endpoints how regions stand that no cluster tells of, again and again; what they said is told
//! like what a watch shows, and that they did not answer like the loss of a cluster.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::domain::change::ObjectRef;
use crate::domain::fleet::{Fleet, VersionFrom};
use crate::domain::id::{ClusterIx, Namespace, Place, RegionIx, ServiceIx, Text};
use crate::domain::link::{Link, LostReason};
use crate::domain::observation::{Observation, Seen};
use crate::domain::outside::Outside;
use crate::io::Tell;
use crate::io::act::{self, Outsides};
use crate::io::clock::Clock;
use crate::kinds::{self, ReadHow, WorkloadKind};

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
    place: Place,
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
                    let reason = LostReason::Unusable("a watch screen runs no command and asks no endpoint".into());
                    let next_try = clock.wall_after(Duration::from_secs(86_400));
                    tell(Observation::Reported { place: source.place, link: Link::Lost { reason, next_try } });
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
        let is = |s: &&Arc<Source>| s.name == object.name && s.cluster == object.cluster;
        self.sources.iter().find(is).filter(|_| object.api == kinds::Pipeline.api())
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
            let Some(pipeline) = region.pipeline() else { continue };
            let Some(state) = &pipeline.state else { continue };
            out.push(Source {
                place: (ServiceIx::from(s), RegionIx::from(r)),
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

impl Source {
    async fn ask(&self, outsides: &Outsides) -> Result<(Value, Seen), LostReason> {
        let question = self.question.as_ref().map_err(|why| LostReason::Unusable(why.as_str().into()))?;
        let report = act::ask(outsides, question).await?;
        let unread = |why: String| LostReason::Failing(format!("its report cannot be read: {why}").into());
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
        loop {
            let asked = {
                let _turn = self.turns.acquire().await;
                self.source.ask(&self.outsides).await
            };
            // Many that were started together need not go on together.
            let wait = self.source.every.mul_f64(0.9 + 0.1 * self.rng.f64());
            let place = self.source.place;
            match asked {
                Ok((_, seen)) => {
                    (self.tell)(Observation::Object { cluster: self.source.cluster, seen, version: None });
                    (self.tell)(Observation::Reported { place, link: Link::Live });
                }
                Err(reason) => {
                    let link = Link::Lost { reason, next_try: self.clock.wall_after(wait) };
                    (self.tell)(Observation::Reported { place, link });
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
