//! `burn_rate`: the error budget is not being spent too fast.

use super::only_if_seen;
use super::rules;
use super::series::{count, found, query, when};
use crate::domain::fleet::{Column, Param, Params, Service, Unit};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::{ColumnName, Text};
use crate::domain::metric::{NoData, Seen, Windows};
use crate::domain::picture::{Picture, Point};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, parse_duration, short, window_floor};
use crate::domain::verdict::{Judgement, Verdict};

/// Several windows of several lengths, as error budgets are alerted on: a long window that something
/// is wrong, a short one that it is still so.
pub struct BurnRate;

/// After a window's end: until then it is not missing.
const LAG: SignedDuration = SignedDuration::from_secs(90);
/// A newest sample older than this tells no budget.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// Exactly at a factor is not above it, whatever a sum of fractions makes of it.
const ROUNDING: f64 = 1e-9;
/// The longest window: so far back samples are kept.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The pairs unless others are given: 2 % of a 30-day budget in an hour, 5 % in six, 10 % in a day, 10 % in three.
const PAIRS: &[&str] = &["14.4 1h 5m", "6 6h 30m", "3 24h 2h watch", "1 3d 6h watch"];

impl GateType for BurnRate {
    fn name(&self) -> &'static str {
        "burn_rate"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "The region's error budget is not being spent too fast: for no pair are both the long and the short window above the factor. The burn rate is the share of errors divided by the share that the objective allows. A pair is NO-GO, or a finding with `watch`. Windows reach back before the bake: the budget is the region's. What is unknown counts as burning before anything is GO: NO DATA where it could make a pair burn (a finding, for `watch`), and where the newest window is unknown."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "column",
                about: "The share of requests that fail, a column of unit `ratio`; weighted by traffic where that is measured.",
                required: true,
            },
            Parameter { name: "slo", about: "The objective, e.g. `\"99.9%\"`.", required: true },
            Parameter {
                name: "slo_of",
                about: "Other objectives for some regions, e.g. `[\"eu-west-1 99.95%\"]`.",
                required: false,
            },
            Parameter {
                name: "pairs",
                about: "Factor, long and short window, and `watch` where it is a finding only: `[\"14.4 1h 5m\", \"6 6h 30m\", \"3 24h 2h watch\", \"1 3d 6h watch\"]` unless given.",
                required: false,
            },
            Parameter {
                name: "budget",
                about: "A column whose newest sample is the share of the budget that is left (SLO tools record one); otherwise at most what the longest window leaves is shown.",
                required: false,
            },
            Parameter {
                name: "min_budget",
                about: "With `budget`: NO-GO when less of it is left, e.g. `\"10%\"`.",
                required: false,
            },
            Parameter { name: "period", about: "The budget's period; `30d` unless given.", required: false },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let column = rules::column(params, "column", service)?;
        if column.unit != Unit::Ratio {
            let message =
                format!("column `{}` is no share of requests: a burn rate needs the unit `ratio`", column.name);
            return Err(ParamError::new("column", message));
        }
        let slo = params.0.get("slo").ok_or_else(|| bad_slo("slo"))?;
        let slo = objective(slo).ok_or_else(|| bad_slo("slo"))?;
        let budget = match params.text("budget") {
            Some(name) => Some(rules::column_named(name, "budget", service)?.name.clone()),
            None => None,
        };
        let min_budget = match params.0.get("min_budget") {
            None => None,
            Some(_) if budget.is_none() => {
                let message = "`min_budget` needs `budget`: a column that tells what is left";
                return Err(ParamError::new("min_budget", message));
            }
            Some(value) => Some(share(value).filter(|s| (0.0..=1.0).contains(s)).ok_or_else(|| {
                ParamError::new("min_budget", "write a share from 0 to 100 %, e.g. `min_budget = \"10%\"`")
            })?),
        };
        let period = rules::length(params, "period")?.unwrap_or(SignedDuration::from_hours(30 * 24));
        if period < SignedDuration::from_hours(24) {
            return Err(ParamError::new("period", "a budget's period is at least a day, e.g. `period = \"30d\"`"));
        }
        Ok(Box::new(Burn {
            column: column.clone(),
            slos: objectives(params, service, slo)?,
            slo,
            pairs: pairs(params)?,
            budget,
            min_budget,
            period,
            traffic: service.traffic_column().map(|c| c.name.clone()),
        }))
    }
}

