//! Events about a region's workload, its ReplicaSets and its pods.

use serde::Deserialize;

use super::object::{pages, parse};
use crate::domain::change::ApiType;
use crate::domain::fleet::Region;
use crate::domain::link::LostReason;
use crate::domain::observation::EventLine;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::io::connect::Access;

/// Newest events kept.
const MOST: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    metadata: Meta,
    involved_object: Involved,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    last_timestamp: Option<Timestamp>,
    #[serde(default)]
    event_time: Option<Timestamp>,
    #[serde(default)]
    series: Option<Series>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    #[serde(default)]
    last_observed_time: Option<Timestamp>,
    #[serde(default)]
    count: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    creation_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Involved {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

/// Events of a region, newest first.
pub async fn events(access: &Access, region: &Region) -> Result<Vec<EventLine>, LostReason> {
    let api = ApiType::new("", "v1", "events", "Event");
    let mut all = Vec::new();
    pages(access, &api, &region.workload.namespace, "fieldSelector=", "application/json", |item| {
        let item: Item = parse(item.get().as_bytes())?;
        if is_about(&region.workload.name, &item.involved_object) {
            all.push(line(item));
        }
        Ok(())
    })
    .await?;
    all.sort_by_key(|e| std::cmp::Reverse(e.at));
    all.truncate(MOST);
    Ok(all)
}

/// Names say it: `web`, a ReplicaSet `web-<hash>`, a pod `web-<hash>-<id>`.
fn is_about(workload: &str, object: &Involved) -> bool {
    let dashes = |name: &str| {
        name.strip_prefix(workload)
            .and_then(|rest| rest.strip_prefix('-'))
            .map(|rest| rest.bytes().filter(|b| *b == b'-').count())
    };
    object.name == workload
        || match object.kind.as_str() {
            "ReplicaSet" => dashes(&object.name) == Some(0),
            "Pod" => matches!(dashes(&object.name), Some(0 | 1)),
            _ => false,
        }
}

fn line(item: Item) -> EventLine {
    let series = item.series.as_ref();
    let times = series.and_then(|s| s.count).or(item.count).unwrap_or(1);
    let message = item.message.unwrap_or_default();
    let message = if times > 1 { format!("{message} (x{times})") } else { message };
    EventLine {
        at: series
            .and_then(|s| s.last_observed_time)
            .or(item.last_timestamp)
            .or(item.event_time)
            .or(item.metadata.creation_timestamp),
        warning: item.kind.as_deref() == Some("Warning"),
        reason: safe(&item.reason.unwrap_or_default(), 128).into(),
        about: safe(&format!("{}/{}", item.involved_object.kind, item.involved_object.name), 320).into(),
        message: safe(message.trim(), 1024).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_belong_by_name_and_a_longer_name_is_another_workload() {
        let about = |kind: &str, name: &str| is_about("web", &Involved { kind: kind.into(), name: name.into() });
        assert!(about("Deployment", "web") && about("HorizontalPodAutoscaler", "web"));
        assert!(about("ReplicaSet", "web-5d4f8") && about("Pod", "web-5d4f8-x2x9z") && about("Pod", "web-0"));
        assert!(!about("ReplicaSet", "web-admin-5d4f8") && !about("Pod", "web-admin-5d4f8-x2x9z"));
        assert!(!about("Deployment", "web-admin") && !about("Pod", "webber"));
    }
}
