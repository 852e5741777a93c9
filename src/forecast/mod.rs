//! Plays a release by its policy on a world of its own: when each ring could be promoted, what waits
//! for what, and when it would all be over.
//!
//! The rules are those of the gates: what hangs on time (bakes, coverage, windows, freezes) is asked of
//! the gate itself, at the moments of the forecast. Whatever hangs on the world is assumed to say GO, and
//! people are assumed to answer; what was assumed is said. Pure: nothing here knows what time it is.

mod enter;
mod leave;
mod stage;

use crate::domain::fleet::{GateSpec, Ring, Service};
use crate::domain::gate::HangsOn;
use crate::domain::id::{RegionIx, RingIx, Text};
use crate::domain::policy::Advance;
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::gates::{approval_rules, gate_type};

use stage::Stage;
pub use stage::{entry_opens, exit_minimum};

/// What a forecast rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When the release begins.
    pub from: Timestamp,
    /// How far is looked ahead.
    pub span: SignedDuration,
    /// How long people take to answer: an approval, a step of a checklist, a promotion.
    pub people: SignedDuration,
    /// How long a region's rollout takes.
    pub rollout: SignedDuration,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// What it rests on.
    pub terms: Terms,
    /// Rings, earliest first, up to the one that is stuck.
    pub rings: Vec<RingForecast>,
    /// When the last ring would be through; none: not within the span.
    pub finish: Option<Timestamp>,
    /// Why it ends before the last ring is through.
    pub stuck: Option<Stuck>,
    /// What was assumed, one sentence each.
    pub assumed: Vec<String>,
}

/// One ring of a forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct RingForecast {
    /// Which.
    pub ring: RingIx,
    /// When the rings before it let it start.
    pub due: Timestamp,
    /// What it waited for before its first promotion, and between its regions.
    pub entry_waits: Vec<Wait>,
    /// Its regions, in promotion order; those that were reached.
    pub regions: Vec<RegionForecast>,
    /// When its last region would have settled.
    pub settled: Option<Timestamp>,
    /// What it then waited for.
    pub exit_waits: Vec<Wait>,
    /// When its exit gates would let the next ring start.
    pub done: Option<Timestamp>,
    /// What a person would be shown and have to type for.
    pub findings: Vec<String>,
}

/// One region of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionForecast {
    /// Which.
    pub region: RegionIx,
    /// When it would be promoted at the earliest.
    pub promote: Timestamp,
    /// When its rollout would be complete.
    pub settled: Timestamp,
}

/// A stretch in which a release stands still.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The gate's label, or what else it is.
    pub what: Text,
    /// The region whose gate it is; none: the ring.
    pub region: Option<RegionIx>,
    /// From.
    pub from: Timestamp,
    /// To.
    pub until: Timestamp,
}

/// Why a release would not get further.
#[derive(Clone, Debug, PartialEq)]
pub struct Stuck {
    /// In or before which ring.
    pub ring: RingIx,
    /// The gate, or what else it is.
    pub what: Text,
    /// Whose gate.
    pub region: Option<RegionIx>,
    /// Why, as a sentence.
    pub why: String,
}

/// Heading of the least time between rings.
const DISTANCE: &str = "ring distance";
/// Heading of the soak between regions.
pub const SOAK: &str = "soak";
/// Heading of people's answers.
const PEOPLE: &str = "people";

/// Plays a release of a service.
pub fn play(service: &Service, terms: Terms) -> Forecast {
    let mut player = Player {
        service,
        terms,
        until: terms.from.saturating_add(terms.span).unwrap_or(Timestamp::MAX),
        changed: None,
    };
    let mut forecast =
        Forecast { terms, rings: Vec::new(), finish: None, stuck: None, assumed: assumptions(service, &terms) };
    let mut due = terms.from;
    for ring in (0..service.rings.len()).map(RingIx::from) {
        let mut told = RingForecast {
            ring,
            due,
            entry_waits: Vec::new(),
            regions: Vec::new(),
            settled: None,
            exit_waits: Vec::new(),
            done: None,
            findings: Vec::new(),
        };
        let played = player.ring(&mut told);
        forecast.rings.push(told);
        match played {
            Ok(done) => due = done,
            Err(stuck) => {
                forecast.stuck = Some(*stuck);
                return forecast;
            }
        }
    }
    forecast.finish = Some(due).filter(|_| !service.rings.is_empty());
    forecast
}

struct Player<'a> {
    service: &'a Service,
    terms: Terms,
    /// Nothing later is looked at.
    until: Timestamp,
    /// The newest promotion in an earlier ring.
    changed: Option<Timestamp>,
}

