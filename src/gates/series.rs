//! What the metric gates share: which windows are judged, when a violation begins and ends,
//! and what follows from violations, gaps and single windows outside.
//!
//! - `violations` of the last `of` windows outside begin a violation; so many within end it.
//!   While it lasts: NO-GO.
//! - After its end the bake must run again without one, or a person accepts it: WAIT.
//! - A window outside that makes no violation is a finding, for as long.
//! - A window that is unknown is NO DATA, for as long; `gaps` allows so much, as a finding.

use super::other_template;
use super::rules::{Rules, ring_bake};
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Column, QueryText};
use crate::domain::gate::{BakeStart, Evidence};
use crate::domain::id::{ColumnName, Text};
use crate::domain::metric::{NoData, Seen, Windows};
use crate::domain::picture::{Picture, Point, Series};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, short, window_ceil, window_floor};
use crate::domain::verdict::{Judgement, Stretch, Verdict};

/// A ring that runs for longer is judged on its newest windows: nobody keeps samples for ever.
pub const JUDGED_SPAN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// After a window's end: scrape, evaluation and answer take that long; until then it is not missing.
const LAG: SignedDuration = SignedDuration::from_secs(90);
/// Windows of an hour.
const HOUR: usize = 12;
/// So many windows of an hour must be known for its mean to be told.
const MOST_OF_HOUR: u32 = 10;

/// The windows of a bake that are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// End of the first.
    pub first: Timestamp,
    /// End of the last that can be known.
    pub last: Timestamp,
    /// Up to here a window that was not answered is missing.
    due: Timestamp,
    /// Why a window that was not answered is unknown.
    unasked: &'static NoData,
}

impl Span {
    /// Windows that lie wholly in the bake, at most [`JUDGED_SPAN`] ago, without the grace; or the
    /// judgement that there is no bake to speak of.
    pub(super) fn of(evidence: &Evidence<'_>, subject: &str, grace: SignedDuration) -> Result<Self, Box<Judgement>> {
        let region = &evidence.region.name;
        if let Some(other) = other_template(evidence) {
            let sentence = format!("{region}: {subject} is judged from when {} runs everywhere", other.short());
            return Err(Judgement::new(Verdict::Wait, "–", sentence).into());
        }
        match (evidence.bake_start, evidence.workload) {
            (Some(start), _) => {
                let configured = !matches!(evidence.current.get(subject), Some((_, Err(NoData::NotConfigured))));
                let unasked = if configured { &NoData::NotAsked } else { &NoData::NotConfigured };
                Ok(Self { unasked, ..Self::since(start, grace, evidence.now) })
            }
            (None, Some(workload)) if !workload.settled() => {
                let sentence = format!("{region}: {subject} is judged from when the rollout is complete");
                Err(Judgement::new(Verdict::Wait, "–", sentence).into())
            }
            _ => {
                let sentence = format!("{region}: {subject} cannot be judged: start of the bake is unknown");
                Err(Judgement::new(Verdict::NoData, "start?", sentence).into())
            }
        }
    }

    /// The same, of a bake that has begun.
    pub(super) fn since(start: BakeStart, grace: SignedDuration, now: Timestamp) -> Self {
        let counts = start.at.saturating_add(grace).unwrap_or(Timestamp::MAX);
        let oldest = now.saturating_sub(JUDGED_SPAN).unwrap_or(Timestamp::MIN);
        let begins = window_ceil(counts).max(window_ceil(oldest));
        let first = begins.saturating_add(WINDOW).unwrap_or(Timestamp::MAX);
        let due = window_floor(now.saturating_sub(LAG).unwrap_or(now));
        Self { first, last: window_floor(now), due, unasked: &NoData::NotAsked }
    }

