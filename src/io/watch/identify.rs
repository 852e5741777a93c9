//! Learns which cluster it is and who we are there; again whenever it was lost.

use std::time::Duration;

use super::health::Health;
use super::plan::ClusterPlan;
use crate::domain::change::ApiType;
use crate::domain::id::{ClusterUid, Namespace, Text};
use crate::domain::observation::WatchKind;
use crate::io::answer::Failure;
use crate::io::connect::{
    Access, Identified, MOST_RIGHTS, Mode, OpenReader, Remembered, identity, rights, version, whoami,
};

/// A context can be pointed elsewhere while we run.
const AGAIN: Duration = Duration::from_secs(600);
/// Wait after a failure; the watches say what is wrong.
const RETRY: Duration = Duration::from_secs(10);

/// Runs until nobody listens any more.
pub(super) async fn identify(access: &Access, plan: &ClusterPlan, health: &Health, remembered: &dyn Remembered) {
    let mut is_first = true;
    loop {
        let learnt = match access.reader().await {
            Ok(open) => learn(access, &open, health, remembered).await.map(|()| open),
            Err(reason) => Err(Failure::NoAccess(reason)),
        };
        match learnt {
            Ok(open) => {
                if matches!(access.mode(), Mode::Console) {
                    ask_about_us(&open, plan, health, is_first).await;
                }
                is_first = false;
                tokio::select! {
                    biased;
                    () = access.moved() => {}
                    () = health.came_back(AGAIN) => {}
                }
            }
            Err(failure) => {
                access.identified(Identified::Unknown);
                tracing::debug!(cluster = %access.name, "identity: {}", failure.text());
                health.came_back(RETRY).await;
            }
        }
    }
}

async fn learn(
    access: &Access,
    open: &OpenReader,
    health: &Health,
    remembered: &dyn Remembered,
) -> Result<(), Failure> {
    access.identified(Identified::Asking);
    // One after the other: each request at the same time costs a connection per cluster.
    let who = identity(open, remembered).await?;
    access.identified(if who.changed {
        Identified::Changed(strange(access, open, &who.uid))
    } else {
        Identified::Same(open.anchor.clone())
    });
    let what = version(&open.reader).await;
    health.learnt(|facts| {
        facts.uid = Some(who.uid);
        facts.uid_is_derived = who.is_derived;
        facts.uid_changed = who.changed;
        if let Ok((version, latency)) = what {
            facts.version = Some(version);
            facts.latency = Some(latency);
        }
    });
    Ok(())
}

fn strange(access: &Access, open: &OpenReader, uid: &ClusterUid) -> Text {
    let name = &access.name;
    format!(
        "context {} leads to another cluster than before (now {uid}): nothing is written to {name} until \
         `gonogo check --connect --accept {name}`",
        open.context
    )
    .into()
}

/// User, groups and rights: a watch screen does not ask, since that is a POST.
async fn ask_about_us(open: &OpenReader, plan: &ClusterPlan, health: &Health, with_rights: bool) {
    if let Ok((user, groups)) = whoami(&open.reader).await {
        health.learnt(|facts| {
            facts.user = Some(user);
            facts.groups = groups;
        });
    }
    if with_rights {
        let needs = needs(plan);
        let rights = rights(&open.reader, &needs).await;
        health.learnt(|facts| {
            facts.rights_unanswered = Some(needs.len().saturating_sub(rights.len()));
            facts.rights = rights;
        });
    }
}

/// What a console will want to do in a cluster beyond watching; no more than is asked about.
pub(super) fn needs(plan: &ClusterPlan) -> Vec<(&'static str, ApiType, Namespace)> {
    let mut needs = Vec::new();
    for watch in &plan.watches {
        for namespace in watch.wanted.namespaces() {
            let mut need = |verb, api: ApiType| needs.push((verb, api, namespace.clone()));
            match watch.kind {
                WatchKind::Workloads(_) => {
                    need("patch", watch.api.clone());
                    watch.children().into_iter().for_each(|children| need("list", children));
                }
                WatchKind::Records => {
                    need("create", watch.api.clone());
                    need("patch", watch.api.clone());
                }
                WatchKind::Routes(_) => need("patch", watch.api.clone()),
                // It is read only.
                WatchKind::Deliveries(_) => {}
            }
            if needs.len() >= MOST_RIGHTS {
                needs.truncate(MOST_RIGHTS);
                return needs;
            }
        }
    }
    needs
}
