//! `artefact`: one tag means one image, and a digest says which.

use super::only_if_seen;
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::Image;

/// The image is pinned by a digest, and its tag means the same everywhere.
pub struct Artefact;

impl GateType for Artefact {
    fn name(&self) -> &'static str {
        "artefact"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "One tag means one image: NO-GO when another region runs the same tag with another digest; a finding for a tag without a digest, since what it means may change."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Artefact))
    }
}

impl Gate for Artefact {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let image = match &evidence.entering {
            Some(entering) => entering.source.map(|w| w.image.as_ref()),
            None => evidence.workload.map(|w| w.image.as_ref()),
        };
        match image {
            Some(Some(image)) => only_if_seen(evidence, judge(evidence, image)),
            Some(None) if evidence.region.is_reported() => {
                let sentence =
                    format!("{region}: its pipeline reports a version and no image: what it means may change");
                Judgement::new(Verdict::Findings, "reported", sentence)
            }
            Some(None) => {
                let sentence = format!("{region}: there is no container {}", evidence.region.workload.container);
                Judgement::new(Verdict::NoData, "container", sentence)
            }
            None if evidence.entering.is_some() && evidence.region.ring.at() > 0 => {
                let sentence = format!("{region}: what the ring before it runs was not seen");
                Judgement::new(Verdict::NoData, "unseen", sentence)
            }
            None if evidence.entering.is_some() => {
                let sentence =
                    format!("{region}: no ring is before it: which image enters is said when it is promoted");
                Judgement::new(Verdict::Findings, "by hand", sentence)
            }
            None => only_if_seen(evidence, Judgement::new(Verdict::NoData, "unseen", format!("{region}: not seen"))),
        }
    }
}

fn judge(evidence: &Evidence<'_>, image: &Image) -> Judgement {
    let region = &evidence.region.name;
    let tag = image.tag.as_deref().map_or_else(|| "no tag".to_owned(), |t| safe(t, 60));
    let short = |digest: &str| digest.chars().take(19).collect::<String>();
    let mut lines = Vec::new();
    let mut other = None;
    for peer in evidence.peers {
        let Some(theirs) = peer.workload.and_then(|w| w.image.as_ref()) else { continue };
        lines.push(format!("{} runs {}", peer.region.name, safe(&theirs.to_string(), 160)));
        let differs = image.tag.is_some()
            && theirs.tag == image.tag
            && theirs.digest.is_some()
            && image.digest.is_some()
            && theirs.digest != image.digest;
        if differs && other.is_none() {
            other = Some((&peer.region.name, theirs));
        }
    }
    let judged = match (other, image.digest.as_deref()) {
        (Some((there, theirs)), digest) => {
            let sentence = format!(
                "{region}: {tag} is {} here and {} in {there}: one tag, two images",
                short(digest.unwrap_or("?")),
                short(theirs.digest.as_deref().unwrap_or("?"))
            );
            Judgement::new(Verdict::NoGo, "two images", sentence)
        }
        (None, None) => {
            let sentence = format!("{region}: {tag} has no digest: what it means may change between regions");
            Judgement::new(Verdict::Findings, "no digest", sentence)
        }
        (None, Some(digest)) => {
            let sentence = format!("{region}: {tag} is {}, in every region that runs it", short(digest));
            Judgement::new(Verdict::Go, short(digest), sentence)
        }
    };
    lines.into_iter().fold(judged, Judgement::because)
}

#[cfg(test)]
#[path = "artefact_tests.rs"]
mod tests;
