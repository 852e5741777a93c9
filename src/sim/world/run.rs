//! The step loop: sleeps until something is due or somebody writes, never polls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::fleet::World;
use crate::sim::store::{Change, Changes};

/// A world that many parts of the program hold; never locked across a wait.
pub type SharedWorld = Arc<Mutex<World>>;

/// Changes on their way to the step loop; more make the reader of that cluster wait,
/// and a reader that falls behind its store's history looks at everything again.
const PENDING: usize = 1_024;

/// Locks the world.
pub fn lock(world: &SharedWorld) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a cluster's reader tells the step loop.
enum Seen {
    Change(usize, Arc<Change>),
    /// The reader fell behind: nothing is known of what was missed.
    Missed(usize),
}

/// Runs the world from now until it is cancelled; every write from now on is seen. `wire` is
/// told of scenario actions that concern the servers (faults), each time there are some.
pub fn start(
    world: SharedWorld,
    stop: CancellationToken,
    wire: impl FnMut(&SharedWorld) + Send + 'static,
) -> JoinHandle<()> {
    let sources = lock(&world).clusters.iter().map(|cluster| cluster.store.subscribe()).collect();
    tokio::spawn(run(world, sources, stop, wire))
}

async fn run(
    world: SharedWorld,
    sources: Vec<Changes>,
    stop: CancellationToken,
    mut wire: impl FnMut(&SharedWorld) + Send,
) {
    let (tell, mut seen) = mpsc::channel(PENDING);
    let mut readers = JoinSet::new();
    for (index, changes) in sources.into_iter().enumerate() {
        readers.spawn(read(index, changes, tell.clone()));
    }
    drop(tell);
    loop {
        let pause = step(&world, &mut wire);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            first = seen.recv() => {
                let Some(first) = first else { break };
                take(&world, first);
                // What else is there already is taken in one go, so that a flood costs few wake-ups.
                for _ in 0..PENDING {
                    let Ok(more) = seen.try_recv() else { break };
                    take(&world, more);
                }
            }
            () = sleep(pause) => {}
        }
    }
    readers.shutdown().await;
}

/// Does what is due; says how long nothing is, none when nothing is planned at all.
fn step(world: &SharedWorld, wire: &mut impl FnMut(&SharedWorld)) -> Option<Duration> {
    let (pause, told) = {
        let mut world = lock(world);
        let now = world.clock.now();
        let next = world.step(now);
        (next.map(|next| world.clock.real(next.duration_since(now))), !world.wire.is_empty())
    };
    if told {
        wire(world);
    }
    pause
}

fn take(world: &SharedWorld, seen: Seen) {
    let mut world = lock(world);
    let now = world.clock.now();
    match seen {
        Seen::Change(index, change) => world.observe(index, &change, now),
        Seen::Missed(index) => world.look_at_all(index, now),
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

async fn read(index: usize, mut changes: Changes, tell: mpsc::Sender<Seen>) {
    loop {
        let seen = match changes.next().await {
            Ok(change) => Seen::Change(index, change),
            Err(_) => {
                changes.skip_to_now();
                Seen::Missed(index)
            }
        };
        if tell.send(seen).await.is_err() {
            return;
        }
    }
}
