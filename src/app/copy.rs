//! The kubectl line that shows the same, or does the same: for the clipboard.

use super::{App, AppEffect, KubeContext, View};
use crate::domain::change::{Change, PatchKind};
use crate::domain::fleet::{Fleet, Region, Service};
use crate::domain::id::ClusterIx;
use crate::domain::outside::{Outside, quoted};
use crate::domain::plan::{Plan, WriteRole};
use crate::domain::text::{safe, several};
use crate::engine::operation::ProposalState;
use crate::panes::{Pane, detail};

/// Most bytes given to a terminal's clipboard: longer ones are dropped by terminals.
const MOST: usize = 70_000;

impl App {
    /// Copies the line that shows what is selected.
    pub(super) fn copy(&mut self) -> Vec<AppEffect> {
        let scene = self.scene();
        let Some(region) = scene.selected() else { return Vec::new() };
        let (cluster, region_name) = (region.spec.cluster, region.spec.name.clone());
        let workload = &region.spec.workload;
        let at = self.kubectl(cluster, workload.namespace.as_str());
        let object = format!("{}/{}", workload.kind.to_lowercase(), workload.name);
        let object = quoted(&object);
        if let Some(line) = reports(&self.engine.fleet, scene.service(), region.spec) {
            self.say(format!("copied: {line}"), false);
            return vec![AppEffect::Copy(safe(&line, MOST).into())];
        }
        let line = match (self.view(), self.panes.detail.tab) {
            (View::Only(Pane::Detail), detail::Tab::Yaml) => format!("{at} get {object} -o yaml"),
            (View::Only(Pane::Detail), detail::Tab::Describe) => format!("{at} describe {object}"),
            (View::Only(Pane::Detail), detail::Tab::Pods) => format!("{at} get pods -o wide"),
            (View::Only(Pane::Events), _) => format!("{at} get events --sort-by=.lastTimestamp"),
            _ => format!("{at} rollout status {object}"),
        };
        let inside = if self.setup.contexts.contains_key(&cluster) {
            String::new()
        } else {
            format!(" (no kube context leads to {region_name}: run it inside that cluster)")
        };
        self.say(format!("copied: {line}{inside}"), false);
        vec![AppEffect::Copy(safe(&line, MOST).into())]
    }

    /// Copies the lines that do what the plan under review does.
    pub(super) fn copy_plan(&mut self) -> Vec<AppEffect> {
        let Some(ProposalState::Ready { plan, .. }) = self.engine.proposal.as_ref().map(|p| &p.state) else {
            return Vec::new();
        };
        let plan = plan.clone();
        let lines: Vec<String> = self.plan_lines(&plan);
        let main = plan.steps.iter().filter_map(|s| s.main());
        let inside = main.filter_map(|w| w.change.cluster()).find(|c| !self.setup.contexts.contains_key(c));
        let inside = match inside {
            Some(cluster) => {
                let name = self.engine.fleet.cluster_name(cluster);
                format!("; no kube context leads to {name}: run those inside that cluster")
            }
            None => String::new(),
        };
        self.say(format!("copied {}{inside}", several(lines.len(), "kubectl line")), false);
        let text = lines.iter().map(|l| safe(l, MOST)).collect::<Vec<_>>().join("\n");
        if text.len() > MOST { Vec::new() } else { vec![AppEffect::Copy(text.into())] }
    }

    /// The beginning of a line: the kube context as kubectl knows it, never the cluster's name here.
    fn kubectl(&self, cluster: ClusterIx, namespace: &str) -> String {
        let mut line = "kubectl".to_owned();
        if let Some(KubeContext { context, kubeconfig }) = self.setup.contexts.get(&cluster) {
            if let Some(file) = kubeconfig {
                line.push_str(&format!(" --kubeconfig {}", quoted(file)));
            }
            line.push_str(&format!(" --context {}", quoted(context)));
        }
        if let Some((user, groups)) = &self.setup.acting_as {
            line.push_str(&format!(" --as {}", quoted(user)));
            groups.iter().for_each(|group| line.push_str(&format!(" --as-group {}", quoted(group))));
        }
        format!("{line} -n {}", quoted(namespace))
    }

    fn plan_lines(&self, plan: &Plan) -> Vec<String> {
        let main = plan.steps.iter().flat_map(|s| &s.writes).filter(|w| w.role == WriteRole::Main);
        let line = |change: &Change| {
            let Some(object) = change.object() else { return outside(change) };
            let body = String::from_utf8_lossy(&change.body()).into_owned();
            let at = self.kubectl(object.cluster, object.namespace.as_str());
            match change {
                Change::Patch { kind, .. } => {
                    let kind = match kind {
                        PatchKind::Json => "json",
                        PatchKind::Merge => "merge",
                    };
                    let name = format!("{}/{}", object.api.plural, object.name);
                    format!("{at} patch {} --type={kind} -p {}", quoted(&name), quoted(&body))
                }
                Change::Create { .. } | Change::Outside(_) => format!("echo {} | {at} create -f -", quoted(&body)),
            }
        };
        main.map(|w| line(&w.change)).collect()
    }
}

/// What tells how a region stands that no cluster tells of; none: its cluster does.
fn reports(fleet: &Fleet, service: Option<&Service>, region: &Region) -> Option<String> {
    let state = region.pipeline()?.state.as_ref()?;
    let asked = state.filled("state", &service?.names_of(fleet, region).each()).ok()?;
    Some(outside(&Change::Outside(asked)))
}

/// What goes past the clusters: a command as it is run, anything else in words.
fn outside(change: &Change) -> String {
    match change {
        Change::Outside(Outside::Run(_)) => change.path(),
        _ => format!("# {} {}", change.method(), change.path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_sees_one_word() {
        assert_eq!(quoted("deployment/web"), "deployment/web");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's; rm -rf /"), "'it'\\''s; rm -rf /'");
        assert_eq!(quoted(""), "''");
    }
}
