//! Workload, route and delivery of a service in one region, from templates and overrides.

use std::sync::Arc;
use std::time::Duration;

use super::super::reader::Table;
use super::super::source::{At, Span};
use super::Build;
use super::carry::placeholders;
use super::clusters::Clusters;
use super::names::{self, Kind};
use super::steering::Steerings;
use crate::delivery::DeliveryTool;
use crate::domain::carrier::{ApplicationCarrier, ApplicationField, CarrierRef};
use crate::domain::fleet::{DeliveryRef, OnHold, RouteRef, WorkloadRef};
use crate::domain::id::{ClusterIx, Namespace, Text};
use crate::domain::steering::{Steering, WEIGHT};
use crate::traffic::BackendName;

/// What templates are filled with.
#[derive(Clone, Copy)]
pub(super) struct Here<'n> {
    pub service: &'n At<String>,
    pub region: &'n str,
    pub ring: &'n str,
    pub cluster: &'n str,
}

/// The kind that no cluster holds.
const PIPELINE: &str = "Pipeline";
const KNOWN: [&str; 4] = ["service", "region", "ring", "cluster"];

impl Here<'_> {
    pub(super) fn fill(&self, build: &Build<'_>, template: &At<String>) -> Option<String> {
        placeholders(build, &template.value, template.at, &KNOWN)?;
        let text = template.value.replace("{{service}}", &self.service.value).replace("{{region}}", self.region);
        Some(text.replace("{{ring}}", self.ring).replace("{{cluster}}", self.cluster))
    }
}

/// Tables from the most specific to the most general.
pub(super) fn first_text(tables: &[Option<Table<'_>>], key: &str) -> Option<At<String>> {
    let table = tables.iter().flatten().find(|t| t.section.key(key).is_some() && t.raw(key).is_some())?;
    table.text(key)
}

/// What a filled name must look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Label,
    Subdomain,
    /// A host, or `host/subset`.
    HostAndSubset,
    /// `region/zone/subzone`, with `*` for the rest.
    Locality,
    /// Up to 128 characters that are shown.
    Identifier,
}

fn named(build: &Build<'_>, here: Here<'_>, what: &str, template: &At<String>, form: Form) -> Option<Text> {
    let text = here.fill(build, template)?;
    let fits = match form {
        Form::Label => names::is_label(&text),
        Form::Subdomain => names::is_subdomain(&text),
        Form::HostAndSubset => {
            let (host, subset) = text.split_once('/').map_or((text.as_str(), None), |(h, s)| (h, Some(s)));
            names::is_subdomain(host) && subset.is_none_or(names::is_label)
        }
        Form::Locality => {
            let part = |p: &str| {
                !p.is_empty() && p.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*'))
            };
            text.split('/').count() <= 3 && text.split('/').all(part)
        }
        Form::Identifier => (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic()),
    };
    if fits {
        return Some(build.name(&text));
    }
    if template.at == here.service.at {
        return None; // The service's own name does not fit: said already.
    }
    let message = format!("`{text}` cannot be the {what} of `{}` in region `{}`", here.service.value, here.region);
    let fix = match form {
        Form::Label | Form::Subdomain | Form::HostAndSubset => "Kubernetes takes lower-case letters, digits and `-`",
        Form::Locality => "a locality is `region/zone/subzone`, e.g. `eu-west-1/*`",
        Form::Identifier => "a set identifier has up to 128 characters and no spaces",
    };
    build.problems.error("bad-name", template.at, message, fix);
    None
}

