//! Where a region goes back to: the newest `from` of a promoted fact that something proves; where
//! another tool brought what runs, what we had left there; without such a fact, the newest revision
//! that this release neither promoted nor rolled back from.
//!
//! A fact only claims. One that nothing proves is passed over, and said: whoever can write one must
//! not be able to take the way back away.

use serde_json::Value;

use super::carry::{Wanted, find, image_path};
use super::leaves::diff;
use super::{CHANGE_CAUSE, Desk, change_cause, digest};
use crate::domain::carrier::OF_CARRIER;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Carry, CarryPath, Region, VersionFrom};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::BEFORE_PREVIOUS;
use crate::domain::plan::{DiffLine, Refusal};
use crate::domain::quarantine::Candidate;
use crate::domain::record::{Body, Fact, FactId, Move};
use crate::domain::text::safe;
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::kinds::{Past, WorkloadKind};

/// Longest name that is repeated of what a fact says.
const LONGEST: usize = 120;

/// A region as it was read.
pub(super) struct Here<'a> {
    /// Where.
    pub at: RegionIx,
    /// Its configuration.
    pub region: &'a Region,
    /// The workload.
    pub object: &'a Value,
    /// How it is read and written.
    pub kind: &'static dyn WorkloadKind,
    /// What runs.
    pub running: TemplateDigest,
    /// What runs, as people call it.
    pub version: &'a str,
}

/// Where a region goes back to.
pub(super) struct Back {
    /// What it will run.
    pub version: Text,
    /// What is written.
    pub operations: Vec<Value>,
    /// What is shown of it.
    pub diff: Vec<DiffLine>,
    /// The object as it will be.
    pub target: Value,
    /// The fields that change, with what they are now.
    pub fields: Vec<(Text, Text)>,
}

/// Where a region goes back to, or why nowhere; a revision that was chosen is taken at its word.
pub(super) fn back(
    desk: &Desk<'_>,
    here: &Here<'_>,
    to_revision: Option<u64>,
    findings: &mut Vec<Finding>,
) -> Result<Back, Refusal> {
    let record = desk.state.record.region(here.at);
    let mut promotions = record.into_iter().flat_map(|r| r.promotions());
    if to_revision.is_some() {
        let left = promotions.next().and_then(|(_, newest)| left_before_another_tool(desk, here, newest, &[]));
        return by_revision(desk, here, left, to_revision, &[]);
    }
    let mut passed: Vec<(&Fact, Refusal)> = Vec::new();
    let mut left = None;
    for (fact, moved) in promotions {
        let over: Vec<FactId> = passed.iter().map(|(fact, _)| fact.id).collect();
        // A fact about another move says nothing of this one: its `from` may lie two versions back.
        left = left_before_another_tool(desk, here, moved, &over);
        if left.is_some() {
            break;
        }
        match by_fact(desk, here, moved, findings) {
            Err(refusal) if matches!(refusal.code, "unproven" | "carry") => passed.push((fact, refusal)),
            Ok(back) => return Ok(said(desk, here, back, &passed, findings)),
            Err(refusal) => return Err(refusal),
        }
    }
    let over: Vec<FactId> = passed.iter().map(|(fact, _)| fact.id).collect();
    match by_revision(desk, here, left, None, &over) {
        Ok(back) => Ok(said(desk, here, back, &passed, findings)),
        // What was passed over says more than that there is nothing else.
        Err(refusal) => Err(passed.into_iter().next().map_or(refusal, |(_, unproven)| unproven)),
    }
}

/// Says which facts were passed over, and who wrote them.
fn said(
    desk: &Desk<'_>,
    here: &Here<'_>,
    back: Back,
    passed: &[(&Fact, Refusal)],
    findings: &mut Vec<Finding>,
) -> Back {
    let name = desk.region_name(here.at);
    for (fact, refusal) in passed {
        let by = safe(&fact.by.to_string(), LONGEST);
        let text = format!(
            "{name}: passed over the promoted fact {} by {by}: {}; it goes back to {} instead. Find out who wrote that",
            fact.id, refusal.text, back.version
        );
        findings.push(Finding::new(Severity::Warning, "passed-over", name.clone(), text));
    }
    back
}

