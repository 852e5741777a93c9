//! Who changed an object behind our back: read from its `managedFields` when it happens, never held.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::Engine;
use super::effect::{Effect, Ticket};
use crate::domain::id::{Place, RegionIx, ServiceIx, Text};
use crate::domain::intent::Verb;
use crate::domain::link::LostReason;
use crate::domain::plan::PlanId;
use crate::domain::record::{Body, Fact, FactId};
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::version::TemplateDigest;

/// Our own field manager.
const MANAGER: &str = "gonogo";
/// A read that failed is sent again after this; so long it is looked who changed something.
const AGAIN: Duration = Duration::from_secs(30);

/// Plans whose facts are remembered: under review, or sent a moment ago.
const MOST_PLANS: usize = 16;

/// Who wrote a part of an object last, as its `managedFields` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The field manager, made visible.
    pub manager: Text,
    /// When, if that is said.
    pub at: Option<Timestamp>,
}

impl std::fmt::Display for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.manager)?;
        match self.at {
            Some(at) => write!(f, " at {}", at.strftime("%d %b %H:%M:%S UTC")),
            None => Ok(()),
        }
    }
}

/// What a read of `managedFields` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blamed {
    /// A template that changed under a hold.
    Template(Place),
    /// A step that was refused because the object is not as shown.
    Step(PlanId, usize),
}

/// A step that was refused because the object is not as shown.
#[derive(Clone, Debug)]
struct Changed {
    plan: PlanId,
    step: usize,
    /// Since the start of the program.
    since: Duration,
    /// It was written, and somebody put it back: what is seen.
    put_back: Option<Text>,
    /// Who did what, by the record.
    whom: Option<Text>,
    /// Who wrote it, by the object.
    writer: Option<Writer>,
}

/// What is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Blaming {
    open: BTreeMap<Ticket, Blamed>,
    asked: BTreeMap<Place, (TemplateDigest, Duration)>,
    changed: Vec<Changed>,
    /// Facts that were known when a plan was drafted: what comes later is what changed.
    known: BTreeMap<PlanId, BTreeSet<FactId>>,
}

impl Engine {
    /// Asks who changed what changed under a hold, once per change.
    pub(super) fn blame(&mut self, effects: &mut Vec<Effect>) {
        let mut due: Vec<(Place, TemplateDigest)> = Vec::new();
        for service in (0..self.services.len()).map(ServiceIx::from).filter(|at| self.is_kept(*at)) {
            let Some(state) = self.services.get(service.at()) else { continue };
            for at in &state.view.changed_under_hold {
                let place: Place = (service, *at);
                let Some(region) = state.region(*at) else { continue };
                let Some(template) = region.workload.as_ref().map(|w| w.template) else { continue };
                let known = region.changed_by.as_ref().is_some_and(|(of, _)| *of == template);
                let waits = self
                    .blaming
                    .asked
                    .get(&place)
                    .is_some_and(|(of, since)| *of == template && self.now.mono.saturating_sub(*since) < AGAIN);
                if !known && !waits {
                    due.push((place, template));
                }
            }
        }
        for (place, template) in due {
            self.blaming.asked.insert(place, (template, self.now.mono));
            self.ask_whom(place, Blamed::Template(place), effects);
        }
    }

    /// What the record says now: facts that come later came after the plan was drafted.
    /// Facts that were known when a plan was drafted.
    pub(super) fn known_facts(&self, plan: PlanId) -> Option<&BTreeSet<FactId>> {
        self.blaming.known.get(&plan)
    }

    pub(super) fn remember_facts(&mut self, plan: PlanId, service: ServiceIx) {
        let record = self.services.get(service.at()).map(|s| &s.record);
        let known = record.into_iter().flat_map(|r| r.regions.iter().flatten()).flat_map(|r| r.facts.keys()).copied();
        let known = known.collect();
        self.blaming.known.insert(plan, known);
        while self.blaming.known.len() > MOST_PLANS {
            self.blaming.known.pop_first();
        }
    }

    /// A step was refused because the object is not as shown: who it was is asked, and the sentence
    /// made better as answers come. The other's fact follows its write.
    pub(super) fn blame_step(&mut self, plan: PlanId, step: usize, effects: &mut Vec<Effect>) -> Text {
        let whom = self.whom(plan, step);
        self.ask_who(Changed { plan, step, since: self.now.mono, put_back: None, whom, writer: None }, effects)
    }

