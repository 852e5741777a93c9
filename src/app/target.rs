//! What a capital acts on: marked regions if any, else what is selected, by a rule that the prompt states.

use super::{App, View};
use crate::domain::id::{ColumnName, RegionIx, RingIx, Text};
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::record::{HoldInForce, Scope};
use crate::engine::view::Drained;
use crate::input::Command;
use crate::panes::{Pane, layout};

/// An intent with the rule that chose its target.
pub type Chosen = (Intent, Text);

/// Commands that may be told a version or a digest.
fn takes_a_version(command: Command) -> bool {
    matches!(
        command,
        Command::Promote
            | Command::PromoteNow
            | Command::Approve
            | Command::Quarantine
            | Command::Accept
            | Command::Tick
            | Command::Untick
            | Command::Clear
    )
}

impl App {
    /// The intent of a key, or why there is none.
    pub fn intent(&self, command: Command) -> Result<Chosen, Text> {
        let chosen = |verb: Verb, (target, rule): (Target, Text)| {
            (Intent { service: self.scene().at(), verb, target, reason: None }, rule)
        };
        match command {
            Command::Promote => Ok(chosen(Verb::Promote { to: None, without_wait: false }, self.to_promote()?)),
            Command::PromoteNow => Ok(chosen(Verb::Promote { to: None, without_wait: true }, self.to_promote()?)),
            Command::Hold => Ok(chosen(Verb::Hold, self.to_act_on()?)),
            Command::RollBack => Ok(chosen(Verb::RollBack { to_revision: None }, self.to_act_on()?)),
            Command::RollBackUpstream => Ok(chosen(Verb::RollBack { to_revision: None }, self.under_review()?)),
            Command::Drain => Ok(chosen(Verb::Drain, self.to_act_on()?)),
            Command::FlagOff => Ok(chosen(Verb::FlagOff, self.to_act_on()?)),
            Command::Abort => Ok(chosen(Verb::Abort, self.to_abort()?)),
            Command::Approve => Ok(chosen(Verb::Approve { to: None }, self.to_promote()?)),
            Command::Revoke => Ok(chosen(Verb::Revoke { approval: None }, self.to_promote()?)),
            Command::Quarantine => Ok(chosen(Verb::Quarantine { digest: None }, self.to_act_on()?)),
            Command::Accept => self.to_accept().map(|(verb, target)| chosen(verb, target)),
            Command::Tick => Ok(chosen(Verb::Tick { item: None, done: true }, self.to_act_on()?)),
            Command::Untick => Ok(chosen(Verb::Tick { item: None, done: false }, self.to_act_on()?)),
            Command::Clear => {
                let rule = "acts on every region of the service";
                Ok(chosen(Verb::Clear { what: None }, (Target::Service, rule.into())))
            }
            Command::Undo => {
                let (verb, target) = self.to_undo()?;
                Ok(chosen(verb, target))
            }
            Command::Retry => {
                let last = self.engine.operations.iter().rev().find(|o| self.may_retry(o));
                let last = last.ok_or("there is no operation that did not settle")?;
                let rule = format!("once more, drafted anew: {}", last.plan.title);
                Ok((last.plan.intent.clone(), rule.into()))
            }
            _ => Err("this does not act".into()),
        }
    }

    fn marked(&self) -> Option<(Target, Text)> {
        let marks: Vec<RegionIx> = self.picks.marks.iter().copied().collect();
        let names: Vec<&str> = marks.iter().map(|r| self.scene().region_name(*r)).collect();
        let rule = match names.as_slice() {
            [] => return None,
            [one] => format!("acts on the marked region: {one}"),
            many => format!("acts on the {} marked regions: {}", many.len(), many.join(", ")),
        };
        Some((Target::Regions(marks), rule.into()))
    }

    fn ring_under_cursor(&self) -> Option<(Target, Text)> {
        let ring = self.panes.timeline.selected(&self.scene()).filter(|_| self.focus == Pane::Timeline)?;
        Some((
            Target::Ring(ring),
            format!("acts on the ring selected on the timeline: {}", self.scene().ring_name(ring)).into(),
        ))
    }

    fn to_act_on(&self) -> Result<(Target, Text), Text> {
        if let Some(chosen) = self.marked().or_else(|| self.ring_under_cursor()) {
            return Ok(chosen);
        }
        let region = self.picks.region.ok_or("no region is selected")?;
        let rule = format!("acts on the selected region: {}", self.scene().region_name(region));
        Ok((Target::Regions(vec![region]), rule.into()))
    }

