//! One object's bytes to an observation; the translators of kinds and traffic do the work.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::plan::WatchPlan;
use crate::domain::approval::Approval;
use crate::domain::id::{Namespace, Text};
use crate::domain::observation::{ResourceVersion, Seen, WatchKind};
use crate::domain::record::RegionRecord;
use crate::domain::text::safe;
use crate::io::answer::Failure;
use crate::{delivery, kinds, traffic};

/// One line of a watch.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    pub(super) metadata: PageMeta,
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

/// Where a list stands.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PageMeta {
    pub(super) resource_version: String,
    #[serde(rename = "continue")]
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    metadata: Meta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    // A bookmark has neither name nor namespace.
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ConfigMap<'a> {
    #[serde(borrow, default)]
    data: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

/// What an object is, before it is read.
pub(super) struct Head {
    pub(super) resource_version: String,
    /// The same, where it can be compared.
    pub(super) version: Option<ResourceVersion>,
    /// The wanted object it is, with the names as the plan holds them.
    pub(super) wanted: Option<(Namespace, Text)>,
}

/// Reads only an object's names and its version.
pub(super) fn head(plan: &WatchPlan, object: &[u8]) -> Result<Head, Failure> {
    let named: Named<'_> = serde_json::from_slice(object).map_err(|e| garbage("an object", &e))?;
    let found = plan.wanted.get(&named.metadata.namespace, &named.metadata.name);
    let found = found.map(|(namespace, name, _)| (namespace.clone(), name.clone()));
    let found = found.or_else(|| approval(plan, &named.metadata));
    let resource_version = named.metadata.resource_version.into_owned();
    Ok(Head { version: ResourceVersion::parse(&resource_version), resource_version, wanted: found })
}

/// Approvals have names of their own: one lies in a namespace that has a record.
fn approval(plan: &WatchPlan, meta: &Meta<'_>) -> Option<(Namespace, Text)> {
    let may_be = plan.kind == WatchKind::Records && Approval::is_named_so(&meta.name);
    let namespace = plan.wanted.namespaces().find(|ns| may_be && ns.as_str() == meta.namespace)?;
    Some((namespace.clone(), (&*meta.name).into()))
}

/// Reads a wanted object.
pub(super) fn object(plan: &WatchPlan, namespace: Namespace, name: Text, bytes: &[u8]) -> Result<Seen, Failure> {
    let what = format!("{} {namespace}/{name}", plan.api.kind);
    Ok(match &plan.kind {
        WatchKind::Workloads(kind) => {
            let wanted = |ns: &str, n: &str| plan.wanted.get(ns, n).and_then(|(_, _, how)| how.clone());
            let read = kinds::kind(kind).map(|k| k.read(bytes, &wanted));
            let named = match read {
                Some(Ok(Some(named))) => named,
                Some(Err(e)) => return Err(Failure::Garbage(format!("{what} {e}"))),
                Some(Ok(None)) | None => return Err(Failure::Garbage(format!("{what} is not what was asked for"))),
            };
            Seen::Workload { namespace, name, kind: kind.clone(), state: Some(Box::new(named.workload)) }
        }
        WatchKind::Records if Approval::is_named_so(&name) => {
            let state = Some(Box::new(Approval::read(&name, bytes)));
            Seen::Approval { namespace, name, state }
        }
        WatchKind::Records => {
            let map: ConfigMap<'_> = serde_json::from_slice(bytes).map_err(|e| garbage(&what, &e))?;
            let data = map.data.unwrap_or_default();
            let record = RegionRecord::read(data.iter().map(|(k, v)| (&**k, &**v)));
            Seen::Record { namespace, name, state: Some(Box::new(record)) }
        }
        WatchKind::Routes(provider) => {
            let read = traffic::provider(provider).map(|p| p.read(bytes));
            let named = match read {
                Some(Ok(named)) => named,
                Some(Err(e)) => return Err(Failure::Garbage(format!("{what} cannot be read: {}", safe(&e.0, 200)))),
                None => return Err(Failure::Garbage(format!("{what} has no provider"))),
            };
            Seen::Route { namespace, name, provider: provider.clone(), state: Some(Box::new(named.route)) }
        }
        WatchKind::Deliveries(kind) => {
            let named = match delivery::tool(kind).map(|t| t.read(bytes)) {
                Some(Ok(named)) => named,
                Some(Err(e)) => return Err(Failure::Garbage(format!("{what} {e}"))),
                None => return Err(Failure::Garbage(format!("{what} has no tool"))),
            };
            Seen::Delivery { namespace, name, kind: kind.clone(), state: Some(Box::new(named.delivery)) }
        }
    })
}

/// The object is gone.
pub(super) fn gone(plan: &WatchPlan, namespace: Namespace, name: Text) -> Seen {
    match &plan.kind {
        WatchKind::Workloads(kind) => Seen::Workload { namespace, name, kind: kind.clone(), state: None },
        WatchKind::Records if Approval::is_named_so(&name) => Seen::Approval { namespace, name, state: None },
        WatchKind::Records => Seen::Record { namespace, name, state: None },
        WatchKind::Routes(provider) => Seen::Route { namespace, name, provider: provider.clone(), state: None },
        WatchKind::Deliveries(kind) => Seen::Delivery { namespace, name, kind: kind.clone(), state: None },
    }
}

/// Bytes that are not what the API promises. Never quotes them: they may hold secrets.
pub(super) fn garbage(what: &str, error: &serde_json::Error) -> Failure {
    use serde_json::error::Category;
    let why = match error.classify() {
        Category::Syntax => "is not JSON",
        Category::Eof => "is cut off",
        Category::Data | Category::Io => "has another shape than the API promises",
    };
    Failure::Garbage(format!("{what} {why} (line {}, column {})", error.line(), error.column()))
}
