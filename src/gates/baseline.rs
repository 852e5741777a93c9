//! `baseline`: a column against the regions that still run the old version, and against itself earlier.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::tz::TimeZone;

use super::clock::Clock;
use super::only_if_seen;
use super::rules::{self, AGAIN, GAPS, GRACE, MIN_TRAFFIC, OF, Rules, VIOLATIONS};
use super::series::{self, Span, Story, Subject, count, found, when};
use crate::domain::fleet::{Better, Column, Param, Params, Service, Unit};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter, Peer};
use crate::domain::id::{ColumnName, RegionIx, RingIx};
use crate::domain::metric::{NoData, Seen, Windows};
use crate::domain::picture::{Picture, Point};
use crate::domain::pool::{Pool, Pooled};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, short};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::TemplateDigest;
use crate::domain::workload::Workload;
use crate::domain::zone::zone;

/// What an absolute bound does not see: half as many errors again, while all others stay where they are.
pub struct Baseline;

/// A share of so many requests is off by chance by at most so many standard errors.
const CHANCE: f64 = 3.0;
/// Windows of an hour that must be comparable for the hour to be told.
const MOST_OF_HOUR: usize = 10;
/// Seconds of a window, for requests.
const SECONDS: f64 = 300.0;

impl GateType for Baseline {
    fn name(&self) -> &'static str {
        "baseline"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "A column is not much worse than in the regions that still run the old version, in the same windows (pooled by traffic; drifted, drained, held, stale and changing regions are left out), and than the region itself at the same local hour of an earlier day. Worse than `ratio` times the baseline by more than `floor` is outside, counted as in `threshold`: NO-GO while it lasts. An hour worse than `watch` times the baseline is a finding. NO DATA where nothing is left to compare with."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "column",
                about: "The column that is compared, one per gate: `errors`, `p95`, `p99`.",
                required: true,
            },
            Parameter {
                name: "ratio",
                about: "Outside is what is worse than so many times the baseline; 2 unless given.",
                required: false,
            },
            Parameter {
                name: "watch",
                about: "An hour worse than so many times the baseline is a finding; 1.25 unless given.",
                required: false,
            },
            Parameter {
                name: "floor",
                about: "What differs by less is never worse, in the column's unit: `0.05%` for ratios and 10 ms for times unless given, else 0.",
                required: false,
            },
            Parameter {
                name: "against",
                about: "What it is compared with; each must hold: `peers` (unless given), `yesterday`, `last-week` or days such as `2d`. Where no peer is left, the others alone count.",
                required: false,
            },
            Parameter {
                name: "min_requests",
                about: "Windows with fewer requests, here or in the baseline, are not compared; 1000 unless given, 0 where traffic is not measured.",
                required: false,
            },
            VIOLATIONS,
            OF,
            GRACE,
            GAPS,
            AGAIN,
            MIN_TRAFFIC,
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let column = rules::column(params, "column", service)?;
        if column.better == Better::Neither {
            let message =
                format!("column `{}` does not say which way is better; write `better = \"lower\"` in it", column.name);
            return Err(ParamError::new("column", message));
        }
        let (ratio, watch) = (times(params, "ratio", 2.0)?, times(params, "watch", 1.25)?);
        let watch = if params.0.contains_key("watch") { watch } else { watch.min(ratio) };
        if watch > ratio {
            return Err(ParamError::new("watch", "`watch` is above `ratio`: no hour could be a finding first"));
        }
        let floor = rules::bound(params, "floor", column)?.unwrap_or(match column.unit {
            Unit::Ratio => 0.0005,
            Unit::Seconds => 0.01,
            Unit::Millis => 10.0,
            Unit::PerSecond | Unit::Bytes | Unit::Number => 0.0,
        });
        if floor < 0.0 {
            return Err(ParamError::new("floor", "a difference has no sign: write `floor` without a minus"));
        }
        let traffic = service.traffic_column().map(|c| c.name.clone());
        let min_requests = match rules::whole(params, "min_requests", 0, 1_000_000)? {
            Some(n) if n > 0 && traffic.is_none() => {
                let message = "no column of this service measures traffic: requests cannot be counted";
                return Err(ParamError::new("min_requests", message));
            }
            Some(n) => count(n),
            None => traffic.as_ref().map_or(0.0, |_| 1000.0),
        };
        let zones = service.regions.iter().map(|r| r.zone.as_deref().and_then(zone));
        Ok(Box::new(Compared {
            column: column.clone(),
            against: against(params)?,
            ratio,
            watch,
            floor,
            min_requests,
            traffic,
            zones: zones.collect(),
            rules: Rules::read(params, service)?,
        }))
    }
}

