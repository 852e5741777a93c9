//! Two operators with a console each, on one fleet, at the same moment: one clean outcome each.

use std::time::Duration;

use gonogo::app::{AppMsg, Mode};
use gonogo::engine::operation::Outcome;
use gonogo::input::Key;
use gonogo::sim::resources::{DEPLOYMENTS, HTTPROUTES};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use super::console::{Console, config, fleet, together};
use super::tap::Sent;

/// Ana and Bo look at the same fleet, and everything is there.
async fn two(change: impl Fn(String) -> String) -> (SimFleet, Console, Console) {
    let fleet = fleet(SimOptions::default());
    let config = config(&fleet, change);
    let mut ana = Console::open(&fleet, &config, "ana", Mode::Console, 21);
    let mut bo = Console::open(&fleet, &config, "bo", Mode::Console, 22);
    for _ in 0..100 {
        together(&mut [&mut ana, &mut bo], Duration::from_millis(100)).await;
    }
    ana.ready().await;
    bo.ready().await;
    (fleet, ana, bo)
}

/// Both open the same prompt, then both confirm at the same moment.
async fn both(ana: &mut Console, bo: &mut Console, key: &str) {
    ana.open_prompt(key).await;
    bo.open_prompt(key).await;
    let last = [ana.all_but_confirm().await, bo.all_but_confirm().await];
    together(&mut [ana, bo], Duration::from_millis(400)).await;
    ana.feed(AppMsg::Key(Key::char(last[0])));
    bo.feed(AppMsg::Key(Key::char(last[1])));
    for _ in 0..3_000 {
        together(&mut [ana, bo], Duration::from_millis(100)).await;
        let over = |c: &Console| c.app.engine.operations.last().is_some_and(|o| !o.open());
        if over(ana) && over(bo) {
            break;
        }
    }
    together(&mut [ana, bo], Duration::from_secs(3)).await;
}

/// One settled, the other was told that it changed since, and by whom.
fn one_of_two(ana: &Console, bo: &Console) {
    let (winner, [(settled, _), (refused, why)]) = match outcome(ana).0 {
        Outcome::Settled => ("ana", [outcome(ana), outcome(bo)]),
        _ => ("bo", [outcome(bo), outcome(ana)]),
    };
    assert_eq!((settled, refused), (Outcome::Settled, Outcome::Refused), "{why}");
    assert!(why.starts_with(&format!("changed since you looked: {winner} ")), "{why}");
    assert!(why.contains("meanwhile; nothing was written"), "{why}");
}

fn outcome(console: &Console) -> (Outcome, String) {
    let (_, outcome, why) = console.operation().ended.as_ref().unwrap_or_else(|| panic!("open: {}", console.state()));
    (*outcome, why.to_string())
}

fn object(fleet: &SimFleet, cluster: &str, resource: &'static gonogo::sim::resources::Resource) -> Value {
    (*fleet.api(cluster).unwrap().store().get(resource, "webapp", "webapp").unwrap()).clone()
}

