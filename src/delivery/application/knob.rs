//! The one place of an Application that says which version it brings: found, read, and given another value.

use serde_json::Value;

use crate::delivery::Wanted;
use crate::domain::carrier::{ApplicationCarrier, ApplicationField};
use crate::domain::change::pointer_key;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::version::Image;
use crate::kinds::Still;

/// What one edit of a source does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edit {
    /// Pointer of the field within its source, e.g. `/targetRevision`.
    pub field: String,
    /// Its value; none: absent.
    pub from: Option<Value>,
    /// The value that it gets; none: removed.
    pub to: Option<Value>,
}

/// One source with its place in the object.
#[derive(Clone, Debug)]
pub(super) struct Chosen<'a> {
    /// Pointer below `spec`, e.g. `/source` or `/sources/1`.
    pub at: String,
    /// The source.
    pub source: &'a Value,
}

pub(super) fn still(code: &'static str, why: impl Into<String>, hint: impl Into<String>) -> Still {
    Still { code, why: why.into(), hint: hint.into() }
}

/// The source that is meant. Where there are several, Argo CD does not look at the one.
pub(super) fn source<'a>(spec: &'a Value, wanted: Option<&Text>) -> Result<Chosen<'a>, Still> {
    let several = spec.get("sources").and_then(Value::as_array).filter(|all| !all.is_empty());
    let Some(several) = several else {
        let source = spec
            .get("source")
            .filter(|s| s.is_object())
            .ok_or_else(|| still("no-source", "has no source", "look at the Application: it names no repository"))?;
        return match wanted {
            None => Ok(Chosen { at: "/source".to_owned(), source }),
            Some(wanted) if &**wanted == "0" || named(source) == Some(wanted) => {
                Ok(Chosen { at: "/source".to_owned(), source })
            }
            Some(wanted) => Err(still(
                "source",
                format!("has one source, and none called `{}`", safe(wanted, 80)),
                "leave `source` out in `[service.NAME.delivery]`",
            )),
        };
    };
    let names = || {
        let name =
            |(at, s): (usize, &Value)| named(s).map_or_else(|| at.to_string(), |n| format!("{at} ({})", safe(n, 80)));
        several.iter().enumerate().map(name).collect::<Vec<_>>().join(", ")
    };
    let at = match (wanted, several.as_slice()) {
        (None, [_]) => Some(0),
        (None, _) => {
            return Err(still(
                "source",
                format!("has {} sources, and which of them says the version is not configured", several.len()),
                format!("set `source` in `[service.NAME.delivery]` to the name or number of one: {}", names()),
            ));
        }
        (Some(wanted), _) => {
            let by_name = several.iter().position(|s| named(s) == Some(wanted));
            by_name.or_else(|| wanted.parse().ok().filter(|at: &usize| *at < several.len()))
        }
    };
    let chosen = at.and_then(|at| Some((at, several.get(at).filter(|s| s.is_object())?)));
    let chosen = chosen.map(|(at, source)| Chosen { at: format!("/sources/{at}"), source });
    chosen.ok_or_else(|| {
        let wanted = wanted.map(|w| safe(w, 80)).unwrap_or_default();
        still("source", format!("has no source `{wanted}`"), format!("its sources are {}", names()))
    })
}

fn named(source: &Value) -> Option<&str> {
    source.get("name").and_then(Value::as_str).filter(|n| !n.is_empty())
}

/// The edit that makes a source name a version; none: nothing of it says a version.
pub(super) fn edit(
    object: &Value,
    source: &Value,
    means: &ApplicationCarrier,
    wanted: &Wanted<'_>,
) -> Result<Option<Edit>, Still> {
    match &means.field {
        ApplicationField::Sync => Ok(None),
        ApplicationField::TargetRevision => revision(source, &means.template, wanted).map(Some),
        ApplicationField::KustomizeImage(name) => image(object, source, name.as_ref(), wanted).map(Some),
        ApplicationField::HelmParameter(name) => parameter(source, name, &means.template, wanted).map(Some),
    }
}

/// The edit that puts an earlier value back.
pub(super) fn edit_back(
    source: &Value,
    means: &ApplicationCarrier,
    repository: Option<&str>,
    to: Option<&Value>,
) -> Result<Option<Edit>, Still> {
    let edit = |field: String| {
        let from = source.pointer(&field).cloned();
        Edit { field, from, to: to.cloned() }
    };
    Ok(match &means.field {
        ApplicationField::Sync => None,
        ApplicationField::TargetRevision => Some(edit("/targetRevision".to_owned())),
        ApplicationField::KustomizeImage(name) => {
            let (at, ..) = image_entry(source, name.as_ref(), repository)?;
            Some(edit(format!("/kustomize/images/{at}")))
        }
        ApplicationField::HelmParameter(name) => {
            let at = parameter_at(source, name)?;
            Some(edit(format!("/helm/parameters/{at}/value")))
        }
    })
}

fn filled(template: &Text, wanted: &Wanted<'_>) -> Result<String, Still> {
    let version = &*wanted.version.0;
    // What follows becomes a name in a repository or a value of a chart: nothing else goes there.
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/+".contains(c);
    if version.is_empty() || version == "untagged" || !version.chars().all(plain) {
        return Err(still(
            "no-revision",
            format!(
                "cannot follow `{}`: what runs in the ring before has no tag that names a revision",
                safe(version, 80)
            ),
            "promote an image by its tag, or set `promote = \"image\"`",
        ));
    }
    Ok(template.replace("{{version}}", version))
}

