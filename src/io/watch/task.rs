//! One task per cluster: all connect at once, and a slow or dead one delays nobody.

use std::sync::Arc;

use futures::future::join_all;
use tokio::task::JoinSet;

use super::follow::{Follow, collection};
use super::health::Health;
use super::identify::identify;
use super::plan::{ClusterPlan, WatchPlan, of};
use crate::domain::id::{ClusterIx, Namespace};
use crate::io::Tell;
use crate::io::answer::Failure;
use crate::io::clock::Clock;
use crate::io::connect::{Access, Clusters, Identified, Mode, Remembered, may};

/// The running watches. Dropping it ends them.
pub struct Watching {
    health: Vec<Arc<Health>>,
    tasks: JoinSet<()>,
}

/// Starts to watch every cluster; observations are told.
///
/// Same seed, same jitter. Must be called inside a tokio runtime.
pub fn watch_all(
    clusters: &Clusters,
    plans: &[Arc<ClusterPlan>],
    clock: &Clock,
    tell: &Tell,
    remembered: &Arc<dyn Remembered>,
    seed: u64,
) -> Watching {
    let mut tasks = JoinSet::new();
    let mut health = Vec::new();
    for access in clusters.iter() {
        let plan = of(plans, access.cluster);
        access.identified(Identified::Asking);
        let rng = fastrand::Rng::with_seed(seed ^ u64::from(access.cluster.0).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let watched =
            Arc::new(Health::new(access.cluster, plan.watches.len(), clock.clone(), Arc::clone(tell), rng.clone()));
        health.push(Arc::clone(&watched));
        tasks.spawn(cluster(Arc::clone(access), plan, watched, Arc::clone(remembered), rng));
    }
    Watching { health, tasks }
}

impl Watching {
    /// Tries a cluster again now.
    pub fn reconnect(&self, cluster: ClusterIx) {
        if let Some(health) = self.health.get(cluster.at()) {
            health.reconnect();
        }
    }

    /// How many cluster tasks run.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }
}

async fn cluster(
    access: Arc<Access>,
    plan: Arc<ClusterPlan>,
    health: Arc<Health>,
    remembered: Arc<dyn Remembered>,
    mut rng: fastrand::Rng,
) {
    let mut jobs: Vec<futures::future::BoxFuture<'_, ()>> = Vec::new();
    for (position, watch) in plan.watches.iter().enumerate() {
        jobs.push(Box::pin(kind(&access, position, watch, &health, rng.fork())));
    }
    jobs.push(Box::pin(identify(&access, &plan, &health, &*remembered)));
    join_all(jobs).await;
}

/// Everything of one kind: one watch for the whole cluster where that is allowed and worth it.
async fn kind(access: &Access, position: usize, plan: &WatchPlan, health: &Health, mut rng: fastrand::Rng) {
    let namespaces = scope(access, position, plan, health).await;
    health.spread(position, namespaces.len());
    let jobs = namespaces.into_iter().enumerate().map(|(n, namespace)| {
        let follow = Follow { watch: (position, n), access, health, plan, namespace };
        follow.run(rng.fork())
    });
    join_all(jobs.collect::<Vec<_>>()).await;
}

/// In which namespaces to watch; none stands for all at once.
async fn scope(access: &Access, position: usize, plan: &WatchPlan, health: &Health) -> Vec<Option<Namespace>> {
    let each = || plan.wanted.namespaces().cloned().map(Some).collect::<Vec<_>>();
    // One namespace costs one watch either way, and needs fewer rights.
    while plan.wanted.namespaces().nth(1).is_some() {
        match everywhere(access, plan).await {
            Ok(true) => return vec![None],
            Ok(false) => return each(),
            Err(failure) => {
                let doing = format!("ask for {} of cluster {}", plan.resource(), access.name);
                health.failed((position, 0), failure.reason(&doing), failure.retry_after()).await;
            }
        }
    }
    each()
}

/// Whether the whole cluster may be listed and watched: asked where we may ask, else tried.
async fn everywhere(access: &Access, plan: &WatchPlan) -> Result<bool, Failure> {
    let open = access.reader().await.map_err(Failure::NoAccess)?;
    if matches!(access.mode(), Mode::Console) {
        for verb in ["list", "watch"] {
            match may(&open.reader, verb, &plan.api, None).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // No such API, or not for us: try.
                Err(Failure::Status(_)) => return tried(&open.reader, plan).await,
                Err(failure) => return Err(failure),
            }
        }
        return Ok(true);
    }
    tried(&open.reader, plan).await
}

async fn tried(reader: &crate::io::connect::Reader, plan: &WatchPlan) -> Result<bool, Failure> {
    match reader.get(&format!("{}?limit=1", collection(plan, None))).await {
        Ok(_) => Ok(true),
        Err(failure) if matches!(failure.code(), Some(401)) => Err(failure),
        // Refused, or not served: the watch in a namespace says so with its own words.
        Err(failure) if matches!(failure.code(), Some(400..=499)) && failure.retry_after().is_none() => Ok(false),
        Err(failure) => Err(failure),
    }
}
