//! Promote: give a ring the version that the ring before runs and has baked.

use serde_json::Value;

use super::carry::{Source, Wanted, image_path, wanted};
use super::{Desk, StepParts, as_read, change_cause, digest, not_elsewhere, patch, targets, turn, uid};
use super::{carrier, reported};
use crate::carriers::Way;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::Region;
use crate::domain::id::{RegionIx, RingIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Expectation, Plan, PlanId, Refusal, Step};
use crate::domain::quarantine::Candidate;
use crate::domain::record::{Body, Move};
use crate::domain::stamp::short;
use crate::domain::text::safe;
use crate::domain::verdict::Verdict;
use crate::domain::version::{Image, TemplateDigest, Version, names_an_image};
use crate::engine::besides;
use crate::engine::quarantines::candidate;
use crate::engine::view::{RingRuns, RingView};
use crate::kinds::{Still, Turn, WorkloadKind};

pub(super) fn draft(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    to: Option<&str>,
    without_wait: bool,
) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    let rings = rings(desk, &regions);
    let ring = one_ring(&rings, without_wait)?;
    let from = source(desk, ring, to)?;
    let mut findings = Vec::new();
    let ring_spec = desk.service.ring(ring).cloned();
    let soak = desk.service.soak(ring);
    let staggered = soak.is_some() && rings.len() == 1;
    let mut steps: Vec<Step> = Vec::new();
    let mut later = 0;
    for at in regions {
        let mut own = Vec::new();
        let Some(step) = region_step(desk, id, at, &from, without_wait, &mut own)? else { continue };
        if staggered && !steps.is_empty() {
            later += 1;
        } else {
            steps.push(step);
            findings.append(&mut own);
        }
    }
    let several = |name: Text| match rings.len() {
        0 | 1 => name,
        count => format!("{name} and {} more at once", count - 1).into(),
    };
    let (name, parallelism) =
        ring_spec.as_ref().map_or((Text::from("?"), 1), |r| (several(r.name.as_str().into()), r.parallelism.max(1)));
    if steps.is_empty() {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{name} already runs {}", from.version),
            match ring.0.checked_sub(1).and_then(|before| desk.service.ring(RingIx(before))) {
                Some(before) => {
                    format!("{} runs the same: promote another ring, or bring a version there first", before.name)
                }
                None => "choose another version".to_owned(),
            },
        ));
    }
    let mut judged = judged(desk, ring, without_wait)?;
    judged.append(&mut findings);
    let mut findings = judged;
    if rings.len() > 1 {
        let names: Vec<&str> = rings.iter().filter_map(|r| desk.service.ring(*r)).map(|r| r.name.as_str()).collect();
        let text = format!("{} change in one plan: what goes wrong goes wrong in all of them", names.join(", "));
        findings.push(Finding::new(Severity::BreakGlass, "several-rings", names.join(", "), text));
    }
    if let Some(soak) = soak
        && later > 0
    {
        findings.push(Finding::new(
            Severity::Note,
            "stagger",
            name.clone(),
            format!(
                "{name} is staggered: this plan changes its next region only; the one after may follow {} later",
                short(soak.try_into().unwrap_or_default())
            ),
        ));
    }
    let blast = desk.blast(steps.iter().map(|s| s.region).collect());
    let last = rings.last().copied().unwrap_or(ring);
    let next = desk.service.ring(RingIx(last.0 + 1)).map(|r| r.name.to_string());
    let bake = desk.state.view.rings.get(ring.at()).map(|r| r.bake).unwrap_or_default();
    let after = match next {
        Some(next) => format!("bake {}, then {next} may ask", short(bake.try_into().unwrap_or_default())),
        None => "this is the last ring".to_owned(),
    };
    let taken = no_way_back(desk, &blast.regions);
    let way_back = match taken.as_slice() {
        [] => format!("B on {name} returns to what it runs now"),
        _ => format!("B on {name} goes to another revision than what it runs now, which is in quarantine"),
    };
    findings.extend(taken);
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("promote {name} to {}", from.version).into(),
        way_back: way_back.into(),
        after: after.into(),
        parallelism: parallelism as usize,
        blast,
        findings,
        steps,
        name,
        ring: Some(ring),
    })
}

/// The rings of some regions, earliest first.
fn rings(desk: &Desk<'_>, regions: &[RegionIx]) -> Vec<RingIx> {
    let mut rings: Vec<RingIx> = regions.iter().filter_map(|r| desk.service.region(*r)).map(|r| r.ring).collect();
    rings.sort();
    rings.dedup();
    rings
}