/// A factor above 1.
fn times(params: &Params, name: &str, unless: f64) -> Result<f64, ParamError> {
    match params.0.get(name) {
        None => Ok(unless),
        Some(Param::Number(n)) if n.is_finite() && *n >= 1.0 && *n <= 1000.0 => Ok(*n),
        Some(_) => Err(ParamError::new(
            name,
            format!("write how many times the baseline, from 1 to 1000, e.g. `{name} = 1.5`"),
        )),
    }
}

/// What it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Against {
    Peers,
    /// Itself, so much earlier: whole days.
    Earlier(SignedDuration),
}

fn against(params: &Params) -> Result<Vec<Against>, ParamError> {
    let wrong = |text: &str| {
        let message = format!(
            "`{text}` is nothing to compare with; write `peers`, `yesterday`, `last-week` or days such as `2d`"
        );
        ParamError::new("against", message)
    };
    let texts = match params.0.get("against") {
        None => vec!["peers".to_owned()],
        Some(Param::Text(text)) => vec![text.clone()],
        Some(Param::List(list)) => list.clone(),
        Some(_) => return Err(wrong("that")),
    };
    let one = |text: &String| match text.as_str() {
        "peers" => Ok(Against::Peers),
        "yesterday" => Ok(Against::Earlier(SignedDuration::from_hours(24))),
        "last-week" => Ok(Against::Earlier(SignedDuration::from_hours(7 * 24))),
        other => {
            let length = crate::domain::stamp::parse_duration(other).and_then(|l| SignedDuration::try_from(l).ok());
            let days = |l: &SignedDuration| l.as_secs() > 0 && l.as_secs() % 86_400 == 0 && l.as_hours() <= 28 * 24;
            length.filter(days).map(Against::Earlier).ok_or_else(|| wrong(other))
        }
    };
    let mut all = texts.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    all.sort();
    all.dedup();
    if all.is_empty() { Err(wrong("")) } else { Ok(all) }
}

struct Compared {
    column: Column,
    against: Vec<Against>,
    ratio: f64,
    watch: f64,
    floor: f64,
    min_requests: f64,
    traffic: Option<ColumnName>,
    /// By position of the region.
    zones: Vec<Option<TimeZone>>,
    rules: Rules,
}