    /// The windows of a column that count: those that are due, known or not, and newer ones once known.
    pub(super) fn series<'w>(
        self,
        windows: Option<&'w Windows>,
        traffic: Option<(f64, &'w Windows)>,
    ) -> impl Iterator<Item = (Timestamp, Seen<'w>)> + use<'w> {
        let (due, unasked) = (self.due, self.unasked);
        let mut traffic = traffic.map(|(least, windows)| (least, windows.series(self.first, self.last)));
        windows.unwrap_or(&NONE).series(self.first, self.last).filter_map(move |(end, seen)| {
            let qps = traffic.as_mut().map(|(least, series)| (*least, series.next().and_then(|(_, qps)| qps)));
            let seen = match seen {
                Some(seen) => seen,
                None if end <= due => Err(unasked),
                None => return None,
            };
            Some((end, enough(qps, seen)))
        })
    }

    /// Which of the span's windows ended then, from 0; the first for all before it.
    pub(super) fn position(self, end: Timestamp) -> usize {
        usize::try_from(end.as_second().saturating_sub(self.first.as_second()) / WINDOW.as_secs()).unwrap_or(0)
    }

    /// Whether there was enough traffic in all windows: then it keeps none from counting.
    pub(super) fn enough_throughout(self, (least, windows): (f64, &Windows)) -> bool {
        windows.series(self.first, self.last).all(|(_, qps)| matches!(qps, Some(Ok(qps)) if qps >= least))
    }

    /// The windows of [`Span::series`] that are unknown, with the reason.
    pub(super) fn unknown<'w>(
        self,
        windows: Option<&'w Windows>,
        traffic: Option<(f64, &'w Windows)>,
    ) -> Box<dyn Iterator<Item = (Timestamp, &'w NoData)> + 'w> {
        if traffic.is_some() {
            return Box::new(self.series(windows, traffic).filter_map(|(end, seen)| Some((end, seen.err()?))));
        }
        let holes = windows.unwrap_or(&NONE).holes(self.first, self.last);
        Box::new(holes.filter_map(move |(end, why)| match why {
            Some(why) => Some((end, why)),
            None => (end <= self.due).then_some((end, self.unasked)),
        }))
    }
}

/// Windows of a column that was never asked for.
static NONE: std::sync::LazyLock<Windows> = std::sync::LazyLock::new(Windows::default);

/// What is seen, where there was enough traffic to judge by.
fn enough<'w>(traffic: Option<(f64, Option<Seen<'w>>)>, seen: Seen<'w>) -> Seen<'w> {
    match traffic {
        None => seen,
        Some((least, Some(Ok(qps)))) if qps >= least => seen,
        Some((_, Some(Ok(_)))) => seen.and(Err(&NoData::LowTraffic)),
        Some((_, Some(Err(why)))) => seen.and(Err(why)),
        Some((_, None)) => seen.and(Err(&NoData::NotAsked)),
    }
}

/// A window as it is judged: its value and by how much it is outside (at most 0 within), or why it is unknown.
pub(super) type Mark<'w> = Result<(f64, f64), &'w NoData>;

/// A violation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Violation {
    /// Ends of its first and last window outside.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Furthest outside: window, value, by how much.
    pub worst: (Timestamp, f64, f64),
    /// How many windows are outside.
    pub outside: usize,
    accepted: bool,
}

/// First, last and worst (end, value, by how much) of single windows outside, and how many.
type Strays = (Timestamp, Timestamp, (Timestamp, f64, f64), usize);

/// What the windows of a bake say.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub within: usize,
    pub outside: usize,
    pub unknown: usize,
    /// Nearest to the bound, or furthest outside, of the windows that count: end, value, excess.
    pub worst: Option<(Timestamp, f64, f64)>,
    /// Mean of all.
    pub mean: Option<f64>,
    /// The worst mean of an hour, with the hour's end.
    pub worst_hour: Option<(Timestamp, f64, f64)>,
    /// The violation that lasts.
    pub lasting: Option<Violation>,
    /// The newest that ended and counts still.
    pub ended: Option<Violation>,
    /// First, last and worst of the single windows outside that count, and how many.
    pub strays: Option<Strays>,
    /// First and last unknown window that counts, the reason of the first, and how many.
    pub gap: Option<(Timestamp, Timestamp, NoData, usize)>,
    /// The newest window is unknown.
    pub blind: bool,
    /// From here on violations, gaps and single windows count.
    pub counts_from: Option<Timestamp>,
    /// What a person accepted.
    pub accepted: Vec<Text>,
}

/// The last hour of values.
struct LastHour {
    values: [f64; HOUR],
    at: usize,
    /// Of the known values, nearly: what was added is taken away again.
    sum: f64,
    known: u32,
}

impl LastHour {
    fn new() -> Self {
        Self { values: [f64::NAN; HOUR], at: 0, sum: 0.0, known: 0 }
    }

    fn push(&mut self, value: f64) {
        let Some(slot) = self.values.get_mut(self.at) else { return };
        let old = std::mem::replace(slot, value);
        self.at = (self.at + 1) % HOUR;
        if !old.is_nan() {
            (self.sum, self.known) = (self.sum - old, self.known - 1);
        }
        if !value.is_nan() {
            (self.sum, self.known) = (self.sum + value, self.known + 1);
        }
    }

