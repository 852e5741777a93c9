//! The last lines of a pod's log; of the container before, where it crashed.

use super::object::{get, parse};
use super::pods::{Item, pod_api};
use crate::domain::fleet::Region;
use crate::domain::id::Text;
use crate::domain::link::LostReason;
use crate::domain::text::safe;
use crate::io::answer::Failure;
use crate::io::connect::Access;
use crate::io::watch::escaped;

/// Lines asked for.
const LINES: usize = 100;
/// Bytes asked for: a log line may be long.
const BYTES: usize = 256 * 1024;

/// The last lines of a pod's log, made visible.
pub async fn logs(access: &Access, region: &Region, pod: &str) -> Result<Vec<Text>, LostReason> {
    let namespace = region.workload.namespace.as_str();
    let doing = format!("read the log of pod {namespace}/{pod} of cluster {}", access.name);
    read(access, region, pod).await.map_err(|f| f.reason(&doing))
}

async fn read(access: &Access, region: &Region, pod: &str) -> Result<Vec<Text>, Failure> {
    let path = pod_api().path(region.workload.namespace.as_str(), &escaped(pod), None);
    let answer = get(access, &path, "application/json").await?;
    let item: Item = parse(&answer.body)?;
    let containers = item.status.container_statuses.as_deref().unwrap_or_default();
    let crashed = |c: &&super::pods::Container| c.state.waiting.is_some() && c.restart_count > 0;
    let ours = |c: &&super::pods::Container| *c.name == *region.workload.container;
    // A sidecar that crashes is what one wants to read; else the container of the version.
    let chosen = containers.iter().find(crashed).or_else(|| containers.iter().find(ours));
    let mut query = format!("{path}/log?tailLines={LINES}&limitBytes={BYTES}");
    if let Some(container) = chosen {
        query.push_str(&format!("&container={}", escaped(&container.name)));
        if crashed(&container) {
            query.push_str("&previous=true");
        }
    }
    let answer = get(access, &query, "text/plain, */*").await?;
    let text = String::from_utf8_lossy(&answer.body);
    let lines: Vec<Text> = text.lines().map(|l| safe(&l.replace('\t', "    "), 4096).into()).collect();
    Ok(lines.into_iter().rev().take(LINES).rev().collect())
}
