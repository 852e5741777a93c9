//! Approve: one immutable ConfigMap in a region of the ring that would be changed; revoke: a
//! fact in every region that ends it.

use serde_json::json;

use super::{Desk, SOON, StepParts, everywhere};
use crate::domain::approval::{About, Approval, LONGEST, Same};
use crate::domain::change::{ApiType, Change, ObjectRef};
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Fleet, Region, Ring, Service};
use crate::domain::id::{Operator, RegionIx, RingIx, Text};
use crate::domain::intent::{Intent, Target};
use crate::domain::plan::{DiffLine, Expectation, Plan, PlanId, Refusal, Write, WriteRole};
use crate::domain::record::{Body, FactId};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::verdict::Verdict;
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::engine::view::RingRuns;
use crate::gates::{ApprovalRule, approval_rules, release_author};

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent, to: Option<&str>) -> Result<Plan, Refusal> {
    let (at, ring) = ring(desk, &intent.target)?;
    let rules = rules(&ring)?;
    let (version, template) = entering(desk, at, to)?;
    let place = place(desk, &ring)?;
    let region = desk.region(place)?.clone();
    let me = desk.by(&region);
    let mine = desk.clusters.get(region.cluster.at()).map(|c| c.facts.groups.clone()).unwrap_or_default();
    let rule = rules.iter().find_map(|rule| Some((rule, acts_for(rule, &me, &mine)?)));
    let Some((rule, group)) = rule else {
        let who = rules.iter().map(ApprovalRule::who).collect::<Vec<_>>().join("; ");
        return Err(Refusal::new(
            "not-approver",
            format!("{me} (as cluster {} says) may not approve {}", desk.fleet.cluster_name(region.cluster), ring.name),
            format!("{who} may"),
        ));
    };
    not_the_author(desk, place, &me, &version)?;
    let about = About {
        fleet: desk.fleet.name.as_str().into(),
        service: desk.service.name.as_str().into(),
        ring: ring.name.as_str().into(),
        version: version.clone(),
        template,
    };
    not_twice(desk, &ring, &about, &me)?;
    let fact = FactId(desk.ids.next(desk.now));
    let expires = desk.now.saturating_add(rule.expires.min(LONGEST)).unwrap_or(desk.now);
    let approval = Approval {
        id: fact,
        approver: me,
        group,
        about,
        created: desk.now,
        expires,
        reason: "".into(),
        immutable: true,
    };
    let object = ObjectRef {
        cluster: region.cluster,
        api: ApiType::config_map(),
        namespace: region.workload.namespace.clone(),
        name: Approval::name(fact).into(),
    };
    let body = approval.object(&object);
    let main = Write { role: WriteRole::Main, change: Change::Create { object, body }, if_absent: None };
    let parts = StepParts {
        label: format!("{} approves {version} in {}", approval.approver, ring.name).into(),
        main: Some(main),
        facts: Vec::new(),
        event: None,
        diff: diff(&approval),
        expect: vec![Expectation::Approval(fact)],
        limit: SOON,
    };
    let steps = vec![desk.step(place, parts)?];
    let until = expires.strftime("%Y-%m-%d %H:%M UTC");
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("approve {} for {version}", ring.name).into(),
        after: format!("it counts until {until}, for this template only; promoting stays a step of its own").into(),
        way_back: format!("`:revoke {}` ends it, for everybody", ring.name).into(),
        parallelism: 1,
        blast: desk.blast(ring.regions.clone()),
        findings: standing(desk, at),
        steps,
        name: ring.name.as_str().into(),
        ring: Some(at),
    })
}

/// Ends approvals of a ring: the one named, else all that are there.
pub(super) fn revoke(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    approval: Option<FactId>,
) -> Result<Plan, Refusal> {
    let (at, ring) = ring(desk, &intent.target)?;
    let given = ring.regions.iter().flat_map(|region| desk.state.record.approvals_in(*region));
    let open = given.filter_map(|(_, a)| a.as_ref().ok()).filter(|a| {
        *a.about.ring == *ring.name.as_str()
            && approval.is_none_or(|wanted| a.id == wanted)
            && a.ends() > desk.now
            && desk.state.record.revocation(a.id).is_none()
    });
    let mut open: Vec<Approval> = open.cloned().collect();
    open.sort_by_key(|a| a.id);
    open.dedup_by_key(|a| a.id);
    if open.is_empty() {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("no approval of {} is in force", ring.name),
            "nothing is to be revoked",
        ));
    }
    let names: Vec<String> = open.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let bodies = open.iter().map(|a| Body::Revoked { approval: a.id, reason: "".into() }).collect();
    let steps = everywhere(desk, bodies, "revocation")?;
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("revoke approvals of {}", ring.name).into(),
        after: format!("what {names} approved does not count any more, in any region").into(),
        way_back: "only a new approval".into(),
        parallelism: steps.len(),
        blast: desk.blast(ring.regions.clone()),
        findings: Vec::new(),
        steps,
        name: ring.name.as_str().into(),
        ring: Some(at),
    })
}

