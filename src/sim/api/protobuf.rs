//! Protobuf bodies of the few kinds that kubectl's typed clients create that way.
//!
//! A body is `k8s\0` and a `runtime.Unknown`: apiVersion and kind, then the object in
//! Kubernetes' proto2 encoding. Only requests are read; answers are JSON, which those
//! clients accept as well.

use serde_json::{Map, Value};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
const MAGIC: &[u8] = b"k8s\0";

/// What a field number means.
enum Meaning {
    Text(&'static str),
    /// Texts, one field each.
    Texts(&'static str),
    Truth(&'static str),
    Count(&'static str),
    /// String to string.
    Pairs(&'static str),
    /// A message.
    Inner(&'static str, &'static [(u64, Meaning)]),
    /// Messages, one field each.
    Many(&'static str, &'static [(u64, Meaning)]),
}

use Meaning::{Count, Inner, Many, Pairs, Text, Texts, Truth};

const OBJECT_META: &[(u64, Meaning)] = &[
    (1, Text("name")),
    (2, Text("generateName")),
    (3, Text("namespace")),
    (5, Text("uid")),
    (6, Text("resourceVersion")),
    (11, Pairs("labels")),
    (12, Pairs("annotations")),
];
const CONFIG_MAP: &[(u64, Meaning)] =
    &[(1, Inner("metadata", OBJECT_META)), (2, Pairs("data")), (4, Truth("immutable"))];
const META_ONLY: &[(u64, Meaning)] = &[(1, Inner("metadata", OBJECT_META))];
const RESOURCE_ATTRIBUTES: &[(u64, Meaning)] = &[
    (1, Text("namespace")),
    (2, Text("verb")),
    (3, Text("group")),
    (4, Text("version")),
    (5, Text("resource")),
    (6, Text("subresource")),
    (7, Text("name")),
];
const PATH_ATTRIBUTES: &[(u64, Meaning)] = &[(1, Text("path")), (2, Text("verb"))];
const ACCESS_SPEC: &[(u64, Meaning)] =
    &[(1, Inner("resourceAttributes", RESOURCE_ATTRIBUTES)), (2, Inner("nonResourceAttributes", PATH_ATTRIBUTES))];
const ACCESS_REVIEW: &[(u64, Meaning)] = &[(1, Inner("metadata", OBJECT_META)), (2, Inner("spec", ACCESS_SPEC))];
const RULES_REVIEW: &[(u64, Meaning)] =
    &[(1, Inner("metadata", OBJECT_META)), (2, Inner("spec", &[(1, Text("namespace"))]))];

const PORT: &[(u64, Meaning)] = &[(1, Text("name")), (3, Count("containerPort")), (4, Text("protocol"))];
const CONTAINER: &[(u64, Meaning)] =
    &[(1, Text("name")), (2, Text("image")), (3, Texts("command")), (4, Texts("args")), (6, Many("ports", PORT))];
const POD_TEMPLATE: &[(u64, Meaning)] =
    &[(1, Inner("metadata", OBJECT_META)), (2, Inner("spec", &[(2, Many("containers", CONTAINER))]))];
/// As far as `kubectl create deployment` fills one in.
const DEPLOYMENT_SPEC: &[(u64, Meaning)] = &[
    (1, Count("replicas")),
    (2, Inner("selector", &[(1, Pairs("matchLabels"))])),
    (3, Inner("template", POD_TEMPLATE)),
];
const DEPLOYMENT: &[(u64, Meaning)] = &[(1, Inner("metadata", OBJECT_META)), (2, Inner("spec", DEPLOYMENT_SPEC))];

fn meanings(kind: &str) -> Option<&'static [(u64, Meaning)]> {
    match kind {
        "ConfigMap" => Some(CONFIG_MAP),
        "Deployment" => Some(DEPLOYMENT),
        "Namespace" | "SelfSubjectReview" => Some(META_ONLY),
        "SelfSubjectAccessReview" => Some(ACCESS_REVIEW),
        "SelfSubjectRulesReview" => Some(RULES_REVIEW),
        _ => None,
    }
}

/// The object in a protobuf body; None where it is malformed or of a kind not read here.
pub fn decode(body: &[u8]) -> Option<Value> {
    let mut fields = Fields(body.strip_prefix(MAGIC)?);
    let (mut about, mut raw) = (&[][..], &[][..]);
    while let Some((number, Wire::Bytes(bytes))) = fields.next()? {
        match number {
            1 => about = bytes,
            2 => raw = bytes,
            _ => {}
        }
    }
    let Value::Object(about) = message(about, &[(1, Text("apiVersion")), (2, Text("kind"))])? else {
        return None;
    };
    let kind = about.get("kind")?.as_str()?;
    let Value::Object(mut object) = message(raw, meanings(kind)?)? else {
        return None;
    };
    object.extend(about);
    Some(Value::Object(object))
}

fn message(bytes: &[u8], meanings: &'static [(u64, Meaning)]) -> Option<Value> {
    let mut out = Map::new();
    let mut fields = Fields(bytes);
    while let Some((number, wire)) = fields.next()? {
        let Some((_, meaning)) = meanings.iter().find(|(n, _)| *n == number) else {
            continue;
        };
        match (meaning, wire) {
            (Text(name), Wire::Bytes(text)) if !text.is_empty() => {
                out.insert((*name).to_owned(), std::str::from_utf8(text).ok()?.into());
            }
            (Truth(name), Wire::Number(number)) => {
                out.insert((*name).to_owned(), (number != 0).into());
            }
            (Count(name), Wire::Number(number)) => {
                // A negative number is written as its two's complement.
                out.insert((*name).to_owned(), number.cast_signed().into());
            }
            (Texts(name), Wire::Bytes(text)) => {
                let list = out.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?.push(std::str::from_utf8(text).ok()?.into());
            }
            (Many(name, inner), Wire::Bytes(bytes)) => {
                let list = out.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?.push(message(bytes, inner)?);
            }
            (Pairs(name), Wire::Bytes(entry)) => {
                let pair = message(entry, &[(1, Text("k")), (2, Text("v"))])?;
                let text = |key: &str| pair.get(key).and_then(Value::as_str).unwrap_or("");
                let map = out.entry(*name).or_insert_with(|| Value::Object(Map::new()));
                map.as_object_mut()?.insert(text("k").to_owned(), text("v").into());
            }
            (Inner(name, inner), Wire::Bytes(bytes)) => {
                out.insert((*name).to_owned(), message(bytes, inner)?);
            }
            _ => {}
        }
    }
    Some(Value::Object(out))
}

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field; inner None at the end, outer None where the bytes are malformed.
    #[expect(clippy::option_option, reason = "the end and an error are different things")]
    fn next(&mut self) -> Option<Option<(u64, Wire<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Number(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            _ => return None,
        };
        Some(Some((key >> 3, wire)))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kubectl_sends_is_read() {
        let body = b"k8s\x00\n\x0f\n\x02v1\x12\tConfigMap\x12\x1b\n\x11\n\x01c\x12\x00\x1a\x00\"\x00*\x002\x008\x00B\x00\x12\x06\n\x01a\x12\x01b\x1a\x00\"\x00";
        let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
        assert_eq!(decode(body), Some(wanted));
        assert_eq!(decode(b"k8s\0\xff"), None);
        assert_eq!(decode(b"{}"), None);
    }
}