impl Gate for Compared {
    fn needs(&self) -> Vec<Need> {
        let columns = || std::iter::once(&self.column.name).chain(&self.traffic).cloned();
        let own = columns().map(Need::Windows);
        let others = self.against.iter().flat_map(|against| {
            let need = move |column| match against {
                Against::Peers => Need::PeerWindows(column),
                Against::Earlier(by) => Need::EarlierWindows { column, by: *by },
            };
            columns().map(need)
        });
        own.chain(others).collect()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn picture(&self, evidence: &Evidence<'_>) -> Option<Picture> {
        let span = Span::of(evidence, self.column.name.as_str(), self.rules.grace).ok()?;
        let comparison = self.against.iter().find_map(|a| self.comparison(*a, evidence, &span).ok())?;
        let series = span.series(evidence.windows.get(&self.column.name), self.rules.traffic(evidence));
        let requests = self.requests(evidence);
        let point = |(end, seen): (Timestamp, Seen<'_>)| match self.pair(requests, &comparison, end, seen) {
            Err(_) => Point { base: (comparison.baseline)(end).map(|(base, _)| base), ..Point::new(end, None) },
            Ok(pair) => {
                let bound = Some(self.bound(pair.baseline, self.ratio, pair.here.zip(pair.other)));
                let (low, high) = if self.column.better == Better::Higher { (bound, None) } else { (None, bound) };
                Point { base: Some(pair.baseline), low, high, ..Point::new(end, Some(pair.value)) }
            }
        };
        let points = series.map(point).collect();
        Some(series::picture(evidence, &self.column, Some(comparison.with.as_str().into()), points))
    }
}

/// A window beside its baseline.
struct Pair {
    value: f64,
    baseline: f64,
    /// Requests here, and in the baseline, where they are counted.
    here: Option<f64>,
    other: Option<f64>,
}

/// The baseline of a window, with its requests.
type BaselineAt<'a> = Box<dyn Fn(Timestamp) -> Option<(f64, Option<f64>)> + 'a>;

/// The windows of the column that measures traffic, where they were asked for; none: nothing measures it.
type Requests<'a> = Option<Option<&'a Windows>>;

/// A comparison: what it is with, and the baseline of a window with its requests.
struct Comparison<'a> {
    with: String,
    baseline: BaselineAt<'a>,
    /// What it is made of, one line each.
    about: Vec<String>,
}

/// Sums over the comparable windows of an hour.
#[derive(Clone, Copy, Default)]
struct HourOf {
    value: f64,
    baseline: f64,
    requests: f64,
    other: f64,
    windows: usize,
}

