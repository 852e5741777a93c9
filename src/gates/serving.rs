//! What gates about capacity share: which regions serve, and what they can take.

use super::silence;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, ParamError, Peer};
use crate::domain::id::ColumnName;
use crate::domain::stamp::SignedDuration;

/// A sample older than this says nothing about traffic now.
pub(super) const SAMPLE_LIFE: SignedDuration = SignedDuration::from_secs(90);

/// Whether a region takes users' traffic; none: that cannot be told, with the reason.
pub(super) fn serves(peer: &Peer<'_>) -> Result<bool, String> {
    let name = &peer.region.name;
    if let Some(why) = silence(&peer.freshness) {
        return Err(format!("{name}: {why}"));
    }
    let Some(workload) = peer.workload else { return Err(format!("{name}: its workload was not seen")) };
    match (&peer.region.route, peer.weight) {
        (Some(_), None) => Err(format!("{name}: the weight of its route is not known")),
        (_, weight) => Ok(workload.replicas.available > 0 && weight != Some(0)),
    }
}

/// Regions that users may reach: where any is steered, those that are.
pub(super) fn live<'e>(evidence: &'e Evidence<'_>) -> impl Iterator<Item = (usize, &'e Peer<'e>)> {
    let steered = evidence.peers.iter().any(|p| p.region.route.is_some());
    evidence.peers.iter().enumerate().filter(move |(_, p)| !steered || p.region.route.is_some())
}

/// Queries per second that a region gets now.
pub(super) fn traffic(evidence: &Evidence<'_>, peer: &Peer<'_>, column: &ColumnName) -> Result<f64, String> {
    let name = &peer.region.name;
    let Some((at, reading)) = peer.current.get(column) else {
        return Err(format!("{name}: its traffic was not asked for yet"));
    };
    let age = evidence.now.duration_since(*at);
    if age > SAMPLE_LIFE {
        return Err(format!("{name}: its traffic was last measured {} ago", crate::domain::stamp::short(age)));
    }
    match reading {
        Ok(qps) if qps.is_finite() && *qps >= 0.0 => Ok(*qps),
        Ok(_) => Err(format!("{name}: its traffic is no number")),
        Err(why) => Err(format!("{name}: its traffic is unknown: {why}")),
    }
}

/// A share as a parameter: `75%`, or 0.75.
pub(super) fn share(params: &Params, name: &str, most: f64) -> Result<Option<f64>, ParamError> {
    let percent = most * 100.0;
    let wrong = || ParamError::new(name, format!("`{name}` is a share above 0 and up to {percent} %, e.g. `\"75%\"`"));
    let value = match params.0.get(name) {
        None => return Ok(None),
        Some(Param::Number(n)) => Some(*n),
        Some(Param::Text(text)) => {
            text.trim().strip_suffix('%').and_then(|t| t.trim().parse::<f64>().ok()).map(|n| n / 100.0)
        }
        Some(_) => None,
    };
    value.filter(|v| v.is_finite() && *v > 0.0 && *v <= most).map(Some).ok_or_else(wrong)
}

/// The column that measures traffic, or what to do about it.
pub(super) fn traffic_column(service: &Service) -> Result<ColumnName, ParamError> {
    let column = service.traffic_column().map(|c| c.name.clone());
    column.ok_or_else(|| {
        ParamError::new("gate", "no column measures traffic: write `traffic = true` in one `[column.NAME]`")
    })
}
