//! What a scalar without quotes is: a text, or something that only looks like one.

/// What tools make of a scalar without quotes. YAML 1.1 and 1.2 differ: what either takes for more
/// than a text counts as more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolves {
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true`, `no`, `null`, `~`, `<<` and the like.
    Word,
    /// A date or time.
    Date,
}

const WORDS: [&str; 14] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "=", "---"];

/// What a scalar without quotes is taken for.
pub(super) fn resolves(text: &str) -> Resolves {
    if WORDS.iter().any(|w| w.eq_ignore_ascii_case(text)) {
        Resolves::Word
    } else if is_number(text) {
        Resolves::Number
    } else if is_date(text) {
        Resolves::Date
    } else {
        Resolves::Text
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if [".inf", ".nan"].contains(&lower.as_str()) {
        return true;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix) || c == '_');
        }
    }
    // `12:30:45` counts to the base of sixty in YAML 1.1.
    let sixty = lower.contains(':')
        && lower
            .split(':')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || matches!(c, '_' | '.')));
    sixty || is_decimal(&lower)
}

/// `1`, `1_000`, `.5`, `1.`, `1e5`, `1.2e-3`.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once('e').map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit() || c == '_');
    let exponent = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    exponent && digits(whole) && digits(part) && mantissa.contains(|c: char| c.is_ascii_digit())
}

/// `2026-11-21`, with or without a time after it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |s: &str, most: usize| !s.is_empty() && s.len() <= most && s.chars().all(|c| c.is_ascii_digit());
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let day: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let after = rest.chars().nth(day.len());
    year.len() == 4
        && digits(year, 4)
        && digits(month, 2)
        && digits(&day, 2)
        && after.is_none_or(|c| matches!(c, 'T' | 't' | ' ' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_more_than_a_text_is_seen() {
        for number in [
            "1",
            "-1",
            "+1.20",
            "1.",
            ".5",
            "1_000",
            "0x1F",
            "0o17",
            "017",
            "0b1",
            "1e5",
            "12e03",
            "1.5E-3",
            ".inf",
            "-.INF",
            ".NaN",
            "1:30",
            "190:20:30.15",
        ] {
            assert_eq!(resolves(number), Resolves::Number, "{number}");
        }
        for word in ["true", "No", "ON", "null", "~", "y", "<<", ""] {
            assert_eq!(resolves(word), Resolves::Word, "{word}");
        }
        for date in ["2026-11-21", "2026-1-2", "2026-11-21T10:00:00Z", "2026-11-21 10:00:00"] {
            assert_eq!(resolves(date), Resolves::Date, "{date}");
        }
        for text in [
            "v1",
            "1.2.3",
            "1.2.3-rc1",
            "v2026-11-21",
            "2026-11-21-1",
            "2026.11.21",
            "sha256:0",
            "1e",
            "0x",
            "0xg",
            "e5",
            "1e5f",
            "-",
            "main-1a2b3c",
            "12:",
        ] {
            assert_eq!(resolves(text), Resolves::Text, "{text}");
        }
    }
}
