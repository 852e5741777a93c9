//! Regions that a pipeline reports: there is no object to patch, so each verb is what its configuration says.
//!
//! Nothing in the request tests what was read. The draft reads the newest report, refuses where a rollout is under
//! way, and says what it goes from: a pipeline may refuse by that.

use super::roll_back::{forward_only, required, runs_what_the_release_came_from};
use super::{Desk, GRACE, SOON, StepParts};
use crate::carriers::{self, Way, pipeline};
use crate::domain::change::Change;
use crate::domain::deed::Deed;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::Region;
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{ALSO_STABLE, BEFORE_PREVIOUS};
use crate::domain::pipeline::{Pipeline, VERSION};
use crate::domain::plan::{Expectation, PlanId, Refusal, Step, Write, WriteRole};
use crate::domain::quarantine::Candidate;
use crate::domain::record::{Body, Fact, FactId, Move};
use crate::domain::version::{TemplateDigest, Version};
use crate::domain::workload::{Phase, Workload};
use crate::kinds::Still;

/// The way forward of one region; none where it runs the version already.
pub(super) fn promote(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    to: &Version,
    template: Option<TemplateDigest>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Step>, Refusal> {
    let (region, workload) = here(desk, at)?;
    let failed = matches!(workload.phase, Phase::Degraded | Phase::DeadlineExceeded);
    if workload.version == *to && !failed {
        return Ok(None);
    }
    if workload.paused {
        return Err(Refusal::new(
            "paused",
            format!("{} is paused there: it would stand still", region.name),
            "resume it first (U, or where it was paused)",
        ));
    }
    if workload.in_flight() && !failed {
        return Err(Refusal::new(
            "busy",
            format!("{}: a rollout of {} is under way ({})", region.name, workload.version, workload.phase.word()),
            "wait until it is over, or abort it (X)",
        ));
    }
    let template = template.unwrap_or_else(|| by_version(to));
    let label = format!("{} → {to}", workload.version);
    let parts = moved(desk, id, at, (&workload, to, template), Way::Forward, findings)?;
    desk.step(at, StepParts { label: label.into(), ..parts }).map(Some)
}

/// The way back of one region, to what the record says ran there before.
pub(super) fn back(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    to_revision: Option<u64>,
    findings: &mut Vec<Finding>,
) -> Result<Step, Refusal> {
    let (region, workload) = here(desk, at)?;
    if to_revision.is_some_and(|n| n != ALSO_STABLE && n != BEFORE_PREVIOUS) {
        return Err(Refusal::new(
            "revision",
            format!("{}: what a pipeline reports has no revisions", region.name),
            "roll back without `--to`: the record says what ran before",
        ));
    }
    let runs = &workload.version;
    let newest = desk.state.record.region(at).and_then(|r| r.newest_move());
    let unseen = newest.is_some_and(|(fact, m)| matches!(fact.body, Body::Promoted(_)) && m.from_version == runs.0);
    if to_revision.is_none() && !unseen && runs_what_the_release_came_from(desk, at) {
        let text = format!("{} runs {runs}, which is what the release came from: nothing to roll back", region.name);
        return Err(Refusal::new("nothing-to-do", text, "select a region that was promoted"));
    }
    let (to, template) = match newest.map(|(fact, moved)| (&fact.body, moved)) {
        Some((Body::RolledBack(m), _)) if m.to_version == runs.0 && to_revision.is_none() && workload.settled() => {
            let text = format!("{} was rolled back to {runs}, its known-good, and runs it", region.name);
            return Err(Refusal::new("nothing-to-do", text, "promote it to go forward"));
        }
        // The way back did not come to its end: it is ordered again.
        Some((Body::RolledBack(m), _)) => (Version(m.to_version.clone()), m.to_template),
        Some((_, m)) if m.to_version == runs.0 => (Version(m.from_version.clone()), m.from_template),
        Some((_, m)) if m.from_version == runs.0 => {
            let text = format!(
                "{}: no report shows {} yet, which was promoted there; {runs} is ordered again",
                region.name, m.to_version
            );
            findings.push(Finding::new(Severity::Warning, "unseen", region.name.as_str(), text));
            (Version(m.from_version.clone()), m.from_template)
        }
        _ => {
            let text = format!("{}: no promotion to {runs} is on record, so nothing says what ran before", region.name);
            return Err(Refusal::new("no-known-good", text, "roll back with the pipeline's own tool"));
        }
    };
    not_quarantined(desk, &region, &to, template)?;
    let text = format!("{}: that {to} ran before is what the record says; no revision proves it", region.name);
    findings.push(Finding::new(Severity::Note, "by-record", region.name.as_str(), text));
    findings.extend(required(desk, &region, &to));
    findings.extend(forward_only(desk, at, &region));
    let label = format!("{runs} → {to} (back)");
    let parts = moved(desk, id, at, (&workload, &to, template), Way::Back(&[]), findings)?;
    desk.step(at, StepParts { label: label.into(), ..parts })
}

/// Stops what is in flight; none where its pipeline has no such thing, or no hold covers the region.
pub(super) fn hold(desk: &mut Desk<'_>, at: RegionIx, hold: FactId) -> Result<Option<Step>, Refusal> {
    let (region, workload) = here(desk, at)?;
    let Some(deed) = region.pipeline().and_then(|p| p.hold.clone()) else { return Ok(None) };
    let fact = desk.fact(&region, Body::Paused { hold, template: workload.template, was: None });
    stopped(desk, at, (&region, &workload), ("hold", &deed), vec![fact], true).map(Some)
}

/// Lets go on what a hold of ours stopped; none where its pipeline has no such thing.
pub(super) fn resume(desk: &mut Desk<'_>, at: RegionIx, facts: Vec<Fact>) -> Result<Option<Step>, Refusal> {
    let (region, workload) = here(desk, at)?;
    let Some(deed) = region.pipeline().and_then(|p| p.resume.clone()) else { return Ok(None) };
    stopped(desk, at, (&region, &workload), ("resume", &deed), facts, false).map(Some)
}

/// Whether it has something that stops a rollout.
pub(super) fn can_hold(region: &Region) -> bool {
    region.pipeline().is_some_and(|p| p.hold.is_some())
}

/// Whether a rollback is under way there: its template is not known before it is reported.
pub(super) fn is_going_back(desk: &Desk<'_>, at: RegionIx, workload: &Workload) -> bool {
    let newest = desk.state.record.region(at).and_then(|r| r.newest_move());
    newest.is_some_and(|(f, m)| matches!(f.body, Body::RolledBack(_)) && m.to_version == workload.version.0)
}

fn here(desk: &Desk<'_>, at: RegionIx) -> Result<(Region, Workload), Refusal> {
    let region = desk.region(at)?.clone();
    match desk.region_state(at).and_then(|s| s.workload.clone()) {
        Some(workload) => Ok((region, workload)),
        None => Err(Refusal::new(
            "unreachable",
            format!("{}: its pipeline has not reported yet", region.name),
            "R asks it again",
        )),
    }
}

/// What a version is told by where no build of it is known.
fn by_version(version: &Version) -> TemplateDigest {
    TemplateDigest::of(&serde_json::json!({ "version": version }))
}

fn pipeline_of(region: &Region) -> Result<&Pipeline, Refusal> {
    region.pipeline().ok_or_else(|| Refusal::new("carrier", format!("{} has no pipeline", region.name), ""))
}

/// A step that brings a version, there or back.
fn moved(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    (workload, to, template): (&Workload, &Version, TemplateDigest),
    way: Way<'_>,
    findings: &mut Vec<Finding>,
) -> Result<StepParts, Refusal> {
    // A fresh report: what was read before the draft, or why it could not be.
    desk.workload(at)?;
    let region = desk.region(at)?.clone();
    let wanted = super::carrier::Wanted { plan: id, from: &workload.version, to, image: None, way };
    let carried = super::carrier::carried(desk, at, &region, &wanted, findings)?;
    let carried = carried.ok_or_else(|| Refusal::new("carrier", format!("{} has no pipeline", region.name), ""))?;
    let ring: Text = desk.ring_of(at).map_or_else(|| "?".into(), |r| r.name.as_str().into());
    let moved = Move {
        plan: id.0,
        ring,
        from_version: workload.version.0.clone(),
        to_version: to.0.clone(),
        from_template: workload.template,
        to_template: template,
        from: Vec::new(),
        policy: desk.service.policy_hash.clone(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    };
    let body = match way {
        Way::Forward => Body::Promoted(moved),
        Way::Back(_) => Body::RolledBack(moved),
    };
    let facts = vec![desk.fact(&region, body)];
    Ok(StepParts {
        label: "".into(),
        main: Some(super::carrier::main(&carried)),
        facts,
        // There is no object that an Event could be about.
        event: None,
        diff: carried.diff,
        expect: vec![Expectation::Runs(to.clone())],
        limit: pipeline_of(&region)?.deadline + GRACE,
    })
}

/// A step that stops a rollout, or lets it go on.
fn stopped(
    desk: &mut Desk<'_>,
    at: RegionIx,
    (region, workload): (&Region, &Workload),
    (verb, deed): (&str, &Deed),
    facts: Vec<Fact>,
    paused: bool,
) -> Result<Step, Refusal> {
    let whereabouts = desk.service.names_of(desk.fleet, region);
    let mut names = whereabouts.each().to_vec();
    names.push((VERSION, &workload.version.0));
    let refused = |still: Still| Refusal::new(still.code, format!("{} {}", region.name, still.why), still.hint);
    let outside = pipeline::filled(deed, &pipeline_of(region)?.name, verb, &names).map_err(refused)?;
    let parts = StepParts {
        label: (if paused { "pause the rollout" } else { "un-pause the rollout" }).into(),
        diff: carriers::pipeline::shown(&outside),
        main: Some(Write { role: WriteRole::Main, change: Change::Outside(outside), if_absent: None }),
        facts,
        event: None,
        expect: vec![Expectation::Paused(paused)],
        limit: SOON.max(pipeline_of(region)?.every * 4),
    };
    desk.step(at, parts)
}

/// What is quarantined is no way back either.
fn not_quarantined(desk: &Desk<'_>, region: &Region, to: &Version, template: TemplateDigest) -> Result<(), Refusal> {
    let candidate = Candidate { version: to, image: None, template: Some(template) };
    let all = desk.state.record.quarantined(desk.now);
    match all.iter().rev().find(|q| q.covers(&candidate)) {
        Some(hit) => Err(Refusal::new(
            "quarantine",
            format!("{}: {to} was {}: it is no way back", region.name, hit.text(|at| desk.region_name(at))),
            "drain the region, or clear the quarantine (`:clear`), with a reason",
        )),
        None => Ok(()),
    }
}