fn image(fleet: &SimFleet, cluster: &str) -> String {
    object(fleet, cluster, &DEPLOYMENTS)["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn weights(fleet: &SimFleet) -> Vec<u64> {
    let route = object(fleet, "edge", &HTTPROUTES);
    let refs = route["spec"]["rules"][0]["backendRefs"].as_array().unwrap().clone();
    refs.iter().map(|r| r["weight"].as_u64().unwrap_or(1)).collect()
}

/// Patches of an object by a console, that left it.
fn patches(console: &Console, plural: &str) -> Vec<Sent> {
    let is = |s: &Sent| s.method == "PATCH" && s.path.contains(&format!("/{plural}/"));
    console.tap.writes().into_iter().filter(is).collect()
}

#[tokio::test(start_paused = true)]
async fn two_who_promote_at_once_write_once() {
    let (fleet, mut ana, mut bo) = two(|t| t).await;
    let generation = |fleet: &SimFleet| object(fleet, "eu-west-1", &DEPLOYMENTS)["metadata"]["generation"].as_i64();
    let before = generation(&fleet).unwrap();
    both(&mut ana, &mut bo, "P").await;
    one_of_two(&ana, &bo);
    assert!(image(&fleet, "eu-west-1").contains("v2.1.0"));
    assert_eq!(generation(&fleet), Some(before + 1), "one write of the spec");
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_who_roll_back_at_once_write_once_and_the_second_sees_by_whom() {
    let (fleet, mut ana, mut bo) = two(|t| t).await;
    ana.open_prompt("P").await;
    ana.confirm().await;
    assert_eq!(ana.end().await.0, "settled");
    together(&mut [&mut ana, &mut bo], Duration::from_secs(20)).await;
    let generation = object(&fleet, "eu-west-1", &DEPLOYMENTS)["metadata"]["generation"].as_i64().unwrap();
    ana.select("eu-west-1");
    bo.select("eu-west-1");
    both(&mut ana, &mut bo, "B").await;
    one_of_two(&ana, &bo);
    assert!(image(&fleet, "eu-west-1").contains("v2.0.0"));
    let now = object(&fleet, "eu-west-1", &DEPLOYMENTS)["metadata"]["generation"].as_i64().unwrap();
    assert_eq!(now, generation + 1, "one write of the spec");
    // `B` once more never goes forward.
    together(&mut [&mut ana, &mut bo], Duration::from_secs(20)).await;
    bo.open_prompt("B").await;
    let refused = matches!(
        bo.app.engine.proposal.as_ref().map(|p| &p.state),
        Some(gonogo::engine::operation::ProposalState::Refused(_))
    );
    if !refused {
        bo.confirm().await;
        bo.end().await;
    }
    assert!(image(&fleet, "eu-west-1").contains("v2.0.0") || image(&fleet, "eu-west-1").contains("v1.9"));
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_who_hold_at_once_both_hold_and_both_are_told_so() {
    let (fleet, mut ana, mut bo) = two(|t| t).await;
    // A rollout is in flight: both will want to pause it.
    ana.open_prompt("P").await;
    ana.confirm().await;
    ana.until("the rollout runs", |app| {
        app.engine.services[0].regions[2].workload.as_ref().is_some_and(|w| w.in_flight())
    })
    .await;
    together(&mut [&mut ana, &mut bo], Duration::from_millis(500)).await;
    ana.select("eu-west-1");
    bo.select("eu-west-1");
    both(&mut ana, &mut bo, "H").await;
    for console in [&ana, &bo] {
        assert_eq!(outcome(console).0, Outcome::Settled, "{}", outcome(console).1);
        assert_eq!(console.app.engine.services[0].record.holds().len(), 2, "a hold of each");
    }
    assert_eq!(object(&fleet, "eu-west-1", &DEPLOYMENTS)["spec"]["paused"], true);
    // One of them resumes: the other's hold keeps it paused.
    let paused = |fleet: &SimFleet| object(fleet, "eu-west-1", &DEPLOYMENTS)["spec"]["paused"].as_bool();
    ana.open_prompt("U").await;
    ana.confirm().await;
    ana.end().await;
    together(&mut [&mut ana, &mut bo], Duration::from_secs(10)).await;
    assert_eq!(paused(&fleet), Some(true));
    assert_eq!(bo.app.engine.services[0].record.holds().len(), 1);
    bo.open_prompt("U").await;
    bo.confirm().await;
    bo.end().await;
    together(&mut [&mut ana, &mut bo], Duration::from_secs(10)).await;
    assert_ne!(paused(&fleet), Some(true), "{}", bo.state());
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_who_drain_the_last_two_regions_at_once_one_is_told_and_one_region_serves() {
    // Capacity is not what stops them here.
    let roomy = |text: String| {
        let line = |l: &str| if l.starts_with("qps = ") { "qps = 10000000".to_owned() } else { l.to_owned() };
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let (fleet, mut ana, mut bo) = two(roomy).await;
    ana.select("ap-south-1");
    ana.open_prompt("D").await;
    ana.confirm().await;
    assert_eq!(ana.end().await.0, "settled");
    together(&mut [&mut ana, &mut bo], Duration::from_secs(30)).await;
    ana.select("eu-west-1");
    bo.select("us-east-1");
    both(&mut ana, &mut bo, "D").await;
    let weights = weights(&fleet);
    assert_eq!(weights.iter().filter(|w| **w > 0).count(), 1, "{weights:?}");
    one_of_two(&ana, &bo);
    // Only one of the two patches was taken: the route's spec moved twice since the start.
    assert_eq!(patches(&ana, "httproutes").len() + patches(&bo, "httproutes").len(), 3);
    assert_eq!(object(&fleet, "edge", &HTTPROUTES)["metadata"]["generation"], 3);
    fleet.stop().await;
}