fn bad_slo(name: &str) -> ParamError {
    ParamError::new(name, format!("say the objective, above 0 % and below 100 %, e.g. `{name} = \"99.9%\"`"))
}

fn share(value: &Param) -> Option<f64> {
    match value {
        Param::Number(number) => Some(*number),
        Param::Text(text) => super::parse_bound(text, Unit::Ratio),
        _ => None,
    }
}

fn objective(value: &Param) -> Option<f64> {
    share(value).filter(|s| *s > 0.0 && *s < 1.0)
}

/// The objective of each region that has its own, by position.
fn objectives(params: &Params, service: &Service, slo: f64) -> Result<Vec<f64>, ParamError> {
    let mut slos = vec![slo; service.regions.len()];
    let entries = match params.0.get("slo_of") {
        None => return Ok(slos),
        Some(Param::Text(text)) => vec![text.clone()],
        Some(Param::List(list)) => list.clone(),
        Some(_) => return Err(bad_entry("that")),
    };
    for entry in entries {
        let (region, value) = entry.trim().split_once(char::is_whitespace).ok_or_else(|| bad_entry(&entry))?;
        let value = objective(&Param::Text(value.trim().to_owned())).ok_or_else(|| bad_entry(&entry))?;
        let (at, _) = service.find_region(region).ok_or_else(|| {
            ParamError::new("slo_of", format!("there is no region `{region}` in service `{}`", service.name))
        })?;
        if let Some(slot) = slos.get_mut(at.at()) {
            *slot = value;
        }
    }
    Ok(slos)
}

fn bad_entry(entry: &str) -> ParamError {
    ParamError::new("slo_of", format!("`{entry}` is no region with its objective; write e.g. `eu-west-1 99.95%`"))
}

/// A long and a short window, and how fast both may burn.
#[derive(Clone, Debug, PartialEq)]
struct Pair {
    factor: f64,
    long: usize,
    short: usize,
    watch: bool,
}

fn pairs(params: &Params) -> Result<Vec<Pair>, ParamError> {
    let wrong = |text: &str, why: &str| {
        ParamError::new("pairs", format!("`{text}` {why}; write factor, long and short window, e.g. `14.4 1h 5m`"))
    };
    let texts: Vec<String> = match params.0.get("pairs") {
        None => PAIRS.iter().map(|p| (*p).to_owned()).collect(),
        Some(Param::Text(text)) => vec![text.clone()],
        Some(Param::List(list)) => list.clone(),
        Some(_) => return Err(wrong("that", "is no pair of windows")),
    };
    let one = |text: &String| {
        let mut words = text.split_whitespace();
        let no_pair = || wrong(text, "is no pair of windows");
        let factor: f64 = words.next().and_then(|w| w.parse().ok()).ok_or_else(no_pair)?;
        let mut length = || words.next().and_then(parse_duration).and_then(|l| SignedDuration::try_from(l).ok());
        let (long, short) = length().zip(length()).ok_or_else(no_pair)?;
        let watch = match words.next() {
            None => false,
            Some("watch") => true,
            Some(_) => return Err(no_pair()),
        };
        if !factor.is_finite() || factor <= 0.0 || words.next().is_some() {
            return Err(no_pair());
        }
        let whole = |l: SignedDuration| l.as_secs() > 0 && l.as_secs() % WINDOW.as_secs() == 0;
        if !whole(long) || !whole(short) || short >= long || long > LONGEST {
            return Err(wrong(
                text,
                "needs multiples of 5 min, the long one at most 7 days and longer than the short one",
            ));
        }
        let windows = |l: SignedDuration| usize::try_from(l.as_secs() / WINDOW.as_secs()).unwrap_or(1);
        Ok(Pair { factor, long: windows(long), short: windows(short), watch })
    };
    let pairs = texts.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    if pairs.is_empty() { Err(wrong("", "is empty")) } else { Ok(pairs) }
}

