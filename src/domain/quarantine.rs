//! What must not run again: digests that somebody quarantined, and what was rolled back anywhere.

use super::id::{RegionIx, Text};
use super::record::{Body, Fact, FactId, Move, Record};
use super::stamp::Timestamp;
use super::version::{Image, TemplateDigest, Version};

/// A quarantine in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined<'a> {
    /// The fact that a clearance names.
    pub fact: &'a Fact,
    /// Where it was rolled back; none: somebody said so.
    pub region: Option<RegionIx>,
    what: What<'a>,
}

#[derive(Clone, Debug, PartialEq)]
enum What<'a> {
    /// An image digest, a template digest or a version.
    Named(&'a str),
    /// What was left by a rollback.
    Left { template: TemplateDigest, version: &'a str, image: Option<Image> },
}

/// What would run.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its version.
    pub version: &'a Version,
    /// Its image, if known.
    pub image: Option<&'a Image>,
    /// Its template, if known.
    pub template: Option<TemplateDigest>,
}

impl Record {
    /// Quarantines that no clearance has ended, oldest first.
    pub fn quarantined(&self, now: Timestamp) -> Vec<Quarantined<'_>> {
        let mut found: Vec<Quarantined<'_>> = self
            .quarantines()
            .into_iter()
            .map(|(digest, fact)| Quarantined { fact, region: None, what: What::Named(digest) })
            .collect();
        for (at, region) in self.regions.iter().enumerate() {
            for fact in region.iter().flat_map(|r| r.relevant(now)) {
                if let Body::RolledBack(left) = &fact.body
                    && !self.cleared(fact.id)
                {
                    let what =
                        What::Left { template: left.from_template, version: &left.from_version, image: image(left) };
                    found.push(Quarantined { fact, region: Some(at.into()), what });
                }
            }
        }
        found.sort_by_key(|q| q.fact.id);
        found
    }

    /// Whether a clearance names this fact, in whichever region.
    pub fn cleared(&self, id: FactId) -> bool {
        let facts = self.regions.iter().flatten().flat_map(|r| r.facts.values());
        facts.into_iter().any(|f| matches!(&f.body, Body::Clearance { quarantine, .. } if *quarantine == id))
    }
}

/// The image that a move left.
pub fn image(left: &Move) -> Option<Image> {
    let (_, value) = left.from.iter().find(|(pointer, _)| pointer.ends_with("/image"))?;
    serde_json::from_str::<String>(value).ok().map(|text| Image::parse(&text))
}

impl Candidate<'_> {
    /// Whether a quarantine of that name would cover it: an image digest, a template digest or a version.
    pub fn is_called(&self, name: &str) -> bool {
        self.image.and_then(|i| i.digest.as_deref()) == Some(name)
            || self.template.is_some_and(|t| t.hex() == name)
            || *self.version.0 == *name
    }
}

impl Quarantined<'_> {
    /// Whether it covers this.
    pub fn covers(&self, candidate: &Candidate<'_>) -> bool {
        let digest = candidate.image.and_then(|i| i.digest.as_deref());
        match &self.what {
            What::Named(name) => candidate.is_called(name),
            What::Left { template, version, image } => {
                if candidate.template == Some(*template) {
                    return true;
                }
                // Digests tell images apart; without one on either side the version must do.
                match (image.as_ref().and_then(|i| i.digest.as_deref()), digest) {
                    (Some(left), Some(now)) => left == now,
                    _ => &*candidate.version.0 == *version,
                }
            }
        }
    }

    /// What it is about, in words: `v2.1.0`, or a digest.
    pub fn subject(&self) -> &str {
        match &self.what {
            What::Named(name) => name,
            What::Left { version, .. } => version,
        }
    }

    /// Why; empty where nobody said.
    pub fn reason(&self) -> &str {
        match &self.fact.body {
            Body::Quarantine { reason, .. } => reason,
            Body::RolledBack(left) => &left.reason,
            _ => "",
        }
    }

    /// Who did what, in words: `quarantined by ana: leaks`, `rolled back in eu by ben`.
    pub fn text(&self, region: impl Fn(RegionIx) -> Text) -> String {
        let reason = if self.reason().is_empty() { String::new() } else { format!(": {}", self.reason()) };
        match self.region {
            None => format!("quarantined by {}{reason}", self.fact.by),
            Some(at) => format!("rolled back in {} by {}{reason}", region(at), self.fact.by),
        }
    }
}

#[cfg(test)]
#[path = "quarantine_tests.rs"]
mod tests;
