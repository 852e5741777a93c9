//! The grounds every plan stands on: clusters that are the ones they were, records that could be
//! read, a clock and a policy that agree with the others'.

use super::Desk;
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{ClusterIx, RegionIx};
use crate::domain::intent::{Direction, Verb};
use crate::domain::plan::{Plan, Refusal};
use crate::engine::deciders::{may_decide, whom_to_call};
use crate::engine::scene::{CLOCK_LIMIT, median_skew, odd_clock_sentence, odd_clocks, one_object, one_object_sentence};

/// A context that leads to another cluster than before: nothing is written there until that is accepted, and
/// what it shows is no ground to raise on. Lowering goes on in the other clusters.
pub(super) fn other_clusters(desk: &Desk<'_>, plan: &mut Plan) -> Result<(), Refusal> {
    let is_other = |cluster: ClusterIx| desk.clusters.get(cluster.at()).is_some_and(|c| c.facts.uid_changed);
    let rings = plan.blast.regions.iter().filter_map(|r| desk.service.region(*r)).map(|r| r.ring);
    let last = rings.max();
    let rests = desk.service.regions.iter().filter(|r| last >= Some(r.ring)).map(|r| r.cluster);
    let raising = plan.direction() == Direction::Raising;
    let written = plan.steps.iter().flat_map(|s| &s.writes).filter_map(|w| w.change.cluster());
    let mut others: Vec<ClusterIx> = written.chain(rests.filter(|_| raising)).filter(|c| is_other(*c)).collect();
    others.sort();
    others.dedup();
    let sentence = |cluster: &ClusterIx| {
        let name = desk.fleet.cluster_name(*cluster);
        (name.clone(), format!("{name}: its context leads to another cluster than before, so nothing is written there"))
    };
    let Some((name, text)) = others.first().map(sentence) else { return Ok(()) };
    plan.steps.retain(|s| !s.writes.iter().any(|w| w.change.cluster().is_some_and(is_other)));
    if raising || plan.steps.is_empty() {
        let hint = format!("look where it leads; `gonogo check --connect --accept {name}` accepts it");
        return Err(Refusal::new("another-cluster", text, hint));
    }
    for (name, text) in others.iter().map(sentence) {
        plan.findings.push(Finding::new(Severity::Warning, "another-cluster", name.as_str(), text));
    }
    Ok(())
}

/// What stops or marks every raising plan: fresh records of a majority and of the rings up
/// to the target, a disappeared record, a clock that is off, another policy.
pub(super) fn raising_findings(desk: &Desk<'_>, plan: &mut Plan) -> Result<(), Refusal> {
    let service = desk.service;
    let rings: Vec<_> = plan.blast.regions.iter().filter_map(|r| service.region(*r)).map(|r| r.ring).collect();
    let last = rings.iter().max();
    let fresh = |at: RegionIx| matches!(desk.objects.records.get(&at), Some(Ok(())));
    let missing: Vec<RegionIx> = service.region_indexes().filter(|r| !fresh(*r)).collect();
    let needed = missing.iter().filter(|r| service.region(**r).is_some_and(|r| last >= Some(&r.ring)));
    let names =
        |regions: &[RegionIx]| regions.iter().map(|r| desk.region_name(*r).to_string()).collect::<Vec<_>>().join(", ");
    let needed: Vec<RegionIx> = needed.copied().collect();
    if missing.len() * 2 >= service.regions.len() || !needed.is_empty() {
        plan.findings.push(Finding::new(
            Severity::Override,
            "record",
            names(&missing),
            format!(
                "the shared record could not be read fresh in {} ({} of {} regions): a hold there would not be seen",
                names(&missing),
                missing.len(),
                service.regions.len()
            ),
        ));
    }
    for (at, region) in desk.state.regions.iter().enumerate() {
        if region.record_lost {
            let name = desk.region_name(at.into());
            return Err(Refusal::new(
                "record-lost",
                format!("{name}: the shared record has disappeared; a hold may have gone with it"),
                "it is being written again from memory; look at it, then try again",
            ));
        }
    }
    if let Some(pair) = one_object(service, desk.clusters).into_iter().next() {
        return Err(Refusal::new(
            "one-object",
            one_object_sentence(desk.fleet, service, pair),
            "give each cluster its own context; `gonogo check --connect` names both",
        ));
    }
    // One cluster with a wrong clock says nothing of this host's: the median of all that answered does.
    if let Some(skew) = median_skew(desk.clusters).filter(|s| s.abs() > CLOCK_LIMIT) {
        let off = offset(skew);
        return Err(Refusal::new(
            "clock",
            format!("this host's clock is {off} against the clusters: bakes cannot be judged"),
            "set the clock (NTP); lowering actions still work",
        ));
    }
    for (at, by) in odd_clocks(desk.clusters) {
        if service.regions.iter().any(|r| r.cluster.at() == at) {
            let name = desk.fleet.cluster_name(at.into());
            let text = odd_clock_sentence(name.as_str(), by);
            plan.findings.push(Finding::new(Severity::Warning, "clock", name.as_str(), text));
        }
    }
    // Who is not known there is not one of them either. Who may approve is what the gate says.
    let decides = !matches!(plan.intent.verb, Verb::Approve { .. });
    for region in plan.blast.regions.iter().filter(|_| decides).filter_map(|at| service.region(*at)) {
        if may_decide(service, region, desk.clusters.get(region.cluster.at())) != Some(true) {
            let name = region.name.as_str();
            let text = format!("{}; others need break-glass", whom_to_call(service, region));
            plan.findings.push(Finding::new(Severity::BreakGlass, "decider", name, text));
        }
    }
    let newest =
        desk.state.record.regions.iter().flatten().filter_map(|r| r.newest_promotion()).max_by_key(|(f, _)| f.id);
    if let Some((fact, m)) = newest
        && !m.policy.is_empty()
        && m.policy != service.policy_hash
    {
        plan.findings.push(Finding::new(
            Severity::Override,
            "policy",
            service.name.as_str(),
            format!(
                "this console's policy {} is not the one {} promoted with ({})",
                service.policy_hash, fact.by, m.policy
            ),
        ));
    }
    Ok(())
}

/// A clock's offset in words: `4m05s behind`.
fn offset(skew: crate::domain::stamp::SignedDuration) -> String {
    let word = if skew.is_negative() { "ahead" } else { "behind" };
    format!("{} {word}", crate::domain::stamp::short(skew.abs()))
}