struct Burn {
    column: Column,
    slo: f64,
    /// By position of the region.
    slos: Vec<f64>,
    pairs: Vec<Pair>,
    budget: Option<ColumnName>,
    min_budget: Option<f64>,
    period: SignedDuration,
    traffic: Option<ColumnName>,
}

/// A burn rate between what it is at least and at most: unknown windows may have had no error, or only errors.
#[derive(Clone, Copy, Debug)]
struct Between {
    least: f64,
    most: f64,
    /// How many windows are unknown, of how many.
    unknown: usize,
    of: usize,
}

impl Gate for Burn {
    fn needs(&self) -> Vec<Need> {
        let reach = self.reach();
        let recent = |column: ColumnName| Need::RecentWindows { column, reach };
        let columns = std::iter::once(&self.column.name).chain(&self.traffic).cloned();
        columns.map(recent).chain(self.budget.clone().map(Need::Current)).collect()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn picture(&self, evidence: &Evidence<'_>) -> Option<Picture> {
        let slo = self.slos.get(evidence.at.at()).copied().unwrap_or(self.slo);
        let recent = Recent::of(self, evidence);
        let mut end = recent.last;
        let mut points: Vec<Point> = Vec::new();
        for (value, _) in &recent.windows {
            points.push(Point { base: Some(1.0 - slo), ..Point::new(end, *value) });
            end = super::series::begin(end);
        }
        points.reverse();
        Some(super::series::picture(evidence, &self.column, Some("what the objective allows".into()), points))
    }
}

impl Burn {
    fn longest(&self) -> usize {
        self.pairs.iter().map(|p| p.long).max().unwrap_or(1)
    }

    fn reach(&self) -> SignedDuration {
        super::series::windows_long(self.longest())
    }

    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let slo = self.slos.get(evidence.at.at()).copied().unwrap_or(self.slo);
        let allowed = 1.0 - slo;
        let windows = Recent::of(self, evidence);
        let mut judged: Option<Judgement> = None;
        let mut lines: Vec<Text> = Vec::new();
        let mut fastest: Option<(f64, usize)> = None;
        for pair in &self.pairs {
            let (long, short_one) = (windows.burn(pair.long, allowed), windows.burn(pair.short, allowed));
            let text = |b: Between| match b.unknown {
                0 => format!("{:.2}×", b.least),
                n => format!("{:.2}× to {:.2}× ({n} of {} windows unknown)", b.least, b.most, b.of),
            };
            let (far, near) = (length(pair.long), length(pair.short));
            let said =
                format!("{} over {far}, {} over {near}, {}× is the limit", text(long), text(short_one), pair.factor);
            lines.push(said.as_str().into());
            if fastest.is_none_or(|(rate, _)| long.least > rate) {
                fastest = Some((long.least, pair.long));
            }
            let limit = pair.factor * (1.0 + ROUNDING);
            let burns = long.least > limit && short_one.least > limit;
            let may = long.most > limit && short_one.most > limit;
            let next = if burns {
                let sentence = format!("{region}: the error budget of {} burns {said}", percent(slo));
                let judged = Judgement::new(Verdict::Go, "", sentence.clone());
                let own = sentence.strip_prefix(&format!("{region}: ")).unwrap_or(&sentence);
                if pair.watch {
                    found(judged, evidence, "burn-rate", own)
                } else {
                    Judgement { verdict: Verdict::NoGo, ..judged }
                }
            } else if may {
                let why = windows.why.as_deref().unwrap_or("not read yet");
                let text = format!("nobody can tell how fast the error budget burns: {said}: {why}");
                let judged = Judgement::new(Verdict::NoData, "no data", format!("{region}: {text}"));
                // What would be a finding if it were known is no more where it is not.
                if pair.watch && !windows.blind {
                    found(Judgement { verdict: Verdict::Go, cell: "".into(), ..judged }, evidence, "burn-rate", &text)
                } else {
                    judged
                }
            } else {
                continue;
            };
            let findings = judged.as_ref().map(|j| j.findings.clone()).unwrap_or_default();
            let mut worse = match judged.take() {
                Some(known) if known.verdict >= next.verdict => Judgement { findings: next.findings, ..known },
                _ => next,
            };
            worse.findings.splice(0..0, findings);
            judged = Some(worse);
        }
        let (rate, long) = fastest.unwrap_or((0.0, 1));
        let mut judged = judged.unwrap_or_else(|| {
            let sentence =
                format!("{region}: the error budget of {} burns {rate:.2}× over {}", percent(slo), length(long));
            Judgement::new(Verdict::Go, "", sentence)
        });
        if windows.blind && judged.verdict < Verdict::NoData {
            let why = windows.why.as_deref().unwrap_or("not read yet");
            judged.verdict = Verdict::NoData;
            judged.cell = "no data".into();
            judged.sentence = format!("{region}: nobody can tell how fast the error budget burns now: {why}").into();
        }
        judged.evidence = lines;
        judged = judged.figure("burn", rate, Unit::Number).figure("slo", slo, Unit::Ratio);
        let (judged, left) = self.with_budget(judged, evidence, &windows, allowed);
        let mut judged = judged;
        if judged.cell.is_empty() {
            judged.cell = format!("{rate:.1}× {left}").trim_end().into();
        }
        judged.because(format!("windows to {}, query: {}", when(windows.last), query(&self.column)))
    }

