//! How a Deployment's replicas are shared out among its ReplicaSets.

use super::view::{DESIRED_REPLICAS, Deployment, MAX_REPLICAS, ReplicaSet, Round, Strategy};

/// Surge and unavailable pods that a rollout may use.
///
/// Both zero would never move, so then one pod may be unavailable.
fn limits(deployment: &Deployment) -> (i64, i64) {
    let Strategy::Rolling(rolling) = &deployment.strategy else {
        return (0, 0);
    };
    let surge = rolling.max_surge.of(deployment.replicas, Round::Up).max(0);
    let unavailable = rolling.max_unavailable.of(deployment.replicas, Round::Down).max(0);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// Pods a rollout may have above the wanted size.
#[must_use]
pub fn max_surge(deployment: &Deployment) -> i64 {
    limits(deployment).0
}

/// Pods a rollout may lack; never more than are wanted.
#[must_use]
pub fn max_unavailable(deployment: &Deployment) -> i64 {
    limits(deployment).1.min(deployment.replicas)
}

/// Sum of the sizes that were asked for.
#[must_use]
pub fn total<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i64 {
    sets.into_iter().map(|rs| rs.replicas).sum()
}

/// The next size of the newest ReplicaSet, `current` pods large, when all together have `all`.
#[must_use]
pub fn next_size(deployment: &Deployment, all: i64, current: i64) -> i64 {
    if deployment.strategy == Strategy::Recreate {
        return deployment.replicas;
    }
    let room = deployment.replicas + max_surge(deployment) - all;
    if room <= 0 {
        return current;
    }
    current + room.min(deployment.replicas - current)
}

/// Whether the newest ReplicaSet carries the whole Deployment, all of it available.
#[must_use]
pub fn is_saturated(deployment: &Deployment, newest: Option<&ReplicaSet>) -> bool {
    newest.is_some_and(|rs| {
        let desired = rs.meta.annotations.get(DESIRED_REPLICAS).and_then(|text| text.parse().ok());
        rs.replicas == deployment.replicas
            && desired == Some(deployment.replicas)
            && rs.status.available_replicas == deployment.replicas
    })
}

/// Whether the wanted size changed since the active ReplicaSets were last sized.
#[must_use]
pub fn is_scaling<'a>(deployment: &Deployment, sets: impl IntoIterator<Item = &'a ReplicaSet>) -> bool {
    sets.into_iter().filter(|rs| rs.replicas > 0).any(|rs| {
        let desired = rs.meta.annotations.get(DESIRED_REPLICAS).and_then(|text| text.parse::<i64>().ok());
        desired.is_some_and(|desired| desired != deployment.replicas)
    })
}

/// New sizes when the wanted size changes in the middle of a rollout: every active
/// ReplicaSet grows or shrinks by its share, the largest takes what rounding leaves.
#[must_use]
pub fn proportional(deployment: &Deployment, active: &[ReplicaSet]) -> Vec<i64> {
    let allowed = if deployment.replicas > 0 { deployment.replicas + max_surge(deployment) } else { 0 };
    let to_add = allowed - total(active);
    let order = by_size(active, to_add > 0);
    let mut sizes: Vec<i64> = active.iter().map(|rs| rs.replicas).collect();
    let mut added = 0;
    for rank in &order {
        let (Some(rs), Some(size)) = (active.get(*rank), sizes.get_mut(*rank)) else {
            continue;
        };
        let share = share_of(deployment, rs, to_add, added);
        *size += share;
        added += share;
    }
    if let Some(size) = order.first().and_then(|largest| sizes.get_mut(*largest)) {
        *size = (*size + to_add - added).max(0);
    }
    sizes
}

/// Indexes by size, largest first; equal sizes newest first when growing, oldest when shrinking.
fn by_size(active: &[ReplicaSet], growing: bool) -> Vec<usize> {
    let mut order: Vec<(usize, &ReplicaSet)> = active.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| {
        let age = (a.meta.creation_timestamp, &a.meta.name).cmp(&(b.meta.creation_timestamp, &b.meta.name));
        b.replicas.cmp(&a.replicas).then(if growing { age.reverse() } else { age })
    });
    order.into_iter().map(|(index, _)| index).collect()
}

/// One ReplicaSet's share of `to_add` pods (negative when shrinking) of which `added` are given out.
fn share_of(deployment: &Deployment, rs: &ReplicaSet, to_add: i64, added: i64) -> i64 {
    if rs.replicas == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = if deployment.replicas == 0 {
        -rs.replicas
    } else {
        let before = rs.meta.annotations.get(MAX_REPLICAS).and_then(|text| text.parse().ok());
        let before: i64 = before.unwrap_or(deployment.status.replicas).max(1);
        let now = deployment.replicas + max_surge(deployment);
        // Rounded half away from zero; all values are non-negative here.
        (2 * rs.replicas * now + before) / (2 * before) - rs.replicas
    };
    let rest = to_add - added;
    if to_add > 0 { fraction.min(rest) } else { fraction.max(rest) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn deployment(replicas: i64, surge: &str, unavailable: &str) -> Deployment {
        Deployment::read(&json!({"metadata": {"name": "webapp"}, "spec": {"replicas": replicas,
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}}))
        .unwrap()
    }

    fn set(name: &str, replicas: i64, max: i64) -> ReplicaSet {
        ReplicaSet::read(&json!({"metadata": {"name": name, "annotations": {MAX_REPLICAS: max.to_string()}},
            "spec": {"replicas": replicas}}))
        .unwrap()
    }

    #[test]
    fn no_surge_and_nothing_unavailable_still_moves_one_pod_at_a_time() {
        let d = deployment(3, "0%", "0%");
        assert_eq!((max_surge(&d), max_unavailable(&d)), (0, 1));
        let d = deployment(3, "25%", "25%");
        assert_eq!((max_surge(&d), max_unavailable(&d)), (1, 0));
    }

    #[test]
    fn scaling_in_the_middle_of_a_rollout_keeps_the_proportions() {
        // The example of the Kubernetes documentation: 10 replicas, surge 3, unavailable 2,
        // 8 old and 5 new pods; scaled to 15 the old ones get 3 more and the new ones 2.
        let d = deployment(15, "20%", "0%");
        assert_eq!(max_surge(&d), 3);
        assert_eq!(proportional(&d, &[set("old", 8, 13), set("new", 5, 13)]), [11, 7]);
    }

    #[test]
    fn scaling_to_zero_takes_every_pod() {
        let d = deployment(0, "25%", "25%");
        assert_eq!(proportional(&d, &[set("old", 8, 13), set("new", 5, 13)]), [0, 0]);
    }

    #[test]
    fn the_newest_grows_only_into_the_surge() {
        let d = deployment(12, "25%", "25%");
        assert_eq!(next_size(&d, 12, 0), 3);
        assert_eq!(next_size(&d, 15, 3), 3);
        assert_eq!(next_size(&d, 12, 11), 12);
    }
}
