//! The policy in force on this console, and whose is another.

use super::scene::{Scene, utc_minute};
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::engine::policy_text::{differences, policy_text, told_text};
use crate::look::{Line, Role};

/// Longest line of a policy that is shown, in bytes.
const LONGEST: usize = 400;

/// Most differences that are shown of one policy.
const MOST: usize = 40;

/// Who judges by another policy, when and by which, and what of it differs; then the resolved policy of
/// this console.
///
/// Guards tell their policy beside their heartbeat. Who promoted left only its hash: what differs is known
/// there where a guard goes by the same.
pub fn lines(scene: &Scene<'_>) -> Vec<Line> {
    let (Some(service), Some(view)) = (scene.service(), scene.view()) else {
        return vec![Line::of(Role::Dim, "no service is shown")];
    };
    let cluster = |at: usize| scene.engine.fleet.cluster_name(at.into()).to_string();
    let told = told_text(service, &cluster);
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
        match (&told, &other.text) {
            (Some(ours), Some(theirs)) => lines.extend(difference(ours, theirs)),
            _ => lines.push(Line::of(
                Role::Text,
                "    its text is not known here: run `gonogo` with this view where it runs, and compare line by line",
            )),
        }
    }
    if !view.policies.is_empty() {
        lines.push(Line::new());
        lines.push(Line::of(Role::Text, "Until they are the same, raising needs an override."));
    }
    lines.push(Line::new());
    lines.push(Line::of(Role::Accent, "what this console goes by, as it is hashed"));
    lines.extend(
        policy_text(service, &cluster).lines().map(|l| Line::of(Role::Text, format!("  {}", safe(l, LONGEST)))),
    );
    lines
}

/// Which settings differ, each with its ring, and how either side has it.
fn difference(ours: &str, theirs: &str) -> Vec<Line> {
    let all = differences(ours, theirs);
    if all.is_empty() {
        let text = "    they differ in nothing that is told: only what a hash knows, or another version of gonogo";
        return vec![Line::of(Role::Text, text)];
    }
    let side = |role, word: &str, line: &Option<Text>| {
        let line = line.as_ref().map_or_else(|| "–".to_owned(), |l| safe(l, LONGEST));
        Line::of(Role::Dim, format!("      {word} ")).add(role, line)
    };
    let mut lines = Vec::new();
    for one in all.iter().take(MOST) {
        let ring = if one.ring.is_empty() { "the service".to_owned() } else { safe(&one.ring, LONGEST) };
        lines.push(Line::of(Role::Dim, "    in ").add(Role::Text, ring));
        lines.push(side(Role::Text, "here: ", &one.ours));
        lines.push(side(Role::Watch, "there:", &one.theirs));
    }
    if all.len() > MOST {
        lines.push(Line::of(Role::Dim, format!("    … and {} settings more", all.len() - MOST)));
    }
    lines
}
