//! The top line: what a person walking past must read, at every size.

use ratatui::layout::Rect;

use crate::app::{App, Mode};
use crate::domain::fleet::Unit;
use crate::domain::stamp::{SignedDuration, short};
use crate::domain::text::{safe, several};
use crate::engine::operation::{Operation, Outcome};
use crate::engine::view::{Heard, ReleasePhase};
use crate::look::glyph::{Sign, release_word};
use crate::look::{Canvas, Line, Role, spark};
use crate::panes::scene::{between, utc_minute, utc_time};
use crate::panes::timeline;

/// Draws the top line: what was left out for lack of room went out from the least important.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let clock = clock(app, area.width);
    let wide = u16::try_from(clock.width()).unwrap_or(0);
    let room = area.width.saturating_sub(wide + 2);
    canvas.line(area.x, area.y, room, &line(app, room));
    canvas.line(area.right().saturating_sub(wide + 1), area.y, wide, &clock);
}

fn clock(app: &App, width: u16) -> Line {
    let now = app.clock.wall;
    let text = if width >= 100 {
        format!("{} {} UTC", now.strftime("%-d %b"), utc_time(now))
    } else {
        format!("{} UTC", utc_time(now))
    };
    Line::of(Role::Dim, text)
}

/// A part of the line, with shorter ways to say it; the last may be nothing.
struct Part {
    /// Longest first.
    ways: Vec<Line>,
    /// For each step to a shorter way, how gladly it is taken: the highest number goes first.
    gives_way: Vec<u8>,
}

impl Part {
    fn new(ways: Vec<Line>, gives_way: &[u8]) -> Self {
        Self { ways, gives_way: gives_way.to_vec() }
    }
}

/// The line in so many columns.
pub fn line(app: &App, width: u16) -> Line {
    let parts = parts(app);
    let mut chosen = vec![0usize; parts.len()];
    // Measured once: names may be of any length.
    let wide = |l: &Line| if l.spans.is_empty() { 0 } else { l.width() + 3 };
    let widths: Vec<Vec<usize>> = parts.iter().map(|p| p.ways.iter().map(wide).collect()).collect();
    let total = |chosen: &[usize]| {
        widths.iter().zip(chosen).map(|(ways, way)| ways.get(*way).copied().unwrap_or(0)).sum::<usize>()
    };
    while total(&chosen) > usize::from(width) {
        let shortest = |at: usize| parts.get(at).map_or(0, |p| p.ways.len().saturating_sub(1));
        let next = chosen
            .iter()
            .enumerate()
            .filter(|(at, way)| **way < shortest(*at))
            .max_by_key(|(at, way)| (parts.get(*at).and_then(|p| p.gives_way.get(**way)).copied().unwrap_or(0), *at))
            .map(|(at, _)| at);
        let Some(way) = next.and_then(|at| chosen.get_mut(at)) else { break };
        *way += 1;
    }
    let mut line = Line::of(Role::Dim, " ");
    let mut first = true;
    for (part, way) in parts.iter().zip(&chosen) {
        let Some(text) = part.ways.get(*way).filter(|l| !l.spans.is_empty()) else { continue };
        if !first {
            line = line.add(Role::Dim, "   ");
        }
        first = false;
        line = line.join(text.clone());
    }
    line
}

fn parts(app: &App) -> Vec<Part> {
    let mut parts = vec![name(app)];
    parts.extend(badges(app));
    parts.extend(guard(app));
    parts.extend(policy(app));
    parts.extend(rollback_clock(app));
    parts.push(release(app));
    parts.extend(holds(app));
    parts.extend(forgotten(app));
    parts.extend(unreachable(app));
    parts.extend(alarms(app));
    parts.extend(exposure(app));
    parts.extend(outlook(app));
    parts.extend(last_raised(app));
    parts
}

fn name(app: &App) -> Part {
    let service = app.scene().service().map_or("?", |s| s.name.as_str());
    let full = Line::of(Role::Dim, "gonogo · ").add(Role::Strong, service);
    Part::new(vec![full, Line::of(Role::Strong, service)], &[8])
}

