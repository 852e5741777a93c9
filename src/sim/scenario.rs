//! Scenarios: what is wrong in the simulated fleet, and when. One TOML file each, one runner.
//!
//! ```toml
//! description = "eu-west-1 stops answering a few seconds into its rollout"
//! [[action]]
//! at = "+6s"
//! of = "rollout"        # counted from the first rollout in that region; default: from the start
//! do = "partition"
//! region = "eu-west-1"
//! ```
//!
//! Every key is listed in the structs below; an unknown one is an error that says so.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use jiff::SignedDuration;
use serde::Deserialize;

/// One file per scenario; its name is the file's.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/sim/scenarios");

/// Why a scenario cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No file of that name.
    #[error("no scenario {name:?}; there are: {known}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The text is not a scenario.
    #[error("scenario {name:?}: {why}")]
    Unreadable {
        /// Its name.
        name: String,
        /// The line and what is wrong there.
        why: String,
    },
}

/// A span as people write it: `30s`, `24h 4m`, `500ms`; a leading `+` is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub SignedDuration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.trim().trim_start_matches('+');
        let span = plain.parse().map_err(|_| format!("{text:?} is no time span; write one like \"30s\" or \"24h 4m\""));
        span.map(Self)
    }
}

/// A whole scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for `--help` and the README.
    pub description: String,
    /// Simulated seconds per real second, unless the command line says otherwise.
    #[serde(default = "one")]
    pub speed: f64,
    /// Status updates per second on random workloads, unless the command line says otherwise.
    #[serde(default)]
    pub events_per_second: u32,
    /// Where the release stands when the simulation starts.
    #[serde(default)]
    pub release: Release,
    /// The kind of object by whose weights users' traffic is steered.
    #[serde(default)]
    pub steering: Steering,
    /// What every Deployment has.
    #[serde(default)]
    pub workload: WorkloadSettings,
    /// Whether an Application of Argo CD brings each Deployment, and how; none: nothing does.
    #[serde(default)]
    pub delivery: Option<DeliverySettings>,
    /// Whether versions stand in a Git repository, from which they are brought; none: they do not.
    #[serde(default)]
    pub repository: Option<RepositorySettings>,
    /// How versions behave.
    #[serde(default)]
    pub behaviour: Vec<BehaviourRule>,
    /// What is broken from the start.
    #[serde(default)]
    pub fault: Vec<FaultRule>,
    /// How the Prometheus servers answer.
    #[serde(default)]
    pub prometheus: PrometheusState,
    /// Users besides the standard ones (`oncall`, `viewer`, `deployer`), and what they may do.
    #[serde(default)]
    pub user: Vec<UserRule>,
    /// The user as whom people work: the kubeconfig's.
    #[serde(default = "oncall")]
    pub login: String,
    /// What happens, and when.
    #[serde(default)]
    pub action: Vec<Action>,
}

fn oncall() -> String {
    "oncall".into()
}

fn one() -> f64 {
    1.0
}

/// Versions and how far the newest has come.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Release {
    /// The version before the one that is left behind.
    pub before: String,
    /// The version that later rings still run.
    pub from: String,
    /// The version that is being released.
    pub to: String,
    /// How many rings run `to` at the start.
    pub rings_done: usize,
    /// How long the last of them has been settled.
    pub settled: Span,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            before: "v1.9.4".into(),
            from: "v2.0.0".into(),
            to: "v2.1.0".into(),
            rings_done: 2,
            // A day's bake, and a few minutes: the next ring can be promoted at once.
            settled: Span(SignedDuration::from_mins(24 * 60 + 4)),
        }
    }
}

/// Kinds of routes that the fleet may have on its edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Steering {
    /// Gateway API.
    #[default]
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// Gateway API.
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    /// Istio.
    VirtualService,
    /// external-dns: weighted records, which clients keep for their TTL.
    #[serde(rename = "DNSEndpoint")]
    DnsEndpoint,
}

/// Settings of every Deployment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadSettings {
    /// `progressDeadlineSeconds`.
    pub progress_deadline: Span,
    /// Whether each has a HorizontalPodAutoscaler.
    pub hpa: bool,
    /// `minReadySeconds`.
    pub min_ready: Span,
    /// Whether each is an Argo Rollout, with steps, instead of a Deployment.
    pub rollouts: bool,
}

impl Default for WorkloadSettings {
    fn default() -> Self {
        Self {
            progress_deadline: Span(SignedDuration::from_mins(10)),
            hpa: false,
            min_ready: Span(SignedDuration::ZERO),
            rollouts: false,
        }
    }
}

/// How Applications bring what the repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// By themselves, when their target changes.
    pub automated: bool,
    /// And what somebody changes in the cluster is put back.
    pub self_heal: bool,
}

/// How a repository is brought to the regions, and who else writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositorySettings {
    /// How often it is looked at.
    pub sync: Span,
    /// How often somebody else pushes to it; none: never.
    #[serde(default)]
    pub others: Option<Span>,
}

