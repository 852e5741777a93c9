//! `window`: the region's wall clock shows a time at which it may be changed.

use super::zones::{DURING, LocalTime, ZONE, every_region_has_one};
use crate::domain::calendar::{Twice, local_and_utc};
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, HangsOn, Need, ParamError, Parameter};
use crate::domain::id::{RegionIx, RingIx};
use crate::domain::stamp::{Timestamp, short};
use crate::domain::verdict::{Judgement, Verdict};

/// Allowed hours, per region in its own zone.
pub struct Window;

impl GateType for Window {
    fn name(&self) -> &'static str {
        "window"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn hangs_on(&self) -> HangsOn {
        HangsOn::Time
    }
    fn about(&self) -> &'static str {
        "The region's wall clock shows a time at which it may be changed. Waits until the next opening otherwise. Hours that daylight saving skips do not open; hours that it repeats open twice."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[DURING, ZONE]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        LocalTime::build(params, service).map(|time| Box::new(Allowed(time)) as Box<dyn Gate>)
    }
    fn fits(&self, params: &Params, service: &Service, ring: RingIx) -> Result<(), ParamError> {
        every_region_has_one(params, service, ring)
    }
}

struct Allowed(LocalTime);

impl Gate for Allowed {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(zone) = self.0.zone(evidence) else {
            let sentence = format!("{region}: its time zone is not known, so nobody can tell whether it is open");
            return Judgement::new(Verdict::NoData, "zone?", sentence);
        };
        let now = evidence.now;
        let standing = self.0.calendar.at(now, zone, Twice::WallClock);
        let judged = match (standing.inside, standing.next) {
            (Some(span), _) => {
                let left = short(span.to.duration_since(now));
                let sentence = format!("{region}: the window is open until {}", local_and_utc(span.to, zone));
                Judgement::new(Verdict::Go, format!("open {left}"), sentence)
            }
            (None, Some(next)) => {
                let left = short(next.from.duration_since(now));
                let sentence = format!("{region}: the window is closed; it opens {}", local_and_utc(next.from, zone));
                Judgement::new(Verdict::Wait, left, sentence).until(next.from)
            }
            (None, None) => {
                let sentence = format!("{region}: the window is closed, and no opening is ahead");
                Judgement::new(Verdict::NoGo, "never", sentence)
            }
        };
        judged.because(format!("there it is {}", local_and_utc(now, zone)))
    }

    fn opens(&self, at: RegionIx, from: Timestamp) -> Option<Timestamp> {
        let standing = self.0.calendar.at(from, self.0.zone_of(at)?, Twice::WallClock);
        if standing.inside.is_some() { Some(from) } else { standing.next.map(|next| next.from) }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
