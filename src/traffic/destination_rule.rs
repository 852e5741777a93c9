//! `DestinationRule` of `networking.istio.io/v1`: how traffic is distributed over localities.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{BackendName, NamedRoute, Object, RouteError, TrafficProvider, named};
use crate::domain::change::{ApiType, replace, test};
use crate::domain::fleet::RouteRef;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::workload::{Backend, Route};

/// Where the setting lies.
const SETTING: &str = "/spec/trafficPolicy/loadBalancer/localityLbSetting";
/// The sum that Istio demands of one entry.
const WHOLE: u32 = 100;

/// Istio's locality distribution: each entry of `distribute` is a rule, the localities of its `to` are backends.
///
/// The weights of an entry add up to 100, each from 1: Istio refuses a 0. A locality that is not listed gets
/// nothing, so a drain takes it out and gives its part to the others in proportion. Traffic of other sources has
/// entries of its own: an object with more than one entry is only read.
pub struct DestinationRule;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    traffic_policy: Policy,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    #[serde(default)]
    load_balancer: Balancer,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Balancer {
    #[serde(default)]
    locality_lb_setting: Option<Setting>,
}

#[derive(Deserialize)]
struct Setting {
    #[serde(default)]
    distribute: Vec<Distribute>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct Distribute {
    #[serde(default)]
    to: BTreeMap<Text, u32>,
}

impl TrafficProvider for DestinationRule {
    fn name(&self) -> &'static str {
        "DestinationRule"
    }

    fn api(&self) -> ApiType {
        ApiType::new("networking.istio.io", "v1", "destinationrules", "DestinationRule")
    }

    fn backends(&self) -> BackendName {
        BackendName::Locality
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let object = Object::<Spec, IgnoredAny>::parsed(object)?;
        let owner = object.metadata.owner();
        let setting = object.spec.traffic_policy.load_balancer.locality_lb_setting;
        let trouble: Option<Text> = match &setting {
            None => Some("it has no locality distribution".into()),
            Some(s) if s.enabled == Some(false) => Some("its locality distribution is switched off".into()),
            Some(s) if s.distribute.is_empty() => Some("it has no locality distribution".into()),
            Some(s) if s.distribute.iter().any(|d| sum(d.to.values()) != u64::from(WHOLE)) => {
                Some("Istio refuses it: the weights of an entry do not add up to 100".into())
            }
            Some(_) => None,
        };
        let on = setting.filter(|s| s.enabled != Some(false));
        let backends = |d: Distribute| d.to.into_iter().map(|(name, weight)| Backend { name, weight }).collect();
        let rules = on.into_iter().flat_map(|s| s.distribute).map(backends).collect();
        Ok(named(object.metadata, |uid| Route { is_closed: true, ..Route::of(uid, rules, owner, trouble) }))
    }

    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        let entry = Entry::of(object, route)?;
        let to = entry.with(&route.backend, weight)?;
        Ok(entry.write(object, route, to))
    }

    fn restore(
        &self,
        object: &Value,
        route: &RouteRef,
        weight: u32,
        before: &[(Text, u32)],
    ) -> Result<Vec<Value>, RouteError> {
        let entry = Entry::of(object, route)?;
        let was = Entry { to: before.iter().map(|(name, weight)| (name.to_string(), *weight)).collect(), ..entry };
        // Where nobody touched the others since the drain, all of them are put back as they were, to the digit.
        let now = entry.to.get(&*route.backend).copied().unwrap_or(0);
        let as_left = was.with(&route.backend, now).is_ok_and(|left| left == entry.to);
        let exact = as_left && was.to.get(&*route.backend) == Some(&weight);
        let to = if exact { was.to } else { entry.with(&route.backend, weight)? };
        Ok(entry.write(object, route, to))
    }
}

fn sum<'a>(weights: impl Iterator<Item = &'a u32>) -> u64 {
    weights.map(|w| u64::from(*w)).sum()
}

/// The one entry of a full object.
#[derive(Clone)]
struct Entry<'a> {
    name: &'a str,
    to: BTreeMap<String, u32>,
}

