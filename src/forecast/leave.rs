//! Out of a ring: its exit gates, asked at the moments at which they say they would change their mind.

use super::stage::Stage;
use super::{HangsOn, Player, RingForecast, Stuck, Wait, hangs_on, plus};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::gates;

impl Player<'_> {
    /// The moment at which every exit gate of the ring says GO.
    pub(super) fn leave(
        &self,
        stage: &Stage<'_>,
        told: &mut RingForecast,
        settled: Timestamp,
    ) -> Result<Timestamp, Box<Stuck>> {
        let baked = stage.baked(settled, self.until);
        let mut done = settled;
        for gate in &stage.exit {
            let mut longest: Option<Wait> = None;
            for (region, _) in stage.regions() {
                let until = stage.opens(gate, region, &baked, (settled, self.until), true).map_err(|shut| {
                    Box::new(Stuck {
                        ring: told.ring,
                        what: gate.label.clone(),
                        region: Some(shut.region),
                        why: shut.sentence,
                    })
                })?;
                if until > settled && longest.as_ref().is_none_or(|w| w.until < until) {
                    longest = Some(Wait { what: gate.label.clone(), region: Some(region), from: settled, until });
                }
            }
            done = done.max(longest.as_ref().map_or(settled, |w| w.until));
            told.exit_waits.extend(longest);
        }
        let specs = self.service.ring(told.ring).map(|r| r.exit_gates.as_slice()).unwrap_or_default();
        for spec in specs {
            let least = match hangs_on(spec) {
                // It may ask for so many windows before it says anything.
                HangsOn::World => gates::build(spec, self.service).ok().map(|g| g.minimum()),
                HangsOn::People => self.terms.people.try_into().ok(),
                HangsOn::Time => None,
            };
            let least = least.and_then(|l| SignedDuration::try_from(l).ok()).filter(|l| l.is_positive());
            if let Some(least) = least {
                let until = plus(settled, least);
                told.exit_waits.push(Wait { what: spec.label.clone(), region: None, from: settled, until });
                done = done.max(until);
            }
        }
        Ok(done)
    }
}
