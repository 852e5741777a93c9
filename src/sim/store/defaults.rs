//! Defaults that the API server writes into the objects of the built-in kinds.

use serde_json::{Map, Value, json};

use super::super::resources::Resource;
use super::meta;

/// Fills in what the writer left out.
pub(super) fn apply(resource: &Resource, object: &mut Value) {
    match resource.kind {
        "Deployment" => deployment(object),
        "ReplicaSet" => {
            let Some(spec) = child(object, "spec") else {
                return;
            };
            default(spec, "replicas", 1);
            template(spec);
        }
        "StatefulSet" | "DaemonSet" => {
            let Some(spec) = child(object, "spec") else {
                return;
            };
            if resource.kind == "StatefulSet" {
                default(spec, "replicas", 1);
                default(spec, "podManagementPolicy", "OrderedReady");
            }
            default(spec, "revisionHistoryLimit", 10);
            update_strategy(spec, resource.kind == "StatefulSet");
            template(spec);
        }
        "Pod" => {
            if let Some(Value::Object(spec)) = object.get_mut("spec") {
                pod_spec(spec);
                default(spec, "enableServiceLinks", true);
            }
            if let Some(status) = child(object, "status") {
                default(status, "phase", "Pending");
                default(status, "qosClass", "BestEffort");
            }
        }
        "Service" => service(object),
        "Namespace" => namespace(object),
        "Secret" => {
            if let Some(map) = object.as_object_mut() {
                default(map, "type", "Opaque");
            }
        }
        "HorizontalPodAutoscaler" => {
            let Some(spec) = child(object, "spec") else {
                return;
            };
            default(spec, "minReplicas", 1);
            let cpu = json!([{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}}}]);
            default(spec, "metrics", cpu);
        }
        "HTTPRoute" | "GRPCRoute" => gateway_route(object),
        _ => {}
    }
}

fn default(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value.into();
    }
}

fn child<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    let map = object.as_object_mut()?;
    map.entry(key).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// What a rolling update of a StatefulSet (`ordered`) or a DaemonSet means where it does not say.
fn update_strategy(spec: &mut Map<String, Value>, ordered: bool) {
    default(spec, "updateStrategy", json!({}));
    let Some(Value::Object(strategy)) = spec.get_mut("updateStrategy") else { return };
    default(strategy, "type", "RollingUpdate");
    if strategy.get("type").and_then(Value::as_str) != Some("RollingUpdate") {
        return;
    }
    default(strategy, "rollingUpdate", json!({}));
    if let Some(Value::Object(rolling)) = strategy.get_mut("rollingUpdate") {
        if ordered {
            default(rolling, "partition", 0);
        } else {
            default(rolling, "maxUnavailable", 1);
            default(rolling, "maxSurge", 0);
        }
    }
}

fn deployment(object: &mut Value) {
    let Some(spec) = child(object, "spec") else {
        return;
    };
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    if let Some(Value::Object(strategy)) = spec.get_mut("strategy") {
        strategy_of(strategy);
    } else {
        let mut strategy = Map::new();
        strategy_of(&mut strategy);
        spec.insert("strategy".to_owned(), Value::Object(strategy));
    }
    template(spec);
}

fn strategy_of(strategy: &mut Map<String, Value>) {
    default(strategy, "type", "RollingUpdate");
    if strategy.get("type").and_then(Value::as_str) != Some("RollingUpdate") {
        return;
    }
    default(strategy, "rollingUpdate", json!({}));
    if let Some(Value::Object(rolling)) = strategy.get_mut("rollingUpdate") {
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
}

fn template(spec: &mut Map<String, Value>) {
    if let Some(Value::Object(pod)) = spec.get_mut("template").and_then(|t| t.get_mut("spec")) {
        pod_spec(pod);
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", "default-scheduler");
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            container_of(container);
        }
    }
}

fn container_of(container: &mut Map<String, Value>) {
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    let image = container.get("image").and_then(Value::as_str).unwrap_or("");
    let last = image.rsplit('/').next().unwrap_or("");
    let latest = !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    default(container, "imagePullPolicy", if latest { "Always" } else { "IfNotPresent" });
    for port in objects(container, "ports") {
        default(port, "protocol", "TCP");
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(Value::Object(probe)) = container.get_mut(probe) {
            default(probe, "timeoutSeconds", 1);
            default(probe, "periodSeconds", 10);
            default(probe, "successThreshold", 1);
            default(probe, "failureThreshold", 3);
            if let Some(Value::Object(get)) = probe.get_mut("httpGet") {
                default(get, "path", "/");
                default(get, "scheme", "HTTP");
            }
        }
    }
}

fn objects<'a>(map: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// An address from the service range that follows from the object's uid.
fn cluster_ip(object: &Value) -> String {
    let uid = meta::text(object, "uid").replace('-', "");
    let number = uid.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok()).unwrap_or(1);
    let [high, low] = number.to_be_bytes();
    format!("10.96.{high}.{low}")
}

fn service(object: &mut Value) {
    let address = cluster_ip(object);
    if let Some(Value::Object(status)) = object.get_mut("status") {
        default(status, "loadBalancer", json!({}));
    }
    let Some(spec) = child(object, "spec") else {
        return;
    };
    default(spec, "type", "ClusterIP");
    if spec.get("type").and_then(Value::as_str) != Some("ExternalName") {
        default(spec, "clusterIP", address);
        let address = spec.get("clusterIP").cloned().unwrap_or(Value::Null);
        default(spec, "clusterIPs", json!([address]));
    }
    default(spec, "sessionAffinity", "None");
    default(spec, "internalTrafficPolicy", "Cluster");
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", "SingleStack");
    for port in objects(spec, "ports") {
        default(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        default(port, "targetPort", number);
    }
}

fn namespace(object: &mut Value) {
    let name = meta::text(object, "name").to_owned();
    if let Some(labels) =
        meta::metadata(object).and_then(|m| m.entry("labels").or_insert_with(|| json!({})).as_object_mut())
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
    if let Some(spec) = child(object, "spec") {
        default(spec, "finalizers", json!(["kubernetes"]));
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Active");
    }
}

fn gateway_route(object: &mut Value) {
    let http = object.get("kind").and_then(Value::as_str) == Some("HTTPRoute");
    // A CRD's defaults fill what is there; a spec that is not there is missing.
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    for parent in objects(spec, "parentRefs") {
        default(parent, "group", "gateway.networking.k8s.io");
        default(parent, "kind", "Gateway");
    }
    default(spec, "rules", json!([{}]));
    for rule in objects(spec, "rules") {
        if http {
            default(rule, "matches", json!([{"path": {"type": "PathPrefix", "value": "/"}}]));
        }
        for backend in objects(rule, "backendRefs") {
            default(backend, "group", "");
            default(backend, "kind", "Service");
            default(backend, "weight", 1);
        }
    }
}
