//! Which questions to ask Prometheus now, and how the answers enter the state.
//!
//! Only services that are shown or under release are sampled; of those that nobody looks at,
//! only what a verdict or a share of traffic rests on. Windows that a gate needs are read from
//! history since the bake began, only those that are not known yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::scene::World;
use super::state::{RegionState, ServiceState};
use super::wants::{self, Want, WantKey};
use crate::domain::fleet::{Better, Column, Fleet, QueryText, Region, Service, Unit};
use crate::domain::gate::query_column;
use crate::domain::id::{ColumnName, PrometheusIx, RegionIx, ServiceIx, Text};
use crate::domain::metric::{NoData, Reading, Windows};
use crate::domain::question::{MetricQuestion, SeriesOf, Span};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, windows_between};
use crate::metrics::template::{Fill, render};

/// Between two questions for the newest sample.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(15);
/// Between two readings of the last hour.
const HISTORY_EVERY: Duration = Duration::from_secs(60);
/// How long the sparkline reaches back, and how far its points are apart.
const HISTORY: (SignedDuration, SignedDuration) = (SignedDuration::from_hours(1), SignedDuration::from_secs(60));
/// Windows without data are asked for again after this, doubled each time.
const RETRY: Duration = Duration::from_secs(15);
/// At most so long between two tries.
const RETRY_MOST: Duration = Duration::from_secs(600);
/// Windows further apart than this are asked for by different questions.
const AT_ONCE: SignedDuration = SignedDuration::from_hours(24);
/// Most points kept per column and region.
const MOST_POINTS: usize = 400;

/// Remembers what was asked when.
#[derive(Debug)]
pub struct Sampler {
    every: Duration,
    services: BTreeMap<ServiceIx, Schedule>,
}

#[derive(Debug, Default)]
struct Schedule {
    samples: Option<Duration>,
    /// The last samples were of every column.
    full: bool,
    history: Option<Duration>,
    windows: BTreeMap<WantKey, WindowTry>,
    /// What was wanted when windows were last forgotten.
    kept: Vec<Want>,
}

#[derive(Debug)]
struct WindowTry {
    looked: Duration,
    last: Timestamp,
    failures: u32,
    retry_at: Duration,
}

/// A service that is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Which.
    pub service: ServiceIx,
    /// It is on the screen: sparklines too.
    pub shown: bool,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new(SAMPLE_EVERY)
    }
}

impl Sampler {
    /// A sampler that asks for newest samples that often.
    pub fn new(every: Duration) -> Self {
        Self { every: every.max(Duration::from_secs(1)), services: BTreeMap::new() }
    }

    /// Services that were sampled and are not any more.
    pub fn given_up(&self, sampled: &[Sampled]) -> Vec<ServiceIx> {
        let gone = |at: &&ServiceIx| !sampled.iter().any(|s| s.service == **at);
        self.services.keys().filter(gone).copied().collect()
    }

    /// What is due now. Call it about once a second, and when another service is shown.
    pub fn due(&mut self, world: World<'_>, services: &[ServiceState], sampled: &[Sampled]) -> Vec<MetricQuestion> {
        let wanted: BTreeSet<ServiceIx> = sampled.iter().map(|s| s.service).collect();
        self.services.retain(|at, _| wanted.contains(at));
        let mut questions = Vec::new();
        for which in sampled {
            let Some((service, state)) = world.fleet.service(which.service).zip(services.get(which.service.at()))
            else {
                continue;
            };
            let asking = Asking { world, at: which.service, service, state };
            let schedule = self.services.entry(which.service).or_default();
            let mono = world.stamp.mono;
            let is_due = |last: Option<Duration>, every: Duration| last.is_none_or(|l| mono.saturating_sub(l) >= every);
            if !which.shown {
                // Whoever turns to it again is shown everything anew.
                (schedule.full, schedule.history) = (false, None);
            }
            if is_due(schedule.samples, self.every) || (which.shown && !schedule.full) {
                schedule.samples = Some(mono);
                schedule.full = which.shown;
                let needed = wants::current(&world, which.service, service, state);
                for column in service.columns.iter().filter(|c| which.shown || needed.contains(&c.name)) {
                    questions.extend(asking.everywhere(column, Span::At(world.now)));
                }
                for (query, regions) in wants::queries(&world, which.service, service, state) {
                    questions.extend(asking.questions(&own_query(&query), Span::At(world.now), &regions));
                }
            }
            if which.shown && is_due(schedule.history, HISTORY_EVERY) {
                schedule.history = Some(mono);
                let first = world.now.saturating_sub(HISTORY.0).unwrap_or(world.now);
                let span = Span::History { first, last: world.now, step: HISTORY.1 };
                for column in &service.columns {
                    questions.extend(asking.everywhere(column, span));
                }
            }
            let wants = wants::wants(&world, which.service, service, state);
            schedule.windows.retain(|key, _| wants.iter().any(|w| w.key == *key));
            for want in &wants {
                questions.extend(asking.windows(want, &mut schedule.windows, self.every));
            }
        }
        questions
    }

