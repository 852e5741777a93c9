//! Secrets that this process has read, so that no answer that echoes one is repeated.
//!
//! A proxy or a server may put the credentials it was sent into its error text. What such a
//! text becomes (a log line, a screen, JSON) is far from who knew the secret; so who reads one
//! says it here, and every text from a server passes [`hidden`] before it is kept.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Stands for a secret; always as long.
const MASK: &str = "•••••";
/// Shorter texts are words like any other: hiding them would hide everything.
const SHORTEST: usize = 4;
/// Tokens are renewed; the oldest ways to write them are not needed for ever.
const MOST: usize = 4_096;

static KNOWN: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// A secret was read: it and its base64 are hidden from now on.
pub fn learn(secret: &str) {
    let secret = secret.trim();
    if secret.len() < SHORTEST {
        return;
    }
    if KNOWN.read().unwrap_or_else(PoisonError::into_inner).contains(secret) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST {
        known.clear();
    }
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        known.insert(engine.encode(secret));
    }
    // As JSON and as a URL would hold it.
    let json = serde_json::Value::from(secret).to_string();
    known.insert(json.trim_matches('"').to_owned());
    known.insert(crate::io::watch::escaped(secret));
    known.insert(secret.to_owned());
}

/// The text without any secret that is known.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<&str> = known.iter().map(String::as_str).filter(|s| text.contains(s)).collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    // One may be a part of another.
    found.sort_by_key(|s| std::cmp::Reverse(s.len()));
    Cow::Owned(found.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK)))
}

/// The body of an error answer without any secret that is known.
pub fn hidden_bytes(body: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(body);
    match hidden(&text) {
        Cow::Borrowed(_) => Cow::Borrowed(body),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_as_it_is_and_in_base64() {
        learn("ann:pw-of-ann\n");
        let echo = format!("401: denied for Basic {} (ann:pw-of-ann)", STANDARD.encode("ann:pw-of-ann"));
        assert_eq!(hidden(&echo), "401: denied for Basic ••••• (•••••)");
        assert_eq!(hidden_bytes(echo.as_bytes()).as_ref(), "401: denied for Basic ••••• (•••••)".as_bytes());
        assert!(matches!(hidden("nothing of it"), Cow::Borrowed(_)));
        learn("x");
        assert_eq!(hidden("x marks nothing"), "x marks nothing");
    }
}