    /// The cell under the board's cursor, where a person may accept what it names.
    pub fn cell_to_accept(&self) -> Option<(RegionIx, ColumnName)> {
        // A small board shows no cells: what is not seen is not accepted.
        let cells = layout::size(self.setup.size) >= layout::Size::Medium;
        let on_board = match self.view() {
            View::Board => cells && self.focus == Pane::Verdicts,
            View::Only(pane) => pane == Pane::Verdicts,
        };
        let (region, judged) = self.panes.verdicts.judged(&self.scene()).filter(|_| on_board)?;
        Some((region, judged.acceptable.as_ref()?.column.clone()))
    }

    /// The cell under the cursor, else everything that can be accepted in what is marked or selected.
    fn to_accept(&self) -> Result<(Verb, (Target, Text)), Text> {
        if let Some((region, column)) = self.cell_to_accept() {
            let rule = format!("acts on the cell of the board: {column} in {}", self.scene().region_name(region));
            let target = (Target::Regions(vec![region]), rule.into());
            return Ok((Verb::Accept { column: Some(column) }, target));
        }
        Ok((Verb::Accept { column: None }, self.to_act_on()?))
    }

    /// Earlier rings that still run what a later one failed on.
    fn under_review(&self) -> Result<(Target, Text), Text> {
        let scene = self.scene();
        let review = scene.view().and_then(|v| v.under_review.as_ref());
        let review = review.ok_or("no ring has failed: no earlier ring is under review")?;
        let names: Vec<&str> = review.regions.iter().map(|r| scene.region_name(*r)).collect();
        let rule = format!(
            "acts on the earlier rings that still run {}, on which {} failed in {}: {}",
            review.version,
            scene.ring_name(review.ring),
            scene.region_name(review.failed),
            names.join(", ")
        );
        Ok((Target::Regions(review.regions.clone()), rule.into()))
    }

    fn to_promote(&self) -> Result<(Target, Text), Text> {
        if let Some(chosen) = self.marked().or_else(|| self.ring_under_cursor()) {
            return Ok(chosen);
        }
        let scene = self.scene();
        let ring_name = |ring: RingIx| scene.ring_name(ring).to_owned();
        match scene.view().and_then(|v| v.question.as_ref()) {
            Some(question) => {
                let rule = format!("acts on the ring that the board asks about: {}", ring_name(question.ring));
                Ok((Target::Ring(question.ring), rule.into()))
            }
            None => {
                let first = scene.service().and_then(|s| s.rings.first()).map_or("RING", |r| r.name.as_str());
                Err(format!("no ring waits for a version: `:promote {first} VERSION` starts a release").into())
            }
        }
    }

    fn to_abort(&self) -> Result<(Target, Text), Text> {
        if let Some(chosen) = self.marked().or_else(|| self.ring_under_cursor()) {
            return Ok(chosen);
        }
        let scene = self.scene();
        let in_flight = |at: &RegionIx| {
            let workload = scene.region(*at).and_then(|r| r.state.workload.as_ref());
            workload.is_some_and(crate::domain::workload::Workload::in_flight)
        };
        if let Some(region) = self.picks.region.filter(in_flight) {
            let rule = format!("acts on the selected region, which is in flight: {}", scene.region_name(region));
            return Ok((Target::Regions(vec![region]), rule.into()));
        }
        let service = scene.service().ok_or("no service is shown")?;
        let regions: Vec<RegionIx> = service.region_indexes().filter(in_flight).collect();
        if regions.is_empty() {
            return Err("nothing is in flight: there is nothing to abort".into());
        }
        let names: Vec<&str> = regions.iter().map(|r| scene.region_name(*r)).collect();
        let rule = format!("acts on what is in flight: {}", names.join(", "));
        Ok((Target::Regions(regions), rule.into()))
    }

    /// A hold first, since restoring under a hold raises; then a drain.
    fn to_undo(&self) -> Result<(Verb, (Target, Text)), Text> {
        let scene = self.scene();
        if let Some(hold) = self.hold_to_undo() {
            let target = self.target_of(hold);
            let rule = format!("resumes the newest hold that covers it: {} by {}: {}", hold.scope, hold.by, hold.why());
            return Ok((Verb::Resume { hold: hold.id }, (target, rule.into())));
        }
        let drained = |at: &RegionIx| scene.region(*at).and_then(|r| r.view).is_some_and(|v| v.drained != Drained::No);
        let about = self.regions_to_undo();
        let regions: Vec<RegionIx> = about.iter().copied().filter(drained).collect();
        let named = |regions: &[RegionIx]| regions.iter().map(|r| scene.region_name(*r)).collect::<Vec<_>>().join(", ");
        if regions.is_empty() {
            let paused =
                |at: &RegionIx| scene.region(*at).and_then(|r| r.state.workload.as_ref()).is_some_and(|w| w.paused);
            let by_hand: Vec<RegionIx> = about.iter().copied().filter(paused).collect();
            return Err(match by_hand.as_slice() {
                [] => {
                    format!("no hold covers {}, and it is not drained: there is nothing to undo", named(&about)).into()
                }
                paused => format!(
                    "{} is paused, and not by a hold of ours: whoever paused it resumes it (`kubectl rollout resume`)",
                    named(paused)
                )
                .into(),
            });
        }
        let names: Vec<&str> = regions.iter().map(|r| scene.region_name(*r)).collect();
        let rule = format!("puts back into traffic: {}", names.join(", "));
        Ok((Verb::Restore, (Target::Regions(regions), rule.into())))
    }

