//! The region table: version, replicas, traffic, configured columns, comparison, age.

use ratatui::layout::Rect;

use super::scene::{RegionScene, Scene, between};
use crate::domain::fleet::{Better, Column as Metric, Unit};
use crate::domain::id::RegionIx;
use crate::domain::metric::Reading;
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp, short};
use crate::domain::text::safe;
use crate::domain::verdict::Verdict;
use crate::domain::workload::{Phase, Workload};
use crate::engine::view::{Burn, Drained, RegionWord};
use crate::input::Command;
use crate::look::glyph::Sign;
use crate::look::table::{self, Cell, Column};
use crate::look::{Canvas, Role, scroll, spark};

/// A change is marked for so long.
const CHANGED: std::time::Duration = std::time::Duration::from_secs(5);
/// A figure older than two rounds of asking says how old it is; so long a round may take at least.
const ROUND: SignedDuration = SignedDuration::from_secs(15);
/// Longest reason of a missing sample, in bytes.
const LONGEST: usize = 200;
/// From this much worse than the baseline on, a person should look.
const WORSE: f64 = 0.2;

/// The region that a movement leads to.
pub fn moved(command: Command, scene: &Scene<'_>) -> Option<RegionIx> {
    let rows = scene.rows();
    let at = scene.picks.region.and_then(|r| rows.iter().position(|x| *x == r)).unwrap_or(0);
    let last = rows.len().saturating_sub(1);
    let to = match command {
        Command::Up => at.saturating_sub(1),
        Command::Down => (at + 1).min(last),
        Command::Top => 0,
        Command::Bottom => last,
        Command::PageUp => at.saturating_sub(10),
        Command::PageDown => (at + 10).min(last),
        _ => at,
    };
    rows.get(to).copied().or(scene.picks.region)
}

/// Lines above the first row.
fn above(framed: bool) -> u16 {
    if framed { 2 } else { 1 }
}

/// The region in a row of the screen.
pub fn row_at(scene: &Scene<'_>, area: Rect, framed: bool, y: u16) -> Option<RegionIx> {
    let rows = scene.rows();
    let height = usize::from(area.height.saturating_sub(above(framed) + u16::from(framed)));
    let line = usize::from(y.checked_sub(area.y + above(framed))?);
    let first = first_row(scene, &rows, height);
    if line >= height { None } else { rows.get(first + line).copied() }
}

fn first_row(scene: &Scene<'_>, rows: &[RegionIx], height: usize) -> usize {
    let selected = scene.picks.region.and_then(|r| rows.iter().position(|x| *x == r)).unwrap_or(0);
    scroll::window(selected, rows.len(), height)
}

/// Draws the table into an area without its frame.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, wide: bool) {
    if area.height < 2 || area.width < 20 {
        return;
    }
    let rows = scene.rows();
    if rows.is_empty() {
        let text = if scene.picks.filter.is_empty() { "no regions" } else { "no region matches the filter" };
        canvas.put(area.x + 2, area.y, area.width - 2, Role::Dim, text);
        return;
    }
    let height = usize::from(area.height - 1);
    let first = first_row(scene, &rows, height);
    let baseline = Baseline::of(scene);
    let top = spark_top(scene, &rows);
    let (columns, kinds) = columns(scene, wide);
    // Widths come from every row, so that scrolling does not move columns.
    let cells: Vec<Vec<Cell>> =
        rows.iter().take(400).map(|at| kinds.iter().map(|k| cell(scene, *at, k, &baseline, top)).collect()).collect();
    let inner = Rect { x: area.x + 2, width: area.width - 2, ..area };
    let layout = table::fit(&columns, &cells, inner.width);
    table::head(canvas, Rect { height: 1, ..inner }, &columns, &layout);
    for (line, (at, row)) in rows.iter().zip(&cells).skip(first).take(height).enumerate() {
        let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
        let here = Rect { y, height: 1, ..inner };
        table::row(canvas, here, &columns, &layout, row);
        let Some(region) = scene.region(*at) else { continue };
        if let Some(trouble) = region.trouble(scene.clock) {
            lost(canvas, here, &trouble);
        }
        let marked = scene.picks.marks.contains(at);
        if marked {
            canvas.over(Rect { y, height: 1, ..area }, Role::Marked);
            canvas.cell(area.x + 1, y, Role::Accent, Sign::Mark.glyph());
        }
        if scene.picks.region == Some(*at) {
            canvas.over(Rect { y, height: 1, ..area }, Role::Selected);
            canvas.cell(area.x, y, Role::Accent, Sign::Cursor.glyph());
            canvas.over(Rect { x: area.x, y, width: 1, height: 1 }, Role::Selected);
        }
    }
    let edge = area.right() - 1;
    if first > 0 {
        canvas.cell(edge, area.y, Role::Accent, '↑');
    }
    if first + height < rows.len() {
        canvas.cell(edge, area.bottom() - 1, Role::Accent, '↓');
    }
}

