//! One fact: who, when and what, under a key of its own.

use std::fmt;
use std::time::Duration;

use ulid::Ulid;

use super::Move;
use super::text::{Fields, Lines};
use crate::domain::fleet::Service;
use crate::domain::id::{ColumnName, Operator, RegionIx, Text};
use crate::domain::stamp::Timestamp;
use crate::domain::verdict::Stretch;
use crate::domain::version::TemplateDigest;

/// Identity of a fact: sortable by time of writing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub Ulid);

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Debug for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fact: who, when, what.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its identity.
    pub id: FactId,
    /// Who wrote it.
    pub by: Operator,
    /// When, by the author's clock.
    pub at: Timestamp,
    /// Where the author's journal stood; empty: not said. Nothing is decided by it: it is for who verifies a journal.
    pub journal: Text,
    /// What.
    pub body: Body,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Fleet fact: a stop.
    Hold {
        /// What is held.
        scope: Scope,
        /// Why.
        reason: Text,
    },
    /// Fleet fact: ends a hold.
    Release {
        /// The hold.
        hold: FactId,
        /// Why.
        reason: Text,
    },
    /// Fleet fact: a digest is refused everywhere.
    Quarantine {
        /// The image digest or template digest.
        digest: Text,
        /// Why.
        reason: Text,
    },
    /// Fleet fact: ends a quarantine.
    Clearance {
        /// The quarantine.
        quarantine: FactId,
        /// Why.
        reason: Text,
    },
    /// Fleet fact: ends an approval.
    Revoked {
        /// The approval.
        approval: FactId,
        /// Why.
        reason: Text,
    },
    /// Fleet fact: somebody is draining a region; two drains of the last two must not both pass.
    Draining {
        /// The region.
        region: Text,
    },
    /// Regional fact: a promotion was written here.
    Promoted(Move),
    /// Regional fact: a rollback was written here.
    RolledBack(Move),
    /// Regional fact: taken out of traffic.
    Drained {
        /// Complete weights of the rule before, `name=weight` in order.
        before: Vec<(Text, u32)>,
        /// The backend that was set to 0.
        backend: Text,
        /// Why.
        reason: Text,
    },
    /// Regional fact: back in traffic.
    Restored {
        /// The drain that ended.
        drained: FactId,
        /// Why.
        reason: Text,
    },
    /// Regional fact: a hold of ours paused the workload.
    Paused {
        /// The hold.
        hold: FactId,
        /// The template at that moment.
        template: TemplateDigest,
        /// What the pause replaced, where a resume could not tell: a StatefulSet's partition.
        was: Option<Text>,
    },
    /// Regional fact: un-paused by us.
    Unpaused {
        /// The pause.
        paused: FactId,
    },
    /// Regional fact: what delivers a region was kept from bringing anything by itself, for a hold.
    Halted {
        /// The hold.
        hold: FactId,
        /// The object, as people name it.
        object: Text,
        /// What was taken away, as JSON.
        was: Text,
    },
    /// Regional fact: it was given back.
    Unhalted {
        /// The fact that says what.
        halted: FactId,
    },
    /// Regional fact: a stretch of a column that stood in a gate's way was accepted.
    Accepted {
        /// The column and its windows.
        stretch: Stretch,
        /// The template that ran; another is not covered.
        template: TemplateDigest,
        /// Why.
        reason: Text,
    },
    /// Regional fact: a step of a checklist was taken by hand, or taken back.
    Checked {
        /// The list.
        list: Text,
        /// The step.
        item: Text,
        /// The version it is about; another is not covered.
        version: Text,
        /// Done, or open again.
        done: bool,
        /// Why.
        reason: Text,
    },
    /// Regional fact: glass was broken for a plan; every screen is red until it ends.
    BreakGlass {
        /// The plan, in one line.
        what: Text,
        /// Why.
        reason: Text,
    },
    /// Regional fact: the way back was walked through while nothing was wrong.
    Drilled {
        /// The ring.
        ring: Text,
        /// The version that ran.
        from: Text,
        /// Where the way back led.
        to: Text,
        /// How long it took, in whole milliseconds.
        took: Duration,
        /// It was carried out, not only rehearsed.
        real: bool,
    },
    /// Regional fact: free text.
    Note {
        /// The text.
        text: Text,
    },
}

/// What a hold covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The whole service.
    Service,
    /// A ring.
    Ring(Text),
    /// A region.
    Region(Text),
}