    /// What a step wrote was put back: who did it is asked, and the sentence made better as the answer comes.
    pub(super) fn blame_revert(&mut self, plan: PlanId, step: usize, seen: Text, effects: &mut Vec<Effect>) -> Text {
        let whom = self.whom(plan, step);
        self.ask_who(Changed { plan, step, since: self.now.mono, put_back: Some(seen), whom, writer: None }, effects)
    }

    fn ask_who(&mut self, changed: Changed, effects: &mut Vec<Effect>) -> Text {
        let (plan, step, text) = (changed.plan, changed.step, changed.text());
        self.blaming.changed.push(changed);
        let of = self.operations.iter().find(|o| o.plan.id == plan).map(|o| o.plan.clone());
        if let Some(object) = of.as_ref().and_then(|p| p.steps.get(step)?.main()?.change.object().cloned()) {
            let ticket = self.ticket();
            self.blaming.open.insert(ticket, Blamed::Step(plan, step));
            effects.push(Effect::Fetch { ticket, object });
        }
        text
    }

    /// Looks whether the record tells by now who changed what a plan rested on.
    pub(super) fn tend_changed(&mut self) {
        let now = self.now.mono;
        self.blaming.changed.retain(|c| now.saturating_sub(c.since) < AGAIN);
        for at in 0..self.blaming.changed.len() {
            let Some(changed) = self.blaming.changed.get(at).filter(|c| c.whom.is_none()) else { continue };
            let Some(whom) = self.whom(changed.plan, changed.step) else { continue };
            self.tell_changed(at, |c| c.whom = Some(whom));
        }
    }

    fn tell_changed(&mut self, at: usize, better: impl FnOnce(&mut Changed)) {
        let Some(changed) = self.blaming.changed.get_mut(at) else { return };
        let before = changed.text();
        better(changed);
        let (plan, step, after) = (changed.plan, changed.step, changed.text());
        self.reword_step(plan, step, &before, &after);
    }

    /// Who moved, drained or restored what a step is about, since its plan was drafted.
    fn whom(&self, id: PlanId, step: usize) -> Option<Text> {
        let plan = &self.operations.iter().find(|o| o.plan.id == id)?.plan;
        let (known, spec) = (self.blaming.known.get(&id)?, plan.steps.get(step)?);
        let service = self.services.get(plan.service.at())?;
        let ours: Vec<FactId> = plan.steps.iter().flat_map(|s| &s.facts).flat_map(|(_, f)| f).map(|f| f.id).collect();
        let steers = matches!(plan.intent.verb, Verb::Drain | Verb::Restore);
        let name = |at: RegionIx| self.fleet.service(plan.service)?.region(at).map(|r| r.name.to_string());
        let told = |at: RegionIx, fact: &Fact| {
            let region = name(at)?;
            Some(match &fact.body {
                Body::Promoted(m) if !steers => {
                    format!("{} promoted {region} from {} to {}", fact.by, m.from_version, m.to_version)
                }
                Body::RolledBack(m) if !steers => {
                    format!("{} rolled {region} back from {} to {}", fact.by, m.from_version, m.to_version)
                }
                Body::Drained { .. } if steers => format!("{} drained {region}", fact.by),
                Body::Restored { .. } if steers => format!("{} restored {region}", fact.by),
                _ => return None,
            })
        };
        let regions = (0..service.regions.len()).map(RegionIx::from).filter(|at| steers || *at == spec.region);
        let facts = regions.filter_map(|at| Some((at, service.record.region(at)?)));
        let facts = facts.flat_map(|(at, r)| r.facts.values().map(move |f| (at, f)));
        let new = facts.filter(|(_, f)| !known.contains(&f.id) && !ours.contains(&f.id));
        let newest = new.filter_map(|(at, f)| Some((f.id, told(at, f)?))).max_by_key(|(id, _)| *id)?;
        Some(newest.1.into())
    }

    fn ask_whom(&mut self, place: Place, blamed: Blamed, effects: &mut Vec<Effect>) {
        let Some(object) = self.workload_object(place) else { return };
        let ticket = self.ticket();
        self.blaming.open.insert(ticket, blamed);
        effects.push(Effect::Fetch { ticket, object });
    }

