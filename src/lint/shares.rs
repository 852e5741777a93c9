//! Shares that do not add up: blast radius is told by them.

use super::view::{Basis, Plan};
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG013",
    name: "shares",
    severity: Severity::Low,
    about: "Declared shares of traffic do not make 100 %, are missing for some regions, or are not what the traffic says.",
    measures: true,
    find,
};

/// So much is rounding.
const ROUNDING: f64 = 0.01;
/// So far a share may be from what the traffic says.
const APART: f64 = 0.05;

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let production = plan.production();
    let share = |at| plan.declared(at).and_then(|d| d.share);
    let declared: Vec<_> = production.iter().filter_map(|(at, r)| Some((*at, r, share(*at)?))).collect();
    let sum: f64 = declared.iter().map(|(_, _, s)| s).sum();
    if let Some((_, without)) = production.iter().find(|(at, _)| !declared.is_empty() && share(*at).is_none()) {
        notes.service(
            format!("{} has no share, and the others make {:.0} %", without.name, 100.0 * sum),
            "declare the `share` of every region that users reach, or of none",
        );
    } else if !declared.is_empty() && (sum - 1.0).abs() > ROUNDING {
        let parts: Vec<String> = declared.iter().map(|(_, r, s)| format!("{} {:.0} %", r.name, 100.0 * s)).collect();
        notes.service(
            format!("the shares make {:.0} %, not 100 %: {}", 100.0 * sum, parts.join(", ")),
            "correct the `share` of each region's `traffic`",
        );
    } else if let Ok(traffic) = plan.traffic() {
        for (at, region, share) in &declared {
            let Some(seen) = traffic.get(*at).map(|q| q / traffic.total()) else { continue };
            if (seen - share).abs() > APART {
                let how = if traffic.basis == Basis::Measured { "measured" } else { "declared" };
                notes.region(
                    plan,
                    *at,
                    format!(
                        "{} has a share of {:.0} %, and {:.0} % of the {how} traffic",
                        region.name,
                        100.0 * share,
                        100.0 * seen
                    ),
                    "correct its `share`: how far a release reaches is told by it",
                );
            }
        }
    }
    for (at, region) in &production {
        let mix = plan.declared(*at).map(|d| &d.mix).filter(|mix| !mix.is_empty());
        let sum: f64 = mix.into_iter().flatten().map(|(_, s)| s).sum();
        if mix.is_some() && (sum - 1.0).abs() > ROUNDING {
            notes.region(
                plan,
                *at,
                format!("the kinds of traffic of {} make {:.0} %, not 100 %", region.name, 100.0 * sum),
                "correct its `mix`",
            );
        }
    }
}
