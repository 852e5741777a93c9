//! Annotations that external-dns reads: the weight of one region's record, on the object that it is made from.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::dns::{self, Written};
use super::{BackendName, NamedRoute, Object, RouteError, Sharing, TrafficProvider, named};
use crate::domain::change::{ApiType, pointer_key, replace, test};
use crate::domain::fleet::RouteRef;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::workload::{Backend, Route};

/// The prefixes that external-dns reads: since v0.22 the first, before that the second. It reads one of them.
const PREFIXES: [&str; 2] = ["external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/"];
const WEIGHT: &str = "aws-weight";
const IDENTIFIER: &str = "set-identifier";

/// An object from which external-dns makes a weighted record. The backend is its set identifier; the regions'
/// records of one name lie in objects of their own, mostly in clusters of their own.
pub struct ExternalDns {
    name: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
}

/// Services.
pub const DNS_SERVICE: ExternalDns =
    ExternalDns { name: "external-dns-Service", group: "", version: "v1", plural: "services", kind: "Service" };
/// Ingresses.
pub const DNS_INGRESS: ExternalDns = ExternalDns {
    name: "external-dns-Ingress",
    group: "networking.k8s.io",
    version: "v1",
    plural: "ingresses",
    kind: "Ingress",
};
/// HTTPRoutes: of the Gateway API, external-dns reads the weight on the route, never on the gateway.
pub const DNS_HTTP_ROUTE: ExternalDns = ExternalDns {
    name: "external-dns-HTTPRoute",
    group: "gateway.networking.k8s.io",
    version: "v1",
    plural: "httproutes",
    kind: "HTTPRoute",
};
/// GRPCRoutes.
pub const DNS_GRPC_ROUTE: ExternalDns = ExternalDns {
    name: "external-dns-GRPCRoute",
    group: "gateway.networking.k8s.io",
    version: "v1",
    plural: "grpcroutes",
    kind: "GRPCRoute",
};
/// Gateways of Istio.
pub const DNS_GATEWAY: ExternalDns = ExternalDns {
    name: "external-dns-Gateway",
    group: "networking.istio.io",
    version: "v1",
    plural: "gateways",
    kind: "Gateway",
};

/// What the annotations of one prefix say, as they are written.
struct Said {
    prefix: &'static str,
    weight: Option<String>,
    identifier: Option<String>,
    ttl: Option<String>,
}

/// The prefix that is on the object, and what it says. `annotation` gives a value by its whole name.
fn said(annotation: impl Fn(&str) -> Option<String>) -> Result<Said, String> {
    let of = |prefix: &'static str| {
        let get = |key: &str| annotation(&format!("{prefix}{key}"));
        Said { prefix, weight: get(WEIGHT), identifier: get(IDENTIFIER), ttl: get("ttl") }
    };
    let is_there = |said: &Said| said.weight.is_some() || said.identifier.is_some();
    let mut there = PREFIXES.map(of).into_iter().filter(is_there);
    match (there.next(), there.next()) {
        (Some(said), None) => Ok(said),
        (Some(_), Some(_)) => Err(format!(
            "it has annotations of both prefixes, {} and {}: external-dns reads only one of them; remove the other",
            PREFIXES[0], PREFIXES[1]
        )),
        (None, _) => Err(format!("it has no annotation {}{WEIGHT}: its record has no weight", PREFIXES[0])),
    }
}

impl Said {
    /// The weighted record, or why there is none.
    fn record(&self) -> Result<(Backend, Option<String>), String> {
        let prefix = self.prefix;
        let weight = self.weight.as_deref().ok_or_else(|| format!("it has no annotation {prefix}{WEIGHT}"))?;
        let identifier =
            self.identifier.as_deref().filter(|i| !i.is_empty()).ok_or_else(|| {
                format!("it has no annotation {prefix}{IDENTIFIER}: without one, a weight does nothing")
            })?;
        let name: Text = identifier.into();
        match dns::weight(weight) {
            Written::Weight(weight) => Ok((Backend { name, weight }, None)),
            Written::Slip(why) => Ok((Backend { name, weight: 0 }, Some(why))),
            Written::Refused(why) => Err(why),
        }
    }
}

impl TrafficProvider for ExternalDns {
    fn name(&self) -> &'static str {
        self.name
    }

    fn api(&self) -> ApiType {
        ApiType::new(self.group, self.version, self.plural, self.kind)
    }

    fn backends(&self) -> BackendName {
        BackendName::SetIdentifier
    }

    fn sharing(&self) -> Sharing {
        Sharing::Records
    }

    fn propagation(&self) -> std::time::Duration {
        dns::PROPAGATION
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let object = Object::<IgnoredAny, IgnoredAny>::parsed(object)?;
        let said = said(|key| object.metadata.annotation(key).map(str::to_owned));
        let ttl = said.as_ref().ok().and_then(|s| s.ttl.as_deref().and_then(dns::ttl)).unwrap_or(dns::DEFAULT_TTL);
        let (rule, trouble) = match said.and_then(|s| s.record()) {
            Ok((backend, trouble)) => (vec![backend], trouble),
            Err(why) => (Vec::new(), Some(why)),
        };
        let trouble = trouble.map(|why| safe(&why, 300).into());
        let owner = object.metadata.owner();
        Ok(named(object.metadata, |uid| Route { ttl: Some(ttl), ..Route::of(uid, vec![rule], owner, trouble) }))
    }

    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        let of = &route.name;
        let wrong = |why: String| RouteError(format!("{} {of}: {why}", self.kind));
        let annotations = object.pointer("/metadata/annotations");
        let get = |key: &str| annotations?.get(key)?.as_str().map(str::to_owned);
        if route.rule > 0 {
            return Err(wrong(format!("its annotations are one rule, and there is no rule {}", route.rule)));
        }
        if weight > dns::MOST {
            return Err(wrong(format!("Route 53 takes weights from 0 to {}, not {weight}", dns::MOST)));
        }
        let said = said(get).map_err(wrong)?;
        said.record().map_err(wrong)?;
        let (Some(before), Some(identifier)) = (said.weight, said.identifier) else {
            return Err(wrong("its record has no weight".to_owned()));
        };
        if identifier != *route.backend {
            let identifier = safe(&identifier, 60);
            return Err(wrong(format!("its set identifier is {identifier:?}, not {}", route.backend)));
        }
        let path = |key: &str| format!("/metadata/annotations/{}", pointer_key(&format!("{}{key}", said.prefix)));
        let uid = object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
        Ok(vec![
            test("/metadata/uid", uid),
            test(path(IDENTIFIER), identifier.into()),
            test(path(WEIGHT), before.into()),
            replace(path(WEIGHT), weight.to_string().into()),
        ])
    }
}