    /// The mean, once enough of an hour is known and it is said to matter: it is summed up exactly then only.
    fn mean(&self, matters: impl Fn(f64) -> bool) -> Option<f64> {
        if self.known < MOST_OF_HOUR || !matters(self.sum / f64::from(self.known)) {
            return None;
        }
        let exact = self.values.iter().filter(|v| !v.is_nan()).sum::<f64>() / f64::from(self.known);
        matters(exact).then_some(exact)
    }
}

impl Story {
    /// Goes through the windows, oldest first.
    pub(super) fn tell<'w>(
        evidence: &Evidence<'_>,
        rules: &Rules,
        column: &ColumnName,
        excess: impl Fn(f64) -> f64,
        marks: impl Iterator<Item = (Timestamp, Mark<'w>)>,
    ) -> Self {
        let accepted = accepted(evidence, column);
        let forgiven = |end: Timestamp| accepted.iter().any(|(from, to, _)| (*from..=*to).contains(&end));
        let again = rules.again.or_else(|| ring_bake(evidence.ring));
        let counts_from = again.map(|a| evidence.now.saturating_sub(a).unwrap_or(Timestamp::MIN));
        let counts = |end: Timestamp| counts_from.is_none_or(|from| end > from);
        let mut story = Self { counts_from, ..Self::default() };
        let mut hour = LastHour::new();
        let mut sum = 0.0;
        // Which of the last `of` windows were outside, and which within; the newest is the lowest bit.
        let (mut outside, mut within) = (0u64, 0u64);
        let mask = (1u64 << rules.of.min(63)) - 1;
        let mut open: Option<Violation> = None;
        // Windows outside that may yet become part of a violation.
        let mut singles: Vec<(Timestamp, f64, f64)> = Vec::new();
        for (end, mark) in marks {
            outside = outside << 1 & mask;
            within = within << 1 & mask;
            story.blind = mark.is_err();
            match mark {
                Ok((value, over)) => {
                    sum += value;
                    if over > 0.0 {
                        outside |= 1;
                        story.outside += 1;
                    } else {
                        within |= 1;
                        story.within += 1;
                    }
                    if counts(end) && story.worst.is_none_or(|(_, _, worst)| over > worst) {
                        story.worst = Some((end, value, over));
                    }
                    hour.push(value);
                    let worse = |mean| story.worst_hour.is_none_or(|(_, _, worst)| excess(mean) > worst);
                    if let Some(mean) = hour.mean(worse) {
                        story.worst_hour = Some((end, mean, excess(mean)));
                    }
                    if over > 0.0 {
                        match &mut open {
                            Some(violation) => violation.add(end, value, over, forgiven(end)),
                            None => singles.push((end, value, over)),
                        }
                    }
                }
                Err(why) => {
                    hour.push(f64::NAN);
                    story.unknown += 1;
                    if counts(end) && !forgiven(end) {
                        let gap = story.gap.get_or_insert_with(|| (end, end, why.clone(), 0));
                        gap.1 = end;
                        gap.3 += 1;
                    }
                }
            }
            if outside.count_ones() >= rules.violations {
                if open.is_none() {
                    let oldest = oldest(end, rules.of);
                    let split = singles.partition_point(|(at, _, _)| *at < oldest);
                    let begun = singles.split_off(split);
                    open = Violation::of(&begun, &forgiven);
                }
            } else if within.count_ones() >= rules.violations
                && let Some(ended) = open.take()
                && counts(ended.to)
                && !ended.accepted
            {
                // The newest that ended is the one that has to be waited for longest.
                story.ended = Some(ended);
            }
        }
        story.lasting = open;
        for (end, value, over) in singles.into_iter().filter(|(end, _, _)| counts(*end) && !forgiven(*end)) {
            let strays = story.strays.get_or_insert((end, end, (end, value, over), 0));
            strays.1 = end;
            strays.3 += 1;
            if over > strays.2.2 {
                strays.2 = (end, value, over);
            }
        }
        let known = story.within + story.outside;
        story.mean = (known > 0).then(|| sum / count(known));
        story.accepted = accepted.into_iter().map(|(_, _, line)| line).collect();
        story
    }
}

impl Violation {
    fn of(windows: &[(Timestamp, f64, f64)], forgiven: &dyn Fn(Timestamp) -> bool) -> Option<Self> {
        let ((end, value, over), rest) = windows.split_first()?;
        let first = Self { from: *end, to: *end, worst: (*end, *value, *over), outside: 1, accepted: forgiven(*end) };
        Some(rest.iter().fold(first, |mut violation, (end, value, over)| {
            violation.add(*end, *value, *over, forgiven(*end));
            violation
        }))
    }

