//! Quarantine what runs, everywhere; clear a quarantine, with a reason.

use super::{Desk, everywhere, targets};
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Plan, PlanId, Refusal};
use crate::domain::quarantine::{Candidate, image};
use crate::domain::record::{Body, FactId};
use crate::domain::version::Version;
use crate::engine::quarantines::versions;

/// Refuses a digest everywhere: the one named, else the image of what runs at the target.
pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent, digest: Option<&Text>) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    let mut digests: Vec<(Text, Text)> = Vec::new();
    if let Some(digest) = digest {
        digests.push((digest.clone(), digest.clone()));
    } else {
        for at in &regions {
            let Some(workload) = desk.region_state(*at).and_then(|s| s.workload.as_ref()) else {
                let name = desk.region_name(*at);
                return Err(Refusal::new("stale", format!("what {name} runs is not known"), "name the digest"));
            };
            // An image is the same everywhere; a template is its region's own.
            let image = workload.image.as_ref().and_then(|i| i.digest.clone());
            let digest = image.unwrap_or_else(|| workload.version.0.clone());
            if !digests.iter().any(|(known, _)| *known == digest) {
                digests.push((digest, workload.version.0.clone()));
            }
        }
    }
    let known: Vec<Text> = desk.state.record.quarantines().into_iter().map(|(digest, _)| digest.clone()).collect();
    digests.retain(|(digest, _)| !known.contains(digest));
    if digests.is_empty() {
        return Err(Refusal::new("nothing-to-do", "it is quarantined already", "nothing is to be done"));
    }
    let names = digests.iter().map(|(_, name)| name.to_string()).collect::<Vec<_>>().join(", ");
    let bodies = digests.iter().map(|(digest, _)| Body::Quarantine { digest: digest.clone(), reason: reason(intent) });
    let bodies = bodies.collect();
    let runs = runs(desk, &digests);
    let steps = everywhere(desk, bodies, "quarantine")?;
    let mut findings = Vec::new();
    if !runs.is_empty() {
        let text = format!("it goes on running in {}: a quarantine refuses, it rolls nothing back", desk.names(&runs));
        findings.push(Finding::new(Severity::Note, "runs", names.as_str(), text));
    }
    findings.extend(no_way_back(desk, &digests, &names));
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("quarantine {names}").into(),
        after: "no ring is promoted to it, and nothing is rolled back to it, in any region".into(),
        way_back: "`:clear` ends it, with a reason".into(),
        parallelism: steps.len(),
        blast: desk.blast(regions),
        findings,
        steps,
        name: desk.service.name.as_str().into(),
        ring: None,
    })
}

/// Ends a quarantine: the one named, else the only one.
pub(super) fn clear(desk: &mut Desk<'_>, id: PlanId, intent: &Intent, what: Option<&Text>) -> Result<Plan, Refusal> {
    let all = desk.state.record.quarantined(desk.now);
    let name = |at: RegionIx| desk.region_name(at);
    let wanted = |q: &&crate::domain::quarantine::Quarantined<'_>| {
        what.is_none_or(|w| {
            let named = *q.subject() == **w || q.fact.id.to_string().eq_ignore_ascii_case(w);
            // A digest is known to people by the version that runs with it.
            named || versions(desk.state, q).contains(w)
        })
    };
    let hits: Vec<_> = all.iter().filter(wanted).collect();
    let mut subjects: Vec<&str> = hits.iter().map(|q| q.subject()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let subject = match subjects.as_slice() {
        [] => {
            let mut known: Vec<&str> = all.iter().map(|q| q.subject()).collect();
            known.dedup();
            let hint = match known.as_slice() {
                [] => "none is in force".to_owned(),
                known => format!("in force: {}", known.join(", ")),
            };
            return Err(Refusal::new("nothing-to-do", "no such quarantine is in force", hint));
        }
        [one] => (*one).to_owned(),
        several => {
            return Err(Refusal::new(
                "several",
                format!("several are in quarantine: {}", several.join(", ")),
                "name the one to clear: `--to VERSION`",
            ));
        }
    };
    let mut findings: Vec<Finding> = Vec::new();
    for quarantine in &hits {
        findings.push(Finding::new(Severity::Warning, "quarantine", subject.as_str(), quarantine.text(name)));
    }
    let mut facts: Vec<FactId> = hits.iter().map(|q| q.fact.id).collect();
    facts.sort();
    facts.dedup();
    let bodies = facts.into_iter().map(|quarantine| Body::Clearance { quarantine, reason: reason(intent) }).collect();
    let steps = everywhere(desk, bodies, "clearance")?;
    let regions = targets(desk.service, &intent.target);
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("clear {subject}").into(),
        after: format!("{subject} may be promoted again, through its gates").into(),
        way_back: "`:quarantine` refuses it again".into(),
        parallelism: steps.len(),
        blast: desk.blast(regions),
        findings,
        steps,
        name: desk.service.name.as_str().into(),
        ring: None,
    })
}

fn reason(intent: &Intent) -> Text {
    intent.reason.clone().unwrap_or_else(|| "".into())
}

/// Regions whose way back it is: a rollback there would be refused, and what then remains.
fn no_way_back(desk: &Desk<'_>, digests: &[(Text, Text)], names: &str) -> Option<Finding> {
    let running = runs(desk, digests);
    let release = desk.state.view.release.from.as_ref();
    let back = |at: &RegionIx| {
        if running.contains(at) {
            return false;
        }
        let promoted = desk.state.record.region(*at).and_then(|r| r.newest_promotion());
        let came_with_it = desk.state.view.regions.get(at.at()).is_some_and(|r| r.on_new == Some(true));
        match (promoted, release) {
            (Some((_, moved)), _) => {
                let (version, image) = (Version(moved.from_version.clone()), image(moved));
                let template = Some(moved.from_template);
                let candidate = Candidate { version: &version, image: image.as_ref(), template };
                digests.iter().any(|(d, v)| candidate.is_called(d) || *candidate.version.0 == **v)
            }
            (None, Some(from)) if came_with_it => {
                let candidate = Candidate { version: from, image: None, template: None };
                digests.iter().any(|(d, v)| candidate.is_called(d) || *from.0 == **v)
            }
            _ => false,
        }
    };
    let hit: Vec<RegionIx> = desk.service.region_indexes().filter(back).collect();
    (!hit.is_empty()).then(|| {
        let text = format!(
            "{names} is the known-good of {}: a rollback there would be refused. What then remains: a revision by hand, \
             a drain, or ending the quarantine with `:clear`",
            desk.names(&hit)
        );
        Finding::new(Severity::Warning, "no-way-back", names, text)
    })
}

/// Regions that run one of these now.
fn runs(desk: &Desk<'_>, digests: &[(Text, Text)]) -> Vec<RegionIx> {
    let hit = |at: &RegionIx| {
        let Some(w) = desk.region_state(*at).and_then(|s| s.workload.as_ref()) else { return false };
        let image = w.image.as_ref().and_then(|i| i.digest.as_ref());
        digests.iter().any(|(d, _)| Some(d) == image || **d == *w.version.0 || **d == *w.template.hex())
    };
    desk.service.region_indexes().filter(hit).collect()
}
