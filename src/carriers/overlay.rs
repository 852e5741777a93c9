//! A file in a Git repository: one commit changes one scalar of it, and something else brings that to the cluster.

use serde::Deserialize;
use serde_json::Value;

use super::{Carried, Carrier, CarrierRead, Order, Way};
use crate::domain::carrier::{CarrierRef, OverlayRef};
use crate::domain::change::Change;
use crate::domain::fleet::{CarryPath, CarryStep, Region};
use crate::domain::id::Text;
use crate::domain::outside::{GitChange, Outside, Push};
use crate::domain::plan::DiffLine;
use crate::domain::text::safe;
use crate::domain::version::Image;
use crate::kinds::Still;

/// The trailer that names the plan of a commit.
const PLAN: &str = "Gonogo-Plan";
/// How much of a digest is a version.
const SHORT: usize = 19;

/// Overlays in Git.
pub struct Overlay;

/// What was read of the file; see [`crate::domain::carrier::OverlayRef`].
#[derive(Deserialize)]
struct Seen {
    /// Why it cannot be changed; all else is missing then.
    #[serde(default)]
    cannot: Option<String>,
    #[serde(default)]
    head: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    line: usize,
    #[serde(default)]
    last: Option<Last>,
}

/// The last commit that changed the file.
#[derive(Deserialize)]
struct Last {
    commit: String,
    message: String,
    alone: bool,
}

impl Carrier for Overlay {
    fn name(&self) -> &'static str {
        "file in Git"
    }

    fn carries(&self, wanted: &CarrierRef) -> bool {
        matches!(wanted, CarrierRef::Overlay(_))
    }

    fn reads(&self, region: &Region) -> Option<CarrierRead> {
        Some(CarrierRead::Scalar(overlay(region)?.clone()))
    }

    fn carry(&self, order: &Order<'_>) -> Result<Carried, Still> {
        let at = overlay(order.region).ok_or_else(|| still("has no file in Git", "look at its configuration"))?;
        let read = order.read.cloned().unwrap_or(Value::Null);
        let seen: Seen =
            serde_json::from_value(read).map_err(|_| still("has a file in Git that was not read", "try again"))?;
        if let Some(cannot) = &seen.cannot {
            return Err(still(&format!("cannot be brought another version through Git: {cannot}"), &looks_at(at)));
        }
        let to = new_value(order, at, &seen.value)?;
        if to == seen.value {
            let why = format!("is at {} in {} of {} already, and runs {}", to, at.path, at.repository, order.from);
            let hint = "wait for what brings it to the cluster, or look there why it does not";
            return Err(Still { code: "nothing-to-do", ..still(&why, hint) });
        }
        let mut warnings = Vec::new();
        if !stands_for(&seen.value, &order.from.0) {
            warnings.push(format!(
                "is at {} in {} of {}, while its cluster runs {}: one has not followed the other",
                safe(&seen.value, 100),
                at.path,
                at.repository,
                order.from
            ));
        }
        let push = match at.own_branch {
            true => Push::Branch(format!("gonogo/{}", order.plan.to_string().to_lowercase()).into()),
            false => Push::Direct,
        };
        let reverts = brought_by(order, &seen);
        let change = GitChange {
            repository: at.repository.clone(),
            branch: at.branch.clone(),
            path: at.path.clone(),
            pointer: at.pointer.clone(),
            from: seen.value.as_str().into(),
            to: to.as_str().into(),
            base: seen.head.as_str().into(),
            message: message(order, &seen, &to, reverts.as_deref()).into(),
            push: push.clone(),
            reverts,
        };
        let field = format!("{} of {}, line {}: {}", at.path, at.repository, seen.line, at.pointer);
        let mut diff =
            vec![DiffLine { field: field.into(), from: Some(seen.value.as_str().into()), to: Some(to.into()) }];
        let goes = match &push {
            Push::Direct => format!("one commit, to branch {}", at.branch),
            Push::Branch(own) => format!("one commit, to branch {own}: nothing moves until people merge it"),
        };
        diff.push(DiffLine { field: "pushed as".into(), from: None, to: Some(goes.into()) });
        Ok(Carried {
            proposed: matches!(push, Push::Branch(_)),
            change: Change::Outside(Outside::Git(change)),
            diff,
            remembers: vec![
                ("value".into(), seen.value.as_str().into()),
                ("plan".into(), order.plan.to_string().into()),
            ],
            warnings,
        })
    }
}

