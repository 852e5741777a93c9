//! A version that is not written into the workload: the carrier's change in place of a patch of it.

use super::{Desk, Fetched, Objects, Read};
use crate::carriers::{self, Carried, Carrier, CarrierRead, Order};
use crate::domain::carrier::OF_CARRIER;
use crate::domain::change::ObjectRef;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Region, Service};
use crate::domain::id::{Operator, RegionIx, Text};
use crate::domain::plan::{PlanId, Refusal, Write, WriteRole};
use crate::domain::record::Move;
use crate::domain::version::{Image, Version};

/// What is to be brought.
pub(super) struct Wanted<'a> {
    pub plan: PlanId,
    pub from: &'a Version,
    pub to: &'a Version,
    pub image: Option<&'a Image>,
    pub way: carriers::Way<'a>,
}

/// The carrier's change for a region; none: the version is written into its workload.
pub(super) fn carried(
    desk: &Desk<'_>,
    at: RegionIx,
    region: &Region,
    wanted: &Wanted<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Carried>, Refusal> {
    if region.carrier.is_none() {
        return Ok(None);
    }
    let Some(carrier) = carriers::carrier(region) else {
        let text = format!("{}: what carries its versions is not supported", region.name);
        return Err(Refusal::new("carrier", text, "see `gonogo check` for what is"));
    };
    let ring = desk.ring_of(at).map_or_else(|| "?".into(), |r| Text::from(r.name.as_str()));
    let besides = desk.objects.besides.iter().filter_map(|(o, read)| Some((o.clone(), read.clone().ok()??))).collect();
    let by = by(desk, region, carrier);
    let order = Order {
        besides: &besides,
        by: by.as_str(),
        now: desk.now,
        plan: wanted.plan,
        fleet: desk.fleet,
        service: desk.service,
        region,
        ring: &ring,
        read: read(desk, at, region, carrier)?,
        from: wanted.from,
        to: wanted.to,
        image: wanted.image,
        way: wanted.way,
    };
    let carried = carrier
        .carry(&order)
        .map_err(|still| Refusal::new(still.code, format!("{} {}", region.name, still.why), still.hint))?;
    findings.extend(carried.warnings.iter().map(|warning| {
        let text = format!("{} {warning}", region.name);
        Finding::new(Severity::Warning, "carrier", region.name.as_str(), text)
    }));
    Ok(Some(carried))
}

/// Who acts where the carrier is.
fn by(desk: &Desk<'_>, region: &Region, carrier: &dyn Carrier) -> Operator {
    let cluster = match carrier.reads(region) {
        Some(CarrierRead::Object(object)) => object.cluster,
        _ => region.cluster,
    };
    let known = desk.clusters.get(cluster.at()).and_then(|c| c.facts.user.clone());
    known.unwrap_or_else(|| desk.operator.clone())
}

/// What the carrier wanted to have read, if it was.
fn read<'a>(
    desk: &Desk<'a>,
    at: RegionIx,
    region: &Region,
    carrier: &dyn Carrier,
) -> Result<Option<&'a serde_json::Value>, Refusal> {
    if carrier.reads(region).is_none() {
        return Ok(None);
    }
    let name = &region.name;
    let what = carrier.name();
    match desk.objects.carriers.get(&at) {
        Some(Ok(Some(object))) => Ok(Some(object)),
        Some(Ok(None)) => Err(Refusal::new(
            "absent",
            format!("{name}: the {what} that carries its versions does not exist"),
            "check the configuration",
        )),
        Some(Err(reason)) => {
            let (word, text) = reason.text();
            let text = format!("{name}: the {what} that carries its versions: {word}: {text}");
            Err(Refusal::new("unreachable", text, "R tries the cluster again"))
        }
        None => Err(Refusal::new("unreachable", format!("{name}: its {what} was not read yet"), "try again")),
    }
}

/// The change as a step's main write.
pub(super) fn main(carried: &Carried) -> Write {
    Write { role: WriteRole::Main, change: carried.change.clone(), if_absent: None }
}

/// What was there before the version that runs was brought, by the record.
pub(super) fn remembered(desk: &Desk<'_>, at: RegionIx, runs: &str, back: &str) -> Vec<(Text, Text)> {
    let record = desk.state.record.region(at);
    let brought = |m: &Move| *m.to_version == *runs && *m.from_version == *back;
    let found = record.into_iter().flat_map(|r| r.promotions()).find(|(_, m)| brought(m));
    let of_carrier =
        |(name, value): &(Text, Text)| name.strip_prefix(OF_CARRIER).map(|name| (name.into(), value.clone()));
    found.into_iter().flat_map(|(_, m)| m.from.iter().filter_map(of_carrier)).collect()
}

/// The same, as a record keeps it beside the fields of the workload.
pub(super) fn kept(carried: Option<&Carried>) -> impl Iterator<Item = (Text, Text)> {
    let kept = |(name, value): &(Text, Text)| (format!("{OF_CARRIER}{name}").into(), value.clone());
    carried.into_iter().flat_map(move |c| c.remembers.iter().map(kept))
}

/// What the carriers that were read rest on besides.
pub(super) fn besides(service: &Service, objects: &Objects) -> Vec<Read> {
    let of = |(at, fetched): (&RegionIx, &Fetched)| {
        let (region, object) = (service.region(*at)?, fetched.as_ref().ok()?.as_ref()?);
        Some(carriers::carrier(region)?.besides(region, object))
    };
    let mut besides: Vec<ObjectRef> = objects.carriers.iter().filter_map(of).flatten().collect();
    besides.sort();
    besides.dedup();
    besides.into_iter().map(Read::Beside).collect()
}