/// The workload; `region_namespace` is what `[region.NAME]` says for every service. One that is `reported`
/// has no object: its namespace is where its record lies, and its name is of the service and the region.
pub(super) fn workload(
    build: &Build<'_>,
    here: Here<'_>,
    own: Option<Table<'_>>,
    general: [Option<Table<'_>>; 2],
    region_namespace: Option<&At<String>>,
    reported: bool,
) -> Option<WorkloadRef> {
    let service = At { value: "{{service}}".to_owned(), at: here.service.at };
    let [from_service, from_defaults] = general;
    let tables = [own, from_service, from_defaults];
    let text = |key: &str| first_text(&tables, key);
    let namespace = first_text(&[own], "namespace")
        .or_else(|| region_namespace.cloned())
        .or_else(|| text("namespace"))
        .unwrap_or_else(|| service.clone());
    let kind = text("kind").unwrap_or_else(|| At { value: "Deployment".to_owned(), at: here.service.at });
    let known = crate::kinds::kind(&kind.value).is_some();
    if !known {
        names::unknown(build.problems, Kind::Workload, &kind, crate::kinds::KINDS.iter().map(|k| k.name()));
    }
    let namespace = named(build, here, "namespace", &namespace, Form::Label);
    let is_reported = kind.value == PIPELINE;
    if reported {
        let said = text("kind").filter(|_| !is_reported).or_else(|| text("name")).or_else(|| text("container"));
        if let Some(said) = said {
            let message = "a pipeline with `state` says how this workload stands: no object does";
            build.problems.error("contradiction", said.at, message, "leave `kind`, `name` and `container` out");
        }
        return Some(WorkloadRef {
            kind: build.name(PIPELINE),
            namespace: Namespace::new(namespace?),
            name: format!("{}.{}", here.service.value, here.region).into(),
            container: "".into(),
        });
    }
    if is_reported {
        let fix = "name a `pipeline` that has `state`, and leave `kind` out";
        build.problems.error("bad-kind", kind.at, "a Pipeline has no object that could be read", fix);
        return None;
    }
    let name = named(build, here, "workload", &text("name").unwrap_or_else(|| service.clone()), Form::Subdomain);
    let container = named(build, here, "container", &text("container").unwrap_or_else(|| service.clone()), Form::Label);
    known.then_some(WorkloadRef {
        kind: build.name(&kind.value),
        namespace: Namespace::new(namespace?),
        name: name?,
        container: container?,
    })
}

/// The cluster that holds a route.
enum Holder {
    /// One for all regions.
    One(ClusterIx),
    /// Each region's, by a template.
    Each(At<String>),
}

/// What of a service's route does not depend on the region.
pub(super) struct RouteDraft<'a> {
    tables: [Option<Table<'a>>; 2],
    provider: At<String>,
    cluster: Holder,
    rule: u32,
    except: Vec<At<String>>,
    backends: Option<Vec<(At<String>, At<String>)>>,
    drained_below: Option<u32>,
    steps: Vec<u32>,
    dwell: Duration,
    steering: Option<Arc<Steering>>,
}

/// What steers where no cluster holds the weights.
fn steering(
    build: &Build<'_>,
    steerings: &Steerings,
    tables: &[Option<Table<'_>>; 2],
    provider: &At<String>,
    table: Table<'_>,
) -> Option<Arc<Steering>> {
    let wanted = first_text(tables, "steering");
    let by_command = provider.value == "command";
    match (wanted, by_command) {
        (None, true) => {
            table.missing("steering", "\"NAME\"");
            None
        }
        (Some(wanted), false) => {
            let message = format!("`steering` belongs to the provider `command`, and this one is `{}`", provider.value);
            build.problems.error("contradiction", wanted.at, message, "write `provider = \"command\"`, or take it out");
            None
        }
        (None, false) => None,
        (Some(wanted), true) => {
            let Some(found) = steerings.get(&wanted.value) else {
                let known = steerings.keys().map(String::as_str);
                names::unknown(build.problems, Kind::Steering, &wanted, known);
                return None;
            };
            let with_steps = tables.iter().flatten().find_map(|t| t.raw("drain_steps"));
            if let (Some(steering), Some((_, at))) = (found, with_steps)
                && !(steering.drain.mentions(WEIGHT) && steering.restore.mentions(WEIGHT))
            {
                let message = "`drain_steps` need commands that take a `{{weight}}`";
                build.problems.error(
                    "contradiction",
                    at,
                    message,
                    "put `{{weight}}` into `drain` and `restore`, or take it out",
                );
            }
            found.clone()
        }
    }
}

/// Between two steps of a drain where nothing is said.
const DWELL: Duration = Duration::from_secs(120);

/// The route of a service, from its own table and the defaults'; none: it has none.
pub(super) fn route<'a>(
    build: &Build<'_>,
    clusters: &Clusters,
    steerings: &Steerings,
    service: Table<'a>,
    defaults: Option<Table<'a>>,
) -> Option<RouteDraft<'a>> {
    if service.is_off("route") {
        return None;
    }
    let tables = [service.table("route"), defaults.and_then(|d| d.table("route"))];
    let table = tables.iter().flatten().next().copied()?;
    let provider =
        first_text(&tables, "provider").unwrap_or_else(|| At { value: "HTTPRoute".to_owned(), at: table.at });
    if crate::traffic::provider(&provider.value).is_none() {
        let known = crate::traffic::PROVIDERS.iter().map(|p| p.name());
        names::unknown(build.problems, Kind::Provider, &provider, known);
    }
    let steering = steering(build, steerings, &tables, &provider, table);
    let cluster = first_text(&tables, "cluster");
    if cluster.is_none() && provider.value != "command" && !tables.iter().flatten().any(|t| t.raw("cluster").is_some())
    {
        table.missing("cluster", "\"edge\"");
    }
    let with = |key: &str| tables.iter().flatten().find(|t| t.raw(key).is_some()).copied();
    let backends = with("backends").map(|t| {
        let text = |name: At<String>, value: &super::super::reader::Value<'_>| {
            let backend = super::super::reader::texts_of(build.problems, &name.value, value).into_iter().next()?;
            Some((name, backend))
        };
        t.by_name("backends").into_iter().filter_map(|(name, value)| text(name, value)).collect()
    });
    let holder = match cluster {
        // No cluster holds it: any will do to name it by.
        None if steering.is_some() => Holder::One(ClusterIx(0)),
        None => return None,
        Some(cluster) if cluster.value.contains("{{") => Holder::Each(cluster),
        Some(cluster) => Holder::One(clusters.find(build, &cluster)?),
    };
    Some(RouteDraft {
        provider,
        cluster: holder,
        rule: with("rule").and_then(|t| t.whole("rule")).unwrap_or(0),
        except: with("except").and_then(|t| t.texts("except")).unwrap_or_default(),
        backends,
        drained_below: with("drained_below").and_then(|t| t.whole("drained_below")),
        steps: with("drain_steps").and_then(|t| t.percents_down("drain_steps")).unwrap_or_default(),
        dwell: with("dwell").and_then(|t| t.duration("dwell")).map_or(DWELL, |d| d.value),
        steering,
        tables,
    })
}

