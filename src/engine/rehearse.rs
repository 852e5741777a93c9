//! What servers say to a plan that is only rehearsed: dry-runs, and a forged approval.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::Engine;
use super::draft;
use super::effect::{ActResult, Effect, Ticket};
use super::operation::ProposalState;
use super::review::Review;
use crate::domain::challenge::challenge;
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{Direction, Verb};
use crate::domain::plan::{Expectation, Plan, Refusal, UNREHEARSED};
use crate::domain::version::TemplateDigest;

impl Engine {
    /// Whoever may write ConfigMaps may claim another's name, unless a policy compares it with who
    /// asks. A dry-run tells which of the two holds.
    pub(super) fn rehearse_forgery(&mut self, plan: &Plan, effects: &mut Vec<Effect>) -> BTreeMap<Ticket, RegionIx> {
        let mut forged = BTreeMap::new();
        let raises = matches!(plan.intent.verb, Verb::Promote { .. } | Verb::Approve { .. });
        let fleet = self.fleet.clone();
        let Some((service, ring)) = plan.ring.filter(|_| raises).and_then(|ring| {
            let service = fleet.service(plan.service)?;
            Some((service, service.ring(ring)?))
        }) else {
            return forged;
        };
        if crate::gates::approval_rules(ring).is_empty() {
            return forged;
        }
        let mut asked = BTreeSet::new();
        for (at, region) in ring.regions.iter().filter_map(|at| Some((*at, service.region(*at)?))) {
            if asked.insert((region.cluster, region.workload.namespace.clone())) {
                let change = draft::forged_approval(&fleet, service, ring, region, self.server_now());
                let ticket = self.ticket();
                forged.insert(ticket, at);
                effects.push(Effect::DryRun { ticket, change: Box::new(change) });
            }
        }
        forged
    }

    /// What became of a forged approval.
    fn forgery_rehearsed(&mut self, at: RegionIx, result: &ActResult) {
        let left = self.review.as_ref().map_or(0, Review::unanswered);
        let Some(ProposalState::Ready { plan, .. }) = self.proposal.as_ref().map(|p| &p.state) else { return };
        let service = plan.service;
        let Some(region) = self.fleet.service(service).and_then(|s| s.region(at)) else { return };
        let cluster = self.fleet.cluster_name(region.cluster);
        let text = match result {
            ActResult::Accepted { .. } => format!(
                "{cluster} takes an approval in another's name: whoever may write ConfigMaps there can approve as anybody"
            ),
            ActResult::Refused { code: 422, .. } => format!("{cluster} refuses an approval in another's name"),
            // No right to create any, or no answer: that tells nothing of the policy.
            _ => return self.add_findings(Vec::new(), left),
        };
        let finding = Finding::new(Severity::Note, "approvals", cluster.as_str(), text);
        self.add_findings(vec![finding], left);
    }

    pub(super) fn dry_ran(&mut self, ticket: Ticket, result: ActResult) {
        if let Some(at) = self.review.as_mut().and_then(|r| r.forged.remove(&ticket)) {
            return self.forgery_rehearsed(at, &result);
        }
        let Some(step) = self.review.as_mut().and_then(|r| r.dry_runs.remove(&ticket)) else { return };
        let left = self.review.as_ref().map_or(0, Review::unanswered);
        let Some(ProposalState::Ready { plan, .. }) = self.proposal.as_ref().map(|p| &p.state) else { return };
        let Some(region) = plan.steps.get(step).map(|s| s.region) else { return };
        let name = self.region_text(plan.service, region);
        let lowering = plan.direction() == Direction::Lowering;
        let finding = |severity, code, text: String| Finding::new(severity, code, name.clone(), text);
        let finding = match result {
            ActResult::Accepted { object, warnings, .. } => {
                if let Some(object) = object {
                    self.expect_as_admitted(step, &object);
                }
                (!warnings.is_empty()).then(|| {
                    finding(Severity::Note, "dry-run", format!("{name}: the server warns: {}", warnings.join("; ")))
                })
            }
            ActResult::Refused { code: 400, message } => Some(finding(
                Severity::Warning,
                UNREHEARSED,
                format!("{name}: the server could not rehearse it (a webhook without dry-run support?): {message}"),
            )),
            ActResult::Unknown(why) | ActResult::NotSent(why) => Some(finding(
                if lowering { Severity::Note } else { Severity::Warning },
                UNREHEARSED,
                format!("{name}: not rehearsed: {why}"),
            )),
            ActResult::Refused { code, message } => {
                let text = format!("{name}: the server would refuse it ({code}): {message}");
                return self.rehearsal_failed(lowering, "dry-run", name, text, left);
            }
            ActResult::Absent(_) if self.has_another_way(step) => Some(finding(
                Severity::Note,
                UNREHEARSED,
                format!("{name}: not rehearsed: its type has no status of its own, so the object itself is written"),
            )),
            ActResult::Changed | ActResult::Absent(_) => {
                let text = format!("{name}: changed since you looked");
                return self.rehearsal_failed(lowering, "changed", name, text, left);
            }
        };
        self.add_findings(finding.into_iter().collect(), left);
    }

