//! The fleet's servers, and the faults that scenarios switch on and off in them.

use std::time::Duration;

use tokio::sync::watch;

use super::fleet::World;
use super::run::{SharedWorld, lock};
use crate::sim::api::ApiServer;
use crate::sim::api::access::{Grant, User};
use crate::sim::api::faults::Link;
use crate::sim::prom::{Fault, Now, PromServer};
use crate::sim::scenario::{Action, Deed, FaultRule, PrometheusState, Scenario, UserRule};

/// A Prometheus and its network.
pub struct Monitor {
    /// The region it scrapes; none: all.
    pub region: Option<String>,
    /// The server.
    pub server: PromServer,
    /// Its network.
    pub link: watch::Sender<Link>,
}

/// All servers of a fleet.
pub struct Wire {
    /// API servers: the regions in order, then the edge.
    pub servers: Vec<ApiServer>,
    /// Prometheus servers.
    pub prometheus: Vec<Monitor>,
}

impl Wire {
    /// The servers of a world, with what is broken from the start.
    #[must_use]
    pub fn new(world: &World, prometheus_each: bool) -> Self {
        let servers = world.clusters.iter().map(|c| ApiServer::new(c.name.clone(), c.store.clone())).collect();
        let clock = world.clock.clone();
        let now: Now = std::sync::Arc::new(move || clock.now().as_millisecond());
        let monitor = |region: Option<&str>| {
            let model = std::sync::Arc::clone(&world.model);
            let server = match region {
                Some(region) => PromServer::of_region(model, region, now.clone()),
                None => PromServer::of_all(model, now.clone()),
            };
            Monitor { region: region.map(str::to_owned), server, link: watch::Sender::new(Link::Up) }
        };
        let prometheus = if prometheus_each {
            world.layout.regions.iter().map(|region| monitor(Some(&region.name))).collect()
        } else {
            vec![monitor(None)]
        };
        let wire = Self { servers, prometheus };
        wire.set_up(&world.scenario);
        wire
    }

    /// The Prometheus with a region's series.
    #[must_use]
    pub fn prometheus_of(&self, region: &str) -> Option<&PromServer> {
        let of = |monitor: &&Monitor| monitor.region.as_ref().is_none_or(|only| only == region);
        self.prometheus.iter().find(of).map(|monitor| &monitor.server)
    }

    fn set_up(&self, scenario: &Scenario) {
        for rule in &scenario.fault {
            for server in self.chosen(rule.region.as_deref()) {
                break_server(server, rule);
            }
        }
        self.set_prometheus(scenario.prometheus, None);
        for server in &self.servers {
            for user in &scenario.user {
                admit(server, user);
            }
        }
    }

    fn chosen<'a>(&'a self, region: Option<&'a str>) -> impl Iterator<Item = &'a ApiServer> {
        self.servers.iter().filter(move |server| region.is_none_or(|region| region == server.name()))
    }

    fn set_prometheus(&self, state: PrometheusState, region: Option<&str>) {
        for monitor in &self.prometheus {
            if region.is_some() && monitor.region.is_some() && monitor.region.as_deref() != region {
                continue;
            }
            let (faults, link): (&[Fault], Link) = match state {
                PrometheusState::Up => (&[], Link::Up),
                PrometheusState::Down => (&[Fault::Down], Link::Refused),
                PrometheusState::Empty => (&[Fault::Empty], Link::Up),
            };
            monitor.server.faults().set(faults.iter().cloned());
            monitor.link.send_replace(link);
        }
    }

    /// Does what the scenario asked of the wire since last time.
    pub fn carry_out(&self, world: &SharedWorld) {
        let asked = std::mem::take(&mut lock(world).wire);
        for action in asked {
            self.act(&action);
        }
    }

    fn act(&self, action: &Action) {
        let region = action.region.as_deref();
        let span = action.span.unwrap_or_default();
        match action.deed {
            Deed::MetricsDown => self.set_prometheus(PrometheusState::Down, region),
            Deed::MetricsUp => self.set_prometheus(PrometheusState::Up, region),
            deed => {
                for server in self.chosen(region) {
                    let faults = server.faults();
                    match deed {
                        Deed::Partition => faults.set_link(Link::Hung),
                        Deed::Heal => {
                            faults.clear();
                            faults.set_link(Link::Up);
                        }
                        Deed::Slow => faults.set_latency(real(span.0)),
                        Deed::Skew => faults.set_skew(span.0.as_secs()),
                        _ => {}
                    }
                }
            }
        }
    }
}

fn real(span: jiff::SignedDuration) -> Duration {
    Duration::try_from(span).unwrap_or_default()
}

fn break_server(server: &ApiServer, rule: &FaultRule) {
    let faults = server.faults();
    faults.set_latency(real(rule.latency.0));
    faults.set_skew(rule.skew.0.as_secs());
    if rule.partition {
        faults.set_link(Link::Hung);
    }
}

fn admit(server: &ApiServer, rule: &UserRule) {
    let user = User { name: rule.name.clone(), groups: rule.groups.clone() };
    let grants: Vec<Grant> = rule.may.iter().map(|text| grant(&rule.name, text)).collect();
    server.set_access(|access| {
        access.tokens.insert(format!("{}-token", rule.name), user);
        access.grants.extend(grants);
    });
}

/// Reads `get,list deployments.apps,pods webapp`: verbs, resources with their group, namespaces.
fn grant(user: &str, text: &str) -> Grant {
    let mut words = text.split_whitespace();
    let list = |word: Option<&str>| -> Vec<String> {
        word.unwrap_or_default().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let verbs = list(words.next());
    let (mut groups, mut resources) = (Vec::new(), Vec::new());
    for named in list(words.next()) {
        let (resource, group) = match named.as_str() {
            "*" => ("*", "*"),
            named => named.split_once('.').unwrap_or((named, "")),
        };
        resources.push(resource.to_owned());
        groups.push(group.to_owned());
    }
    Grant { to: vec![user.to_owned()], verbs, groups, resources, names: Vec::new(), namespaces: list(words.next()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_rights_are_written_in_one_line() {
        let read = grant("ana", "get,list deployments.apps,pods webapp");
        assert_eq!(read.verbs, ["get", "list"]);
        assert_eq!(
            (read.resources, read.groups),
            (vec!["deployments".into(), "pods".into()], vec!["apps".into(), String::new()])
        );
        assert_eq!(read.namespaces, ["webapp"]);
        assert_eq!(grant("ana", "* *").groups, ["*"]);
    }
}
