//! One region in detail: described in our words, as YAML, and its pods with their last logs.

use ratatui::layout::Rect;
use serde_json::Value;

use super::journal::scrolled;
use super::scene::{RegionScene, Scene, between, utc_minute};
use crate::domain::fleet::Unit;
use crate::domain::id::{RegionIx, Text};
use crate::domain::stamp::{Stamp, Timestamp};
use crate::domain::steps::Steps;
use crate::domain::text::safe;
use crate::domain::workload::Pod;
use crate::engine::view::{Drained, Residual};
use crate::input::Command;
use crate::look::glyph::Sign;
use crate::look::{Canvas, Line, Role, scroll};

/// What is shown of the region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// In our words.
    #[default]
    Describe,
    /// The object.
    Yaml,
    /// Pods and logs.
    Pods,
}

const TABS: [(Tab, &str); 3] = [(Tab::Describe, "describe"), (Tab::Yaml, "yaml"), (Tab::Pods, "pods")];

/// Longest line of YAML or log that is shown, in bytes.
const LONGEST: usize = 2_000;

/// What is shown, and how far it is scrolled.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What is shown.
    pub tab: Tab,
    scroll: usize,
    /// YAML is made once per object read, not once per frame.
    yaml: Option<(RegionIx, Stamp, bool, Vec<Line>)>,
}

impl State {
    /// Shows a tab from its top.
    pub fn turn(&mut self, tab: Tab) {
        self.tab = tab;
        self.scroll = 0;
    }

    /// The tab after or before this.
    pub fn next(&mut self, forward: bool) {
        let at = TABS.iter().position(|(t, _)| *t == self.tab).unwrap_or(0);
        let step = if forward { 1 } else { TABS.len() - 1 };
        if let Some((tab, _)) = TABS.get((at + step) % TABS.len()) {
            self.turn(*tab);
        }
    }

    /// A movement.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) {
        match command {
            Command::Left => self.next(false),
            Command::Right => self.next(true),
            _ => {
                let last = self.lines(scene).len().saturating_sub(1);
                self.scroll = scrolled(self.scroll, command, last);
            }
        }
    }

    /// Makes the YAML anew when another object was read.
    pub fn refresh(&mut self, scene: &Scene<'_>) {
        let Some(region) = scene.selected() else { return };
        let found = scene.engine.workload_object((scene.at(), region.at)).and_then(|o| scene.engine.full.get(&o));
        let Some((at, result)) = found else {
            self.yaml = None;
            return;
        };
        if self.yaml.as_ref().is_some_and(|(r, s, m, _)| (*r, *s, *m) == (region.at, *at, scene.mask)) {
            return;
        }
        let lines = match result {
            Ok(Some(value)) => yaml(value, scene.mask),
            Ok(None) => vec![Line::of(Role::NoGo, "the object is not there")],
            Err(why) => {
                let (word, reason) = why.text();
                vec![Line::of(Role::NoData, format!("? not read: {word}: {reason}"))]
            }
        };
        self.yaml = Some((region.at, *at, scene.mask, lines));
    }

    /// The pod that matters: the first in trouble, else the first.
    pub fn pod(&self, scene: &Scene<'_>) -> Option<Text> {
        let region = scene.selected()?;
        sorted(&region.state.pods).first().map(|p| p.name.clone())
    }

    fn lines(&self, scene: &Scene<'_>) -> Vec<Line> {
        let Some(region) = scene.selected() else { return vec![Line::of(Role::Dim, "no region is selected")] };
        match self.tab {
            Tab::Describe => describe(scene, &region),
            Tab::Pods => pods(scene, &region),
            Tab::Yaml => match &self.yaml {
                Some((at, _, _, lines)) if *at == region.at => lines.clone(),
                _ => vec![Line::of(Role::Wait, "◔ being read")],
            },
        }
    }
}

/// What stands in the frame's title.
pub fn title(state: &State, scene: &Scene<'_>) -> Line {
    let mut line = Line::new();
    if let Some(region) = scene.selected() {
        let cluster = scene.engine.fleet.cluster_name(region.spec.cluster);
        line = line.add(Role::Strong, region.spec.name.as_str()).add(Role::Dim, format!(" on {cluster} · "));
    }
    for (tab, name) in TABS {
        let role = if tab == state.tab { Role::Accent } else { Role::Dim };
        line = line.add(role, name).add(Role::Dim, "  ");
    }
    line
}

