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
fn a_backend_of_a_mesh_is_a_host_and_a_subset() {
    let with = |backend: &str| {
        let route = format!(
            "\n[service.web.route]\nprovider = \"VirtualService\"\ncluster = \"staging\"\nbackend = \"{backend}\"\n"
        );
        format!("{MINIMAL}{route}")
    };
    for good in ["web.{{region}}.example", "web/{{region}}"] {
        let (config, _) = config(&with(good));
        let route = config.fleet.services[0].regions[1].route.as_ref().unwrap();
        assert_eq!(&*route.backend, good.replace("{{region}}", "eu-west-1"));
    }
    for bad in ["web/eu/west", "Web_eu", "web/"] {
        let env = |_: &str| None;
        let errors = read(Path::new("config.toml"), with(bad).as_bytes(), &Given::env(&env)).unwrap_err();
        assert!(render_errors(&errors, false).contains("cannot be the backend"), "{bad}");
    }
}

#[test]
fn a_record_in_each_regions_cluster_is_named_by_a_placeholder() {
    let with = |more: &str| {
        let route = "\n[service.web.route]\nprovider = \"DNSEndpoint\"\n";
        format!("{MINIMAL}{route}{more}")
    };
    let (config, _) = config(&with("cluster = \"{{cluster}}\"\nbackend = \"{{region}}/blue\"\n"));
    let service = &config.fleet.services[0];
    for (region, cluster) in [(0, 0), (1, 1)] {
        let route = service.regions[region].route.as_ref().unwrap();
        assert_eq!(route.cluster.at(), cluster);
        assert_eq!(&*route.backend, format!("{}/blue", service.regions[region].name));
    }
    let env = |_: &str| None;
    for (bad, said) in [
        ("cluster = \"{{cluster}}-edge\"\n", "unknown cluster `staging-edge`"),
        ("cluster = \"{{zone}}\"\n", "{{zone}}"),
        ("cluster = \"{{cluster}}\"\nbackend = \"a b\"\n", "a set identifier has up to 128 characters"),
    ] {
        let errors = read(Path::new("config.toml"), with(bad).as_bytes(), &Given::env(&env)).unwrap_err();
        assert!(render_errors(&errors, false).contains(said), "{}", render_errors(&errors, false));
    }
}

#[test]
fn a_drain_in_steps_falls_to_nothing() {
    let with = |more: &str| format!("{MINIMAL}\n[service.web.route]\ncluster = \"staging\"\n{more}\n");
    let route = |more: &str| config(&with(more)).0.fleet.services[0].regions[1].route.clone().unwrap();
    let at_once = route("");
    assert!(at_once.steps.is_empty());
    let stepped = route("drain_steps = [50, 10, 0]\ndwell = \"90s\"");
    assert_eq!((stepped.steps, stepped.dwell), (vec![50, 10, 0], Duration::from_secs(90)));
    let env = |_: &str| None;
    for bad in ["[]", "[0, 50]", "[50, 10]", "[100, 0]", "[50, 50, 0]", "[12.5, 0]", "[\"50\", 0]", "[-1, 0]"] {
        let text = with(&format!("drain_steps = {bad}"));
        let errors = read(Path::new("config.toml"), text.as_bytes(), &Given::env(&env)).unwrap_err();
        let said = render_errors(&errors, false);
        assert!(said.contains("drain_steps = [50, 10, 0]") && said.contains("config.toml:"), "{bad}: {said}");
    }
}

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

/// The gates of a ring: label and parameters.
fn exit(config: &Config, service: &str, ring: &str) -> Vec<String> {
    let (_, service) = config.fleet.find_service(service).unwrap();
    let (_, ring) = service.find_ring(ring).unwrap();
    let params =
        |g: &crate::domain::fleet::GateSpec| g.params.text("for").or(g.params.text("max")).unwrap_or("").to_owned();
    ring.exit_gates.iter().map(|g| format!("{} {}", g.label, params(g)).trim().to_owned()).collect()
}