/// All regions of a promotion are in one ring: ring by ring is the point. Several at once is
/// break-glass; the version is then that of the ring before the first.
fn one_ring(rings: &[RingIx], without_wait: bool) -> Result<RingIx, Refusal> {
    match rings {
        [ring] => Ok(*ring),
        [first, ..] if without_wait => Ok(*first),
        _ => Err(Refusal::new(
            "several-rings",
            "a promotion changes one ring at a time",
            "mark regions of one ring only; several rings at once is break-glass (F, or --without-wait)",
        )),
    }
}

/// What is promoted.
struct From {
    version: Version,
    object: Option<Value>,
    container: String,
    by_hand: Option<String>,
    /// What the ring before runs, where a pipeline reports it: the same build has the same.
    template: Option<TemplateDigest>,
}

/// The ring without one before it.
fn first<'a>(desk: &'a Desk<'_>) -> &'a str {
    desk.service.rings.first().map_or("RING", |r| r.name.as_str())
}

fn source(desk: &Desk<'_>, ring: RingIx, to: Option<&str>) -> Result<From, Refusal> {
    let Some(before) = ring.0.checked_sub(1).map(RingIx) else {
        let Some(text) = to else {
            return Err(Refusal::new(
                "no-version",
                "the first ring has no ring before it to take a version from",
                format!("name the version: `:promote {} VERSION`", first(desk)),
            ));
        };
        if !names_an_image(text) {
            return Err(Refusal::new(
                "bad-version",
                format!("`{}` is no image tag, and no image with a tag or digest", safe(text, 80)),
                "name the version, e.g. `v2.1.0`, or the image, e.g. `registry.example/web:v2.1.0`",
            ));
        }
        let image = text.contains(['/', '@', ':']).then(|| Image::parse(text));
        let version = image.as_ref().map_or_else(|| Version(text.into()), Image::version);
        let candidate = Candidate { version: &version, image: image.as_ref(), template: None };
        if let Some(hit) = desk.state.record.quarantined(desk.now).iter().rev().find(|q| q.covers(&candidate)) {
            return Err(Refusal::new(
                "quarantine",
                format!("{version} was {}", hit.text(|at| desk.region_name(at))),
                "`:clear` ends a quarantine, with a reason",
            ));
        }
        return Ok(From {
            version,
            object: None,
            container: String::new(),
            by_hand: Some(text.to_owned()),
            template: None,
        });
    };
    let spec = desk.service.ring(before);
    let name = spec.map_or_else(|| "?".to_owned(), |r| r.name.to_string());
    let view: Option<&RingView> = desk.state.view.rings.get(before.at());
    let version = match view.map(|v| &v.runs) {
        Some(RingRuns::One(version)) => version.clone(),
        Some(RingRuns::Mixed(versions)) => {
            let list = versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            return Err(Refusal::new(
                "mixed",
                format!("{name} is mixed ({list}): nothing is promoted from it"),
                "finish or roll back that ring first",
            ));
        }
        Some(RingRuns::Unknown) | None => {
            return Err(Refusal::new("stale", format!("what {name} runs is not known"), "R tries its clusters again"));
        }
    };
    if let Some(asked) = to.filter(|t| *t != &*version.0 && Image::parse(t).version() != version) {
        return Err(Refusal::new(
            "ring-order",
            format!("{name} runs {version}, not {asked}: a version goes ring by ring"),
            format!("promote {name} to {asked} first"),
        ));
    }
    // Any region of the ring will do: it runs one version. The first that was read is taken.
    let first = spec.and_then(|r| r.regions.first()).copied().unwrap_or(RegionIx(0));
    let object = desk.workload(first)?.clone();
    let region = desk.region(first)?;
    let container = region.workload.container.to_string();
    let template = desk.region_state(first).and_then(|s| s.workload.as_ref()).map(|w| w.template);
    let template = template.filter(|_| region.is_reported());
    Ok(From { version, object: Some(object), container, by_hand: None, template })
}

