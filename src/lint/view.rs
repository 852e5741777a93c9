//! A plan as checks look at it: which rings users reach, and how large each region is.

use std::fmt;

use super::{Input, Measured};
use crate::config::{Declared, PlanFacts};
use crate::domain::approval::Identities;
use crate::domain::fleet::{Fleet, GateSpec, Region, Ring, Service, Unit};
use crate::domain::id::{ColumnName, RegionIx, RingIx};
use crate::domain::stamp::Timestamp;

/// The plan of one service.
pub(super) struct Plan<'a> {
    pub fleet: &'a Fleet,
    pub service: &'a Service,
    pub facts: &'a PlanFacts,
    pub identities: &'a Identities,
    pub measured: Option<&'a Measured>,
    pub now: Timestamp,
}

/// By what regions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    Measured,
    Declared,
    Share,
    Capacity,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Basis::Measured => "measured traffic",
            Basis::Declared => "declared traffic",
            Basis::Share => "declared shares",
            Basis::Capacity => "capacity",
        })
    }
}

impl Basis {
    /// A size in words.
    pub fn show(self, size: f64) -> String {
        match self {
            Basis::Share => format!("{:.0} %", size * 100.0),
            _ => qps(size),
        }
    }
}

/// Sizes of the regions that users reach, all by one basis.
pub(super) struct Sizes {
    pub basis: Basis,
    pub of: Vec<(RegionIx, f64)>,
}

impl Sizes {
    pub fn get(&self, at: RegionIx) -> Option<f64> {
        self.of.iter().find(|(region, _)| *region == at).map(|(_, size)| *size)
    }

    /// The largest region.
    pub fn largest(&self) -> Option<(RegionIx, f64)> {
        self.of.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    pub fn total(&self) -> f64 {
        self.of.iter().map(|(_, size)| size).sum()
    }
}

/// Queries per second, for people.
pub(super) fn qps(value: f64) -> String {
    format!("{} QPS", Unit::PerSecond.show(value))
}

/// The first ring that users reach, and those of its regions that they do.
pub(super) type Canary<'a> = (RingIx, &'a Ring, Vec<(RegionIx, &'a Region)>);

impl<'a> Plan<'a> {
    pub fn new(input: Input<'a>) -> Option<Self> {
        Some(Self {
            fleet: &input.config.fleet,
            service: input.config.fleet.service(input.service)?,
            facts: input.config.plans.get(input.service.at())?,
            identities: &input.config.fleet.identities,
            measured: input.measured,
            now: input.now,
        })
    }

    /// What is declared of a region's traffic.
    pub fn declared(&self, at: RegionIx) -> Option<&'a Declared> {
        self.facts.traffic.get(at.at())
    }

    /// Every ring with its position.
    pub fn rings(&self) -> impl Iterator<Item = (RingIx, &'a Ring)> {
        self.service.rings.iter().enumerate().map(|(at, ring)| (RingIx::from(at), ring))
    }

    /// Regions that users reach, in promotion order: those with traffic declared; where some have routes
    /// or capacities, those; else all.
    pub fn production(&self) -> Vec<(RegionIx, &'a Region)> {
        let regions = || self.service.regions.iter().enumerate().map(|(at, r)| (RegionIx::from(at), r));
        let qps = |at: RegionIx| self.declared(at).and_then(|d| d.qps);
        let share = |at: RegionIx| self.declared(at).is_some_and(|d| d.share.is_some());
        let routed = regions().any(|(_, r)| r.route.is_some());
        let marked = |(at, r): (RegionIx, &Region)| {
            let sized = r.capacity.is_some() || share(at);
            qps(at).is_some_and(|q| q > 0.0) || if routed { r.route.is_some() } else { sized }
        };
        let any = regions().any(marked);
        let reached = regions().filter(|(at, r)| qps(*at) != Some(0.0) && (!any || marked((*at, r))));
        // In promotion order: ring by ring.
        let mut reached: Vec<(RegionIx, &Region)> = reached.collect();
        reached.sort_by_key(|(at, r)| (r.ring, *at));
        reached
    }

    /// The first ring that users reach, and those of its regions.
    pub fn canary(&self) -> Option<Canary<'a>> {
        let all = self.production();
        let ring = all.first()?.1.ring;
        Some((ring, self.service.ring(ring)?, all.into_iter().filter(|(_, r)| r.ring == ring).collect()))
    }

