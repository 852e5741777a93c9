//! The approvals inbox: which rings wait for somebody's yes, and who has given one.

use super::Scene;
use super::scene::utc_minute;
use crate::domain::id::{RegionIx, RingIx, ServiceIx, Text};
use crate::domain::verdict::{Judgement, Verdict};
use crate::engine::Engine;
use crate::gates::{ApprovalRule, approval_rules};
use crate::look::glyph::Sign;
use crate::look::{Line, Role};

/// A ring whose next version asks for approvals.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The service.
    pub service: ServiceIx,
    /// The ring.
    pub ring: RingIx,
    /// One line: service, ring, version.
    pub title: Text,
    /// What its gate says, the worst region's.
    pub judgement: Judgement,
    /// Who may.
    pub who: Text,
}

/// Every ring that the boards ask about and that has an approval gate; those that wait first.
pub fn waiting(engine: &Engine) -> Vec<Waiting> {
    let mut found: Vec<Waiting> = Vec::new();
    for (at, (service, state)) in engine.fleet.services.iter().zip(&engine.services).enumerate() {
        let Some(question) = &state.view.question else { continue };
        let Some(ring) = service.ring(question.ring) else { continue };
        let rules = approval_rules(ring);
        if rules.is_empty() {
            continue;
        }
        let labels: Vec<&Text> = ring.entry_gates.iter().filter(|g| &*g.gate == "approval").map(|g| &g.label).collect();
        let cells = question.rows.iter().filter(|row| row.ring == question.ring && row.region.is_some());
        let cells = cells.flat_map(|row| question.gates.iter().zip(&row.cells));
        let judged = cells.filter(|(gate, _)| labels.contains(gate)).filter_map(|(_, cell)| cell.as_ref());
        let Some(worst) = judged.max_by_key(|j| j.verdict) else { continue };
        found.push(Waiting {
            service: at.into(),
            ring: question.ring,
            title: format!("{} {} {}", service.name, ring.name, question.version).into(),
            judgement: (**worst).clone(),
            who: rules.iter().map(ApprovalRule::who).collect::<Vec<_>>().join("; ").into(),
        });
    }
    found.sort_by_key(|w| std::cmp::Reverse(w.judgement.verdict));
    found
}

/// The inbox as lines; the selected entry with what it rests on.
pub fn lines(scene: &Scene<'_>, selected: usize) -> Vec<Line> {
    let entries = waiting(scene.engine);
    if entries.is_empty() {
        return vec![Line::of(Role::Dim, "No ring that is about to change asks for an approval.")];
    }
    let mut lines = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let sign = Sign::of(entry.judgement.verdict);
        let mark = if n == selected { "▸ " } else { "  " };
        lines.push(
            Line::of(Role::Key, mark)
                .add(sign.role(), format!("{} {:<6} ", sign.glyph(), entry.judgement.cell))
                .add(Role::Strong, entry.title.to_string()),
        );
        if n == selected {
            lines.push(Line::of(Role::Text, format!("    {}", entry.judgement.sentence)));
            lines.extend(entry.judgement.evidence.iter().map(|e| Line::of(Role::Dim, format!("    {e}"))));
            lines.extend(given(scene, entry));
        }
    }
    lines.push(Line::new());
    lines.push(
        Line::of(Role::Key, "A")
            .add(Role::Dim, " or Enter approves what is selected; ")
            .add(Role::Key, "r")
            .add(Role::Dim, " revokes its approvals; ")
            .add(Role::Key, "Esc")
            .add(Role::Dim, " closes this"),
    );
    lines
}

/// When each approval of the ring was given, by the clock of its cluster.
fn given(scene: &Scene<'_>, entry: &Waiting) -> Vec<Line> {
    let Some(state) = scene.engine.services.get(entry.service.at()) else { return Vec::new() };
    let regions: Vec<RegionIx> = scene
        .engine
        .fleet
        .service(entry.service)
        .and_then(|s| s.ring(entry.ring))
        .map(|r| r.regions.clone())
        .unwrap_or_default();
    let mut lines = Vec::new();
    for approval in regions.iter().flat_map(|at| state.record.approvals_in(*at)).filter_map(|(_, a)| a.as_ref().ok()) {
        let text = format!("    {} UTC  {approval}  {}", utc_minute(approval.created), approval.about.version);
        lines.push(Line::of(Role::Dim, text));
    }
    lines
}

/// Whether anything waits for a yes.
pub fn anything_waits(engine: &Engine) -> bool {
    waiting(engine).iter().any(|w| w.judgement.verdict > Verdict::Go)
}
