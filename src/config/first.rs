//! A first configuration, made of what was found in the clusters: text that people then own. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One region that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRegion {
    /// Its name, unique.
    pub name: String,
    /// The kubeconfig's context that leads to its cluster.
    pub context: String,
    /// The ring that its labels name.
    pub ring: Option<String>,
    /// Namespace of its workload.
    pub namespace: String,
    /// Pods that its workload wants.
    pub replicas: u64,
}

/// Everything that was found, or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the fleet.
    pub fleet: String,
    /// Name of the service and of its workload.
    pub service: String,
    /// Kind of the workload.
    pub kind: String,
    /// Its container.
    pub container: String,
    /// Where it runs.
    pub regions: Vec<FoundRegion>,
    /// Where its metrics are.
    pub prometheus: FoundPrometheus,
}

/// Where metrics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundPrometheus {
    /// Nobody said.
    Unknown,
    /// One URL.
    Url(String),
    /// In each cluster, behind its API server.
    Inside {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        service: String,
        /// Its port.
        port: u64,
    },
}

/// Parts of names of what is no production.
const EARLY: [&str; 8] = ["stag", "stg", "test", "dev", "int", "qa", "sandbox", "preprod"];
/// Bake of rings, earliest first; the last holds for all that follow.
const BAKES: [&str; 4] = ["1h", "24h", "12h", "6h"];

/// Regions by ring, earliest first: as labels say; otherwise what is no production comes first, then the fewest pods,
/// and each ring has twice as many regions as the one before.
pub fn rings(regions: &[FoundRegion]) -> Vec<(String, Vec<&FoundRegion>)> {
    let mut sorted: Vec<&FoundRegion> = regions.iter().collect();
    if !regions.is_empty() && regions.iter().all(|r| r.ring.is_some()) {
        sorted.sort_by(|a, b| a.ring.cmp(&b.ring).then_with(|| a.replicas.cmp(&b.replicas)));
        let mut named: Vec<(String, Vec<&FoundRegion>)> = Vec::new();
        for region in sorted {
            let ring = region.ring.clone().unwrap_or_default();
            match named.last_mut().filter(|(name, _)| *name == ring) {
                Some((_, members)) => members.push(region),
                None => named.push((ring, vec![region])),
            }
        }
        return named;
    }
    let is_early = |r: &FoundRegion| EARLY.iter().any(|e| r.name.contains(e) || r.context.contains(e));
    sorted.sort_by_key(|r| (!is_early(r), r.replicas, r.name.clone()));
    let early = sorted.iter().filter(|r| is_early(r)).count();
    let (first, mut rest) = sorted.split_at(early);
    let mut rings: Vec<Vec<&FoundRegion>> = Vec::new();
    if !first.is_empty() {
        rings.push(first.to_vec());
    }
    let mut size = 1;
    while !rest.is_empty() {
        let (ring, later) = rest.split_at(size.min(rest.len()));
        rings.push(ring.to_vec());
        (rest, size) = (later, size * 2);
    }
    rings.into_iter().enumerate().map(|(at, members)| (format!("ring-{at}"), members)).collect()
}

/// The text of the configuration.
pub fn text(found: &Found) -> String {
    let mut out = String::new();
    let rings = rings(&found.regions);
    let _ = writeln!(out, "# A first configuration, made of what the clusters said. Read it once: it is yours now.");
    let _ =
        writeln!(out, "# `gonogo print config` is the same with every option; `gonogo doctor` tells what is missing.");
    let _ = writeln!(out, "\n# Consoles that work together use the same name.\nfleet = {}\n", quoted(&found.fleet));
    for region in &found.regions {
        let _ = writeln!(out, "[cluster.{}]\ncontext = {}\n", key(&region.name), quoted(&region.context));
    }
    metrics(found, &mut out);
    let _ =
        writeln!(out, "# Earliest first. A new version enters the first, and each ring after it asks the ones before.");
    for (at, (name, members)) in rings.iter().enumerate() {
        let names: Vec<String> = members.iter().map(|r| quoted(&r.name)).collect();
        let bake = BAKES.get(at).or(BAKES.last()).copied().unwrap_or("6h");
        let _ = writeln!(out, "[[topology.world.rings]]\nname = {}", quoted(name));
        let _ = writeln!(out, "regions = [{}]\nbake = \"{bake}\"\n", names.join(", "));
    }
    let gates = match found.prometheus {
        FoundPrometheus::Unknown => "exit = [\"ready\", \"freshness\", { gate = \"bake\", for = \"24h\" }]".to_owned(),
        _ => "exit = [\n  \"ready\",\n  \"freshness\",\n  { gate = \"bake\", for = \"24h\" },\n  \
              { gate = \"threshold\", column = \"errors\", max = \"1%\" },\n  \
              { gate = \"threshold\", column = \"p99\", max = \"400ms\" },\n]"
            .to_owned(),
    };
    let _ = writeln!(out, "[defaults]\ntopology = \"world\"\n{gates}\nentry = [\"freshness\"]\n");
    let namespaces: BTreeSet<&str> = found.regions.iter().map(|r| r.namespace.as_str()).collect();
    let namespace = found.regions.first().map(|r| r.namespace.clone()).unwrap_or_default();
    let _ = writeln!(
        out,
        "[service.{}]\n\n[service.{}.workload]\nkind = {}\nnamespace = {}\nname = {}\ncontainer = {}",
        key(&found.service),
        key(&found.service),
        quoted(&found.kind),
        quoted(&namespace),
        quoted(&found.service),
        quoted(&found.container)
    );
    if namespaces.len() > 1 {
        // A region's own namespace is one of its keys.
        for region in found.regions.iter().filter(|r| r.namespace != namespace) {
            let _ = writeln!(
                out,
                "\n[service.{}.region.{}]\nnamespace = {}",
                key(&found.service),
                key(&region.name),
                quoted(&region.namespace)
            );
        }
    }
    out
}

