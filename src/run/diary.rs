//! What fails and what comes back, once per change, for the log: failures leave a trace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::change::Change;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, ColumnName, RegionIx, ServiceIx, Text};
use crate::domain::link::Link;
use crate::domain::metric::{NoData, Reading};
use crate::domain::observation::Observation;
use crate::domain::plan::Plan;
use crate::domain::text::safe;
use crate::engine::effect::ActResult;

/// Longest line, in bytes.
const LONGEST: usize = 600;

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// It is a failure.
    pub bad: bool,
    /// The sentence.
    pub text: String,
}

/// Remembers what was said last of each link and each Prometheus.
pub struct Diary {
    fleet: Arc<Fleet>,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    links: BTreeMap<ClusterIx, &'static str>,
    /// Why a column has no data in a region: only what is wrong with the server.
    columns: BTreeMap<(ServiceIx, ColumnName, RegionIx), (Text, String)>,
}

impl Diary {
    /// Nothing was said yet.
    pub fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, said: Mutex::default() }
    }

    /// Logs what changed with an observation.
    pub fn observed(&self, seen: &Observation) {
        for entry in self.entries(seen) {
            log(&entry);
        }
    }

    /// What changed with an observation; nothing while it goes on as before.
    pub fn entries(&self, seen: &Observation) -> Vec<Entry> {
        match seen {
            Observation::Link { cluster, link } => self.link(*cluster, link).into_iter().collect(),
            Observation::Samples { service, column, readings, .. } => {
                let troubles = readings.iter().map(|(region, reading)| (*region, trouble(reading)));
                self.samples(*service, column, troubles)
            }
            _ => Vec::new(),
        }
    }

    fn link(&self, cluster: ClusterIx, link: &Link) -> Option<Entry> {
        let (word, reason) = match link {
            Link::Connecting => return None,
            Link::Live => ("connected", ""),
            Link::Lost { reason, .. } => reason.text(),
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.links.insert(cluster, word) == Some(word) {
            return None;
        }
        let name = self.fleet.cluster_name(cluster);
        let bad = matches!(link, Link::Lost { .. });
        Some(entry(
            bad,
            &if bad { format!("cluster {name}: {word}: {reason}") } else { format!("cluster {name}: {word}") },
        ))
    }

    fn samples(
        &self,
        service: ServiceIx,
        column: &ColumnName,
        troubles: impl Iterator<Item = (RegionIx, Option<String>)>,
    ) -> Vec<Entry> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::new();
        for (region, now) in troubles {
            let key = (service, column.clone(), region);
            let (server, place) = self.names(service, region);
            let now = now.map(|why| (server, why));
            let before = said.columns.remove(&key);
            if before == now {
                said.columns.extend(now.map(|now| (key, now)));
                continue;
            }
            let is_said = |said: &Said, what: &(Text, String)| said.columns.values().any(|known| known == what);
            if let Some(before) = before.filter(|b| !is_said(&said, b)) {
                let all = !said.columns.values().any(|(server, _)| *server == before.0) && now.is_none();
                let again = if all { "answers again" } else { "answers some questions again" };
                entries.push(entry(false, &format!("Prometheus {}: {again}; it was: {}", before.0, before.1)));
            }
            if let Some(now) = now {
                if !is_said(&said, &now) {
                    let text = format!("Prometheus {}: {} (column {} of {place})", now.0, now.1, column.as_str());
                    entries.push(entry(true, &text));
                }
                said.columns.insert(key, now);
            }
        }
        entries
    }

    /// Of the Prometheus that is asked for a region, and of the region.
    fn names(&self, service: ServiceIx, region: RegionIx) -> (Text, String) {
        let service = self.fleet.service(service);
        let found = service.and_then(|s| s.region(region));
        let cluster = found.and_then(|r| self.fleet.clusters.get(r.cluster.at()));
        let server = cluster.and_then(|c| c.prometheus).and_then(|p| self.fleet.prometheuses.get(p.at()));
        let place = match (service, found) {
            (Some(service), Some(region)) => format!("{} in {}", service.name, region.name),
            _ => "?".to_owned(),
        };
        (server.cloned().unwrap_or_else(|| "(none)".into()), place)
    }
}

