//! The objects of the fleet as a real API server stores them: defaults filled in.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::controllers::stamp;
use crate::sim::scenario::WorkloadSettings;

/// A Deployment without status, with this pod template.
#[must_use]
pub fn deployment(region: &str, service: &str, template: Value, replicas: u32, settings: &WorkloadSettings) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": service,
            "namespace": service,
            "labels": {"app": service, "region": region},
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": settings.progress_deadline.0.as_secs(),
            "selector": {"matchLabels": {"app": service}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": template,
        },
    });
    let min_ready = settings.min_ready.0.as_secs();
    if min_ready > 0
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.insert("minReadySeconds".into(), min_ready.into());
    }
    object
}

/// A Namespace.
#[must_use]
pub fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

/// A Service of type ClusterIP.
#[must_use]
pub fn service(namespace: &str, name: &str, app: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {
            "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "selector": {"app": app},
            "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": "http"}],
        },
        "status": {"loadBalancer": {}},
    })
}

/// A Node.
#[must_use]
pub fn node(name: &str, region: &str, since: Timestamp) -> Value {
    let ready = |kind: &str, status: &str, reason: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": stamp(since),
            "lastTransitionTime": stamp(since)})
    };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "topology.kubernetes.io/region": region,
        }},
        "spec": {},
        "status": {
            "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            "allocatable": {"cpu": "15", "memory": "60Gi", "pods": "110"},
            "conditions": [ready("MemoryPressure", "False", "KubeletHasSufficientMemory"), ready("Ready", "True", "KubeletReady")],
            "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "Simulated Linux", "containerRuntimeVersion": "sim://1.0",
                "architecture": "amd64", "operatingSystem": "linux", "kernelVersion": "6.0.0"},
        },
    })
}

/// A HorizontalPodAutoscaler for a Deployment.
#[must_use]
pub fn autoscaler(service: &str, replicas: u32, target_percent: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": service, "namespace": service, "labels": {"app": service}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service},
            "minReplicas": (replicas / 2).max(2),
            "maxReplicas": replicas * 3,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": target_percent}}}],
        },
        "status": {"currentReplicas": replicas, "desiredReplicas": replicas, "currentMetrics": null, "conditions": []},
    })
}
