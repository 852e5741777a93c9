//! Samples as a Prometheus would have scraped them: made on the fly from the model, on
//! a grid of scrape times, for whichever range a query needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use promql_parser::label::Matcher;

use super::error::QueryError;
use super::faults::{Fault, Faults};
use super::storage::{Storage, Visit};
use super::value::{Sample, is_stale, stale_marker};
use crate::sim::model::life::Totals;
use crate::sim::model::profile::{Areas, Needs};
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
            for series in series::all(&view) {
                let sample = reader.read(&series).iter().find(|s| s.t == at && !is_stale(s.v)).copied();
                if let Some(sample) = sample {
                    visit(&series, sample.v);
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
            let returns = Returns::of(&view);
            for series in series::all(&view).filter(|s| passes(s, matchers)) {
                let Some(later) = returns.later(&series) else { continue };
                let mut joined;
                let mut samples = reader.read(&series);
                if !later.is_empty() {
                    joined = samples.to_vec();
                    for life in later.iter().filter_map(|&index| series.of_life(index)) {
                        append(&mut joined, reader.read(&life));
                    }
                    samples = &mut joined;
                }
                if not_a_number {
                    samples.iter_mut().for_each(|s| s.v = f64::NAN);
                }
                if !samples.is_empty() {
                    visit(&series.labels(), samples)?;
                }
            }
        }
        Ok(())
    }

    fn series(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<Labels>, QueryError> {
        let to_ms = to_ms.min(self.newest_ms());
        let mut all = Vec::new();
        for view in self.views(matchers) {
            let returns = Returns::of(&view);
            let lives = |s: &Series| s.from_ms() <= to_ms && s.to_ms() > from_ms;
            let there = |s: &Series| {
                let later = returns.later(s)?;
                let any = lives(s) || later.iter().filter_map(|&index| s.of_life(index)).any(|s| lives(&s));
                (any && passes(s, matchers)).then(|| s.labels())
            };
            all.extend(series::all(&view).filter_map(|s| there(&s)));
        }
        Ok(all)
    }
}

/// True when the series passes every matcher; a label that it has not counts as empty.
fn passes(series: &Series, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|m| m.is_match(series.label(&m.name)))
}

/// Versions that came back: to Prometheus, runs with equal labels are one series, in which
/// counters begin again at zero.
struct Returns(Vec<Option<Vec<usize>>>);

impl Returns {
    fn of(view: &TrackView) -> Self {
        let mut first: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut later: Vec<Option<Vec<usize>>> = Vec::new();
        for (index, life) in view.lives.iter().enumerate() {
            let begun = *first.entry((&life.version, &life.template_hash)).or_insert(index);
            later.push((begun == index).then(Vec::new));
            if begun != index
                && let Some(Some(of_first)) = later.get_mut(begun)
            {
                of_first.push(index);
            }
        }
        Self(later)
    }

    /// Later runs with the labels of this series; none if this is itself a later one.
    fn later(&self, series: &Series) -> Option<&[usize]> {
        match series.life() {
            Some(index) => self.0.get(index)?.as_deref(),
            None => Some(&[]),
        }
    }
}

/// Joins what follows; a run that begins in the scrape in which the one before ended has no gap.
fn append(samples: &mut Vec<Sample>, more: &[Sample]) {
    let Some(from) = more.first().map(|s| s.t) else { return };
    while samples.last().is_some_and(|last| last.t >= from) {
        samples.pop();
    }
    samples.extend_from_slice(more);
}

/// Reads the series of one view over one grid. All share the integrals of the region's
/// curves; those of one life, which lie together, share its counts.
struct Reader<'v> {
    view: &'v TrackView,
    first: i64,
    last: i64,
    interval: i64,
    /// The integrals at every time of the grid, with what they were computed for.
    areas: Option<(Needs, Vec<Areas>)>,
    /// The life whose counts are in `totals`.
    kept: Option<(usize, Needs)>,
    totals: Vec<Totals>,
    samples: Vec<Sample>,
}

impl<'v> Reader<'v> {
    fn new(view: &'v TrackView, from_ms: i64, to_ms: i64, interval: i64) -> Self {
        let interval = interval.max(1);
        let start = view.counts.first().map_or(i64::MAX, |c| c.from_ms);
        Self {
            view,
            first: on_grid(from_ms.max(start), interval),
            last: to_ms,
            interval,
            areas: None,
            kept: None,
            totals: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// The times of the grid from one time to another.
    fn times(&self, from: i64, last: i64) -> impl Iterator<Item = i64> + use<> {
        (from..=last).step_by(usize::try_from(self.interval).unwrap_or(usize::MAX))
    }

    /// The samples of a series on the grid, and the stale marker after its end.
    fn read(&mut self, series: &Series) -> &mut [Sample] {
        let (begins, ends) = (series.from_ms(), series.to_ms());
        let from = self.first.max(on_grid(begins, self.interval));
        let last = self.last.min(ends.saturating_sub(1));
        self.samples.clear();
        if from <= last {
            self.count(series, from, last);
        }
        let nothing = Totals::default();
        let mut present = false;
        for (i, t) in self.times(from, last).enumerate() {
            let v = match series.value(t, self.totals.get(i).unwrap_or(&nothing)) {
                Some(v) => v,
                None if present => stale_marker(),
                None => continue,
            };
            present = !is_stale(v);
            self.samples.push(Sample { t, v });
        }
        let end = on_grid(ends, self.interval);
        if ends != i64::MAX && end >= self.first && end <= self.last {
            self.samples.push(Sample { t: end, v: stale_marker() });
        }
        &mut self.samples
    }

    /// Fills `totals` with what the series' life had counted at each time.
    fn count(&mut self, series: &Series, from: i64, last: i64) {
        let (Some(index), Some(needs)) = (series.life(), series.kind.needs()) else {
            return;
        };
        if self.kept == Some((index, needs)) {
            return;
        }
        self.kept = Some((index, needs));
        self.totals.clear();
        let (view, first, interval) = (self.view, self.first, self.interval);
        let length = usize::try_from((self.last - first) / interval + 1).unwrap_or(0);
        let areas = match self.areas.take() {
            Some((for_needs, areas)) if for_needs == needs => areas,
            _ => view.profile.areas_on(first, interval, length, needs),
        };
        let skipped = usize::try_from((from - first) / interval).unwrap_or(0);
        if let Some(life) = view.lives.get(index) {
            let grid = self.times(from, last).zip(areas.iter().skip(skipped).copied());
            life.totals_on(&view.baseline, grid, &mut self.totals);
        }
        self.areas = Some((needs, areas));
    }
}

/// The first grid time at or after a time.
fn on_grid(at: i64, interval: i64) -> i64 {
    let past = at.rem_euclid(interval);
    if past == 0 { at } else { at.saturating_add(interval - past) }
}