/// Which guard is armed, in how many regions, and when it was heard last; a silent one is an alarm.
fn guard(app: &App) -> Option<Part> {
    let state = app.engine.services.get(app.scene().at().at())?;
    let seen: Vec<_> = state.regions.iter().filter_map(|r| r.guard.as_ref()).filter(|g| !g.holder.is_empty()).collect();
    let alive: Vec<_> = seen.iter().filter(|g| g.alive(app.engine.now)).collect();
    let beat = seen.iter().map(|g| app.clock.since(g.changed)).min()?;
    let beat = short(SignedDuration::try_from(beat).unwrap_or(SignedDuration::MAX));
    // The most that any of them may do.
    let mode = ["autopilot", "guard", "advise"].into_iter().find(|m| alive.iter().any(|g| &*g.mode == *m));
    let (dead, all) = (seen.len() - alive.len(), state.regions.len());
    let Some(mode) = mode else {
        let way = |text: String| Line::of(Role::Alarm, text);
        return Some(Part::new(vec![way(format!(" GUARD SILENT {beat} ")), way(" GUARD SILENT ".to_owned())], &[3]));
    };
    let role = if dead > 0 { Role::Watch } else { Role::Accent };
    let silent = if dead > 0 { format!(", {dead} silent") } else { String::new() };
    let long = format!("guard {} {}/{all} ♥ {beat}{silent}", mode.to_uppercase(), alive.len());
    let middle = format!("guard {} ♥ {beat}{}", mode.to_uppercase(), if dead > 0 { " !" } else { "" });
    let least = format!("♥{mode} {beat}{}", if dead > 0 { " !" } else { "" });
    let ways = [long, middle, least].map(|text| Line::of(role, text));
    Some(Part::new(ways.into(), &[9, 5]))
}

/// Others judge by another policy.
fn policy(app: &App) -> Option<Part> {
    let view = app.scene().view()?;
    let first = view.policies.first()?;
    let who = if first.guards { format!("guard {}", first.who) } else { first.who.to_string() };
    let way = |text: String| Line::of(Role::Watch, text);
    let ways = vec![
        way(format!("! POLICY of {who} is not ours: :policy")),
        way("! POLICY differs: :policy".to_owned()),
        way("!POLICY".to_owned()),
    ];
    Some(Part::new(ways, &[10, 6]))
}

/// How long the region that must go back first has been on what was found bad, against what its policy allows.
fn rollback_clock(app: &App) -> Option<Part> {
    let scene = app.scene();
    let view = scene.view()?;
    let first = view.rollback_clock()?;
    let now = app.clock.wall;
    let count = minutes_of(first.elapsed(now));
    let limit = minutes_of(SignedDuration::try_from(first.limit).unwrap_or(SignedDuration::MAX));
    let others = if view.incidents.len() > 1 { format!(" (+{})", view.incidents.len() - 1) } else { String::new() };
    let region = scene.region_name(first.region);
    let ways = if first.overdue(now) {
        [
            format!(" ROLLBACK OVERDUE {count} of {limit} {region}{others} "),
            format!(" ROLLBACK OVERDUE {count} of {limit} "),
            format!(" OVERDUE {count} "),
        ]
        .map(|text| Line::of(Role::Alarm, text))
    } else {
        [
            format!("rollback clock {count} of {limit} {region}{others}"),
            format!("rollback clock {count} of {limit}"),
            format!("rollback {count}"),
        ]
        .map(|text| Line::of(Role::Watch, text))
    };
    Some(Part::new(ways.into(), &[8, 2]))
}

