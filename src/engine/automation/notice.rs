//! What a guard tells people who do not look: one notice per change of state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::Engine;
use super::super::effect::Effect;
use super::super::operation::Outcome;
use super::super::sampling;
use crate::domain::id::{ServiceIx, Text};
use crate::domain::record::Body;
use crate::domain::residency;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::verdict::Verdict;

/// A verdict that only flickers is not told: it must last so long. A NO-GO is told at once.
const LASTS: Duration = Duration::from_secs(30);
/// What was never asked is no verdict worth telling: so long the first answers are waited for, and no longer.
const FIRST_ANSWERS: Duration = Duration::from_secs(60);
/// Longest text, in bytes.
const LONGEST: usize = 600;

/// Something that people should know, though nobody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about: notices of one key are about one thing.
    pub key: Text,
    /// What kind of notice.
    pub kind: NoticeKind,
    /// The service.
    pub service: Text,
    /// The sentence.
    pub text: Text,
    /// When.
    pub at: Timestamp,
}

/// Kinds of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// The board's answer changed.
    Verdict,
    /// A hold was put or released.
    Hold,
    /// Something was rolled back or drained.
    Rollback,
    /// Something was written, and what was expected did not come.
    Divergence,
    /// An alarm: a forgotten pause, a release that stands still, a guard that is silent, broken glass.
    Alarm,
}

impl NoticeKind {
    /// As the configuration and the message write it.
    pub const NAMES: [(&'static str, NoticeKind); 5] = [
        ("verdict", NoticeKind::Verdict),
        ("hold", NoticeKind::Hold),
        ("rollback", NoticeKind::Rollback),
        ("divergence", NoticeKind::Divergence),
        ("alarm", NoticeKind::Alarm),
    ];
    /// The word.
    pub fn word(self) -> &'static str {
        Self::NAMES.iter().find(|(_, k)| *k == self).map_or("?", |(name, _)| name)
    }
}

/// What was told last, by key.
#[derive(Clone, Debug, Default)]
pub struct Told {
    states: BTreeMap<Text, State>,
    /// Since when it is looked at: what there was then is not news.
    begun: Option<Duration>,
    /// Services whose gates still had questions without an answer when it was looked last.
    checking: BTreeSet<Text>,
    second: Option<u64>,
    /// Notices that were given out.
    pub count: u64,
}

#[derive(Clone, Debug)]
struct State {
    value: String,
    since: Duration,
    told: bool,
}

/// How things stand with one key.
struct Now {
    key: String,
    value: String,
    kind: NoticeKind,
    service: Text,
    text: String,
    /// Told at once, also when the guard has just begun.
    urgent: bool,
    /// Worth telling at all; otherwise only remembered.
    worth: bool,
    /// How long it must last.
    lasts: Duration,
}

impl Engine {
    /// What changed since it was told; once a second.
    pub(super) fn notices(&mut self, effects: &mut Vec<Effect>) {
        let (mono, at) = (self.now.mono, self.server_now());
        let Some(automation) = &mut self.automation else { return };
        if automation.told.second == Some(mono.as_secs()) {
            return;
        }
        automation.told.second = Some(mono.as_secs());
        // Until clusters were heard, everything looks like a change.
        let heard = self.clusters.iter().all(|c| c.heard.is_some() || matches!(c.link, super::Link::Lost { .. }));
        if !heard {
            return;
        }
        let mut now: Vec<Now> = (0..self.services.len()).map(ServiceIx::from).flat_map(|s| self.standing(s)).collect();
        let begun = self.automation.as_ref().and_then(|a| a.told.begun).unwrap_or(mono);
        let patient = mono.saturating_sub(begun) < FIRST_ANSWERS;
        let checking: BTreeSet<Text> = self
            .fleet
            .services
            .iter()
            .zip(&self.services)
            .enumerate()
            .filter(|(at, (_, state))| patient && !sampling::judged(self.world(), (*at).into(), state))
            .map(|(_, (spec, _))| Text::from(spec.name.as_str()))
            .collect();
        let Some(automation) = &mut self.automation else { return };
        let told = &mut automation.told;
        // What was not asked yet is being checked. A verdict before the first answers is none.
        now.retain(|n| n.kind != NoticeKind::Verdict || !checking.contains(&n.service));
        let keys: Vec<&str> = now.iter().map(|n| n.key.as_str()).collect();
        told.states.retain(|key, _| keys.contains(&&**key));
        let first = told.begun.is_none();
        told.begun.get_or_insert(mono);
        let checked = std::mem::replace(&mut told.checking, checking);
        for now in now {
            let first = first || now.kind == NoticeKind::Verdict && checked.contains(&now.service);
            let known = told.states.get(&*now.key);
            if known.is_none_or(|k| k.value != now.value) {
                let quiet = first && !now.urgent || !now.worth;
                let state = State { value: now.value.clone(), since: mono, told: quiet };
                told.states.insert(now.key.as_str().into(), state);
            }
            let Some(state) = told.states.get_mut(&*now.key) else { continue };
            if !state.told && mono.saturating_sub(state.since) >= now.lasts {
                state.told = true;
                told.count += 1;
                let text = safe(&now.text, LONGEST).into();
                let notice = Notice { key: now.key.as_str().into(), kind: now.kind, service: now.service, text, at };
                effects.push(Effect::Notify(Box::new(notice)));
            }
        }
    }

