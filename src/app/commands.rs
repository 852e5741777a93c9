//! What each command does.

use super::modal::{Ask, Asking, Modal};
use super::{App, AppEffect, View, wrap};
use crate::domain::id::{RegionIx, ServiceIx};
use crate::domain::link::Link;
use crate::domain::text::several;
use crate::engine::effect::Effect;
use crate::engine::operation::Operation;
use crate::input::command::Danger;
use crate::input::{Command, Key};
use crate::panes::{Pane, detail, layout};

/// Panes of the board, in the order of `tab`.
const RING_OF_PANES: [Pane; 7] =
    [Pane::Regions, Pane::Timeline, Pane::Verdicts, Pane::Charts, Pane::Journal, Pane::Events, Pane::Log];

impl App {
    /// Does what a key or a palette entry asks for.
    pub(super) fn command(&mut self, command: Command, key: Option<Key>) -> Vec<AppEffect> {
        self.command_with(command, &[], key)
    }

    /// The same with words typed after the name.
    pub(super) fn command_with(&mut self, command: Command, words: &[String], key: Option<Key>) -> Vec<AppEffect> {
        let named = !words.is_empty() && command.danger() != Danger::None;
        let why = match self.available(command) {
            Ok(()) => None,
            // With a target named, only the right to write counts.
            Err(_) if named => self.cannot_write(),
            Err(why) => Some(why),
        };
        if let Some(why) = why {
            self.say(why, true);
            return Vec::new();
        }
        match command {
            Command::Retry if words.is_empty() && self.intent(command).is_err() => {
                self.show_left();
                Vec::new()
            }
            Command::Promote
            | Command::PromoteNow
            | Command::Hold
            | Command::Undo
            | Command::RollBack
            | Command::RollBackUpstream
            | Command::Abort
            | Command::Drain
            | Command::FlagOff
            | Command::Revoke
            | Command::Quarantine
            | Command::Accept
            | Command::Tick
            | Command::Untick
            | Command::Clear
            | Command::Retry => match self.intent_with(command, words) {
                Ok((intent, rule)) => self.review(intent, rule, key),
                Err(why) => {
                    self.say(why, true);
                    Vec::new()
                }
            },
            // On a cell of the board it is about that cell.
            Command::Approve if words.is_empty() && self.cell_to_accept().is_some() => {
                self.command_with(Command::Accept, words, key)
            }
            Command::Approve if words.is_empty() => {
                self.modals.push(Modal::Approvals { selected: 0 });
                Vec::new()
            }
            Command::Approve => match self.intent_with(command, words) {
                Ok((intent, rule)) => self.review(intent, rule, key),
                Err(why) => {
                    self.say(why, true);
                    Vec::new()
                }
            },
            Command::HoldAll => self.hold_all(),
            Command::Cancel => self.cancel(),
            Command::Acknowledge => {
                let service = self.scene().at();
                self.engine.acknowledge(service);
                self.say("acknowledged: the record is written again from memory", false);
                Vec::new()
            }
            _ => self.look(command, key),
        }
    }

    fn look(&mut self, command: Command, key: Option<Key>) -> Vec<AppEffect> {
        match command {
            Command::Mark => self.mark(),
            Command::Focus(n) => self.focus_row(n),
            Command::Drill => return self.drill(),
            Command::Back => return self.back(),
            Command::Quit if self.views.len() > 1 => return self.back(),
            Command::Quit | Command::QuitNow => return self.quit(key.unwrap_or(Key::char('q'))),
            Command::NextPane => self.turn_pane(1),
            Command::PreviousPane => self.turn_pane(RING_OF_PANES.len() - 1),
            Command::Filter => self.filtering = true,
            Command::Palette => self.open_palette(),
            Command::Help => self.modals.push(Modal::Help { scroll: 0 }),
            Command::Policy => self.modals.push(Modal::Policy { scroll: 0 }),
            Command::Explain => self.modals.push(Modal::Explain { scroll: 0 }),
            Command::Runbook => self.modals.push(Modal::Runbook { scroll: 0 }),
            Command::Describe => return self.open_detail(detail::Tab::Describe),
            Command::Yaml => return self.open_detail(detail::Tab::Yaml),
            Command::Pods => return self.open_detail(detail::Tab::Pods),
            Command::Events => return self.open_events(),
            Command::Journal => self.show(Pane::Journal),
            Command::Log => self.show(Pane::Log),
            Command::Fleet => self.show(Pane::Fleet),
            Command::Gates => self.show(Pane::Verdicts),
            Command::NextService => return self.step_service(1),
            Command::PreviousService => return self.step_service(self.engine.fleet.services.len().saturating_sub(1)),
            Command::Copy => return self.copy_trace().unwrap_or_else(|| self.copy()),
            Command::Save => return vec![AppEffect::SaveScreen],
            Command::Suspend => return vec![AppEffect::Suspend],
            Command::Redraw => return vec![AppEffect::Redraw],
            Command::Theme => return vec![AppEffect::NextTheme],
            Command::Reconnect => return self.reconnect(),
            Command::Watch => {
                self.modals.push(Modal::Ask(Ask { what: Asking::Watch, opened: self.now, opened_by: key }))
            }
            movement => self.move_in_pane(movement),
        }
        self.keep_row_in_view();
        Vec::new()
    }