fn overlay(region: &Region) -> Option<&OverlayRef> {
    match region.carrier.as_ref()? {
        CarrierRef::Overlay(overlay) => Some(overlay),
        _ => None,
    }
}

fn still(why: &str, hint: &str) -> Still {
    Still { code: "git", why: why.to_owned(), hint: hint.to_owned() }
}

fn looks_at(at: &OverlayRef) -> String {
    format!("look at {} on branch {} of {}, and at `git` in the configuration", at.path, at.branch, at.repository)
}

/// The value that stands for the version that is to run.
fn new_value(order: &Order<'_>, at: &OverlayRef, old: &str) -> Result<String, Still> {
    // What was there when the version that runs was brought is what there is to go back to, to the letter.
    if let Way::Back(remembered) = order.way
        && let Some((_, value)) = remembered.iter().find(|(name, _)| &**name == "value")
        && stands_for(value, &order.to.0)
    {
        return Ok(value.to_string());
    }
    let last = CarryPath::parse(&at.pointer).and_then(|p| p.0.into_iter().next_back());
    let digest = matches!(&last, Some(CarryStep::Key(key)) if &**key == "digest") || old.starts_with("sha256:");
    let tag = || order.image.and_then(|i| i.tag.clone()).map_or_else(|| order.to.to_string(), |tag| tag.to_string());
    if digest {
        let of_image = order.image.and_then(|i| i.digest.clone()).map(|d| d.to_string());
        return of_image.ok_or_else(|| {
            let why = format!("needs a digest in {}, and the image of {} has none", at.path, order.to);
            still(&why, "release images by digest, or name `newTag` as the field")
        });
    }
    if old.contains(['/', ':']) {
        // A whole reference keeps its repository.
        let repository = Image::parse(old).repository;
        let digest = order.image.and_then(|i| i.digest.as_ref()).filter(|_| old.contains('@'));
        return Ok(match digest {
            Some(digest) if !old.rsplit('/').next().unwrap_or(old).split('@').next().unwrap_or(old).contains(':') => {
                format!("{repository}@{digest}")
            }
            Some(digest) => format!("{repository}:{}@{digest}", tag()),
            None => format!("{repository}:{}", tag()),
        });
    }
    Ok(tag())
}

/// What an operator calls a value: a tag, the short digest, or the tag of a whole reference.
fn version_of(value: &str) -> String {
    if value.starts_with("sha256:") {
        value.chars().take(SHORT).collect()
    } else if value.contains(['/', ':', '@']) {
        Image::parse(value).version().to_string()
    } else {
        value.to_owned()
    }
}

/// Whether a value may be a version; of a digest a tag says nothing.
fn stands_for(value: &str, version: &str) -> bool {
    version_of(value) == version || value.starts_with("sha256:") && !version.starts_with("sha256:")
}

/// The commit that brought what is there, if it did that and nothing else and nobody changed the file since.
fn brought_by(order: &Order<'_>, seen: &Seen) -> Option<Text> {
    let Way::Back(remembered) = order.way else { return None };
    let (_, plan) = remembered.iter().find(|(name, _)| &**name == "plan")?;
    let last = seen.last.as_ref().filter(|last| last.alone)?;
    let trailer = format!("{PLAN}: {plan}");
    last.message.lines().any(|l| l.trim() == trailer).then(|| last.commit.as_str().into())
}

/// A message with trailers, each in one line: no text from a cluster begins another.
fn message(order: &Order<'_>, seen: &Seen, to: &str, reverts: Option<&str>) -> String {
    let line = |text: &str| safe(text.trim(), 200);
    let (service, region) = (line(order.service.name.as_str()), line(order.region.name.as_str()));
    let back = if matches!(order.way, Way::Back(_)) { "back, " } else { "" };
    let mut message = format!("{service} {region}: {back}{} -> {}\n\n", line(&seen.value), line(to));
    if let Some(commit) = reverts {
        message.push_str(&format!("This takes back commit {}.\n\n", line(commit)));
    }
    let trailers = [
        ("Gonogo-Service", service.as_str()),
        ("Gonogo-Ring", order.ring),
        ("Gonogo-Region", region.as_str()),
        ("Gonogo-From", &order.from.0),
        ("Gonogo-To", &order.to.0),
        (PLAN, &order.plan.to_string()),
    ]
    .map(|(name, value)| format!("{name}: {}", line(value)));
    message.push_str(&trailers.join("\n"));
    message
}