/// Draws the tab.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    scroll::lines(canvas, area, &state.lines(scene), state.scroll);
}

pub(super) fn entry(name: &str, role: Role, text: impl Into<String>) -> Line {
    Line::of(Role::Dim, format!("{name:<14} ")).add(role, text)
}

fn describe(scene: &Scene<'_>, region: &RegionScene<'_>) -> Vec<Line> {
    let spec = region.spec;
    let mut lines = Vec::new();
    if let Some(trouble) = region.trouble(scene.clock) {
        lines.push(entry("link", Role::Stale, format!("~ {trouble}: what follows was last known")));
    }
    lines.push(entry("ring", Role::Text, scene.ring_name(spec.ring)));
    if let Some(cluster) = region.cluster {
        let facts = &cluster.facts;
        let uid = facts.uid.as_ref().map_or("?", |u| u.as_str());
        let derived = if facts.uid_is_derived { " (derived from CA and URL)" } else { "" };
        lines.push(entry("cluster uid", Role::Text, format!("{uid}{derived}")));
        let user = facts.user.as_ref().map_or("?", |u| u.as_str());
        let version = facts.version.as_deref().unwrap_or("?");
        lines.push(entry(
            "cluster",
            Role::Text,
            format!("{version}, as {user}, {} watch{}", facts.watches, if facts.watches == 1 { "" } else { "es" }),
        ));
        for trouble in &facts.troubles {
            lines.push(entry("not watched", Role::Watch, format!("! {trouble}")));
        }
        for right in facts.rights.iter().filter(|r| !r.allowed) {
            lines.push(entry(
                "not allowed",
                Role::Watch,
                format!("{} {} in {}", right.verb, right.resource, right.namespace),
            ));
        }
    }
    let workload = &spec.workload;
    lines.push(entry("workload", Role::Text, format!("{} {}/{}", workload.kind, workload.namespace, workload.name)));
    match &region.state.workload {
        None if region.state.absent => lines.push(entry("", Role::NoGo, "✗ not there")),
        None => lines.push(entry("", Role::NoData, "? not seen yet")),
        Some(w) => lines.extend(describe_workload(w, scene.now())),
    }
    lines.extend(super::delivery::lines(scene, region));
    lines.extend(describe_traffic(region));
    lines.extend(describe_metrics(scene, region));
    if let Some(settled) = region.state.settled {
        let text = format!("{} UTC, {}", utc_minute(settled.at), settled.source.text());
        lines.push(entry("settled", Role::Text, text));
    }
    for (name, people) in [("owner", &spec.owner), ("escalation", &spec.escalation)] {
        if let Some(people) = people {
            lines.push(entry(name, Role::Text, people.to_string()));
        }
    }
    if let Some(refused) = scene.engine.record_refusals().get(&(scene.at(), region.at)) {
        lines.push(entry("record", Role::Watch, format!("! may not be written: {refused}")));
    }
    lines.push(Line::new());
    lines.push(Line::of(Role::Strong, "history"));
    for revision in &region.state.revisions {
        let created = revision.created.map_or_else(|| "?".to_owned(), utc_minute);
        let cause = revision.cause.as_deref().unwrap_or("");
        lines.push(entry(
            &format!("  revision {}", revision.number),
            Role::Text,
            format!("{created}  {}  {cause}", revision.hash),
        ));
    }
    if region.state.revisions.is_empty() {
        lines.push(Line::of(Role::Dim, "  not listed"));
    }
    lines
}

fn describe_workload(w: &crate::domain::workload::Workload, now: Timestamp) -> Vec<Line> {
    let r = &w.replicas;
    let image = w.image.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let mut lines = vec![
        entry("version", Role::Strong, w.version.to_string()),
        entry("image", Role::Text, image),
        entry("template", Role::Text, w.template.short()),
        entry("uid", Role::Text, w.uid.as_str()),
        entry("phase", Role::Text, w.phase.word()),
        entry(
            "replicas",
            Role::Text,
            format!(
                "{} wanted, {} there, {} updated, {} ready, {} available",
                r.desired, r.total, r.updated, r.ready, r.available
            ),
        ),
        entry("generation", Role::Text, format!("{}, seen by the controller {}", w.generation, w.observed_generation)),
    ];
    if w.paused {
        lines.push(entry("paused", Role::Held, "‖ yes"));
    }
    if let Some(partition) = w.progress.partition.filter(|p| *p > 0) {
        let text = format!("{partition}: pods below it run what ran before");
        lines.push(entry("partition", Role::Text, text));
    }
    lines.extend(w.progress.steps.iter().flat_map(|s| describe_steps(s, now)));
    if let Some(snag) = &w.progress.snag {
        lines.push(entry("if stuck", Role::Watch, format!("! {snag}")));
    }
    if let Some(failure) = &w.progress.failure {
        lines.push(entry("failure", Role::NoGo, format!("✗ {failure}")));
    }
    if let Some(cause) = &w.change_cause {
        lines.push(entry("change cause", Role::Text, cause.to_string()));
    }
    if let Some(owner) = &w.owner {
        let text = format!("! {} {} puts it back as it wants it", owner.tool.name(), owner.name);
        lines.push(entry("managed by", Role::Watch, text));
    }
    lines
}

