//! Windows that never open, or never together: the release stands still for ever.

use super::view::Plan;
use super::{Check, Notes, Severity};
use crate::domain::stamp::SignedDuration;
use crate::forecast::entry_opens;

pub(super) static CHECK: Check = Check {
    code: "GG009",
    name: "window-shut",
    severity: Severity::High,
    about: "The windows and freezes of a ring leave no moment in the next 60 days at which all its regions may be changed.",
    measures: false,
    find,
};

/// So far is looked ahead.
const AHEAD: SignedDuration = SignedDuration::from_hours(60 * 24);

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let until = plan.now.saturating_add(AHEAD).unwrap_or(plan.now);
    for (at, ring) in plan.rings() {
        if let Err(why) = entry_opens(plan.service, at, plan.now, until) {
            notes.ring(
                at,
                format!("{} can never be promoted in the next 60 days: {why}", ring.name),
                "widen a window, end a freeze, or put regions whose days do not overlap into rings of their own",
            );
        }
    }
}
