//! One key stops every region, whatever a record said a moment ago.

use std::time::Duration;

use gonogo::app::Mode;
use gonogo::sim::resources::CONFIGMAPS;
use gonogo::sim::store::{Part, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};

use super::console::{Console, config, fleet};

const RECORD: &str = "gonogo-sim-webapp";

/// Changes the record of a region, as somebody with kubectl would.
fn edit(fleet: &SimFleet, region: &str, change: impl Fn(&mut Value)) {
    let store = fleet.api(region).unwrap().store();
    let change = |object: &mut Value| {
        change(&mut object["data"]);
        Ok(())
    };
    store.modify(&CONFIGMAPS, "webapp", RECORD, Part::Main, &Writer::named("kubectl-edit"), change).unwrap();
}

/// Regions whose record has a hold.
fn held(fleet: &SimFleet) -> usize {
    let has = |region: &&&str| {
        let record = fleet.api(region).unwrap().store().get(&CONFIGMAPS, "webapp", RECORD);
        let keys = record.and_then(|r| r["data"].as_object().cloned()).unwrap_or_default();
        keys.keys().any(|k| k.ends_with(".hold"))
    };
    ["staging", "ap-south-1", "eu-west-1", "us-east-1"].iter().filter(has).count()
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_cannot_be_read_and_is_gone_is_none_to_lean_on() {
    let fleet = fleet(SimOptions::default());
    let config = config(&fleet, |text| text);
    let mut console = Console::open(&fleet, &config, "ana", Mode::Console, 31);
    console.ready().await;
    edit(&fleet, "staging", |data| data["garbage.hold"] = json!("\u{1b}]0;x"));
    console.until("it holds", |app| !app.engine.services[0].view.holds.is_empty()).await;
    edit(&fleet, "staging", |data| drop(data.as_object_mut().unwrap().remove("garbage.hold")));
    console.until("it holds no more", |app| app.engine.services[0].view.holds.is_empty()).await;
    assert_eq!(held(&fleet), 0);
    console.key("!").await;
    console.end().await;
    assert_eq!(held(&fleet), 4, "{}", console.state());
    // A second press adds none: this one is read, and everywhere.
    console.pass(Duration::from_secs(2)).await;
    let before = console.app.engine.operations.len();
    console.key("esc").await;
    console.key("!").await;
    console.pass(Duration::from_secs(2)).await;
    assert_eq!(console.app.engine.operations.len(), before, "{}", console.state());
    fleet.stop().await;
}
