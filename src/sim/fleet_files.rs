//! The files with which other programs find a simulated fleet: a kubeconfig and a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::controllers::after;
use super::kubeconfig::{Context, to_yaml};
use super::scenario::Steering;
use super::world::layout::{CONTAINER, EDGE, FLEET, Layout, Service};
use super::world::overlays::{PATH, POINTER};
use super::world::route::backend;

/// Label and bake of the first rings.
const RINGS: [(&str, &str); 4] =
    [("internal staging", "12h"), ("canary region", "24h"), ("secondary region", "24h"), ("primary region", "24h")];
/// The repository, beside the configuration with `.git` at its end.
pub const REPOSITORY: &str = "deploys";
/// What holds for every service: the ring's own `bake` is the length that counts.
const DEFAULTS: &str = r##"
[defaults]
owner = "platform"
escalation = "#release-oncall"
release_url = "https://git.example/compare/{{from}}...{{to}}"
exit = [
  "ready",
  "freshness",
  { gate = "bake", for = "24h" },
  { gate = "threshold", column = "errors", max = "1%" },
  { gate = "threshold", column = "p99", max = "300ms" },
]
"##;
/// Time zones of the regions that are places.
const ZONES: [(&str, &str); 3] =
    [("ap-south-1", "Asia/Kolkata"), ("eu-west-1", "Europe/Dublin"), ("us-east-1", "America/New_York")];

/// Where the fleet can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// User of the kubeconfig's contexts.
    pub user: String,
    /// API server by cluster.
    pub clusters: BTreeMap<String, String>,
    /// Prometheus by region.
    pub prometheus: BTreeMap<String, String>,
    /// The kubeconfig, once written.
    pub kubeconfig: PathBuf,
    /// The configuration, once written.
    pub config: PathBuf,
}

impl Addresses {
    /// The first line of `gonogo sim`.
    #[must_use]
    pub fn json_line(&self) -> String {
        let line: Value = json!({
            "kubeconfig": self.kubeconfig, "config": self.config, "prometheus": self.prometheus,
        });
        line.to_string()
    }

    fn cluster(&self, name: &str) -> String {
        self.clusters.get(name).cloned().unwrap_or_else(|| format!("http://{name}.sim.invalid"))
    }

    /// Whether each region has a Prometheus of its own.
    fn prometheus_each(&self, layout: &Layout) -> bool {
        let urls: BTreeSet<String> = layout.regions.iter().map(|region| self.prometheus(&region.name)).collect();
        urls.len() > 1
    }

    fn prometheus(&self, region: &str) -> String {
        self.prometheus.get(region).cloned().unwrap_or_else(|| format!("http://prometheus-{region}.sim.invalid"))
    }
}

/// The kubeconfig context of a cluster.
#[must_use]
pub fn context(cluster: &str) -> String {
    format!("sim-{cluster}")
}

/// A kubeconfig with one context per cluster.
#[must_use]
pub fn kubeconfig(layout: &Layout, addresses: &Addresses) -> String {
    let namespace = layout.services.first().map_or("default", |service| service.name.as_str());
    let names = layout.regions.iter().map(|region| region.name.as_str()).chain([EDGE]);
    let contexts: Vec<Context> = names
        .map(|name| Context {
            name: context(name),
            server: addresses.cluster(name),
            user: addresses.user.clone(),
            token: format!("{}-token", addresses.user),
            namespace: namespace.into(),
        })
        .collect();
    to_yaml(&contexts)
}

/// What of a fleet's time a configuration must say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockLine {
    /// Simulated time at the real time `at`.
    pub start: Timestamp,
    /// Real time.
    pub at: Timestamp,
    /// Simulated seconds per real second.
    pub speed: f64,
}

impl ClockLine {
    /// Whether the simulation's time is the machine's, so that nothing needs to be said.
    fn is_real(&self) -> bool {
        let apart = self.start.duration_since(self.at).abs();
        (self.speed - 1.0).abs() < f64::EPSILON && apart < SignedDuration::from_secs(1)
    }
}

/// A configuration of gonogo for the fleet.
#[must_use]
pub fn config(layout: &Layout, addresses: &Addresses, clock: &ClockLine) -> String {
    let mut out = format!("# Written by `gonogo sim`: a simulated fleet.\nfleet = {}\n", quoted(FLEET));
    clock_section(&mut out, clock);
    clusters(&mut out, layout, addresses);
    topology(&mut out, layout);
    services(&mut out, layout, clock);
    out
}

/// A TOML string; JSON's escapes are valid in it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
    out.push('\n');
}

fn clock_section(out: &mut String, clock: &ClockLine) {
    if clock.is_real() {
        return;
    }
    line(out, format_args!("\n[simulated_clock]\nstart = \"{}\"\nat = \"{}\"", clock.start, clock.at));
    line(out, format_args!("speed = {:?}", clock.speed));
}

fn clusters(out: &mut String, layout: &Layout, addresses: &Addresses) {
    let each = addresses.prometheus_each(layout);
    for name in layout.regions.iter().map(|region| region.name.as_str()).chain([EDGE]) {
        line(
            out,
            format_args!("\n[cluster.{name}]\ncontext = {}\nkubeconfig = \"kubeconfig\"", quoted(&context(name))),
        );
        if each && name != EDGE {
            line(out, format_args!("prometheus = {}", quoted(name)));
        }
    }
    if each {
        for region in &layout.regions {
            let url = quoted(&addresses.prometheus(&region.name));
            line(out, format_args!("\n[prometheus.{}]\nurl = {url}", region.name));
        }
    } else if let Some(region) = layout.regions.first() {
        line(out, format_args!("\n[prometheus.all]\nurl = {}", quoted(&addresses.prometheus(&region.name))));
    }
    for (region, zone) in ZONES {
        if layout.region(region).is_some() {
            line(out, format_args!("\n[region.{region}]\nzone = {}", quoted(zone)));
        }
    }
}