/// The board's answer as findings, or a refusal. Raising fails closed.
fn judged(desk: &Desk<'_>, ring: RingIx, without_wait: bool) -> Result<Vec<Finding>, Refusal> {
    let spec = desk.service.ring(ring);
    let name: Text = spec.map_or_else(|| "?".into(), |r| r.name.as_str().into());
    let regions = spec.map(|r| r.regions.as_slice()).unwrap_or_default();
    desk.held(regions, &name)?;
    for at in regions {
        if let Some(Err(reason)) = desk.objects.approvals.get(at) {
            let (word, text) = reason.text();
            let text = format!("{}: its approvals could not be read: {word}: {text}", desk.region_name(*at));
            return Err(Refusal::new("stale", text, "R tries the cluster again"));
        }
    }
    if ring.0 == 0 && desk.question.is_none() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    let Some(question) = &desk.question else {
        return Err(Refusal::new("stale", format!("{name} cannot be judged yet"), "wait for the first data"));
    };
    for row in &question.rows {
        for (gate, judgement) in question.gates.iter().zip(&row.cells).filter_map(|(g, c)| Some((g, c.as_ref()?))) {
            // Holds, records, clock and policy are judged on what was just read (see `raising_findings`).
            if row.region.is_none() && besides::drafts_see_to(gate) {
                continue;
            }
            findings.extend(judgement.findings.iter().cloned());
            let refuse = |code, hint: &str| Err(Refusal::new(code, judgement.sentence.clone(), hint));
            let severity = match judgement.verdict {
                Verdict::Go => continue,
                Verdict::Findings => Severity::Warning,
                Verdict::Wait if without_wait => Severity::Override,
                Verdict::Wait => return refuse("wait", "F promotes without the rest of the wait, with a reason"),
                Verdict::NoData => return refuse("no-data", "unknown is never green: x explains what is missing"),
                Verdict::NoGo if without_wait => Severity::BreakGlass,
                Verdict::NoGo => return refuse("no-go", "x explains; F asks for break-glass, with a reason"),
            };
            findings.push(Finding::new(severity, "gate", gate.clone(), judgement.sentence.clone()));
        }
    }
    Ok(findings)
}

/// What runs now is where a rollback would return to: in quarantine it is no way back.
fn no_way_back(desk: &Desk<'_>, regions: &[RegionIx]) -> Vec<Finding> {
    let all = desk.state.record.quarantined(desk.now);
    let taken = |at: &RegionIx| {
        let workload = desk.region_state(*at)?.workload.as_ref()?;
        let hit = all.iter().rev().find(|q| q.covers(&candidate(workload)))?;
        let (name, said) = (desk.region_name(*at), hit.text(|at| desk.region_name(at)));
        let text = format!("{name}: {} was {said}: a rollback to it would be refused", workload.version);
        Some(Finding::new(Severity::Warning, "way-back", name, text))
    };
    regions.iter().filter_map(taken).collect()
}

