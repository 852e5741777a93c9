//! Roll back, or abort what is in flight: never forward, never blocked.

use serde_json::Value;

use super::known_good::{Here, back, history, revisions};
use super::{Desk, StepParts, abort, as_read, carry, digest, not_elsewhere, patch, targets, uid};
use super::{carrier, reported};
use crate::carriers::Way;
use crate::domain::carrier::CarrierRef;
use crate::domain::challenge::PAST_STABLE;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::Region;
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{ALSO_STABLE, BEFORE_PREVIOUS, Intent, Target, Verb};
use crate::domain::plan::{Expectation, Plan, PlanId, Refusal, Step};
use crate::domain::record::{Body, Fact, Move};
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::gates::{Requirement, no_way_back};
use crate::kinds::Pause;

pub(super) fn draft(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    to_revision: Option<u64>,
) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    plan(desk, id, intent, regions, to_revision, "roll back")
}

pub(super) fn plan(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    regions: Vec<RegionIx>,
    to_revision: Option<u64>,
    verb: &str,
) -> Result<Plan, Refusal> {
    let mut findings = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut refused: Vec<Refusal> = Vec::new();
    // Nothing that happens to one region delays another: what cannot be planned is left out, and said.
    for at in regions {
        let given_up = match &intent.verb {
            Verb::Abort => abort::by_controller(desk, id, at, &mut findings),
            _ => Ok(None),
        };
        let step = given_up.and_then(|step| match step {
            Some(step) => Ok(step),
            None => region_step(desk, id, at, to_revision, &mut findings),
        });
        match step {
            Ok(step) => steps.push(step),
            Err(refusal) => refused.push(refusal),
        }
    }
    if steps.is_empty() {
        return Err(refused.into_iter().next().unwrap_or_else(|| {
            Refusal::new("nothing-to-do", "there is nothing to roll back", "select a region that was promoted")
        }));
    }
    for refusal in refused {
        let severity = if refusal.code == "nothing-to-do" { Severity::Note } else { Severity::Warning };
        findings.push(Finding::new(severity, "left-out", "plan", format!("not in this plan: {}", refusal.text)));
    }
    let regions: Vec<RegionIx> = steps.iter().map(|s| s.region).collect();
    let name: Text = match &intent.target {
        Target::Ring(ring) => desk.service.ring(*ring).map_or_else(|| "?".into(), |r| r.name.as_str().into()),
        Target::Service => desk.service.name.as_str().into(),
        Target::Regions(_) => desk.names(&regions).into(),
    };
    let parallelism = steps.len();
    let past: Vec<RegionIx> = regions.iter().copied().filter(|r| runs_what_the_release_came_from(desk, *r)).collect();
    let way_back = match past.as_slice() {
        [] => "a promotion brings the version back, through its gates".to_owned(),
        past => past.iter().filter_map(|at| back_again(desk, *at)).collect::<Vec<_>>().join("; "),
    };
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("{verb} {name}").into(),
        after: "later rings wait for a new promotion; holds in force stay".into(),
        way_back: way_back.into(),
        parallelism,
        blast: desk.blast(regions),
        findings,
        steps,
        name,
        ring: None,
    })
}

/// What a region runs now, and the revision that brings it back.
fn back_again(desk: &Desk<'_>, at: RegionIx) -> Option<String> {
    let workload = desk.region_state(at)?.workload.as_ref()?;
    let (name, version) = (desk.region_name(at), &workload.version);
    Some(match workload.revision {
        Some(number) => format!("`gonogo rollback {} {name} --to {number}` brings {version} back", desk.service.name),
        None => format!("{version} comes back to {name} by its revision"),
    })
}