/// An approval is about one ring as a whole.
fn ring(desk: &Desk<'_>, target: &Target) -> Result<(RingIx, Ring), Refusal> {
    let mut rings: Vec<RingIx> =
        super::targets(desk.service, target).iter().filter_map(|r| desk.service.region(*r)).map(|r| r.ring).collect();
    rings.dedup();
    match rings.as_slice() {
        [one] => desk
            .service
            .ring(*one)
            .map(|ring| (*one, ring.clone()))
            .ok_or_else(|| Refusal::new("nothing", "no such ring", "select a ring")),
        _ => Err(Refusal::new("several-rings", "an approval is about one ring", "select one ring")),
    }
}

fn rules(ring: &Ring) -> Result<Vec<ApprovalRule>, Refusal> {
    let rules = approval_rules(ring);
    if rules.is_empty() {
        return Err(Refusal::new(
            "no-gate",
            format!("{} has no `approval` gate: nothing waits for one", ring.name),
            "add `{ gate = \"approval\", groups = [\"…\"] }` to its `entry`",
        ));
    }
    Ok(rules)
}

/// What the ring would get: the version, and the template that the ring before runs.
fn entering(desk: &Desk<'_>, ring: RingIx, to: Option<&str>) -> Result<(Version, Option<TemplateDigest>), Refusal> {
    let Some(before) = ring.0.checked_sub(1).map(RingIx) else {
        let name = desk.service.ring(ring).map_or("RING", |r| r.name.as_str());
        let Some(text) = to else {
            return Err(Refusal::new(
                "no-version",
                "the first ring has no ring before it to take a version from",
                format!("name the version: `:approve {name} VERSION`"),
            ));
        };
        let version = if text.contains(['/', '@', ':']) { Image::parse(text).version() } else { Version(text.into()) };
        return Ok((version, None));
    };
    let spec = desk.service.ring(before);
    let name = spec.map_or("?", |r| r.name.as_str());
    let unknown = || Refusal::new("stale", format!("what {name} runs is not known"), "R tries its clusters again");
    let version = match desk.state.view.rings.get(before.at()).map(|v| &v.runs) {
        Some(RingRuns::One(version)) => version.clone(),
        Some(RingRuns::Mixed(_)) => {
            return Err(Refusal::new(
                "mixed",
                format!("{name} is mixed: nothing is promoted from it"),
                "finish or roll back that ring first",
            ));
        }
        _ => return Err(unknown()),
    };
    if let Some(asked) = to.filter(|t| *t != &*version.0 && Image::parse(t).version() != version) {
        return Err(Refusal::new(
            "ring-order",
            format!("{name} runs {version}, not {asked}: a version goes ring by ring"),
            format!("promote {name} to {asked} first"),
        ));
    }
    let first = spec.and_then(|r| r.regions.first()).copied().ok_or_else(unknown)?;
    // Read again just now: what is approved is what runs, not what was last seen.
    let object = desk.workload(first)?;
    let kind = desk.kind(desk.region(first)?)?;
    let template = super::digest(kind, object).ok_or_else(unknown)?;
    let runs_it = |at: &RegionIx| {
        let seen = desk.region_state(*at).and_then(|s| s.workload.as_ref());
        seen.is_some_and(|w| w.version == version)
    };
    let target = desk.service.ring(ring).map(|r| r.regions.clone()).unwrap_or_default();
    if target.iter().all(runs_it) {
        let ring = desk.service.ring(ring).map_or("?", |r| r.name.as_str());
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{ring} runs {version} already: nothing waits for an approval"),
            "nothing is to be done",
        ));
    }
    Ok((version, Some(template)))
}

/// The first region of the ring that is heard.
fn place(desk: &Desk<'_>, ring: &Ring) -> Result<RegionIx, Refusal> {
    let heard = |at: &&RegionIx| {
        let cluster = desk.service.region(**at).and_then(|r| desk.clusters.get(r.cluster.at()));
        cluster.is_some_and(|c| c.freshness(desk.stamp).is_live())
    };
    ring.regions.iter().find(heard).copied().ok_or_else(|| {
        Refusal::new(
            "unreachable",
            format!("no region of {} is heard: an approval lies in one of them", ring.name),
            "R tries its clusters again",
        )
    })
}