impl Scope {
    /// Whether a hold of this scope covers a region.
    ///
    /// A ring or region that this configuration does not know may be any: whoever wrote it meant
    /// something by it, so it covers all.
    pub fn covers(&self, service: &Service, at: RegionIx) -> bool {
        match self {
            Scope::Service => true,
            Scope::Ring(name) => match service.find_ring(name) {
                Some((ring, _)) => service.region(at).is_some_and(|r| r.ring == ring),
                None => true,
            },
            Scope::Region(name) => service.find_region(name).is_none_or(|(region, _)| region == at),
        }
    }

    /// Whether this configuration knows what it names.
    pub fn is_known(&self, service: &Service) -> bool {
        match self {
            Scope::Service => true,
            Scope::Ring(name) => service.find_ring(name).is_some(),
            Scope::Region(name) => service.find_region(name).is_some(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Service => f.write_str("service"),
            Scope::Ring(name) => write!(f, "ring:{name}"),
            Scope::Region(name) => write!(f, "region:{name}"),
        }
    }
}

impl Body {
    /// Of a drain: the weight of its backend before.
    pub fn weight_before(&self) -> Option<u32> {
        let Body::Drained { before, backend, .. } = self else { return None };
        before.iter().find(|(name, _)| name == backend).map(|(_, weight)| *weight)
    }
}

impl Fact {
    /// The word after the dot in its key.
    pub fn kind(&self) -> &'static str {
        match &self.body {
            Body::Hold { .. } => "hold",
            Body::Release { .. } => "release",
            Body::Quarantine { .. } => "quarantine",
            Body::Clearance { .. } => "clearance",
            Body::Revoked { .. } => "revocation",
            Body::Draining { .. } => "draining",
            Body::Promoted(_) => "promoted",
            Body::RolledBack(_) => "rolled-back",
            Body::Drained { .. } => "drained",
            Body::Restored { .. } => "restored",
            Body::Paused { .. } => "paused",
            Body::Unpaused { .. } => "unpaused",
            Body::Halted { .. } => "halted",
            Body::Unhalted { .. } => "unhalted",
            Body::Accepted { .. } => "accepted",
            Body::Checked { .. } => "checked",
            Body::BreakGlass { .. } => "break-glass",
            Body::Drilled { .. } => "drilled",
            Body::Note { .. } => "note",
        }
    }

    /// Its key in the ConfigMap.
    pub fn key(&self) -> String {
        format!("{}.{}", self.id, self.kind())
    }

    /// Its value: flat lines, `by=` first.
    pub fn value(&self) -> String {
        let mut lines = Lines::start(&self.by, self.at);
        match &self.body {
            Body::Hold { scope, reason } => lines.put("scope", &scope.to_string()).put("reason", reason),
            Body::Release { hold, reason } => lines.put("hold", &hold.to_string()).put("reason", reason),
            Body::Quarantine { digest, reason } => lines.put("digest", digest).put("reason", reason),
            Body::Clearance { quarantine, reason } => {
                lines.put("quarantine", &quarantine.to_string()).put("reason", reason)
            }
            Body::Revoked { approval, reason } => lines.put("approval", &approval.to_string()).put("reason", reason),
            Body::Draining { region } => lines.put("region", region),
            Body::Promoted(m) | Body::RolledBack(m) => m.write(&mut lines),
            Body::Drained { before, backend, reason } => {
                for (name, weight) in before {
                    lines.put(&format!("weight.{name}"), &weight.to_string());
                }
                lines.put("backend", backend).put("reason", reason)
            }
            Body::Restored { drained, reason } => lines.put("drained", &drained.to_string()).put("reason", reason),
            Body::Paused { hold, template, was } => {
                lines.put("hold", &hold.to_string()).put("template", &template.hex());
                was.iter().fold(&mut lines, |lines, was| lines.put("was", was))
            }
            Body::Unpaused { paused } => lines.put("paused", &paused.to_string()),
            Body::Halted { hold, object, was } => {
                lines.put("hold", &hold.to_string()).put("object", object).put("was", was)
            }
            Body::Unhalted { halted } => lines.put("halted", &halted.to_string()),
            Body::Accepted { stretch, template, reason } => lines
                .put("column", stretch.column.as_str())
                .put("from", &stretch.from.to_string())
                .put("to", &stretch.to.to_string())
                .put("template", &template.hex())
                .put("reason", reason),
            Body::Checked { list, item, version, done, reason } => lines
                .put("list", list)
                .put("item", item)
                .put("version", version)
                .put("done", if *done { "yes" } else { "no" })
                .put("reason", reason),
            Body::BreakGlass { what, reason } => lines.put("what", what).put("reason", reason),
            Body::Drilled { ring, from, to, took, real } => lines
                .put("ring", ring)
                .put("from", from)
                .put("to", to)
                .put("took", &format!("{}ms", took.as_millis()))
                .put("how", if *real { "real" } else { "dry-run" }),
            Body::Note { text } => lines.put("text", text),
        };
        if !self.journal.is_empty() {
            lines.put("journal", &self.journal);
        }
        lines.0
    }