fn region_step(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    to_revision: Option<u64>,
    findings: &mut Vec<Finding>,
) -> Result<Step, Refusal> {
    let region = desk.region(at)?.clone();
    if region.is_reported() {
        return reported::back(desk, id, at, to_revision, findings);
    }
    let kind = desk.kind(&region)?;
    let object = desk.workload(at)?.clone();
    if region.carrier.is_none() {
        not_elsewhere(kind, &region, &object)?;
    }
    let running = digest(kind, &object).ok_or_else(|| Refusal::new("absent", "the workload has no template", ""))?;
    let old: Text =
        desk.region_state(at).and_then(|s| s.workload.as_ref()).map_or_else(|| "?".into(), |w| w.version.0.clone());
    let stable = runs_what_the_release_came_from(desk, at);
    let drilled = to_revision == Some(ALSO_STABLE);
    let to_revision = to_revision.filter(|_| !drilled);
    if stable && to_revision.is_none() && !drilled {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{} runs {old}, which is what the release came from: nothing to roll back", region.name),
            format!(
                "to go behind it, name a revision: `gonogo rollback {} {} --to N`; {}{}",
                desk.service.name,
                region.name,
                revisions(&history(desk, at, &object, kind)),
                on_its_way(&region)
            ),
        ));
    }
    if to_revision.is_none()
        && was_rolled_back_to(desk, at, &old, running)
        && let Some(step) = go_on(desk, at, &object, running)?
    {
        return Ok(step);
    }
    if to_revision.is_none() && was_rolled_back_to(desk, at, &old, running) {
        if let Some(step) = abort::in_full(desk, at, findings)? {
            return Ok(step);
        }
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{} was rolled back to {old}, its known-good, and runs it", region.name),
            format!(
                "to go behind it, choose a revision: `gonogo rollback {} {} --to N`; {}",
                desk.service.name,
                region.name,
                revisions(&history(desk, at, &object, kind))
            ),
        ));
    }
    let here = Here { at, region: &region, object: &object, kind, running, version: &old };
    let back = back(desk, &here, to_revision, findings)?;
    if let Some(number) = to_revision.filter(|n| stable && *n != BEFORE_PREVIOUS) {
        let text = format!(
            "{} runs {old}, which is what the release came from: revision {number} puts {} there",
            region.name, back.version
        );
        findings.push(Finding::new(Severity::Warning, PAST_STABLE, region.name.as_str(), text));
    }
    let after = digest(kind, &back.target).unwrap_or(running);
    findings.extend(required(desk, &region, &Version(back.version.clone())));
    findings.extend(forward_only(desk, at, &region));
    findings.extend(kind.before_undo(&object).map(|text| {
        Finding::new(Severity::Warning, "blocks", region.name.as_str(), format!("{}: {text}", region.name))
    }));
    findings.extend(kind.template(&back.target).and_then(|to| abort::on_way_back(desk, at, &region, kind, to)));
    let (runs, goes_to) = (Version(old.clone()), Version(back.version.clone()));
    let image = carry::find(&back.target, &carry::image_path(&region.workload.container)).and_then(|f| f.value);
    let image = image.as_ref().and_then(Value::as_str).map(Image::parse);
    let remembered = carrier::remembered(desk, at, &old, &back.version);
    let order =
        carrier::Wanted { plan: id, from: &runs, to: &goes_to, image: image.as_ref(), way: Way::Back(&remembered) };
    let carried = carrier::carried(desk, at, &region, &order, findings)?;
    let mut operations = as_read(kind, &object);
    operations.extend(back.operations);
    let mut diff = back.diff;
    let mut facts = Vec::new();
    // A paused region would take the old template and stand still.
    match un_pause(desk, at, &object)? {
        Some(_) if carried.is_some() => {
            let text = format!("{} is paused: what is brought there stands still until U", region.name);
            findings.push(Finding::new(Severity::Warning, "paused", region.name.as_str(), text));
        }
        Some((un_pause, ended)) => {
            operations.extend(un_pause.operations);
            diff.extend(un_pause.diff);
            facts.extend(ended);
        }
        None => {}
    }
    let ring: Text = desk.ring_of(at).map_or_else(|| "?".into(), |r| r.name.as_str().into());
    let note = format!("gonogo: roll back {} from {old} to {}", region.name, back.version);
    let moved = Move {
        plan: id.0,
        ring,
        from_version: old.clone(),
        to_version: back.version.clone(),
        from_template: running,
        to_template: after,
        from: back.fields,
        policy: desk.service.policy_hash.clone(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    };
    let proposed = carried.as_ref().is_some_and(|c| c.proposed);
    if !proposed {
        facts.push(desk.fact(&region, Body::RolledBack(moved)));
    }
    let parts = StepParts {
        label: format!("{old} → {} (back)", back.version).into(),
        main: Some(match &carried {
            Some(carried) => carrier::main(carried),
            None => patch(desk.workload_ref(&region, kind), operations),
        }),
        facts,
        event: (!proposed).then(|| (uid(&object), "GonogoRolledBack", note)),
        expect: match &carried {
            _ if proposed => Vec::new(),
            Some(_) => vec![Expectation::Runs(goes_to)],
            None => vec![abort::arrives(kind.settles(&back.target, after), after)],
        },
        diff: carried.map_or(diff, |c| c.diff),
        limit: desk.limit(at),
    };
    desk.step(at, parts)
}

/// What was brought may not have arrived: then there is nothing here to roll back, and something to take back.
fn on_its_way(region: &Region) -> &'static str {
    match region.carrier {
        Some(CarrierRef::Overlay(_)) => {
            "; a commit that the cluster has not taken yet is taken back in the repository: `git revert`, or hold what brings it"
        }
        _ => "",
    }
}

/// What takes a pause back, whoever made it, and the facts that end ours though its hold stays: whoever
/// pauses next, the resume is not ours. None: it is not paused.
fn un_pause(desk: &mut Desk<'_>, at: RegionIx, object: &Value) -> Result<Option<(Pause, Vec<Fact>)>, Refusal> {
    let region = desk.region(at)?.clone();
    let was = super::resume::replaced(desk, at);
    let Some(un_pause) = desk.kind(&region)?.un_pause(object, was.as_deref()) else { return Ok(None) };
    let ours: Vec<_> = desk.state.record.region(at).into_iter().flat_map(|r| r.pauses()).map(|(f, ..)| f.id).collect();
    let ended = ours.into_iter().map(|paused| desk.fact(&region, Body::Unpaused { paused })).collect();
    Ok(Some((un_pause, ended)))
}

