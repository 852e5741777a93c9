//! Images, versions and the digest of what runs.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::id::Text;

/// A container image as written: registry and repository, tag, digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// Registry, port and repository.
    pub repository: Text,
    /// What follows the last `:`, if there is one.
    pub tag: Option<Text>,
    /// What follows `@`, if there is one.
    pub digest: Option<Text>,
}

impl Image {
    /// Splits `registry:5000/repo/name:tag@sha256:…`; never fails, since clusters hold anything.
    pub fn parse(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (rest, None),
        };
        Self { repository: repository.into(), tag: tag.map(Into::into), digest: digest.map(Into::into) }
    }

    /// What an operator calls it: the tag, else the short digest, else `untagged`.
    pub fn version(&self) -> Version {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Version(tag.clone()),
            (None, Some(digest)) => Version(digest.chars().take(19).collect::<String>().into()),
            (None, None) => Version("untagged".into()),
        }
    }

    /// This repository with the other's tag and digest: the region's own registry stays.
    #[must_use]
    pub fn with_release_of(&self, other: &Image) -> Image {
        Image { repository: self.repository.clone(), tag: other.tag.clone(), digest: other.digest.clone() }
    }

    /// Whether both name the same release: equal digests, or equal tags where one has no digest.
    pub fn same_release(&self, other: &Image) -> bool {
        match (&self.digest, &other.digest) {
            (Some(a), Some(b)) => a == b,
            _ => self.tag == other.tag,
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Whether a registry could know an image by this text: a tag alone, or a reference with repository, tag or digest
/// (the grammar of the OCI distribution specification, without its rules about domains).
pub fn names_an_image(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let tag = |t: &str| t.len() <= 128 && t.chars().all(word) && t.starts_with(|c| word(c) && c != '.' && c != '-');
    if !text.contains(['/', '@', ':']) {
        return tag(text);
    }
    let image = Image::parse(text);
    let hex = |h: &str| !h.is_empty() && h.chars().all(|c| c.is_ascii_hexdigit());
    let digest =
        |d: &str| d.split_once(':').is_some_and(|(name, h)| !name.is_empty() && name.chars().all(word) && hex(h));
    let part = |p: &str| !p.is_empty() && p.chars().all(word);
    // A registry may have a port.
    let repository = image.repository.split('/').all(|p| p.split(':').all(part));
    let repository = repository || image.repository.is_empty() && image.digest.is_some();
    (image.tag.is_some() || image.digest.is_some())
        && repository
        && image.tag.as_deref().is_none_or(tag)
        && image.digest.as_deref().is_none_or(digest)
}

/// The word an operator uses for what runs: usually the image tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub Text);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// SHA-256 of the canonical pod template: *what runs*.
///
/// Canonical: JSON with sorted keys, without insignificant space, and without the
/// label `pod-template-hash` that ReplicaSets add. Scaling, pausing, annotations of
/// the workload and status do not change it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateDigest([u8; 32]);

impl TemplateDigest {
    /// Digest of a pod template. `serde_json` maps are sorted, so its text is canonical. Null is no
    /// value: servers before v1.34 write `creationTimestamp: null` into every template, newer ones
    /// leave it out, and an upgrade of the server is no change of what runs.
    pub fn of(template: &serde_json::Value) -> Self {
        let mut template = std::borrow::Cow::Borrowed(template);
        let hash = "/metadata/labels/pod-template-hash";
        if template.pointer(hash).is_some()
            && let Some(labels) = template.to_mut().pointer_mut("/metadata/labels").and_then(|l| l.as_object_mut())
        {
            labels.remove("pod-template-hash");
        }
        if has_null(&template) {
            drop_nulls(template.to_mut());
        }
        // A JSON value always prints: its keys are strings.
        let text = serde_json::to_vec(&*template).unwrap_or_default();
        Self(Sha256::digest(&text).into())
    }

    /// All 64 hex digits.
    pub fn hex(self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(out))
    }

    /// The first eight hex digits, for people.
    pub fn short(self) -> String {
        self.0.iter().take(4).map(|b| format!("{b:02x}")).collect()
    }
}

fn has_null(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(map) => map.values().any(|v| v.is_null() || has_null(v)),
        serde_json::Value::Array(list) => list.iter().any(has_null),
        _ => false,
    }
}

fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

impl fmt::Debug for TemplateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemplateDigest({})", self.short())
    }
}

impl fmt::Display for TemplateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for TemplateDigest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for TemplateDigest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected 64 hex digits"))
    }
}

/// SHA-256 of bytes, as hex: what the journal keeps of a request body.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_no_registry_could_know_is_no_name_of_an_image() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let full =
            ["v2.1.0", "2", "r.example:5000/a/web:v2", "web:v2", &format!("web@{digest}"), &format!("@{digest}")];
        for good in full.map(str::to_owned).iter().chain([&format!("r.example/web:v2@{digest}")]) {
            assert!(names_an_image(good), "{good}");
        }
        let long = "v".repeat(129);
        for bad in [
            "",
            " ",
            "v1\n\u{1b}[31m",
            "-v1",
            ".v1",
            "v1 ",
            "web:",
            ":v1",
            "r.example/web",
            "a//b:v1",
            "web@sha256:",
            "w@x",
            &long,
        ] {
            assert!(!names_an_image(bad), "{bad:?}");
        }
    }

    #[test]
    fn images_split_as_registries_write_them() {
        for (text, repository, tag, digest) in [
            ("nginx", "nginx", None, None),
            ("nginx:1.27", "nginx", Some("1.27"), None),
            ("r.example:5000/a/web", "r.example:5000/a/web", None, None),
            ("r.example:5000/a/web:v2@sha256:ab", "r.example:5000/a/web", Some("v2"), Some("sha256:ab")),
            ("web@sha256:ab", "web", None, Some("sha256:ab")),
        ] {
            let image = Image::parse(text);
            assert_eq!(&*image.repository, repository);
            assert_eq!(image.tag.as_deref(), tag);
            assert_eq!(image.digest.as_deref(), digest);
            assert_eq!(image.to_string(), text);
        }
    }

    /// `metadata.creationTimestamp: null` before v1.34, absent since: the same pods.
    #[test]
    fn a_digest_does_not_see_nulls() {
        let of = |text: &str| TemplateDigest::of(&serde_json::from_str(text).unwrap());
        let newer = of(r#"{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web"}]}}"#);
        let older = of(
            r#"{"metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","env":null}]}}"#,
        );
        assert_eq!(newer, older);
        assert_ne!(
            newer,
            of(r#"{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","env":[]}]}}"#)
        );
    }

    #[test]
    fn a_digest_ignores_key_order_and_the_replica_set_label_only() {
        let a = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"a": 1, "b": 2}});
        let b = json!({"spec": {"b": 2, "a": 1}, "metadata": {"labels": {"pod-template-hash": "x", "app": "web"}}});
        let c = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"a": 1, "b": 3}});
        assert_eq!(TemplateDigest::of(&a), TemplateDigest::of(&b));
        assert_ne!(TemplateDigest::of(&a), TemplateDigest::of(&c));
        let digest = TemplateDigest::of(&a);
        assert_eq!(TemplateDigest::from_hex(&digest.hex()), Some(digest));
    }
}