impl Compared {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let name = format!("{} against its baseline", self.column.name);
        let span = match Span::of(evidence, &name, self.rules.grace) {
            Ok(span) => span,
            Err(none) => return *none,
        };
        let mut judged: Vec<Judgement> = Vec::new();
        let mut alone = None;
        for against in &self.against {
            match self.comparison(*against, evidence, &span) {
                Ok(comparison) => judged.push(self.compared(evidence, &span, &comparison)),
                Err(left_out) => alone = Some(left_out),
            }
        }
        let nobody = alone.map(|left_out| {
            let why = if left_out.is_empty() { String::new() } else { format!(": {}", left_out.join("; ")) };
            format!("no region is left to compare with{why}")
        });
        // The worst comparison decides; the others are said.
        judged.sort_by_key(|j| std::cmp::Reverse(j.verdict));
        let mut judged = judged.into_iter();
        let Some(mut worst) = judged.next() else {
            let nobody = nobody.unwrap_or_default();
            return Judgement::new(Verdict::NoData, "alone", format!("{region}: {}: {nobody}", self.column.name));
        };
        for other in judged {
            worst.evidence.push(format!("also: {}", other.sentence).into());
            worst.evidence.extend(other.evidence);
            worst.findings.extend(other.findings);
        }
        match nobody {
            Some(nobody) => worst.because(format!("{nobody}; compared with itself alone")),
            None => worst,
        }
    }

    /// What there is to compare with; or the regions that are left out, where none is left.
    fn comparison<'a>(
        &'a self,
        against: Against,
        evidence: &Evidence<'a>,
        span: &Span,
    ) -> Result<Comparison<'a>, Vec<String>> {
        match against {
            Against::Peers => {
                let make = || pool(evidence, &self.column.name, self.traffic.as_ref(), span);
                let pool: Rc<Pool> = evidence.pools.get(evidence.region.ring, &self.column.name, span.first, make);
                let left_out: Vec<String> =
                    pool.left_out.iter().map(|(name, why)| format!("{name} is {why}")).collect();
                if pool.regions.is_empty() {
                    return Err(left_out);
                }
                let mut about = vec![format!("baseline: {} pooled by traffic", pool.regions.join(", "))];
                about.extend(left_out.into_iter().map(|text| format!("left out: {text}")));
                let baseline = move |end| {
                    let window: &Pooled = pool.at(end)?;
                    Some((window.value()?, window.requests))
                };
                Ok(Comparison { with: "the old version".to_owned(), baseline: Box::new(baseline), about })
            }
            Against::Earlier(by) => {
                let zone = self.zones.get(evidence.at.at()).cloned().flatten().unwrap_or(TimeZone::UTC);
                let hour = SignedDuration::from_hours(1);
                let from = span.first.saturating_sub(by.saturating_add(hour)).unwrap_or(Timestamp::MIN);
                let clock = Clock::over(&zone, from, evidence.now);
                let windows = evidence.windows.get(&self.column.name);
                let traffic = self.requests(evidence);
                let baseline = move |end| {
                    let then = clock.same_time(end, by)?;
                    let value = windows?.seen(then)?.ok()?;
                    let requests = match traffic {
                        None => None,
                        Some(windows) => Some(windows?.seen(then)?.ok()? * SECONDS),
                    };
                    Some((value, requests))
                };
                let zone = zone.iana_name().unwrap_or("UTC");
                let about = vec![format!("baseline: itself {} earlier, at the same time in {zone}", short(by))];
                Ok(Comparison { with: format!("itself {} earlier", short(by)), baseline: Box::new(baseline), about })
            }
        }
    }

    fn compared(&self, evidence: &Evidence<'_>, span: &Span, comparison: &Comparison<'_>) -> Judgement {
        let own = evidence.windows.get(&self.column.name);
        let requests = self.requests(evidence);
        // By hours since 1970, ascending as windows are.
        let mut hours: Vec<(i64, HourOf)> = Vec::new();
        let mut newest: Option<(f64, f64)> = None;
        let mut worst: Option<(Timestamp, f64, f64, f64)> = None;
        let marks = span.series(own, self.rules.traffic(evidence)).map(|(end, seen)| {
            let Pair { value, baseline, here, other } = match self.pair(requests, comparison, end, seen) {
                Ok(pair) => pair,
                Err(why) => return (end, Err(why)),
            };
            let at = (end.as_second() - 1).div_euclid(3_600);
            if hours.last().is_none_or(|(hour, _)| *hour != at) {
                hours.push((at, HourOf::default()));
            }
            if let Some((_, hour)) = hours.last_mut() {
                hour.value += value;
                hour.baseline += baseline;
                hour.requests += here.unwrap_or(0.0);
                hour.other += other.unwrap_or(0.0);
                hour.windows += 1;
            }
            newest = Some((value, baseline));
            let excess = self.excess(value, baseline, self.ratio, here.zip(other));
            if worst.is_none_or(|(_, _, _, known)| excess > known) {
                worst = Some((end, value, baseline, excess));
            }
            (end, Ok((value, excess)))
        });
        // An hour's mean alone says nothing about the bound, which moves: it is judged below.
        let mut story = Story::tell(evidence, &self.rules, &self.column.name, |value| value, marks);
        story.worst_hour = None;
        let show = |value: f64| self.column.unit.show(value);
        let name = format!("{} against {}", self.column.name, comparison.with);
        let rule = match self.column.better {
            Better::Higher => format!("at least the baseline / {}", self.ratio),
            _ => format!("at most {} × the baseline", self.ratio),
        };
        let subject = Subject { column: &self.column, name: &name, rule: &rule, least: 1, show: &show };
        let mut judged = series::judge(evidence, &self.rules, span, &story, &subject);
        let counts = |hour: i64| story.counts_from.is_none_or(|from| (hour + 1) * 3_600 > from.as_second());
        let worse = |hour: &HourOf| {
            let n = count(hour.windows.max(1));
            let requests = (hour.requests > 0.0 && hour.other > 0.0).then_some((hour.requests, hour.other));
            (hour.value / n, hour.baseline / n, self.excess(hour.value / n, hour.baseline / n, self.watch, requests))
        };
        let told = hours.iter().filter(|(hour, of)| of.windows >= MOST_OF_HOUR && counts(*hour));
        let watched = told.map(|(hour, of)| (*hour, worse(of))).max_by(|a, b| a.1.2.total_cmp(&b.1.2));
        if let Some((hour, (value, baseline, excess))) = watched {
            let end = Timestamp::from_second((hour + 1) * 3_600).unwrap_or(Timestamp::MAX);
            let text = format!(
                "{} was {} in the hour to {}, {} in {} ({})",
                self.column.name,
                show(value),
                when(end),
                show(baseline),
                comparison.with,
                change(value, baseline)
            );
            judged = if excess > 0.0 { found(judged, evidence, "baseline", &text) } else { judged };
            judged = judged.because(format!("worst hour: {text}")).figure("worst_hour", value, self.column.unit);
        }
        if let Some((end, value, baseline, _)) = worst {
            judged = judged.because(format!("worst window to {}: {} and {}", when(end), show(value), show(baseline)));
        }
        if let Some((value, baseline)) = newest {
            judged.cell = change(value, baseline).into();
            judged = judged.figure("newest", value, self.column.unit).figure("baseline", baseline, self.column.unit);
        }
        judged.evidence.extend(comparison.about.iter().map(|line| line.as_str().into()));
        judged
    }

    /// What tells how many requests a region had.
    fn requests<'a>(&self, evidence: &Evidence<'a>) -> Requests<'a> {
        self.traffic.as_ref().map(|name| evidence.windows.get(name))
    }

    /// A window beside its baseline, or why the two cannot be compared.
    fn pair<'w>(
        &self,
        requests: Requests<'_>,
        comparison: &Comparison<'_>,
        end: Timestamp,
        seen: Seen<'w>,
    ) -> Result<Pair, &'w NoData> {
        let value = seen?;
        let Some((baseline, other)) = (comparison.baseline)(end) else { return Err(&NoData::NoBaseline) };
        let here = match requests {
            None => None,
            Some(windows) => match windows.and_then(|w| w.seen(end)) {
                Some(Ok(qps)) => Some(qps * SECONDS),
                _ => return Err(&NoData::LowTraffic),
            },
        };
        let few = |n: Option<f64>| n.is_some_and(|n| n < self.min_requests);
        if few(here) || few(other) || (self.min_requests > 0.0 && other.is_none()) {
            return Err(&NoData::LowTraffic);
        }
        Ok(Pair { value, baseline, here, other })
    }

    /// By how much a value is worse than so many times a baseline; at most 0 where it is not.
    fn excess(&self, value: f64, baseline: f64, times: f64, requests: Option<(f64, f64)>) -> f64 {
        let bound = self.bound(baseline, times, requests);
        if self.column.better == Better::Higher { bound - value } else { value - bound }
    }

    /// The value that is just not worse than so many times a baseline.
    ///
    /// What differs by less than the floor, or than chance makes a share of so many requests differ,
    /// is not worse.
    fn bound(&self, baseline: f64, times: f64, requests: Option<(f64, f64)>) -> f64 {
        let chance = match (self.column.unit, requests) {
            (Unit::Ratio, Some((here, there))) if here > 0.0 && there > 0.0 => {
                let share = baseline.clamp(1.0 / there.max(1.0), 1.0);
                CHANCE * (share * (1.0 - share) * (1.0 / here + 1.0 / there)).max(0.0).sqrt()
            }
            _ => 0.0,
        };
        let least = self.floor.max(chance);
        match self.column.better {
            Better::Higher => (baseline / times).min(baseline - least),
            _ => (baseline * times).max(baseline + least),
        }
    }
}

