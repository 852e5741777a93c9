//! Into a ring: every entry gate that hangs on time must let all its regions in at one moment.

use super::stage::{Shut, Stage, passes};
use super::{Player, RingForecast, Stuck, Wait, utc};
use crate::domain::id::{RegionIx, Text};
use crate::domain::policy::Advance;
use crate::domain::stamp::Timestamp;
use crate::domain::verdict::Verdict;

/// So many regions are named.
const MOST_NAMES: usize = 4;

/// Is told of each wait: the gate, from when to when, and whose.
type Told<'t> = &'t mut dyn FnMut(&Text, (Timestamp, Timestamp, RegionIx));

/// The moment at which a ring opens, with what is a finding then; or the gate that stays shut.
type Opened = Result<(Timestamp, Vec<String>), (Text, Shut)>;

/// The first moment within a span at which all gates are open for all regions; each wait on the way is told.
pub(super) fn open(
    stage: &Stage<'_>,
    (from, until): (Timestamp, Timestamp),
    findings_pass: bool,
    told: Told<'_>,
) -> Opened {
    let nothing = stage.baked(from, from);
    let mut at = from;
    // Regions that were shut on the way.
    let mut shut_for: Vec<RegionIx> = Vec::new();
    'moved: loop {
        let mut findings = Vec::new();
        for gate in &stage.entry {
            for (region, _) in stage.regions() {
                let Some(judged) = stage.judge(gate, region, &nothing, at) else { continue };
                if judged.verdict == Verdict::Findings {
                    findings.push(judged.sentence.to_string());
                }
                if passes(judged.verdict, findings_pass) {
                    continue;
                }
                let opened = stage.opens(gate, region, &nothing, (at, until), findings_pass);
                if !shut_for.contains(&region) {
                    shut_for.push(region);
                }
                let opened = opened.map_err(|shut| (gate.label.clone(), in_turn(stage, &shut_for, shut)))?;
                told(&gate.label, (at, opened, region));
                at = opened;
                continue 'moved;
            }
        }
        return Ok((at, findings));
    }
}

/// Several regions that were shut in turn are never open together: that is the reason then.
fn in_turn(stage: &Stage<'_>, regions: &[RegionIx], shut: Shut) -> Shut {
    if regions.len() < 2 {
        return shut;
    }
    let names = stage.regions().filter(|(at, _)| regions.contains(at)).map(|(_, r)| r.name.as_str());
    let sentence = format!("{} are never open at one moment; {}", list(names), shut.sentence);
    Shut { sentence, ..shut }
}

/// `a, b and c`; of many only the first.
fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    match (names.split_last(), more) {
        (Some((last, [_, ..])), 0) => {
            format!("{} and {last}", names.get(..names.len() - 1).unwrap_or_default().join(", "))
        }
        (_, 0) => names.concat(),
        _ => format!("{} and {more} more", names.join(", ")),
    }
}

impl Player<'_> {
    /// The moment at which the ring's next promotion may begin.
    pub(super) fn enter(
        &self,
        stage: &Stage<'_>,
        told: &mut RingForecast,
        at: Timestamp,
    ) -> Result<Timestamp, Box<Stuck>> {
        let by_people = told.ring.0 == 0 || self.service.policy.ring(told.ring).advance != Advance::Auto;
        let mut waits: Vec<Wait> = Vec::new();
        let opened = open(stage, (at, self.until), by_people, &mut |gate, (from, until, region)| {
            let region = Some(region);
            match waits.last_mut() {
                Some(last) if last.what == *gate && last.region == region => last.until = until,
                _ => waits.push(Wait { what: gate.clone(), region, from, until }),
            }
        });
        told.entry_waits.extend(waits);
        match opened {
            Ok((at, findings)) => {
                for finding in findings {
                    if !told.findings.contains(&finding) {
                        told.findings.push(finding);
                    }
                }
                Ok(at)
            }
            Err((gate, shut)) => {
                let why = format!("{} (the forecast ends {})", shut.sentence, utc(self.until));
                Err(Box::new(Stuck { ring: told.ring, what: gate, region: Some(shut.region), why }))
            }
        }
    }
}
