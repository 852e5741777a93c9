//! Traffic that Istio steers: a VirtualService in place of an HTTPRoute, and everything else as ever.

use std::time::Duration;

use gonogo::app::Mode;
use gonogo::sim::resources::VIRTUALSERVICES;
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use super::console::{Console, config, fleet};

/// Weights of the route's destinations, in order.
fn weights(fleet: &SimFleet) -> Vec<u64> {
    let object = fleet.api("edge").unwrap().store().get(&VIRTUALSERVICES, "webapp", "webapp").unwrap();
    let list = object.pointer("/spec/http/0/route").and_then(Value::as_array).unwrap();
    list.iter().map(|target| target["weight"].as_u64().unwrap()).collect()
}

/// What users ask of a region, as its Prometheus would say.
fn qps(console: &Console, region: &str) -> f64 {
    let at = console.region(region);
    let state = console.app.engine.services[0].region(at).unwrap();
    let column = console.app.engine.fleet.services[0].traffic_column().unwrap();
    *state.current[&column.name].1.as_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_region_leaves_and_re_enters_traffic_by_a_virtual_service() {
    let fleet = fleet(SimOptions { scenario: "mesh".into(), ..SimOptions::default() });
    let roomy = |text: String| {
        let line = |l: &str| if l.starts_with("qps = ") { "qps = 10000000".to_owned() } else { l.to_owned() };
        let text = text.lines().map(line).collect::<Vec<_>>().join("\n");
        text.replace("[defaults.route]", "[defaults.route]\ndrained_below = 100")
    };
    let config = config(&fleet, roomy);
    let mut console = Console::open(&fleet, &config, "ana", Mode::Console, 31);
    console.ready().await;
    let before = weights(&fleet);
    assert!(qps(&console, "ap-south-1") > 10_000.0);
    console.select("ap-south-1");
    console.open_prompt("D").await;
    console.confirm().await;
    assert_eq!(console.end().await.0, "settled");
    let field = &console.operation().plan.steps[0].diff[0].field;
    assert_eq!(&**field, "VirtualService webapp rule 0 [webapp-ap-south-1] weight");
    assert_eq!(weights(&fleet), [&[0], &before[1..]].concat());
    // The weight is a wish; the traffic is a fact.
    let shown = |console: &Console| {
        let at = console.region("ap-south-1");
        console.app.engine.services[0].view.regions[at.at()].out_of_traffic().unwrap()
    };
    console.pass(Duration::from_secs(5)).await;
    assert!(shown(&console).starts_with("draining, "), "{}", shown(&console));
    console.pass(Duration::from_secs(400)).await;
    assert_eq!(shown(&console), "drained");
    assert!(qps(&console, "ap-south-1") < 1.0, "nobody asks it any more");
    console.open_prompt("U").await;
    console.confirm().await;
    assert_eq!(console.end().await.0, "settled");
    assert_eq!(weights(&fleet), before);
    fleet.stop().await;
}
