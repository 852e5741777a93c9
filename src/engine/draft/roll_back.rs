//! Roll back: to the `from` of the region's newest promoted fact; where another tool brought what
//! runs, to what we had left there; without a fact, to the newest revision that this release
//! neither promoted nor rolled back from.

use serde_json::Value;

use super::carry::{Wanted, find};
use super::{CHANGE_CAUSE, Desk, StepParts, change_cause, digest, patch, targets, uid};
use crate::domain::challenge::PAST_STABLE;
use crate::domain::change::test;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{CarryPath, Region, VersionFrom};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{ALSO_STABLE, BEFORE_PREVIOUS, Intent, Target};
use crate::domain::plan::{DiffLine, Plan, PlanId, Refusal, Step};
use crate::domain::quarantine::Candidate;
use crate::domain::record::{Body, Move};
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::gates::{Requirement, no_way_back};
use crate::kinds::{Past, WorkloadKind};

/// Rolls back what is in flight among the targets.
pub(super) fn abort(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    let in_flight: Vec<RegionIx> = targets(desk.service, &intent.target)
        .into_iter()
        .filter(|r| desk.region_state(*r).and_then(|s| s.workload.as_ref()).is_some_and(|w| w.in_flight()))
        .collect();
    if in_flight.is_empty() {
        return Err(Refusal::new("nothing-to-do", "no rollout is in flight here", "B rolls back what is finished"));
    }
    plan(desk, id, intent, in_flight, None, "abort")
}

pub(super) fn draft(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    to_revision: Option<u64>,
) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    plan(desk, id, intent, regions, to_revision, "roll back")
}

fn plan(
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
        match region_step(desk, id, at, to_revision, &mut findings) {
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

/// Where a region goes back to.
struct Back {
    version: Text,
    operations: Vec<Value>,
    diff: Vec<DiffLine>,
    target: Value,
    fields: Vec<(Text, Text)>,
}

fn region_step(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    to_revision: Option<u64>,
    findings: &mut Vec<Finding>,
) -> Result<Step, Refusal> {
    let region = desk.region(at)?.clone();
    let kind = desk.kind(&region)?;
    let object = desk.workload(at)?.clone();
    let running = digest(kind, &object).ok_or_else(|| Refusal::new("absent", "the workload has no template", ""))?;
    let promoted = desk.state.record.region(at).and_then(|r| r.newest_promotion()).map(|(_, m)| m.clone());
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
                "to go behind it, name a revision: `gonogo rollback {} {} --to N`; {}",
                desk.service.name,
                region.name,
                revisions(&history(desk, at, &object, kind))
            ),
        ));
    }
    if to_revision.is_none() && was_rolled_back_to(desk, at, &old, running) {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{} was rolled back to {old}, its known-good, and runs it", region.name),
            format!("to go behind it, choose a revision with --to; {}", revisions(&history(desk, at, &object, kind))),
        ));
    }
    // A fact about another move says nothing of this one: its `from` may lie two versions back.
    let brought = brought_by_another_tool(desk, at, &old, running);
    let back = match (promoted, to_revision) {
        (Some(moved), None) if brought.is_none() => by_fact(desk, at, &region, &object, &moved, kind, findings)?,
        (_, wanted) => by_revision(desk, at, &region, &object, (running, brought), wanted, kind)?,
    };
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
    let mut operations = vec![
        test("/metadata/uid", uid(&object).into()),
        test(kind.template_pointer(), kind.template(&object).cloned().unwrap_or_default()),
    ];
    operations.extend(back.operations);
    let mut diff = back.diff;
    let mut facts = Vec::new();
    // A paused region would take the old template and stand still.
    let was = super::resume::replaced(desk, at);
    if let Some(un_pause) = kind.un_pause(&object, was.as_deref()) {
        operations.extend(un_pause.operations);
        diff.extend(un_pause.diff);
        // Our pause is over, though its hold stays: whoever pauses next, the resume is not ours.
        let ours: Vec<_> =
            desk.state.record.region(at).into_iter().flat_map(|r| r.pauses()).map(|(f, ..)| f.id).collect();
        facts.extend(ours.into_iter().map(|paused| desk.fact(&region, Body::Unpaused { paused })));
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
        journal: desk.journal.clone(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    };
    facts.push(desk.fact(&region, Body::RolledBack(moved)));
    let parts = StepParts {
        label: format!("{old} → {} (back)", back.version).into(),
        main: Some(patch(desk.workload_ref(&region, kind), operations)),
        facts,
        event: Some((uid(&object), "GonogoRolledBack", note)),
        diff,
        expect: vec![kind.settles(&back.target, after)],
        limit: desk.limit(at),
    };
    desk.step(at, parts)
}