impl Player<'_> {
    fn ring(&mut self, told: &mut RingForecast) -> Result<Timestamp, Box<Stuck>> {
        let Some(ring) = self.service.ring(told.ring) else { return Ok(told.due) };
        let stage = Stage::new(self.service, told.ring);
        let policy = self.service.policy.ring(told.ring);
        let mut at = told.due;
        if let Some(earliest) = self.changed.and_then(|c| plus_std(c, policy.ring_distance)) {
            at = self.pause(told, DISTANCE, None, at, earliest);
        }
        if self.people_answer(ring, told.ring) {
            let answered = plus(told.due, self.terms.people);
            at = self.pause(told, PEOPLE, None, at, answered);
        }
        // What a promotion carries out: region by region, or all of one soak after the other.
        let soak = self.service.soak(told.ring);
        let mut settled = at;
        if soak.is_some() {
            for region in &ring.regions {
                at = self.enter(&stage, told, at)?;
                settled = plus(at, self.terms.rollout);
                told.regions.push(RegionForecast { region: *region, promote: at, settled });
                self.changed = Some(at);
                let next = soak.and_then(|s| plus_std(settled, s)).unwrap_or(settled);
                let last = told.regions.len() == ring.regions.len();
                at = if last { settled } else { self.pause(told, SOAK, Some(*region), settled, next) };
            }
        } else {
            at = self.enter(&stage, told, at)?;
            let together = usize::try_from(ring.parallelism).unwrap_or(1).max(1);
            for batch in ring.regions.chunks(together) {
                settled = plus(at, self.terms.rollout);
                told.regions.extend(batch.iter().map(|region| RegionForecast {
                    region: *region,
                    promote: at,
                    settled,
                }));
                self.changed = Some(at);
                at = settled;
            }
        }
        told.settled = Some(settled);
        let done = self.leave(&stage, told, settled)?;
        // A ring lets the next one start no earlier than the rings before it do.
        let done = done.max(told.due);
        if done > self.until {
            let why = format!("{} would be through {}, after the end of the forecast", ring.name, utc(done));
            return Err(Box::new(Stuck { ring: told.ring, what: "time".into(), region: None, why }));
        }
        told.done = Some(done);
        Ok(done)
    }

    /// Stands still from one moment to another, if that is later.
    fn pause(
        &self,
        told: &mut RingForecast,
        what: &str,
        region: Option<RegionIx>,
        from: Timestamp,
        until: Timestamp,
    ) -> Timestamp {
        if until > from {
            told.entry_waits.push(Wait { what: what.into(), region, from, until });
        }
        until.max(from)
    }

    /// Whether somebody has to answer before the ring is promoted. The first ring begins when
    /// somebody begins the release.
    fn people_answer(&self, ring: &Ring, at: RingIx) -> bool {
        let asks = ring.entry_gates.iter().any(|g| hangs_on(g) == HangsOn::People);
        asks || (at.0 > 0 && self.service.policy.ring(at).advance != Advance::Auto)
    }
}

/// What a gate's answer hangs on; an unknown type hangs on the world.
fn hangs_on(spec: &GateSpec) -> HangsOn {
    gate_type(&spec.gate).map_or(HangsOn::World, |gate| gate.hangs_on())
}

/// What is assumed of a service's release.
fn assumptions(service: &Service, terms: &Terms) -> Vec<String> {
    let mut out = vec![
        format!("the release begins {}, and nobody holds, drains or rolls back anything", utc(terms.from)),
        format!("a region's rollout takes {}", short(terms.rollout)),
    ];
    let labels = |wanted: HangsOn| {
        let gates = service.rings.iter().flat_map(|r| r.exit_gates.iter().chain(&r.entry_gates));
        let mut labels: Vec<&str> = Vec::new();
        for gate in gates.filter(|g| hangs_on(g) == wanted) {
            if !labels.contains(&&*gate.label) {
                labels.push(&gate.label);
            }
        }
        labels.join(", ")
    };
    let world = labels(HangsOn::World);
    if !world.is_empty() {
        out.push(format!("these say GO at once, with samples for every window: {world}"));
    }
    let advance = |wanted: &[Advance]| {
        let rings = service.rings.iter().enumerate().skip(1);
        let rings = rings.filter(|(at, _)| wanted.contains(&service.policy.ring(RingIx::from(*at)).advance));
        rings.map(|(_, r)| r.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let people = short(terms.people);
    for ring in &service.rings {
        for rule in approval_rules(ring) {
            let name = &ring.name;
            let who = rule.who();
            out.push(format!("{name}: {} of {who} approve within {people} of when it is due", rule.count));
        }
        let lists = ring.entry_gates.iter().chain(&ring.exit_gates);
        let lists = lists.filter(|g| hangs_on(g) == HangsOn::People && &*g.gate != "approval");
        for list in lists {
            out.push(format!("{}: the steps of {} are done within {people}", ring.name, list.label));
        }
    }
    let asked = advance(&[Advance::Ask, Advance::TwoPerson]);
    if !asked.is_empty() {
        out.push(format!("people promote {asked} within {people} of when the rings before let them"));
    }
    let auto = advance(&[Advance::Auto]);
    if !auto.is_empty() {
        out.push(format!("a guard in autopilot promotes {auto}"));
    }
    out
}

/// A moment in UTC, as sentences have it.
fn utc(at: Timestamp) -> String {
    at.strftime("%a %Y-%m-%d %H:%M UTC").to_string()
}

/// A moment later by a length; the last moment there is where that overflows.
fn plus(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn plus_std(at: Timestamp, by: std::time::Duration) -> Option<Timestamp> {
    Some(plus(at, SignedDuration::try_from(by).ok()?))
}