    /// Whether the step's request has another form for where its path is absent.
    fn has_another_way(&self, step: usize) -> bool {
        let Some(ProposalState::Ready { plan, .. }) = self.proposal.as_ref().map(|p| &p.state) else { return false };
        plan.steps.get(step).and_then(|s| s.main()).is_some_and(|w| w.if_absent.is_some())
    }

    /// Raising is refused; lowering goes on where it can, and the step will say so itself.
    fn rehearsal_failed(&mut self, lowering: bool, code: &'static str, subject: Text, text: String, left: usize) {
        if lowering {
            self.add_findings(vec![Finding::new(Severity::Warning, code, subject, text)], left);
        } else {
            self.refuse(Refusal::new(code, text, "nothing was written; look again, then try again"));
        }
    }

    /// Admission may change a template: what must be seen is what the server said it would be.
    fn expect_as_admitted(&mut self, step: usize, object: &Value) {
        let Some(ProposalState::Ready { plan, .. }) = self.proposal.as_mut().map(|p| &mut p.state) else { return };
        let Some(service) = self.fleet.service(plan.service) else { return };
        let Some(spec) = plan.steps.get(step).and_then(|s| service.region(s.region)) else { return };
        let Some(kind) = crate::kinds::kind(&spec.workload.kind) else { return };
        let Some(admitted) = kind.template(object).map(TemplateDigest::of) else { return };
        let plan = Arc::make_mut(plan);
        let mut changed = false;
        for expect in plan.steps.get_mut(step).into_iter().flat_map(|s| &mut s.expect) {
            if let Expectation::Settled(digest)
            | Expectation::Partitioned(digest)
            | Expectation::AtStep { template: digest, .. }
            | Expectation::Template(digest) = expect
                && *digest != admitted
            {
                *digest = admitted;
                changed = true;
            }
        }
        if changed {
            let name: Text = spec.name.as_str().into();
            let text = format!("{name}: admission changes the pod template beyond what is shown");
            plan.findings.push(Finding::new(Severity::Warning, "admission", name, text));
        }
    }

    fn add_findings(&mut self, findings: Vec<Finding>, left: usize) {
        let Some(ProposalState::Ready { plan, challenge: asked, checking }) =
            self.proposal.as_mut().map(|p| &mut p.state)
        else {
            return;
        };
        *checking = left;
        if !findings.is_empty() {
            Arc::make_mut(plan).findings.extend(findings);
        }
        // More may be asked than before, never less: findings only grow.
        *asked = challenge(plan);
    }

    pub(super) fn unrehearsed(&mut self, steps: &[usize], lowering: bool) {
        let Some(ProposalState::Ready { plan, .. }) = self.proposal.as_ref().map(|p| &p.state) else { return };
        let severity = if lowering { Severity::Note } else { Severity::Warning };
        let findings = steps.iter().filter_map(|s| plan.steps.get(*s)).map(|step| {
            let name = self.region_text(plan.service, step.region);
            let text = format!("{name}: the dry-run did not answer within 3 s");
            Finding::new(severity, UNREHEARSED, name, text)
        });
        let findings = findings.collect();
        self.add_findings(findings, 0);
    }
}
