//! `headroom`: the other regions could take this one's traffic, should it fail.

use super::serving::{live, serves, share, traffic, traffic_column};
use crate::domain::fleet::{Params, Service, Unit};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter, Peer};
use crate::domain::id::ColumnName;
use crate::domain::verdict::{Judgement, Verdict};

/// Losing the region that changes must not overload the others.
pub struct Headroom;

impl GateType for Headroom {
    fn name(&self) -> &'static str {
        "headroom"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn about(&self) -> &'static str {
        "If the region that changes were lost now, no region that absorbs its traffic (`absorbers`, else all others by capacity) would run above `load` of its capacity. By measured traffic; a capacity or a measurement that is missing is NO DATA."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter {
            name: "load",
            about: "How much of its capacity a region may then be asked for, e.g. `80%`; `100%` unless given.",
            required: false,
        }]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let column = traffic_column(service)?;
        let load = share(params, "load", 1.0)?.unwrap_or(1.0);
        if service.regions.iter().all(|r| r.capacity.is_none()) {
            let message =
                "no region has a `capacity`: write `[service.NAME.region.REGION]` with `capacity = { qps = … }`";
            return Err(ParamError::new("gate", message));
        }
        Ok(Box::new(Room { load, column }))
    }
}

struct Room {
    load: f64,
    column: ColumnName,
}

impl Gate for Room {
    fn needs(&self) -> Vec<Need> {
        vec![Need::Current(self.column.clone())]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        match self.judged(evidence) {
            Ok(judged) => judged,
            Err(why) => Judgement::new(Verdict::NoData, "no data", format!("{region}: {why}")),
        }
    }
}

impl Room {
    fn judged(&self, evidence: &Evidence<'_>) -> Result<Judgement, String> {
        let region = &evidence.region.name;
        let me = evidence.peers.get(evidence.at.at()).ok_or("it is not one of its service's regions")?;
        if live(evidence).all(|(at, _)| at != evidence.at.at()) {
            let sentence = format!("{region}: it has no users' traffic that others would have to take");
            return Ok(Judgement::new(Verdict::Go, "no users", sentence));
        }
        let extra = traffic(evidence, me, &self.column)?;
        let absorbs =
            |p: &Peer<'_>| evidence.region.absorbers.is_empty() || evidence.region.absorbers.contains(&p.region.name);
        let mut takers: Vec<(&Peer<'_>, f64, f64)> = Vec::new();
        for (at, peer) in live(evidence) {
            if at == evidence.at.at() || !absorbs(peer) || !serves(peer)? {
                continue;
            }
            let capacity = peer.region.capacity.ok_or_else(|| format!("{} has no `capacity`", peer.region.name))?;
            takers.push((peer, traffic(evidence, peer, &self.column)?, capacity.qps));
        }
        let room: f64 = takers.iter().map(|(_, _, capacity)| capacity).sum();
        if room <= 0.0 {
            let sentence = format!("{region}: no other region serves that could take its traffic");
            return Ok(Judgement::new(Verdict::NoGo, "nobody", sentence));
        }
        let qps = |v: f64| Unit::PerSecond.show(v);
        let loads: Vec<(&Peer<'_>, f64, String)> = takers
            .iter()
            .map(|(peer, now, capacity)| {
                let then = now + extra * capacity / room;
                let load = then / capacity;
                let line = format!(
                    "{}: {} now, {} then, {} % of {} QPS",
                    peer.region.name,
                    qps(*now),
                    qps(then),
                    (load * 100.0).round(),
                    qps(*capacity)
                );
                (*peer, load, line)
            })
            .collect();
        let worst = loads.iter().max_by(|a, b| a.1.total_cmp(&b.1)).ok_or("no other region serves")?;
        let percent = (worst.1 * 100.0).round();
        let sentence = format!(
            "{region}: if its {} QPS went elsewhere, {} would run at {percent} % of its capacity, {:.0} % is the bound",
            qps(extra),
            worst.0.region.name,
            self.load * 100.0
        );
        let verdict = if worst.1 <= self.load { Verdict::Go } else { Verdict::NoGo };
        let judged = Judgement::new(verdict, format!("{percent} %"), sentence);
        Ok(loads.iter().fold(judged, |judged, (_, _, line)| judged.because(line.as_str())))
    }
}

#[cfg(test)]
#[path = "headroom_tests.rs"]
mod tests;
