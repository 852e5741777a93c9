//! What happened before the simulation began: releases of weeks past, as objects, facts and history.
//!
//! ```text
//!            −21 d        −9 d              −24 h 4 m   now
//! staging    v1.9.4       v2.0.0     v2.1.0     ·        │
//! ap-south-1   v1.9.4       v2.0.0        v2.1.0 settled │  baked: ring-2 may go
//! eu-west-1      v1.9.4       v2.0.0                     │
//! ```

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::history::{Segment, Track, VersionPods};
use super::layout::{CONTAINER, FLEET, Layout, Region, Service, image, seed_of};
use super::objects;
use super::template::{Template, Templates};
use crate::sim::controllers::deployment::new_replica_set;
use crate::sim::controllers::view::{Deployment, REVISION};
use crate::sim::controllers::{after, stamp};
use crate::sim::scenario::WorkloadSettings;

/// Who is said to have written the facts of the past: a role, not a person.
const OPERATOR: &str = "oncall@example.com";

/// One release of the past in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// What was released.
    pub version: String,
    /// When its rollout began.
    pub started: Timestamp,
    /// When it was complete.
    pub settled: Timestamp,
}

/// The releases of one service in one region, oldest first; the last one is what runs now.
#[must_use]
pub fn moves(layout: &Layout, region: &Region, service: &Service, now: Timestamp) -> Vec<Move> {
    let release = &service.release;
    let ring = i64::try_from(region.ring).unwrap_or(0);
    let mut rng = fastrand::Rng::with_seed(seed_of(layout.seed, &["past", &region.name, &service.name]));
    let mut move_to = |version: &str, settled: Timestamp| {
        let took = SignedDuration::from_secs(360 + rng.i64(0..240));
        let settled = Timestamp::from_second(settled.as_second()).unwrap_or(settled);
        Move { version: version.into(), started: after(settled, -took), settled }
    };
    let days = |days: i64| after(now, SignedDuration::from_hours(24 * (ring - days)));
    let mut moves = vec![move_to(&release.before, days(28)), move_to(&release.from, days(16))];
    if region.ring < release.rings_done {
        // Each ring bakes a day and a bit before the next one goes.
        let rings_after = i64::try_from(release.rings_done - 1 - region.ring).unwrap_or(0);
        let later = release.settled.0 + SignedDuration::from_mins(rings_after * (24 * 60 + 47));
        // A finished release of many rings would reach back too far: it was all done days ago.
        let later = later.min(SignedDuration::from_hours(24 * 6));
        moves.push(move_to(&release.to, after(now, -later)));
    }
    moves
}

/// The Deployment as it stands now, its controllers' work included.
#[must_use]
pub fn deployment(
    layout: &Layout,
    templates: &mut Templates,
    region: &Region,
    service: &Service,
    settings: &WorkloadSettings,
    moves: &[Move],
) -> Value {
    let Some((first, last)) = moves.first().zip(moves.last()) else { return Value::Null };
    let replicas = layout.baseline(region, service).replicas;
    let template = templates.get(&service.name, &region.name, &last.version);
    let hash = &template.hash;
    let mut object = objects::deployment(&region.name, &service.name, template.value.clone(), replicas, settings);
    let condition = |kind: &str, reason: &str, message: String, updated: Timestamp| {
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": stamp(updated), "lastTransitionTime": stamp(first.started)})
    };
    let progress = format!("ReplicaSet \"{}-{hash}\" has successfully progressed.", service.name);
    let status = json!({
        "observedGeneration": moves.len(),
        "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
        "conditions": [
            condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability.".into(), first.settled),
            condition("Progressing", "NewReplicaSetAvailable", progress, last.settled),
        ],
    });
    if let Some(map) = object.as_object_mut() {
        map.insert("status".into(), status);
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("creationTimestamp".into(), stamp(first.started).into());
        metadata.insert("generation".into(), moves.len().into());
        let cause = format!("release {}", last.version);
        metadata.insert(
            "annotations".into(),
            json!({"kubernetes.io/change-cause": cause, REVISION: moves.len().to_string()}),
        );
    }
    object
}

