//! `min_available`: enough other regions serve while this one changes.

use super::serving::{live, serves, share};
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::verdict::{Judgement, Verdict};

/// At least so many other regions, or so much of the capacity, serve.
pub struct MinAvailable;

impl GateType for MinAvailable {
    fn name(&self) -> &'static str {
        "min_available"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn about(&self) -> &'static str {
        "While this region changes, at least so many others serve (available pods, weight above 0), or so much of the configured capacity does. A region that is not heard does not count, and NO DATA is said where it would decide."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "regions",
                about: "How many other regions. One of the two must be there.",
                required: false,
            },
            Parameter {
                name: "capacity",
                about: "How much of the capacity of all regions the others have, e.g. `60%`; pods that are missing count as missing capacity.",
                required: false,
            },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let regions = match params.0.get("regions") {
            None => None,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10,000")]
            Some(Param::Number(n)) if n.fract() == 0.0 && (1.0..=10_000.0).contains(n) => Some(*n as usize),
            Some(_) => return Err(ParamError::new("regions", "`regions` is a whole number, at least 1")),
        };
        let capacity = share(params, "capacity", 1.0)?;
        if regions.is_none() && capacity.is_none() {
            return Err(ParamError::new("regions", "say how many others must serve, e.g. `regions = 2`"));
        }
        if let Some(regions) = regions
            && regions >= service.regions.len()
        {
            let message =
                format!("{regions} others can never serve: the service has {} regions", service.regions.len());
            return Err(ParamError::new("regions", message));
        }
        if capacity.is_some()
            && let Some(region) = service.regions.iter().find(|r| r.capacity.is_none())
            && !service.regions.iter().any(|r| r.route.is_some() && r.capacity.is_some())
        {
            let message = format!("region `{}` has no `capacity`, so no share of it can be told", region.name);
            return Err(ParamError::new("capacity", message));
        }
        Ok(Box::new(Least { regions, capacity }))
    }
}

struct Least {
    regions: Option<usize>,
    capacity: Option<f64>,
}

impl Gate for Least {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let mut lines = Vec::new();
        let mut unknown: Option<String> = None;
        let (mut count, mut may) = (0_usize, 0_usize);
        let (mut have, mut perhaps, mut all, mut unsized_region) = (0.0, 0.0, 0.0, None);
        for (at, peer) in live(evidence) {
            let capacity = peer.region.capacity.map(|c| c.qps);
            match capacity {
                Some(qps) => all += qps,
                None => unsized_region = Some(&peer.region.name),
            }
            if at == evidence.at.at() {
                continue;
            }
            match serves(peer) {
                Ok(true) => {
                    count += 1;
                    let pods = peer.workload.map_or((0, 0), |w| (w.replicas.available, w.replicas.desired.max(1)));
                    have += capacity.unwrap_or_default() * (f64::from(pods.0) / f64::from(pods.1)).min(1.0);
                    lines.push(format!("{} serves with {} of {} pods", peer.region.name, pods.0, pods.1));
                }
                Ok(false) => lines.push(format!("{} does not serve", peer.region.name)),
                Err(why) => {
                    may += 1;
                    perhaps += capacity.unwrap_or_default();
                    lines.push(why.clone());
                    unknown = unknown.or(Some(why));
                }
            }
        }
        let mut verdicts = Vec::new();
        if let Some(least) = self.regions {
            let enough = count >= least;
            let could = count + may >= least;
            let text = format!("{count} other regions serve, {least} needed");
            verdicts.push((enough, could, format!("{count}/{least}"), text));
        }
        if let Some(least) = self.capacity {
            if let Some(name) = unsized_region {
                let sentence = format!("{region}: {name} has no `capacity`, so no share of it can be told");
                return Judgement::new(Verdict::NoData, "capacity?", sentence);
            }
            let share = |v: f64| if all > 0.0 { v / all } else { 0.0 };
            let (now, then) = (share(have), share(have + perhaps));
            let text = format!("the others have {:.0} % of the capacity, {:.0} % needed", now * 100.0, least * 100.0);
            verdicts.push((now >= least, then >= least, format!("{:.0} %", now * 100.0), text));
        }
        // The one that fails, else the first.
        let judged = verdicts.iter().find(|(enough, ..)| !enough).or_else(|| verdicts.first());
        let Some((enough, could, cell, text)) = judged else {
            return Judgement::new(Verdict::NoData, "?", format!("{region}: nothing is asked for"));
        };
        let verdict = match (enough, could) {
            (true, _) => Verdict::Go,
            (false, true) => Verdict::NoData,
            (false, false) => Verdict::NoGo,
        };
        let why = unknown.filter(|_| verdict == Verdict::NoData).map(|w| format!("; {w}")).unwrap_or_default();
        let judged = Judgement::new(verdict, cell.as_str(), format!("{region}: {text}{why}"));
        lines.into_iter().fold(judged, Judgement::because)
    }
}

#[cfg(test)]
#[path = "min_available_tests.rs"]
mod tests;
