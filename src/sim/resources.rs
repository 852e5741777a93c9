//! The table of served kinds: one row per resource, everything else looks them up here.

/// One served kind in one version.
#[derive(Debug)]
pub struct Resource {
    /// API group; empty for core.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// As in paths: `deployments`.
    pub plural: &'static str,
    /// `deployment`.
    pub singular: &'static str,
    /// `Deployment`.
    pub kind: &'static str,
    /// Short names kubectl accepts.
    pub short: &'static [&'static str],
    /// Groups of kinds: `kubectl get all`.
    pub categories: &'static [&'static str],
    /// Lives in a namespace.
    pub namespaced: bool,
    /// Has `/status`, with its own writers; then the main endpoint cannot change `.status`.
    pub status: bool,
    /// Has `/scale` (autoscaling/v1 Scale over `.spec.replicas`).
    pub scale: bool,
    /// Counts spec changes in `metadata.generation`.
    pub generation: bool,
    /// Served from a CustomResourceDefinition: no strategic merge patch.
    pub custom: bool,
    /// The resource whose objects this one shows in another form.
    pub view_of: Option<&'static Resource>,
}

impl Resource {
    const BASE: Self = Self {
        group: "",
        version: "v1",
        plural: "",
        singular: "",
        kind: "",
        short: &[],
        categories: &[],
        namespaced: true,
        status: false,
        scale: false,
        generation: false,
        custom: false,
        view_of: None,
    };