/// Greys a row, and says so at its end.
fn lost(canvas: &mut Canvas<'_>, row: Rect, trouble: &str) {
    canvas.over(row, Role::Stale);
    let text = format!("  {} {trouble}", Sign::Stale.glyph());
    let wide = u16::try_from(crate::look::canvas::width(&text)).unwrap_or(row.width).min(row.width);
    canvas.put(row.right() - wide, row.y, wide, Role::Stale, &text);
}

/// What a column shows.
enum Kind<'a> {
    Region,
    Version,
    State,
    Ready,
    Share,
    Weight,
    Ring,
    Metric(&'a Metric),
    Delta(&'a Metric),
    Worst(&'a Metric),
    Spark(&'a Metric),
    Burn,
    Budget,
    Age,
}

/// The column that regions are compared by: the first share for which less is better, else the first such.
pub fn compared(metrics: &[Metric]) -> Option<&Metric> {
    let lower = || metrics.iter().filter(|m| m.better == Better::Lower);
    lower().find(|m| m.unit == Unit::Ratio).or_else(|| lower().next())
}

fn columns<'a>(scene: &Scene<'a>, wide: bool) -> (Vec<Column>, Vec<Kind<'a>>) {
    let metrics: &[Metric] = scene.service().map_or(&[], |s| &s.columns);
    let compared = compared(metrics);
    let mut all: Vec<(Column, Kind<'a>)> = vec![
        (Column::words("region", 0).most(28), Kind::Region),
        (Column::words("version", 0).most(22), Kind::Version),
        (Column::words("", 1).most(20), Kind::State),
        (Column::numbers("ready", 1), Kind::Ready),
        (Column::numbers("share", 4), Kind::Share),
        (Column::numbers("weight", if wide { 6 } else { 60 }), Kind::Weight),
    ];
    if wide {
        all.insert(1, (Column::words("ring", 8).most(16), Kind::Ring));
    }
    for (at, metric) in metrics.iter().enumerate() {
        let is_compared = compared.is_some_and(|c| c.name == metric.name);
        // Traffic, errors and the slowest latency tell most; the others give way first.
        let tail = metric.name.as_str().contains("99");
        let order = u8::try_from(at).unwrap_or(40).min(40);
        let priority = if is_compared || tail {
            2
        } else if metric.is_traffic {
            3
        } else {
            10 + order
        };
        let title = match metric.unit {
            Unit::Seconds | Unit::Millis => format!("{} ms", metric.title),
            _ => metric.title.to_string(),
        };
        all.push((Column::numbers(title, priority), Kind::Metric(metric)));
        if is_compared {
            all.push((Column::numbers("Δ base", 5), Kind::Delta(metric)));
        }
    }
    if let Some(metric) = compared {
        all.push((Column::numbers("worst hour", 7), Kind::Worst(metric)));
        all.push((Column::words("last hour", 8), Kind::Spark(metric)));
    }
    if scene.view().is_some_and(|v| v.regions.iter().any(|r| r.burn.is_some())) {
        all.push((Column::numbers("burn", 4), Kind::Burn));
        all.push((Column::numbers("budget", 6), Kind::Budget));
    }
    all.push((Column::numbers("age", 0), Kind::Age));
    all.into_iter().unzip()
}

fn cell(scene: &Scene<'_>, at: RegionIx, kind: &Kind<'_>, baseline: &Baseline, top: f64) -> Cell {
    let Some(region) = scene.region(at) else { return Cell::new(Role::NoData, "?") };
    let clock = scene.clock;
    match kind {
        Kind::Region => Cell::new(Role::Strong, region.spec.name.as_str()),
        Kind::Ring => Cell::new(Role::Dim, scene.ring_name(region.spec.ring)),
        Kind::Version => version(&region, clock),
        Kind::State => state(scene, &region),
        Kind::Ready => ready(&region),
        Kind::Share => match region.view.and_then(|v| v.share) {
            Some(share) => Cell::new(Role::Text, Unit::Ratio.show(share)),
            // Live traffic does not reach a region without a route.
            None if region.spec.route.is_none() => Cell::new(Role::Dim, "–"),
            None => Cell::new(Role::NoData, "?"),
        },
        Kind::Weight => match region.view.and_then(|v| v.weight) {
            Some((weight, Some(share))) => Cell::new(Role::Text, format!("{weight} ({:.0} %)", share * 100.0)),
            Some((weight, None)) => Cell::new(Role::Text, weight.to_string()),
            None => Cell::new(Role::Dim, if region.spec.route.is_some() { "?" } else { "–" }),
        },
        Kind::Metric(metric) => reading(region.state.current.get(metric.name.as_str()), metric, scene),
        Kind::Delta(metric) => aged(delta(scene, &region, metric, baseline), sampled(&region, metric), scene),
        Kind::Worst(metric) => {
            // Its newest hour goes on only while the column is answered.
            let fresh = sampled(&region, metric).filter(|at| scene.now().duration_since(*at) <= old(scene));
            aged(worst_hour(&region, metric), fresh.or_else(|| windows_until(&region, metric)), scene)
        }
        Kind::Spark(metric) => {
            let points = region.state.history.get(metric.name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let points: Vec<Option<f64>> = points.iter().map(|(_, v)| Some(*v).filter(|v| v.is_finite())).collect();
            Cell::new(Role::Spark, spark::spark(&points, 10, top))
        }
        Kind::Burn => burn(region.view.and_then(|v| v.burn), |b| Some(format!("{:.1}×", b.rate?))),
        Kind::Budget => burn(region.view.and_then(|v| v.burn), |b| {
            Some(format!("{}{:.0} %", if b.at_most { "≤" } else { "" }, b.left? * 100.0))
        }),
        Kind::Age => match region.age(clock) {
            Some(age) => Cell::new(if age > old(scene) { Role::Stale } else { Role::Dim }, short(age)),
            None => Cell::new(Role::NoData, "?"),
        },
    }
}

fn version(region: &RegionScene<'_>, clock: Stamp) -> Cell {
    let Some(workload) = &region.state.workload else {
        let text = if region.state.absent { "absent" } else { "?" };
        return Cell::new(if region.state.absent { Role::NoGo } else { Role::NoData }, text);
    };
    let new = region.view.and_then(|v| v.on_new) == Some(true);
    let text = if new { format!("{} {}", workload.version, Sign::New.glyph()) } else { workload.version.to_string() };
    let role = match region.state.changed {
        Some(at) if clock.since(at) < CHANGED => Role::Changed,
        _ if new => Role::Accent,
        _ => Role::Text,
    };
    Cell::new(role, text)
}

/// A word only where something is not as usual: healthy is quiet.
fn state(scene: &Scene<'_>, region: &RegionScene<'_>) -> Cell {
    let Some(view) = region.view else { return Cell::new(Role::Dim, "") };
    let forgotten = scene.view().and_then(|v| v.forgotten.iter().find(|(at, _)| *at == region.at));
    if let Some((_, since)) = forgotten {
        let text = format!("{} paused {} !", Sign::Held.glyph(), between(*since, scene.now()));
        return Cell::new(Role::Alarm, text);
    }
    let reviewed = scene.view().and_then(|v| v.under_review.as_ref()).is_some_and(|r| r.regions.contains(&region.at));
    let sign = |sign: Sign, word: &str| Cell::new(sign.role(), format!("{} {word}", sign.glyph()));
    let progress = || match region.state.workload.as_ref().map(|w| (w.phase, w.progress.steps.as_deref())) {
        Some((Phase::AtStep, Some(steps))) => {
            steps.count().map_or_else(|| "at the switch".to_owned(), |c| format!("step {c}"))
        }
        Some((phase @ (Phase::Progressing(_) | Phase::Unobserved | Phase::Partitioned | Phase::OnDelete), _)) => {
            phase.word().to_owned()
        }
        _ => "rolling out".to_owned(),
    };
    match view.state {
        RegionWord::Failed => sign(Sign::NoGo, "failed"),
        RegionWord::Absent => sign(Sign::NoGo, "absent"),
        RegionWord::Pausing => sign(Sign::Held, "pausing"),
        RegionWord::Paused if view.held => sign(Sign::Held, "held, paused"),
        RegionWord::Paused => sign(Sign::Held, "paused"),
        _ if view.held => sign(Sign::Held, "held"),
        RegionWord::Settled if reviewed => sign(Sign::Watch, "under review"),
        _ if view.drained != Drained::No => sign(Sign::Drained, &view.out_of_traffic().unwrap_or_default()),
        RegionWord::RollingOut => sign(Sign::Moving, &progress()),
        RegionWord::Unknown if region.state.workload.is_none() => Cell::new(Role::NoData, "? unknown"),
        RegionWord::Unknown | RegionWord::Settled => Cell::new(Role::Dim, ""),
    }
}

/// A figure of the error budget: as loud as its gate.
fn burn(burn: Option<Burn>, text: impl Fn(&Burn) -> Option<String>) -> Cell {
    let Some(burn) = burn else { return Cell::new(Role::Dim, "–") };
    let role = if burn.verdict <= Verdict::Go { Role::Text } else { Sign::of(burn.verdict).role() };
    text(&burn).map_or_else(|| Cell::new(Role::NoData, "?"), |text| Cell::new(role, text))
}

fn ready(region: &RegionScene<'_>) -> Cell {
    let Some(Workload { replicas, .. }) = &region.state.workload else { return Cell::new(Role::NoData, "?") };
    let text = format!("{}/{}", replicas.ready, replicas.desired);
    let role = if replicas.ready < replicas.desired { Role::Wait } else { Role::Text };
    Cell::new(role, text)
}

/// From this age on a figure shows it: it missed a round of asking.
fn old(scene: &Scene<'_>) -> SignedDuration {
    let round = SignedDuration::try_from(scene.engine.asks_every()).unwrap_or(ROUND).max(ROUND);
    round.saturating_add(round)
}

/// One rule for every figure: current, or with its age in brackets, or `?`.
fn aged(cell: Cell, at: Option<Timestamp>, scene: &Scene<'_>) -> Cell {
    let Some(age) = at.map(|at| scene.now().duration_since(at)).filter(|age| *age > old(scene)) else { return cell };
    match &*cell.text {
        "?" | "–" => cell,
        text => Cell::new(Role::Stale, format!("{text} ({})", short(age))),
    }
}

/// When the newest sample of a column was taken, if it is a number.
fn sampled(region: &RegionScene<'_>, metric: &Metric) -> Option<Timestamp> {
    region.state.current.get(metric.name.as_str()).filter(|(_, r)| r.is_ok()).map(|(at, _)| *at)
}

/// Until when the windows of a column are known.
fn windows_until(region: &RegionScene<'_>, metric: &Metric) -> Option<Timestamp> {
    let windows = region.state.windows.get(metric.name.as_str())?;
    windows.known_from(Timestamp::MIN).map(|(end, _)| end).last()
}

/// A reading in its column: the unit stands in the heading, but for percent.
pub fn reading(current: Option<&(Timestamp, Reading)>, metric: &Metric, scene: &Scene<'_>) -> Cell {
    match current {
        None => Cell::new(Role::Dim, "–"),
        Some((_, Err(_))) => Cell::new(Role::NoData, "?"),
        Some((at, Ok(value))) => aged(Cell::new(Role::Text, figure(*value, metric.unit)), Some(*at), scene),
    }
}

/// Without the unit where the heading has it.
fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => Unit::Millis.show(value * 1000.0).trim_end_matches(" ms").to_owned(),
        Unit::Millis => unit.show(value).trim_end_matches(" ms").to_owned(),
        _ => unit.show(value),
    }
}

/// Cells that are `?`: the column, why, and the regions of which that is so.
pub fn unknown<'a>(scene: &Scene<'a>) -> Vec<(&'a str, String, Vec<&'a str>)> {
    let Some(service) = scene.service() else { return Vec::new() };
    let mut told: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for metric in &service.columns {
        for at in service.region_indexes() {
            let Some(region) = scene.region(at) else { continue };
            let Some((_, Err(why))) = region.state.current.get(metric.name.as_str()) else { continue };
            let why = safe(&why.to_string(), LONGEST);
            match told.iter_mut().find(|(column, known, _)| *column == &*metric.title && *known == why) {
                Some((.., regions)) => regions.push(region.spec.name.as_str()),
                None => told.push((&metric.title, why, vec![region.spec.name.as_str()])),
            }
        }
    }
    told
}

