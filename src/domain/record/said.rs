//! What a fact says, in one line for people.

use super::Body;
use crate::domain::id::Text;

/// What a fact says, and why it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// E.g. `promoted eu-west-1 v2.0.0 → v2.1.0`.
    pub what: Text,
    /// The reason; empty when none was given.
    pub why: Text,
}

impl Body {
    /// The line for people; none for what only gonogo itself reads.
    pub fn said(&self, region: &str) -> Option<Said> {
        let none = || Text::from("");
        let (what, why): (String, Text) = match self {
            Body::Hold { scope, reason } => (format!("hold {scope}"), reason.clone()),
            Body::Release { reason, .. } => ("hold released".to_owned(), reason.clone()),
            Body::Quarantine { digest, reason } => (format!("quarantine {digest}"), reason.clone()),
            Body::Clearance { reason, .. } => ("quarantine cleared".to_owned(), reason.clone()),
            Body::Revoked { reason, .. } => ("approval revoked".to_owned(), reason.clone()),
            Body::Draining { .. } => return None,
            Body::Promoted(m) => (format!("promoted {region} {} → {}", m.from_version, m.to_version), m.reason.clone()),
            Body::RolledBack(m) => {
                (format!("rolled back {region} {} → {}", m.from_version, m.to_version), m.reason.clone())
            }
            Body::Drained { reason, .. } => (format!("drained {region}"), reason.clone()),
            Body::Restored { reason, .. } => (format!("restored {region}"), reason.clone()),
            Body::Paused { .. } => (format!("paused {region}"), none()),
            Body::Unpaused { .. } => (format!("un-paused {region}"), none()),
            Body::Halted { object, .. } => (format!("{region}: {object} brings nothing by itself"), none()),
            Body::Unhalted { .. } => (format!("{region}: what delivers it brings changes by itself again"), none()),
            Body::Accepted { stretch, reason, .. } => {
                let time = |at: crate::domain::stamp::Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
                let (from, to) = (time(stretch.from), time(stretch.to));
                let what = format!("accepted {} in {region}, windows that ended {from} to {to} UTC", stretch.column);
                (what, reason.clone())
            }
            Body::Checked { list, item, version, done, reason } => {
                let word = if *done { "done" } else { "open again" };
                (format!("{item} of {list} {word} in {region} for {version}"), reason.clone())
            }
            Body::BreakGlass { what, reason } => (format!("{region}: BREAK-GLASS: {what}"), reason.clone()),
            Body::Drilled { from, to, took, real, .. } => {
                let how = if *real { "for real" } else { "by dry-run" };
                (format!("drilled {region} {from} → {to} {how} in {:.3}s", took.as_secs_f64()), none())
            }
            Body::Note { text } => (format!("{region}: {text}"), none()),
        };
        Some(Said { what: what.into(), why })
    }
}
