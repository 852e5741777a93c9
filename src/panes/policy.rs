//! The policy in force on this console, and whose is another.

use super::scene::{Scene, utc_minute};
use crate::config::policy_text;
use crate::domain::text::safe;
use crate::look::{Line, Role};

/// Longest line of a policy that is shown, in bytes.
const LONGEST: usize = 400;

/// Who judges by another policy, when and by which; then the resolved policy of this console.
///
/// The record and the leases carry the hash of a policy, not its text: what exactly differs can be
/// told only where the other configuration is.
pub fn lines(scene: &Scene<'_>) -> Vec<Line> {
    let (Some(service), Some(view)) = (scene.service(), scene.view()) else {
        return vec![Line::of(Role::Dim, "no service is shown")];
    };
    let mut lines =
        vec![Line::of(Role::Dim, "this console: ").add(Role::Strong, service.policy_hash.to_string()), Line::new()];
    if view.policies.is_empty() {
        lines.push(Line::of(Role::Dim, "nobody who was seen judges by another: neither a guard nor who promoted last"));
    }
    for other in &view.policies {
        let when = other.at.map(|at| format!(" at {} UTC", utc_minute(at))).unwrap_or_default();
        let did = if other.guards { "guards by" } else { "promoted by" };
        let regions: Vec<&str> = other.regions.iter().map(|r| scene.region_name(*r)).collect();
        lines.push(
            Line::of(Role::Watch, "! ")
                .add(Role::Strong, safe(&other.who, LONGEST))
                .add(Role::Text, format!(" {did} "))
                .add(Role::Watch, safe(&other.hash, LONGEST))
                .add(Role::Dim, format!("{when}, seen in {}", regions.join(", "))),
        );
    }
    if !view.policies.is_empty() {
        lines.push(Line::new());
        let text = "Only the hash of the other policy is in the record: its text is not known here. Run `gonogo` with \
             this view where the other one runs, and compare line by line. Until then raising needs an override.";
        lines.push(Line::of(Role::Text, text));
    }
    lines.push(Line::new());
    lines.push(Line::of(Role::Accent, "what this console goes by, as it is hashed"));
    let cluster = |at: usize| scene.engine.fleet.cluster_name(at.into()).to_string();
    lines.extend(
        policy_text(service, &cluster).lines().map(|l| Line::of(Role::Text, format!("  {}", safe(l, LONGEST)))),
    );
    lines
}
