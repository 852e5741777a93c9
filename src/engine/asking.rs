//! Which HTTP endpoints to ask now, for gates that want to know, and how answers enter the state.
//!
//! The same question about a region is asked again when its gate's interval has passed, and at
//! once when what it is about has changed: then it is another question.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::effect::Effect;
use super::scene::World;
use super::state::ServiceState;
use super::wants;
use crate::domain::call::{HttpAnswer, HttpCall, HttpNeed};
use crate::domain::gate::Need;
use crate::domain::id::{Place, RingIx, ServiceIx, Text};
use crate::gates::about_region;

/// Answers kept per region; the oldest goes first.
const MOST_ANSWERS: usize = 32;
/// An answer that does not come within this is asked for again.
const LOST: Duration = Duration::from_secs(90);

/// Remembers what was asked when.
#[derive(Debug, Default)]
pub struct Asked {
    at: BTreeMap<(Place, HttpCall), When>,
}

#[derive(Clone, Copy, Debug)]
struct When {
    sent: Duration,
    open: bool,
}

/// What the gates of a service want to ask now: about each region, with their interval.
fn questions(world: World<'_>, at: ServiceIx, state: &ServiceState) -> Vec<(Place, HttpNeed, HttpCall)> {
    let Some(service) = world.fleet.service(at) else { return Vec::new() };
    let question = state.view.question.as_ref();
    let mut found = Vec::new();
    for (n, ring) in service.rings.iter().enumerate() {
        let n = RingIx::from(n);
        let http = |need| match need {
            Need::Http(need) => Some(need),
            _ => None,
        };
        let exit = world.gates.exit_needs(at, n).into_iter().filter_map(http);
        let exit = exit.filter(|_| wants::is_judged(&world, at, state, n)).map(|need| (need, false));
        let entering = question.filter(|q| q.ring == n);
        let entry = world.gates.entry_needs(at, n).into_iter().filter_map(http);
        let entry = entry.filter(|_| entering.is_some()).map(|need| (need, true));
        let source = n.at().checked_sub(1).and_then(|j| service.rings.get(j)).and_then(|r| r.regions.first());
        let source = source.and_then(|at| state.region(*at)).and_then(|r| r.workload.as_ref());
        for (need, enters) in exit.chain(entry) {
            for here in &ring.regions {
                let Some((region, seen)) = service.region(*here).zip(state.region(*here)) else { continue };
                let what = entering.filter(|_| enters).map(|q| (&q.version, source));
                let about = about_region(service, ring, region, seen.workload.as_ref(), what);
                found.push(((at, *here), need.clone(), need.call(&about)));
            }
        }
    }
    found
}

/// Whether every question of a service was answered, one way or the other.
pub(super) fn answered(world: World<'_>, at: ServiceIx, state: &ServiceState) -> bool {
    let known = |place: Place, call: &HttpCall| state.region(place.1).is_some_and(|r| r.answers.contains_key(call));
    questions(world, at, state).iter().all(|(place, _, call)| known(*place, call))
}

impl Engine {
    /// Asks endpoints what is due.
    pub(super) fn call(&mut self, effects: &mut Vec<Effect>) {
        let mono = self.now.mono;
        let mut wanted = Vec::new();
        for at in (0..self.services.len()).map(ServiceIx::from).filter(|at| self.is_sampled(*at)) {
            if let Some(state) = self.services.get(at.at()) {
                wanted.extend(questions(self.world(), at, state));
            }
        }
        self.asked.at.retain(|key, _| wanted.iter().any(|(place, _, call)| (*place, call) == (key.0, &key.1)));
        for (place, need, call) in wanted {
            let due = match self.asked.at.get(&(place, call.clone())) {
                None => true,
                Some(when) if when.open => mono.saturating_sub(when.sent) >= LOST,
                Some(when) => mono.saturating_sub(when.sent) >= need.every,
            };
            if due {
                self.asked.at.insert((place, call.clone()), When { sent: mono, open: true });
                effects.push(Effect::Call { place, call: Box::new(call) });
            }
        }
    }

    /// An endpoint answered, or did not.
    pub(super) fn called(&mut self, place: Place, call: HttpCall, result: Result<(u16, Text), Text>) {
        let at = self.server_now();
        if let Some(when) = self.asked.at.get_mut(&(place, call.clone())) {
            when.open = false;
        }
        self.with(place, |region| {
            region.answers.insert(call, HttpAnswer { at, result });
            while region.answers.len() > MOST_ANSWERS {
                let oldest = region.answers.iter().min_by_key(|(_, a)| a.at).map(|(call, _)| call.clone());
                let Some(oldest) = oldest else { break };
                region.answers.remove(&oldest);
            }
        });
    }
}