/// Steps, what they wait for, and which revision is which.
fn describe_steps(steps: &Steps, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![entry("rollout", Role::Text, steps.says.to_string())];
    if steps.of > 0 || steps.blue_green {
        lines.push(entry("step", Role::Text, steps.place()));
    }
    lines.extend(steps.pauses.iter().map(|p| entry("waits", Role::Wait, p.text(now))));
    if let Some(set) = steps.set_weight.filter(|_| steps.of > 0) {
        let actual = steps.actual_weight.map_or_else(|| "by its pods".to_owned(), |w| w.to_string());
        lines.push(entry("weight", Role::Text, format!("{set} of {} set, {actual} actual", steps.most)));
    }
    let hashes = [
        ("stable", steps.stable.as_ref()),
        ("newest", Some(&steps.current).filter(|h| !h.is_empty())),
        ("active", steps.active.as_ref()),
        ("preview", steps.preview.as_ref()),
    ];
    let hashes = hashes.into_iter().filter_map(|(name, hash)| Some(format!("{name} {}", hash?)));
    lines.push(entry("revisions", Role::Text, hashes.collect::<Vec<_>>().join(", ")));
    for run in &steps.analyses {
        let message = if run.message.is_empty() { String::new() } else { format!(": {}", run.message) };
        let role = match &*run.phase {
            "Failed" | "Error" => Role::NoGo,
            "Inconclusive" => Role::Watch,
            _ => Role::Text,
        };
        lines.push(entry("analysis", role, format!("{} {} {}{message}", run.what, run.name, run.phase)));
    }
    if steps.aborted {
        lines.push(entry("aborted", Role::NoGo, "✗ the stable revision serves; the template is still the new one"));
    }
    lines
}

fn describe_traffic(region: &RegionScene<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let weight = region.view.and_then(|v| v.weight);
    match (&region.spec.route, weight) {
        (None, _) => lines.push(entry("route", Role::Dim, "none configured: traffic cannot be steered")),
        (Some(route), Some((weight, share))) => {
            let text = format!(
                "{} {}/{} backend {}: weight {weight}{}",
                route.provider,
                route.namespace,
                route.name,
                route.backend,
                share.map(|share| format!(", {:.0} %", share * 100.0)).unwrap_or_default()
            );
            lines.push(entry("route", Role::Text, text));
        }
        (Some(route), None) => {
            lines.push(entry(
                "route",
                Role::NoData,
                format!("? {} {}/{} not seen", route.provider, route.namespace, route.name),
            ));
        }
    }
    if let Some(trouble) = region.state.route.as_ref().and_then(|r| r.trouble.as_ref()) {
        lines.push(entry("", Role::Watch, format!("! {trouble}")));
    }
    if let Some(view) = region.view
        && let Some(words) = view.out_of_traffic()
    {
        let whose = if view.drained == Drained::Elsewhere { ", not by a drain of ours" } else { "" };
        let left = match view.residual {
            Some(Residual::Unmeasured) => "; what still comes is not measured".to_owned(),
            Some(Residual::Qps { below, .. }) => format!("; drained below {}/s", Unit::PerSecond.show(below)),
            Some(Residual::Nothing) | None => String::new(),
        };
        lines.push(entry("", Role::Drained, format!("⤓ {words}{whose}{left}")));
    }
    if let Some(capacity) = region.spec.capacity {
        let day = capacity.measured.map_or_else(String::new, |d| format!(", measured {d}"));
        lines.push(entry("capacity", Role::Text, format!("{:.0} QPS{day}", capacity.qps)));
    }
    lines
}

