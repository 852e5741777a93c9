//! What gates about local time share: their calendar, and the zone of each region.

use jiff::tz::TimeZone;

use crate::domain::calendar::Calendar;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, ParamError, Parameter};
use crate::domain::id::{RegionIx, RingIx};

/// When.
pub(super) const DURING: Parameter = Parameter {
    name: "during",
    about: "When, in the region's own zone: `[\"Mon-Thu 09:00-16:00\", \"daily 22:00-06:00\", \"Fri 16:00-Mon 08:00\", \"2026-12-18..2027-01-04\"]`. A last day belongs to it whole.",
    required: true,
};

/// Where the clock hangs.
pub(super) const ZONE: Parameter = Parameter {
    name: "zone",
    about: "IANA zone for every region, e.g. `UTC`; otherwise each region's own `zone`.",
    required: false,
};

/// A calendar, and a zone for each region that has one.
pub(super) struct LocalTime {
    pub calendar: Calendar,
    /// By position of the region; resolved once, so that judging looks nothing up.
    zones: Vec<Option<TimeZone>>,
}

impl LocalTime {
    pub(super) fn build(params: &Params, service: &Service) -> Result<Self, ParamError> {
        let wrong = |why: String| ParamError::new(DURING.name, format!("`during` cannot be read: {why}"));
        let calendar = match params.0.get(DURING.name) {
            Some(Param::List(entries)) => Calendar::parse(entries.iter().map(String::as_str)).map_err(wrong)?,
            Some(Param::Text(entry)) => Calendar::parse([entry.as_str()]).map_err(wrong)?,
            _ => return Err(ParamError::new(DURING.name, "say when, e.g. `during = [\"Mon-Thu 09:00-16:00\"]`")),
        };
        let zone = match params.0.get(ZONE.name) {
            None => None,
            Some(Param::Text(name)) => Some(crate::domain::zone::zone(name).ok_or_else(|| no_zone(name))?),
            Some(_) => return Err(ParamError::new(ZONE.name, "`zone` is the name of an IANA zone, e.g. `\"UTC\"`")),
        };
        let own = |name: &str| crate::domain::zone::zone(name);
        let zones = service.regions.iter().map(|r| zone.clone().or_else(|| own(r.zone.as_deref()?))).collect();
        Ok(Self { calendar, zones })
    }

    /// The zone of the region that is judged.
    pub(super) fn zone(&self, evidence: &Evidence<'_>) -> Option<&TimeZone> {
        self.zone_of(evidence.at)
    }

    /// The zone of a region.
    pub(super) fn zone_of(&self, at: RegionIx) -> Option<&TimeZone> {
        self.zones.get(at.at())?.as_ref()
    }
}

fn no_zone(name: &str) -> ParamError {
    ParamError::new(ZONE.name, format!("there is no time zone `{name}`; write e.g. `Europe/Dublin` or `UTC`"))
}

/// Local time needs a zone in every region of the ring.
pub(super) fn every_region_has_one(params: &Params, service: &Service, ring: RingIx) -> Result<(), ParamError> {
    if params.0.contains_key(ZONE.name) {
        return Ok(());
    }
    let without = service.regions.iter().find(|r| r.ring == ring && r.zone.is_none());
    match without {
        None => Ok(()),
        Some(region) => Err(ParamError::new(
            ZONE.name,
            format!(
                "region `{}` has no zone: write `[region.{}]` with `zone = \"…\"`, or give the gate a `zone`",
                region.name, region.name
            ),
        )),
    }
}
