//! The order of rows: what needs attention first; and rows that do not move under a finger.

use super::modal::Modal;
use super::{App, STILL};
use crate::domain::id::RegionIx;
use crate::engine::view::{Heard, RegionWord, RingPhase};
use crate::panes::Scene;

impl App {
    /// Sorts the rows, unless one is marked, a prompt is open, or a key was just pressed.
    pub(super) fn settle_rows(&mut self, at_once: bool) {
        let still = !self.picks.marks.is_empty()
            || self.modals.iter().any(|m| matches!(m, Modal::Prompt(_)))
            || self.last_key.is_some_and(|at| self.now.since(at) < STILL);
        let many = self.scene().service().map_or(0, |s| s.regions.len());
        if at_once || !still || self.picks.order.len() != many {
            let order = order(&scene!(self));
            if order != self.picks.order {
                self.picks.order = order;
                self.dirty = true;
            }
        }
        // Until a row is chosen, the cursor stays on what needs attention most.
        if self.picks.region.is_none() || self.unchosen {
            self.picks.region = self.picks.order.first().copied();
        }
    }

    /// The cursor stays on a row that is shown.
    pub(super) fn keep_row_in_view(&mut self) {
        let rows = self.scene().rows();
        if self.picks.region.is_none_or(|r| !rows.contains(&r)) && !rows.is_empty() {
            self.picks.region = rows.first().copied();
        }
    }
}

/// Failed and paused first, then lost, then the ring that the release is in, then rings to come, then the rest.
fn order(scene: &Scene<'_>) -> Vec<RegionIx> {
    let Some(service) = scene.service() else { return Vec::new() };
    let rank = |at: &RegionIx| -> (u8, RegionIx) {
        let Some(view) = scene.region(*at).and_then(|r| r.view) else { return (4, *at) };
        let phase = service
            .region(*at)
            .and_then(|r| scene.view()?.rings.get(r.ring.at()))
            .map_or(RingPhase::Unknown, |r| r.phase);
        let rank = match (view.state, &view.heard, phase) {
            (RegionWord::Failed | RegionWord::Absent, ..) => 0,
            (_, Heard::Lost { .. } | Heard::Late(_), _) => 1,
            (RegionWord::Paused | RegionWord::Pausing | RegionWord::RollingOut, ..) => 2,
            (_, _, RingPhase::Baking | RingPhase::RollingOut | RingPhase::Failed | RingPhase::Blocked) => 3,
            (_, _, RingPhase::Baked) => 5,
            _ => 4,
        };
        (rank, *at)
    };
    let mut order: Vec<RegionIx> = service.region_indexes().collect();
    order.sort_by_key(rank);
    order
}