/// The group to act for, if any is needed; none: may not.
#[expect(clippy::option_option, reason = "may not, may by name, may for a group")]
fn acts_for(rule: &ApprovalRule, me: &Operator, groups: &[Text]) -> Option<Option<Text>> {
    if rule.allows(me.as_str(), None) {
        return Some(None);
    }
    groups.iter().find(|g| rule.allows(me.as_str(), Some(g))).map(|g| Some(g.clone()))
}

fn not_the_author(desk: &Desk<'_>, place: RegionIx, me: &Operator, version: &Version) -> Result<(), Refusal> {
    let Some((from, fact)) = release_author(desk.service, &desk.state.record, version) else { return Ok(()) };
    let cluster = |at: RegionIx| desk.service.region(at).map(|r| r.cluster);
    let one_cluster = cluster(from) == cluster(place);
    if desk.fleet.identities.same(fact.by.as_str(), me.as_str(), one_cluster) != Same::Yes {
        return Ok(());
    }
    Err(Refusal::new(
        "self-approval",
        format!("{me} started {version}: nobody approves their own release"),
        "ask somebody else",
    ))
}

fn not_twice(desk: &Desk<'_>, ring: &Ring, about: &About, me: &Operator) -> Result<(), Refusal> {
    let mut given = ring.regions.iter().flat_map(|at| desk.state.record.approvals_in(*at));
    let mine = |a: &Approval| {
        a.about == *about
            && a.ends() > desk.now.saturating_add(SignedDuration::from_mins(5)).unwrap_or(desk.now)
            && desk.state.record.revocation(a.id).is_none()
            && desk.fleet.identities.same(a.approver.as_str(), me.as_str(), true) == Same::Yes
    };
    if given.any(|(_, a)| a.as_ref().is_ok_and(mine)) {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{me} has approved {} in {} already", about.version, ring.name),
            format!("`:revoke {}` ends it", ring.name),
        ));
    }
    Ok(())
}

fn diff(approval: &Approval) -> Vec<DiffLine> {
    let line = |field: &str, value: serde_json::Value| DiffLine { field: field.into(), from: None, to: Some(value) };
    let about = &approval.about;
    let mut lines = vec![
        line("approver", json!(approval.approver)),
        line("ring", json!(about.ring)),
        line("version", json!(about.version)),
    ];
    if let Some(group) = &approval.group {
        lines.push(line("group", json!(group)));
    }
    if let Some(template) = about.template {
        lines.push(line("template", json!(template.hex())));
    }
    lines.push(line("expires", json!(approval.expires.to_string())));
    lines.push(line("immutable", json!(true)));
    lines
}

/// What the board says now: whoever approves must have seen it.
fn standing(desk: &Desk<'_>, ring: RingIx) -> Vec<Finding> {
    let Some(question) = desk.state.view.question.as_ref().filter(|q| q.ring == ring) else { return Vec::new() };
    let mut findings = Vec::new();
    for row in &question.rows {
        for (gate, judgement) in question.gates.iter().zip(&row.cells).filter_map(|(g, c)| Some((g, c.as_ref()?))) {
            if judgement.verdict > Verdict::Go && !is_approval(desk, ring, gate) {
                let text = format!("{}: {}", judgement.verdict.word(), judgement.sentence);
                findings.push(Finding::new(Severity::Note, "gate", gate.clone(), text));
            }
        }
    }
    findings
}

/// The gate that is about to be answered says nothing new.
fn is_approval(desk: &Desk<'_>, ring: RingIx, label: &str) -> bool {
    let gates = desk.service.ring(ring).map(|r| r.entry_gates.as_slice()).unwrap_or_default();
    gates.iter().any(|g| &*g.gate == "approval" && &*g.label == label)
}

/// A ConfigMap that no admission policy may let through: its approver is nobody.
pub(in crate::engine) fn forged_approval(
    fleet: &Fleet,
    service: &Service,
    ring: &Ring,
    region: &Region,
    now: Timestamp,
) -> Change {
    let id = FactId(ulid::Ulid(0));
    let approval = Approval {
        id,
        approver: Operator::new("gonogo:nobody"),
        group: None,
        about: About {
            fleet: fleet.name.as_str().into(),
            service: service.name.as_str().into(),
            ring: ring.name.as_str().into(),
            version: Version("none".into()),
            template: None,
        },
        created: now,
        expires: now,
        reason: "a rehearsal: is an approval in another's name refused?".into(),
        immutable: true,
    };
    let object = ObjectRef {
        cluster: region.cluster,
        api: ApiType::config_map(),
        namespace: region.workload.namespace.clone(),
        name: Approval::name(id).into(),
    };
    let body = approval.object(&object);
    Change::Create { object, body }
}
