//! A guard of some regions: where it acts.

use crate::domain::id::Place;
use crate::engine::Engine;

impl Engine {
    /// Whether the guard in this engine, if it is one, acts in a region.
    pub(in crate::engine) fn acts_in(&self, place: Place) -> bool {
        let Some(automation) = &self.automation else { return true };
        let regions = &automation.arming.regions;
        let name = self.fleet.service(place.0).and_then(|s| s.region(place.1)).map(|r| r.name.as_str());
        regions.is_empty() || name.is_some_and(|name| regions.iter().any(|r| &**r == name))
    }
}