/// A rollback that somebody paused half-way is let go on; it was recorded when it began.
fn go_on(desk: &mut Desk<'_>, at: RegionIx, object: &Value, running: TemplateDigest) -> Result<Option<Step>, Refusal> {
    let in_flight = desk.region_state(at).and_then(|s| s.workload.as_ref()).is_some_and(|w| w.in_flight());
    let Some((un_pause, facts)) = un_pause(desk, at, object)?.filter(|_| in_flight) else { return Ok(None) };
    let region = desk.region(at)?.clone();
    let kind = desk.kind(&region)?;
    let mut operations = as_read(kind, object);
    operations.extend(un_pause.operations);
    let parts = StepParts {
        label: "the rollback goes on".into(),
        main: Some(patch(desk.workload_ref(&region, kind), operations)),
        facts,
        event: Some((uid(object), "GonogoRolledBack", format!("gonogo: the rollback of {} goes on", region.name))),
        diff: un_pause.diff,
        expect: vec![abort::arrives(kind.settles(object, running), running)],
        limit: desk.limit(at),
    };
    desk.step(at, parts).map(Some)
}

/// A region that the release under way has not reached, and that is ahead of nobody: its known-good is
/// what it runs.
pub(super) fn runs_what_the_release_came_from(desk: &Desk<'_>, at: RegionIx) -> bool {
    let stable = || {
        let view = &desk.state.view;
        let workload = desk.region_state(at)?.workload.as_ref().filter(|w| !w.in_flight())?;
        let old = |at: RegionIx| view.regions.get(at.at()).is_some_and(|r| r.on_new == Some(false));
        let version = &workload.version;
        let rolled_back = desk
            .state
            .record
            .regions
            .iter()
            .flatten()
            .flat_map(|r| r.facts.values())
            .any(|f| matches!(&f.body, Body::RolledBack(m) if m.from_version == version.0));
        // Another release may be under way behind the newest one.
        let ring = desk.service.region(at)?.ring;
        let later = desk.service.region_indexes().filter(|r| desk.service.region(*r).is_some_and(|r| r.ring >= ring));
        let ahead = later.filter(|r| old(*r)).filter_map(|r| desk.region_state(r)?.workload.as_ref());
        let ahead = ahead.map(|w| &w.version).any(|v| v != version);
        let arrived = view.rings.first().and_then(|r| r.bake_start).map(|s| s.at);
        let promoted = desk.state.record.region(at).and_then(|r| r.newest_promotion());
        let lately = promoted
            .is_some_and(|(fact, m)| m.to_version == version.0 && arrived.is_some_and(|arrived| fact.at > arrived));
        Some(old(at) && !rolled_back && !ahead && !lately)
    };
    stable().unwrap_or(false)
}

/// Irreversible steps that were taken here for what runs: the way is forward.
pub(super) fn forward_only(desk: &Desk<'_>, at: RegionIx, region: &Region) -> Vec<Finding> {
    let runs = desk.region_state(at).and_then(|s| s.workload.as_ref()).map(|w| w.version.clone());
    let Some((ring, runs)) = desk.ring_of(at).zip(runs) else { return Vec::new() };
    let taken = no_way_back(ring, desk.state.record.region(at), &runs);
    let finding = |(item, why): (Text, Text)| {
        let text =
            format!("{}: {item} was taken for {runs} and is irreversible ({why}): roll forward only", region.name);
        Finding::new(Severity::BreakGlass, "irreversible", region.name.as_str(), text)
    };
    taken.into_iter().map(finding).collect()
}

/// Other services of this region that require more than the version it would go back to.
pub(super) fn required(desk: &Desk<'_>, region: &Region, version: &Version) -> Vec<Finding> {
    let mut findings = Vec::new();
    for other in desk.fleet.services.iter().filter(|s| s.name != desk.service.name) {
        let Some((_, there)) = other.find_region(region.name.as_str()) else { continue };
        let gates = other.ring(there.ring).map(|r| r.entry_gates.as_slice()).unwrap_or_default();
        let asked = gates.iter().filter(|g| &*g.gate == "requires").filter_map(|g| Requirement::read(&g.params).ok());
        for wanted in asked.filter(|w| *w.service == *desk.service.name.as_str() && w.met_by(version) == Some(false)) {
            let text = format!(
                "{}: {} requires {} at least at {}; {version} is below it",
                region.name, other.name, desk.service.name, wanted.at_least
            );
            findings.push(Finding::new(Severity::BreakGlass, "required", region.name.as_str(), text));
        }
    }
    findings
}

/// The newest move in a region brought back what runs: going back again would go behind it.
fn was_rolled_back_to(desk: &Desk<'_>, at: RegionIx, version: &str, running: TemplateDigest) -> bool {
    let newest = desk.state.record.region(at).and_then(|r| r.newest_move());
    newest.is_some_and(|(fact, m)| {
        let same = m.to_template == running || *m.to_version == *version && m.from_version != m.to_version;
        matches!(fact.body, Body::RolledBack(_)) && same
    })
}
