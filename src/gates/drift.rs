//! `drift`: the region is configured as its peers are, beyond what may differ.

use std::collections::BTreeMap;

use super::{only_if_seen, silence};
use crate::domain::fleet::{Carry, CarryPath, Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::RegionName;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::TemplateDigest;

/// One configuration for all regions.
pub struct Drift;

impl GateType for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "The pod template, without the fields that promotions carry and those that may differ, is that of most other regions. A finding where it is not; NO-GO with `strict`."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "except",
                about: "Fields that may differ: pointers such as `/spec/template/spec/containers[name=web]/env[name=REGION]`.",
                required: false,
            },
            Parameter { name: "strict", about: "`true`: NO-GO instead of a finding.", required: false },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let mine = allowed(params)?;
        let strict = match params.0.get("strict") {
            None | Some(Param::Flag(false)) => false,
            Some(Param::Flag(true)) => true,
            Some(_) => return Err(ParamError::new("strict", "`strict` is `true` or `false`")),
        };
        // At config time the rings have no gates yet; then the position does not matter.
        let set = allowed_sets(service).iter().position(|set| *set == mine).unwrap_or_default();
        Ok(Box::new(Alike { set, strict }))
    }
}

/// The fields that a gate lets differ.
fn allowed(params: &Params) -> Result<Vec<CarryPath>, ParamError> {
    let texts = match params.0.get("except") {
        None => return Ok(Vec::new()),
        Some(Param::Text(one)) => std::slice::from_ref(one),
        Some(Param::List(list)) => list.as_slice(),
        Some(_) => return Err(ParamError::new("except", "`except` is a list of pointers")),
    };
    let read = |text: &String| {
        let path = CarryPath::parse(text).filter(|_| text.starts_with("/spec/template/"));
        path.ok_or_else(|| {
            let message = format!(
                "`{text}` is no pointer below `/spec/template/`, e.g. `/spec/template/spec/containers[name=web]/env`"
            );
            ParamError::new("except", message)
        })
    };
    texts.iter().map(read).collect()
}

/// Each different set of fields that a service's gates let differ, in order: for each the edge
/// makes one digest of a template.
pub fn allowed_sets(service: &Service) -> Vec<Vec<CarryPath>> {
    let mut sets: Vec<Vec<CarryPath>> = Vec::new();
    for ring in &service.rings {
        for spec in ring.entry_gates.iter().chain(&ring.exit_gates).filter(|s| &*s.gate == Drift.name()) {
            if let Ok(set) = allowed(&spec.params)
                && !sets.contains(&set)
            {
                sets.push(set);
            }
        }
    }
    sets
}

/// What the edge leaves out of a template for each of those sets: they, and what promotions carry.
pub fn left_out(service: &Service) -> Vec<Vec<CarryPath>> {
    let carried = service.carries.iter().filter_map(|carry| match carry {
        Carry::Pointer { path, .. } => Some(path.clone()),
        // The image is left out by the container's name, which is the region's.
        Carry::Image | Carry::ImageRef => None,
    });
    let carried: Vec<CarryPath> = carried.collect();
    allowed_sets(service).into_iter().map(|set| set.into_iter().chain(carried.iter().cloned()).collect()).collect()
}

struct Alike {
    /// Position of its set among [`allowed_sets`].
    set: usize,
    strict: bool,
}

impl Gate for Alike {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }
}

impl Alike {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(mine) = evidence.workload.and_then(|w| w.configurations.get(self.set)) else {
            let sentence = format!("{region}: its configuration is not known");
            return Judgement::new(Verdict::NoData, "unknown", sentence);
        };
        let mut others: BTreeMap<TemplateDigest, Vec<&RegionName>> = BTreeMap::new();
        let mut unseen = Vec::new();
        for (at, peer) in evidence.peers.iter().enumerate() {
            if at == evidence.at.at() {
                continue;
            }
            match peer.workload.and_then(|w| w.configurations.get(self.set)) {
                Some(theirs) if silence(&peer.freshness).is_none() => {
                    others.entry(*theirs).or_default().push(&peer.region.name);
                }
                _ => unseen.push(&peer.region.name),
            }
        }
        let names = |regions: &[&RegionName]| regions.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(", ");
        let most = others.values().map(Vec::len).max().unwrap_or_default();
        let alike = others.get(mine).map_or(0, Vec::len);
        let judged = if most == 0 && evidence.peers.len() <= 1 {
            Judgement::new(Verdict::Go, "alone", format!("{region}: no other region is there to differ from"))
        } else if most == 0 {
            let sentence = format!("{region}: no other region is seen that it could be compared with");
            Judgement::new(Verdict::NoData, "no peers", sentence)
        } else if alike == most {
            let sentence = format!("{region}: configured as {alike} other regions are");
            Judgement::new(Verdict::Go, format!("{alike} alike"), sentence)
        } else {
            let theirs = others.values().find(|regions| regions.len() == most).map_or_else(String::new, |r| names(r));
            let sentence = format!(
                "{region}: configured otherwise than {theirs}, beyond the image and the fields that may differ"
            );
            let verdict = if self.strict { Verdict::NoGo } else { Verdict::Findings };
            Judgement::new(verdict, "differs", sentence)
        };
        let judged = others.iter().fold(judged, |judged, (digest, regions)| {
            judged.because(format!("configuration {}: {}", digest.short(), names(regions)))
        });
        let judged = judged.because(format!("configuration {}: {region}", mine.short()));
        if unseen.is_empty() { judged } else { judged.because(format!("not seen: {}", names(&unseen))) }
    }
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