/// Mean over the regions that still run the old version, by traffic where it is known.
struct Baseline {
    value: Option<f64>,
    of: Option<crate::domain::id::ColumnName>,
}

impl Baseline {
    fn of(scene: &Scene<'_>) -> Self {
        let Some(service) = scene.service() else { return Self { value: None, of: None } };
        let Some(metric) = compared(&service.columns) else { return Self { value: None, of: None } };
        let (mut sum, mut weights) = (0.0, 0.0);
        for at in service.region_indexes() {
            let Some(region) = scene.region(at) else { continue };
            let old = region.view.is_some_and(|v| v.on_new == Some(false)) && !region.is_stale(scene.clock);
            let value = region.state.current.get(metric.name.as_str()).and_then(|(_, r)| r.as_ref().ok());
            if let (true, Some(value)) = (old, value) {
                let weight = region.view.and_then(|v| v.share).unwrap_or(1.0).max(1e-9);
                sum += value * weight;
                weights += weight;
            }
        }
        let value = (weights > 0.0).then(|| sum / weights);
        Self { value, of: Some(metric.name.clone()) }
    }
}

fn delta(scene: &Scene<'_>, region: &RegionScene<'_>, metric: &Metric, baseline: &Baseline) -> Cell {
    let Some(view) = region.view else { return Cell::new(Role::Dim, "–") };
    let none = Cell::new(Role::Dim, "–");
    // A region without live traffic is no match for those that have it.
    let measured = scene.service().is_some_and(|s| s.traffic_column().is_some());
    let alike = !measured || view.share.is_some_and(|s| s > 0.0);
    match (view.on_new, baseline.value, region.state.current.get(metric.name.as_str())) {
        (_, _, Some((_, Err(_)))) => Cell::new(Role::NoData, "?"),
        (Some(false), Some(_), Some((_, Ok(_)))) => Cell::new(Role::Dim, "base"),
        (Some(true), Some(base), Some((_, Ok(value))))
            if base > 0.0 && alike && baseline.of.as_ref() == Some(&metric.name) =>
        {
            let change = value / base - 1.0;
            let worse = match metric.better {
                Better::Higher => -change,
                _ => change,
            };
            let percent = change * 100.0;
            let text =
                if percent.abs() >= 999.5 { format!("×{:.1}", value / base) } else { format!("{percent:+.0} %") };
            if worse >= WORSE { Cell::new(Role::Watch, format!("{text} !")) } else { Cell::new(Role::Text, text) }
        }
        _ => none,
    }
}

