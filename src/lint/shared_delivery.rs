//! Rings that one delivery brings at once, whatever is written into its sync waves.

use super::view::{Plan, list};
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG018",
    name: "shared-delivery",
    severity: Severity::High,
    about: "One object of a delivery tool brings regions of several rings: a sync reaches all of them at once, and sync waves do not keep rings apart.",
    measures: false,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let service = plan.service;
    for (at, ring) in plan.rings() {
        let own = ring.regions.iter().filter_map(|at| service.region(*at));
        for region in own {
            let Some(delivery) = &region.delivery else { continue };
            // Said once, at the ring that is reached too early.
            let same = |r: &&crate::domain::fleet::Region| r.delivery.as_ref() == Some(delivery) && r.ring < at;
            let earlier: Vec<&str> = service.regions.iter().filter(same).map(|r| r.name.as_str()).collect();
            if earlier.is_empty() {
                continue;
            }
            let object = format!("{} {}/{}", delivery.kind, delivery.namespace, delivery.name);
            notes.ring(
                at,
                format!(
                    "{object} brings {} and also {}, of an earlier ring: a sync reaches both at once, and waves within \
                     it wait for health, not for a bake",
                    region.name,
                    list(earlier)
                ),
                "give each region an object of its own, e.g. `name = \"{{service}}-{{region}}\"`".to_owned(),
            );
        }
    }
}