fn revision(source: &Value, template: &Text, wanted: &Wanted<'_>) -> Result<Edit, Still> {
    let from = source.get("targetRevision").filter(|t| !t.is_null()).cloned();
    Ok(Edit { field: "/targetRevision".to_owned(), from, to: Some(filled(template, wanted)?.into()) })
}

fn image(object: &Value, source: &Value, name: Option<&Text>, wanted: &Wanted<'_>) -> Result<Edit, Still> {
    let to = |repository: &str| {
        let tag = || Image { repository: "".into(), tag: Some(wanted.version.0.clone()), digest: None };
        let release = wanted.image.cloned().unwrap_or_else(tag);
        Image { repository: repository.into(), ..release }
    };
    let images = source.pointer("/kustomize/images").and_then(Value::as_array);
    match image_entry(source, name, wanted.repository) {
        Ok((at, prefix, old)) => {
            let new = to(&old.repository);
            let from = images.and_then(|all| all.get(at)).cloned();
            Ok(Edit { field: format!("/kustomize/images/{at}"), from, to: Some(format!("{prefix}{new}").into()) })
        }
        Err(refused) if refused.code == "image-twice" => Err(refused),
        Err(refused) => {
            // A name that no manifest has would be put in place of nothing, and nobody would say so.
            let name = name.map(|n| &**n).or(wanted.repository);
            let brought = object.pointer("/status/summary/images").and_then(Value::as_array);
            let mut brought = brought.into_iter().flatten().filter_map(Value::as_str).map(Image::parse);
            let Some(name) = name.filter(|name| brought.any(|i| &*i.repository == *name)) else { return Err(refused) };
            let entry = Value::from(to(name).to_string());
            let (field, to) = match (source.get("kustomize").filter(|k| k.is_object()), images) {
                (Some(_), Some(_)) => ("/kustomize/images/-", entry),
                (Some(_), None) => ("/kustomize/images", serde_json::json!([entry])),
                (None, _) => ("/kustomize", serde_json::json!({"images": [entry]})),
            };
            Ok(Edit { field: field.to_owned(), from: None, to: Some(to) })
        }
    }
}

/// Position, what stands before the new image (`name=` or nothing), and the image of an override.
fn image_entry(source: &Value, name: Option<&Text>, repository: Option<&str>) -> Result<(usize, String, Image), Still> {
    let entries = source.pointer("/kustomize/images").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let read = |entry: &Value| -> Option<(String, String, Image)> {
        let text = entry.as_str()?;
        Some(match text.split_once('=') {
            Some((name, new)) => (name.to_owned(), format!("{name}="), Image::parse(new)),
            None => {
                let image = Image::parse(text);
                (image.repository.to_string(), String::new(), image)
            }
        })
    };
    let is = |found: &str, image: &Image| match name {
        Some(name) => found == &**name,
        None => repository.is_some_and(|r| found == r || &*image.repository == r),
    };
    let mut found = entries.iter().enumerate().filter_map(|(at, e)| Some((at, read(e)?)));
    let mut found = found.by_ref().filter(|(_, (named, _, image))| is(named, image));
    match (found.next(), found.next()) {
        (Some((at, (_, prefix, image))), None) => Ok((at, prefix, image)),
        (Some(_), Some(_)) => Err(still(
            "image-twice",
            "overrides the same image twice",
            "leave one of them in `kustomize.images` of the Application",
        )),
        (None, _) => {
            let whom = name.map(|n| &**n).or(repository).map_or_else(|| "?".to_owned(), |n| safe(n, 200));
            Err(still(
                "image",
                format!("has no override for image `{whom}`, and is not known to bring one by that name"),
                "set `image` in `[service.NAME.delivery]` to the name that the manifests have, or add the override once by hand",
            ))
        }
    }
}

fn parameter_at(source: &Value, name: &Text) -> Result<usize, Still> {
    let all = source.pointer("/helm/parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is = |p: &Value| p.get("name").and_then(Value::as_str) == Some(&**name);
    // The last of equal ones wins, in Helm as here.
    all.iter().rposition(is).ok_or_else(|| {
        still(
            "parameter",
            format!("sets no chart parameter `{}`", safe(name, 120)),
            "a parameter that no chart reads would change nothing: set it once by hand, then promotions change it",
        )
    })
}

fn parameter(source: &Value, name: &Text, template: &Text, wanted: &Wanted<'_>) -> Result<Edit, Still> {
    let field = format!("/helm/parameters/{}/value", parameter_at(source, name)?);
    let from = source.pointer(&field).cloned();
    Ok(Edit { field, from, to: Some(filled(template, wanted)?.into()) })
}

/// `helm parameter image.tag`, `image override`, `targetRevision`: a field as people call it.
pub(super) fn shown(chosen: &Chosen<'_>, edit: &Edit) -> String {
    let named = named(chosen.source).map(|n| format!("source {}: ", safe(n, 80)));
    let place = match (named, chosen.at.strip_prefix("/sources/")) {
        (Some(named), Some(_)) => named,
        (None, Some(at)) => format!("source {at}: "),
        (_, None) => String::new(),
    };
    let field = match edit.field.strip_prefix("/helm/parameters/") {
        Some(rest) => {
            let at = rest.split('/').next().unwrap_or_default();
            let name = chosen.source.pointer(&format!("/helm/parameters/{}/name", pointer_key(at)));
            format!("helm parameter {}", safe(name.and_then(Value::as_str).unwrap_or("?"), 120))
        }
        None if edit.field.starts_with("/kustomize") => "kustomize image".to_owned(),
        None => edit.field.trim_start_matches('/').to_owned(),
    };
    format!("{place}{field}")
}