/// The worst hour since the bake began, with the hour in UTC.
fn worst_hour(region: &RegionScene<'_>, metric: &Metric) -> Cell {
    let Some(windows) = region.state.windows.get(metric.name.as_str()) else { return Cell::new(Role::Dim, "–") };
    let mut hours: std::collections::BTreeMap<i64, (f64, u32)> = std::collections::BTreeMap::new();
    let since = region.state.settled.map_or(Timestamp::MIN, |s| s.at);
    for (end, value) in windows.known_from(since) {
        // A window belongs to the hour that it began in.
        let hour = hours.entry((end.as_second() - 1).div_euclid(3_600)).or_insert((0.0, 0));
        hour.0 += value;
        hour.1 += 1;
    }
    let means = hours.into_iter().map(|(hour, (sum, n))| (hour, sum / f64::from(n.max(1))));
    let worse = |a: f64, b: f64| if metric.better == Better::Higher { b.total_cmp(&a) } else { a.total_cmp(&b) };
    match means.max_by(|a, b| worse(a.1, b.1)) {
        Some((hour, mean)) => {
            let text = format!("{} {:02}h", figure(mean, metric.unit), hour.rem_euclid(24));
            Cell::new(Role::Text, text)
        }
        None => Cell::new(Role::Dim, "–"),
    }
}

/// One scale for all rows, so that they can be compared.
fn spark_top(scene: &Scene<'_>, rows: &[RegionIx]) -> f64 {
    let Some(metric) = scene.service().and_then(|s| compared(&s.columns)) else { return 0.0 };
    rows.iter()
        .filter_map(|at| scene.region(*at)?.state.history.get(metric.name.as_str()))
        .flatten()
        .map(|(_, v)| *v)
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max)
        // Half as much again: an ordinary hour stays low, and a spike stands out.
        * 1.5
}
