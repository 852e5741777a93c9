//! Order: the smallest region first limits what a bad release can reach.

use super::view::{Plan, Sizes};
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG001",
    name: "order",
    severity: Severity::High,
    about: "A ring has a region that is smaller than one in a ring before it.",
    measures: true,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let sizes = match plan.sizes() {
        Ok(sizes) => sizes,
        Err(lacks) => return notes.lacks(lacks),
    };
    let Sizes { basis, of } = &sizes;
    for (ring, spec) in plan.rings() {
        let ring_of = |at| plan.service.region(at).map(|r| r.ring);
        let before = of.iter().filter(|(at, _)| ring_of(*at).is_some_and(|r| r < ring));
        let here = of.iter().filter(|(at, _)| ring_of(*at) == Some(ring));
        let largest = before.max_by(|a, b| a.1.total_cmp(&b.1));
        let smallest = here.min_by(|a, b| a.1.total_cmp(&b.1));
        let (Some((large, most)), Some((small, least))) = (largest, smallest) else { continue };
        if least >= most {
            continue;
        }
        let (large_ring, small, large) = (
            ring_of(*large).and_then(|r| plan.service.ring(r)).map_or("?", |r| r.name.as_str()),
            plan.region_name(*small),
            plan.region_name(*large),
        );
        notes.ring(
            ring,
            format!(
                "{small} ({}) of {} is smaller than {large} ({}) of {large_ring} before it, by {basis}",
                basis.show(*least),
                spec.name,
                basis.show(*most)
            ),
            format!("release to {small} before {large}: the smallest first, the largest last"),
        );
    }
}