/// How one version behaves, everywhere or in some regions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourRule {
    /// The image tag.
    pub version: String,
    /// Regions in which pods behave so; empty: all. (Metrics follow the version everywhere;
    /// use `above_qps` for a fault that only load uncovers.)
    #[serde(default)]
    pub regions: Vec<String>,
    /// Added to the share of failing requests.
    #[serde(default)]
    pub error_rate: f64,
    /// Factor on latency.
    #[serde(default = "one")]
    pub latency: f64,
    /// Factor on CPU per request.
    #[serde(default = "one")]
    pub cpu: f64,
    /// Memory lost per hour, as a share of the limit.
    #[serde(default)]
    pub leak_per_hour: f64,
    /// The three above count only where a region gets more requests per second than this.
    #[serde(default)]
    pub above_qps: f64,
    /// The three count only at this time of every day.
    #[serde(default)]
    pub daily: Option<DailyRule>,
    /// Factor on the time from start to ready.
    #[serde(default = "one")]
    pub start: f64,
    /// The container exits, again and again.
    #[serde(default)]
    pub crash: Option<CrashRule>,
    /// The image cannot be pulled.
    #[serde(default)]
    pub image_missing: bool,
}

/// A time of every day, UTC.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyRule {
    /// When it begins, e.g. `23:55`.
    pub at: TimeOfDay,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// A time of day as ms after midnight, written `23:55`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeOfDay(pub i64);

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time of day; write one like \"23:55\"");
        let time = jiff::civil::Time::strptime("%H:%M", &text).map_err(|_| wrong())?;
        Ok(Self((i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60_000))
    }
}

impl Span {
    /// In ms, from 0 to a day.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(0).clamp(0, 24 * 3_600_000)
    }
}

/// How a container exits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashRule {
    /// Exit code.
    pub exit_code: i32,
    /// How long it runs before.
    pub after: Span,
    /// Last line in its log.
    pub message: String,
}

/// How the Prometheus servers answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrometheusState {
    /// As they should.
    #[default]
    Up,
    /// Connections are refused.
    Down,
    /// No series at all.
    Empty,
}

/// What is broken in one region's API server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The region; none: all.
    #[serde(default)]
    pub region: Option<String>,
    /// Time before each answer.
    #[serde(default)]
    pub latency: Span,
    /// It does not answer at all.
    #[serde(default)]
    pub partition: bool,
    /// How far its clock is ahead (or, negative, behind).
    #[serde(default)]
    pub skew: Span,
}

/// A user and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRule {
    /// The user's name; its bearer token is `<name>-token`.
    pub name: String,
    /// Groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Rules, as `verb,verb resource.group,resource [namespace]`; `*` for all.
    pub may: Vec<String>,
}

/// From when an action's time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// From the start of the simulation.
    #[default]
    Start,
    /// From the first rollout in the action's region.
    Rollout,
}

/// What can be done to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// The region's API server stops answering.
    Partition,
    /// All faults of the region end.
    Heal,
    /// Its API server answers late by `span`.
    Slow,
    /// Its clock is off by `span`.
    Skew,
    /// `kubectl set image`: the `version`.
    SetImage,
    /// `kubectl scale`: to `replicas`.
    Scale,
    /// `kubectl annotate`: `key` and `value`.
    Annotate,
    /// `kubectl set env`: `key` and `value`.
    SetEnv,
    /// `kubectl rollout pause`.
    Pause,
    /// `kubectl rollout resume`.
    Resume,
    /// `kubectl argo rollouts promote` of a Rollout that waits at a pause.
    LetOn,
    /// The containers of `count` pods exit now.
    Crash,
    /// The traffic of the service becomes `factor` times the normal.
    Traffic,
    /// The region's weight in the route becomes `weight`.
    Weight,
    /// Deletes the service's record in the region.
    DeleteRecord,
    /// Prometheus stops answering.
    MetricsDown,
    /// Prometheus answers again.
    MetricsUp,
}

/// One thing that happens at a set time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// When.
    pub at: Span,
    /// Counted from when.
    #[serde(default)]
    pub of: Since,
    /// What.
    #[serde(rename = "do")]
    pub deed: Deed,
    /// Where.
    #[serde(default)]
    pub region: Option<String>,
    /// To which service; default: the first.
    #[serde(default)]
    pub service: Option<String>,
    /// For `set-image`.
    #[serde(default)]
    pub version: Option<String>,
    /// For `scale`.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// For `crash`.
    #[serde(default)]
    pub count: Option<u32>,
    /// For `weight`.
    #[serde(default)]
    pub weight: Option<u32>,
    /// For `traffic`.
    #[serde(default)]
    pub factor: Option<f64>,
    /// For `annotate` and `set-env`.
    #[serde(default)]
    pub key: Option<String>,
    /// For `annotate` and `set-env`.
    #[serde(default)]
    pub value: Option<String>,
    /// For `slow` and `skew`.
    #[serde(default)]
    pub span: Option<Span>,
}

