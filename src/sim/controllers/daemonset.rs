//! The DaemonSet controller: one pod per node, replaced a few nodes at a time.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::after;
use super::pod::{Naming, Pod, Stage};
use super::revision::{Numbering, Owner, Revision, number, surplus};
use super::view::{IntOrPercent, Meta, Round, StringMap};

/// A DaemonSet.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonSet {
    /// Metadata.
    pub meta: Meta,
    /// The pod template, whole.
    pub template: Value,
    /// Pods are replaced by the controller, rather than by whoever deletes them.
    pub rolling: bool,
    /// Nodes that may be without a serving pod while pods are replaced.
    pub max_unavailable: IntOrPercent,
    /// Nodes that may have a new pod beside the old one.
    pub max_surge: IntOrPercent,
    /// Labels that a node must have.
    pub node_selector: StringMap,
    /// Seconds a pod must be ready to count as available.
    pub min_ready_seconds: i64,
    /// Old revisions to keep.
    pub revision_history_limit: i64,
    /// Status as last written.
    pub status: Status,
}

/// `status` of a DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Generation the controller has seen.
    pub observed_generation: i64,
    /// Nodes that are to have a pod.
    pub desired_number_scheduled: i64,
    /// Nodes that have one.
    pub current_number_scheduled: i64,
    /// Nodes whose pod is of the newest template.
    pub updated_number_scheduled: i64,
    /// Nodes whose pod is ready.
    pub number_ready: i64,
    /// Nodes whose pod has been ready for `minReadySeconds`.
    pub number_available: i64,
    /// Nodes without such a pod.
    pub number_unavailable: i64,
}