impl RouteDraft<'_> {
    /// Names of regions that it mentions, to be checked against the service's.
    pub fn mentioned(&self) -> impl Iterator<Item = &At<String>> {
        self.except.iter().chain(self.backends.iter().flatten().map(|(name, _)| name))
    }

    fn backend_form(&self) -> Form {
        match crate::traffic::provider(&self.provider.value).map(|p| p.backends()) {
            Some(BackendName::HostAndSubset) => Form::HostAndSubset,
            Some(BackendName::Locality) => Form::Locality,
            Some(BackendName::SetIdentifier) => Form::Identifier,
            Some(BackendName::Service | BackendName::AwsRegion) | None => Form::Label,
        }
    }

    /// The route of one region; none: it does not reach it.
    pub fn of(
        &self,
        build: &Build<'_>,
        clusters: &Clusters,
        here: Here<'_>,
        own: Option<Table<'_>>,
    ) -> Option<(RouteRef, Span)> {
        if own.and_then(|t| t.flag("route")) == Some(false) || self.except.iter().any(|e| e.value == here.region) {
            return None;
        }
        let listed = self.backends.as_ref().map(|b| b.iter().find(|(name, _)| name.value == here.region));
        let backend = match (first_text(&[own], "backend"), listed) {
            (Some(own), _) => own,
            (None, Some(listed)) => listed?.1.clone(),
            (None, None) => first_text(&self.tables, "backend")
                .unwrap_or_else(|| At { value: "{{service}}-{{region}}".to_owned(), at: here.service.at }),
        };
        let service = At { value: "{{service}}".to_owned(), at: here.service.at };
        let text = |key: &str| first_text(&self.tables, key).unwrap_or_else(|| service.clone());
        let rule = own.filter(|t| t.raw("rule").is_some()).and_then(|t| t.whole("rule")).unwrap_or(self.rule);
        let cluster = match &self.cluster {
            Holder::One(cluster) => *cluster,
            Holder::Each(template) => {
                let name = At { value: here.fill(build, template)?, at: template.at };
                clusters.find(build, &name)?
            }
        };
        let route = RouteRef {
            provider: build.name(&self.provider.value),
            cluster,
            namespace: Namespace::new(named(build, here, "route's namespace", &text("namespace"), Form::Label)?),
            name: named(build, here, "route", &text("name"), Form::Subdomain)?,
            rule: rule as usize,
            backend: named(build, here, "backend", &backend, self.backend_form())?,
            drained_below: self.drained_below,
            steps: self.steps.clone(),
            dwell: self.dwell,
            steering: self.steering.clone(),
        };
        Some((route, backend.at))
    }
}

/// What of a service's delivery does not depend on the region.
pub(super) struct DeliveryDraft<'a> {
    tables: [Option<Table<'a>>; 2],
    tool: &'static dyn DeliveryTool,
    cluster: Holder,
    except: Vec<At<String>>,
    carrier: Option<CarrierRef>,
    on_hold: OnHold,
}