#[test]
fn the_most_specific_gates_win_and_a_bake_of_the_ring_fits_into_them() {
    let text = r#"
        [cluster.a]
        [cluster.b]
        [cluster.c]
        [defaults]
        exit = ["ready", { gate = "bake", for = "4h" }]
        [topology.t]
        bake = "3h"
        [[topology.t.rings]]
        regions = ["a"]
        bake = "24h"
        [[topology.t.rings]]
        regions = ["b"]
        exit = ["freshness", { gate = "bake", for = "2h" }]
        [[topology.t.rings]]
        regions = ["c"]
        [service.plain]
        [service.strict]
        exit = ["ready", "freshness", { gate = "bake", for = "9h" }]
        [service.strict.ring.ring-2]
        bake = "2d"
        [service.own]
        rings = [["a"], ["b"]]
        workload = { name = "own" }
    "#;
    let (config, _) = config(text);
    for (service, ring, gates) in [
        ("plain", "ring-0", vec!["ready", "bake 24h"]),
        ("plain", "ring-1", vec!["freshness", "bake 2h"]),
        ("plain", "ring-2", vec!["ready", "bake 3h"]),
        ("strict", "ring-0", vec!["ready", "freshness", "bake 24h"]),
        ("strict", "ring-1", vec!["freshness", "bake 2h"]),
        ("strict", "ring-2", vec!["ready", "freshness", "bake 2d"]),
        ("own", "ring-0", vec!["ready", "bake 4h"]),
    ] {
        assert_eq!(exit(&config, service, ring), gates, "{service} {ring}");
    }
    let entry: Vec<_> = config.fleet.services[0].rings[1].entry_gates.iter().map(|g| g.label.to_string()).collect();
    assert_eq!(entry, ["freshness"]);
}

#[test]
fn two_regions_share_a_cluster_by_namespace() {
    let text = r#"
        [cluster.shared]
        [region.eu-a]
        cluster = "shared"
        namespace = "{{service}}-{{region}}"
        [region.eu-b]
        cluster = "shared"
        zone = "UTC"
        [service.web]
        rings = [["eu-a"], ["eu-b"]]
        workload = { namespace = "web-{{ring}}", container = "main" }
        [service.web.region.eu-b]
        name = "web-b"
        owner = "b-team"
    "#;
    let (config, _) = config(text);
    let service = &config.fleet.services[0];
    let objects: Vec<_> = service
        .regions
        .iter()
        .map(|r| format!("{} {}/{} {}", r.cluster.at(), r.workload.namespace, r.workload.name, r.workload.container))
        .collect();
    assert_eq!(objects, ["0 web-eu-a/web main", "0 web-ring-1/web-b main"]);
    assert_eq!(
        (service.regions[1].owner.as_deref(), service.regions[1].zone.as_deref()),
        (Some("b-team"), Some("UTC"))
    );
}

#[test]
fn each_cluster_asks_the_prometheus_it_should() {
    let clusters = "[cluster.a]\n[cluster.b]\n[service.web]\nrings = [[\"a\"], [\"b\"]]\n";
    let servers = |text: &str| {
        let (config, _) = config(&format!("{text}\n{clusters}"));
        let of = |c: &crate::domain::fleet::Cluster| {
            c.prometheus.and_then(|p| config.prometheus(p)).map(|p| p.name.to_string())
        };
        let names: Vec<_> = config.fleet.clusters.iter().map(of).collect();
        (names, config.prometheuses)
    };
    let name = |text: &str| Some(text.to_owned());
    let (names, _) = servers("[prometheus.one]\nurl = \"https://p.example\"");
    assert_eq!(names, [name("one"), name("one")]);
    let (names, _) = servers("[prometheus.one]\nurl = \"https://p.example\"\nclusters = [\"b\"]");
    assert_eq!(names, [None, name("one")]);
    let (names, servers_of_each) = servers("[prometheus.own]\nurl = \"https://p.{{cluster}}.example/prom/\"");
    assert_eq!(names, [name("own/a"), name("own/b")]);
    assert_eq!(servers_of_each[1].reach, Reach::Url("https://p.b.example/prom".into()));
    let (_, proxies) = servers(
        "[prometheus.in]\nvia = \"service-proxy\"\nnamespace = \"m\"\nservice = \"p\"\nport = 80\npath = \"/x/\"",
    );
    let Reach::ServiceProxy { cluster, port, path, https, .. } = &proxies[1].reach else { panic!() };
    assert_eq!((cluster.at(), &**port, &**path, *https), (1, "80", "/x", false));
    let text = "[prometheus.one]\nurl = \"https://p.example\"\nbearer = { env = \"PROM_TOKEN\" }\nca = \"ca.pem\"\n\
        headers = { X-Scope-OrgID = \"t\", X-Key = { file = \"~/key\" } }";
    let (_, servers) = servers(text);
    assert_eq!(servers[0].login, Login::Bearer(Secret::Known("s3cret".into())));
    assert_eq!(servers[0].ca.as_deref(), Some(Path::new("ca.pem")));
    assert!(!format!("{:?}", servers[0]).contains("s3cret"));
}