/// A region that the release under way has not reached, and that is ahead of nobody: its known-good is
/// what it runs.
fn runs_what_the_release_came_from(desk: &Desk<'_>, at: RegionIx) -> bool {
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

/// Revisions of a region that its children still know; empty where they cannot be read.
fn history(desk: &Desk<'_>, at: RegionIx, object: &Value, kind: &dyn WorkloadKind) -> Vec<Past> {
    match desk.objects.owned.get(&at) {
        Some(Ok(owned)) => kind.history(object, owned),
        _ => Vec::new(),
    }
}

fn revisions(past: &[Past]) -> String {
    let list = past.iter().map(|p| format!("{} ({})", p.number, p.digest.short())).collect::<Vec<_>>().join(", ");
    format!("revisions: {}", if list.is_empty() { "none" } else { &list })
}

/// A fact only claims what ran: one of the region's ReplicaSets or ControllerRevisions must have run it. Where their history is
/// gone, the image must at least come from where the running one does.
fn really_ran(
    desk: &Desk<'_>,
    at: RegionIx,
    region: &Region,
    object: &Value,
    fields: &[(CarryPath, Wanted)],
    kind: &dyn WorkloadKind,
) -> Result<(), Refusal> {
    let running = digest(kind, object);
    let past = history(desk, at, object, kind);
    let template = kind.template_pointer();
    let of_template = || fields.iter().filter(|(_, f)| f.field.named.to_string().starts_with(template));
    let ran = |p: &Past| {
        let mut then = object.clone();
        let Some(place) = then.pointer_mut(template) else { return false };
        *place = p.template.clone();
        of_template().all(|(path, f)| find(&then, path).is_some_and(|found| found.value == f.to))
    };
    let image = fields.iter().find(|(_, f)| f.field.named.to_string().ends_with("/image"));
    let text = |v: Option<&Value>| v.and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
    let wanted = image.map(|(_, f)| text(f.to.as_ref())).unwrap_or_default();
    let proven = if past.iter().any(|p| Some(p.digest) != running) {
        past.iter().any(ran)
    } else {
        let repository = |v: Option<&Value>| Image::parse(&text(v)).repository;
        image.is_none_or(|(_, f)| repository(f.to.as_ref()) == repository(f.field.value.as_ref()))
    };
    if proven {
        return Ok(());
    }
    Err(Refusal::new(
        "unproven",
        format!(
            "no {} of {} ever ran {}, which a promoted fact names as what ran before",
            kind.children().api.kind,
            region.name,
            crate::domain::text::safe(&wanted, 120)
        ),
        format!("find out who wrote that fact; choose a revision with --to; {}", revisions(&past)),
    ))
}

/// Restores exactly the carried fields of the newest promotion.
fn by_fact(
    desk: &Desk<'_>,
    at: RegionIx,
    region: &Region,
    object: &Value,
    moved: &Move,
    kind: &dyn WorkloadKind,
    findings: &mut Vec<Finding>,
) -> Result<Back, Refusal> {
    let mut fields = Vec::new();
    for (path, value) in &moved.from {
        let lost = || {
            Refusal::new(
                "carry",
                format!("{}: {path} of the promoted fact is not in the workload any more", region.name),
                "choose a revision: `:rollback … revision N`",
            )
        };
        let path = CarryPath::parse(path).ok_or_else(lost)?;
        let field = find(object, &path).ok_or_else(lost)?;
        let to = if &**value == "absent" { None } else { Some(serde_json::from_str(value).map_err(|_| lost())?) };
        fields.push((path, Wanted { field, to }));
    }
    let changed: Vec<&Wanted> = fields.iter().map(|(_, f)| f).filter(|f| !f.is_there()).collect();
    if changed.is_empty() {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{} already runs {}, its known-good", region.name, moved.from_version),
            "rolling back again would go nowhere; choose a revision by hand to go further",
        ));
    }
    really_ran(desk, at, region, object, &fields, kind)?;
    let to_image = |f: &&Wanted| f.field.named.to_string().ends_with("/image");
    let image = changed.iter().copied().find(to_image).and_then(|f| f.to.as_ref()?.as_str().map(Image::parse));
    // The title is made of what is written, not of what a fact calls it.
    let version = match (&desk.service.version_from, &image) {
        (VersionFrom::Image, Some(image)) => image.version(),
        _ => Version(moved.from_version.clone()),
    };
    let candidate = Candidate { version: &version, image: image.as_ref(), template: Some(moved.from_template) };
    not_quarantined(desk, region, &candidate)?;
    let mut target = object.clone();
    changed.iter().for_each(|f| f.apply(&mut target));
    if digest(kind, &target) != Some(moved.from_template) {
        findings.push(Finding::new(
            Severity::Note,
            "other-fields",
            region.name.as_str(),
            format!("{}: fields that promotions do not carry differ from then; they stay as they are", region.name),
        ));
    }
    let mut operations: Vec<Value> = changed.iter().flat_map(|f| f.operations()).collect();
    let mut diff: Vec<DiffLine> = changed.iter().map(|f| f.diff()).collect();
    let (operation, line) = change_cause(object, &format!("gonogo: roll back to {version}"));
    operations.push(operation);
    diff.push(line);
    let before = |f: &Wanted| f.field.value.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
    Ok(Back {
        version: version.0,
        operations,
        diff,
        target,
        fields: fields.iter().map(|(_, f)| (f.field.named.to_string().into(), before(f).into())).collect(),
    })
}