/// What brings the workloads of a service, from its own table and the defaults'; none: it is not said.
pub(super) fn delivery<'a>(
    build: &Build<'_>,
    clusters: &Clusters,
    service: Table<'a>,
    defaults: Option<Table<'a>>,
) -> Option<DeliveryDraft<'a>> {
    if service.is_off("delivery") {
        return None;
    }
    let tables = [service.table("delivery"), defaults.and_then(|d| d.table("delivery"))];
    let table = tables.iter().flatten().next().copied()?;
    let kind = first_text(&tables, "kind").unwrap_or_else(|| At { value: "Application".to_owned(), at: table.at });
    let tool = crate::delivery::tool(&kind.value);
    if tool.is_none() {
        names::unknown(build.problems, Kind::Delivery, &kind, crate::delivery::TOOLS.iter().map(|t| t.kind()));
    }
    let cluster = first_text(&tables, "cluster");
    if cluster.is_none() && !tables.iter().flatten().any(|t| t.raw("cluster").is_some()) {
        table.missing("cluster", "\"hub\"");
    }
    let with = |key: &str| tables.iter().flatten().find(|t| t.raw(key).is_some()).copied();
    let cluster = cluster?;
    let holder = match cluster.value.contains("{{") {
        true => Holder::Each(cluster),
        false => Holder::One(clusters.find(build, &cluster)?),
    };
    let tool = tool?;
    let carrier = application_carrier(build, &tables, table);
    let on_hold = match first_text(&tables, "hold").as_ref().map(|h| h.value.as_str()) {
        Some("terminate") => OnHold::Terminate,
        Some("stop") => OnHold::Stop,
        None if carrier.is_some() => OnHold::Stop,
        _ => OnHold::Leave,
    };
    Some(DeliveryDraft {
        carrier,
        on_hold,
        cluster: holder,
        tool,
        except: with("except").and_then(|t| t.texts("except")).unwrap_or_default(),
        tables,
    })
}

/// What of an Application a promotion writes; none: the workload itself.
fn application_carrier(build: &Build<'_>, tables: &[Option<Table<'_>>], table: Table<'_>) -> Option<CarrierRef> {
    let promote = first_text(tables, "promote")?;
    let given = |key: &str| first_text(tables, key);
    let name = |key: &str| given(key).map(|t| build.name(&t.value));
    let field = match promote.value.as_str() {
        "revision" => ApplicationField::TargetRevision,
        "image" => ApplicationField::KustomizeImage(name("image")),
        "sync" => ApplicationField::Sync,
        "parameter" => {
            let named = name("parameter");
            if named.is_none() {
                table.missing("parameter", "\"image.tag\"");
            }
            ApplicationField::HelmParameter(named?)
        }
        // A word that is none of them was said already.
        _ => return None,
    };
    let template = given("value").unwrap_or_else(|| At { value: "{{version}}".to_owned(), at: promote.at });
    placeholders(build, &template.value, template.at, &["version"])?;
    if matches!(field, ApplicationField::TargetRevision | ApplicationField::HelmParameter(_))
        && !template.value.contains("{{version}}")
    {
        let message = format!("`{}` is the same for every version", template.value);
        build.problems.error("bad-value", template.at, message, "put `{{version}}` into it");
        return None;
    }
    let source = name("source");
    Some(CarrierRef::Application(ApplicationCarrier { source, field, template: build.name(&template.value) }))
}

impl DeliveryDraft<'_> {
    /// What carries versions to its regions, if it does.
    pub fn carrier(&self) -> Option<CarrierRef> {
        self.carrier.clone()
    }

    /// Names of regions that it mentions, to be checked against the service's.
    pub fn mentioned(&self) -> impl Iterator<Item = &At<String>> {
        self.except.iter()
    }

    /// What brings the workload of one region; none: nothing that is known here.
    pub fn of(
        &self,
        build: &Build<'_>,
        clusters: &Clusters,
        here: Here<'_>,
        own: Option<Table<'_>>,
    ) -> Option<DeliveryRef> {
        if own.and_then(|t| t.flag("delivery")) == Some(false) || self.except.iter().any(|e| e.value == here.region) {
            return None;
        }
        let text = |key: &str, default: &str| {
            first_text(&self.tables, key).unwrap_or_else(|| At { value: default.to_owned(), at: here.service.at })
        };
        let cluster = match &self.cluster {
            Holder::One(cluster) => *cluster,
            Holder::Each(template) => {
                let name = At { value: here.fill(build, template)?, at: template.at };
                clusters.find(build, &name)?
            }
        };
        let namespace = text("namespace", self.tool.namespace());
        let name = first_text(&[own], "application").unwrap_or_else(|| text("name", "{{service}}-{{region}}"));
        Some(DeliveryRef {
            kind: build.name(self.tool.kind()),
            cluster,
            namespace: Namespace::new(named(build, here, "delivery's namespace", &namespace, Form::Label)?),
            name: named(build, here, "delivery", &name, Form::Subdomain)?,
            on_hold: self.on_hold,
        })
    }
}
