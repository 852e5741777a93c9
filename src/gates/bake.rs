//! `bake`: the ring has run its template long enough.

use std::time::Duration;

use super::{LONGEST, later, only_if_seen, other_template};
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{BakeSource, Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::stamp::{SignedDuration, parse_duration, short};
use crate::domain::verdict::{Judgement, Verdict};

/// A minimum time on one template digest, from when the ring's last region settled.
pub struct Bake;

/// Lengths by name: a full cycle of day and night for the first ring, less for later ones, and
/// a soak while metrics catch up.
pub const PRESETS: &[(&str, Duration)] = &[
    ("day", Duration::from_secs(24 * 3_600)),
    ("half-day", Duration::from_secs(12 * 3_600)),
    ("quarter-day", Duration::from_secs(6 * 3_600)),
    ("long-soak", Duration::from_secs(3_600)),
    ("soak", Duration::from_secs(1_800)),
];

/// The length that `for` says: a length of time, or the name of a preset.
pub fn bake_length(text: &str) -> Option<Duration> {
    let preset = PRESETS.iter().find(|(name, _)| *name == text).map(|(_, length)| *length);
    preset.or_else(|| parse_duration(text))
}

impl GateType for Bake {
    fn name(&self) -> &'static str {
        "bake"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "The ring has run its template for a minimum time since its last region settled. Only another template, or another object, starts it again."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter {
            name: "for",
            about: "How long, e.g. `24h`; the ring's `bake` may say it instead.",
            required: true,
        }]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let wrong = || ParamError::new("for", "write how long the ring must run, e.g. `for = \"24h\"`");
        let length = params.text("for").and_then(bake_length).ok_or_else(wrong)?;
        if length > LONGEST {
            return Err(ParamError::new("for", "a bake longer than a year is refused; write e.g. `for = \"24h\"`"));
        }
        Ok(Box::new(Baking { length }))
    }
}

struct Baking {
    length: Duration,
}

impl Gate for Baking {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn minimum(&self) -> Duration {
        self.length
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }
}

impl Baking {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let wanted = short(SignedDuration::try_from(self.length).unwrap_or_default());
        let Some(workload) = evidence.workload else {
            let sentence = format!("{region}: nothing was seen that could bake");
            return Judgement::new(Verdict::NoData, "unseen", sentence);
        };
        if let Some(other) = other_template(evidence) {
            let sentence = format!("{region}: the bake of {wanted} begins when {} runs everywhere", other.short());
            return Judgement::new(Verdict::Wait, format!("0s/{wanted}"), sentence);
        }
        let Some(start) = evidence.bake_start else {
            return if workload.settled() {
                let sentence = format!(
                    "{region}: start of the bake is unknown: {} has not settled everywhere, or nothing tells when",
                    evidence.ring.name
                );
                Judgement::new(Verdict::NoData, "start?", sentence)
            } else {
                let sentence = format!("{region}: the bake of {wanted} begins when the rollout is complete");
                Judgement::new(Verdict::Wait, format!("0s/{wanted}"), sentence)
            };
        };
        let end = later(start.at, self.length);
        let done = evidence.now.duration_since(start.at).max(SignedDuration::ZERO);
        let judged = if evidence.now >= end {
            let sentence = format!(
                "{region}: {} has run {} for {}, {wanted} needed",
                evidence.ring.name,
                workload.version,
                short(done)
            );
            Judgement::new(Verdict::Go, short(done), sentence)
        } else {
            let left = short(end.duration_since(evidence.now));
            let sentence = format!(
                "{region}: {} has run {} for {} of {wanted}; {left} left, until {}",
                evidence.ring.name,
                workload.version,
                short(done),
                end.strftime("%Y-%m-%d %H:%M:%S UTC"),
            );
            Judgement::new(Verdict::Wait, format!("{}/{wanted}", short(done)), sentence).until(end)
        };
        let mut judged = judged.because(format!(
            "baking since {}, {}",
            start.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            start.source.text()
        ));
        if start.source == BakeSource::FirstSeen {
            judged = judged.because("nothing but this console tells when it settled");
        }
        judged
    }
}
