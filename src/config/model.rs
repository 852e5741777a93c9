//! The checked configuration: no key is left open where a default exists.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::kubeconfig::Kubeconfig;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, ColumnName, PrometheusIx, RegionIx, RingIx, Text};
use crate::engine::effect::NoticeKind;

/// Everything the program is told by its file.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is released, where, and by which rules.
    pub fleet: Arc<Fleet>,
    /// How each cluster is reached; same positions as [`Fleet::clusters`].
    pub connections: Vec<Connection>,
    /// How each Prometheus is reached; same positions as [`Fleet::prometheuses`].
    pub prometheuses: Vec<PrometheusServer>,
    /// HTTP endpoints that gates ask.
    pub endpoints: Vec<Endpoint>,
    /// Git repositories that hold versions.
    pub repositories: Vec<RepositoryServer>,
    /// What release plans are judged by besides; same positions as [`Fleet::services`].
    pub plans: Vec<PlanFacts>,
    /// The screen.
    pub ui: Ui,
    /// Whom a guard tells.
    pub notify: Vec<Webhook>,
    /// The simulation's time; none: the host's clock.
    pub simulated_clock: Option<SimulatedClock>,
    /// The file it was read from.
    pub origin: PathBuf,
}

/// What is declared of a service for judging its release plan; no gate goes by it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanFacts {
    /// What is normal for a column, in its unit.
    pub normals: BTreeMap<ColumnName, f64>,
    /// Traffic by position of the region.
    pub traffic: Vec<Declared>,
    /// Findings that somebody has accepted.
    pub waivers: Vec<Waiver>,
}

/// The traffic that a region has normally, as declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Queries per second; 0: no users reach it.
    pub qps: Option<f64>,
    /// Share of the service's traffic, from 0 to 1.
    pub share: Option<f64>,
    /// Shares of its kinds of traffic, from 0 to 1.
    pub mix: BTreeMap<Text, f64>,
}

/// A finding that somebody has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Its code, e.g. `GG012`.
    pub code: Text,
    /// Where.
    pub over: Waives,
    /// Why.
    pub reason: Text,
    /// Line in the file, from 1.
    pub line: usize,
}

/// What a waiver is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waives {
    /// The whole service.
    Service,
    /// What is found in one ring.
    Ring(RingIx),
    /// What is found in one region.
    Region(RegionIx),
}

/// How a cluster is reached; the current context is never used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// A context of a kubeconfig.
    Context {
        /// Its name.
        context: Text,
        /// The kubeconfig; none: `$KUBECONFIG`, else `~/.kube/config`.
        kubeconfig: Option<PathBuf>,
    },
    /// The service account of the pod that gonogo runs in.
    InCluster,
}

/// How a Git repository is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryServer {
    /// Its name.
    pub name: Text,
    /// What `git clone` takes.
    pub url: Text,
    /// How long one exchange may take.
    pub timeout: Duration,
}

/// How a Prometheus is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusServer {
    /// Its name, as in [`Fleet::prometheuses`].
    pub name: Text,
    /// Where it is.
    pub reach: Reach,
    /// Headers to send.
    pub headers: Vec<(Text, Secret)>,
    /// Who we are there.
    pub login: Login,
    /// PEM file of the certificate authority; none: the host's.
    pub ca: Option<PathBuf>,
}

/// Where a Prometheus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Base URL without `/api/v1` and without a slash at the end.
    Url(Text),
    /// GET through an API server's service proxy, with the kubeconfig's identity.
    ServiceProxy {
        /// The cluster it runs in.
        cluster: ClusterIx,
        /// Namespace of the Service.
        namespace: Text,
        /// Name of the Service.
        service: Text,
        /// Port number or name.
        port: Text,
        /// The Service speaks TLS.
        https: bool,
        /// Path before `/api/v1`; empty or with a slash in front.
        path: Text,
    },
}

/// Who we are for a Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Nobody.
    None,
    /// Basic authentication.
    Basic {
        /// User name.
        user: Text,
        /// Password.
        password: Secret,
    },
    /// Bearer token.
    Bearer(Secret),
}

/// An HTTP endpoint that gates ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name, as gates call it.
    pub name: Text,
    /// Base URL without a slash at the end.
    pub url: Text,
    /// Headers to send.
    pub headers: Vec<(Text, Secret)>,
    /// Who we are there.
    pub login: Login,
    /// PEM file of the certificate authority; none: the host's.
    pub ca: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Something that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Known: from the environment, or a header's plain text.
    Known(Text),
    /// The trimmed content of a file, read when it is needed: tokens are renewed.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Known(_) => f.write_str("Secret(…)"),
            Secret::File(path) => write!(f, "Secret(file {})", path.display()),
        }
    }
}

/// Somebody whom a guard tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub name: Text,
    /// Where it is: whoever knows it can write there.
    pub url: Secret,
    /// What it takes.
    pub form: NotifyForm,
    /// Which notices it wants; empty: all.
    pub events: Vec<NoticeKind>,
}

/// Form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyForm {
    /// Our own JSON.
    Generic,
    /// `{"text": …}`, as Slack and many others take it.
    Slack,
}

/// The screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// Name of the theme.
    pub theme: Text,
    /// How often Prometheus is asked.
    pub refresh: Duration,
    /// Where a trace is shown, with `{{trace_id}}` for its id.
    pub trace_url: Option<Text>,
    /// Keys by command, as written.
    pub keys: Vec<KeyOverride>,
}

/// Keys for a command, as written; `input` reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOverride {
    /// The command, e.g. `promote`.
    pub command: Text,
    /// Its keys; empty: none.
    pub keys: Vec<Text>,
    /// Line in the file, for messages.
    pub line: usize,
}

/// The simulation's time: it was `start` at the real time `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedClock {
    /// Simulated time at `at`.
    pub start: Timestamp,
    /// Real time.
    pub at: Timestamp,
    /// Simulated seconds per real second; positive.
    pub speed: f64,
}

impl SimulatedClock {
    /// The simulated time at a real one.
    pub fn at(&self, real: Timestamp) -> Timestamp {
        let passed = real.duration_since(self.at).as_secs_f64() * self.speed;
        let passed = jiff::SignedDuration::try_from_secs_f64(passed).unwrap_or_default();
        self.start.saturating_add(passed).unwrap_or(self.start)
    }
}

impl Config {
    /// How a cluster is reached.
    pub fn connection(&self, at: ClusterIx) -> Option<&Connection> {
        self.connections.get(at.at())
    }
    /// How a Prometheus is reached.
    pub fn prometheus(&self, at: PrometheusIx) -> Option<&PrometheusServer> {
        self.prometheuses.get(at.at())
    }
}

/// Reads a kubeconfig (none: the default one), or says why it cannot be read.
pub type Kubeconfigs<'a> = dyn Fn(Option<&Path>) -> Result<Kubeconfig, String> + 'a;

/// What the reader is told of the world.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// Variables of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The kubeconfigs there are; none: contexts are not checked.
    pub kubeconfigs: Option<&'a Kubeconfigs<'a>>,
    /// Today, to judge the age of capacities; none: not judged.
    pub today: Option<Date>,
}

impl Given<'_> {
    /// Knows the given environment and nothing else.
    pub fn env<'a>(env: &'a dyn Fn(&str) -> Option<String>) -> Given<'a> {
        Given { env, kubeconfigs: None, today: None }
    }
}