    /// `deployments.apps`, or `pods` for core: as messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `apps/v1`, or `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The resource whose objects are stored.
    pub fn stored(&'static self) -> &'static Resource {
        self.view_of.unwrap_or(self)
    }

    /// Same group, version and plural.
    pub fn is(&self, other: &Resource) -> bool {
        self.plural == other.plural && self.group == other.group && self.version == other.version
    }
}

/// core/v1 Namespaces.
pub static NAMESPACES: Resource = Resource {
    plural: "namespaces",
    singular: "namespace",
    kind: "Namespace",
    short: &["ns"],
    namespaced: false,
    status: true,
    ..Resource::BASE
};
/// core/v1 Pods.
pub static PODS: Resource = Resource {
    plural: "pods",
    singular: "pod",
    kind: "Pod",
    short: &["po"],
    categories: &["all"],
    status: true,
    generation: true,
    ..Resource::BASE
};
/// core/v1 Services.
pub static SERVICES: Resource = Resource {
    plural: "services",
    singular: "service",
    kind: "Service",
    short: &["svc"],
    categories: &["all"],
    status: true,
    ..Resource::BASE
};
/// core/v1 ConfigMaps.
pub static CONFIGMAPS: Resource =
    Resource { plural: "configmaps", singular: "configmap", kind: "ConfigMap", short: &["cm"], ..Resource::BASE };
/// core/v1 Secrets: served, so that tools that list them get an honest empty list.
pub static SECRETS: Resource = Resource { plural: "secrets", singular: "secret", kind: "Secret", ..Resource::BASE };
/// core/v1 Nodes.
pub static NODES: Resource = Resource {
    plural: "nodes",
    singular: "node",
    kind: "Node",
    short: &["no"],
    namespaced: false,
    status: true,
    ..Resource::BASE
};
/// core/v1 Events: the form in which all events are stored.
pub static EVENTS: Resource =
    Resource { plural: "events", singular: "event", kind: "Event", short: &["ev"], ..Resource::BASE };
/// events.k8s.io/v1 Events: another view of the same objects.
pub static EVENTS_V1: Resource = Resource {
    group: "events.k8s.io",
    plural: "events",
    singular: "event",
    kind: "Event",
    short: &["ev"],
    view_of: Some(&EVENTS),
    ..Resource::BASE
};
/// apps/v1 Deployments.
pub static DEPLOYMENTS: Resource = Resource {
    group: "apps",
    plural: "deployments",
    singular: "deployment",
    kind: "Deployment",
    short: &["deploy"],
    categories: &["all"],
    status: true,
    scale: true,
    generation: true,
    ..Resource::BASE
};
/// apps/v1 ReplicaSets.
pub static REPLICASETS: Resource = Resource {
    group: "apps",
    plural: "replicasets",
    singular: "replicaset",
    kind: "ReplicaSet",
    short: &["rs"],
    categories: &["all"],
    status: true,
    scale: true,
    generation: true,
    ..Resource::BASE
};
/// apps/v1 StatefulSets.
pub static STATEFULSETS: Resource = Resource {
    group: "apps",
    plural: "statefulsets",
    singular: "statefulset",
    kind: "StatefulSet",
    short: &["sts"],
    categories: &["all"],
    status: true,
    scale: true,
    generation: true,
    ..Resource::BASE
};
/// apps/v1 DaemonSets.
pub static DAEMONSETS: Resource = Resource {
    group: "apps",
    plural: "daemonsets",
    singular: "daemonset",
    kind: "DaemonSet",
    short: &["ds"],
    categories: &["all"],
    status: true,
    generation: true,
    ..Resource::BASE
};
/// apps/v1 ControllerRevisions: templates that StatefulSets and DaemonSets ran.
pub static CONTROLLERREVISIONS: Resource = Resource {
    group: "apps",
    plural: "controllerrevisions",
    singular: "controllerrevision",
    kind: "ControllerRevision",
    ..Resource::BASE
};
/// autoscaling/v2 HorizontalPodAutoscalers.
pub static HPAS: Resource = Resource {
    group: "autoscaling",
    version: "v2",
    plural: "horizontalpodautoscalers",
    singular: "horizontalpodautoscaler",
    kind: "HorizontalPodAutoscaler",
    short: &["hpa"],
    categories: &["all"],
    status: true,
    ..Resource::BASE
};
/// coordination.k8s.io/v1 Leases.
pub static LEASES: Resource =
    Resource { group: "coordination.k8s.io", plural: "leases", singular: "lease", kind: "Lease", ..Resource::BASE };
/// gateway.networking.k8s.io/v1 HTTPRoutes, from a CRD.
pub static HTTPROUTES: Resource = Resource {
    group: "gateway.networking.k8s.io",
    plural: "httproutes",
    singular: "httproute",
    kind: "HTTPRoute",
    categories: &["gateway-api"],
    status: true,
    generation: true,
    custom: true,
    ..Resource::BASE
};
/// gateway.networking.k8s.io/v1 GRPCRoutes, from a CRD.
pub static GRPCROUTES: Resource =
    Resource { plural: "grpcroutes", singular: "grpcroute", kind: "GRPCRoute", ..HTTPROUTES };
/// networking.istio.io/v1 VirtualServices, from a CRD.
pub static VIRTUALSERVICES: Resource = Resource {
    group: "networking.istio.io",
    plural: "virtualservices",
    singular: "virtualservice",
    kind: "VirtualService",
    short: &["vs"],
    categories: &["istio-io", "networking-istio-io"],
    ..HTTPROUTES
};
/// externaldns.k8s.io/v1alpha1 DNSEndpoints, from a CRD.
pub static DNSENDPOINTS: Resource = Resource {
    group: "externaldns.k8s.io",
    version: "v1alpha1",
    plural: "dnsendpoints",
    singular: "dnsendpoint",
    kind: "DNSEndpoint",
    categories: &[],
    ..HTTPROUTES
};
/// argoproj.io/v1alpha1 Rollouts, from a CRD.
pub static ROLLOUTS: Resource = Resource {
    group: "argoproj.io",
    version: "v1alpha1",
    plural: "rollouts",
    singular: "rollout",
    kind: "Rollout",
    short: &["ro"],
    categories: &[],
    status: true,
    scale: true,
    generation: true,
    custom: true,
    ..Resource::BASE
};
/// argoproj.io/v1alpha1 AnalysisRuns, from a CRD without a status subresource.
pub static ANALYSISRUNS: Resource = Resource {
    group: "argoproj.io",
    version: "v1alpha1",
    plural: "analysisruns",
    singular: "analysisrun",
    kind: "AnalysisRun",
    short: &["ar"],
    generation: true,
    custom: true,
    ..Resource::BASE
};

/// argoproj.io/v1alpha1 Applications of Argo CD, from a CRD without a status subresource.
pub static APPLICATIONS: Resource = Resource {
    group: "argoproj.io",
    version: "v1alpha1",
    plural: "applications",
    singular: "application",
    kind: "Application",
    short: &["app", "apps"],
    categories: &[],
    status: false,
    ..HTTPROUTES
};

/// Every served resource that holds objects, core first, then groups by name.
pub static RESOURCES: [&Resource; 22] = [
    &CONFIGMAPS,
    &EVENTS,
    &NAMESPACES,
    &NODES,
    &PODS,
    &SECRETS,
    &SERVICES,
    &CONTROLLERREVISIONS,
    &DAEMONSETS,
    &DEPLOYMENTS,
    &REPLICASETS,
    &STATEFULSETS,
    &HPAS,
    &LEASES,
    &EVENTS_V1,
    &ANALYSISRUNS,
    &APPLICATIONS,
    &ROLLOUTS,
    &DNSENDPOINTS,
    &GRPCROUTES,
    &HTTPROUTES,
    &VIRTUALSERVICES,
];

/// The resource with this group, version and plural.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    RESOURCES.into_iter().find(|r| r.plural == plural && r.group == group && r.version == version)
}

/// The resource of objects with this `apiVersion` and `kind`.
pub fn of_kind(api_version: &str, kind: &str) -> Option<&'static Resource> {
    RESOURCES.into_iter().find(|r| r.kind == kind && r.api_version() == api_version)
}