    /// How often samples are asked for.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Forgets windows of sampled services that nobody wants any more. Call it after [`Sampler::due`].
    pub fn forget(&mut self, world: World<'_>, services: &mut [ServiceState]) {
        for (at, schedule) in &mut self.services {
            let Some((service, state)) = world.fleet.service(*at).zip(services.get_mut(at.at())) else { continue };
            let wants = wants::wants(&world, *at, service, state);
            if schedule.kept != wants {
                wants::forget(state, &wants);
                schedule.kept = wants;
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Asking<'a> {
    world: World<'a>,
    at: ServiceIx,
    service: &'a Service,
    state: &'a ServiceState,
}

impl Asking<'_> {
    fn everywhere(&self, column: &Column, span: Span) -> Vec<MetricQuestion> {
        let regions: Vec<RegionIx> = self.service.region_indexes().collect();
        self.questions(column, span, &regions)
    }

    /// One question per Prometheus and query text; per region where the text is about one.
    fn questions(&self, column: &Column, span: Span, regions: &[RegionIx]) -> Vec<MetricQuestion> {
        let question = |prometheus, query, regions| MetricQuestion {
            prometheus,
            service: self.at,
            column: column.name.clone(),
            query,
            span,
            regions,
        };
        let asked = regions.iter().filter_map(|at| {
            let region = self.service.region(*at)?;
            let prometheus = self.world.fleet.cluster(region.cluster)?.prometheus?;
            Some((*at, region, prometheus))
        });
        match &column.query {
            QueryText::PerRegion(text) => asked
                .filter_map(|(at, region, p)| Some(question(p, self.render(text, at, region)?, SeriesOf::One(at))))
                .collect(),
            QueryText::ByLabel { query, label } => {
                let mut groups: BTreeMap<(PrometheusIx, String), Vec<(RegionIx, Text)>> = BTreeMap::new();
                for (at, region, prometheus) in asked {
                    if let Some(text) = self.render(query, at, region) {
                        groups.entry((prometheus, text)).or_default().push((at, region.name.as_str().into()));
                    }
                }
                let by_label = |values| SeriesOf::Label { label: label.clone(), values };
                groups.into_iter().map(|((p, text), values)| question(p, text, by_label(values))).collect()
            }
        }
    }

    /// The query about a region; none while what it names is not known.
    fn render(&self, query: &str, at: RegionIx, region: &Region) -> Option<String> {
        if !query.contains("{{") {
            return Some(query.to_owned());
        }
        let state = self.state.region(at)?;
        let version = state.workload.as_ref().map(|w| &*w.version.0);
        let hash = newest_hash(state);
        let regions: Vec<&str> = self.service.regions.iter().map(|r| r.name.as_str()).collect();
        let fill = |name: &str| match name {
            "service" => Fill::One(self.service.name.as_str()),
            "region" => Fill::One(region.name.as_str()),
            "regions" => Fill::AnyOf(&regions),
            "namespace" => Fill::One(region.workload.namespace.as_str()),
            "workload" => Fill::One(&region.workload.name),
            "version" => version.map_or(Fill::Later, Fill::One),
            "template_hash" => hash.map_or(Fill::Later, Fill::One),
            _ => Fill::Unknown,
        };
        // A placeholder that stays is not known yet: nothing is asked.
        let text = render(query, &fill).ok()?;
        (!text.contains("{{")).then_some(text)
    }

    /// Windows that are wanted and not known yet, or had no data and are worth another try.
    fn windows(&self, want: &Want, tries: &mut BTreeMap<WantKey, WindowTry>, every: Duration) -> Vec<MetricQuestion> {
        let Some(column) = self.service.column(want.key.column.as_str()) else { return Vec::new() };
        let mono = self.world.stamp.mono;
        let fresh = WindowTry { looked: Duration::ZERO, last: want.first, failures: 0, retry_at: Duration::ZERO };
        let known = tries.contains_key(&want.key);
        let tried = tries.entry(want.key.clone()).or_insert(fresh);
        if known && tried.last == want.last && mono.saturating_sub(tried.looked) < every {
            return Vec::new();
        }
        tried.looked = mono;
        tried.last = want.last;
        let missing: Vec<(RegionIx, Missing)> =
            self.asked(column, &want.regions).into_iter().map(|at| (at, self.missing(at, want))).collect();
        let no_data = missing.iter().any(|(_, m)| m.no_data.is_some());
        let retry = no_data && mono >= tried.retry_at;
        if retry {
            let wait = RETRY.saturating_mul(1u32.checked_shl(tried.failures).unwrap_or(u32::MAX)).min(RETRY_MOST);
            tried.retry_at = mono.saturating_add(wait);
            tried.failures = tried.failures.saturating_add(1).min(16);
        } else if !no_data {
            tried.failures = 0;
            tried.retry_at = Duration::ZERO;
        }
        // Regions that lack the same are asked about together.
        let mut stretches: BTreeMap<(Timestamp, Timestamp), Vec<RegionIx>> = BTreeMap::new();
        for (at, missing) in missing {
            let spans = [missing.unasked, missing.no_data.filter(|_| retry)];
            let from = spans.iter().flatten().map(|(from, _)| *from).min();
            let to = spans.iter().flatten().map(|(_, to)| *to).max();
            if let Some(stretch) = from.zip(to) {
                stretches.entry(stretch).or_default().push(at);
            }
        }
        let mut questions = Vec::new();
        for ((first, last), regions) in stretches {
            // The newest first: an answer of a week for hundreds of regions is never held at once.
            let mut end = last;
            while end >= first {
                let from = end.saturating_sub(AT_ONCE).unwrap_or(first).max(first);
                questions.extend(self.questions(column, Span::Windows { first: from, last: end }, &regions));
                let Ok(before) = from.checked_sub(WINDOW) else { break };
                end = before;
            }
        }
        questions
    }

    /// Regions that a column can be asked for now.
    fn asked(&self, column: &Column, regions: &[RegionIx]) -> Vec<RegionIx> {
        let questions = self.questions(column, Span::At(self.world.now), regions);
        let regions = questions.into_iter().flat_map(|q| match q.regions {
            SeriesOf::One(region) => vec![region],
            SeriesOf::Label { values, .. } => values.into_iter().map(|(r, _)| r).collect(),
        });
        regions.collect()
    }

    fn windows_answered(&self, want: &Want) -> bool {
        let Some(column) = self.service.column(want.key.column.as_str()) else { return true };
        self.asked(column, &want.regions).into_iter().all(|at| self.missing(at, want).unasked.is_none())
    }

    fn missing(&self, at: RegionIx, want: &Want) -> Missing {
        let mut missing = Missing::default();
        let Some(windows) = self.state.region(at).and_then(|r| r.windows.get(&want.key.column)) else {
            return Missing { unasked: Some((want.first, want.last)), no_data: None };
        };
        if windows.count(want.first, want.last).0 == windows_between(want.first, want.last) {
            return missing;
        }
        for (end, seen) in windows.series(want.first, want.last) {
            match seen {
                None => stretch(&mut missing.unasked, end),
                Some(Err(_)) => stretch(&mut missing.no_data, end),
                Some(Ok(_)) => {}
            }
        }
        missing
    }
}

/// From the first to the last window that is missing.
#[derive(Debug, Default)]
struct Missing {
    unasked: Option<(Timestamp, Timestamp)>,
    no_data: Option<(Timestamp, Timestamp)>,
}

fn stretch(span: &mut Option<(Timestamp, Timestamp)>, end: Timestamp) {
    *span = Some(span.map_or((end, end), |(from, to)| (from.min(end), to.max(end))));
}

/// `pod-template-hash` of what runs, once its ReplicaSets were listed.
fn newest_hash(state: &RegionState) -> Option<&str> {
    let template = state.workload.as_ref()?.template;
    let newest = state.revisions.iter().max_by_key(|r| r.number).filter(|_| state.revisions_for == Some(template))?;
    Some(&newest.hash)
}

/// A column of one region over a span; none where there is nobody to ask.
pub fn question_about(
    world: World<'_>,
    at: ServiceIx,
    state: &ServiceState,
    (column, region): (&ColumnName, RegionIx),
    span: Span,
) -> Option<MetricQuestion> {
    let service = world.fleet.service(at)?;
    let asking = Asking { world, at, service, state };
    asking.questions(service.column(column.as_str())?, span, &[region]).into_iter().next()
}

/// The traffic column over a span, for every region of a service.
pub fn traffic_questions(world: World<'_>, at: ServiceIx, state: &ServiceState, span: Span) -> Vec<MetricQuestion> {
    let Some(service) = world.fleet.service(at) else { return Vec::new() };
    let asking = Asking { world, at, service, state };
    service.traffic_column().map(|c| asking.everywhere(c, span)).unwrap_or_default()
}

/// Whether everything that is asked about a service was answered, one way or the other: every
/// column's newest sample, and every window that a gate needs.
pub fn answered(world: World<'_>, at: ServiceIx, state: &ServiceState) -> bool {
    all_answered(world, at, state, true)
}

/// Whether what gates need was answered, one way or the other; columns that no gate asks for aside.
pub fn judged(world: World<'_>, at: ServiceIx, state: &ServiceState) -> bool {
    all_answered(world, at, state, false)
}

fn all_answered(world: World<'_>, at: ServiceIx, state: &ServiceState, shown: bool) -> bool {
    let Some(service) = world.fleet.service(at) else { return true };
    let asking = Asking { world, at, service, state };
    let needed = wants::current(&world, at, service, state);
    let sampled = service.columns.iter().filter(|c| shown || needed.contains(&c.name)).all(|column| {
        let mut asked = asking.asked(column, &service.region_indexes().collect::<Vec<_>>()).into_iter();
        asked.all(|r| state.region(r).is_some_and(|r| r.current.contains_key(&column.name)))
    });
    let queried = wants::queries(&world, at, service, state).into_iter().all(|(query, regions)| {
        let column = own_query(&query);
        let mut asked = asking.asked(&column, &regions).into_iter();
        asked.all(|r| state.region(r).is_some_and(|r| r.current.contains_key(&column.name)))
    });
    let called = super::asking::answered(world, at, state);
    sampled
        && queried
        && called
        && wants::wants(&world, at, service, state).iter().all(|want| asking.windows_answered(want))
}

/// Nobody looks at a service any more: of one that is sampled, the columns that verdicts and shares
/// of traffic rest on stay (`needed`); of any other, nothing.
pub fn forget(state: &mut ServiceState, needed: Option<&BTreeSet<ColumnName>>) {
    for region in &mut state.regions {
        region.history = BTreeMap::new();
        region.week = Vec::new();
        region.current.retain(|column, _| needed.is_some_and(|n| n.contains(column)));
        if needed.is_none() {
            region.windows = BTreeMap::new();
        }
    }
}

/// Regions whose cluster has no Prometheus are never asked about, and that is said.
pub fn say_unconfigured(fleet: &Fleet, service: &Service, state: &mut ServiceState) {
    for (spec, region) in service.regions.iter().zip(&mut state.regions) {
        if fleet.cluster(spec.cluster).is_some_and(|c| c.prometheus.is_none()) {
            for column in &service.columns {
                let said = || (Timestamp::MIN, Err(NoData::NotConfigured));
                region.current.entry(column.name.clone()).or_insert_with(said);
            }
        }
    }
}

/// A gate's own query, asked like a column: once per region, or once where it is about none.
fn own_query(query: &Text) -> Column {
    Column {
        name: query_column(query),
        title: query.clone(),
        query: QueryText::PerRegion(query.clone()),
        unit: Unit::Number,
        better: Better::Neither,
        is_traffic: false,
    }
}

/// Newest samples; an answer that was overtaken by a newer one is dropped.
pub fn take_samples(
    service: &Service,
    state: &mut ServiceState,
    column: &ColumnName,
    at: Timestamp,
    readings: Vec<(RegionIx, Reading)>,
) {
    // A gate's own query has a name that no column has.
    if service.column(column.as_str()).is_none() && !column.as_str().starts_with('=') {
        return;
    }
    for (region, reading) in readings {
        let Some(region) = state.regions.get_mut(region.at()) else { continue };
        if region.current.get(column).is_none_or(|(known, _)| *known <= at) {
            region.current.insert(column.clone(), (at, reading));
        }
    }
}

/// Windows; what is known is never replaced by not knowing.
pub fn take_windows(
    service: &Service,
    state: &mut ServiceState,
    column: &ColumnName,
    readings: Vec<(RegionIx, Windows)>,
) {
    if service.column(column.as_str()).is_none() {
        return;
    }
    for (region, readings) in readings {
        let Some(region) = state.regions.get_mut(region.at()) else { continue };
        if !readings.is_empty() {
            region.windows.entry(column.clone()).or_default().learn(readings);
        }
    }
}

/// The last hour for sparklines, or hourly points of the last week for peaks.
pub fn take_history(
    service: &Service,
    state: &mut ServiceState,
    column: &ColumnName,
    step: SignedDuration,
    points: Vec<(RegionIx, Vec<(Timestamp, f64)>)>,
) {
    let Some(spec) = service.column(column.as_str()) else { return };
    if spec.is_traffic && step >= SignedDuration::from_hours(1) {
        state.week_came = true;
    }
    for (region, mut points) in points {
        let Some(region) = state.regions.get_mut(region.at()) else { continue };
        let surplus = points.len().saturating_sub(MOST_POINTS);
        points.drain(..surplus);
        if step < SignedDuration::from_hours(1) {
            region.history.insert(column.clone(), points);
        } else if spec.is_traffic {
            region.week = points;
        }
    }
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