    /// Whether the answer was to such a question; then it is taken.
    pub(super) fn is_blame(&mut self, ticket: Ticket, result: &Result<Option<Value>, LostReason>) -> bool {
        let Some(blamed) = self.blaming.open.remove(&ticket) else { return false };
        let Ok(Some(object)) = result else { return true };
        match blamed {
            Blamed::Template(place) => {
                let kind = self
                    .fleet
                    .service(place.0)
                    .and_then(|s| s.region(place.1))
                    .and_then(|r| crate::kinds::kind(&r.workload.kind));
                let Some(kind) = kind else { return true };
                let (Some(template), Some(writer)) =
                    (kind.template(object).map(TemplateDigest::of), last_writer(object, kind.template_pointer()))
                else {
                    return true;
                };
                self.with(place, |region| region.changed_by = Some((template, writer)));
            }
            Blamed::Step(id, step) => {
                // Of a workload the template counts, of a route its rules.
                let writer = ["/spec/template", "/spec/rules", "/spec"].iter().find_map(|p| last_writer(object, p));
                let at = self.blaming.changed.iter().position(|c| c.plan == id && c.step == step);
                if let (Some(writer), Some(at)) = (writer, at) {
                    self.tell_changed(at, |c| c.writer = Some(writer));
                }
            }
        }
        true
    }
}

impl Changed {
    fn text(&self) -> Text {
        if let Some(seen) = &self.put_back {
            return match (&self.whom, &self.writer) {
                (Some(whom), _) => format!("{seen}; {whom} meanwhile").into(),
                (None, Some(writer)) => format!("{seen}; put back by {writer}").into(),
                (None, None) => seen.clone(),
            };
        }
        let what = match &self.whom {
            Some(whom) => format!("{whom} meanwhile"),
            None => "another object, template or weight than shown".to_owned(),
        };
        let writer = match (&self.whom, &self.writer) {
            // The person says more than the program that both use.
            (Some(_), Some(writer)) if &*writer.manager == MANAGER => String::new(),
            (_, Some(writer)) => format!("; last written by {writer}"),
            (_, None) => String::new(),
        };
        format!("changed since you looked: {what}; nothing was written{writer}").into()
    }
}

/// Who wrote something at or below a pointer last: the newest entry of `managedFields` that owns it.
pub fn last_writer(object: &Value, pointer: &str) -> Option<Writer> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let path: String = pointer.split('/').filter(|p| !p.is_empty()).map(|p| format!("/f:{p}")).collect();
    let own = |entry: &&Value| {
        let status = entry.get("subresource").and_then(Value::as_str).is_some_and(|s| !s.is_empty());
        !status && entry.get("fieldsV1").is_some_and(|fields| fields.pointer(&path).is_some())
    };
    let read = |entry: &Value| {
        let manager = entry.get("manager").and_then(Value::as_str).unwrap_or("unknown");
        let at = entry.get("time").and_then(Value::as_str).and_then(|t| t.parse().ok());
        Writer { manager: safe(manager, 80).into(), at }
    };
    entries.iter().filter(own).map(read).max_by_key(|w| w.at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_owner_of_the_template_is_named_and_status_writers_are_not() {
        let entry = |manager: &str, time: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields});
        let template = json!({"f:spec": {"f:template": {"f:spec": {}}}});
        let mut status = entry("kube-controller-manager", "2026-03-02T10:09:00Z", template.clone());
        status["subresource"] = "status".into();
        let object = json!({"metadata": {"managedFields": [
            entry("helm", "2026-03-01T10:00:00Z", template.clone()),
            entry("kubectl-set\u{1b}[2J", "2026-03-02T10:00:03Z", template),
            entry("autoscaler", "2026-03-02T10:05:00Z", json!({"f:spec": {"f:replicas": {}}})),
            status,
        ]}});
        let writer = last_writer(&object, "/spec/template").unwrap();
        assert_eq!(writer.to_string(), "kubectl-set␛[2J at 02 Mar 10:00:03 UTC");
        assert_eq!(last_writer(&object, "/spec/rules"), None);
        assert_eq!(last_writer(&json!({}), "/spec/template"), None);
    }
}
