//! `/version`, `/api` and `/apis`, in the old form and aggregated.

use serde_json::{Value, json};

use super::super::resources::{RESOURCES, Resource};
use super::super::status::ApiError;
use super::VERSION;
use super::body::ApiBody;
use super::serve::Reply;

pub(super) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A virtual resource: reviews hold no objects but are discovered.
const REVIEWS: [(&str, &str, &str); 3] = [
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
];

/// The named groups with their one version, in the order real servers list them.
pub(super) const GROUPS: [(&str, &str); 10] = [
    ("apps", "v1"),
    ("events.k8s.io", "v1"),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    ("autoscaling", "v2"),
    ("coordination.k8s.io", "v1"),
    ("argoproj.io", "v1alpha1"),
    ("externaldns.k8s.io", "v1alpha1"),
    ("gateway.networking.k8s.io", "v1"),
    ("networking.istio.io", "v1"),
];

/// Answers a discovery path.
pub(super) fn answer(path: &str, accept: &str) -> Result<Reply, ApiError> {
    let wants_aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2");
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let value = match parts.as_slice() {
        ["version"] => version(),
        ["api"] | ["apis"] if wants_aggregated => {
            let body = aggregated(parts.first() == Some(&"api")).to_string();
            let body = ApiBody::Whole(Some(body.into()));
            return Ok(Reply { code: 200, content_type: AGGREGATED, body });
        }
        ["api"] => {
            let address = json!({"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"});
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]})
        }
        ["apis"] => {
            let groups: Vec<Value> = GROUPS.into_iter().map(|(g, v)| group(g, v)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["apis", name] => match GROUPS.into_iter().find(|(g, _)| g == name) {
            Some((g, v)) => {
                let mut value = group(g, v);
                if let Some(map) = value.as_object_mut() {
                    map.insert("kind".to_owned(), "APIGroup".into());
                    map.insert("apiVersion".to_owned(), "v1".into());
                }
                value
            }
            None => return Err(ApiError::no_such_path()),
        },
        ["api", "v1"] => resources("", "v1"),
        ["apis", name, version] => match GROUPS.into_iter().find(|(g, v)| g == name && v == version) {
            Some((g, v)) => resources(g, v),
            None => return Err(ApiError::no_such_path()),
        },
        [] => {
            let groups = GROUPS.into_iter().map(|(g, _)| format!("/apis/{g}"));
            let paths: Vec<String> =
                ["/api", "/api/v1", "/apis"].map(str::to_owned).into_iter().chain(groups).collect();
            json!({"paths": paths})
        }
        _ => return Err(ApiError::no_such_path()),
    };
    Ok(Reply::value(200, &value))
}

fn version() -> Value {
    let minor = VERSION.split('.').nth(1).unwrap_or("0");
    let before = minor.parse::<u32>().unwrap_or(0).saturating_sub(1).to_string();
    json!({"major": "1", "minor": minor, "emulationMajor": "1", "emulationMinor": minor,
        "minCompatibilityMajor": "1", "minCompatibilityMinor": before, "gitVersion": VERSION, "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.24.9",
        "compiler": "gc", "platform": "linux/amd64"})
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn verbs(resource: &Resource) -> Vec<&'static str> {
    if resource.custom {
        return vec!["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    }
    let all = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let skip = |verb: &&str| resource.kind == "Namespace" && *verb == "deletecollection";
    all.into_iter().filter(|verb| !skip(verb)).collect()
}

/// Subresources of a resource: name, kind, group and version of the kind, verbs.
fn subresources(
    resource: &Resource,
) -> Vec<(&'static str, &'static str, &'static str, &'static str, Vec<&'static str>)> {
    let change = || vec!["get", "patch", "update"];
    let mut out = Vec::new();
    if resource.kind == "Pod" {
        out.push(("log", "Pod", "", "v1", vec!["get"]));
    }
    if resource.kind == "Service" {
        let all = vec!["create", "delete", "get", "patch", "update"];
        out.push(("proxy", "ServiceProxyOptions", "", "v1", all));
    }
    if resource.scale {
        out.push(("scale", "Scale", "autoscaling", "v1", change()));
    }
    if resource.status {
        out.push(("status", resource.kind, resource.group, resource.version, change()));
    }
    out
}

fn resources(group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for r in RESOURCES.into_iter().filter(|r| r.group == group && r.version == version) {
        let entry = json!({"name": r.plural, "singularName": r.singular, "namespaced": r.namespaced,
            "kind": r.kind, "verbs": verbs(r), "shortNames": r.short, "categories": r.categories});
        list.push(without_empty_lists(entry));
        for (name, kind, sub_group, sub_version, verbs) in subresources(r) {
            let mut entry = json!({"name": format!("{}/{name}", r.plural), "singularName": "",
                "namespaced": r.namespaced, "kind": kind, "verbs": verbs});
            if let (true, Some(map)) = (name == "scale", entry.as_object_mut()) {
                map.insert("group".to_owned(), sub_group.into());
                map.insert("version".to_owned(), sub_version.into());
            }
            list.push(entry);
        }
    }
    for (_, plural, kind) in REVIEWS.into_iter().filter(|(g, _, _)| *g == group) {
        list.push(json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": false,
            "kind": kind, "verbs": ["create"]}));
    }
    if group.is_empty() {
        return json!({"kind": "APIResourceList", "groupVersion": version, "resources": list});
    }
    let group_version = format!("{group}/{version}");
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
}

fn without_empty_lists(mut entry: Value) -> Value {
    if let Some(map) = entry.as_object_mut() {
        map.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    entry
}

fn aggregated(core: bool) -> Value {
    let groups: Vec<(&str, &str)> = if core { vec![("", "v1")] } else { GROUPS.to_vec() };
    let items = groups.into_iter().map(|(group, version)| {
        let meta = if group.is_empty() { json!({}) } else { json!({"name": group}) };
        json!({"metadata": meta, "versions": [{"version": version, "freshness": "Current",
            "resources": aggregated_resources(group, version)}]})
    });
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items.collect::<Vec<_>>()})
}

fn aggregated_resources(group: &str, version: &str) -> Vec<Value> {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    // What is of the group itself is not named again, except by a CRD.
    let kind_of = |custom: bool, g: &str, v: &str, kind: &str| {
        let (g, v) = if !custom && (g, v) == (group, version) { ("", "") } else { (g, v) };
        json!({"group": g, "version": v, "kind": kind})
    };
    let mut list = Vec::new();
    for r in RESOURCES.into_iter().filter(|r| r.group == group && r.version == version) {
        let inner: Vec<Value> = subresources(r)
            .into_iter()
            .map(|(name, kind, g, v, verbs)| {
                json!({"subresource": name, "responseKind": kind_of(r.custom, g, v, kind), "verbs": verbs})
            })
            .collect();
        list.push(without_empty_lists(json!({"resource": r.plural,
            "responseKind": kind_of(r.custom, r.group, r.version, r.kind),
            "scope": scope(r.namespaced), "singularResource": r.singular, "verbs": verbs(r),
            "shortNames": r.short, "categories": r.categories, "subresources": inner})));
    }
    for (_, plural, kind) in REVIEWS.into_iter().filter(|(g, _, _)| *g == group) {
        list.push(json!({"resource": plural, "responseKind": kind_of(false, group, version, kind),
            "scope": "Cluster", "singularResource": kind.to_lowercase(), "verbs": ["create"]}));
    }
    list
}
