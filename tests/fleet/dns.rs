//! Traffic that weighted DNS records steer: what is written is at work only later, and the console says how much later.

use std::time::Duration;

use gonogo::app::Mode;
use gonogo::sim::resources::DNSENDPOINTS;
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use super::console::{Console, config, fleet};

/// Weights of the records, in order, as they are written.
fn weights(fleet: &SimFleet) -> Vec<String> {
    let object = fleet.api("edge").unwrap().store().get(&DNSENDPOINTS, "webapp", "webapp").unwrap();
    let list = object.pointer("/spec/endpoints").and_then(Value::as_array).unwrap();
    list.iter().map(|r| r["providerSpecific"][0]["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_drain_by_dns_counts_down_its_ttl_and_is_over_when_it_is_measured() {
    let fleet = fleet(SimOptions { scenario: "dns-ttl".into(), ..SimOptions::default() });
    let roomy = |text: String| {
        let line = |l: &str| if l.starts_with("qps = ") { "qps = 10000000".to_owned() } else { l.to_owned() };
        let text = text.lines().map(line).collect::<Vec<_>>().join("\n");
        text.replace("[defaults.route]", "[defaults.route]\ndrained_below = 100")
    };
    let config = config(&fleet, roomy);
    let mut console = Console::open(&fleet, &config, "ana", Mode::Console, 31);
    console.ready().await;
    let before = weights(&fleet);
    let qps = |console: &Console| {
        let at = console.region("ap-south-1");
        let column = console.app.engine.fleet.services[0].traffic_column().unwrap();
        *console.app.engine.services[0].region(at).unwrap().current[&column.name].1.as_ref().unwrap()
    };
    let shown = |console: &Console| {
        let at = console.region("ap-south-1");
        console.app.engine.services[0].view.regions[at.at()].out_of_traffic().unwrap()
    };
    let normal = qps(&console);
    assert!(normal > 10_000.0, "{normal}");
    console.select("ap-south-1");
    console.open_prompt("D").await;
    console.confirm().await;
    assert_eq!(console.end().await.0, "settled");
    assert_eq!(weights(&fleet)[0], "0");
    assert_eq!(weights(&fleet)[1..], before[1..]);
    console.pass(Duration::from_secs(30)).await;
    let said = shown(&console);
    assert!(said.starts_with("draining, ") && said.contains("; DNS TTL 60s: up to 2m"), "{said}");
    assert!(qps(&console) > normal * 0.8, "external-dns has not looked yet: {} of {normal}", qps(&console));
    console.pass(Duration::from_secs(450)).await;
    assert_eq!(shown(&console), "drained");
    console.open_prompt("U").await;
    console.confirm().await;
    assert_eq!(console.end().await.0, "settled");
    assert_eq!(weights(&fleet), before);
    fleet.stop().await;
}