/// What is wrong with the server or the way to it. A query that finds nothing is not.
fn trouble(reading: &Reading) -> Option<String> {
    match reading {
        Err(
            why @ (NoData::Http(..)
            | NoData::NotPrometheus(_)
            | NoData::Unreachable(_)
            | NoData::Timeout
            | NoData::Warning(_)
            | NoData::Ambiguous(_)),
        ) => Some(why.to_string()),
        _ => None,
    }
}

/// A write that was not accepted, or whose reply was lost.
pub fn written(plan: &Plan, fleet: &Fleet, step: usize, write: usize, result: &ActResult) -> Option<Entry> {
    let what = match result {
        ActResult::Accepted { .. } => return None,
        ActResult::Absent(why) => format!("the object is absent: {why}"),
        ActResult::Changed => "refused: it changed since it was looked at".to_owned(),
        ActResult::Refused { code, message } => format!("refused: {code} {message}"),
        ActResult::NotSent(why) => format!("not sent: {why}"),
        ActResult::Unknown(why) => format!("reply lost, it may have happened: {why}"),
    };
    let change = plan.steps.get(step).and_then(|s| s.writes.get(write)).map(|w| &w.change);
    let place = change.map_or_else(|| "?".to_owned(), Change::subject);
    let place = match change.and_then(Change::cluster) {
        Some(at) => format!("{place} on cluster {}", fleet.cluster_name(at)),
        None => place,
    };
    Some(entry(true, &format!("{}: {place}: {what}", plan.title)))
}

fn entry(bad: bool, text: &str) -> Entry {
    Entry { bad, text: safe(text, LONGEST) }
}

/// Into the log, its files and its pane.
pub fn log(entry: &Entry) {
    if entry.bad {
        tracing::warn!("{}", entry.text);
    } else {
        tracing::info!("{}", entry.text);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::domain::link::LostReason;
    use crate::engine::fixture;

    fn diary() -> Diary {
        Diary::new(Arc::new(fixture::release().fleet))
    }

    fn link(diary: &Diary, link: Link) -> Vec<Entry> {
        diary.entries(&Observation::Link { cluster: ClusterIx(0), link })
    }

    fn lost(why: &str) -> Link {
        let next_try = jiff::Timestamp::UNIX_EPOCH;
        Link::Lost { reason: LostReason::Unreachable(why.into()), next_try }
    }

    #[test]
    fn a_link_is_told_once_per_change_with_cluster_and_reason() {
        let diary = diary();
        let name = diary.fleet.cluster_name(ClusterIx(0)).to_string();
        assert!(link(&diary, Link::Connecting).is_empty());
        assert_eq!(link(&diary, Link::Live).len(), 1);
        let told = link(&diary, lost("refused \u{1b}[2J"));
        assert_eq!(told, [Entry { bad: true, text: format!("cluster {name}: unreachable: refused ␛[2J") }]);
        assert!(link(&diary, lost("timed out")).is_empty(), "still lost");
        let told = link(&diary, Link::Live);
        assert_eq!(told, [Entry { bad: false, text: format!("cluster {name}: connected") }]);
    }

    #[test]
    fn a_prometheus_that_refuses_is_told_once_and_when_it_answers_again() {
        let diary = diary();
        let ask = |column: &str, reading: Reading| {
            diary.entries(&Observation::Samples {
                service: ServiceIx(0),
                column: column.into(),
                at: jiff::Timestamp::UNIX_EPOCH,
                readings: vec![(RegionIx(0), reading)],
            })
        };
        let refused = || Err(NoData::Http(422, "too many samples".into()));
        assert!(ask("QPS", Ok(1.0)).is_empty());
        let told = ask("QPS", refused());
        assert!(told.len() == 1 && told[0].bad && told[0].text.contains("422: too many samples"), "{told:?}");
        assert!(ask("QPS", refused()).is_empty() && ask("errors", refused()).is_empty(), "the same, once");
        assert!(ask("QPS", Err(NoData::Empty)).is_empty(), "another column still fails");
        let told = ask("errors", Ok(0.1));
        assert!(told.len() == 1 && !told[0].bad && told[0].text.contains("answers again"), "{told:?}");
    }
}