/// `03:12`, and from an hour on `1:03:12`.
fn minutes_of(length: SignedDuration) -> String {
    let total = length.as_secs().max(0);
    let (hours, minutes, seconds) = (total / 3_600, total / 60 % 60, total % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// A pause that somebody may have forgotten.
fn forgotten(app: &App) -> Option<Part> {
    let scene = app.scene();
    let forgotten = &scene.view()?.forgotten;
    let (at, since) = forgotten.iter().min_by_key(|(_, since)| *since)?;
    let length = between(*since, app.clock.wall);
    let more = if forgotten.len() > 1 { format!(" (+{})", forgotten.len() - 1) } else { String::new() };
    let way = |text: String| Line::of(Role::Alarm, text);
    let glyph = Sign::Held.glyph();
    let ways = vec![
        way(format!(" {glyph} {} PAUSED {length}{more}: forgotten? ", scene.region_name(*at))),
        way(format!(" {glyph} PAUSED {length}? ")),
    ];
    Some(Part::new(ways, &[4]))
}

/// When the next ring could be promoted, and when all would be done.
fn outlook(app: &App) -> Option<Part> {
    let scene = app.scene();
    let view = scene.view()?;
    let now = app.clock.wall;
    let next = timeline::next_promotion(&scene).filter(|(_, at)| *at > now);
    let next = next.map(|(ring, at)| format!("{} from {}", scene.ring_name(ring), timeline::clock_of(at, now)));
    let done = view.eta.filter(|at| *at > now).map(|at| format!("done ~{} UTC", timeline::clock_of(at, now)));
    let long: Vec<String> = next.into_iter().chain(done.clone()).collect();
    if long.is_empty() {
        return None;
    }
    let way = |text: String| Line::of(Role::Dim, text);
    let ways = vec![way(long.join(" · ")), way(done.unwrap_or_else(|| long.join(" · "))), Line::new()];
    Some(Part::new(ways, &[13, 12]))
}

fn badges(app: &App) -> Vec<Part> {
    let badge = |text: &str| Part::new(vec![Line::of(Role::Alarm, format!(" {text} "))], &[]);
    let mut badges = Vec::new();
    match &app.setup.mode {
        Mode::Console => {}
        Mode::ReadOnly(_) => badges.push(badge("READ-ONLY")),
        Mode::Watch { .. } => {
            badges.push(Part::new(vec![Line::of(Role::Accent, "WATCH"), Line::new()], &[12]));
        }
        Mode::Replay => badges.push(badge("REPLAY")),
    }
    if let Some((user, _)) = &app.setup.acting_as {
        badges.push(badge(&format!("AS {}", safe(user, 24))));
    }
    // It stands until something was journaled again: what was refused was not sent, and says nothing.
    let sent = |o: &&Operation| !matches!(o.ended, Some((_, Outcome::Refused, _)));
    let operation = app.engine.operations.iter().rev().find(sent).is_some_and(|o| o.unjournaled.is_some());
    if operation || (app.setup.unjournaled.is_some() && app.setup.mode == Mode::Console) {
        badges.push(badge("UNJOURNALED"));
    }
    badges
}

fn release(app: &App) -> Part {
    let scene = app.scene();
    let Some(view) = scene.view() else { return Part::new(vec![Line::new()], &[]) };
    let release = &view.release;
    let versions = match (&release.from, &release.to) {
        (Some(from), Some(to)) if from != to => {
            Line::of(Role::Text, format!("{from} → ")).add(Role::Strong, to.to_string())
        }
        (Some(version), _) | (None, Some(version)) => Line::of(Role::Text, version.to_string()),
        (None, None) => Line::new(),
    };
    // The hold itself says so, in its own part.
    if release.phase == ReleasePhase::Held && !view.holds.is_empty() {
        return Part::new(vec![versions, Line::new()], &[4]);
    }
    let sign = Sign::of_release(release.phase);
    let role = if release.phase == ReleasePhase::Steady { Role::Dim } else { sign.role() };
    let ring = release.ring.map(|r| format!(" {}", scene.ring_name(r))).unwrap_or_default();
    let word = Line::of(role, format!("{} {}{ring}", sign.glyph(), release_word(release.phase)));
    let gap = if versions.spans.is_empty() { "" } else { "   " };
    let full = versions.clone().add(Role::Dim, gap).join(word.clone());
    let tight = versions.add(Role::Dim, if gap.is_empty() { "" } else { " " }).join(word.clone());
    let short = Line::of(role, format!("{} {}", sign.glyph(), release_word(release.phase)));
    let glyph = Line::of(role, sign.glyph().to_string());
    Part::new(vec![full, tight, word, short, glyph], &[7, 4, 3, 1])
}

/// `‖ HELD ring-2 by oncall 4m05s “reason”`; a hold that is not yet a majority's says so.
fn holds(app: &App) -> Vec<Part> {
    let Some(view) = app.scene().view() else { return Vec::new() };
    let glyph = Sign::Held.glyph();
    let many = view.holds.len();
    let Some(hold) = view.holds.last() else { return Vec::new() };
    let age = hold.at.map(|at| format!(" {}", between(at, app.clock.wall))).unwrap_or_default();
    let head = format!("{glyph} {}", hold.headline(many));
    // A long reason must not take the place of who holds.
    let clip = |text: &str, most: usize| match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    let reason = if hold.reason.is_empty() { String::new() } else { format!(" “{}”", clip(&hold.reason, 48)) };
    let by = format!(" by {}", clip(hold.by.as_str(), 40));
    let way = |text: String| Line::of(Role::Held, text);
    let ways = vec![
        way(format!("{head}{by}{age}{reason}")),
        way(format!("{head}{by}{age}")),
        way(head),
        way(format!("{glyph} {many} HELD")),
    ];
    vec![Part::new(ways, &[6, 5, 2])]
}

fn unreachable(app: &App) -> Vec<Part> {
    let scene = app.scene();
    let Some(view) = scene.view() else { return Vec::new() };
    let lost: Vec<_> = view
        .regions
        .iter()
        .enumerate()
        .filter(|(_, r)| matches!(r.heard, Heard::Lost { .. } | Heard::Late(_)))
        .filter_map(|(at, _)| scene.region(at.into()))
        .collect();
    let Some(first) = lost.first() else { return Vec::new() };
    let glyph = Sign::Stale.glyph();
    let trouble = first.trouble(scene.clock).unwrap_or_default();
    let way = |text: String| Line::of(Role::Watch, text);
    let count = format!("{glyph} {} unreachable", lost.len());
    let ways = if lost.len() == 1 {
        vec![
            way(format!("{glyph} {} {trouble}", first.spec.name)),
            way(format!("{glyph} {} unreachable", first.spec.name)),
            way(count),
        ]
    } else {
        let names: Vec<&str> = lost.iter().map(|r| r.spec.name.as_str()).collect();
        vec![way(format!("{count}: {}", names.join(", "))), way(count)]
    };
    vec![Part::new(ways, &[5, 2])]
}

fn alarms(app: &App) -> Vec<Part> {
    let Some(view) = app.scene().view() else { return Vec::new() };
    let Some(first) = view.alarms.first() else { return Vec::new() };
    let more = if view.alarms.len() > 1 { format!(" (+{})", view.alarms.len() - 1) } else { String::new() };
    let short = format!("! {}: x", several(view.alarms.len(), "alarm"));
    let ways = vec![
        Line::of(Role::Watch, format!("! {first}{more}")),
        Line::of(Role::Watch, short),
        Line::of(Role::Watch, "!"),
    ];
    vec![Part::new(ways, &[9, 4])]
}

fn exposure(app: &App) -> Vec<Part> {
    let Some(view) = app.scene().view() else { return Vec::new() };
    if matches!(view.release.phase, ReleasePhase::Steady | ReleasePhase::Unknown) {
        return Vec::new();
    }
    let part = |long: Line, short: Line| Part::new(vec![long, short, Line::new()], &[11, 10]);
    match view.exposure {
        None => vec![part(Line::of(Role::NoData, "exposure ?"), Line::new())],
        Some(share) => {
            let short = Line::of(Role::Dim, "exposure ").add(Role::Text, Unit::Ratio.show(share));
            let (full, rest) = spark::bar(share, 8);
            let long = short.clone().add(Role::Spark, format!(" {full}")).add(Role::Border, rest);
            vec![part(long, short)]
        }
    }
}

fn last_raised(app: &App) -> Vec<Part> {
    let Some(raised) = app.scene().view().and_then(|v| v.last_raised.as_ref()) else { return Vec::new() };
    let long = format!("raised by {} {} ({})", raised.by, utc_minute(raised.at), raised.what);
    let old = app.clock.wall.duration_since(raised.at) > SignedDuration::from_hours(24 * 30);
    if old {
        return Vec::new();
    }
    let ways = vec![Line::of(Role::Dim, long), Line::of(Role::Dim, format!("raised by {}", raised.by)), Line::new()];
    vec![Part::new(ways, &[14, 13])]
}