#[test]
fn columns_are_changed_chosen_and_asked_as_written() {
    let text = r#"
        [cluster.a]
        [prometheus.p]
        url = "https://p.example"
        [column.errors]
        query = 'sum(rate(e{ns="{{namespace}}",region="{{region}}"}[5m]))'
        [column.queue]
        query = 'sum by (dc) (q{service="{{service}}",dc=~"{{regions}}"})'
        by = "dc"
        unit = "number"
        better = "lower"
        [service.web]
        rings = [["a"]]
        columns = ["queue", "errors"]
        [service.web.column.queue]
        title = "Queue"
        [service.all]
        rings = [["a"]]
    "#;
    let (config, _) = config(text);
    let web = &config.fleet.services[0];
    let names: Vec<_> = web.columns.iter().map(|c| (c.name.as_str(), &*c.title)).collect();
    assert_eq!(names, [("queue", "Queue"), ("errors", "errors")]);
    let QueryText::ByLabel { query, label } = &web.columns[0].query else { panic!() };
    assert_eq!((&**query, &**label), (r#"sum by (dc) (q{service="web",dc=~"a"})"#, "dc"));
    // Another query for a standard column is asked region by region unless it says `by`.
    let QueryText::PerRegion(query) = &web.columns[1].query else { panic!() };
    assert!(query.contains("{{namespace}}") && query.contains("{{region}}"));
    assert_eq!(web.columns[1].unit, crate::domain::fleet::Unit::Ratio);
    assert_eq!(config.fleet.services[1].columns.len(), 8);
}

#[test]
fn what_a_promotion_carries_is_written_as_toml() {
    use crate::domain::fleet::{Carry, CarryValue};
    let text = r#"
        [cluster.a]
        [service.web]
        rings = [["a"]]
        version_from = { label = "app.kubernetes.io/version" }
        carries = [
          "image:ref",
          "/spec/template/spec/containers[name=web]/env",
          { path = "/spec/template/spec/containers[name=web]/args", template = ["-text={{version}} in {{region}}", 5] },
        ]
    "#;
    let (config, _) = config(text);
    let service = &config.fleet.services[0];
    assert_eq!(service.version_from, VersionFrom::Label("app.kubernetes.io/version".into()));
    let Carry::Pointer { path, value: CarryValue::Template(text) } = &service.carries[2] else { panic!() };
    assert_eq!(path.to_string(), "/spec/template/spec/containers[name=web]/args");
    assert_eq!(&**text, r#"["-text={{version}} in {{region}}",5]"#);
}

#[test]
fn the_policy_hash_is_about_rules_not_about_words_or_this_machine() {
    let hash = |text: &str| config(text).0.fleet.services[0].policy_hash.to_string();
    let base = hash(MINIMAL);
    let same = [
        MINIMAL.replace("[cluster.staging]", "[cluster.staging]\ncontext = \"other\""),
        MINIMAL.replace("[service.web]", "[service.web]\nowner = \"me\"\nrunbook = \"x\""),
        MINIMAL.replace("[service.web]", "[ui]\nrefresh = \"30s\"\n[service.web]"),
        MINIMAL.replace("[service.web]", "[service.web]\nbake = \"60m\""),
    ];
    for text in same {
        assert_eq!(hash(&text), base, "{text}");
    }
    let other = [
        MINIMAL.replace("[service.web]", "[service.web]\nbake = \"2h\""),
        MINIMAL.replace("[[\"staging\"], [\"eu-west-1\"]]", "[[\"staging\", \"eu-west-1\"]]"),
        MINIMAL.replace("[service.web]", "[service.web]\nfreeze = true"),
        MINIMAL.replace("[service.web]", "[service.web]\nworkload = { container = \"main\" }"),
        MINIMAL.replace("[service.web]", "[column.errors]\nquery = 'vector(0)'\n[service.web]"),
        MINIMAL.replace("[service.web]", "[service.web.region.eu-west-1]\ncapacity = { qps = 5 }\n[service.web]"),
    ];
    let mut seen = vec![base];
    for text in other {
        let hash = hash(&text);
        assert!(!seen.contains(&hash), "{text}");
        seen.push(hash);
    }
}

#[test]
fn a_context_that_is_not_there_is_said_with_those_that_are() {
    let yaml = "
clusters: [{name: c, cluster: {server: 'https://c.example', certificate-authority: ca.pem}}]
contexts: [{name: staging, context: {cluster: c}}, {name: prod-eu-west-1, context: {cluster: c}},
  {name: broken, context: {cluster: gone}}]
";
    let calls = std::cell::Cell::new(0);
    let kubeconfigs = |path: Option<&Path>| {
        calls.set(calls.get() + 1);
        match path {
            None => kubeconfig::Kubeconfig::parse(Path::new("/k/config"), yaml).map_err(|e| e.to_string()),
            Some(_) => Err("no such file".to_owned()),
        }
    };
    let given = Given { kubeconfigs: Some(&kubeconfigs), ..Given::env(&given) };
    let text = format!("{MINIMAL}\n[cluster.x]\nkubeconfig = \"k.yaml\"\n[cluster.broken]\n");
    let errors = read(Path::new("/etc/gonogo/c.toml"), text.as_bytes(), &given).err().unwrap();
    let shown = render_errors(&errors, false);
    assert!(shown.contains("no context `eu-west-1`") && shown.contains("`prod-eu-west-1`"), "{shown}");
    assert!(shown.contains("cluster `x` cannot be read: no such file"), "{shown}");
    assert!(shown.contains("names cluster `gone`, which has no server"), "{shown}");
    assert!(!shown.contains("no context `staging`"), "{shown}");
    assert_eq!(calls.get(), 2);
}

#[test]
fn the_simulated_clock_runs_at_its_speed() {
    let (config, _) = config(&format!(
        "{MINIMAL}\n[simulated_clock]\nstart = 2026-05-01T12:00:00Z\nat = \"2026-11-21T00:00:00Z\"\nspeed = 60\n"
    ));
    let clock = config.simulated_clock.unwrap();
    let real = clock.at + jiff::SignedDuration::from_secs(30);
    assert_eq!(clock.at(real).to_string(), "2026-05-01T12:30:00Z");
}

#[test]
fn keys_are_kept_as_written_for_the_keymap() {
    let (config, _) = config(&format!(
        "{MINIMAL}\n[ui]\ntheme = \"light\"\n[ui.keys]\npromote = \"P\"\nhold = [\"H\", \"ctrl-h\"]\n"
    ));
    assert_eq!(&*config.ui.theme, "light");
    let keys: Vec<_> = config.ui.keys.iter().map(|k| (&*k.command, k.keys.len(), k.line)).collect();
    assert_eq!(keys, [("promote", 1, 12), ("hold", 2, 13)]);
}

#[test]
fn the_standard_columns_are_promql() {
    let (config, _) = config(MINIMAL);
    for column in &config.fleet.services[0].columns {
        let QueryText::ByLabel { query, .. } = &column.query else { panic!() };
        assert!(!query.contains("{{"), "{query}");
        promql_parser::parser::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
    }
}

#[test]
fn a_policy_is_resolved_key_by_key_from_the_most_specific_level() {
    use crate::domain::policy::{Advance, Fallback, OnNogo, Reach};
    let (config, _) = config(&format!(
        "{MINIMAL}
[service.web.policy]
preset = \"two-regions\"
scope = \"ring\"
breaker = 2
[service.web.policy.gate.errors]
on_nogo = \"rollback\"
[service.web.ring.ring-1.policy]
advance = \"auto\"
fallback = [\"n-1\", \"drain\"]
[service.web.ring.ring-1.policy.gate.errors]
scope = \"upstream\"
[defaults.policy]
on_nogo = \"advise\"
breaker = 9
attempts = 5
"
    ));
    let policy = &config.fleet.services[0].policy;
    let reaction = |ring: u32, gate: &str| policy.reaction(crate::domain::id::RingIx(ring), gate);
    let [first, second] = [&policy.rings[0], &policy.rings[1]];
    assert_eq!((policy.breaker, first.attempts), (2, 5), "the service before the defaults");
    assert_eq!(first.reaction.on_nogo, OnNogo::Advise, "the defaults before the preset");
    assert_eq!(first.reaction.scope, Reach::Ring);
    assert_eq!((first.advance, second.advance), (Advance::Ask, Advance::Auto));
    assert_eq!(second.fallback, [Fallback::Previous, Fallback::Drain]);
    assert_eq!((reaction(0, "errors").on_nogo, reaction(0, "errors").scope), (OnNogo::RollBack, Reach::Ring));
    assert_eq!((reaction(1, "errors").on_nogo, reaction(1, "errors").scope), (OnNogo::RollBack, Reach::Upstream));
    assert_eq!(reaction(1, "bake").on_nogo, OnNogo::Advise);
    let bake = |ring: usize| config.fleet.services[0].rings[ring].exit_gates[2].params.text("for").unwrap().to_owned();
    assert_eq!([bake(0), bake(1)], ["24h", "6h"], "the preset's, since nobody says otherwise");
    assert_eq!(policy.unmoved, Some(Duration::from_secs(2 * 86_400)));
}

#[test]
fn the_policy_hash_knows_what_follows_a_no_go() {
    let hash = |more: &str| config(&format!("{MINIMAL}{more}")).0.fleet.services[0].policy_hash.to_string();
    let plain = hash("");
    for more in [
        "policy = { on_nogo = \"rollback\" }",
        "policy = { advance = \"auto\" }",
        "policy = { ring_distance = \"1h\" }",
        "policy = { actions = 3 }",
        "deciders = [\"sre\"]",
        "policy = { gate = { errors = { scope = \"ring\" } } }",
    ] {
        assert_ne!(hash(more), plain, "{more}");
    }
    assert_eq!(hash("policy = { on_nogo = \"hold\", attempts = 2 }"), plain, "said or meant, it is one rule");
    assert_eq!(hash("policy = { unmoved = \"9d\", forgotten_pause = \"2h\" }"), plain, "alarms are no rule");
}
