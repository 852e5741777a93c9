//! Metadata that the server, not the client, decides: uid, times, generation, revision.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The letters of generated name suffixes: no vowels, so that no words appear.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// `metadata`, made where it is missing.
pub(super) fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let map = object.as_object_mut()?;
    let meta = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if !meta.is_object() {
        *meta = Value::Object(Map::new());
    }
    meta.as_object_mut()
}

/// `metadata.<key>` as text; empty where absent.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get("metadata").and_then(|m| m.get(key)).and_then(Value::as_str).unwrap_or("")
}

/// Sets or removes `metadata.<key>`.
pub(super) fn set(object: &mut Value, key: &str, value: Option<Value>) {
    let Some(meta) = metadata(object) else { return };
    match value {
        Some(value) => meta.insert(key.to_owned(), value),
        None => meta.remove(key),
    };
}

/// Gives `metadata.<key>` the value it has in `old`.
pub(super) fn keep(object: &mut Value, old: &Value, key: &str) {
    set(object, key, old.get("metadata").and_then(|m| m.get(key)).cloned());
}

fn digest(seed: u64, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

/// A version-4 shaped uid that follows from the cluster's seed and what it names.
pub(super) fn uid(seed: u64, parts: &[&str]) -> String {
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest(seed, parts)) {
        *to = from;
    }
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76)) | (0x4 << 76);
    let number = (number & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let piece = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
    format!("{}-{}-{}-{}-{}", piece(0, 8), piece(8, 12), piece(12, 16), piece(16, 20), piece(20, 32))
}

/// Five letters for `generateName`.
pub(super) fn suffix(seed: u64, parts: &[&str]) -> String {
    digest(seed, parts)
        .iter()
        .take(5)
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
        .map(|letter| char::from(*letter))
        .collect()
}