    fn move_in_pane(&mut self, command: Command) {
        let scene = scene!(self);
        let pane = match self.views.last() {
            Some(View::Only(pane)) => *pane,
            _ => self.focus,
        };
        let timeline = matches!(
            command,
            Command::ZoomIn
                | Command::ZoomOut
                | Command::ZoomFit
                | Command::PanLeft
                | Command::PanRight
                | Command::Expand
        );
        match pane {
            _ if timeline => self.panes.timeline.on(command, &scene),
            Pane::Timeline => self.panes.timeline.on(command, &scene),
            Pane::Verdicts => self.panes.verdicts.on(command, &scene),
            Pane::Journal => self.panes.journal.on(command, &scene),
            Pane::Events => self.panes.events.on(command, &scene),
            Pane::Detail => self.panes.detail.on(command, &scene),
            Pane::Fleet => self.panes.fleet.on(command, &scene),
            Pane::Log => self.panes.log.on(command),
            Pane::Regions | Pane::Charts => match command {
                Command::Left => self.panes.timeline.on(Command::PanLeft, &scene),
                Command::Right => self.panes.timeline.on(Command::PanRight, &scene),
                _ => self.picks.region = crate::panes::regions::moved(command, &scene),
            },
        }
    }

    fn mark(&mut self) {
        let Some(region) = self.picks.region else { return };
        if !self.picks.marks.remove(&region) {
            self.picks.marks.insert(region);
        }
        let scene = scene!(self);
        self.picks.region = crate::panes::regions::moved(Command::Down, &scene);
    }

    fn focus_row(&mut self, row: u8) {
        let rows = self.scene().rows();
        match rows.get(usize::from(row.saturating_sub(1))) {
            Some(region) => self.picks.region = Some(*region),
            None => self.say(format!("there is no row {row}"), false),
        }
    }

    fn drill(&mut self) -> Vec<AppEffect> {
        match (self.view(), self.focus) {
            (View::Only(Pane::Fleet), _) => {
                let Some(service) = self.panes.fleet.selected(&self.scene()) else { return Vec::new() };
                self.views = vec![View::Board];
                return self.turn_to(service);
            }
            // A small board shows no cells to choose from.
            (View::Board, Pane::Verdicts) if layout::size(self.setup.size) < layout::Size::Medium => {
                self.show(Pane::Verdicts);
            }
            (View::Board | View::Only(Pane::Verdicts), Pane::Verdicts) | (View::Only(Pane::Verdicts), _) => {
                if let Some((row, gate)) = self.panes.verdicts.selected(&self.scene()) {
                    self.modals.push(Modal::Evidence { row, gate, scroll: 0 });
                    return self.seek_trace();
                }
            }
            (View::Board, Pane::Timeline) => {
                let scene = scene!(self);
                self.panes.timeline.on(Command::Expand, &scene);
            }
            (View::Board, Pane::Journal) => self.show(Pane::Journal),
            (View::Board, Pane::Events) => return self.open_events(),
            (View::Board, Pane::Log) => self.show(Pane::Log),
            (View::Board, _) => return self.open_detail(detail::Tab::Describe),
            (View::Only(Pane::Detail), _) => return self.last_logs(),
            _ => {}
        }
        Vec::new()
    }

    /// Closes what is on top, then the filter, then marks.
    fn back(&mut self) -> Vec<AppEffect> {
        if self.views.len() > 1 {
            self.views.pop();
            if !self.views.iter().any(|v| matches!(v, View::Only(Pane::Detail | Pane::Events))) {
                return wrap(self.engine.open(None));
            }
        } else if !self.picks.filter.is_empty() {
            self.picks.filter.clear();
        } else {
            self.picks.marks.clear();
            self.notice = None;
        }
        Vec::new()
    }

