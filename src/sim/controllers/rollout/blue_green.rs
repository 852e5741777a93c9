//! Blue-green: everything comes up beside what serves, then one switch.

use jiff::SignedDuration;

use super::{Strategy, Sync, Write, hash_of};
use crate::sim::controllers::after;
use crate::sim::controllers::view::StringMap;

const PAUSE: &str = "BlueGreenPause";
/// Seconds that pods of an aborted update stay.
const ABORTED: i64 = 30;

impl Sync<'_> {
    pub(super) fn blue_green(&mut self) {
        let Strategy::BlueGreen { auto, seconds, delay } = self.rollout.strategy else { return };
        let hash = hash_of(&self.newest).to_owned();
        let wanted = self.rollout.replicas;
        if self.flag("promoteFull") {
            self.ended = true;
            self.new.remove("abort");
        }
        if !self.rollout.paused {
            self.grow_both(wanted, delay);
        }
        self.put_in("blueGreen", "previewSelector", Some(hash.clone().into()));
        if self.stable().is_none() && !self.is_stable() {
            self.switch(&hash);
            return self.promote("Initial deploy");
        }
        if self.flag("abort") {
            self.ended = true;
            let stable = self.text("stableRS").to_owned();
            return self.switch(&stable);
        }
        let ready = self.newest.status.available_replicas >= wanted;
        if self.rollout.paused || !ready {
            return;
        }
        let active = self.within("blueGreen", "activeSelector").to_owned();
        let fast = self.is_stable() || self.flag("promoteFull") || active == hash;
        let waits = !fast && (!auto || seconds > 0);
        if waits && !self.was_let_on(PAUSE) {
            let Some(since) = self.pause(PAUSE) else { return self.added.push(PAUSE) };
            let ends = after(since, SignedDuration::from_secs(seconds));
            if !auto || ends >= self.now {
                if auto {
                    self.wake_at(ends);
                }
                return;
            }
        }
        self.ended = true;
        self.switch(&hash);
        if !self.is_stable() {
            self.promote("Completed blue-green update");
        }
    }

    fn switch(&mut self, to: &str) {
        let from = self.within("blueGreen", "activeSelector").to_owned();
        if from != to {
            let message = format!("Switched selector for the active service from '{from}' to '{to}'");
            self.writes.push(Write::Event { reason: "SwitchService", message });
        }
        self.put_in("blueGreen", "activeSelector", Some(to.into()));
    }

    fn grow_both(&mut self, wanted: i64, delay: i64) {
        let name = self.newest.meta.name.clone();
        if self.flag("abort") && !self.is_stable() {
            self.retire(&name, ABORTED);
        } else {
            self.size(&name, wanted, StringMap::new());
        }
        if let Some(name) = self.stable().map(|set| set.meta.name.clone()) {
            self.size(&name, wanted, StringMap::new());
        }
        let stable = self.text("stableRS").to_owned();
        let idle = self.others.iter().filter(|set| set.replicas > 0 && hash_of(set) != stable);
        let idle: Vec<String> = idle.map(|set| set.meta.name.clone()).collect();
        for name in idle {
            self.retire(&name, delay);
        }
    }
}
