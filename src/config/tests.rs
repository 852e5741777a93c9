//! Files that are right and wrong, and what is said about them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::domain::fleet::{QueryText, VersionFrom};

fn given(name: &str) -> Option<String> {
    (name == "PROM_TOKEN").then(|| "s3cret".to_owned())
}

fn parse(text: &str) -> Result<(Config, Vec<ConfigError>), Vec<ConfigError>> {
    let given = Given { today: Some(jiff::civil::date(2026, 11, 21)), ..Given::env(&given) };
    read(Path::new("config.toml"), text.as_bytes(), &given)
}

fn config(text: &str) -> (Config, Vec<ConfigError>) {
    parse(text).unwrap_or_else(|errors| panic!("{}", render_errors(&errors, false)))
}

#[test]
fn the_example_is_complete_and_without_findings() {
    let (config, findings) = config(EXAMPLE);
    let worth: Vec<_> = findings.iter().filter(|f| f.severity > Severity::Note).collect();
    assert!(worth.is_empty(), "{}", render_errors(&findings, false));
    let (_, service) = config.fleet.find_service("webapp").unwrap();
    let rings: Vec<_> = service
        .rings
        .iter()
        .map(|r| (r.name.as_str(), r.regions.len(), r.exit_gates[2].params.text("for").unwrap()))
        .collect();
    assert_eq!(rings, [("ring-0", 1, "1h"), ("ring-1", 1, "24h"), ("ring-2", 1, "12h"), ("ring-3", 1, "6h")]);
    let (_, staging) = service.find_region("staging").unwrap();
    assert!(staging.route.is_none());
    let (_, eu) = service.find_region("eu-west-1").unwrap();
    assert_eq!(&*eu.route.as_ref().unwrap().backend, "webapp-eu-west-1");
    assert_eq!(service.columns.len(), 7);
    assert_eq!(service.policy_hash.len(), 16);
    assert_eq!(config.ui.refresh, Duration::from_secs(15));
}

const MINIMAL: &str = r#"
[cluster.staging]
[cluster.eu-west-1]
[prometheus.main]
url = "https://prometheus.example/"
[service.web]
rings = [["staging"], ["eu-west-1"]]
"#;

#[test]
fn a_file_of_seven_lines_is_enough() {
    let (config, findings) = config(MINIMAL);
    assert!(findings.iter().all(|f| f.severity == Severity::Note), "{}", render_errors(&findings, false));
    let service = &config.fleet.services[0];
    let labels: Vec<&str> = service.rings[0].exit_gates.iter().map(|g| &*g.label).collect();
    assert_eq!(labels, ["ready", "freshness", "bake", "errors"]);
    assert_eq!(service.version_from, VersionFrom::Image);
    assert_eq!(config.connections[1], Connection::Context { context: "eu-west-1".into(), kubeconfig: None });
    assert_eq!(config.prometheuses[0].reach, Reach::Url("https://prometheus.example".into()));
    assert!(config.fleet.clusters.iter().all(|c| c.prometheus.is_some()));
    let QueryText::ByLabel { query, label } = &service.traffic_column().unwrap().query else { panic!() };
    assert_eq!((&**label, query.contains(r#"service="web""#)), ("region", true));
}
