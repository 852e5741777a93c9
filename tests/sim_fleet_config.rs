//! The files that `gonogo sim` writes are such as gonogo reads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use gonogo::config::{Given, read};
use gonogo::sim::world::{SimFleet, SimOptions};

fn written(regions: usize, services: usize, speed: f64) -> String {
    let options = SimOptions { regions, services, speed: Some(speed), ..SimOptions::default() };
    SimFleet::start(&options).unwrap().config_toml()
}

#[tokio::test]
async fn the_configuration_of_every_size_is_read_without_a_finding() {
    for (regions, services, speed) in [(2, 1, 1.0), (4, 1, 1.0), (4, 3, 600.0), (20, 5, 1.0), (60, 20, 1.0)] {
        let text = written(regions, services, speed);
        let env = |_: &str| None;
        match read(Path::new("config.toml"), text.as_bytes(), &Given::env(&env)) {
            Err(errors) => panic!("{regions} regions: {errors:#?}"),
            Ok((config, findings)) => {
                assert!(findings.is_empty(), "{regions} regions: {findings:#?}");
                assert_eq!(config.fleet.clusters.len(), regions + 1, "and the edge");
                assert_eq!(config.fleet.services.len(), services);
            }
        }
    }
}

#[tokio::test]
async fn drain_can_steer_the_regions_that_users_reach() {
    let text = written(4, 1, 1.0);
    let env = |_: &str| None;
    let Ok((config, _)) = read(Path::new("config.toml"), text.as_bytes(), &Given::env(&env)) else { panic!("refused") };
    let service = config.fleet.services.first().unwrap();
    let backends: Vec<Option<&str>> =
        service.regions.iter().map(|region| region.route.as_ref().map(|route| &*route.backend)).collect();
    let expected = [None, Some("webapp-ap-south-1"), Some("webapp-eu-west-1"), Some("webapp-us-east-1")];
    assert_eq!(backends, expected);
    assert!(service.regions.iter().skip(1).all(|region| region.capacity.is_some()));
}