/// The ReplicaSets that the releases left, oldest first, from the Deployment as stored
/// (its uid makes it their owner).
#[must_use]
pub fn replica_sets(
    templates: &mut Templates,
    stored: &Value,
    region: &Region,
    service: &Service,
    moves: &[Move],
) -> Vec<Value> {
    let Ok(mut view) = Deployment::read(stored) else { return Vec::new() };
    let wanted = view.replicas;
    let newest = moves.len();
    let mut sets = Vec::with_capacity(newest);
    for (index, past) in moves.iter().enumerate() {
        view.template = templates.get(&service.name, &region.name, &past.version).value.clone();
        view.meta.annotations.insert("kubernetes.io/change-cause".into(), format!("release {}", past.version));
        let size = if index + 1 == newest { wanted } else { 0 };
        let mut set = new_replica_set(&view, size, &(index + 1).to_string());
        let mut status = json!({"observedGeneration": 2, "replicas": size});
        if let Some(counts) = status.as_object_mut().filter(|_| size > 0) {
            for count in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
                counts.insert(count.into(), size.into());
            }
        }
        if let Some(map) = set.as_object_mut() {
            map.insert("status".into(), status);
        }
        if let Some(metadata) = set.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("creationTimestamp".into(), stamp(past.started).into());
            metadata.insert("generation".into(), 2.into());
        }
        sets.push(set);
    }
    sets
}

/// The record ConfigMap: what was promoted here, and when it settled.
#[must_use]
pub fn record(
    layout: &Layout,
    templates: &mut Templates,
    region: &Region,
    service: &Service,
    uid: &str,
    moves: &[Move],
) -> Value {
    let mut data = Map::new();
    for pair in moves.windows(2) {
        let [before, past] = pair else { continue };
        let (key, value) = promoted(layout, templates, region, service, (before, past));
        data.insert(key, value.into());
        let digest = templates.get(&service.name, &region.name, &past.version).digest.clone();
        let settled = format!("by={OPERATOR}\nat={}\nuid={uid}\n", stamp(past.settled));
        data.insert(format!("settled.{digest}"), settled.into());
    }
    let made = moves.get(1).map_or_else(String::new, |past| stamp(past.started));
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": record_name(&service.name), "namespace": service.name,
            "labels": {"app.kubernetes.io/managed-by": "gonogo"},
            "creationTimestamp": made,
        },
        "data": data,
    })
}

/// Name of a service's record ConfigMap.
#[must_use]
pub fn record_name(service: &str) -> String {
    format!("gonogo-{FLEET}-{service}")
}

fn promoted(
    layout: &Layout,
    templates: &mut Templates,
    region: &Region,
    service: &Service,
    (before, past): (&Move, &Move),
) -> (String, String) {
    let mut digest = |version: &str| templates.get(&service.name, &region.name, version).digest.clone();
    let mut rng = fastrand::Rng::with_seed(seed_of(layout.seed, &["fact", &region.name, &service.name, &past.version]));
    let millis = u64::try_from(past.started.as_millisecond()).unwrap_or(0);
    let fact = Ulid::from_parts(millis, rng.u128(..));
    let plan = Ulid::from_parts(millis.saturating_sub(1_500), rng.u128(..));
    let pointer = format!("/spec/template/spec/containers[name={CONTAINER}]/image");
    let lines = [
        ("by".to_owned(), OPERATOR.to_owned()),
        ("at".to_owned(), stamp(past.started)),
        (format!("from:{pointer}"), Value::from(image(&service.name, &before.version)).to_string()),
        ("plan".to_owned(), plan.to_string()),
        ("ring".to_owned(), Layout::ring_name(region.ring)),
        ("from".to_owned(), before.version.clone()),
        ("to".to_owned(), past.version.clone()),
        ("from-template".to_owned(), digest(&before.version)),
        ("to-template".to_owned(), digest(&past.version)),
        ("reason".to_owned(), format!("release {}", past.version)),
    ];
    let text = lines.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    (format!("{fact}.promoted"), text)
}

