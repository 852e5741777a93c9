//! Time zones by their IANA names, out of the database in the program: the same hours on every
//! host, and no folder of the host is searched.

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zone of that name; none where the database knows no such name.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Every name there is.
pub fn names() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|n| n.as_str().to_owned()).collect()
}