/// One thing that the controller wants written or done.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Keep a template.
    CreateRevision(Value),
    /// Give a revision another number.
    Renumber {
        /// Its name.
        name: String,
        /// Its new number.
        number: i64,
    },
    /// Forget a revision.
    DeleteRevision(String),
    /// Make a pod of this revision on this node.
    CreatePod {
        /// The node.
        node: u32,
        /// Name of the revision.
        revision: String,
    },
    /// Ask the pod of this id to go.
    DeletePod(u64),
    /// Replace the status.
    UpdateStatus(Value),
    /// Look again at this time, even if nothing changes.
    WakeAt(Timestamp),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectText {
    metadata: Meta,
    spec: SpecText,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SpecText {
    template: Value,
    update_strategy: StrategyText,
    min_ready_seconds: i64,
    revision_history_limit: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StrategyText {
    #[serde(rename = "type")]
    kind: String,
    rolling_update: RollingText,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RollingText {
    max_unavailable: Option<IntOrPercent>,
    max_surge: Option<IntOrPercent>,
}

impl DaemonSet {
    /// Reads a DaemonSet; fields that are missing get the API's defaults.
    ///
    /// # Errors
    /// When a field has another type than the API gives it.
    pub fn read(object: &Value) -> Result<Self, serde_json::Error> {
        let text = ObjectText::deserialize(object)?;
        let rolling = text.spec.update_strategy.rolling_update;
        let node_selector = text.spec.template.pointer("/spec/nodeSelector").map(StringMap::deserialize).transpose()?;
        Ok(Self {
            meta: text.metadata,
            template: text.spec.template,
            rolling: text.spec.update_strategy.kind != "OnDelete",
            max_unavailable: rolling.max_unavailable.unwrap_or(IntOrPercent::Count(1)),
            max_surge: rolling.max_surge.unwrap_or(IntOrPercent::Count(0)),
            node_selector: node_selector.unwrap_or_default(),
            min_ready_seconds: text.spec.min_ready_seconds,
            revision_history_limit: text.spec.revision_history_limit.unwrap_or(10),
            status: text.status,
        })
    }
}

/// One sync: what to write next. Empty when everything is as it should be. `nodes` are those that are to have a pod.
#[must_use]
pub fn reconcile(set: &DaemonSet, own: &[Revision], pods: &[Pod], nodes: &[u32], now: Timestamp) -> Vec<Write> {
    let mut writes = Vec::new();
    let owner = Owner { kind: "DaemonSet", meta: &set.meta, template: &set.template };
    let update = match number(owner, own, now) {
        Numbering::Newest(found) => found,
        Numbering::Again(found) => {
            writes.push(Write::Renumber { name: found.meta.name.clone(), number: found.number });
            found
        }
        Numbering::New(made, object) => {
            writes.push(Write::CreateRevision(object));
            made
        }
    };
    let sync = Sync { set, update: update.meta.name, pods, nodes, now };
    if set.meta.deletion_timestamp.is_none() {
        writes.extend(sync.moves());
    }
    let status = sync.status();
    if status != set.status {
        writes.push(Write::UpdateStatus(to_json(&status)));
    }
    let live: Vec<&str> = std::iter::once(sync.update.as_str()).chain(pods.iter().map(|p| &*p.set)).collect();
    writes.extend(surplus(own, &live, set.revision_history_limit).into_iter().map(Write::DeleteRevision));
    writes.extend(sync.wake().map(Write::WakeAt));
    writes
}

struct Sync<'a> {
    set: &'a DaemonSet,
    update: String,
    pods: &'a [Pod],
    nodes: &'a [u32],
    now: Timestamp,
}

impl<'a> Sync<'a> {
    /// Pods of a node that are not gone, the oldest first.
    fn of(&self, node: u32) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |p| p.naming == Naming::Node(node) && p.stage != Stage::Gone)
    }

    /// The pod by which a node is judged: the oldest; one on its way out only where there is no other.
    fn on(&self, node: u32) -> Option<&'a Pod> {
        self.of(node).find(|p| p.is_active()).or_else(|| self.of(node).next())
    }

    fn available(&self, pod: &Pod) -> bool {
        pod.is_active() && pod.available_from(self.set.min_ready_seconds).is_some_and(|at| at <= self.now)
    }

    fn is_new(&self, pod: &Pod) -> bool {
        *pod.set == *self.update
    }

    fn create(&self, node: u32) -> Write {
        Write::CreatePod { node, revision: self.update.clone() }
    }

    fn moves(&self) -> Vec<Write> {
        let bare = self.nodes.iter().filter(|node| self.on(**node).is_none());
        let mut writes: Vec<Write> = bare.map(|node| self.create(*node)).collect();
        let elsewhere = |p: &&Pod| !matches!(p.naming, Naming::Node(node) if self.nodes.contains(&node));
        let gone = self.pods.iter().filter(|p| p.is_active()).filter(elsewhere);
        writes.extend(gone.map(|pod| Write::DeletePod(pod.id)));
        if self.set.rolling {
            let all = i64::try_from(self.nodes.len()).unwrap_or(i64::MAX);
            let surge = self.set.max_surge.of(all, Round::Up);
            writes.extend(if surge > 0 { self.surged(surge) } else { self.replaced(all) });
        }
        writes
    }

    /// Without a surge: what does not serve goes at once; of what serves, as much as may be missing.
    fn replaced(&self, all: i64) -> Vec<Write> {
        let most = self.set.max_unavailable.of(all, Round::Up).max(1);
        let missing = self.nodes.iter().filter(|n| !self.on(**n).is_some_and(|p| self.available(p))).count();
        let mut room = most - i64::try_from(missing).unwrap_or(i64::MAX);
        let mut writes = Vec::new();
        for node in self.nodes {
            let Some(pod) = self.on(*node).filter(|p| !self.is_new(p) && p.is_active()) else { continue };
            if !self.available(pod) {
                writes.push(Write::DeletePod(pod.id));
            } else if room > 0 {
                room -= 1;
                writes.push(Write::DeletePod(pod.id));
            }
        }
        writes
    }

    /// With a surge: a new pod beside the old one, which goes when the new one is available.
    fn surged(&self, most: i64) -> Vec<Write> {
        let active = |node: u32, new: bool| self.of(node).find(|p| p.is_active() && self.is_new(p) == new);
        let waits = |node: &&u32| {
            active(**node, false).is_some() && active(**node, true).is_some_and(|new| !self.available(new))
        };
        let mut room = most - i64::try_from(self.nodes.iter().filter(waits).count()).unwrap_or(i64::MAX);
        let mut writes = Vec::new();
        for node in self.nodes {
            let Some(old) = active(*node, false) else { continue };
            match active(*node, true) {
                Some(new) if self.available(new) => writes.push(Write::DeletePod(old.id)),
                Some(_) => {}
                None if !self.available(old) => writes.push(self.create(*node)),
                None if room > 0 => {
                    room -= 1;
                    writes.push(self.create(*node));
                }
                None => {}
            }
        }
        writes
    }

    fn status(&self) -> Status {
        let count = |wanted: &dyn Fn(&Pod) -> bool| {
            let found = self.nodes.iter().filter(|n| self.on(**n).is_some_and(wanted)).count();
            i64::try_from(found).unwrap_or(i64::MAX)
        };
        let desired = i64::try_from(self.nodes.len()).unwrap_or(i64::MAX);
        let available = count(&|pod| self.available(pod));
        Status {
            observed_generation: self.set.meta.generation,
            desired_number_scheduled: desired,
            current_number_scheduled: count(&|_| true),
            updated_number_scheduled: count(&|pod| self.is_new(pod)),
            number_ready: count(&Pod::is_ready),
            number_available: available,
            number_unavailable: desired - available,
        }
    }

    /// When the next ready pod becomes an available one.
    fn wake(&self) -> Option<Timestamp> {
        let from = self.pods.iter().filter_map(|pod| pod.available_from(self.set.min_ready_seconds));
        from.filter(|at| *at > self.now).min().map(|at| after(at, SignedDuration::from_millis(1)))
    }
}

/// The status as the API writes it: some counts are left out when they are zero.
fn to_json(status: &Status) -> Value {
    let mut out = json!({
        "observedGeneration": status.observed_generation,
        "currentNumberScheduled": status.current_number_scheduled,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": status.desired_number_scheduled,
        "numberReady": status.number_ready,
    });
    let counts = [
        ("updatedNumberScheduled", status.updated_number_scheduled),
        ("numberAvailable", status.number_available),
        ("numberUnavailable", status.number_unavailable),
    ];
    if let Some(map) = out.as_object_mut() {
        map.extend(counts.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name.to_owned(), n.into())));
    }
    out
}