fn metrics(found: &Found, out: &mut String) {
    let _ = match &found.prometheus {
        FoundPrometheus::Unknown => writeln!(
            out,
            "# Without a Prometheus no gate looks at errors and latency, and no share of traffic is known:\n\
             # [prometheus.global]\n# url = \"https://prometheus.example\"\n"
        ),
        FoundPrometheus::Url(url) => writeln!(out, "[prometheus.global]\nurl = {}\n", quoted(url)),
        FoundPrometheus::Inside { namespace, service, port } => writeln!(
            out,
            "# In each cluster, through its API server, with the kubeconfig's identity.\n[prometheus.inside]\n\
             via = \"service-proxy\"\nnamespace = {}\nservice = {}\nport = {port}\n",
            quoted(namespace),
            quoted(service)
        ),
    };
}

/// A TOML string: text from a cluster may hold anything.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key of a table.
fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { text.to_owned() } else { quoted(text) }
}

/// A name that a configuration takes, made of any text: lower case letters, digits and dashes.
pub fn plain_name(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let joined = plain.split('-').filter(|p| !p.is_empty()).collect::<Vec<_>>().join("-");
    joined.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::config::{Given, read, render_errors};

    fn region(name: &str, replicas: u64, ring: Option<&str>) -> FoundRegion {
        FoundRegion {
            name: name.into(),
            context: format!("ctx {name}\"x"),
            ring: ring.map(Into::into),
            namespace: "shop".into(),
            replicas,
        }
    }

    fn names(regions: &[FoundRegion]) -> Vec<(String, Vec<&str>)> {
        let name = |(ring, members): (String, Vec<&FoundRegion>)| {
            let members = members.iter().map(|r| regions.iter().find(|f| f == r).unwrap().name.as_str()).collect();
            (ring, members)
        };
        rings(regions).into_iter().map(name).collect()
    }

    #[test]
    fn what_is_no_production_comes_first_then_the_smallest_and_rings_double() {
        let regions: Vec<FoundRegion> = [("us", 90), ("eu", 40), ("staging", 200), ("ap", 3), ("sa", 5)]
            .map(|(name, replicas)| region(name, replicas, None))
            .into();
        let found = names(&regions);
        let rings: Vec<Vec<&str>> = found.iter().map(|(_, members)| members.clone()).collect();
        assert_eq!(rings, [vec!["staging"], vec!["ap"], vec!["sa", "eu"], vec!["us"]]);
    }

    #[test]
    fn labels_are_believed_where_every_region_has_one() {
        let regions =
            [region("b", 1, Some("2-world")), region("a", 9, Some("1-canary")), region("c", 2, Some("2-world"))];
        assert_eq!(names(&regions), [("1-canary".to_owned(), vec!["a"]), ("2-world".to_owned(), vec!["b", "c"])]);
    }

    #[test]
    fn whatever_was_found_makes_a_configuration_that_can_be_read() {
        let mut regions = vec![region("staging", 1, None), region("eu", 3, None), region("us", 5, None)];
        regions[2].namespace = "shop-us".into();
        for prometheus in [
            FoundPrometheus::Unknown,
            FoundPrometheus::Url("http://127.0.0.1:9090".into()),
            FoundPrometheus::Inside { namespace: "monitoring".into(), service: "prometheus".into(), port: 9090 },
        ] {
            let found = Found {
                fleet: "shop".into(),
                service: "webapp".into(),
                kind: "Deployment".into(),
                container: "web".into(),
                regions: regions.clone(),
                prometheus,
            };
            let text = text(&found);
            let env = |_: &str| None;
            let (config, findings) = read(std::path::Path::new("config.toml"), text.as_bytes(), &Given::env(&env))
                .unwrap_or_else(|errors| panic!("{}\n{text}", render_errors(&errors, false)));
            let worse = findings.iter().filter(|f| f.severity > crate::config::Severity::Note).count();
            assert_eq!(worse, 0, "{}\n{text}", render_errors(&findings, false));
            let (_, service) = config.fleet.find_service("webapp").unwrap();
            assert_eq!((service.rings.len(), service.regions.len()), (3, 3));
            let (_, us) = service.find_region("us").unwrap();
            assert_eq!(us.workload.namespace.as_str(), "shop-us");
        }
    }

    #[test]
    fn names_are_made_plain() {
        assert_eq!(plain_name("arn:aws:eks:eu-west-1:12:cluster/Shop_EU"), "arn-aws-eks-eu-west-1-12-cluster-shop-eu");
        assert_eq!(plain_name("\u{1b}[2J"), "2j");
    }
}