/// The step of one region; none when it runs the version already.
fn region_step(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    from: &From,
    without_wait: bool,
    findings: &mut Vec<Finding>,
) -> Result<Option<Step>, Refusal> {
    let region = desk.region(at)?.clone();
    if region.is_reported() {
        return reported::promote(desk, id, at, &from.version, from.template, findings);
    }
    let kind = desk.kind(&region)?;
    let object = desk.workload(at)?.clone();
    if region.carrier.is_none() {
        not_elsewhere(kind, &region, &object)?;
    }
    let ring = desk.ring_of(at).cloned();
    let ring_name: Text = ring.as_ref().map_or_else(|| "?".into(), |r| r.name.as_str().into());
    let Some(ring) = ring else { return Ok(None) };
    let source = Source {
        object: from.object.as_ref(),
        container: &from.container,
        by_hand: from.by_hand.as_deref(),
        version: &from.version,
    };
    let fields = wanted(desk.service, &ring, &region, &object, &source)
        .map_err(|why| Refusal::new("carry", why, "check `carries` and the container in the configuration"))?;
    let changed: Vec<&Wanted> = fields.iter().filter(|f| !f.is_there()).collect();
    if changed.is_empty() {
        let turn = if without_wait { kind.let_all_through(&object) } else { kind.let_through(&object) };
        return let_through(desk, at, &region, kind, &object, turn, findings);
    }
    if let Some(still) = kind.stands_still(&object) {
        return Err(Refusal::new(still.code, format!("{} {}", region.name, still.why), still.hint));
    }
    let before = digest(kind, &object).ok_or_else(|| Refusal::new("absent", "the workload has no template", ""))?;
    let mut target = object.clone();
    changed.iter().for_each(|f| f.apply(&mut target));
    let after = digest(kind, &target).unwrap_or(before);
    let old = desk.region_state(at).and_then(|s| s.workload.as_ref()).map(|w| w.version.clone());
    let old = old.unwrap_or_else(|| Version("?".into()));
    findings.extend(kind.before_promotion(&object).map(|text| {
        Finding::new(Severity::Note, "long-pause", region.name.as_str(), format!("{}: {text}", region.name))
    }));
    if fields.iter().any(|f| f.to.as_ref().and_then(Value::as_str).is_some_and(|t| is_tag_only(t, f))) {
        findings.push(Finding::new(
            Severity::Warning,
            "artefact",
            region.name.as_str(),
            format!("{}: the image has a tag but no digest: what it means may change", region.name),
        ));
    }
    let cause = format!("gonogo: promote {ring_name} from {old} to {}", from.version);
    let mut operations = as_read(kind, &object);
    changed.iter().for_each(|f| operations.extend(f.operations()));
    let (operation, line) = change_cause(&object, &cause);
    operations.push(operation);
    let mut diff: Vec<_> = changed.iter().map(|f| f.diff()).collect();
    diff.push(line);
    let image = fields.iter().find(|f| f.field.named == image_path(&region.workload.container));
    let image = image.and_then(|f| f.to.as_ref()?.as_str()).map(Image::parse);
    let order = carrier::Wanted { plan: id, from: &old, to: &from.version, image: image.as_ref(), way: Way::Forward };
    let carried = carrier::carried(desk, at, &region, &order, findings)?;
    let moved = Move {
        plan: id.0,
        ring: ring_name.clone(),
        from_version: old.0.clone(),
        to_version: from.version.0.clone(),
        from_template: before,
        to_template: after,
        from: fields
            .iter()
            .map(|f| {
                let value = f.field.value.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
                (f.field.named.to_string().into(), value.into())
            })
            .chain(carrier::kept(carried.as_ref()))
            .collect(),
        policy: desk.service.policy_hash.clone(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    };
    let fact = desk.fact(&region, Body::Promoted(moved));
    let proposed = carried.as_ref().is_some_and(|c| c.proposed);
    let parts = StepParts {
        label: format!("{old} → {}", from.version).into(),
        main: Some(match &carried {
            Some(carried) => carrier::main(carried),
            None => patch(desk.workload_ref(&region, kind), operations),
        }),
        // What is only proposed has not happened, and nothing of it is seen before others decide.
        facts: if proposed { Vec::new() } else { vec![fact] },
        event: (!proposed).then(|| (uid(&object), "GonogoPromoted", cause)),
        expect: match &carried {
            _ if proposed => Vec::new(),
            Some(_) => vec![Expectation::Runs(from.version.clone())],
            None => vec![kind.settles(&target, after)],
        },
        diff: carried.map_or(diff, |c| c.diff),
        limit: desk.limit(at),
    };
    desk.step(at, parts).map(Some)
}

/// The next step of a region whose template is there already, and not on all pods; none: all have it.
fn let_through(
    desk: &mut Desk<'_>,
    at: RegionIx,
    region: &Region,
    kind: &dyn WorkloadKind,
    object: &Value,
    next: Result<Option<Turn>, Still>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Step>, Refusal> {
    let refused = |still: Still| Refusal::new(still.code, format!("{} {}", region.name, still.why), still.hint);
    let Some(next) = next.map_err(refused)? else { return Ok(None) };
    if let Some(warning) = next.warning {
        let severity = if next.overrides { Severity::Override } else { Severity::Warning };
        let text = format!("{} {warning}", region.name);
        findings.push(Finding::new(severity, "steps", region.name.as_str(), text));
    }
    let version =
        desk.region_state(at).and_then(|s| s.workload.as_ref()).map_or_else(|| "?".into(), |w| w.version.0.clone());
    let mut operations = as_read(kind, object);
    operations.extend(next.operations);
    let note = format!("gonogo: {version} in {}: {}", region.name, next.label);
    let parts = StepParts {
        label: format!("{version}: {}", next.label).into(),
        main: Some(turn(desk.workload_ref(region, kind), operations, next.is_status)),
        // Not a promotion of its own: the way back stays the one that the promotion wrote.
        facts: Vec::new(),
        event: Some((uid(object), "GonogoPromoted", note)),
        diff: next.diff,
        expect: vec![next.expect],
        limit: desk.limit(at),
    };
    desk.step(at, parts).map(Some)
}

fn is_tag_only(text: &str, field: &Wanted) -> bool {
    field.field.named.to_string().ends_with("/image") && Image::parse(text).digest.is_none()
}