/// The newest sample of each column, or why there is none.
fn describe_metrics(scene: &Scene<'_>, region: &RegionScene<'_>) -> Vec<Line> {
    let columns = scene.service().map(|s| s.columns.as_slice()).unwrap_or_default();
    let line = |metric: &crate::domain::fleet::Column| match region.state.current.get(metric.name.as_str()) {
        None => entry(&metric.title, Role::Dim, "– not asked yet"),
        Some((_, Err(why))) => entry(&metric.title, Role::NoData, format!("? {}", safe(&why.to_string(), LONGEST))),
        Some((at, Ok(value))) => {
            let text = format!("{}, {} ago", metric.unit.show(*value), between(scene.now(), *at));
            entry(&metric.title, Role::Text, text)
        }
    };
    columns.iter().map(line).collect()
}

/// Pods in trouble first.
fn sorted(pods: &[Pod]) -> Vec<&Pod> {
    let mut pods: Vec<&Pod> = pods.iter().collect();
    pods.sort_by_key(|p| (p.trouble.is_none(), p.ready, std::cmp::Reverse(p.restarts), p.name.clone()));
    pods
}

fn pods(scene: &Scene<'_>, region: &RegionScene<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(trouble) = &region.state.trouble {
        let (word, reason) = trouble.text();
        lines.push(Line::of(Role::NoData, format!("? {word}: {reason}")));
    }
    if region.state.pods.is_empty() {
        lines.push(Line::of(Role::Dim, "no pods listed yet"));
    }
    for pod in sorted(&region.state.pods) {
        let sign = match (&pod.trouble, pod.ready) {
            (Some(_), _) => Sign::NoGo,
            (None, true) => Sign::Go,
            (None, false) => Sign::Wait,
        };
        let age = pod.created.map_or_else(|| "?".to_owned(), |c| between(c, scene.now()));
        let mut line = Line::of(if pod.ready { Role::Dim } else { sign.role() }, format!("{} ", sign.glyph()))
            .add(Role::Text, format!("{:<44} {:<10}", pod.name, pod.phase))
            .add(Role::Dim, format!(" {age:>8}  {} restarts", pod.restarts));
        if let Some(trouble) = &pod.trouble {
            line = line.add(Role::NoGo, format!("  {trouble}"));
        }
        lines.push(line);
        match scene.engine.logs.get(&((scene.at(), region.at), pod.name.clone())) {
            Some(Ok(log)) => lines.extend(log.iter().map(|l| Line::of(Role::Dim, format!("    {}", safe(l, LONGEST))))),
            Some(Err(why)) => {
                let (word, reason) = why.text();
                lines.push(Line::of(Role::NoData, format!("    ? no log: {word}: {reason}")));
            }
            None => {}
        }
    }
    lines
}

/// YAML of an object: without the fields that nobody reads, literal env values masked on shared screens.
fn yaml(value: &Value, mask: bool) -> Vec<Line> {
    let mut value = value.clone();
    if let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if mask {
        mask_env(&mut value);
    }
    match serde_saphyr::to_string(&value) {
        Ok(text) => text.lines().map(yaml_line).collect(),
        Err(why) => vec![Line::of(Role::NoData, format!("? cannot be shown as YAML: {why}"))],
    }
}

fn yaml_line(text: &str) -> Line {
    let text = safe(text, LONGEST);
    match text.split_once(": ") {
        Some((key, value)) => Line::of(Role::Dim, format!("{key}: ")).add(Role::Text, value),
        None if text.ends_with(':') => Line::of(Role::Dim, text),
        None => Line::of(Role::Text, text),
    }
}

fn mask_env(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Array(env)) = map.get_mut("env") {
                for value in env.iter_mut().filter_map(|e| e.as_object_mut()?.get_mut("value")) {
                    *value = Value::String("(masked)".to_owned());
                }
            }
            map.values_mut().for_each(mask_env);
        }
        Value::Array(list) => list.iter_mut().for_each(mask_env),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn env_values_are_masked_where_others_look_and_managed_fields_never_show() {
        let object = json!({
            "metadata": {"name": "web", "managedFields": [{"manager": "kubectl"}]},
            "spec": {"template": {"spec": {"containers": [{"env": [{"name": "TOKEN", "value": "s3cret"}]}]}}},
        });
        let text = |mask| yaml(&object, mask).iter().map(Line::text).collect::<Vec<_>>().join("\n");
        assert!(text(false).contains("s3cret"));
        assert!(!text(true).contains("s3cret") && text(true).contains("(masked)"));
        assert!(!text(false).contains("managedFields"));
    }
}