    /// Queries per second of every region that users reach: measured, else declared; or what is lacking.
    pub fn traffic(&self) -> Result<Sizes, String> {
        let measured = self.sizes_by(Basis::Measured);
        let declared = || self.sizes_by(Basis::Declared);
        measured.or_else(|lacks| {
            let lacks = if self.measured.is_some() { format!("{lacks}; ") } else { String::new() };
            declared().map_err(|other| format!("{lacks}{other}"))
        })
    }

    /// The best sizes that are known of every region that users reach; or what is lacking.
    pub fn sizes(&self) -> Result<Sizes, String> {
        let traffic = self.traffic();
        let other = |basis| self.sizes_by(basis);
        traffic.or_else(|lacks| other(Basis::Share).or_else(|_| other(Basis::Capacity)).map_err(|_| lacks))
    }

    fn sizes_by(&self, basis: Basis) -> Result<Sizes, String> {
        let size = |(at, region): (RegionIx, &Region)| -> Result<(RegionIx, f64), String> {
            let name = &region.name;
            let declared = self.declared(at);
            let size = match basis {
                Basis::Measured => self.measured_qps(at)?,
                Basis::Declared => declared.and_then(|d| d.qps).ok_or_else(|| {
                    format!(
                        "the traffic of {name} is neither measured (--connect) nor declared (`traffic = {{ qps = … }}`)"
                    )
                })?,
                Basis::Share => declared.and_then(|d| d.share).ok_or_else(|| format!("{name} has no share"))?,
                Basis::Capacity => region.capacity.map(|c| c.qps).ok_or_else(|| format!("{name} has no capacity"))?,
            };
            Ok((at, size))
        };
        let of: Vec<(RegionIx, f64)> = self.production().into_iter().map(size).collect::<Result<_, _>>()?;
        if of.is_empty() { Err("users reach no region".to_owned()) } else { Ok(Sizes { basis, of }) }
    }

    fn measured_qps(&self, at: RegionIx) -> Result<f64, String> {
        let name = self.region_name(at);
        let Some(column) = self.service.traffic_column() else {
            return Err("no column measures traffic".to_owned());
        };
        self.measured(at, &column.name).map_err(|why| format!("the traffic of {name} was not measured: {why}"))
    }

    /// The newest sample of a column in a region, or why there is none.
    pub fn measured(&self, at: RegionIx, column: &ColumnName) -> Result<f64, String> {
        let Some(measured) = self.measured else { return Err("not connected".to_owned()) };
        match measured.0.get(at.at()).and_then(|samples| samples.get(column)) {
            Some(Ok(value)) => Ok(*value),
            Some(Err(why)) => Err(why.to_string()),
            None => Err("no answer in time".to_owned()),
        }
    }

    pub fn region_name(&self, at: RegionIx) -> &'a str {
        self.service.region(at).map_or("?", |r| r.name.as_str())
    }
}

/// Exit gates that look at how a ring does, not only at time and readiness.
pub(super) fn evidence(ring: &Ring) -> impl Iterator<Item = &GateSpec> {
    let blind = ["ready", "freshness", "bake", "coverage", "min_traffic", "checklist"];
    ring.exit_gates.iter().filter(move |g| !blind.contains(&&*g.gate))
}

/// `a, b and c`; of many only the first.
pub(super) fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 5;
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= MOST => format!("{} and {last}", first.join(", ")),
        many => format!("{} and {} more", many.get(..MOST).unwrap_or_default().join(", "), many.len() - MOST),
    }
}