/// Revisions of a region that its children still know; empty where they cannot be read.
pub(super) fn history(desk: &Desk<'_>, at: RegionIx, object: &Value, kind: &dyn WorkloadKind) -> Vec<Past> {
    match desk.objects.owned.get(&at) {
        Some(Ok(owned)) => kind.history(object, owned),
        _ => Vec::new(),
    }
}

/// How a revision is chosen, and those that there are. The console has no prompt for it.
fn by_hand(desk: &Desk<'_>, here: &Here<'_>, past: &[Past]) -> String {
    let list = revisions(past);
    format!("choose a revision: `gonogo rollback {} {} --to N`; {list}", desk.service.name, here.region.name)
}

/// The revisions that may be chosen.
pub(super) fn revisions(past: &[Past]) -> String {
    let list = past.iter().map(|p| format!("{} ({})", p.number, p.digest.short())).collect::<Vec<_>>().join(", ");
    format!("revisions: {}", if list.is_empty() { "none" } else { &list })
}

/// A fact only claims what ran: one of the region's ReplicaSets or ControllerRevisions must have run it.
/// Where their history is gone, the image must at least come from where the running one does. What
/// lies outside of the template, nothing proves: it must be what this service carries.
fn really_ran(desk: &Desk<'_>, here: &Here<'_>, fields: &[(CarryPath, Wanted)]) -> Result<(), Refusal> {
    let past = history(desk, here.at, here.object, here.kind);
    let template = here.kind.template_pointer();
    let in_template = |path: &CarryPath| path.to_string().strip_prefix(template).is_some_and(|p| p.starts_with('/'));
    let ran = |p: &Past| {
        let mut then = here.object.clone();
        let Some(place) = then.pointer_mut(template) else { return false };
        *place = p.template.clone();
        let of_template = fields.iter().filter(|(path, _)| in_template(path));
        of_template.into_iter().all(|(path, f)| find(&then, path).is_some_and(|found| found.value == f.to))
    };
    let carried = |path: &CarryPath| {
        *path == image_path(&here.region.workload.container)
            || desk.service.carries.iter().any(|c| matches!(c, Carry::Pointer { path: p, .. } if p == path))
    };
    let image = fields.iter().find(|(path, _)| path.to_string().ends_with("/image"));
    let text = |v: Option<&Value>| v.and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
    let known = past.iter().any(|p| p.digest != here.running);
    if let Some((path, _)) = fields.iter().find(|(path, _)| !(carried(path) || known && in_template(path))) {
        return Err(Refusal::new(
            "unproven",
            format!(
                "{}: a promoted fact names {}, which {} does not carry",
                here.region.name,
                safe(&path.to_string(), LONGEST),
                desk.service.name
            ),
            format!("find out who wrote that fact; {}", by_hand(desk, here, &past)),
        ));
    }
    let proven = if known {
        past.iter().any(ran)
    } else {
        let repository = |v: Option<&Value>| Image::parse(&text(v)).repository;
        image.is_none_or(|(_, f)| repository(f.to.as_ref()) == repository(f.field.value.as_ref()))
    };
    if proven {
        return Ok(());
    }
    let wanted = image.map(|(_, f)| text(f.to.as_ref())).unwrap_or_default();
    Err(Refusal::new(
        "unproven",
        format!(
            "no {} of {} ever ran {}, which a promoted fact names as what ran before",
            here.kind.children().api.kind,
            here.region.name,
            safe(&wanted, LONGEST)
        ),
        format!("find out who wrote that fact; {}", by_hand(desk, here, &past)),
    ))
}

