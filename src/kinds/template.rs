//! What a pod template says: its container, image and version.

use serde_json::Value;

use super::{ReadHow, configurations};
use crate::domain::fleet::VersionFrom;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::version::{Image, TemplateDigest, Version};

/// A pod template in our words.
pub(super) struct Template {
    pub(super) digest: TemplateDigest,
    pub(super) image: Option<Image>,
    pub(super) version: Version,
    pub(super) configurations: Box<[TemplateDigest]>,
}

impl Template {
    /// Reads a template as `how` wants it.
    pub(super) fn read(template: &Value, how: &ReadHow) -> Self {
        let image = container(template, &how.container).and_then(|c| c.get("image")).and_then(Value::as_str);
        let image = image.map(Image::parse);
        Self {
            digest: TemplateDigest::of(template),
            version: version(template, image.as_ref(), &how.version_from),
            image,
            configurations: configurations(template, how),
        }
    }
}

/// The container of that name.
fn container<'a>(template: &'a Value, name: &str) -> Option<&'a Value> {
    let containers = template.pointer("/spec/containers")?.as_array()?;
    containers.iter().find(|c| c.get("name").and_then(Value::as_str) == Some(name))
}

/// The version as configured to be read; `?` where it is not there.
fn version(template: &Value, image: Option<&Image>, from: &VersionFrom) -> Version {
    let text = |map: &str, key: &Text| {
        template.pointer(map).and_then(|m| m.get(&**key)).and_then(Value::as_str).map(|v| Version(safe(v, 80).into()))
    };
    match from {
        VersionFrom::Image => image.map(|i| Version(safe(&i.version().0, 80).into())),
        VersionFrom::Label(key) => text("/metadata/labels", key),
        VersionFrom::Annotation(key) => text("/metadata/annotations", key),
    }
    .unwrap_or_else(|| Version("?".into()))
}
