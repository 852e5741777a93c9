//! `bake`: a minimum time on this template digest since the ring's last region settled.

use std::time::Duration;

use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::stamp::{SignedDuration, short};
use crate::domain::verdict::{Judgement, Verdict};

/// The gate type.
pub struct Bake;

/// The gate.
struct BakeFor(Duration);

impl GateType for Bake {
    fn name(&self) -> &'static str {
        "bake"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "A minimum time on one template digest, since the ring's last region settled on it."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter { name: "for", about: "how long, e.g. `24h`, `12h`, `45m`", required: true }]
    }
    fn build(&self, params: &Params, _service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        match params.duration("for") {
            Some(length) if !length.is_zero() => Ok(Box::new(BakeFor(length))),
            Some(_) => Err(ParamError::new("for", "a bake of no length lets everything pass; write e.g. \"24h\"")),
            None => Err(ParamError::new("for", "write a length of time, e.g. \"24h\"")),
        }
    }
}

impl Gate for BakeFor {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn minimum(&self) -> Duration {
        self.0
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let ring = &evidence.ring.name;
        let Some(start) = evidence.bake_start else {
            let sentence = format!("{ring}: the bake has not begun: not every region has settled, or it is not known");
            return Judgement::new(Verdict::NoData, "not begun", sentence);
        };
        let length = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        let Ok(end) = start.at.checked_add(length) else {
            return Judgement::new(Verdict::NoData, "?", format!("{ring}: the bake's end is out of range"));
        };
        let baked = evidence.now.duration_since(start.at);
        let judgement = if baked.is_negative() {
            // A start in the future is a clock that is off, not a bake.
            let sentence = format!("{ring}: the bake would begin in the future: a clock is off");
            Judgement::new(Verdict::NoData, "clock", sentence)
        } else if evidence.now < end {
            let left = short(end.duration_since(evidence.now));
            Judgement::new(Verdict::Wait, left.clone(), format!("{left} of bake left in {ring}")).until(end)
        } else {
            Judgement::new(Verdict::Go, short(baked), format!("{ring} has baked {} of {}", short(baked), short(length)))
        };
        judgement.because(format!("settled at {} {}", start.at, start.source.text()))
    }
}