/// A change in words: `+50 %`, `×12`, `same`.
fn change(value: f64, baseline: f64) -> String {
    if baseline == 0.0 {
        return if value == 0.0 { "same".to_owned() } else { "from 0".to_owned() };
    }
    let times = value / baseline;
    if times >= 10.0 { format!("×{times:.0}") } else { format!("{:+.0} %", (times - 1.0) * 100.0) }
}

/// Regions that run another release than the ring that is judged, pooled window by window.
fn pool(evidence: &Evidence<'_>, column: &ColumnName, traffic: Option<&ColumnName>, span: &Span) -> Pool {
    let mut pool = Pool { first: span.first, ..Pool::default() };
    let Some(new) = evidence.workload else { return pool };
    let majority = majorities(evidence.peers);
    let size = usize::try_from(span.last.duration_since(span.first).as_secs() / WINDOW.as_secs() + 1).unwrap_or(0);
    pool.windows = vec![Pooled { requests: traffic.map(|_| 0.0), ..Pooled::default() }; size];
    for (at, peer) in evidence.peers.iter().enumerate() {
        if peer.region.ring == evidence.region.ring || RegionIx::from(at) == evidence.at {
            continue;
        }
        let settled = match comparable(evidence, peer, new, &majority) {
            Ok(Some(settled)) => settled,
            // It runs what is judged: no baseline, and nothing that is left out.
            Ok(None) => continue,
            Err(why) => {
                pool.left_out.push((peer.region.name.as_str().into(), why));
                continue;
            }
        };
        pool.regions.push(peer.region.name.as_str().into());
        // The first window that lies wholly after it.
        let settled = settled.saturating_add(WINDOW).unwrap_or(Timestamp::MAX);
        let Some(windows) = peer.windows.get(column) else { continue };
        let weights = traffic.map(|name| peer.windows.get(name));
        for ((end, seen), pooled) in windows.series(span.first, span.last).zip(&mut pool.windows) {
            // What it did while it ran something else is no baseline.
            let Some(Ok(value)) = seen.filter(|_| end >= settled) else { continue };
            let qps = match weights {
                None => None,
                Some(windows) => match windows.and_then(|w| w.seen(end)) {
                    Some(Ok(qps)) if qps > 0.0 => Some(qps),
                    _ => continue,
                },
            };
            let weight = qps.unwrap_or(1.0);
            pooled.sum += value * weight;
            pooled.weight += weight;
            pooled.requests = pooled.requests.zip(qps).map(|(sum, qps)| sum + qps * SECONDS);
        }
    }
    pool
}

