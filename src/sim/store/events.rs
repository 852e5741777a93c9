//! Events in two API groups are one object: stored as core/v1, shown as either.

use serde_json::{Map, Value};

/// Field names in core/v1 and in events.k8s.io/v1.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The stored form of an Event given in either form.
pub fn to_core(event: &mut Value) {
    rename(event, "v1", |(core, new)| (new, core));
}

/// The events.k8s.io/v1 form of a stored Event.
pub fn to_events_v1(event: &mut Value) {
    rename(event, "events.k8s.io/v1", |(core, new)| (core, new));
    // Always written in core, left out here when empty.
    if let Some(map) = event.as_object_mut() {
        map.retain(|key, value| {
            !matches!(key.as_str(), "reportingInstance" | "reportingController") || value.as_str() != Some("")
        });
    }
}

fn rename(event: &mut Value, version: &str, way: fn((&'static str, &'static str)) -> (&'static str, &'static str)) {
    let Some(map) = event.as_object_mut() else {
        return;
    };
    move_fields(map, way);
    map.insert("apiVersion".to_owned(), version.into());
}

fn move_fields(map: &mut Map<String, Value>, way: fn((&'static str, &'static str)) -> (&'static str, &'static str)) {
    for pair in NAMES {
        let (from, to) = way(pair);
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_two_views_are_each_others_inverse() {
        let core = json!({"apiVersion": "v1", "involvedObject": {"name": "web"}, "message": "m",
            "source": {"component": "c"}, "count": 2, "reason": "R", "type": "Normal"});
        let mut event = core.clone();
        to_events_v1(&mut event);
        assert_eq!(event.get("note"), Some(&json!("m")));
        assert_eq!(event.get("regarding"), Some(&json!({"name": "web"})));
        to_core(&mut event);
        assert_eq!(event, core);
    }
}
