//! `freeze`: no change while the region is frozen, and no bake that would end frozen.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::zones::{DURING, LocalTime, ZONE, every_region_has_one};
use super::{gate_type, later};
use crate::domain::calendar::{Span, Twice, local_and_utc};
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, HangsOn, Need, ParamError, Parameter};
use crate::domain::id::{RegionIx, RingIx};
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::domain::verdict::{Judgement, Verdict};

/// Forbidden times, per region in its own zone.
pub struct Freeze;

impl GateType for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn hangs_on(&self) -> HangsOn {
        HangsOn::Time
    }
    fn about(&self) -> &'static str {
        "NO-GO while the region is frozen. A finding when the ring's bake, begun now, would end inside a freeze: nothing could follow then. Where daylight saving repeats an hour, the freeze covers both."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            DURING,
            ZONE,
            Parameter { name: "reason", about: "Why, e.g. `year-end closing`; shown with it.", required: false },
            Parameter {
                name: "forecast",
                about: "`false`: do not look where the bake would end; `true` unless given.",
                required: false,
            },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let time = LocalTime::build(params, service)?;
        let reason = match params.0.get("reason") {
            None => String::new(),
            Some(Param::Text(reason)) => format!(" ({reason})"),
            Some(_) => return Err(ParamError::new("reason", "`reason` is a text")),
        };
        let forecast = match params.0.get("forecast") {
            None | Some(Param::Flag(true)) => true,
            Some(Param::Flag(false)) => false,
            Some(_) => return Err(ParamError::new("forecast", "`forecast` is `true` or `false`")),
        };
        let bakes = if forecast { bakes(service) } else { Vec::new() };
        Ok(Box::new(Forbidden { time, reason, bakes }))
    }
    fn fits(&self, params: &Params, service: &Service, ring: RingIx) -> Result<(), ParamError> {
        every_region_has_one(params, service, ring)
    }
}

/// Per ring: how long its exit gates make it wait at least.
fn bakes(service: &Service) -> Vec<Duration> {
    let minimum = |spec: &crate::domain::fleet::GateSpec| {
        // Only what may stand there: a freeze never asks itself.
        let gate = gate_type(&spec.gate).filter(|g| g.may_exit())?;
        gate.build(&spec.params, service).ok().map(|g| g.minimum())
    };
    let ring = |r: &crate::domain::fleet::Ring| r.exit_gates.iter().filter_map(minimum).max().unwrap_or_default();
    service.rings.iter().map(ring).collect()
}

struct Forbidden {
    time: LocalTime,
    /// With a space and brackets, or empty.
    reason: String,
    /// Empty: no forecast is wanted.
    bakes: Vec<Duration>,
}

impl Gate for Forbidden {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(zone) = self.time.zone(evidence) else {
            let sentence = format!("{region}: its time zone is not known, so nobody can tell whether it is frozen");
            return Judgement::new(Verdict::NoData, "zone?", sentence);
        };
        let now = evidence.now;
        let standing = self.time.calendar.at(now, zone, Twice::Widest);
        let judged = match (standing.inside, standing.next) {
            (Some(span), _) => {
                let left = short(span.to.duration_since(now));
                let sentence = format!("{region}: frozen{} until {}", self.reason, local_and_utc(span.to, zone));
                Judgement::new(Verdict::NoGo, left, sentence).until(span.to)
            }
            (None, next) => match self.bake_ends_in(evidence, zone) {
                Some((bake, span)) => self.forecast(evidence, zone, bake, span),
                None => {
                    let (cell, tail) = match next {
                        Some(next) => (
                            short(next.from.duration_since(now)),
                            format!("the next freeze begins {}", local_and_utc(next.from, zone)),
                        ),
                        None => ("none".to_owned(), "no freeze is ahead".to_owned()),
                    };
                    Judgement::new(Verdict::Go, cell, format!("{region}: not frozen; {tail}"))
                }
            },
        };
        judged.because(format!("there it is {}", local_and_utc(now, zone)))
    }

    fn opens(&self, at: RegionIx, from: Timestamp) -> Option<Timestamp> {
        let inside = self.time.calendar.at(from, self.time.zone_of(at)?, Twice::Widest).inside;
        Some(inside.map_or(from, |span| span.to))
    }
}

impl Forbidden {
    /// The freeze in which a bake that begins now would end.
    fn bake_ends_in(&self, evidence: &Evidence<'_>, zone: &TimeZone) -> Option<(Duration, Span)> {
        let bake = self.bakes.get(evidence.region.ring.at()).copied().filter(|b| !b.is_zero())?;
        let end = later(evidence.now, bake);
        self.time.calendar.at(end, zone, Twice::Widest).inside.map(|span| (bake, span))
    }

    fn forecast(&self, evidence: &Evidence<'_>, zone: &TimeZone, bake: Duration, span: Span) -> Judgement {
        let region = &evidence.region.name;
        let length = short(SignedDuration::try_from(bake).unwrap_or_default());
        let end = later(evidence.now, bake);
        let text = format!(
            "a bake of {length} begun now would end {}, inside the freeze{} from {} to {}",
            local_and_utc(end, zone),
            self.reason,
            local_and_utc(span.from, zone),
            local_and_utc(span.to, zone)
        );
        Judgement::new(Verdict::Findings, "bake", format!("{region}: {text}"))
    }
}

#[cfg(test)]
#[path = "freeze_tests.rs"]
mod tests;
