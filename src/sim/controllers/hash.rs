//! The hash that names a pod template: same template, same name; short and sayable.

use serde_json::Value;

/// Letters and digits of which no words and no confusable pairs can be made; Kubernetes
/// encodes its own hashes in the same 27.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a over 64 bits.
#[must_use]
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Spells a number in Kubernetes' safe alphabet, `length` characters long.
#[must_use]
pub fn spell(mut number: u64, length: usize) -> String {
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        let letter = usize::try_from(number % 27).ok().and_then(|i| ALPHABET.get(i)).copied();
        text.push(char::from(letter.unwrap_or(b'b')));
        number /= 27;
    }
    text
}

/// The `pod-template-hash` of a template. Equal JSON gives an equal hash (keys are ordered);
/// the value differs from the one a real controller would compute.
#[must_use]
pub fn template_hash(template: &Value) -> String {
    spell(fnv(template.to_string().as_bytes()), 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_template_has_the_same_hash_in_any_order_of_keys() {
        let a = json!({"spec": {"a": 1, "b": 2}});
        let b = json!({"spec": {"b": 2, "a": 1}});
        assert_eq!(template_hash(&a), template_hash(&b));
        assert_ne!(template_hash(&a), template_hash(&json!({"spec": {"a": 1, "b": 3}})));
        assert_eq!(template_hash(&a).len(), 10);
    }
}