    fn add(&mut self, end: Timestamp, value: f64, over: f64, accepted: bool) {
        self.to = end;
        self.outside += 1;
        self.accepted &= accepted;
        if over > self.worst.2 {
            self.worst = (end, value, over);
        }
    }
}

/// End of the oldest of the last `of` windows.
fn oldest(newest: Timestamp, of: u32) -> Timestamp {
    let back = WINDOW.saturating_mul(i32::try_from(of.saturating_sub(1)).unwrap_or(0));
    newest.saturating_sub(back).unwrap_or(newest)
}

/// Stretches of a column that people accepted while what runs ran: first and last end, and who said why.
pub(super) fn accepted(evidence: &Evidence<'_>, column: &ColumnName) -> Vec<(Timestamp, Timestamp, Text)> {
    let Some((record, workload)) = evidence.record.region(evidence.at).zip(evidence.workload) else {
        return Vec::new();
    };
    let facts = record.accepted(column, workload.template, evidence.now);
    let line = |(fact, stretch, reason): (&crate::domain::record::Fact, &Stretch, &Text)| {
        let from = begin(stretch.from);
        let line = format!("{} accepted {} to {}: {reason}", fact.by, when(from), when(stretch.to));
        (stretch.from, stretch.to, line.into())
    };
    facts.into_iter().map(line).collect()
}

/// When a window began, by its end.
pub(super) fn begin(end: Timestamp) -> Timestamp {
    end.saturating_sub(WINDOW).unwrap_or(end)
}

/// A moment for people.
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Few enough to be exact.
#[expect(clippy::cast_precision_loss, reason = "windows and regions are far fewer than 2^52")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

/// So many windows as a length of time.
pub(super) fn windows_long(n: usize) -> SignedDuration {
    WINDOW.saturating_mul(i32::try_from(n).unwrap_or(i32::MAX))
}

/// What is judged, in words.
pub(super) struct Subject<'a> {
    pub column: &'a Column,
    /// Its name in sentences, e.g. `errors` or `errors against its baseline`.
    pub name: &'a str,
    /// The bound, e.g. `≤ 1.00 %`.
    pub rule: &'a str,
    /// Wait until so many windows are complete.
    pub least: usize,
    /// How a value is written.
    pub show: &'a dyn Fn(f64) -> String,
}

/// The judgement that follows from a story.
pub(super) fn judge(
    evidence: &Evidence<'_>,
    rules: &Rules,
    span: &Span,
    story: &Story,
    subject: &Subject<'_>,
) -> Judgement {
    let judged = verdict(evidence, rules, span, story, subject);
    let unit = subject.column.unit;
    let known = story.within + story.outside + story.unknown;
    let mut judged = judged.because(format!(
        "{} {}, {known} windows of 5 min from {}: {} within, {} outside, {} unknown",
        subject.name,
        subject.rule,
        when(begin(span.first)),
        story.within,
        story.outside,
        story.unknown
    ));
    if let Some((end, value, _)) = story.worst {
        judged = judged
            .because(format!("worst window {} to {}", (subject.show)(value), when(end)))
            .figure("worst", value, unit);
    }
    if let Some((end, value, _)) = story.worst_hour {
        judged = judged.because(format!("worst hour {} to {}", unit.show(value), when(end)));
        judged = judged.figure("worst_hour", value, unit);
    }
    if let Some(mean) = story.mean {
        judged = judged.because(format!("mean {}", unit.show(mean))).figure("mean", mean, unit);
    }
    if let Some(from) = story.counts_from.filter(|from| *from > span.first) {
        judged = judged.because(format!("what ended before {} is past: the bake has run since", when(from)));
    }
    judged.evidence.extend(story.accepted.iter().cloned());
    judged.because(format!("query: {}", query(subject.column)))
}

