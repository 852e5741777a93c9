//! A capacity that nobody has measured lately says little about today.

use super::view::{Plan, list};
use super::{Check, Notes, Severity};
use jiff::tz::TimeZone;

pub(super) static CHECK: Check = Check {
    code: "GG015",
    name: "capacity-old",
    severity: Severity::Low,
    about: "A capacity has no date, or was measured more than 90 days ago: drains and headroom rest on it.",
    measures: false,
    find,
};

/// Older than that, a measured capacity says little about what runs today.
const DAYS: i32 = 90;

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let today = plan.now.to_zoned(TimeZone::UTC).date();
    let mut undated = Vec::new();
    for (at, region) in plan.production() {
        match region.capacity.map(|c| c.measured) {
            None => {}
            Some(None) => undated.push((at, region.name.as_str())),
            Some(Some(day)) => {
                let days = today.since(day).map_or(0, |span| span.get_days());
                if days > DAYS {
                    notes.region(
                        plan,
                        at,
                        format!("the capacity of {} was measured {days} days ago, on {day}", region.name),
                        "measure again, and write the day: `measured = 2026-05-01`",
                    );
                }
            }
        }
    }
    match undated.as_slice() {
        [] => {}
        [(at, name)] => notes.region(plan, *at, format!("the capacity of {name} has no date"), HOW),
        many => notes.service(format!("the capacities of {} have no date", list(many.iter().map(|(_, n)| *n))), HOW),
    }
}

const HOW: &str = "measure it, and write the day: `capacity = { qps = 12000, measured = 2026-05-01 }`";
