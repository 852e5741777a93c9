//! `checklist`: things that people do by hand, in order, per region.

use super::only_if_seen;
use crate::domain::fleet::{Param, Params, Ring, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, HangsOn, Need, ParamError, Parameter};
use crate::domain::id::Text;
use crate::domain::record::{Body, Fact, RegionRecord};
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::Version;

/// Manual steps of a release, such as the phases of a schema change.
pub struct Checklist;

/// A list as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// What it is called.
    pub name: Text,
    /// Items in order, each with how it is taken back.
    pub items: Vec<Item>,
    /// Items that keep the release from being done while they are open.
    pub must_close: Vec<Text>,
    /// How many of the items must be done before a ring may change or vouch.
    until: usize,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What is done, one word.
    pub name: Text,
    /// How it is taken back.
    pub way_back: WayBack,
}

/// How an item is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// So.
    Revert(Text),
    /// Not: from then on only forward, and why.
    Irreversible(Text),
    /// Nobody said.
    Unsaid,
}

impl GateType for Checklist {
    fn name(&self) -> &'static str {
        "checklist"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn hangs_on(&self) -> HangsOn {
        HangsOn::People
    }
    fn about(&self) -> &'static str {
        "Steps that people take by hand, in order and per region, for the version that enters (entry) or runs (exit). Waits for those up to `until`; as an exit gate also for `must_close`. After an irreversible step a rollback takes break-glass: the way is forward."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "items",
                about: "The steps in order, one word each: `[\"expand\", \"dual-write\", \"backfill\", \"contract\"]`.",
                required: true,
            },
            Parameter {
                name: "reverts",
                about: "How each is taken back: `[\"expand: drop the new columns\"]`.",
                required: false,
            },
            Parameter {
                name: "irreversible",
                about: "Those that are not, and why: `[\"contract: the old columns are gone\"]`.",
                required: false,
            },
            Parameter {
                name: "must_close",
                about: "Steps that must also be done before the release is: `[\"resume-replication\"]`.",
                required: false,
            },
            Parameter {
                name: "until",
                about: "The last step that must be done here; all unless given.",
                required: false,
            },
            Parameter {
                name: "name",
                about: "What the list is called, where there are several; `checklist` unless given.",
                required: false,
            },
        ]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Steps::read(params).map(|steps| Box::new(steps) as Box<dyn Gate>)
    }
}

/// The lists of a ring, entry and exit gates together; one name is one list.
pub fn checklists(ring: &Ring) -> Vec<Steps> {
    let specs = ring.entry_gates.iter().chain(&ring.exit_gates).filter(|s| &*s.gate == Checklist.name());
    let mut lists: Vec<Steps> = Vec::new();
    for steps in specs.filter_map(|s| Steps::read(&s.params).ok()) {
        match lists.iter_mut().find(|l| l.name == steps.name) {
            None => lists.push(steps),
            Some(known) => {
                let new = |name: &&Text| !known.must_close.contains(*name);
                let more: Vec<Text> = steps.must_close.iter().filter(new).cloned().collect();
                known.must_close.extend(more);
                let new = |item: &&Item| known.items.iter().all(|k| k.name != item.name);
                let more: Vec<Item> = steps.items.iter().filter(new).cloned().collect();
                known.items.extend(more);
            }
        }
    }
    lists
}

impl Steps {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Says which parameter does not fit.
    pub fn read(params: &Params) -> Result<Self, ParamError> {
        let texts = |key: &str| -> Result<Vec<&str>, ParamError> {
            match params.0.get(key) {
                None => Ok(Vec::new()),
                Some(Param::Text(one)) => Ok(vec![one.as_str()]),
                Some(Param::List(list)) => Ok(list.iter().map(String::as_str).collect()),
                Some(_) => Err(ParamError::new(key, format!("`{key}` is a list of texts"))),
            }
        };
        let word = |key: &str, text: &str| -> Result<Text, ParamError> {
            let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            if text.is_empty() || !text.chars().all(fits) {
                let message = format!("`{}` is no step: one word of letters, digits, `-`, `_` and `.`", safe(text, 40));
                return Err(ParamError::new(key, message));
            }
            Ok(text.into())
        };
        let names: Vec<Text> = texts("items")?.into_iter().map(|t| word("items", t)).collect::<Result<_, _>>()?;
        if names.is_empty() {
            return Err(ParamError::new("items", "say the steps, e.g. `items = [\"expand\", \"contract\"]`"));
        }
        if let Some(twice) = names.iter().enumerate().find(|(n, name)| names.iter().take(*n).any(|k| k == *name)) {
            return Err(ParamError::new("items", format!("`{}` is there twice", twice.1)));
        }
        let mut items: Vec<Item> =
            names.iter().map(|name| Item { name: name.clone(), way_back: WayBack::Unsaid }).collect();
        for (key, make) in
            [("reverts", WayBack::Revert as fn(Text) -> WayBack), ("irreversible", WayBack::Irreversible)]
        {
            for text in texts(key)? {
                let Some((name, how)) = text.split_once(':').filter(|(_, how)| !how.trim().is_empty()) else {
                    let message = format!("`{}` does not say why; write `\"step: …\"`", safe(text, 60));
                    return Err(ParamError::new(key, message));
                };
                let Some(item) = items.iter_mut().find(|i| *i.name == *name.trim()) else {
                    let message = format!("`{}` is not one of the steps: {}", safe(name, 40), names.join(", "));
                    return Err(ParamError::new(key, message));
                };
                if item.way_back != WayBack::Unsaid {
                    return Err(ParamError::new(key, format!("the way back of `{}` is said twice", item.name)));
                }
                item.way_back = make(how.trim().into());
            }
        }
        let must_close: Vec<Text> =
            texts("must_close")?.into_iter().map(|t| word("must_close", t)).collect::<Result<_, _>>()?;
        let until = match params.0.get("until") {
            None => items.len(),
            Some(Param::Text(text)) => {
                let at = names.iter().position(|n| **n == **text);
                at.map(|at| at + 1).ok_or_else(|| {
                    ParamError::new(
                        "until",
                        format!("`{}` is not one of the steps: {}", safe(text, 40), names.join(", ")),
                    )
                })?
            }
            Some(_) => return Err(ParamError::new("until", "`until` is the name of a step")),
        };
        let name = match params.0.get("name") {
            None => "checklist".into(),
            Some(Param::Text(text)) => word("name", text)?,
            Some(_) => return Err(ParamError::new("name", "`name` is one word")),
        };
        Ok(Self { name, items, must_close, until })
    }

