//! Text from outside is hostile: what a terminal could obey is made visible.

use std::borrow::Cow;

/// Longest text kept from outside, in bytes; longer is cut with a mark.
pub const LONGEST: usize = 16 * 1024;

/// Replaces control characters, bidi controls and zero-width characters by visible marks.
///
/// C0 and DEL become control pictures (`␛`), C1 and the rest `‹U+202E›`. Line feeds
/// and tabs count as controls: callers split lines before.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\u{0}'..='\u{1f}' => {
                out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'));
            }
            '\u{7f}' => out.push('\u{2421}'),
            c if is_hostile(c) => {
                out.push_str(&format!("‹U+{:04X}›", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The text with `•••••` for who is named in a URL, since that may be a password: `https://ann:pw@host/x`.
pub fn without_users(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        out.push_str("://");
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '\\' | '<' | '>') || c.is_whitespace();
        let (authority, after) = rest.split_at_checked(rest.find(ends).unwrap_or(rest.len())).unwrap_or((rest, ""));
        match authority.rsplit_once('@') {
            Some((_, host)) => out.extend(["•••••@", host]),
            None => out.push_str(authority),
        }
        out.push_str(after);
    }
    Cow::Owned(out)
}

/// Text of several lines as it may reach a terminal: line feeds stay, all else is [`visible`].
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_hostile(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(visible).collect::<Vec<_>>().join("\n"))
}

/// JSON text that says the same, with every character that a terminal could obey as `\uXXXX`.
/// The writer escapes C0 by itself; what is left can only be inside of texts.
pub fn plain_json(json: &str) -> Cow<'_, str> {
    let hostile = |c: char| c != '\n' && is_hostile(c);
    if !json.chars().any(hostile) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// `1 region`, `3 regions`: a number with its noun, which takes an `s` in the plural.
pub fn several(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A sentence without the subject it begins with, where the subject stands before it already:
/// `eu: paused` after `eu` is `paused`.
pub fn without_subject<'a>(subject: &str, sentence: &'a str) -> &'a str {
    let rest = sentence.strip_prefix(subject).and_then(|rest| rest.strip_prefix(": "));
    rest.filter(|_| !subject.is_empty()).unwrap_or(sentence)
}

/// Whether a terminal could obey this character, or hide text with it.
pub fn is_hostile(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' // C0, DEL, C1
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // bidi
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' // zero width
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2028}' | '\u{2029}' | '\u{3164}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{17d8}' // three columns wide: no cell holds it
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Cuts at a character boundary and says so.
pub fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    let kept = text.get(..end).unwrap_or_default();
    Cow::Owned(format!("{kept}… ({} bytes cut)", text.len() - end))
}

/// Both: made visible, then cut to `most` bytes.
pub fn safe(text: &str, most: usize) -> String {
    bounded(&visible(text), most).into_owned()
}

/// The candidate nearest to `wrong`, if near enough to be a slip of the finger.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (distance(wrong, c), c))
        .min_by_key(|(d, _)| *d)
        // Of a name of one letter nothing would be left to recognise.
        .filter(|(d, c)| *d <= (c.chars().count() / 3).max(1) && *d < c.chars().count())
        .map(|(_, c)| c)
}

/// Whether a word is another one, or a slip of the finger away from it.
pub fn near(word: &str, other: &str) -> bool {
    distance(word, other) <= (other.chars().count() / 4).max(1)
}

/// Edits (insert, delete, replace) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (cb, &up) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(ca != *cb)).min(up + 1).min(left + 1);
            next.push(left);
            diagonal = up;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_could_obey_becomes_visible() {
        assert_eq!(visible("plain → text ✓"), "plain → text ✓");
        assert_eq!(visible("a\u{1b}[2J"), "a␛[2J");
        assert_eq!(visible("a\u{9b}2J"), "a‹U+009B›2J");
        assert_eq!(visible("x\u{202e}y"), "x‹U+202E›y");
        assert_eq!(visible("x\u{200b}y"), "x‹U+200B›y");
    }

    #[test]
    fn who_is_named_in_a_url_is_not_told() {
        let told = without_users("fatal: 'https://ann:p@w@host.example/a@b': ssh://git@h:22/x and http://h/a@b");
        assert_eq!(told, "fatal: 'https://•••••@host.example/a@b': ssh://•••••@h:22/x and http://h/a@b");
        assert_eq!(without_users("nothing@of it"), "nothing@of it");
        assert_eq!(without_users("://"), "://");
    }

    #[test]
    fn no_character_passes_as_a_control() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            assert!(!visible(&text).chars().any(is_hostile), "{c:?}");
        }
    }

    #[test]
    fn what_is_printed_keeps_its_lines_and_nothing_else_that_a_terminal_obeys() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}b\n");
            assert!(printable(&text).chars().all(|c| c == '\n' || !is_hostile(c)), "{c:?}");
            let json = serde_json::json!({ "a": text }).to_string();
            let plain = plain_json(&json);
            assert!(!plain.chars().any(is_hostile), "{c:?}: {plain}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).ok(), serde_json::from_str(&json).ok());
        }
        assert_eq!(printable("one\n  two ✓\n"), "one\n  two ✓\n");
    }

    #[test]
    fn slips_are_guessed_and_nonsense_is_not() {
        assert_eq!(did_you_mean("regoins", ["regions", "rings"]), Some("regions"));
        assert_eq!(did_you_mean("zzz", ["regions", "rings"]), None);
        assert_eq!(did_you_mean("b", ["a"]), None);
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(bounded("ééé", 3), "é… (4 bytes cut)");
    }
}