    /// The budget that is left: measured, or at most so much.
    fn with_budget(
        &self,
        judged: Judgement,
        evidence: &Evidence<'_>,
        windows: &Recent,
        allowed: f64,
    ) -> (Judgement, String) {
        let region = &evidence.region.name;
        let period = self.period.as_secs_f64().max(1.0);
        let Some(column) = &self.budget else {
            let reach = self.reach();
            let burnt = windows.burn(self.longest(), allowed).least * reach.as_secs_f64() / period;
            let left = 1.0 - burnt;
            let line = format!(
                "the last {} spent {} of the budget of {}: at most {} is left",
                short(reach),
                percent(burnt),
                short(self.period),
                percent(left)
            );
            let judged = judged.because(line).figure("budget_left_at_most", left, Unit::Ratio);
            return (judged, format!("≤{:.0}%", left * 100.0));
        };
        let fresh = |at: Timestamp| evidence.now.duration_since(at) <= FRESH;
        match evidence.current.get(column) {
            Some((at, Ok(left))) if fresh(*at) && left.is_finite() => {
                let judged = judged
                    .because(format!("{} of the error budget is left ({column})", percent(*left)))
                    .figure("budget_left", *left, Unit::Ratio);
                let too_little = self.min_budget.filter(|min| left < min);
                let judged = match too_little {
                    Some(min) if judged.verdict < Verdict::NoGo => {
                        let sentence = format!(
                            "{region}: {} of the error budget is left, {} must be",
                            percent(*left),
                            percent(min)
                        );
                        Judgement { verdict: Verdict::NoGo, sentence: sentence.into(), ..judged }
                    }
                    _ => judged,
                };
                (judged, format!("{:.0}%", left * 100.0))
            }
            other => {
                let why = match other {
                    Some((_, Err(why))) => why.to_string(),
                    Some(_) => "the newest sample is too old".to_owned(),
                    None => "not asked yet".to_owned(),
                };
                let line = format!("what is left of the error budget is unknown ({column}): {why}");
                let judged = judged.because(line.clone());
                let judged = if self.min_budget.is_some() && judged.verdict < Verdict::NoData {
                    Judgement {
                        verdict: Verdict::NoData,
                        sentence: format!("{region}: {line}").into(),
                        cell: "budget?".into(),
                        ..judged
                    }
                } else {
                    judged
                };
                (judged, String::new())
            }
        }
    }
}