fn topology(out: &mut String, layout: &Layout) {
    for ring in 0..layout.rings {
        let regions = layout.regions.iter().filter(|region| region.ring == ring);
        let names: Vec<String> = regions.map(|region| quoted(&region.name)).collect();
        line(out, format_args!("\n[[topology.world.rings]]\nname = {}", quoted(&Layout::ring_name(ring))));
        line(out, format_args!("regions = [{}]", names.join(", ")));
        let (label, bake) = RINGS.get(ring).copied().unwrap_or(("wider", "24h"));
        line(out, format_args!("label = {}\nbake = {}", quoted(label), quoted(bake)));
    }
}

fn services(out: &mut String, layout: &Layout, clock: &ClockLine) {
    out.push_str(DEFAULTS);
    line(out, format_args!("\n[defaults.workload]\ncontainer = {}", quoted(CONTAINER)));
    if layout.rollouts {
        line(out, format_args!("kind = \"Rollout\""));
    }
    line(out, format_args!("\n[defaults.route]\ncluster = {}", quoted(EDGE)));
    if layout.steering != Steering::default() {
        line(out, format_args!("provider = {}", quoted(layout.steering.resource().kind)));
    }
    if layout.regions.iter().skip(1).all(|region| region.production) {
        let aside = layout.regions.iter().filter(|region| !region.production);
        let names: Vec<String> = aside.map(|region| quoted(&region.name)).collect();
        line(out, format_args!("except = [{}]", names.join(", ")));
    } else {
        let pairs = layout
            .production()
            .map(|region| format!("{} = {}", quoted(&region.name), quoted(&backend("{{service}}", &region.name))));
        line(out, format_args!("backends = {{ {} }}", pairs.collect::<Vec<_>>().join(", ")));
    }
    if layout.delivered {
        line(out, format_args!("\n[defaults.delivery]\ncluster = {}", quoted(EDGE)));
    }
    if layout.in_git {
        line(out, format_args!("\n[repository.{REPOSITORY}]\nurl = \"{REPOSITORY}.git\""));
        line(out, format_args!("\n[defaults.git]\npath = {}\npointer = {}", quoted(PATH), quoted(POINTER)));
    }
    for service in &layout.services {
        line(
            out,
            format_args!("\n[service.{}]\nrunbook = \"https://runbooks.example/{}\"", service.name, service.name),
        );
        if !layout.is_large() || service.name == layout.services.first().map_or("", |first| &first.name) {
            capacities(out, layout, service, clock);
        }
    }
}

/// What each region can serve: measured a month ago, at three quarters of full load.
fn capacities(out: &mut String, layout: &Layout, service: &Service, clock: &ClockLine) {
    let month_ago = after(clock.start, SignedDuration::from_hours(-30 * 24)).to_string();
    let day = month_ago.split('T').next().unwrap_or_default().to_owned();
    for region in layout.production() {
        let baseline = layout.baseline(region, service);
        let most = (baseline.qps * 0.75 / baseline.cpu / 100.0).round() * 100.0;
        line(out, format_args!("\n[service.{}.region.{}.capacity]", service.name, region.name));
        line(out, format_args!("qps = {most:.0}\nmeasured = {day}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::sim::scenario::Release;

    fn clock(speed: f64) -> ClockLine {
        let start = "2026-03-02T10:00:00Z".parse().unwrap();
        ClockLine { start, at: start, speed }
    }

    fn text(regions: usize, services: usize, speed: f64) -> String {
        config(&Layout::new(regions, services, &Release::default(), 1), &Addresses::default(), &clock(speed))
    }

    #[test]
    fn the_configuration_of_the_default_fleet() {
        insta::assert_snapshot!("config_of_the_default_fleet", text(4, 1, 1.0));
    }

    #[test]
    fn a_large_fleet_fits_into_a_short_file() {
        let text = text(200, 50, 1.0);
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(parsed["service"].as_table().unwrap().len(), 50);
        assert_eq!(parsed["cluster"].as_table().unwrap().len(), 201);
        assert!(text.lines().count() < 2_000, "{}", text.lines().count());
    }

    #[test]
    fn the_clock_is_told_only_where_it_is_not_the_machines() {
        assert!(!text(4, 1, 1.0).contains("simulated_clock"));
        let parsed: toml::Table = toml::from_str(&text(4, 1, 600.0)).unwrap();
        assert_eq!(parsed["simulated_clock"]["speed"].as_float(), Some(600.0));
    }

    #[test]
    fn the_kubeconfig_has_one_context_per_cluster_with_the_regions_name_in_it() {
        let layout = Layout::new(4, 1, &Release::default(), 1);
        let yaml = kubeconfig(&layout, &Addresses { user: "oncall".into(), ..Addresses::default() });
        let read = kube::config::Kubeconfig::from_yaml(&yaml).unwrap();
        let names: Vec<_> = read.contexts.iter().map(|context| context.name.as_str()).collect();
        assert_eq!(names, ["sim-staging", "sim-ap-south-1", "sim-eu-west-1", "sim-us-east-1", "sim-edge"]);
    }

    #[test]
    fn the_first_line_says_where_everything_is() {
        let mut addresses = Addresses { kubeconfig: "/tmp/k".into(), config: "/tmp/c".into(), ..Addresses::default() };
        addresses.prometheus.insert("eu-west-1".into(), "http://127.0.0.1:1".into());
        let line: Value = serde_json::from_str(&addresses.json_line()).unwrap();
        assert_eq!(line["prometheus"]["eu-west-1"], "http://127.0.0.1:1");
        assert_eq!(line["kubeconfig"], "/tmp/k");
    }
}
