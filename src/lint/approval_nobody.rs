//! An approval that nobody can give: the release waits for people who are not there.

use super::view::{Plan, list};
use super::{Check, Notes, Severity};
use crate::domain::fleet::Ring;
use crate::domain::id::Text;
use crate::domain::policy::Advance;
use crate::gates::{ApprovalRule, approval_rules};

pub(super) static CHECK: Check = Check {
    code: "GG010",
    name: "approval-nobody",
    severity: Severity::High,
    about: "An approval asks for more people than there are: names of one person count once, and whoever promotes cannot approve.",
    measures: false,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    for (at, ring) in plan.rings() {
        // Who is in a group only the cluster knows.
        for rule in approval_rules(ring).iter().filter(|rule| rule.groups.is_empty()) {
            let people = people(plan, &rule.users);
            let who = list(people.iter().copied());
            if people.len() < rule.count {
                notes.ring(
                    at,
                    format!("{} needs {}, and {who} is all who may give them", ring.name, approvals(rule.count)),
                    "name more people in `users`, or a group in `groups`",
                );
                continue;
            }
            let auto = plan.service.policy.ring(at).advance == Advance::Auto;
            if let Some(deciders) = deciders(plan, ring).filter(|_| !auto)
                && deciders.iter().all(|d| left(&people, d, rule))
            {
                notes.ring(
                    at,
                    format!(
                        "{} needs {} of {who}, and whoever may promote ({}) is one of them: nobody approves their own promotion",
                        ring.name,
                        approvals(rule.count),
                        list(deciders.iter().copied())
                    ),
                    "let somebody approve who does not promote, or promote who does not approve",
                );
            }
        }
    }
}

fn approvals(count: usize) -> String {
    format!("{count} {}", if count == 1 { "approval" } else { "approvals" })
}

/// Whether too few are left to approve when this one promotes.
fn left(people: &[&str], promoter: &str, rule: &ApprovalRule) -> bool {
    people.iter().filter(|p| **p != promoter).count() < rule.count
}

/// The people behind some names.
fn people<'a>(plan: &Plan<'a>, names: &'a [Text]) -> Vec<&'a str> {
    let mut people: Vec<&str> = names.iter().map(|name| plan.identities.person(name)).collect();
    people.sort_unstable();
    people.dedup();
    people
}

/// Who may promote a ring; none: everybody whom the cluster lets. A name that approves nothing may be a
/// group's: then somebody is left who does not approve.
fn deciders<'a>(plan: &Plan<'a>, ring: &'a Ring) -> Option<Vec<&'a str>> {
    let of = |at: &crate::domain::id::RegionIx| {
        let region = plan.service.region(*at)?;
        let own = if region.deciders.is_empty() { &plan.service.deciders } else { &region.deciders };
        Some(people(plan, own))
    };
    let mut all: Vec<&str> = ring.regions.iter().filter_map(of).flatten().collect();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then_some(all)
}