/// The region's past as the metric model wants it.
#[must_use]
pub fn track(layout: &Layout, templates: &mut Templates, region: &Region, service: &Service, moves: &[Move]) -> Track {
    let baseline = layout.baseline(region, service);
    let mut track = Track::new(&service.name, &service.name, CONTAINER, baseline);
    let all = baseline.replicas;
    let run: Vec<Arc<Template>> =
        moves.iter().map(|past| templates.get(&service.name, &region.name, &past.version)).collect();
    let pods = |template: &Template, ready: u32| VersionPods {
        version: Arc::clone(&template.version),
        template_hash: Arc::clone(&template.hash),
        ready,
        running: ready,
    };
    let mut push = |from: Timestamp, mut versions: Vec<VersionPods>| {
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        versions.retain(|pods| pods.running > 0);
        track.push(Segment { from, versions, desired: all, offered_qps: baseline.qps });
    };
    // In large fleets the old version gives way to the new one at once.
    let steps = if layout.is_large() { 1 } else { 4 };
    let mut before: Option<&Template> = None;
    for (past, name) in moves.iter().zip(&run) {
        match before {
            None => push(past.started, vec![pods(name, all)]),
            Some(before) => {
                let took = past.settled.duration_since(past.started);
                for step in 1..=steps {
                    let new = all * step / steps;
                    let part = took * i32::try_from(step).unwrap_or(1) / i32::try_from(steps).unwrap_or(1);
                    push(after(past.started, part), vec![pods(before, all - new), pods(name, new)]);
                }
            }
        }
        before = Some(name);
    }
    track
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::sim::scenario::Release;

    fn layout() -> (Layout, Timestamp) {
        (Layout::new(4, 1, &Release::default(), 1), "2026-03-02T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn ring_one_has_baked_a_day_and_ring_two_waits() {
        let (layout, now) = layout();
        let versions: Vec<_> = layout
            .regions
            .iter()
            .map(|region| moves(&layout, region, &layout.services[0], now).last().unwrap().clone())
            .collect();
        let names: Vec<_> = versions.iter().map(|past| past.version.as_str()).collect();
        assert_eq!(names, ["v2.1.0", "v2.1.0", "v2.0.0", "v2.0.0"]);
        let baked = now.duration_since(versions[1].settled);
        assert!(baked >= SignedDuration::from_hours(24) && baked < SignedDuration::from_hours(25), "{baked:?}");
        assert!(versions[0].settled < versions[1].started, "staging baked first");
    }

    #[test]
    fn each_past_move_is_in_order_and_over() {
        let layout = Layout::new(30, 9, &Release::default(), 1);
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        for region in &layout.regions {
            for service in &layout.services {
                let moves = moves(&layout, region, service, now);
                assert!(moves.windows(2).all(|w| w[0].settled < w[1].started), "{} {moves:?}", region.name);
                assert!(moves.iter().all(|m| m.started < m.settled && m.settled < now), "{} {moves:?}", region.name);
            }
        }
    }

    #[test]
    fn the_newest_replica_set_is_the_one_that_the_controller_would_find() {
        let (layout, now) = layout();
        let (region, service) = (&layout.regions[1], &layout.services[0]);
        let moves = moves(&layout, region, service, now);
        let mut templates = Templates::new(false);
        let mut object = deployment(&layout, &mut templates, region, service, &WorkloadSettings::default(), &moves);
        object["metadata"]["uid"] = json!("u");
        let sets = replica_sets(&mut templates, &object, region, service, &moves);
        let views: Vec<_> =
            sets.iter().map(|set| crate::sim::controllers::view::ReplicaSet::read(set).unwrap()).collect();
        let view = Deployment::read(&object).unwrap();
        let writes = crate::sim::controllers::deployment::reconcile(
            &view,
            &views,
            &crate::sim::controllers::deployment::PodCounts::new(),
            now,
        );
        assert_eq!(writes, [], "the past leaves nothing to do");
    }

    #[test]
    fn the_track_ends_with_what_runs_now() {
        let (layout, now) = layout();
        let (region, service) = (&layout.regions[1], &layout.services[0]);
        let track = track(&layout, &mut Templates::new(false), region, service, &moves(&layout, region, service, now));
        let last = track.at(now).unwrap();
        assert_eq!(last.versions.len(), 1);
        assert_eq!((&*last.versions[0].version, last.ready()), ("v2.1.0", 4));
    }
}
