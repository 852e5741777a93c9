//! Weighted records of Route 53 as external-dns takes them from an object: a weight and a TTL written as text.

use std::time::Duration;

use crate::domain::stamp::parse_duration;
use crate::domain::text::safe;

/// The greatest weight that Route 53 takes.
pub(super) const MOST: u32 = 255;
/// What external-dns writes where no TTL is.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// From the object to every name server: external-dns looks once a minute, and Route 53 takes up to another.
pub(super) const PROPAGATION: Duration = Duration::from_secs(120);
/// Longest piece of a value that is quoted, in bytes.
const LONGEST: usize = 60;

/// A weight as it was written, and what external-dns makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is at work.
    Weight(u32),
    /// external-dns cannot read it, and writes 0: a slip of a finger drains.
    Slip(String),
    /// Route 53 refuses it: the record stays as it was, and nobody here knows how that is.
    Refused(String),
}

/// Reads a weight as external-dns does.
pub(super) fn weight(text: &str) -> Written {
    let quoted = || safe(text, LONGEST);
    match text.parse::<i64>() {
        Err(_) => Written::Slip(format!("weight {:?} is no whole number: external-dns writes 0", quoted())),
        Ok(number) => match u32::try_from(number).ok().filter(|w| *w <= MOST) {
            Some(weight) => Written::Weight(weight),
            None => Written::Refused(format!(
                "weight {:?} is not from 0 to {MOST}: Route 53 refuses it, and the record stays as it was",
                quoted()
            )),
        },
    }
}

/// Reads a TTL: whole seconds, or a length of time. None: external-dns takes its default.
pub(super) fn ttl(text: &str) -> Option<Duration> {
    let seconds = text.parse::<u32>().ok().map(|s| Duration::from_secs(s.into()));
    seconds.or_else(|| parse_duration(text)).filter(|ttl| !ttl.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_read_as_external_dns_reads_it() {
        for (text, weight_is) in [("0", 0), ("255", 255), ("+7", 7), ("007", 7)] {
            assert_eq!(weight(text), Written::Weight(weight_is), "{text}");
        }
        for slip in ["", "1O", "10 ", "1.0", "0x10", "\u{202e}1", "99999999999999999999"] {
            assert!(matches!(weight(slip), Written::Slip(_)), "{slip}");
        }
        for refused in ["256", "-1", "4294967296"] {
            assert!(matches!(weight(refused), Written::Refused(_)), "{refused}");
        }
    }

    #[test]
    fn a_ttl_is_seconds_or_a_length_of_time() {
        assert_eq!(ttl("60"), Some(Duration::from_secs(60)));
        assert_eq!(ttl("1m30s"), Some(Duration::from_secs(90)));
        for none in ["0", "", "-1", "soon"] {
            assert_eq!(ttl(none), None, "{none}");
        }
    }
}