    fn show(&mut self, pane: Pane) {
        self.views.retain(|v| *v != View::Only(pane));
        if self.views.is_empty() {
            self.views.push(View::Board);
        }
        self.views.push(View::Only(pane));
        self.picks.filter.clear();
    }

    fn open_region(&mut self) -> Vec<AppEffect> {
        let place = self.picks.region.map(|r: RegionIx| (self.scene().at(), r));
        wrap(self.engine.open(place))
    }

    fn open_detail(&mut self, tab: detail::Tab) -> Vec<AppEffect> {
        self.panes.detail.turn(tab);
        self.show(Pane::Detail);
        let mut effects = self.open_region();
        if tab == detail::Tab::Pods {
            effects.extend(self.last_logs());
        }
        effects
    }

    fn open_events(&mut self) -> Vec<AppEffect> {
        self.show(Pane::Events);
        self.open_region()
    }

    /// Asks for the last log lines of the pod that matters: the first in trouble.
    fn last_logs(&mut self) -> Vec<AppEffect> {
        let scene = self.scene();
        let Some(region) = scene.selected() else { return Vec::new() };
        let place = (scene.at(), region.at);
        match self.panes.detail.pod(&scene) {
            Some(pod) => vec![AppEffect::Engine(Effect::Logs { place, pod })],
            None => Vec::new(),
        }
    }

    fn turn_pane(&mut self, step: usize) {
        if self.view() == View::Only(Pane::Detail) {
            self.panes.detail.next(step == 1);
            return;
        }
        let shown = crate::panes::layout::shown_panes(&self.scene(), self.setup.size);
        let panes: Vec<Pane> = RING_OF_PANES.into_iter().filter(|p| shown.contains(p)).collect();
        let at = panes.iter().position(|p| *p == self.focus).unwrap_or(0);
        let step = if step == 1 { 1 } else { panes.len().saturating_sub(1) };
        if let Some(pane) = panes.get((at + step) % panes.len().max(1)) {
            self.focus = *pane;
        }
    }

    fn step_service(&mut self, step: usize) -> Vec<AppEffect> {
        let many = self.engine.fleet.services.len().max(1);
        let next: ServiceIx = ((self.scene().at().at() + step) % many).into();
        self.turn_to(next)
    }

    fn reconnect(&mut self) -> Vec<AppEffect> {
        let lost = self.engine.clusters.iter().enumerate().filter(|(_, c)| matches!(c.link, Link::Lost { .. }));
        let effects: Vec<AppEffect> = lost.map(|(at, _)| AppEffect::Engine(Effect::Reconnect(at.into()))).collect();
        self.say(format!("trying {} again", several(effects.len(), "lost cluster")), false);
        effects
    }

    fn cancel(&mut self) -> Vec<AppEffect> {
        let Some(operation) = self.engine.operations.iter().rev().find(|o| o.open()) else { return Vec::new() };
        let (id, title) = (operation.plan.id, operation.plan.title.clone());
        let effects = wrap(self.engine.cancel(id));
        self.say(format!("{title}: what had not started is cancelled; what was written stays"), false);
        effects
    }

    /// The terminal has another size.
    pub(super) fn resize(&mut self, size: (u16, u16)) {
        let before = std::mem::replace(&mut self.setup.size, size);
        self.fit_prompt(Some(before));
        let shown = crate::panes::layout::shown_panes(&self.scene(), self.setup.size);
        if !shown.contains(&self.focus) {
            self.focus = Pane::Regions;
        }
    }

    /// In the evidence popup, arrows go to the neighbouring cell.
    pub(super) fn move_evidence(&mut self, command: Command) -> Vec<AppEffect> {
        let scene = scene!(self);
        let Some(Modal::Evidence { row, gate, scroll }) = self.modals.last_mut() else { return Vec::new() };
        self.panes.verdicts.on(command, &scene);
        if let Some((r, g)) = self.panes.verdicts.selected(&scene) {
            (*row, *gate, *scroll) = (r, g, 0);
        }
        self.seek_trace()
    }

    /// Operations that are open or ended a moment ago.
    pub fn fresh_operations(&self) -> Vec<&Operation> {
        let fresh = |o: &&Operation| match &o.ended {
            None => true,
            Some((at, _, _)) => self.clock.since(*at) < std::time::Duration::from_secs(15),
        };
        let mut operations: Vec<&Operation> = self.engine.operations.iter().filter(fresh).collect();
        let first = operations.len().saturating_sub(3);
        operations.drain(..first);
        operations
    }
}
