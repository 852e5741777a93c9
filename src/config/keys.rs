//! Every section and key of the format: the reader, the schema and the docs go by this table.

mod delivery;
mod git;
mod pipeline;
mod policy;
mod traffic;

pub use delivery::DELIVERY;
use delivery::{DELIVERY_KEY, OWN_APPLICATION, OWN_DELIVERY};
pub use git::{GIT, REPOSITORY};
use git::{GIT_KEY, OWN_GIT, REPOSITORIES};
pub use pipeline::{DEED, FLAG, PIPELINE, STEERING};
use pipeline::{FLAG_OFF, OWN_PIPELINE, PIPELINE_KEY, PIPELINES, STEERINGS};
pub use policy::{GATE_POLICY, NOTIFY, POLICY, RING_POLICY};
use policy::{POLICY_KEY, RING_POLICY_KEY};
pub use traffic::{CAPACITY, ROUTE, TRAFFIC};

/// A kind of table in the file.
#[derive(Debug)]
pub struct Section {
    /// How its header is written, e.g. `cluster.NAME`; empty for the top of the file.
    pub path: &'static str,
    /// One sentence for the docs.
    pub about: &'static str,
    /// What may stand in it.
    pub keys: &'static [Key],
}

/// One key of a section.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// What holds when it is left out.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text.
    Text,
    /// Text, or a number that stands for it: a port.
    TextOrNumber,
    /// Text, or a list of texts.
    Texts,
    /// Whole number, at least this.
    Whole(u32),
    /// A list of percentages, falling to 0.
    PercentsDown,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A length of time as text: `90s`, `4h`, `1h30m`, `2d`.
    Duration,
    /// A day: `2026-05-01`, quoted or not.
    Day,
    /// A moment with zone: `2026-05-01T12:00:00Z`, quoted or not.
    Moment,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A table.
    Table(&'static Section),
    /// A table, or `false`.
    TableOrOff(&'static Section),
    /// A table of tables by name.
    Named(&'static Section),
    /// A table of texts by name.
    TextsByName,
    /// A table of texts or `{ env = … }` / `{ file = … }` by name.
    SecretsByName,
    /// `{ env = "VAR" }` or `{ file = "PATH" }`.
    Secret,
    /// A list of rings: tables, or just lists of regions.
    Rings,
    /// A list of gates: names, or tables with `gate` and its parameters.
    Gates,
    /// A list of what a promotion carries.
    Carries,
    /// `"image"`, `{ label = … }` or `{ annotation = … }`.
    VersionFrom,
}

impl Section {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

const fn key(name: &'static str, shape: Shape, default: &'static str, about: &'static str) -> Key {
    Key { name, shape, default, about }
}

const REQUIRED: &str = "required";
const NONE: &str = "none";

const EXIT: Key = key(
    "exit",
    Shape::Gates,
    "`ready`, `freshness`, `bake` for 1 h and, with a Prometheus, `errors` at most 1 %",
    "Exit gates: they judge a ring's own regions and let later rings start. The most specific list wins as a whole: service ring, topology ring, service, topology, `[defaults]`.",
);
const ENTRY: Key = key(
    "entry",
    Shape::Gates,
    "`freshness`",
    "Entry gates: they judge the ring that would change. The most specific list wins as a whole.",
);
const BAKE: Key = key(
    "bake",
    Shape::Duration,
    "as in the exit gates",
    "Short for the exit gate `bake` with this length; wins over a list that is less specific.",
);
const OWNER: Key = key("owner", Shape::Text, NONE, "Team that owns it.");
const ESCALATION: Key = key("escalation", Shape::Text, NONE, "Whom to call: a number, a channel, a page.");
const DECIDERS: Key = key(
    "deciders",
    Shape::Texts,
    "everybody whom the cluster lets",
    "Users or groups, as the cluster names them, who may add risk here; others need break-glass, and are told whom to call.",
);
const PARALLELISM: Key =
    key("parallelism", Shape::Whole(1), "1", "How many regions of the ring a promotion changes at the same time.");
const STAGGER: Key = key(
    "stagger",
    Shape::Duration,
    NONE,
    "A promotion offers the next region of the ring only after this soak and the gates of the one before.",
);

const WAIVE: Key = key(
    "waive",
    Shape::TextsByName,
    NONE,
    "Findings of `gonogo check --plan` that are accepted here, by code, each with its reason: `{ GG012 = \"…\" }`.",
);
const BASIC_AUTH: Key = key("basic", Shape::Table(&BASIC), NONE, "Basic authentication.");
const BEARER: Key = key("bearer", Shape::Secret, NONE, "Bearer token, from the environment or a file.");
const CA: Key = key("ca", Shape::Text, "the host's", "PEM file of the certificate authority; relative to this file.");

/// The top of the file.
pub static ROOT: Section = Section {
    path: "",
    about: "The top of the file.",
    keys: &[
        key(
            "fleet",
            Shape::Text,
            "`default`",
            "Name of the fleet; part of the names of the ConfigMaps that hold the shared record. Consoles that work together use the same.",
        ),
        key("cluster", Shape::Named(&CLUSTER), REQUIRED, "The clusters, by name."),
        key("prometheus", Shape::Named(&PROMETHEUS), NONE, "The Prometheus servers, by name."),
        key("endpoint", Shape::Named(&ENDPOINT), NONE, "HTTP endpoints that gates ask, by name."),
        REPOSITORIES,
        PIPELINES,
        STEERINGS,
        key(
            "region",
            Shape::Named(&REGION),
            "a region is in the cluster of the same name",
            "What is true of a region for every service.",
        ),
        key("topology", Shape::Named(&TOPOLOGY), "each service names its rings", "Rings that services share."),
        key("column", Shape::Named(&COLUMN), "the standard columns", "Columns of the metric table, for every service."),
        key("defaults", Shape::Table(&DEFAULTS), NONE, "What holds for every service that does not say otherwise."),
        key("service", Shape::Named(&SERVICE), REQUIRED, "The services, by name."),
        key(
            "identities",
            Shape::TextsByName,
            NONE,
            "Who is who where clusters call people differently: `ana = [\"ana@example.com\", \"arn:aws:iam::1:user/ana\"]`. Approvals go by it.",
        ),
        key("notify", Shape::Named(&NOTIFY), NONE, "Whom a guard tells, by name."),
        key("ui", Shape::Table(&UI), NONE, "The screen."),
        key(
            "simulated_clock",
            Shape::Table(&CLOCK),
            "the host's clock",
            "Only in files that `gonogo sim` writes: the simulation's time.",
        ),
    ],
};

/// One API server.
pub static CLUSTER: Section = Section {
    path: "cluster.NAME",
    about: "One API server. The current context of a kubeconfig is never used.",
    keys: &[
        key("context", Shape::Text, "the cluster's name", "Context of the kubeconfig."),
        key("in_cluster", Shape::Flag, "`false`", "Use the service account of the pod that gonogo runs in."),
        key(
            "kubeconfig",
            Shape::Text,
            "`$KUBECONFIG`, else `~/.kube/config`",
            "A kubeconfig of its own; relative to this file.",
        ),
        key(
            "prometheus",
            Shape::Text,
            "the one that lists this cluster, else the only one there is",
            "The Prometheus that knows the regions of this cluster.",
        ),
    ],
};

/// A Prometheus.
pub static PROMETHEUS: Section = Section {
    path: "prometheus.NAME",
    about: "A Prometheus, Thanos, Mimir or VictoriaMetrics. With `{{cluster}}` in the url, or by service proxy without `cluster`, each cluster asks its own.",
    keys: &[
        key("url", Shape::Text, "needed unless `via` is given", "Base URL, without `/api/v1`; may hold `{{cluster}}`."),
        key(
            "via",
            Shape::Word(&["service-proxy"]),
            NONE,
            "Through the API server's service proxy, with the kubeconfig's identity.",
        ),
        key("cluster", Shape::Text, "the cluster that asks", "With `via`: the cluster that Prometheus runs in."),
        key("namespace", Shape::Text, "required with `via`", "With `via`: namespace of the Service."),
        key("service", Shape::Text, "required with `via`", "With `via`: name of the Service."),
        key("port", Shape::TextOrNumber, "`9090`", "With `via`: port number or name of the Service."),
        key("https", Shape::Flag, "`false`", "With `via`: the Service speaks TLS."),
        key("path", Shape::Text, "empty", "With `via`: path before `/api/v1`, e.g. `/prometheus`."),
        key(
            "clusters",
            Shape::Texts,
            "all that name no other, if this is the only one",
            "The clusters that use it; a cluster may also name it.",
        ),
        key(
            "headers",
            Shape::SecretsByName,
            NONE,
            "Headers to send, e.g. `X-Scope-OrgID`; a value may be `{ env = \"VAR\" }` or `{ file = \"PATH\" }`.",
        ),
        BASIC_AUTH,
        BEARER,
        CA,
    ],
};

/// Basic authentication.
pub static BASIC: Section = Section {
    path: "prometheus.NAME.basic",
    about: "Basic authentication; the password never stands in the file.",
    keys: &[
        key("user", Shape::Text, REQUIRED, "User name."),
        key("password", Shape::Secret, REQUIRED, "`{ env = \"VAR\" }` or `{ file = \"PATH\" }`."),
    ],
};

/// An HTTP endpoint that gates ask.
pub static ENDPOINT: Section = Section {
    path: "endpoint.NAME",
    about: "An HTTP endpoint that the gates `webhook` and `flag` ask. Redirects are not followed, an answer has at most 64 KiB, and a watch screen asks none.",
    keys: &[
        key("url", Shape::Text, REQUIRED, "Base URL; a gate's `path` follows it."),
        key(
            "headers",
            Shape::SecretsByName,
            NONE,
            "Headers to send; a value may be `{ env = \"VAR\" }` or `{ file = \"PATH\" }`.",
        ),
        BASIC_AUTH,
        BEARER,
        CA,
        key("timeout", Shape::Duration, "`5s`", "How long an answer may take, from 100ms to 30s."),
    ],
};

/// What is true of a region for every service.
pub static REGION: Section = Section {
    path: "region.NAME",
    about: "What is true of a region for every service. Needed only where the defaults do not fit.",
    keys: &[
        key("cluster", Shape::Text, "the cluster of the same name", "The cluster it is in; two regions may share one."),
        key(
            "namespace",
            Shape::Text,
            "the service's",
            "Namespace of every service in this region; `{{service}} {{region}} {{ring}} {{cluster}}` are replaced.",
        ),
        key("zone", Shape::Text, NONE, "IANA time zone, e.g. `Europe/Dublin`."),
        OWNER,
        ESCALATION,
        DECIDERS,
        key(
            "residency",
            Shape::Word(&["free", "stays"]),
            "`free`",
            "`stays`: values measured in it must not leave it. Reports, handovers, explanations as JSON, notices, the journal and what policies write into the record are made without them, and say so.",
        ),
    ],
};

/// Rings that services share.
pub static TOPOLOGY: Section = Section {
    path: "topology.NAME",
    about: "Rings that services share, earliest first.",
    keys: &[
        key(
            "rings",
            Shape::Rings,
            REQUIRED,
            "The rings in order: tables (`[[topology.NAME.rings]]`), or just lists of regions, then called `ring-0`, `ring-1`, …",
        ),
        EXIT,
        ENTRY,
        BAKE,
        POLICY_KEY,
    ],
};

/// An ordered stage.
pub static RING: Section = Section {
    path: "topology.NAME.rings",
    about: "One ring. Its regions are promoted in the order in which they are listed.",
    keys: &[
        key("name", Shape::Text, "`ring-` and its position from 0", "Its name."),
        key("label", Shape::Text, NONE, "What people call it, e.g. `canary region`."),
        key("regions", Shape::Texts, REQUIRED, "Its regions, in promotion order."),
        PARALLELISM,
        STAGGER,
        BAKE,
        EXIT,
        ENTRY,
        RING_POLICY_KEY,
    ],
};

/// What is asked of Prometheus.
pub static COLUMN: Section = Section {
    path: "column.NAME",
    about: "A column of the metric table. A standard column of the same name is changed key by key.",
    keys: &[
        key("title", Shape::Text, "its name", "Heading."),
        key(
            "query",
            Shape::Text,
            "required for a new column",
            "PromQL. Placeholders stand inside quotes and are escaped: `{{service}} {{region}} {{namespace}} {{workload}} {{version}} {{template_hash}}`, and `{{regions}}` for a regular expression of all regions.",
        ),
        key(
            "by",
            Shape::Text,
            "one query per region",
            "One query for all regions: the label whose value is the region's name. `{{region}} {{version}} {{template_hash}}` then have no meaning.",
        ),
        key(
            "unit",
            Shape::Word(&["ratio", "seconds", "ms", "per_second", "bytes", "number"]),
            "`number`",
            "Unit of the samples; `ratio` is a share from 0 to 1.",
        ),
        key("better", Shape::Word(&["lower", "higher", "neither"]), "`neither`", "Which way is good."),
        key(
            "normal",
            Shape::Text,
            "what is measured",
            "What is normal for it, in its unit, e.g. `0.2%`: `check --plan` asks whether a bound would notice half as much again.",
        ),
        key(
            "traffic",
            Shape::Flag,
            "`false`",
            "This column is the region's traffic in queries per second; one per service.",
        ),
    ],
};

const WORKLOAD_KEY: Key = key(
    "workload",
    Shape::Table(&WORKLOAD),
    "a Deployment named like the service",
    "The object that runs it, by template.",
);
const ROUTE_KEY: Key =
    key("route", Shape::TableOrOff(&ROUTE), NONE, "How traffic reaches its regions, for drain and restore.");
const CARRIES: Key = key(
    "carries",
    Shape::Carries,
    "`[\"image\"]`",
    "What a promotion copies: `image` (tag and digest), `image:ref` (all of it), pointers such as `/spec/template/spec/containers[name=web]/args`, or `{ path = …, template = … }` with `{{version}} {{ring}} {{region}}`.",
);
const VERSION_FROM: Key = key(
    "version_from",
    Shape::VersionFrom,
    "`\"image\"`",
    "Where the version is read: the image's tag or digest, or a label or annotation of the pod template.",
);
const RUNBOOK: Key = key("runbook", Shape::Text, NONE, "Path or URL of the runbook.");
const RELEASE_URL: Key = key("release_url", Shape::Text, NONE, "Link to release notes, with `{{from}}` and `{{to}}`.");
const FREEZE: Key = key("freeze", Shape::Flag, "`false`", "A hold also pauses regions whose rollout is finished.");
const COLUMNS: Key =
    key("columns", Shape::Texts, "the standard ones, then the file's own", "Which columns to show, in order.");

/// What holds for every service.
pub static DEFAULTS: Section = Section {
    path: "defaults",
    about: "What holds for every service that does not say otherwise. Tables are merged key by key.",
    keys: &[
        key("topology", Shape::Text, "the only one there is", "The topology."),
        WORKLOAD_KEY,
        ROUTE_KEY,
        DELIVERY_KEY,
        GIT_KEY,
        PIPELINE_KEY,
        CARRIES,
        VERSION_FROM,
        COLUMNS,
        OWNER,
        ESCALATION,
        DECIDERS,
        RUNBOOK,
        RELEASE_URL,
        FREEZE,
        EXIT,
        ENTRY,
        BAKE,
        POLICY_KEY,
    ],
};

/// One deployable thing.
pub static SERVICE: Section = Section {
    path: "service.NAME",
    about: "One deployable thing that is released ring by ring.",
    keys: &[
        key("topology", Shape::Text, "the only one there is", "The topology."),
        key("rings", Shape::Rings, "the topology's", "Rings of its own, instead of a topology."),
        WORKLOAD_KEY,
        ROUTE_KEY,
        DELIVERY_KEY,
        GIT_KEY,
        PIPELINE_KEY,
        CARRIES,
        VERSION_FROM,
        COLUMNS,
        key("column", Shape::Named(&COLUMN), NONE, "Columns of its own, or other queries for known ones."),
        OWNER,
        ESCALATION,
        DECIDERS,
        RUNBOOK,
        RELEASE_URL,
        FREEZE,
        FLAG_OFF,
        EXIT,
        ENTRY,
        BAKE,
        POLICY_KEY,
        WAIVE,
        key("ring", Shape::Named(&SERVICE_RING), NONE, "What differs for this service in one ring."),
        key("region", Shape::Named(&SERVICE_REGION), NONE, "What differs for this service in one region."),
    ],
};

/// The object that runs a service.
pub static WORKLOAD: Section = Section {
    path: "service.NAME.workload",
    about: "The object that runs the service in a region; `{{service}} {{region}} {{ring}} {{cluster}}` are replaced.",
    keys: &[
        key("kind", Shape::Text, "`Deployment`", "Kind of the workload: one of docs/kinds.md."),
        key("namespace", Shape::Text, "`{{service}}`", "Namespace."),
        key("name", Shape::Text, "`{{service}}`", "Name of the object."),
        key("container", Shape::Text, "`{{service}}`", "Container whose image is the version."),
    ],
};

/// A service in one ring.
pub static SERVICE_RING: Section = Section {
    path: "service.NAME.ring.RING",
    about: "What differs for this service in one ring.",
    keys: &[EXIT, ENTRY, BAKE, PARALLELISM, STAGGER, RING_POLICY_KEY, WAIVE],
};

/// A service in one region.
pub static SERVICE_REGION: Section = Section {
    path: "service.NAME.region.REGION",
    about: "What differs for this service in one region.",
    keys: &[
        key("kind", Shape::Text, "the service's", "Kind of the workload."),
        key("namespace", Shape::Text, "the region's, else the service's", "Namespace."),
        key("name", Shape::Text, "the service's", "Name of the object."),
        key("container", Shape::Text, "the service's", "Container whose image is the version."),
        key(
            "route",
            Shape::Flag,
            "`true` if the service has one",
            "`false`: the service's route does not reach this region.",
        ),
        OWN_DELIVERY,
        OWN_GIT,
        OWN_PIPELINE,
        OWN_APPLICATION,
        key("backend", Shape::Text, "the route's", "Name of the backendRef."),
        key("rule", Shape::Whole(0), "the route's", "Which rule, counted from 0."),
        key(
            "capacity",
            Shape::Table(&CAPACITY),
            "unknown: draining others is refused for want of data",
            "What it can serve.",
        ),
        key("absorbers", Shape::Texts, "the others in proportion", "Who takes its traffic when it is drained."),
        key("traffic", Shape::Table(&TRAFFIC), "what is measured", "Its normal traffic, for `check --plan`."),
        WAIVE,
        key("zone", Shape::Text, "the region's", "IANA time zone."),
        OWNER,
        ESCALATION,
        DECIDERS,
    ],
};

/// The screen.
pub static UI: Section = Section {
    path: "ui",
    about: "The screen.",
    keys: &[
        key(
            "theme",
            Shape::Text,
            "`dark`",
            "A theme that comes with gonogo, or a file of the configuration folder's `themes/`.",
        ),
        key("refresh", Shape::Duration, "`15s`", "How often Prometheus is asked; from 5s to 5m."),
        key(
            "trace_url",
            Shape::Text,
            NONE,
            "Where traces are shown, e.g. `\"https://traces.example/trace/{{trace_id}}\"`: the evidence of a breach links an exemplar of its worst window. Without it the trace's id is shown.",
        ),
        key(
            "keys",
            Shape::TextsByName,
            NONE,
            "Keys by command: `promote = \"P\"`; several keys as a list. `?` shows the commands.",
        ),
    ],
};

/// The simulation's time.
pub static CLOCK: Section = Section {
    path: "simulated_clock",
    about: "The simulation's time: it was `start` at the real time `at`, and runs `speed` times as fast.",
    keys: &[
        key("start", Shape::Moment, REQUIRED, "Simulated time at `at`."),
        key("at", Shape::Moment, REQUIRED, "Real time."),
        key("speed", Shape::Number, "1", "Simulated seconds per real second."),
    ],
};

/// Every section, in the order of the docs.
pub static SECTIONS: &[&Section] = &[
    &ROOT,
    &CLUSTER,
    &PROMETHEUS,
    &BASIC,
    &ENDPOINT,
    &REPOSITORY,
    &PIPELINE,
    &DEED,
    &STEERING,
    &REGION,
    &TOPOLOGY,
    &RING,
    &COLUMN,
    &DEFAULTS,
    &SERVICE,
    &WORKLOAD,
    &ROUTE,
    &DELIVERY,
    &GIT,
    &FLAG,
    &SERVICE_RING,
    &SERVICE_REGION,
    &CAPACITY,
    &TRAFFIC,
    &POLICY,
    &RING_POLICY,
    &GATE_POLICY,
    &NOTIFY,
    &UI,
    &CLOCK,
];
