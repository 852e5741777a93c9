//! Whether a command can work now, and why not: a key that cannot work says so.

use super::{App, Mode, View};
use crate::domain::id::Text;
use crate::domain::link::Link;
use crate::domain::verdict::Verdict;
use crate::engine::operation::{Operation, Outcome};
use crate::engine::view::RegionWord;
use crate::input::Command;
use crate::input::command::Danger;
use crate::panes::Pane;

impl App {
    /// Whether a command can work now, else why not.
    pub fn available(&self, command: Command) -> Result<(), Text> {
        if command.danger() != Danger::None
            && let Some(why) = self.cannot_write()
        {
            return Err(why);
        }
        let scene = self.scene();
        let selected = || scene.selected().ok_or_else(|| Text::from("no region is selected"));
        match command {
            Command::Promote
            | Command::PromoteNow
            | Command::Hold
            | Command::RollBack
            | Command::RollBackUpstream
            | Command::Abort
            | Command::Undo
            | Command::Revoke
            | Command::Quarantine
            | Command::Accept
            | Command::Tick
            | Command::Untick
            | Command::Clear => self.intent(command).map(drop),
            Command::Retry if !self.setup.unfinished.is_empty() => Ok(()),
            Command::Retry => self.intent(command).map(drop),
            Command::Drain => {
                let region = selected()?;
                if region.spec.route.is_none() && self.picks.marks.is_empty() {
                    return Err(format!(
                        "no route is configured for {}: its traffic cannot be steered",
                        region.spec.name
                    )
                    .into());
                }
                self.intent(command).map(drop)
            }
            Command::FlagOff => match scene.service().is_some_and(|s| s.flag_off.is_some()) {
                true => self.intent(command).map(drop),
                false => Err("nothing is configured that switches a flag of this service off (`flag_off`)".into()),
            },
            Command::Approve if self.cell_to_accept().is_some() => Ok(()),
            Command::Approve => match crate::panes::approvals::waiting(&self.engine).is_empty() {
                true => Err("no ring that is about to change asks for an approval".into()),
                false => Ok(()),
            },
            Command::Cancel => match self.engine.operations.iter().any(Operation::open) {
                true => Ok(()),
                false => Err("no operation is open".into()),
            },
            Command::Acknowledge => {
                let lost = scene.state().is_some_and(|s| s.regions.iter().any(|r| r.record_lost));
                if lost { Ok(()) } else { Err("no record has disappeared".into()) }
            }
            Command::Describe | Command::Yaml | Command::Pods | Command::Copy | Command::Mark => selected().map(drop),
            Command::Gates => match scene.view().and_then(|v| v.question.as_ref()) {
                Some(_) => Ok(()),
                None => Err("no ring waits for a version: no gate is asked".into()),
            },
            Command::Explain => {
                let view = scene.view();
                let loud = view.is_some_and(|v| v.question.is_some() || !v.alarms.is_empty() || !v.holds.is_empty());
                if loud || !crate::panes::regions::unknown(&scene).is_empty() {
                    Ok(())
                } else {
                    Err("no ring waits for a version, and nothing is unknown: there is nothing to explain".into())
                }
            }
            Command::Runbook => match scene.service().and_then(|s| s.runbook.as_ref()) {
                Some(_) => Ok(()),
                None => Err("no runbook is configured for this service".into()),
            },
            Command::Reconnect => {
                let lost = self.engine.clusters.iter().any(|c| matches!(c.link, Link::Lost { .. }));
                if lost { Ok(()) } else { Err("every cluster is connected".into()) }
            }
            Command::NextService | Command::PreviousService => match self.engine.fleet.services.len() {
                0 | 1 => Err("this fleet has one service".into()),
                _ => Ok(()),
            },
            Command::Watch => match &self.setup.mode {
                Mode::Watch { .. } => Err("this is a watch screen already".into()),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// An operation that ended, and not well.
    pub(super) fn may_retry(&self, operation: &Operation) -> bool {
        let at = self.scene().at();
        let bad = |o: &Outcome| *o != Outcome::Settled;
        operation.plan.service == at && operation.ended.as_ref().is_some_and(|(_, outcome, _)| bad(outcome))
    }

    /// Whether the bottom line offers a command now: it works, and there is a reason to press it.
    pub fn offers(&self, command: Command) -> bool {
        if self.setup.keymap.key(command).is_none() || self.available(command).is_err() {
            return false;
        }
        let view = self.scene().view();
        let verdict = view.and_then(|v| v.question.as_ref()).map(|q| q.verdict);
        let on_board = self.view() == View::Board;
        let moved = || {
            let scene = self.scene();
            let state = self.picks.region.and_then(|r| scene.region(r)).and_then(|r| r.view);
            state.is_some_and(|v| {
                v.on_new == Some(true)
                    || matches!(v.state, RegionWord::RollingOut | RegionWord::Failed | RegionWord::Paused)
            }) || !self.picks.marks.is_empty()
        };
        match command {
            Command::Promote => on_board && matches!(verdict, Some(Verdict::Go | Verdict::Findings)),
            Command::PromoteNow => on_board && verdict == Some(Verdict::Wait),
            Command::Approve if self.cell_to_accept().is_some() => true,
            Command::Approve => on_board && crate::panes::approvals::anything_waits(&self.engine),
            Command::RollBack => on_board && moved(),
            Command::RollBackUpstream => on_board,
            Command::Hold | Command::HoldAll | Command::Drain | Command::FlagOff | Command::Undo | Command::Abort => {
                on_board
            }
            Command::Gates => on_board,
            Command::Explain => on_board && verdict != Some(Verdict::Go),
            Command::Fleet => on_board && self.engine.fleet.services.len() > 1,
            Command::Events | Command::Journal => on_board,
            Command::Describe => on_board || self.view() == View::Only(Pane::Detail),
            Command::Yaml | Command::Pods | Command::Copy => self.view() == View::Only(Pane::Detail),
            Command::Filter => on_board || self.view() == View::Only(Pane::Fleet),
            _ => true,
        }
    }
}