fn verdict(evidence: &Evidence<'_>, rules: &Rules, span: &Span, story: &Story, subject: &Subject<'_>) -> Judgement {
    let (region, name, rule) = (&evidence.region.name, subject.name, subject.rule);
    let stretch = |from, to| Some(Stretch { column: subject.column.name.clone(), from, to });
    let shown = |value: f64| (subject.show)(value);
    if let Some(v) = &story.lasting {
        let sentence = format!(
            "{region}: {name} was {} in the window to {}, {rule} is the bound; {} windows outside since {}, and it lasts",
            shown(v.worst.1),
            when(v.worst.0),
            v.outside,
            when(begin(v.from))
        );
        return Judgement::new(Verdict::NoGo, shown(v.worst.1), sentence);
    }
    if let Some((from, to, reason, n)) = story.gap.as_ref().filter(|g| story.blind || windows_long(g.3) > rules.gaps) {
        let more = if *n == 1 { String::new() } else { format!("s, the last to {}", when(*to)) };
        let sentence =
            format!("{region}: {name} is unknown for {n} window{more}, first that to {}: {reason}", when(*from));
        let mut judged = Judgement::new(Verdict::NoData, "no data", sentence);
        // What is unknown now may still become known.
        judged.acceptable = if story.blind { None } else { stretch(*from, *to) };
        return judged;
    }
    if story.blind {
        return Judgement::new(Verdict::NoData, "no data", format!("{region}: {name} is unknown in the newest window"));
    }
    let worst = story.worst.map(|(_, value, _)| shown(value));
    if story.within + story.outside < subject.least {
        let ends = windows_long(subject.least.saturating_sub(1));
        let until = span.first.saturating_add(ends).unwrap_or(Timestamp::MAX);
        let have = story.within + story.outside;
        let sentence =
            format!("{region}: {name} has {have} of {} complete windows; enough at {}", subject.least, when(until));
        let cell = worst.unwrap_or_else(|| format!("{have}/{}", subject.least));
        return Judgement::new(Verdict::Wait, cell, sentence).until(until);
    }
    if let Some(v) = &story.ended {
        let again = story.counts_from.map(|from| evidence.now.duration_since(from));
        let until = again.map(|again| v.to.saturating_add(again).unwrap_or(Timestamp::MAX));
        let rest = match until {
            Some(until) => format!("it must stay within until {}, or a person accepts it", when(until)),
            None => "a person must accept it, or the bake start anew".to_owned(),
        };
        let sentence = format!(
            "{region}: {name} was outside from {} to {}, {} at worst, {rule} is the bound; {rest}",
            when(begin(v.from)),
            when(v.to),
            shown(v.worst.1)
        );
        let mut judged = Judgement::new(Verdict::Wait, shown(v.worst.1), sentence);
        judged.until = until;
        judged.acceptable = stretch(v.from, v.to);
        return judged;
    }
    let (end, value) = story.worst.map_or((span.first, f64::NAN), |(end, value, _)| (end, value));
    let mut judged = Judgement::new(
        Verdict::Go,
        shown(value),
        format!(
            "{region}: {name} {rule} in {}; the worst was {} in that to {}",
            if story.within == 1 { "its one window".to_owned() } else { format!("all {} windows", story.within) },
            shown(value),
            when(end)
        ),
    );
    if let Some((from, to, (end, value, _), n)) = &story.strays {
        let text = format!(
            "{name} was {} in the window to {}, {rule} is the bound; {n} single window{} outside made no violation ({} of {})",
            shown(*value),
            when(*end),
            if *n == 1 { "" } else { "s" },
            rules.violations,
            rules.of
        );
        judged = found(judged, evidence, "single-window", &text);
        judged.acceptable = stretch(*from, *to);
    }
    if let Some((from, to, reason, n)) = &story.gap {
        let text = format!(
            "{name} is unknown for {} since {}, {} may be: {reason}",
            short(windows_long(*n)),
            when(begin(*from)),
            short(rules.gaps)
        );
        judged = found(judged, evidence, "gap", &text);
        judged.acceptable = judged.acceptable.or_else(|| stretch(*from, *to));
    }
    judged
}

/// With a finding about the region; the verdict gets no better than that.
pub(super) fn found(mut judged: Judgement, evidence: &Evidence<'_>, code: &'static str, text: &str) -> Judgement {
    let region = &evidence.region.name;
    if judged.verdict < Verdict::Findings {
        judged.verdict = Verdict::Findings;
        judged.sentence = format!("{region}: {text}").into();
    }
    judged.findings.push(Finding::new(Severity::Warning, code, region.as_str(), text));
    judged
}

/// Windows as a picture, with what people accepted marked.
pub(super) fn picture(evidence: &Evidence<'_>, column: &Column, base: Option<Text>, mut points: Vec<Point>) -> Picture {
    let accepted = accepted(evidence, &column.name);
    for point in &mut points {
        point.accepted = accepted.iter().any(|(from, to, _)| (*from..=*to).contains(&point.end));
    }
    Picture::Series(Series { name: column.title.clone(), column: column.name.clone(), unit: column.unit, base, points })
}

/// The query of a column.
pub(super) fn query(column: &Column) -> &str {
    match &column.query {
        QueryText::PerRegion(query) | QueryText::ByLabel { query, .. } => query,
    }
}

/// At most this long a wait for so many windows.
pub(super) fn minimum(windows: usize) -> std::time::Duration {
    std::time::Duration::try_from(windows_long(windows)).unwrap_or_default()
}
