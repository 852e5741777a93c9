//! The columns of Tables: what `kubectl get` shows of each kind.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::resources::Resource;

/// A column: name, type, priority (1 = only with `-o wide`), cell.
struct Column {
    name: &'static str,
    kind: &'static str,
    wide: bool,
    cell: fn(&Value, Timestamp) -> Value,
}

const fn narrow(name: &'static str, kind: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column { name, kind, wide: false, cell }
}

const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column { name, kind: "string", wide: true, cell }
}

const NAME: Column = narrow("Name", "string", |o, _| text(o, "/metadata/name"));
const AGE: Column = narrow("Age", "string", |o, now| age(o, "/metadata/creationTimestamp", now));
const CONTAINERS: Column = wide("Containers", |o, _| joined(o, "/spec/template/spec/containers", "/name"));
const IMAGES: Column = wide("Images", |o, _| joined(o, "/spec/template/spec/containers", "/image"));
const SELECTOR: Column = wide("Selector", |o, _| selector(o, "/spec/selector/matchLabels"));

const DEPLOYMENT: [Column; 8] = [
    NAME,
    narrow("Ready", "string", |o, _| {
        json!(format!("{}/{}", number(o, "/status/readyReplicas"), number(o, "/spec/replicas")))
    }),
    narrow("Up-to-date", "string", |o, _| json!(number(o, "/status/updatedReplicas"))),
    narrow("Available", "string", |o, _| json!(number(o, "/status/availableReplicas"))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const REPLICASET: [Column; 8] = [
    NAME,
    narrow("Desired", "integer", |o, _| json!(number(o, "/spec/replicas"))),
    narrow("Current", "integer", |o, _| json!(number(o, "/status/replicas"))),
    narrow("Ready", "integer", |o, _| json!(number(o, "/status/readyReplicas"))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const POD: [Column; 9] = [
    NAME,
    narrow("Ready", "string", |o, _| {
        let all = list(o, "/spec/containers").len();
        let ready = list(o, "/status/containerStatuses").iter();
        let ready = ready.filter(|c| c.get("ready") == Some(&Value::Bool(true))).count();
        json!(format!("{ready}/{all}"))
    }),
    narrow("Status", "string", |o, _| json!(pod_status(o))),
    narrow("Restarts", "string", |o, _| {
        let all = list(o, "/status/containerStatuses").iter();
        json!(all.map(|c| number(c, "/restartCount")).sum::<i64>().to_string())
    }),
    AGE,
    wide("IP", |o, _| or_none(o, "/status/podIP")),
    wide("Node", |o, _| or_none(o, "/spec/nodeName")),
    wide("Nominated Node", |o, _| or_none(o, "/status/nominatedNodeName")),
    wide("Readiness Gates", |_, _| json!("<none>")),
];
const SERVICE: [Column; 7] = [
    NAME,
    narrow("Type", "string", |o, _| text(o, "/spec/type")),
    narrow("Cluster-IP", "string", |o, _| or_none(o, "/spec/clusterIP")),
    narrow("External-IP", "string", |_, _| json!("<none>")),
    narrow("Port(s)", "string", |o, _| {
        let ports = list(o, "/spec/ports").iter();
        let ports: Vec<String> = ports.map(|p| format!("{}/{}", number(p, "/port"), word(p, "/protocol"))).collect();
        json!(ports.join(","))
    }),
    AGE,
    wide("Selector", |o, _| selector(o, "/spec/selector")),
];
const CONFIGMAP: [Column; 3] = [
    NAME,
    narrow("Data", "string", |o, _| {
        let size = |at: &str| o.get(at).and_then(Value::as_object).map_or(0, serde_json::Map::len);
        json!(size("data") + size("binaryData"))
    }),
    AGE,
];
const SECRET: [Column; 4] = [
    NAME,
    narrow("Type", "string", |o, _| text(o, "/type")),
    narrow("Data", "string", |o, _| {
        json!(o.get("data").and_then(Value::as_object).map_or(0, serde_json::Map::len).to_string())
    }),
    AGE,
];
const NAMESPACE: [Column; 3] = [NAME, narrow("Status", "string", |o, _| text(o, "/status/phase")), AGE];
const NODE: [Column; 10] = [
    NAME,
    narrow("Status", "string", |o, _| {
        let ready = list(o, "/status/conditions").iter().find(|c| word(c, "/type") == "Ready");
        json!(if ready.is_some_and(|c| word(c, "/status") == "True") { "Ready" } else { "NotReady" })
    }),
    narrow("Roles", "string", |_, _| json!("<none>")),
    AGE,
    narrow("Version", "string", |o, _| text(o, "/status/nodeInfo/kubeletVersion")),
    wide("Internal-IP", |o, _| node_address(o, "InternalIP")),
    wide("External-IP", |o, _| node_address(o, "ExternalIP")),
    wide("OS-Image", |o, _| or_unknown(o, "/status/nodeInfo/osImage")),
    wide("Kernel-Version", |o, _| or_unknown(o, "/status/nodeInfo/kernelVersion")),
    wide("Container-Runtime", |o, _| or_unknown(o, "/status/nodeInfo/containerRuntimeVersion")),
];
const EVENT: [Column; 10] = [
    narrow("Last Seen", "string", |o, now| {
        let last = ["/series/lastObservedTime", "/lastTimestamp", "/firstTimestamp", "/eventTime"];
        let at = last.into_iter().find(|at| !word(o, at).is_empty());
        at.map_or_else(|| json!("<unknown>"), |at| age(o, at, now))
    }),
    narrow("Type", "string", |o, _| text(o, "/type")),
    narrow("Reason", "string", |o, _| text(o, "/reason")),
    narrow("Object", "string", |o, _| {
        let kind = word(o, "/involvedObject/kind").to_lowercase();
        json!(format!("{kind}/{}", word(o, "/involvedObject/name")))
    }),
    wide("Subobject", |o, _| text(o, "/involvedObject/fieldPath")),
    wide("Source", |o, _| {
        let pair = |a: &str, b: &str| if b.is_empty() { a.to_owned() } else { format!("{a}, {b}") };
        let source = word(o, "/source/component");
        json!(if source.is_empty() {
            pair(word(o, "/reportingComponent"), word(o, "/reportingInstance"))
        } else {
            pair(source, word(o, "/source/host"))
        })
    }),
    narrow("Message", "string", |o, _| text(o, "/message")),
    wide("First Seen", |o, now| {
        let at = if word(o, "/firstTimestamp").is_empty() { "/eventTime" } else { "/firstTimestamp" };
        age(o, at, now)
    }),
    wide("Count", |o, _| json!(number(o, "/count").max(1))),
    wide("Name", |o, _| text(o, "/metadata/name")),
];
const HPA: [Column; 7] = [
    NAME,
    narrow("Reference", "string", |o, _| {
        json!(format!("{}/{}", word(o, "/spec/scaleTargetRef/kind"), word(o, "/spec/scaleTargetRef/name")))
    }),
    narrow("Targets", "string", |o, _| json!(targets(o))),
    narrow("MinPods", "string", |o, _| json!(number(o, "/spec/minReplicas").to_string())),
    narrow("MaxPods", "string", |o, _| json!(number(o, "/spec/maxReplicas"))),
    narrow("Replicas", "string", |o, _| json!(number(o, "/status/currentReplicas"))),
    AGE,
];
const LEASE: [Column; 3] = [NAME, narrow("Holder", "string", |o, _| text(o, "/spec/holderIdentity")), AGE];
const GATEWAY_ROUTE: [Column; 3] = [
    NAME,
    narrow("Hostnames", "string", |o, _| in_json(o, "/spec/hostnames")),
    narrow("Age", "date", |o, now| age(o, "/metadata/creationTimestamp", now)),
];
const VIRTUALSERVICE: [Column; 4] = [
    NAME,
    narrow("Gateways", "string", |o, _| in_json(o, "/spec/gateways")),
    narrow("Hosts", "string", |o, _| in_json(o, "/spec/hosts")),
    narrow("Age", "date", |o, now| age(o, "/metadata/creationTimestamp", now)),
];
const APPLICATION: [Column; 3] = [
    NAME,
    narrow("Sync Status", "string", |o, _| text(o, "/status/sync/status")),
    narrow("Health Status", "string", |o, _| text(o, "/status/health/status")),
];
const DAEMONSET: [Column; 11] = [
    NAME,
    narrow("Desired", "integer", |o, _| json!(number(o, "/status/desiredNumberScheduled"))),
    narrow("Current", "integer", |o, _| json!(number(o, "/status/currentNumberScheduled"))),
    narrow("Ready", "integer", |o, _| json!(number(o, "/status/numberReady"))),
    narrow("Up-to-date", "integer", |o, _| json!(number(o, "/status/updatedNumberScheduled"))),
    narrow("Available", "integer", |o, _| json!(number(o, "/status/numberAvailable"))),
    narrow("Node Selector", "string", |o, _| selector(o, "/spec/template/spec/nodeSelector")),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
const STATEFULSET: [Column; 5] = [
    NAME,
    narrow("Ready", "string", |o, _| {
        json!(format!("{}/{}", number(o, "/status/readyReplicas"), number(o, "/spec/replicas")))
    }),
    AGE,
    CONTAINERS,
    IMAGES,
];
const CONTROLLERREVISION: [Column; 4] = [
    NAME,
    narrow("Controller", "string", |o, _| {
        let owner =
            list(o, "/metadata/ownerReferences").iter().find(|r| r.get("controller") == Some(&Value::Bool(true)));
        owner.map_or_else(
            || json!("<none>"),
            |owner| {
                let group = word(owner, "/apiVersion").rsplit_once('/').map_or(String::new(), |(g, _)| format!(".{g}"));
                json!(format!("{}{group}/{}", word(owner, "/kind").to_lowercase(), word(owner, "/name")))
            },
        )
    }),
    narrow("Revision", "string", |o, _| json!(number(o, "/revision"))),
    AGE,
];
const ROLLOUT: [Column; 6] = [
    NAME,
    narrow("Desired", "integer", |o, _| json!(number(o, "/spec/replicas"))),
    narrow("Current", "integer", |o, _| json!(number(o, "/status/replicas"))),
    narrow("Up-to-date", "integer", |o, _| json!(number(o, "/status/updatedReplicas"))),
    narrow("Available", "integer", |o, _| json!(number(o, "/status/availableReplicas"))),
    AGE,
];
const ANALYSISRUN: [Column; 3] = [NAME, narrow("Status", "string", |o, _| text(o, "/status/phase")), AGE];
const PLAIN: [Column; 2] = [NAME, AGE];

/// A list as a CRD's column shows it: in JSON.
fn in_json(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).map_or(Value::Null, |list| json!(list.to_string()))
}

fn columns(resource: &Resource) -> &'static [Column] {
    match resource.kind {
        "Deployment" => &DEPLOYMENT,
        "ReplicaSet" => &REPLICASET,
        "StatefulSet" => &STATEFULSET,
        "DaemonSet" => &DAEMONSET,
        "ControllerRevision" => &CONTROLLERREVISION,
        "Pod" => &POD,
        "Service" => &SERVICE,
        "ConfigMap" => &CONFIGMAP,
        "Secret" => &SECRET,
        "Namespace" => &NAMESPACE,
        "Node" => &NODE,
        "Event" => &EVENT,
        "HorizontalPodAutoscaler" => &HPA,
        "Lease" => &LEASE,
        "HTTPRoute" | "GRPCRoute" => &GATEWAY_ROUTE,
        "VirtualService" => &VIRTUALSERVICE,
        "Application" => &APPLICATION,
        "Rollout" => &ROLLOUT,
        "AnalysisRun" => &ANALYSISRUN,
        _ => &PLAIN,
    }
}

/// `columnDefinitions` of a resource's Table.
pub fn definitions(resource: &Resource) -> Vec<Value> {
    let one = |column: &Column| {
        let format = if column.name == "Name" { "name" } else { "" };
        json!({"name": column.name, "type": column.kind, "format": format, "description": "",
            "priority": i32::from(column.wide)})
    };
    columns(resource).iter().map(one).collect()
}

/// One object's cells.
pub fn cells(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    columns(resource).iter().map(|column| (column.cell)(object, now)).collect()
}

fn word<'a>(object: &'a Value, at: &str) -> &'a str {
    object.pointer(at).and_then(Value::as_str).unwrap_or("")
}

fn text(object: &Value, at: &str) -> Value {
    word(object, at).into()
}

fn or_none(object: &Value, at: &str) -> Value {
    let found = word(object, at);
    if found.is_empty() { "<none>".into() } else { found.into() }
}

fn or_unknown(object: &Value, at: &str) -> Value {
    let found = word(object, at);
    if found.is_empty() { "<unknown>".into() } else { found.into() }
}

fn node_address(node: &Value, kind: &str) -> Value {
    let found = list(node, "/status/addresses").iter().find(|a| word(a, "/type") == kind);
    found.map_or_else(|| "<none>".into(), |a| word(a, "/address").into())
}

fn number(object: &Value, at: &str) -> i64 {
    object.pointer(at).and_then(Value::as_i64).unwrap_or(0)
}

fn list<'a>(object: &'a Value, at: &str) -> &'a [Value] {
    object.pointer(at).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn joined(object: &Value, at: &str, part: &str) -> Value {
    let parts: Vec<&str> = list(object, at).iter().map(|c| word(c, part)).collect();
    parts.join(",").into()
}

