//! Samples as a Prometheus would have scraped them: made on the fly from the model, on
//! a grid of scrape times, for whichever range a query needs.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use promql_parser::label::Matcher;

use super::error::QueryError;
use super::faults::{Fault, Faults};
use super::storage::{Storage, Visit, passes};
use super::value::{Sample, stale_marker};
use crate::sim::model::life::{Needs, Totals};
use crate::sim::model::series::{self, Series};
use crate::sim::model::view::TrackView;
use crate::sim::model::{Labels, Model};
use crate::sim::world::history::TrackKey;

/// Distance of scrapes unless told otherwise, ms.
pub const SCRAPE_INTERVAL_MS: i64 = 15_000;

/// Says what time it is in the simulation, in ms since the epoch.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What one Prometheus scrapes.
#[derive(Clone)]
pub struct Scrapes {
    /// The model of the fleet.
    pub model: Arc<Model>,
    /// The regions it knows; none means all.
    pub regions: Option<BTreeSet<String>>,
    /// Distance of scrapes, ms. Scrapes lie on its multiples.
    pub interval_ms: i64,
    /// The time; nothing later is known.
    pub now: Now,
    /// What is wrong.
    pub faults: Faults,
}

impl fmt::Debug for Scrapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrapes").field("regions", &self.regions).field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Scrapes {
    /// The last time that can have been scraped by now.
    fn newest_ms(&self) -> i64 {
        let now = (self.now)();
        self.faults.now().iter().fold(now, |newest, fault| match fault {
            Fault::StaleSince(at) => newest.min(*at),
            _ => newest,
        })
    }

    /// The views that can hold series for these matchers.
    fn views(&self, matchers: &[Matcher]) -> Vec<Arc<TrackView>> {
        let faults = self.faults.now();
        let hidden = |key: &TrackKey| {
            faults.iter().any(|fault| match fault {
                Fault::Empty => true,
                Fault::Without { service, region } => {
                    service.as_deref().is_none_or(|s| s == &*key.service)
                        && region.as_deref().is_none_or(|r| r == &*key.region)
                }
                _ => false,
            })
        };
        self.model.views(|key| {
            self.regions.as_ref().is_none_or(|known| known.contains(&*key.region))
                && !hidden(key)
                && matchers.iter().all(|m| match m.name.as_str() {
                    "region" | "cluster" => m.is_match(&key.region),
                    "service" => m.is_match(&key.service),
                    _ => true,
                })
        })
    }

    /// The values of all series now, as `/metrics` shows them.
    pub fn current(&self, visit: &mut dyn FnMut(&Series, f64)) {
        let at = self.newest_ms();
        for view in self.views(&[]) {
            let mut reader = Reader::new(&view, at, at, 1);
            for series in &view.series {
                let sample = reader.read(series).iter().find(|s| s.t == at && !super::value::is_stale(s.v)).copied();
                if let Some(sample) = sample {
                    visit(series, sample.v);
                }
            }
        }
    }
}

impl Storage for Scrapes {
    fn select(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64, visit: &mut Visit) -> Result<(), QueryError> {
        let to_ms = to_ms.min(self.newest_ms());
        let not_a_number = self.faults.now().contains(&Fault::NotANumber);
        for view in self.views(matchers) {
            let mut reader = Reader::new(&view, from_ms, to_ms, self.interval_ms);
            for series in view.series.iter().filter(|s| passes(&s.labels, matchers)) {
                let samples = reader.read(series);
                if not_a_number {
                    samples.iter_mut().for_each(|s| s.v = f64::NAN);
                }
                if !samples.is_empty() {
                    visit(&series.labels, samples)?;
                }
            }
        }
        Ok(())
    }

    fn series(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<Labels>, QueryError> {
        let to_ms = to_ms.min(self.newest_ms());
        let mut all = Vec::new();
        for view in self.views(matchers) {
            let there = |s: &&Series| s.from_ms <= to_ms && s.to_ms > from_ms && passes(&s.labels, matchers);
            all.extend(view.series.iter().filter(there).map(|s| s.labels.clone()));
        }
        Ok(all)
    }
}

/// Reads the series of one view over one grid. Series of one life lie together and share
/// their integrals, so the last ones are kept.
struct Reader<'v> {
    view: &'v TrackView,
    first: i64,
    last: i64,
    interval: i64,
    kept: Option<(usize, Needs)>,
    totals: Vec<Totals>,
    samples: Vec<Sample>,
}

impl<'v> Reader<'v> {
    fn new(view: &'v TrackView, from_ms: i64, to_ms: i64, interval: i64) -> Self {
        let interval = interval.max(1);
        Self {
            view,
            first: on_grid(from_ms, interval),
            last: to_ms,
            interval,
            kept: None,
            totals: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// The samples of a series on the grid, and the stale marker after its end.
    fn read(&mut self, series: &Series) -> &mut [Sample] {
        let step = usize::try_from(self.interval).unwrap_or(usize::MAX);
        let from = self.first.max(on_grid(series.from_ms, self.interval));
        let last = self.last.min(series.to_ms.saturating_sub(1));
        self.remember(series, from, last, step);
        self.samples.clear();
        let nothing = Totals::default();
        let mut present = false;
        for (i, t) in (from..=last).step_by(step).enumerate() {
            match series::value(self.view, series, t, self.totals.get(i).unwrap_or(&nothing)) {
                Some(v) => {
                    present = true;
                    self.samples.push(Sample { t, v });
                }
                None if std::mem::take(&mut present) => self.samples.push(Sample { t, v: stale_marker() }),
                None => {}
            }
        }
        let end = on_grid(series.to_ms, self.interval);
        if series.to_ms != i64::MAX && end >= self.first && end <= self.last {
            self.samples.push(Sample { t: end, v: stale_marker() });
        }
        &mut self.samples
    }

    fn remember(&mut self, series: &Series, from: i64, last: i64, step: usize) {
        let (Some(index), Some(needs)) = (series.life, series.kind.needs()) else {
            self.kept = None;
            self.totals.clear();
            return;
        };
        if self.kept == Some((index, needs)) {
            return;
        }
        self.kept = Some((index, needs));
        self.totals.clear();
        if let Some(life) = self.view.lives.get(index) {
            let times = (from..=last).step_by(step);
            self.totals.extend(times.map(|t| self.view.totals(life, t, needs)));
        }
    }
}

/// The first grid time at or after a time.
fn on_grid(at: i64, interval: i64) -> i64 {
    let past = at.rem_euclid(interval);
    if past == 0 { at } else { at.saturating_add(interval - past) }
}