/// Since when a peer runs an older release that can be compared with; none: it runs the same as what is judged.
fn comparable(
    evidence: &Evidence<'_>,
    peer: &Peer<'_>,
    new: &Workload,
    majority: &BTreeMap<RingIx, TemplateDigest>,
) -> Result<Option<Timestamp>, &'static str> {
    let Some(workload) = peer.workload else { return Err("not seen") };
    if evidence.service.same_release(workload, new) {
        return Ok(None);
    }
    if !peer.freshness.is_live() {
        return Err("stale");
    }
    if peer.weight == Some(0) {
        return Err("drained");
    }
    if peer.held {
        return Err("held");
    }
    if majority.get(&peer.region.ring).is_some_and(|template| *template != workload.template) {
        return Err("drifted");
    }
    peer.settled.map(|start| Some(start.at)).ok_or("being changed")
}

/// The template that more than half of a ring's regions run, where there is one.
fn majorities(peers: &[Peer<'_>]) -> BTreeMap<RingIx, TemplateDigest> {
    let mut rings: BTreeMap<RingIx, BTreeMap<TemplateDigest, usize>> = BTreeMap::new();
    for peer in peers {
        if let Some(workload) = peer.workload {
            *rings.entry(peer.region.ring).or_default().entry(workload.template).or_default() += 1;
        }
    }
    let of = |(ring, templates): (RingIx, BTreeMap<TemplateDigest, usize>)| {
        let all: usize = templates.values().sum();
        let (template, most) = templates.into_iter().max_by_key(|(_, n)| *n)?;
        (most * 2 > all).then_some((ring, template))
    };
    rings.into_iter().filter_map(of).collect()
}