fn selector(object: &Value, at: &str) -> Value {
    let labels = object.pointer(at).and_then(Value::as_object).into_iter().flatten();
    let labels: Vec<String> = labels.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    if labels.is_empty() { "<none>".into() } else { labels.join(",").into() }
}

fn pod_status(pod: &Value) -> String {
    if !word(pod, "/metadata/deletionTimestamp").is_empty() {
        return "Terminating".to_owned();
    }
    let mut reason = word(pod, "/status/reason");
    if reason.is_empty() {
        reason = word(pod, "/status/phase");
    }
    for container in list(pod, "/status/containerStatuses").iter().rev() {
        let waiting = word(container, "/state/waiting/reason");
        let ended = word(container, "/state/terminated/reason");
        if !waiting.is_empty() {
            reason = waiting;
        } else if !ended.is_empty() {
            reason = ended;
        }
    }
    reason.to_owned()
}

fn targets(hpa: &Value) -> String {
    let current = list(hpa, "/status/currentMetrics");
    let shown = list(hpa, "/spec/metrics").iter().enumerate().map(|(index, metric)| {
        let name = word(metric, "/resource/name");
        let wanted = number(metric, "/resource/target/averageUtilization");
        let now =
            current.get(index).and_then(|m| m.pointer("/resource/current/averageUtilization")).and_then(Value::as_i64);
        let now = now.map_or_else(|| "<unknown>".to_owned(), |n| format!("{n}%"));
        format!("{name}: {now}/{wanted}%")
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "<none>".to_owned() } else { shown.join(", ") }
}

fn age(object: &Value, at: &str, now: Timestamp) -> Value {
    match word(object, at).parse::<Timestamp>() {
        Ok(then) => human(now.duration_since(then).as_secs()).into(),
        Err(_) => "<unknown>".into(),
    }
}

/// A span as kubectl writes it: two units while the bigger one is small.
fn human(seconds: i64) -> String {
    let (minute, hour, day, year) = (60, 3_600, 86_400, 31_536_000);
    let pair = |big: i64, unit: &str, rest: i64, small: &str| match rest {
        0 => format!("{big}{unit}"),
        rest => format!("{big}{unit}{rest}{small}"),
    };
    match seconds {
        s if s < -1 => "<invalid>".to_owned(),
        s if s < 0 => "0s".to_owned(),
        s if s < 2 * minute => format!("{s}s"),
        s if s < 10 * minute => pair(s / minute, "m", s % minute, "s"),
        s if s < 3 * hour => format!("{}m", s / minute),
        s if s < 8 * hour => pair(s / hour, "h", s % hour / minute, "m"),
        s if s < 2 * day => format!("{}h", s / hour),
        s if s < 8 * day => pair(s / day, "d", s % day / hour, "h"),
        s if s < 2 * year => format!("{}d", s / day),
        s if s < 8 * year => pair(s / year, "y", s % year / day, "d"),
        s => format!("{}y", s / year),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_kubectl_writes_them() {
        let table = [
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (700, "11m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (100_000, "27h"),
            (180_000, "2d2h"),
            (900_000, "10d"),
            (70_000_000, "2y80d"),
        ];
        for (seconds, wanted) in table {
            assert_eq!(human(seconds), wanted);
        }
    }
}
