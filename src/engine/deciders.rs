//! Who may add risk in a region, and whom to call instead.

use super::state::ClusterState;
use crate::domain::fleet::{Region, Service};
use crate::domain::id::Text;

/// Whether whoever we are in a region's cluster may decide there. None: nobody was asked who we are.
pub fn may_decide(service: &Service, region: &Region, cluster: Option<&ClusterState>) -> Option<bool> {
    let deciders = deciders(service, region);
    if deciders.is_empty() {
        return Some(true);
    }
    let facts = &cluster?.facts;
    let user = facts.user.as_ref()?;
    let named = |name: &str| deciders.iter().any(|d| &**d == name);
    Some(named(user.as_str()) || facts.groups.iter().any(|g| named(g)))
}

/// The deciders of a region; the service's where it names none.
pub fn deciders<'a>(service: &'a Service, region: &'a Region) -> &'a [Text] {
    if region.deciders.is_empty() { &service.deciders } else { &region.deciders }
}

/// Who decides there and whom to call, as a sentence.
pub fn whom_to_call(service: &Service, region: &Region) -> String {
    let call = region.escalation.as_ref().or(service.escalation.as_ref());
    let call = call.or(region.owner.as_ref()).or(service.owner.as_ref());
    let call = call.map_or_else(String::new, |c| format!("; call {c}"));
    format!("{}: {} decide there{call}", region.name, deciders(service, region).join(", "))
}
