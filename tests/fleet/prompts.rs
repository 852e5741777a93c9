//! A world that goes on while a promote prompt is open.

use std::time::Duration;

use gonogo::app::Mode;
use gonogo::sim::api::faults::Link;
use gonogo::sim::resources::DEPLOYMENTS;
use gonogo::sim::store::{Part, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use super::console::{Console, config, fleet};

async fn opened(options: SimOptions) -> (SimFleet, Console) {
    let fleet = fleet(options);
    let config = config(&fleet, |text| text);
    let mut console = Console::open(&fleet, &config, "ana", Mode::Console, 31);
    console.ready().await;
    console.open_prompt("P").await;
    (fleet, console)
}

/// Changes the Deployment that the prompt is about.
fn edit(fleet: &SimFleet, manager: &str, change: impl Fn(&mut Value)) {
    let store = fleet.api("eu-west-1").unwrap().store();
    let change = |object: &mut Value| {
        change(object);
        Ok(())
    };
    store.modify(&DEPLOYMENTS, "webapp", "webapp", Part::Main, &Writer::named(manager), change).unwrap();
}

fn revision(fleet: &SimFleet) -> u64 {
    fleet.api("eu-west-1").unwrap().store().revision()
}

#[tokio::test(start_paused = true)]
async fn a_promotion_succeeds_while_status_updates_come_and_an_autoscaler_scales_under_the_prompt() {
    // 40 updates a second over four regions: ten in each.
    let options = SimOptions { events_per_second: Some(40), ..SimOptions::default() };
    let (fleet, mut console) = opened(options).await;
    let before = revision(&fleet);
    for round in 0..20_u64 {
        console.pass(Duration::from_secs(3)).await;
        edit(&fleet, "horizontal-pod-autoscaler", |d| d["spec"]["replicas"] = (12 + round % 5).into());
    }
    let moved = revision(&fleet) - before;
    assert!(moved > 400, "{moved} versions passed under the prompt");
    assert!(console.app.prompt().is_some(), "{}", console.state());
    console.confirm().await;
    // The autoscaler goes on while it rolls out.
    for round in 0..5_u64 {
        console.pass(Duration::from_secs(2)).await;
        edit(&fleet, "horizontal-pod-autoscaler", |d| d["spec"]["replicas"] = (14 + round % 2).into());
    }
    assert_eq!(console.end().await.0, "settled");
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_byte_of_the_template_changed_under_the_prompt_refuses_it_and_names_who() {
    for watch_is_cut in [false, true] {
        let (fleet, mut console) = opened(SimOptions::default()).await;
        if watch_is_cut {
            // The console cannot see it coming: only the request's own precondition can.
            fleet.api("eu-west-1").unwrap().faults().set_link(Link::Hung);
        }
        edit(&fleet, "kubectl-edit", |d| {
            d["spec"]["template"]["metadata"]["annotations"]["note"] = "x".into();
        });
        console.pass(Duration::from_secs(1)).await;
        if watch_is_cut {
            fleet.api("eu-west-1").unwrap().faults().set_link(Link::Up);
        }
        let after = revision(&fleet);
        if console.app.prompt().is_some() {
            console.confirm().await;
        }
        let (end, why) = console.end().await;
        assert_eq!(end, "refused", "{why}");
        assert!(why.starts_with("changed since you looked") && why.contains("kubectl-edit at 20 Nov 14:3"), "{why}");
        let image = |d: &Value| d["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
        let now = fleet.api("eu-west-1").unwrap().store().get(&DEPLOYMENTS, "webapp", "webapp").unwrap();
        assert!(image(&now).contains("v2.0.0"), "{}", image(&now));
        assert!(revision(&fleet) >= after);
        fleet.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_refuses_raising_and_lets_a_hold_through() {
    let (fleet, mut console) = opened(SimOptions::default()).await;
    console.tap.disk.fail();
    console.confirm().await;
    let (end, why) = console.end().await;
    assert_eq!(end, "refused");
    assert!(why.contains("no durable journal") && why.contains("input/output error"), "{why}");
    let plain = |c: &Console| c.tap.writes().into_iter().filter(|w| !w.audit().starts_with("keep-")).count();
    assert_eq!(plain(&console), 0);
    console.key("!").await;
    assert_eq!(console.end().await.0, "settled");
    assert!(console.operation().unjournaled.is_some());
    assert!(plain(&console) >= 4, "the hold is in every region");
    fleet.stop().await;
}