impl Action {
    /// The keys that this deed needs and the action lacks.
    fn missing(&self) -> Vec<&'static str> {
        let needs: &[&'static str] = match self.deed {
            Deed::SetImage => &["region", "version"],
            Deed::Scale => &["region", "replicas"],
            Deed::Annotate | Deed::SetEnv => &["region", "key", "value"],
            Deed::Slow | Deed::Skew => &["region", "span"],
            Deed::Weight => &["region", "weight"],
            Deed::Traffic => &["factor"],
            Deed::Partition
            | Deed::Heal
            | Deed::Pause
            | Deed::Resume
            | Deed::LetOn
            | Deed::Crash
            | Deed::DeleteRecord => &["region"],
            Deed::MetricsDown | Deed::MetricsUp => &[],
        };
        let has = |key: &str| match key {
            "region" => self.region.is_some(),
            "version" => self.version.is_some(),
            "replicas" => self.replicas.is_some(),
            "key" => self.key.is_some(),
            "value" => self.value.is_some(),
            "span" => self.span.is_some(),
            "weight" => self.weight.is_some(),
            _ => self.factor.is_some(),
        };
        let rollout = (self.of == Since::Rollout).then_some("region");
        let needed = needs.iter().copied().chain(rollout);
        needed.filter(|key| !has(key)).collect()
    }
}

impl Scenario {
    /// Reads a scenario's text.
    ///
    /// # Errors
    /// Says the line, the key and what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let fail = |why: String| ScenarioError::Unreadable { name: name.into(), why };
        let scenario: Self = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        for (index, action) in scenario.action.iter().enumerate() {
            if let Some(key) = action.missing().first() {
                return Err(fail(format!("action {}: {:?} needs `{key}`", index + 1, action.deed)));
            }
        }
        if !(scenario.speed.is_finite() && scenario.speed > 0.0) {
            return Err(fail(format!("speed {} is not above zero", scenario.speed)));
        }
        Ok(scenario)
    }

    /// The scenario of that name among the files of this program.
    ///
    /// # Errors
    /// When there is none, or its file is not a scenario.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let text = FILES.get_file(format!("{name}.toml")).and_then(include_dir::File::contents_utf8);
        match text {
            Some(text) => Self::parse(name, text),
            None => {
                let known: Vec<String> = catalogue().into_keys().collect();
                Err(ScenarioError::Unknown { name: name.into(), known: known.join(", ") })
            }
        }
    }
}

/// All scenarios: name and one-line description, by name.
#[must_use]
pub fn catalogue() -> BTreeMap<String, String> {
    FILES
        .files()
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?.to_owned();
            let scenario = Scenario::parse(&name, file.contents_utf8()?).ok()?;
            Some((name, scenario.description))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn every_file_is_a_scenario_with_a_description_of_one_line() {
        for file in FILES.files() {
            let name = file.path().file_stem().unwrap().to_str().unwrap();
            let scenario = Scenario::named(name).unwrap();
            assert!(!scenario.description.contains('\n') && scenario.description.len() > 10, "{name}");
        }
        let names: Vec<String> = catalogue().into_keys().collect();
        assert_eq!(
            names,
            [
                "aborted",
                "canary-stuck",
                "crashloop",
                "dns-ttl",
                "flood",
                "git-race",
                "hpa",
                "mesh",
                "midnight",
                "no-metrics",
                "partition",
                "regression",
                "self-heal-fight",
                "slow",
                "steady",
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = "description = \"something\"\nspeeed = 2.0\n";
        let Err(ScenarioError::Unreadable { why, .. }) = Scenario::parse("x", text) else { panic!("accepted") };
        assert!(why.contains("line 2") && why.contains("speeed"), "{why}");
    }

    #[test]
    fn an_action_without_what_it_needs_is_refused() {
        let text = "description = \"something\"\n[[action]]\nat = \"+5s\"\ndo = \"scale\"\nregion = \"eu-west-1\"\n";
        let error = Scenario::parse("x", text).unwrap_err().to_string();
        assert!(error.contains("needs `replicas`"), "{error}");
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_ones() {
        let error = Scenario::named("stready").unwrap_err().to_string();
        assert!(error.contains("steady"), "{error}");
    }

    #[test]
    fn spans_are_written_as_people_write_them() {
        let span = |text: &str| Span::try_from(text.to_owned()).map(|span| span.0);
        assert_eq!(span("+30s"), Ok(SignedDuration::from_secs(30)));
        assert_eq!(span("24h 4m"), Ok(SignedDuration::from_mins(24 * 60 + 4)));
        assert_eq!(span("-10m"), Ok(SignedDuration::from_mins(-10)));
        assert!(span("soon").is_err());
    }
}