/// Restores exactly the carried fields of a promotion.
fn by_fact(desk: &Desk<'_>, here: &Here<'_>, moved: &Move, findings: &mut Vec<Finding>) -> Result<Back, Refusal> {
    let &Here { region, object, kind, .. } = here;
    let mut fields = Vec::new();
    // What a carrier remembers is no field of the workload.
    for (path, value) in moved.from.iter().filter(|(path, _)| !path.starts_with(OF_CARRIER)) {
        let lost = || {
            Refusal::new(
                "carry",
                format!(
                    "{}: {} of the promoted fact is not in the workload any more",
                    region.name,
                    safe(path, LONGEST)
                ),
                by_hand(desk, here, &history(desk, here.at, object, kind)),
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
    really_ran(desk, here, &fields)?;
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
    here: &Here<'_>,
    left: Option<TemplateDigest>,
    wanted: Option<u64>,
    passed: &[FactId],
) -> Result<Back, Refusal> {
    let &Here { at, region, object, kind, running, .. } = here;
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
    let ran = |digest: &TemplateDigest| past.iter().any(|p| p.digest == *digest);
    let promoted = || desk.state.record.region(at)?.promotions().map(|(_, m)| m.from_template).find(ran);
    let previous = left.or_else(promoted);
    let given_up = |p: &Past| kind.is_no_way_back(object, owned, p);
    let may = |p: &&Past| p.digest != running && not_quarantined_past(desk, region, p).is_ok();
    let may = |p: &&Past| may(p) && given_up(p).is_none();
    let good = kind.known_good(object, owned);
    let chosen = match wanted {
        Some(BEFORE_PREVIOUS) => past
            .iter()
            .filter(|p| p.digest != running && !tainted(desk, p.digest, passed) && given_up(p).is_none())
            .filter(|p| previous.is_none() || previous != Some(p.digest))
            .nth(usize::from(previous.is_none())),
        Some(number) => past.iter().find(|p| p.number == number),
        None => {
            let was_left = past.iter().find(|p| Some(p.digest) == left && may(p));
            let good = past.iter().find(|p| Some(p.digest) == good && may(p));
            good.or(was_left).or_else(|| past.iter().find(|p| may(p) && !tainted(desk, p.digest, passed)))
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
            by_hand(desk, here, &past)
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
    if let Some(why) = given_up(chosen) {
        return Err(Refusal::new("given-up", format!("{}: {why}", region.name), by_hand(desk, here, &past)));
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
    let image = find(object, &image_path(&region.workload.container));
    let fields = image.and_then(|f| Some((f.named.to_string().into(), f.value?.to_string().into())));
    Ok(Back { version, operations, diff, target, fields: fields.into_iter().collect() })
}

fn image_of(region: &Region, past: &Past) -> Option<String> {
    let wrapped = serde_json::json!({"spec": {"template": past.template}});
    let image = find(&wrapped, &image_path(&region.workload.container)).and_then(|f| f.value);
    image.as_ref().and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn version_of(region: &Region, past: &Past) -> Text {
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
        format!(
            "`gonogo rollback {} {} --to N` goes to another revision; or drain the region, or clear the quarantine \
             (`:clear`) with a reason",
            desk.service.name, region.name
        ),
    ))
}

fn not_quarantined_past(desk: &Desk<'_>, region: &Region, past: &Past) -> Result<(), Refusal> {
    let image = image_of(region, past).map(|i| Image::parse(&i));
    let version = Version(version_of(region, past));
    not_quarantined(desk, region, &Candidate { version: &version, image: image.as_ref(), template: Some(past.digest) })
}

/// What we left in a region, where something else runs there now than the facts speak of: another tool
/// brought that. Facts that were passed over have no say.
fn left_before_another_tool(
    desk: &Desk<'_>,
    here: &Here<'_>,
    promoted: &Move,
    passed: &[FactId],
) -> Option<TemplateDigest> {
    let (_, left) = desk.state.record.region(here.at)?.moves().find(|(fact, _)| !passed.contains(&fact.id))?;
    let speaks = |m: &Move| *m.to_version == *here.version || m.to_template == here.running;
    let ours = speaks(promoted) || speaks(left) || *promoted.from_version == *here.version;
    (!ours).then_some(left.to_template)
}

/// This release promoted it somewhere, or it was rolled back from.
fn tainted(desk: &Desk<'_>, digest: TemplateDigest, passed: &[FactId]) -> bool {
    // What an earlier release promoted was good in its day.
    let to = desk.state.view.release.to.as_ref();
    let of_this_release = |m: &Move| to.is_none_or(|to| *to.0 == *m.to_version);
    desk.state.record.regions.iter().flatten().flat_map(|r| r.facts.values()).any(|f| match &f.body {
        Body::Promoted(m) => m.to_template == digest && of_this_release(m) && !passed.contains(&f.id),
        Body::RolledBack(m) => m.from_template == digest,
        _ => false,
    })
}
