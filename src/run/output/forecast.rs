//! `gonogo check --simulate`: a played release as a timeline in text, and as JSON.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{VERSION, table};
use crate::domain::calendar::local_and_utc;
use crate::domain::fleet::{Ring, Service};
use crate::domain::id::RegionIx;
use crate::domain::stamp::{Timestamp, short};
use crate::domain::zone;
use crate::forecast::{Forecast, RegionForecast, RingForecast, SOAK, Wait};

/// So many regions of a ring have lines of their own.
const MOST_REGIONS: usize = 12;
/// So many waits of a ring have lines of their own.
const MOST_WAITS: usize = 8;

/// For people.
pub fn text(played: &[(&Service, Forecast)]) -> String {
    let mut out = String::new();
    for (service, forecast) in played {
        if !out.is_empty() {
            out.push('\n');
        }
        one(&mut out, service, forecast);
    }
    out
}

fn one(out: &mut String, service: &Service, forecast: &Forecast) {
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    let terms = &forecast.terms;
    line(&format!("{}: a release that begins {}, {} ahead", service.name, utc(terms.from), short(terms.span)));
    for told in &forecast.rings {
        let Some(ring) = service.ring(told.ring) else { continue };
        line("");
        line(&format!("{}{}", ring.name, ring.label.as_ref().map_or_else(String::new, |l| format!("  {l}"))));
        for text in ring_lines(service, ring, told) {
            line(&format!("  {text}"));
        }
    }
    line("");
    match (&forecast.finish, &forecast.stuck) {
        (Some(finish), _) => {
            let took = short(finish.duration_since(terms.from));
            line(&format!("earliest finish: {} ({took} after it began)", utc(*finish)));
            promises(service, forecast, *finish).iter().for_each(|text| line(text));
        }
        (None, Some(stuck)) => {
            let ring = service.ring(stuck.ring).map_or("?", |r| r.name.as_str());
            line(&format!("it does not finish within {}: {ring} waits for {}", short(terms.span), stuck.what));
            line(&format!("  {}", stuck.why));
        }
        (None, None) => line("it has no ring: there is nothing to release"),
    }
    line("");
    line("assumed:");
    for text in &forecast.assumed {
        line(&format!("  {text}"));
    }
}

/// What the policy promises and the forecast does not keep.
fn promises(service: &Service, forecast: &Forecast, finish: Timestamp) -> Vec<String> {
    let took = finish.duration_since(forecast.terms.from);
    let longest = service.policy.longest.and_then(|l| l.try_into().ok()).filter(|longest| took > *longest);
    longest.map(|l| format!("  longer than the {} that its policy promises", short(l))).into_iter().collect()
}

fn ring_lines(service: &Service, ring: &Ring, told: &RingForecast) -> Vec<String> {
    let mut events = waits(service, &told.entry_waits);
    let all = told.regions.as_slice();
    let row = |r: &RegionForecast| {
        let promote = format!("promote {}", local(service, r.region, r.promote));
        vec![name(service, r.region), promote, format!("settled {}", r.settled.strftime("%a %H:%M UTC"))]
    };
    // Of many the first ones and the last.
    let last = all.len().saturating_sub(1);
    let shown: Vec<&RegionForecast> =
        all.iter().enumerate().filter(|(n, _)| *n < MOST_REGIONS || *n == last).map(|(_, r)| r).collect();
    let rows: Vec<Vec<String>> = shown.iter().map(|r| row(r)).collect();
    let texts = table(&rows, &[]);
    for (n, (region, text)) in shown.iter().zip(texts.lines()).enumerate() {
        if n == MOST_REGIONS && all.len() > MOST_REGIONS + 1 {
            events.push((region.promote, format!("… {} more", all.len() - MOST_REGIONS - 1)));
        }
        events.push((region.promote, text.to_owned()));
    }
    events.sort_by_key(|(at, _)| *at);
    let mut lines: Vec<String> = events.into_iter().map(|(_, text)| text).collect();
    let soak = service.soak(told.ring).filter(|_| all.len() > 1).and_then(|s| s.try_into().ok());
    lines.extend(soak.map(|soak| format!("soak    {} between its regions", short(soak))));
    lines.extend(told.findings.iter().map(|f| format!("! {f}")));
    if let (Some(settled), Some(done)) = (told.settled, told.done) {
        // What decides, not what is over before.
        let longest = told.exit_waits.iter().max_by_key(|w| w.until).filter(|w| w.until > settled);
        let by =
            longest.map_or_else(String::new, |w| format!(" ({}, {})", w.what, short(w.until.duration_since(settled))));
        let first = ring.regions.first().copied();
        let when = first.map_or_else(|| utc(done), |at| local(service, at, done));
        lines.push(format!("done    {when}{by}"));
    }
    lines
}