    /// What a hold or a drain would be about, with the same cursor.
    fn regions_to_undo(&self) -> Vec<RegionIx> {
        let scene = self.scene();
        match self.to_act_on() {
            Ok((Target::Ring(ring), _)) => scene.service().and_then(|s| s.ring(ring)).map(|r| r.regions.clone()),
            Ok((Target::Regions(regions), _)) => Some(regions),
            Ok((Target::Service, _)) | Err(_) => None,
        }
        .unwrap_or_default()
    }

    /// The newest hold over what is marked or selected.
    pub(super) fn hold_to_undo(&self) -> Option<&HoldInForce> {
        let scene = self.scene();
        let regions = self.regions_to_undo();
        let covers = |hold: &&HoldInForce| {
            scene.service().is_some_and(|service| regions.iter().any(|at| hold.scope.covers(service, *at)))
        };
        scene.view()?.holds.iter().rev().find(covers)
    }

    /// The hold in force whose id begins so; `x` shows the ids.
    fn hold_by_id(&self, id: &str) -> Option<&HoldInForce> {
        let begins = |h: &&HoldInForce| id.len() >= 4 && h.id.is_some_and(|known| known.to_string().starts_with(id));
        let mut found = self.scene().view()?.holds.iter().filter(begins);
        found.next().filter(|_| found.next().is_none())
    }

    fn target_of(&self, hold: &HoldInForce) -> Target {
        let service = self.scene().service();
        match &hold.scope {
            Scope::Service => Target::Service,
            Scope::Ring(name) => {
                service.and_then(|s| s.find_ring(name)).map_or(Target::Service, |(at, _)| Target::Ring(at))
            }
            Scope::Region(name) => {
                service.and_then(|s| s.find_region(name)).map_or(Target::Service, |(at, _)| Target::Regions(vec![at]))
            }
        }
    }

    /// `promote ring-0 v2.2.0` as typed into the palette.
    pub(super) fn intent_with(&self, command: Command, words: &[String]) -> Result<Chosen, Text> {
        if words.is_empty() {
            return self.intent(command);
        }
        let service = self.scene().service().ok_or("no service is shown")?;
        if command == Command::Undo
            && let [id] = words
            && let Some(hold) = self.hold_by_id(id)
        {
            let rule = format!("resumes the hold named: {} by {}: {}", hold.scope, hold.by, hold.why());
            let (verb, target) = (Verb::Resume { hold: hold.id }, self.target_of(hold));
            return Ok((Intent { service: self.scene().at(), verb, target, reason: None }, rule.into()));
        }
        let mut target = None;
        let mut version: Option<Text> = None;
        for word in words {
            if let Some((ring, _)) = service.find_ring(word) {
                target = Some(Target::Ring(ring));
            } else if let Some((region, _)) = service.find_region(word) {
                match &mut target {
                    Some(Target::Regions(regions)) => regions.push(region),
                    _ => target = Some(Target::Regions(vec![region])),
                }
            } else if takes_a_version(command) && version.is_none() {
                version = Some(word.as_str().into());
            } else {
                return Err(format!("`{word}` is neither a ring nor a region of {}", service.name).into());
            }
        }
        let rule = || -> Text { "acts on what was named".into() };
        let verb = match command {
            Command::Promote | Command::PromoteNow => {
                let without_wait = command == Command::PromoteNow;
                Verb::Promote { to: version, without_wait }
            }
            Command::Approve => Verb::Approve { to: version },
            Command::Quarantine => Verb::Quarantine { digest: version },
            Command::Accept => Verb::Accept { column: version.map(ColumnName::new) },
            Command::Tick | Command::Untick => Verb::Tick { item: version, done: command == Command::Tick },
            Command::Clear => Verb::Clear { what: version },
            _ => {
                let (intent, _) = self.intent(command)?;
                intent.verb
            }
        };
        let (target, rule) = match target {
            Some(target) => (target, rule()),
            None if matches!(command, Command::Promote | Command::PromoteNow | Command::Approve | Command::Revoke) => {
                self.to_promote()?
            }
            None if command == Command::Clear => (Target::Service, rule()),
            None => self.to_act_on()?,
        };
        Ok((Intent { service: self.scene().at(), verb, target, reason: None }, rule))
    }
}
