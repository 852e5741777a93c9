//! What a first look waits for.

use gonogo::domain::id::ClusterIx;
use gonogo::domain::observation::{ClusterFacts, Observation};

use crate::fixture::{EDGE, WEBAPP, World};

/// A cluster's first answer comes before its other lists do: records and routes are still to come.
#[test]
fn a_first_look_waits_for_every_list_of_every_cluster() {
    let mut world = World::unheard();
    let clusters: Vec<ClusterIx> = (0..world.fleet.clusters.len()).map(ClusterIx::from).collect();
    for cluster in &clusters {
        world.see(Observation::Heard { cluster: *cluster, server_time: Some(world.now.wall) });
    }
    world.show_everything();
    assert!(!world.engine.has_first_data(WEBAPP), "answers came, but no cluster's lists are complete");
    for cluster in clusters.iter().filter(|c| **c != EDGE) {
        world.hear(*cluster);
    }
    assert!(!world.engine.has_first_data(WEBAPP), "the cluster of the routes is still to come");
    world.hear(EDGE);
    assert!(world.engine.has_first_data(WEBAPP));
}

#[test]
fn a_first_look_does_not_wait_for_lost_clusters() {
    let mut world = World::unheard();
    for cluster in (0..world.fleet.clusters.len()).map(ClusterIx::from) {
        world.cut(cluster);
    }
    assert!(world.engine.has_first_data(WEBAPP));
    assert!(world.engine.is_acquainted());
}

/// What is written names its author, and goes to no other cluster than was meant.
#[test]
fn a_verb_waits_for_names() {
    let mut world = World::unheard();
    let clusters: Vec<ClusterIx> = (0..world.fleet.clusters.len()).map(ClusterIx::from).collect();
    for cluster in &clusters {
        world.hear(*cluster);
    }
    assert!(!world.engine.is_introduced(WEBAPP));
    world.cut(EDGE);
    for cluster in clusters.into_iter().filter(|c| *c != EDGE) {
        let facts = ClusterFacts { uid: Some("one".into()), user: Some("ana".into()), ..ClusterFacts::default() };
        world.see(Observation::Cluster { cluster, facts });
    }
    assert!(world.engine.is_introduced(WEBAPP), "a lost cluster names nobody, and delays nobody");
}

/// No refusal is no right: a cluster that has not answered yet has refused nothing yet.
#[test]
fn rights_are_known_once_they_were_answered() {
    let mut world = World::unheard();
    let clusters: Vec<ClusterIx> = (0..world.fleet.clusters.len()).map(ClusterIx::from).collect();
    for cluster in &clusters {
        world.hear(*cluster);
        world.known_as(*cluster, "ana");
    }
    assert!(!world.engine.is_acquainted());
    for cluster in clusters {
        let facts = ClusterFacts { rights_unanswered: Some(0), ..ClusterFacts::default() };
        world.see(Observation::Cluster { cluster, facts });
    }
    assert!(world.engine.is_acquainted());
}
