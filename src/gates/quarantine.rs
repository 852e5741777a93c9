//! `quarantine`: nobody has quarantined what would enter, and it was rolled back nowhere.

use super::silence;
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Entering, Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::quarantine::Candidate;
use crate::domain::record::Record;
use crate::domain::stamp::Timestamp;
use crate::domain::verdict::{Judgement, Verdict};

/// What was rolled back anywhere is refused everywhere, until cleared with a reason.
pub struct Quarantine;

impl GateType for Quarantine {
    fn name(&self) -> &'static str {
        "quarantine"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn about(&self) -> &'static str {
        "NO-GO for a digest that somebody quarantined, and for what was rolled back in any region, until it is cleared with a reason. Every promotion and every rollback asks it, also where it is not listed."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Quarantine))
    }
}

impl Gate for Quarantine {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(entering) = &evidence.entering else {
            let sentence = format!("{region}: nothing is about to enter");
            return Judgement::new(Verdict::NoData, "nothing", sentence);
        };
        match quarantined(evidence.service, evidence.record, entering, evidence.now) {
            Some(judged) => Judgement { sentence: format!("{region}: {}", judged.sentence).into(), ..judged },
            None => {
                // What stands in a record that is not read, or speaks of what was not seen, is not known.
                let unseen = || {
                    let later = evidence.region.ring.at() > 0 && entering.source.is_none();
                    later.then(|| "what the ring before it runs was not seen".to_owned())
                };
                let unread = || evidence.record_unread.as_deref().map(str::to_owned);
                if let Some(why) = silence(&evidence.freshness).or_else(unread).or_else(unseen) {
                    let sentence = format!("{region}: whether {} is quarantined is not known: {why}", entering.version);
                    return Judgement::new(Verdict::NoData, "no record", sentence);
                }
                let sentence =
                    format!("{region}: {} is not quarantined, and was rolled back nowhere", entering.version);
                Judgement::new(Verdict::Go, "clear", sentence)
            }
        }
    }
}

/// What speaks against a version that would enter; none: nothing.
pub fn quarantined(service: &Service, record: &Record, entering: &Entering<'_>, now: Timestamp) -> Option<Judgement> {
    let candidate = Candidate {
        version: entering.version,
        image: entering.source.and_then(|w| w.image.as_ref()),
        template: entering.source.map(|w| w.template),
    };
    let all = record.quarantined(now);
    let hits: Vec<_> = all.iter().filter(|q| q.covers(&candidate)).collect();
    let first = hits.last()?;
    let name = |at| service.region(at).map_or_else(|| "?".into(), |r| r.name.as_str().into());
    let cell = if first.region.is_some() { "rolled back" } else { "quarantine" };
    let sentence = format!("{} was {}; a clearance with a reason lets it in again", entering.version, first.text(name));
    let judged = Judgement::new(Verdict::NoGo, cell, sentence);
    Some(hits.iter().fold(judged, |judged, q| judged.because(format!("{}: {}", q.fact.id, q.text(name)))))
}

#[cfg(test)]
#[path = "quarantine_tests.rs"]
mod tests;