/// Waits with the moment at which they begin; regions that wait in turn for one thing share a line.
/// Soaks are told once for the ring.
fn waits(service: &Service, waits: &[Wait]) -> Vec<(Timestamp, String)> {
    let mut lines = Vec::new();
    let waits: Vec<&Wait> = waits.iter().filter(|w| &*w.what != SOAK).collect();
    for run in waits.chunk_by(|a, b| a.what == b.what && a.until == b.from) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let mut names: Vec<String> = Vec::new();
        for at in run.iter().filter_map(|w| w.region) {
            let name = name(service, at);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let whose = match names.as_slice() {
            [] => String::new(),
            [one] => format!(" of {one}"),
            [some @ .., last] if names.len() <= 4 => format!(" of {} and {last}, in turn", some.join(", ")),
            some => format!(" of {} regions, in turn", some.len()),
        };
        let until = last.region.map_or_else(|| utc(last.until), |at| local(service, at, last.until));
        let length = short(last.until.duration_since(first.from));
        lines.push((first.from, format!("waits   {length} for {}{whose}, until {until}", first.what)));
    }
    let more = lines.len().saturating_sub(MOST_WAITS);
    if more > 0 {
        lines.truncate(MOST_WAITS);
        let at = lines.last().map_or(Timestamp::MIN, |(at, _)| *at);
        lines.push((at, format!("waits   {more} times more; -o json has them all")));
    }
    lines
}

fn name(service: &Service, at: RegionIx) -> String {
    service.region(at).map_or_else(|| "?".to_owned(), |r| r.name.to_string())
}

/// A moment as the region's people and all others read it.
fn local(service: &Service, at: RegionIx, moment: Timestamp) -> String {
    let zone = service.region(at).and_then(|r| zone::zone(r.zone.as_deref()?));
    zone.map_or_else(|| utc(moment), |zone| local_and_utc(moment, &zone))
}

fn utc(at: Timestamp) -> String {
    local_and_utc(at, &TimeZone::UTC)
}

/// For scripts.
pub fn json(played: &[(&Service, Forecast)]) -> Value {
    let services: Vec<Value> = played.iter().map(|(service, forecast)| service_json(service, forecast)).collect();
    json!({"version": VERSION, "kind": "forecast", "services": services})
}

fn service_json(service: &Service, forecast: &Forecast) -> Value {
    let region = |at: Option<RegionIx>| at.map(|at| name(service, at));
    let ring = |at| service.ring(at).map(|r| r.name.to_string());
    let wait = |w: &Wait| json!({"for": w.what, "region": region(w.region), "from": w.from, "until": w.until});
    let rings: Vec<Value> = forecast
        .rings
        .iter()
        .map(|told| {
            let regions = told.regions.iter().map(|r| {
                let zone = service.region(r.region).and_then(|spec| spec.zone.clone());
                let zoned = zone.as_deref().and_then(zone::zone).map(|z| r.promote.to_zoned(z));
                json!({
                    "region": name(service, r.region), "promote": r.promote, "settled": r.settled,
                    "promote_local": zoned.map(|z| z.to_string()),
                })
            });
            json!({
                "ring": ring(told.ring), "due": told.due, "settled": told.settled, "done": told.done,
                "regions": regions.collect::<Vec<_>>(), "findings": told.findings,
                "entry_waits": told.entry_waits.iter().map(wait).collect::<Vec<_>>(),
                "exit_waits": told.exit_waits.iter().map(wait).collect::<Vec<_>>(),
            })
        })
        .collect();
    let stuck = forecast
        .stuck
        .as_ref()
        .map(|s| json!({"ring": ring(s.ring), "for": s.what, "region": region(s.region), "why": s.why}));
    let terms = &forecast.terms;
    json!({
        "service": service.name, "from": terms.from, "span_seconds": terms.span.as_secs(),
        "people_seconds": terms.people.as_secs(), "rollout_seconds": terms.rollout.as_secs(),
        "rings": rings, "finish": forecast.finish, "stuck": stuck, "assumed": forecast.assumed,
    })
}