impl<'a> Entry<'a> {
    fn of(object: &Value, route: &'a RouteRef) -> Result<Self, RouteError> {
        let name = &*route.name;
        let wrong = |why: String| RouteError(format!("DestinationRule {name}: {why}"));
        let setting = object.pointer(SETTING).ok_or_else(|| wrong("it has no locality distribution".to_owned()))?;
        if setting.get("enabled") == Some(&Value::Bool(false)) {
            return Err(wrong("its locality distribution is switched off".to_owned()));
        }
        let own = |policy: &Value| policy.pointer("/trafficPolicy/loadBalancer").is_some();
        let list = |path: &str| object.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let ports = list("/spec/trafficPolicy/portLevelSettings").any(|p| p.get("loadBalancer").is_some());
        if ports || list("/spec/subsets").any(own) {
            let why = "a subset or a port of it has a load balancer of its own, which this would not change";
            return Err(wrong(why.to_owned()));
        }
        let entries: Vec<&Value> = setting.get("distribute").and_then(Value::as_array).into_iter().flatten().collect();
        let [entry] = entries.as_slice() else {
            let why = format!(
                "it has {} entries of distribution, each for traffic of one source: only an object with one is steered",
                entries.len()
            );
            return Err(wrong(why));
        };
        if route.rule > 0 {
            return Err(wrong(format!("it has no rule {}", route.rule)));
        }
        let weights = entry.get("to").and_then(Value::as_object).into_iter().flatten();
        let weight = |(locality, weight): (&String, &Value)| {
            let weight = weight.as_u64().and_then(|w| u32::try_from(w).ok()).filter(|w| (1..=WHOLE).contains(w));
            Some((locality.clone(), weight?))
        };
        let to: Option<BTreeMap<String, u32>> = weights.map(weight).collect();
        let to = to.ok_or_else(|| wrong("a weight of it is no whole number from 1 to 100".to_owned()))?;
        if sum(to.values()) != u64::from(WHOLE) {
            return Err(wrong("its weights do not add up to 100: Istio refuses it".to_owned()));
        }
        Ok(Self { name, to })
    }

    /// The weights with this one of a locality, and what is left to the others in the proportion they have.
    fn with(&self, locality: &str, weight: u32) -> Result<BTreeMap<String, u32>, RouteError> {
        let wrong = |why: &str| RouteError(format!("DestinationRule {}: {why}", self.name));
        let rest = WHOLE.checked_sub(weight).ok_or_else(|| wrong("a weight is at most 100"))?;
        let others: BTreeMap<&String, u32> =
            self.to.iter().filter(|(n, _)| *n != locality).map(|(n, w)| (n, *w)).collect();
        let before = sum(others.values());
        if rest > 0 && before == 0 {
            return Err(wrong("no other locality has a weight: nothing could take the rest"));
        }
        // Whole parts first; what they leave goes to the largest remainders, in the order of the names.
        let part = |w: u32| (u64::from(w) * u64::from(rest)).checked_div(before).unwrap_or(0);
        let left_over = |w: u32| (u64::from(w) * u64::from(rest)).checked_rem(before).unwrap_or(0);
        let mut to: BTreeMap<String, u64> = others.iter().map(|(n, w)| ((*n).clone(), part(*w))).collect();
        let mut order: Vec<(&String, u32)> = others.iter().map(|(n, w)| (*n, *w)).collect();
        order.sort_by_key(|(_, w)| std::cmp::Reverse(left_over(*w)));
        let missing = u64::from(rest).saturating_sub(to.values().sum());
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        for (name, _) in order.into_iter().take(missing) {
            *to.entry(name.clone()).or_default() += 1;
        }
        if let Some((name, _)) = to.iter().find(|(_, w)| **w == 0) {
            return Err(wrong(&format!("{} would be left with nothing", safe(name, 60))));
        }
        to.insert(locality.to_owned(), weight.into());
        // Istio refuses a 0; what is not listed gets nothing.
        Ok(to.into_iter().filter_map(|(n, w)| u32::try_from(w).ok().filter(|w| *w > 0).map(|w| (n, w))).collect())
    }

    fn write(&self, object: &Value, route: &RouteRef, to: BTreeMap<String, u32>) -> Vec<Value> {
        let uid = object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
        let setting = object.pointer(SETTING).cloned().unwrap_or(Value::Null);
        let to: Map<String, Value> = to.into_iter().map(|(name, weight)| (name, weight.into())).collect();
        let path = format!("{SETTING}/distribute/{}/to", route.rule);
        vec![test("/metadata/uid", uid), test(SETTING, setting), replace(path, Value::Object(to))]
    }
}