/// Puts a past revision's template back, with kubectl's annotation rules.
fn by_revision(
    desk: &Desk<'_>,
    at: RegionIx,
    region: &Region,
    object: &Value,
    (running, left): (TemplateDigest, Option<TemplateDigest>),
    wanted: Option<u64>,
    kind: &dyn WorkloadKind,
) -> Result<Back, Refusal> {
    let owned = match desk.objects.owned.get(&at) {
        Some(Ok(owned)) => owned.as_slice(),
        Some(Err(reason)) => {
            let (word, text) = reason.text();
            return Err(Refusal::new("unreachable", format!("{}: {word}: {text}", region.name), "R tries again"));
        }
        None => &[],
    };
    let past = kind.history(object, owned);
    let list = revisions(&past);
    // What ran before the release is N-1; the one before that is N-2.
    let promoted = || desk.state.record.region(at)?.newest_promotion().map(|(_, m)| m.from_template);
    let previous = left.or_else(promoted);
    let may = |p: &&Past| p.digest != running && not_quarantined_past(desk, region, p).is_ok();
    let chosen = match wanted {
        Some(BEFORE_PREVIOUS) => past
            .iter()
            .filter(|p| p.digest != running && !tainted(desk, p.digest))
            .filter(|p| previous.is_none() || previous != Some(p.digest))
            .nth(usize::from(previous.is_none())),
        Some(number) => past.iter().find(|p| p.number == number),
        None => {
            let was_left = past.iter().find(|p| Some(p.digest) == left && may(p));
            was_left.or_else(|| past.iter().find(|p| may(p) && !tainted(desk, p.digest)))
        }
    };
    let Some(chosen) = chosen else {
        let text = match wanted {
            Some(BEFORE_PREVIOUS) => format!("{}: no revision before the one before this release", region.name),
            Some(number) => format!("{} has no revision {number} in its history", region.name),
            None => format!("{}: no revision to go back to that this release did not promote", region.name),
        };
        let hint = if past.is_empty() {
            format!(
                "no {} of it is left: bring a version back by hand through the first ring",
                kind.children().api.kind
            )
        } else {
            format!("{list}; choose one by hand")
        };
        return Err(Refusal::new("no-known-good", text, hint));
    };
    if chosen.digest == running {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{} already runs revision {}", region.name, chosen.number),
            list,
        ));
    }
    not_quarantined_past(desk, region, chosen)?;
    let undo = kind.undo(object, chosen);
    let mut target = object.clone();
    if let Some(template) = target.pointer_mut(kind.template_pointer()) {
        *template = chosen.template.clone();
    }
    let version = version_of(region, chosen);
    let mut operations = undo.operations;
    let mut diff = diff(kind.template(object), &chosen.template);
    match undo.annotations {
        Some(annotations) => {
            let from = object.pointer("/metadata/annotations").and_then(|a| a.get(CHANGE_CAUSE)).cloned();
            let to = annotations.get(CHANGE_CAUSE).cloned();
            if from != to {
                diff.push(DiffLine { field: format!("annotation {CHANGE_CAUSE}").into(), from, to });
            }
        }
        None => {
            let (operation, line) = change_cause(object, &format!("gonogo: roll back to {version}"));
            operations.push(operation);
            diff.push(line);
        }
    }
    let image = find(object, &super::carry::image_path(&region.workload.container));
    let fields = image.and_then(|f| Some((f.named.to_string().into(), f.value?.to_string().into())));
    Ok(Back { version, operations, diff, target, fields: fields.into_iter().collect() })
}