    fn standing(&self, at: ServiceIx) -> Vec<Now> {
        let Some((spec, state)) = self.fleet.service(at).zip(self.services.get(at.at())) else { return Vec::new() };
        let service: Text = spec.name.as_str().into();
        let now = |key: String, value: String, kind, text: String| Now {
            key: format!("{service}/{key}"),
            value,
            kind,
            service: service.clone(),
            text,
            urgent: false,
            worth: true,
            lasts: Duration::ZERO,
        };
        let mut out = Vec::new();
        if let Some(question) = &state.view.question {
            let ring = spec.ring(question.ring).map_or("?", |r| r.name.as_str());
            let text =
                format!("{ring} and {}: {}: {}", question.version, question.verdict, question.told(spec).sentence);
            let value = format!("{} {}", question.version, question.verdict.key());
            let no = question.verdict == Verdict::NoGo;
            let lasts = if no { Duration::ZERO } else { LASTS };
            let worth = question.verdict != Verdict::Wait;
            out.push(Now {
                urgent: no,
                lasts,
                worth,
                ..now(format!("verdict/{ring}"), value, NoticeKind::Verdict, text)
            });
        }
        for (ring, view) in spec.rings.iter().zip(&state.view.rings).filter(|(_, v)| v.verdict == Verdict::NoGo) {
            let breached =
                self.automation.iter().flat_map(|a| a.breached.iter()).find(|(s, r, _)| *s == at && r == &ring.name);
            let why = breached.map_or_else(|| "an exit gate says NO-GO".to_owned(), |(.., why)| why.to_string());
            let text = format!("{}: NO-GO: {why}", ring.name);
            let key = format!("nogo/{}", ring.name);
            out.push(Now { urgent: true, ..now(key, format!("{:?}", view.runs), NoticeKind::Verdict, text) });
        }
        for hold in &state.view.holds {
            let key = hold.id.map_or_else(|| "?".to_owned(), |id| id.to_string());
            let why = residency::reason(spec, &[], hold.why());
            let text = format!("held ({}) by {}: {why}", hold.scope, hold.by);
            out.push(now(format!("hold/{key}"), "held".into(), NoticeKind::Hold, text));
        }
        for (n, region) in spec.regions.iter().enumerate() {
            let Some(record) = state.record.region(n.into()) else { continue };
            let newest = record.facts.values().rev().find_map(|f| match &f.body {
                Body::RolledBack(m) => Some((
                    f,
                    format!(
                        "{}: rolled back from {} to {} by {}: {}",
                        region.name,
                        m.from_version,
                        m.to_version,
                        f.by,
                        residency::reason(spec, &[n.into()], &m.reason)
                    ),
                )),
                Body::Drained { reason, .. } => {
                    let reason = residency::reason(spec, &[n.into()], reason);
                    Some((f, format!("{}: drained by {}: {reason}", region.name, f.by)))
                }
                _ => None,
            });
            if let Some((fact, text)) = newest {
                out.push(now(format!("rollback/{}", region.name), fact.id.to_string(), NoticeKind::Rollback, text));
            }
        }
        for operation in self.operations.iter().filter(|o| o.plan.service == at) {
            if let Some((_, outcome @ (Outcome::Diverged | Outcome::Unknown), why)) = &operation.ended {
                let text = format!("{}: {}: {why}", operation.plan.title, outcome.word());
                let key = format!("operation/{}", operation.plan.id);
                out.push(Now { urgent: true, ..now(key, outcome.word().into(), NoticeKind::Divergence, text) });
            }
        }
        for alarm in &state.view.alarms {
            let key = ageless(alarm);
            let lasts = Duration::from_secs(5);
            out.push(Now {
                urgent: true,
                lasts,
                ..now(format!("alarm/{key}"), "on".into(), NoticeKind::Alarm, alarm.to_string())
            });
        }
        out
    }
}

/// An alarm without its numbers and lengths of time: an age that grows is not another alarm.
fn ageless(text: &str) -> String {
    let unit =
        |w: &&str| ["minute", "minutes", "hour", "hours", "day", "days"].contains(&w.trim_end_matches([':', ';']));
    let number = |w: &&str| w.contains(|c: char| c.is_ascii_digit());
    text.split_whitespace().filter(|w| !unit(w) && !number(w)).collect::<Vec<_>>().join(" ")
}
