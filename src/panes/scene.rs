//! What every pane is drawn from: the engine, what is picked, and the moment.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::domain::fleet::{Region, Ring, Service};
use crate::domain::id::{RegionIx, RingIx, ServiceIx};
use crate::domain::link::Freshness;
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp, short};
use crate::engine::Engine;
use crate::engine::state::{ClusterState, RegionState, ServiceState};
use crate::engine::view::{Heard, RegionView, ServiceView};

/// What is picked: it follows the region, not the row.
#[derive(Clone, Debug, Default)]
pub struct Picks {
    /// The service on the screen.
    pub service: Option<ServiceIx>,
    /// The region under the cursor.
    pub region: Option<RegionIx>,
    /// Marked regions.
    pub marks: BTreeSet<RegionIx>,
    /// Regions in the order of the rows, before the filter.
    pub order: Vec<RegionIx>,
    /// Text that rows must match.
    pub filter: String,
}

/// The world as panes see it.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// What is picked.
    pub picks: &'a Picks,
    /// The moment that ages and clocks show; changes once a second.
    pub clock: Stamp,
    /// Environment values in YAML are masked: somebody may be looking over the shoulder.
    pub mask: bool,
}

/// A region from all sides.
#[derive(Clone, Copy)]
pub struct RegionScene<'a> {
    /// Its position.
    pub at: RegionIx,
    /// As configured.
    pub spec: &'a Region,
    /// As known.
    pub state: &'a RegionState,
    /// As shown.
    pub view: Option<&'a RegionView>,
    /// Its cluster.
    pub cluster: Option<&'a ClusterState>,
}

impl<'a> Scene<'a> {
    /// The service on the screen.
    pub fn at(self) -> ServiceIx {
        self.picks.service.unwrap_or(ServiceIx(0))
    }
    /// The service as configured.
    pub fn service(self) -> Option<&'a Service> {
        self.engine.fleet.service(self.at())
    }
    /// The service as known.
    pub fn state(self) -> Option<&'a ServiceState> {
        self.engine.services.get(self.at().at())
    }
    /// The service as shown.
    pub fn view(self) -> Option<&'a ServiceView> {
        self.state().map(|s| &s.view)
    }
    /// Wall time now.
    pub fn now(self) -> Timestamp {
        self.clock.wall
    }
    /// A region from all sides.
    pub fn region(self, at: RegionIx) -> Option<RegionScene<'a>> {
        let spec = self.service()?.region(at)?;
        let state = self.state()?;
        Some(RegionScene {
            at,
            spec,
            state: state.region(at)?,
            view: state.view.regions.get(at.at()),
            cluster: self.engine.clusters.get(spec.cluster.at()),
        })
    }
    /// The region under the cursor.
    pub fn selected(self) -> Option<RegionScene<'a>> {
        self.region(self.picks.region?)
    }
    /// Regions in the order of the rows, those that match the filter.
    pub fn rows(self) -> Vec<RegionIx> {
        let Some(service) = self.service() else { return Vec::new() };
        let all = |at: &RegionIx| service.region(*at).is_some();
        let rows = self.picks.order.iter().copied().filter(all);
        if self.picks.filter.is_empty() {
            return rows.collect();
        }
        let mut matcher = Matcher::new(&self.picks.filter);
        rows.filter(|at| {
            let ring = |r: &Region| service.ring(r.ring).map_or("", |r| r.name.as_str()).to_owned();
            let text = self.region(*at).map(|r| {
                let version = r.state.workload.as_ref().map_or("", |w| &w.version.0);
                format!("{} {} {version}", r.spec.name, ring(r.spec))
            });
            text.is_some_and(|t| matcher.matches(&t))
        })
        .collect()
    }
    /// Name of a region.
    pub fn region_name(self, at: RegionIx) -> &'a str {
        self.service().and_then(|s| s.region(at)).map_or("?", |r| r.name.as_str())
    }
    /// Name of a ring.
    pub fn ring_name(self, at: RingIx) -> &'a str {
        self.service().and_then(|s| s.ring(at)).map_or("?", |r: &Ring| r.name.as_str())
    }
}

impl RegionScene<'_> {
    /// `unreachable 43s`, `late 50s`, `connecting`; none when it is heard.
    pub fn trouble(&self, clock: Stamp) -> Option<String> {
        let since = |d: std::time::Duration| short(SignedDuration::try_from(d).unwrap_or(SignedDuration::MAX));
        // The age counts on between two views: the cluster's own stamp is newer.
        let own = self.cluster.filter(|_| !self.spec.is_reported());
        let age = own.and_then(|c| c.heard).map(|h| clock.since(h));
        match self.view.map(|v| &v.heard) {
            Some(Heard::Live) => None,
            Some(Heard::Late(d)) => Some(format!("late {}", since(age.unwrap_or(*d)))),
            Some(Heard::Lost { word, age: seen, .. }) => Some(match age.or(*seen) {
                Some(age) => format!("{word} {}", since(age)),
                None => format!("{word}, never seen"),
            }),
            Some(Heard::Connecting) => Some("connecting".to_owned()),
            None => match self.cluster.map(|c| c.freshness(clock)) {
                Some(Freshness::Live) => None,
                _ => Some("connecting".to_owned()),
            },
        }
    }

    /// Its rows must be greyed: what is shown is what was last known.
    pub fn is_stale(&self, clock: Stamp) -> bool {
        self.trouble(clock).is_some()
    }

    /// Age of what is shown: of the newest sample, else of the last proof of life.
    pub fn age(&self, clock: Stamp) -> Option<SignedDuration> {
        let sample = self.state.current.values().map(|(at, _)| *at).max();
        match sample {
            Some(at) => Some(clock.wall.duration_since(at).max(SignedDuration::ZERO)),
            None if self.spec.is_reported() && self.is_stale(clock) => match self.view.map(|v| &v.heard) {
                Some(Heard::Late(age) | Heard::Lost { age: Some(age), .. }) => SignedDuration::try_from(*age).ok(),
                _ => None,
            },
            None => {
                let heard = self.cluster.and_then(|c| c.heard)?;
                SignedDuration::try_from(clock.since(heard)).ok()
            }
        }
    }

    /// Its time zone.
    pub fn zone(&self) -> Option<TimeZone> {
        crate::domain::zone::zone(self.spec.zone.as_deref()?)
    }
}

/// Fuzzy matching of rows and commands.
pub struct Matcher {
    pattern: nucleo_matcher::pattern::Pattern,
    matcher: nucleo_matcher::Matcher,
    buffer: Vec<char>,
}

impl Matcher {
    /// A matcher for a text as typed; words match in any order.
    pub fn new(text: &str) -> Self {
        use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
        Self {
            pattern: Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart),
            matcher: nucleo_matcher::Matcher::new(nucleo_matcher::Config::DEFAULT),
            buffer: Vec::new(),
        }
    }
    /// How well a text matches; none: not at all.
    pub fn score(&mut self, text: &str) -> Option<u32> {
        let text = nucleo_matcher::Utf32Str::new(text, &mut self.buffer);
        self.pattern.score(text, &mut self.matcher)
    }
    /// Whether it matches.
    pub fn matches(&mut self, text: &str) -> bool {
        self.score(text).is_some()
    }
}

/// `14:32:07`, in UTC.
pub fn utc_time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// `20 Nov 14:32`, in UTC.
pub fn utc_minute(at: Timestamp) -> String {
    at.strftime("%-d %b %H:%M").to_string()
}

/// How long ago, or until: `4m05s`.
pub fn between(a: Timestamp, b: Timestamp) -> String {
    short(a.duration_since(b).abs())
}