fn image_of(region: &Region, past: &Past) -> Option<String> {
    let wrapped = serde_json::json!({"spec": {"template": past.template}});
    let image = find(&wrapped, &super::carry::image_path(&region.workload.container)).and_then(|f| f.value);
    image.as_ref().and_then(Value::as_str).map(str::to_owned)
}

fn version_of(region: &Region, past: &Past) -> Text {
    image_of(region, past)
        .map(|i| Image::parse(&i).version().0)
        .unwrap_or_else(|| format!("revision {}", past.number).into())
}

/// What is quarantined is no way back either.
fn not_quarantined(desk: &Desk<'_>, region: &Region, candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let all = desk.state.record.quarantined(desk.now);
    let Some(hit) = all.iter().rev().find(|q| q.covers(candidate)) else { return Ok(()) };
    Err(Refusal::new(
        "quarantine",
        format!("{}: {} was {}", region.name, candidate.version, hit.text(|at| desk.region_name(at))),
        "choose another revision, drain the region, or clear the quarantine with a reason",
    ))
}

/// Irreversible steps that were taken here for what runs: the way is forward.
fn forward_only(desk: &Desk<'_>, at: RegionIx, region: &Region) -> Vec<Finding> {
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
fn required(desk: &Desk<'_>, region: &Region, version: &Version) -> Vec<Finding> {
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

fn not_quarantined_past(desk: &Desk<'_>, region: &Region, past: &Past) -> Result<(), Refusal> {
    let image = image_of(region, past).map(|i| Image::parse(&i));
    let version = Version(version_of(region, past));
    not_quarantined(desk, region, &Candidate { version: &version, image: image.as_ref(), template: Some(past.digest) })
}

/// The newest move in a region brought back what runs: going back again would go behind it.
fn was_rolled_back_to(desk: &Desk<'_>, at: RegionIx, version: &str, running: TemplateDigest) -> bool {
    let newest = desk.state.record.region(at).and_then(|r| r.newest_move());
    newest.is_some_and(|(fact, m)| {
        let same = m.to_template == running || *m.to_version == *version && m.from_version != m.to_version;
        matches!(fact.body, Body::RolledBack(_)) && same
    })
}

/// What we left in a region, where something else runs there now: another tool brought that.
fn brought_by_another_tool(
    desk: &Desk<'_>,
    at: RegionIx,
    version: &str,
    running: TemplateDigest,
) -> Option<TemplateDigest> {
    let record = desk.state.record.region(at)?;
    let (_, promoted) = record.newest_promotion()?;
    let (_, left) = record.newest_move()?;
    let speaks = |m: &Move| *m.to_version == *version || m.to_template == running;
    let ours = speaks(promoted) || speaks(left) || *promoted.from_version == *version;
    (!ours).then_some(left.to_template)
}

/// This release promoted it somewhere, or it was rolled back from.
fn tainted(desk: &Desk<'_>, digest: TemplateDigest) -> bool {
    // What an earlier release promoted was good in its day.
    let to = desk.state.view.release.to.as_ref();
    let of_this_release = |m: &Move| to.is_none_or(|to| *to.0 == *m.to_version);
    desk.state.record.regions.iter().flatten().flat_map(|r| r.facts.values()).any(|f| match &f.body {
        Body::Promoted(m) => m.to_template == digest && of_this_release(m),
        Body::RolledBack(m) => m.from_template == digest,
        _ => false,
    })
}

/// Leaves that differ between two templates, containers by name.
pub(super) fn diff(before: Option<&Value>, after: &Value) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    leaves("", before, Some(after), &mut lines);
    lines
}

fn leaves(path: &str, before: Option<&Value>, after: Option<&Value>, lines: &mut Vec<DiffLine>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&path, a.get(key), b.get(key), lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if named(a) && named(b) => {
            let name = |v: &Value| v.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let names: std::collections::BTreeSet<String> = a.iter().chain(b).map(name).collect();
            for n in names {
                let find = |list: &'_ [Value]| list.iter().find(|v| name(v) == n).cloned();
                leaves(&format!("{path}[name={n}]"), find(a).as_ref(), find(b).as_ref(), lines);
            }
        }
        _ => lines.push(DiffLine { field: path.into(), from: before.cloned(), to: after.cloned() }),
    }
}

fn named(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|v| v.get("name").is_some_and(Value::is_string))
}
