//! `DNSEndpoint` of `externaldns.k8s.io/v1alpha1`: weighted records, written as they are to be.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::dns::{self, Written};
use super::{BackendName, NamedRoute, Object, RouteError, Sharing, TrafficProvider, named};
use crate::domain::change::{ApiType, replace, test};
use crate::domain::fleet::RouteRef;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::workload::{Backend, Route};

/// The property that holds the weight of a record.
const WEIGHT: &str = "aws/weight";

/// Records of external-dns: each DNS name is a rule, in order of its first record; the backend is the set
/// identifier. Records of one name and identifier (A and AAAA) move together.
pub struct DnsEndpoint;

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    endpoints: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    dns_name: Text,
    #[serde(default)]
    set_identifier: Option<Text>,
    #[serde(default, rename = "recordTTL")]
    ttl: Option<i64>,
    #[serde(default)]
    provider_specific: Vec<Property>,
}

#[derive(Deserialize)]
struct Property {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    value: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    observed_generation: Option<i64>,
}

impl Record {
    fn weight(&self) -> Option<&str> {
        self.provider_specific.iter().find(|p| &*p.name == WEIGHT).map(|p| &*p.value)
    }

    /// Its set identifier, if it is not empty.
    fn identifier(&self) -> Option<&Text> {
        self.set_identifier.as_ref().filter(|i| !i.is_empty())
    }
}

/// Names in order of their first record.
fn names(records: &[Record]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for record in records {
        if !names.contains(&&*record.dns_name) {
            names.push(&record.dns_name);
        }
    }
    names
}

/// The weighted records of one name, and what is wrong with them. One whose weight nobody can tell is left out.
fn rule(records: &[Record], name: &str) -> (Vec<Backend>, Option<String>) {
    let mut backends: Vec<Backend> = Vec::new();
    let mut unknown: Vec<&Text> = Vec::new();
    let mut trouble = None;
    for record in records.iter().filter(|r| &*r.dns_name == name) {
        let (Some(identifier), Some(text)) = (record.identifier(), record.weight()) else { continue };
        let (weight, why) = match dns::weight(text) {
            Written::Weight(weight) => (Some(weight), None),
            Written::Slip(why) => (Some(0), Some(why)),
            Written::Refused(why) => (None, Some(why)),
        };
        let why = why.map(|why| format!("{name} {identifier}: {why}"));
        let known = backends.iter().find(|b| b.name == *identifier).map(|b| b.weight);
        let why = why.or_else(|| {
            known.filter(|k| Some(*k) != weight).map(|_| format!("{name} {identifier}: its records differ in weight"))
        });
        match (known, weight) {
            (None, Some(weight)) => backends.push(Backend { name: identifier.clone(), weight }),
            (Some(known), Some(weight)) if known == weight => {}
            _ => unknown.push(identifier),
        }
        trouble = trouble.or(why);
    }
    backends.retain(|b| !unknown.contains(&&b.name));
    (backends, trouble)
}

impl TrafficProvider for DnsEndpoint {
    fn name(&self) -> &'static str {
        "DNSEndpoint"
    }

    fn api(&self) -> ApiType {
        ApiType::new("externaldns.k8s.io", "v1alpha1", "dnsendpoints", "DNSEndpoint")
    }

    fn backends(&self) -> BackendName {
        BackendName::SetIdentifier
    }

    fn sharing(&self) -> Sharing {
        Sharing::Records
    }

    fn propagation(&self) -> Duration {
        dns::PROPAGATION
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let object = Object::<Spec, Status>::parsed(object)?;
        let records = &object.spec.endpoints;
        let mut trouble = None;
        let mut rules = Vec::new();
        for name in names(records) {
            let (backends, why) = rule(records, name);
            rules.push(backends);
            trouble = trouble.or(why);
        }
        let late = object.status.observed_generation.is_some_and(|g| g < object.metadata.generation);
        let trouble =
            trouble.or_else(|| late.then(|| "the newest records are not yet read by external-dns".to_owned()));
        let trouble = trouble.map(|why| safe(&why, 300).into());
        let ttl = |r: &Record| r.ttl.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0).map(Duration::from_secs);
        let ttl = records.iter().filter(|r| r.weight().is_some()).map(|r| ttl(r).unwrap_or(dns::DEFAULT_TTL)).max();
        let owner = object.metadata.owner();
        Ok(named(object.metadata, |uid| Route { ttl, ..Route::of(uid, rules, owner, trouble) }))
    }

    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        let RouteRef { name: of, rule: at, backend: wanted, .. } = route;
        let wrong = |why: String| RouteError(format!("DNSEndpoint {of}: {why}"));
        if weight > dns::MOST {
            return Err(wrong(format!("Route 53 takes weights from 0 to {}, not {weight}", dns::MOST)));
        }
        let list = object.pointer("/spec/endpoints").cloned().unwrap_or_default();
        let records: Vec<Record> =
            serde_json::from_value(list.clone()).map_err(|e| wrong(safe(&e.to_string(), 200)))?;
        let name = names(&records).get(*at).copied().ok_or_else(|| wrong(format!("it has no rule {at}")))?;
        let is_mine = |r: &Record| &*r.dns_name == name && r.identifier() == Some(wanted);
        if !rule(&records, name).0.iter().any(|b| b.name == *wanted) {
            let why = match records.iter().find(|r| is_mine(r)) {
                Some(r) if r.weight().is_none() => format!("its record {wanted} of {name} has no {WEIGHT}"),
                Some(_) => format!("the weight of its records {wanted} of {name} cannot be told, or they differ"),
                None => format!("it has no record {wanted} of {name}"),
            };
            return Err(wrong(why));
        }
        let uid = object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
        let mut operations = vec![test("/metadata/uid", uid), test("/spec/endpoints", list)];
        for (i, record) in records.iter().enumerate().filter(|(_, r)| is_mine(r)) {
            for (p, _) in record.provider_specific.iter().enumerate().filter(|(_, p)| &*p.name == WEIGHT) {
                let path = format!("/spec/endpoints/{i}/providerSpecific/{p}/value");
                operations.push(replace(path, weight.to_string().into()));
            }
        }
        Ok(operations)
    }
}