    /// Steps that say neither how they are taken back nor that they are not.
    pub fn unsaid(&self) -> impl Iterator<Item = &Text> {
        self.items.iter().filter(|i| i.way_back == WayBack::Unsaid).map(|i| &i.name)
    }

    /// Whether the list has this step.
    pub fn has(&self, name: &str) -> bool {
        self.items.iter().any(|i| *i.name == *name) || self.must_close.iter().any(|n| **n == *name)
    }
}

/// The newest word about a step, for a version, in a region.
pub fn ticked<'r>(record: Option<&'r RegionRecord>, list: &str, item: &str, version: &Version) -> Option<&'r Fact> {
    let about = |fact: &&Fact| {
        matches!(&fact.body, Body::Checked { list: l, item: i, version: v, .. }
            if **l == *list && **i == *item && *v == version.0)
    };
    record?.facts.values().rev().find(about)
}

/// Whether that word is that it was done.
pub fn is_done(record: Option<&RegionRecord>, list: &str, item: &str, version: &Version) -> bool {
    ticked(record, list, item, version).is_some_and(|f| matches!(f.body, Body::Checked { done: true, .. }))
}

/// Irreversible steps that were taken in a region for a version, each with why.
pub fn no_way_back(ring: &Ring, record: Option<&RegionRecord>, version: &Version) -> Vec<(Text, Text)> {
    let mut found = Vec::new();
    for list in checklists(ring) {
        for item in &list.items {
            if let WayBack::Irreversible(why) = &item.way_back
                && is_done(record, &list.name, &item.name, version)
            {
                found.push((item.name.clone(), why.clone()));
            }
        }
    }
    found
}

impl Gate for Steps {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }
}

impl Steps {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let version = match &evidence.entering {
            Some(entering) => entering.version,
            None => match evidence.workload {
                Some(workload) => &workload.version,
                None => return Judgement::new(Verdict::NoData, "unseen", format!("{region}: what runs is not known")),
            },
        };
        let record = evidence.record.region(evidence.at);
        if record.is_none() {
            let sentence = format!("{region}: its shared record is not known, where steps are ticked");
            return Judgement::new(Verdict::NoData, "record?", sentence);
        }
        let exit = evidence.entering.is_none();
        let closing = self.must_close.iter().filter(|_| exit);
        let wanted: Vec<&Text> = self.items.iter().take(self.until).map(|i| &i.name).chain(closing).collect();
        let done = |name: &Text| is_done(record, &self.name, name, version);
        let open: Vec<&str> = wanted.iter().filter(|n| !done(n)).map(|n| &***n).collect();
        let cell = format!("{}/{}", wanted.len() - open.len(), wanted.len());
        let judged = match open.split_first() {
            None => {
                let sentence = format!("{region}: every step of {} is done for {version}", self.name);
                Judgement::new(Verdict::Go, cell, sentence)
            }
            Some((next, rest)) => {
                let then = if rest.is_empty() { String::new() } else { format!(", then {}", rest.join(", ")) };
                let sentence = format!("{region}: {} of {} is open for {version}{then}", next, self.name);
                Judgement::new(Verdict::Wait, cell, sentence)
            }
        };
        wanted.iter().fold(judged, |judged, name| judged.because(self.line(record, name, version)))
    }

    fn line(&self, record: Option<&RegionRecord>, name: &Text, version: &Version) -> String {
        let back = self.items.iter().find(|i| i.name == *name).map(|i| match &i.way_back {
            WayBack::Revert(how) => format!("; way back: {how}"),
            WayBack::Irreversible(why) => format!("; irreversible: {why}"),
            WayBack::Unsaid => String::new(),
        });
        let back = back.unwrap_or_default();
        match ticked(record, &self.name, name, version) {
            Some(fact) => {
                let word = if is_done(record, &self.name, name, version) { "done" } else { "taken back" };
                format!("{name}: {word} by {} at {}{back}", fact.by, fact.at.strftime("%Y-%m-%d %H:%M UTC"))
            }
            None => format!("{name}: open{back}"),
        }
    }
}

#[cfg(test)]
#[path = "checklist_tests.rs"]
mod tests;
