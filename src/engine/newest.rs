//! Which view of an object is the newest: an older one that arrives late never replaces it.
//!
//! A GET overtakes the watch, which then still brings what was before. Versions tell them
//! apart. A server that was restored from a backup counts from an earlier number again: a
//! read that was sent after the newest view came in is believed whatever its number.

use std::time::Duration;

use crate::domain::observation::ResourceVersion;

/// How a view came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// By a watch or its list: it may have been overtaken on its way.
    Watched,
    /// By a GET that was sent at this moment: it shows what was there then, or later.
    Read(Duration),
}

/// The newest view of one object, by its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newest {
    version: Option<ResourceVersion>,
    /// When it came in.
    at: Duration,
    /// It showed that there is no object.
    gone: bool,
}

impl Newest {
    /// Whether a view counts; it is the newest from then on.
    ///
    /// Without comparable versions the last that came counts, as it always does on one watch.
    pub fn take(&mut self, version: Option<ResourceVersion>, gone: bool, came: Came, now: Duration) -> bool {
        let overtaken = match (version, self.version, came) {
            // What was seen deleted is not brought back by the view from just before.
            (Some(new), Some(known), _) => new < known || (new == known && self.gone && !gone),
            // An absence that was read has no version: what came in since then may be newer.
            (None, Some(_), Came::Read(sent)) if gone => sent < self.at,
            _ => false,
        };
        let sent_later = matches!(came, Came::Read(sent) if sent > self.at);
        if overtaken && !sent_later {
            return false;
        }
        // Without a version of its own, what was known stays the measure.
        *self = Self { version: version.or(self.version), at: now, gone };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(u64) -> Duration = Duration::from_secs;

    fn version(text: &str) -> Option<ResourceVersion> {
        ResourceVersion::parse(text)
    }

    #[test]
    fn the_watch_does_not_undo_what_a_read_has_shown() {
        let mut newest = Newest::default();
        assert!(newest.take(version("7"), false, Came::Watched, T(1)));
        assert!(newest.take(version("9"), false, Came::Read(T(2)), T(3)));
        assert!(!newest.take(version("8"), false, Came::Watched, T(4)));
        assert!(newest.take(version("9"), false, Came::Watched, T(5)), "the same once more changes nothing");
        assert!(newest.take(version("10"), false, Came::Watched, T(6)));
    }

    #[test]
    fn of_two_reads_the_one_that_was_sent_later_counts_unless_it_is_newer_anyway() {
        let mut newest = Newest::default();
        assert!(newest.take(version("9"), false, Came::Read(T(1)), T(5)));
        assert!(!newest.take(version("8"), false, Came::Read(T(2)), T(6)), "sent before 9 came in");
        assert!(newest.take(version("4"), false, Came::Read(T(6)), T(7)), "the server counts from earlier again");
        assert!(newest.take(version("5"), false, Came::Watched, T(8)));
    }

    #[test]
    fn what_was_seen_gone_is_not_brought_back_by_what_was_before() {
        let mut newest = Newest::default();
        assert!(newest.take(version("9"), false, Came::Watched, T(1)));
        assert!(newest.take(None, true, Came::Read(T(2)), T(3)));
        assert!(!newest.take(version("9"), false, Came::Watched, T(4)));
        assert!(newest.take(version("11"), true, Came::Watched, T(5)));
        assert!(newest.take(version("12"), false, Came::Watched, T(6)), "made again");
    }

    #[test]
    fn an_absence_that_was_read_before_the_object_was_made_says_nothing() {
        let mut newest = Newest::default();
        assert!(newest.take(version("9"), false, Came::Watched, T(5)));
        assert!(!newest.take(None, true, Came::Read(T(4)), T(6)));
        assert!(newest.take(None, true, Came::Read(T(6)), T(7)));
    }

    #[test]
    fn versions_that_cannot_be_compared_leave_it_to_the_order_of_arrival() {
        for text in ["", "0", "007", "abc", "1.2", "-3", "99999999999999999999999999"] {
            assert_eq!(version(text), None, "{text}");
        }
        let mut newest = Newest::default();
        assert!(newest.take(version("9"), false, Came::Watched, T(1)));
        assert!(newest.take(version("x"), false, Came::Watched, T(2)));
        assert!(version("9") < version("10"), "by number, not by letter");
    }
}