/// The newest windows, newest first: share of errors and weight; none: unknown.
struct Recent {
    last: Timestamp,
    windows: Vec<(Option<f64>, Option<f64>)>,
    /// Whether windows are weighted by traffic.
    weighted: bool,
    /// The newest is unknown.
    blind: bool,
    /// Why the newest unknown one is.
    why: Option<String>,
}

impl Recent {
    fn of(gate: &Burn, evidence: &Evidence<'_>) -> Self {
        static NONE: std::sync::LazyLock<Windows> = std::sync::LazyLock::new(Windows::default);
        let due = window_floor(evidence.now.saturating_sub(LAG).unwrap_or(evidence.now));
        let newest = window_floor(evidence.now);
        let errors = evidence.windows.get(&gate.column.name).unwrap_or(&NONE);
        let last = if newest > due && errors.contains(newest) { newest } else { due };
        let reach = super::series::windows_long(gate.longest().saturating_sub(1));
        let first = last.saturating_sub(reach).unwrap_or(last);
        let traffic = gate.traffic.as_ref().map(|name| evidence.windows.get(name).unwrap_or(&NONE));
        let known = |seen: Option<Seen<'_>>| seen.and_then(Result::ok);
        // The newest that is unknown.
        let mut why: Option<(Timestamp, Option<&NoData>)> = None;
        let mut weights = traffic.map(|windows| windows.series(first, last));
        let mut windows: Vec<(Option<f64>, Option<f64>)> = errors
            .series(first, last)
            .map(|(end, seen)| {
                let weight = weights.as_mut().and_then(|series| known(series.next()?.1));
                // No traffic, no errors: a division by nothing is not unknown.
                let idle = weight.is_some_and(|qps| qps <= 0.0);
                let value = match seen {
                    Some(Ok(value)) => Some(value.clamp(0.0, 1.0)),
                    _ if idle => Some(0.0),
                    other => {
                        why = Some((end, other.and_then(Result::err)));
                        None
                    }
                };
                (value, weight)
            })
            .collect();
        windows.reverse();
        let blind = windows.first().is_none_or(|(value, _)| value.is_none());
        let why = why.map(|(end, why)| {
            let reason = why.map_or_else(|| "not asked yet".to_owned(), ToString::to_string);
            format!("the window to {} is unknown: {reason}", when(end))
        });
        Self { last, windows, blind, weighted: gate.traffic.is_some(), why }
    }

    /// The burn rate over the newest so many windows.
    fn burn(&self, n: usize, allowed: f64) -> Between {
        let windows = self.windows.get(..n.min(self.windows.len())).unwrap_or_default();
        // Where the traffic of a window is unknown, it counts like an average one.
        let weights = windows.iter().filter_map(|(_, weight)| *weight);
        let (sum, known) = weights.fold((0.0, 0usize), |(sum, n), w| (sum + w, n + 1));
        let usual = if self.weighted && known > 0 { sum / count(known) } else { 1.0 };
        let weight = |w: &Option<f64>| if self.weighted { w.unwrap_or(usual) } else { 1.0 };
        let mut total = 0.0;
        let (mut errors, mut unknown_weight, mut unknown) = (0.0, 0.0, 0);
        for (value, w) in windows {
            let w = weight(w);
            total += w;
            match value {
                Some(value) => errors += value * w,
                None => {
                    unknown_weight += w;
                    unknown += 1;
                }
            }
        }
        let rate = |errors: f64| if total > 0.0 { errors / total / allowed } else { 0.0 };
        Between { least: rate(errors), most: rate(errors + unknown_weight), unknown, of: windows.len() }
    }
}

fn length(windows: usize) -> String {
    short(super::series::windows_long(windows))
}

fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
