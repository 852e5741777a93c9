//! What may leave a process without a plan: the closed list of bookkeeping, and the reads of a watch screen.

use gonogo::domain::record::{Body, Fact};
use serde_json::Value;

use super::rules::Sent;

/// What promise 5 lets a watch screen send, and nothing else.
pub fn may_watch(sent: &Sent) -> Result<(), String> {
    if sent.method != "GET" || sent.upgrade || !sent.body.is_empty() {
        return Err("a watch screen sends only GET".to_owned());
    }
    let parts: Vec<&str> = sent.path.trim_start_matches('/').split('/').collect();
    let known = matches!(
        parts.as_slice(),
        ["version"]
            | ["api", "v1", "namespaces", "kube-system"]
            | ["api", "v1", "configmaps"]
            | ["apis", "apps", "v1", "deployments"]
            | ["apis", "gateway.networking.k8s.io", "v1", "httproutes"]
            | ["api", "v1", "namespaces", _, "configmaps"]
            | ["api", "v1", "namespaces", _, "configmaps", _]
            | ["apis", "apps", "v1", "namespaces", _, "deployments" | "replicasets"]
            | ["apis", "apps", "v1", "namespaces", _, "deployments", _]
            | ["apis", "coordination.k8s.io", "v1", "namespaces", _, "leases", _]
            | ["apis", "gateway.networking.k8s.io", "v1", "namespaces", _, "httproutes"]
            | ["apis", "gateway.networking.k8s.io", "v1", "namespaces", _, "httproutes", _]
    );
    if known { Ok(()) } else { Err("not among what a watch screen reads".to_owned()) }
}

/// Bookkeeping outside a plan: facts of our own record, one key per fact; a guard's own lease.
pub fn is_bookkeeping(sent: &Sent, guard: bool) -> Result<(), String> {
    let body: Value = serde_json::from_slice(&sent.body).map_err(|e| e.to_string())?;
    let parts: Vec<&str> = sent.path.trim_start_matches('/').split('/').collect();
    let (namespace, name) = match parts.as_slice() {
        ["api", "v1", "namespaces", ns, "configmaps"] => ((*ns).to_owned(), body["metadata"]["name"].clone()),
        ["api", "v1", "namespaces", ns, "configmaps", name] => ((*ns).to_owned(), (*name).into()),
        ["apis", "coordination.k8s.io", "v1", "namespaces", ns, "leases"] if guard => {
            return ours(&body["metadata"]["name"], ns);
        }
        ["apis", "coordination.k8s.io", "v1", "namespaces", ns, "leases", name] if guard => {
            return ours(&(*name).into(), ns);
        }
        _ => return Err("neither a record nor a guard's lease".to_owned()),
    };
    ours(&name, &namespace)?;
    let data: Vec<(String, String)> = match (sent.method.as_str(), sent.media.as_str()) {
        ("POST", "application/json") => {
            let keys: Vec<&String> = body.as_object().map(|o| o.keys().collect()).unwrap_or_default();
            if keys != ["apiVersion", "data", "kind", "metadata"] {
                return Err(format!("more than a record: {keys:?}"));
            }
            pairs(&body["data"])
        }
        ("PATCH", "application/merge-patch+json") => {
            if body.as_object().is_none_or(|o| o.keys().ne(["data"])) {
                return Err("a patch of more than data".to_owned());
            }
            pairs(&body["data"])
        }
        ("PATCH", "application/json-patch+json") => {
            let written = body.as_array().into_iter().flatten().filter(|op| op["op"] != "test");
            let one = |op: &Value| {
                let key = op["path"].as_str().and_then(|p| p.strip_prefix("/data/")).unwrap_or("elsewhere");
                (key.to_owned(), op["value"].as_str().unwrap_or_default().to_owned())
            };
            written.map(one).collect()
        }
        other => return Err(format!("{other:?}")),
    };
    if data.is_empty() {
        return Err("nothing".to_owned());
    }
    for (key, value) in &data {
        let settled = key.strip_prefix("settled.").is_some_and(|digest| digest.len() == 64);
        if !(settled || Fact::parse(key, value).is_some()) {
            return Err(format!("no fact: {key}={value}"));
        }
    }
    Ok(())
}

fn ours(name: &Value, namespace: &str) -> Result<(), String> {
    if *name == format!("gonogo-sim-{namespace}") { Ok(()) } else { Err(format!("not ours: {name}")) }
}

fn pairs(data: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or("not a text").to_owned();
    data.as_object().map(|d| d.iter().map(|(k, v)| (k.clone(), text(v))).collect()).unwrap_or_default()
}

/// Whether a fact says that something was overridden.
pub fn says_override(fact: &Fact) -> bool {
    match &fact.body {
        Body::Promoted(m) | Body::RolledBack(m) => !m.overrides.is_empty() || m.break_glass,
        Body::BreakGlass { .. } => true,
        _ => false,
    }
}