    /// Reads a fact; none when key or value are not of a kind that is known.
    pub fn parse(key: &str, value: &str) -> Option<Self> {
        let (id, kind) = key.split_once('.')?;
        let id = FactId(Ulid::from_string(id).ok()?);
        let fields = Fields::read(value);
        let by = Operator::new(fields.get("by")?);
        let at = fields.get("at")?.parse().ok()?;
        let text = |name: &str| -> Option<Text> { fields.get(name).map(Into::into) };
        let reason = || text("reason").unwrap_or_else(|| "".into());
        let fact = |name: &str| -> Option<FactId> { Ulid::from_string(fields.get(name)?).ok().map(FactId) };
        let body = match kind {
            "hold" => Body::Hold { scope: parse_scope(fields.get("scope")?)?, reason: reason() },
            "release" => Body::Release { hold: fact("hold")?, reason: reason() },
            "quarantine" => Body::Quarantine { digest: text("digest")?, reason: reason() },
            "clearance" => Body::Clearance { quarantine: fact("quarantine")?, reason: reason() },
            "revocation" => Body::Revoked { approval: fact("approval")?, reason: reason() },
            "draining" => Body::Draining { region: text("region")? },
            "promoted" => Body::Promoted(Move::read(&fields)?),
            "rolled-back" => Body::RolledBack(Move::read(&fields)?),
            "drained" => Body::Drained {
                before: fields.all("weight.").map(|(n, w)| Some((n.into(), w.parse().ok()?))).collect::<Option<_>>()?,
                backend: text("backend")?,
                reason: reason(),
            },
            "restored" => Body::Restored { drained: fact("drained")?, reason: reason() },
            "paused" => Body::Paused {
                hold: fact("hold")?,
                template: TemplateDigest::from_hex(fields.get("template")?)?,
                was: text("was"),
            },
            "unpaused" => Body::Unpaused { paused: fact("paused")? },
            "halted" => Body::Halted { hold: fact("hold")?, object: text("object")?, was: text("was")? },
            "unhalted" => Body::Unhalted { halted: fact("halted")? },
            "accepted" => Body::Accepted {
                stretch: Stretch {
                    column: ColumnName::new(fields.get("column")?),
                    from: fields.get("from")?.parse().ok()?,
                    to: fields.get("to")?.parse().ok()?,
                },
                template: TemplateDigest::from_hex(fields.get("template")?)?,
                reason: reason(),
            },
            "checked" => Body::Checked {
                list: text("list")?,
                item: text("item")?,
                version: text("version")?,
                done: match fields.get("done")? {
                    "yes" => true,
                    "no" => false,
                    _ => return None,
                },
                reason: reason(),
            },
            "break-glass" => Body::BreakGlass { what: text("what")?, reason: reason() },
            "drilled" => Body::Drilled {
                ring: text("ring")?,
                from: text("from")?,
                to: text("to")?,
                took: Duration::from_millis(fields.get("took")?.strip_suffix("ms")?.parse().ok()?),
                real: match fields.get("how")? {
                    "real" => true,
                    "dry-run" => false,
                    _ => return None,
                },
            },
            "note" => Body::Note { text: text("text")? },
            _ => return None,
        };
        Some(Self { id, by, at, journal: text("journal").unwrap_or_else(|| "".into()), body })
    }

    /// Whether its author writes it to every region, and others pass it on.
    pub fn is_fleet_fact(&self) -> bool {
        matches!(
            self.body,
            Body::Hold { .. }
                | Body::Release { .. }
                | Body::Quarantine { .. }
                | Body::Clearance { .. }
                | Body::Revoked { .. }
                | Body::Draining { .. }
        )
    }
}

fn parse_scope(text: &str) -> Option<Scope> {
    match text.split_once(':') {
        None if text == "service" => Some(Scope::Service),
        Some(("ring", name)) => Some(Scope::Ring(name.into())),
        Some(("region", name)) => Some(Scope::Region(name.into())),
        _ => None,
    }
}
