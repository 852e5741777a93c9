//! The route of a service: one backend per production region, in the shape of its kind.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::layout::{Layout, Region, Service};
use crate::sim::controllers::stamp;
use crate::sim::resources::{DNSENDPOINTS, GRPCROUTES, HTTPROUTES, Resource, VIRTUALSERVICES};
use crate::sim::scenario::Steering;

/// How long clients keep an answer.
pub const TTL: SignedDuration = SignedDuration::from_secs(60);
/// The property of a record that holds its weight.
const WEIGHT: &str = "aws/weight";

/// Name of the route's backend for a region.
#[must_use]
pub fn backend(service: &str, region: &str) -> String {
    format!("{service}-{region}")
}

impl Steering {
    /// The resource whose objects steer.
    pub(crate) fn resource(self) -> &'static Resource {
        match self {
            Self::HttpRoute => &HTTPROUTES,
            Self::GrpcRoute => &GRPCROUTES,
            Self::VirtualService => &VIRTUALSERVICES,
            Self::DnsEndpoint => &DNSENDPOINTS,
        }
    }

    /// The route of a service, weights proportional to its normal traffic.
    pub(super) fn route(self, layout: &Layout, service: &Service, now: Timestamp) -> Value {
        let host = format!("{}.example.com", service.name);
        let all: u32 = layout.production().map(|region| layout.weight(region, service)).sum();
        let weigh = |region: &Region| match (self, layout.weight(region, service)) {
            // Records have weights up to 255: half percents.
            (Self::DnsEndpoint, weight) => (weight.saturating_mul(200) / all.max(1)).clamp(1, 255),
            (_, weight) => weight,
        };
        let backends: Vec<Value> = layout
            .production()
            .map(|region| self.backend(&host, &backend(&service.name, &region.name), weigh(region)))
            .collect();
        let metadata = json!({"name": service.name, "namespace": service.name, "labels": {"app": service.name}});
        match self {
            Self::HttpRoute | Self::GrpcRoute => {
                let (kind, matches) = match self {
                    Self::GrpcRoute => ("GRPCRoute", json!([{"method": {"service": format!("{}.v1", service.name)}}])),
                    _ => ("HTTPRoute", json!([{"path": {"type": "PathPrefix", "value": "/"}}])),
                };
                let condition = |kind: &str, reason: &str| {
                    json!({"type": kind, "status": "True", "reason": reason, "message": "", "observedGeneration": 1,
                        "lastTransitionTime": stamp(now)})
                };
                let parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "global"});
                json!({
                    "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata,
                    "spec": {
                        "hostnames": [host],
                        "parentRefs": [parent],
                        "rules": [{"matches": matches, "backendRefs": backends}],
                    },
                    "status": {"parents": [{
                        "controllerName": "sim.example/gateway", "parentRef": parent,
                        "conditions": [condition("Accepted", "Accepted"), condition("ResolvedRefs", "ResolvedRefs")],
                    }]},
                })
            }
            Self::VirtualService => json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
                "spec": {"hosts": [host], "gateways": ["global"], "http": [{"route": backends}]},
            }),
            Self::DnsEndpoint => json!({
                "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint", "metadata": metadata,
                "spec": {"endpoints": backends},
                "status": {"observedGeneration": 1},
            }),
        }
    }

    fn backend(self, host: &str, name: &str, weight: u32) -> Value {
        match self {
            Self::HttpRoute => json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight}),
            Self::GrpcRoute => json!({"group": "", "kind": "Service", "name": name, "port": 9000, "weight": weight}),
            Self::VirtualService => {
                json!({"destination": {"host": name, "port": {"number": 80}}, "weight": weight})
            }
            Self::DnsEndpoint => json!({
                "dnsName": host, "recordType": "CNAME", "targets": [format!("{name}.elb.example.com")],
                "setIdentifier": name, "recordTTL": TTL.as_secs(),
                "providerSpecific": [{"name": WEIGHT, "value": weight.to_string()}],
            }),
        }
    }

    /// Each backend of a route by name, with its weight; all rules together.
    ///
    /// Gateways count a weight that is not written as 1, Istio as 0; but all traffic goes to a
    /// destination of Istio that is alone.
    pub(super) fn weights(self, route: &Value) -> Vec<(String, f64)> {
        if self == Self::DnsEndpoint {
            return records(route);
        }
        let (rules, list, name, unwritten) = self.shape();
        let rules = route.pointer(rules).and_then(Value::as_array);
        let lists = rules.into_iter().flatten().filter_map(|rule| rule.get(list)?.as_array());
        lists
            .flat_map(|list| {
                let alone = list.len() == 1 && self == Self::VirtualService;
                list.iter().map(move |backend| (backend, alone))
            })
            .filter_map(|(backend, alone)| {
                let weight = backend.get("weight").and_then(Value::as_f64).unwrap_or(unwritten);
                let name = backend.pointer(name)?.as_str()?.to_owned();
                Some((name, if alone { 1.0 } else { weight }))
            })
            .collect()
    }

    /// Gives a backend another weight, in every rule that names it.
    pub(super) fn weigh(self, route: &mut Value, wanted: &str, weight: u32) {
        let (rules, list, name, _) = self.shape();
        if self == Self::DnsEndpoint {
            let records = route.pointer_mut("/spec/endpoints").and_then(Value::as_array_mut);
            let mine = |r: &&mut Value| r.get("setIdentifier").and_then(Value::as_str) == Some(wanted);
            for record in records.into_iter().flatten().filter(mine) {
                let properties = record.get_mut("providerSpecific").and_then(Value::as_array_mut);
                for property in properties.into_iter().flatten().filter(|p| is_weight(p)) {
                    property["value"] = weight.to_string().into();
                }
            }
            return;
        }
        let rules = route.pointer_mut(rules).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            for backend in rule.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if backend.pointer(name).and_then(Value::as_str) == Some(wanted)
                    && let Some(backend) = backend.as_object_mut()
                {
                    backend.insert("weight".into(), weight.into());
                }
            }
        }
    }

    /// Where the rules are, a rule's backends, a backend's name, and what an unwritten weight counts as.
    fn shape(self) -> (&'static str, &'static str, &'static str, f64) {
        match self {
            Self::HttpRoute | Self::GrpcRoute => ("/spec/rules", "backendRefs", "/name", 1.0),
            Self::VirtualService => ("/spec/http", "route", "/destination/host", 0.0),
            // Records are no rules: see `records`.
            Self::DnsEndpoint => ("", "", "", 0.0),
        }
    }
}

fn is_weight(property: &Value) -> bool {
    property.get("name").and_then(Value::as_str) == Some(WEIGHT)
}

/// Each weighted record with its weight, as external-dns and Route 53 take them: a text that is no number counts
/// as 0, and where all are 0, all are answered alike.
fn records(route: &Value) -> Vec<(String, f64)> {
    let records = route.pointer("/spec/endpoints").and_then(Value::as_array).into_iter().flatten();
    let weighted = records.filter_map(|record| {
        let name = record.get("setIdentifier")?.as_str()?.to_owned();
        let property = record.get("providerSpecific")?.as_array()?.iter().find(|p| is_weight(p))?;
        let weight = property.get("value").and_then(Value::as_str).and_then(|v| v.parse::<u8>().ok());
        Some((name, f64::from(weight.unwrap_or(0))))
    });
    let mut found: Vec<(String, f64)> = weighted.collect();
    if found.iter().all(|(_, weight)| *weight == 0.0) {
        found.iter_mut().for_each(|(_, weight)| *weight = 1.0);
    }
    found
}
