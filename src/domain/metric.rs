//! Samples, and why there is none.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::fmt;
use std::iter::Peekable;

use super::id::Text;
use super::stamp::{Timestamp, WINDOW, window_floor};

/// A sample, or the reason there is none.
pub type Reading = Result<f64, NoData>;

/// A reading that is looked at.
pub type Seen<'a> = Result<f64, &'a NoData>;

/// Why there is no sample. Unknown is never zero and never green.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NoData {
    /// Not asked yet.
    NotAsked,
    /// The query answered with no series for this region.
    Empty,
    /// NaN: usually a division by no traffic.
    NotANumber,
    /// Infinite.
    Infinite,
    /// Several series where one was expected.
    Ambiguous(usize),
    /// The answer may be partial.
    Warning(Text),
    /// The newest sample is too old (seconds).
    Stale(i64),
    /// HTTP status that is not success, with its error text.
    Http(u16, Text),
    /// A body that is not Prometheus's JSON.
    NotPrometheus(Text),
    /// Could not be reached.
    Unreachable(Text),
    /// No answer within the time limit.
    Timeout,
    /// A window without samples between others.
    Gap,
    /// Less traffic than a judgement may rest on.
    LowTraffic,
    /// Nothing to compare with was sampled at that time.
    NoBaseline,
    /// No Prometheus is configured for this region's cluster.
    NotConfigured,
}

impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoData::NotAsked => f.write_str("not asked yet"),
            NoData::Empty => f.write_str("no series for this region"),
            NoData::NotANumber => f.write_str("NaN (no traffic?)"),
            NoData::Infinite => f.write_str("infinite"),
            NoData::Ambiguous(n) => write!(f, "{n} series where one was expected"),
            NoData::Warning(text) => write!(f, "possibly partial: {text}"),
            NoData::Stale(seconds) => write!(f, "newest sample is {seconds} s old"),
            NoData::Http(code, text) => write!(f, "Prometheus answered {code}: {text}"),
            NoData::NotPrometheus(text) => write!(f, "not a Prometheus answer: {text}"),
            NoData::Unreachable(text) => write!(f, "Prometheus unreachable: {text}"),
            NoData::Timeout => f.write_str("Prometheus did not answer in time"),
            NoData::Gap => f.write_str("gap in the samples"),
            NoData::NoBaseline => f.write_str("nothing to compare with at that time"),
            NoData::LowTraffic => f.write_str("too little traffic to judge by"),
            NoData::NotConfigured => f.write_str("no Prometheus configured"),
        }
    }
}

/// Readings on 5-minute windows, by the window's end (a UTC-aligned boundary).
///
/// A week of them is held per column and region of a release, so what is known takes 16 bytes each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    /// Ends in UTC seconds, ascending, with what was measured.
    known: Vec<(i64, f64)>,
    /// Ends that were asked for and have no number.
    unknown: BTreeMap<i64, NoData>,
}

impl Windows {
    /// The reading of the window that ended then; none: not asked for yet.
    pub fn get(&self, end: Timestamp) -> Option<Reading> {
        self.seen(end).map(|seen| seen.map_err(Clone::clone))
    }

    /// The same, looked at where it is.
    pub fn seen(&self, end: Timestamp) -> Option<Seen<'_>> {
        let at = end.as_second();
        match self.position(at) {
            Ok(known) => self.known.get(known).map(|(_, value)| Ok(*value)),
            Err(_) => self.unknown.get(&at).map(Err),
        }
    }

    /// Whether the window that ended then was asked for.
    pub fn contains(&self, end: Timestamp) -> bool {
        let at = end.as_second();
        self.position(at).is_ok() || self.unknown.contains_key(&at)
    }

    /// Puts a reading in the place of whatever was there. What does not end at a boundary is no window.
    pub fn insert(&mut self, end: Timestamp, reading: Reading) {
        if window_floor(end) != end {
            return;
        }
        let at = end.as_second();
        let position = self.position(at);
        let reading = match reading {
            Ok(value) if value.is_nan() => Err(NoData::NotANumber),
            Ok(value) if value.is_infinite() => Err(NoData::Infinite),
            reading => reading,
        };
        match (reading, position) {
            (Ok(value), Ok(known)) => {
                if let Some((_, old)) = self.known.get_mut(known) {
                    *old = value;
                }
            }
            (Ok(value), Err(place)) => {
                self.unknown.remove(&at);
                self.known.insert(place, (at, value));
            }
            (Err(why), position) => {
                if let Ok(known) = position {
                    self.known.remove(known);
                }
                self.unknown.insert(at, why);
            }
        }
    }

    /// Takes in what was read later: what is known is never replaced by not knowing.
    pub fn learn(&mut self, later: Windows) {
        if self.known.is_empty() && self.unknown.is_empty() {
            *self = later;
            return;
        }
        self.known.reserve_exact(later.known.len());
        for (at, value) in later.known {
            self.unknown.remove(&at);
            match self.position(at) {
                Ok(known) => self.known.iter_mut().skip(known).take(1).for_each(|k| k.1 = value),
                Err(place) => self.known.insert(place, (at, value)),
            }
        }
        for (at, why) in later.unknown {
            if self.position(at).is_err() {
                self.unknown.insert(at, why);
            }
        }
    }

    /// Takes a window out, as if it had not been asked for.
    pub fn remove(&mut self, end: Timestamp) {
        let at = end.as_second();
        self.unknown.remove(&at);
        if let Ok(known) = self.position(at) {
            self.known.remove(known);
        }
    }

    /// What is known of windows that ended at `first` or later, by their ends.
    pub fn known_from(&self, first: Timestamp) -> impl Iterator<Item = (Timestamp, f64)> + '_ {
        let from = self.known.partition_point(|(at, _)| *at < not_before(first));
        let known = self.known.get(from..).unwrap_or_default();
        known.iter().filter_map(|(at, value)| Some((Timestamp::from_second(*at).ok()?, *value)))
    }

    /// Windows that ended at `first` or later and have no number, with the reason.
    pub fn unknown_from(&self, first: Timestamp) -> impl Iterator<Item = (Timestamp, &NoData)> + '_ {
        let unknown = self.unknown.range(not_before(first)..);
        unknown.filter_map(|(at, why)| Some((Timestamp::from_second(*at).ok()?, why)))
    }

    /// Every window from the one that ended at `first` to the one that ended at `last`, known or not,
    /// oldest first; none of them where `first` is no boundary.
    pub fn series(&self, first: Timestamp, last: Timestamp) -> Series<'_> {
        let begin = if window_floor(first) == first { first.as_second() } else { i64::MAX };
        let known = self.known.get(self.known.partition_point(|(at, _)| *at < begin)..).unwrap_or_default();
        Series { known, unknown: self.unknown.range(begin..).peekable(), at: begin, last: last.as_second() }
    }

    /// The windows of [`Windows::series`] that have no number. Where all have one, nothing is gone through.
    pub fn holes(&self, first: Timestamp, last: Timestamp) -> impl Iterator<Item = (Timestamp, Option<&NoData>)> {
        let begin = first.as_second();
        let from = self.known.partition_point(|(at, _)| *at < begin);
        let to = self.known.partition_point(|(at, _)| *at <= last.as_second());
        let known = self.known.get(from..to).unwrap_or_default();
        // So many windows end from the first to the last that is known: if they are as many, none is missing.
        let without_hole = known.last().filter(|(at, _)| {
            let windows = at.saturating_sub(begin) / WINDOW.as_secs() + 1;
            usize::try_from(windows).is_ok_and(|n| n == known.len())
        });
        let next = without_hole.map_or(begin, |(at, _)| at.saturating_add(WINDOW.as_secs()));
        let first = if window_floor(first) == first { Timestamp::from_second(next).unwrap_or(first) } else { first };
        self.series(first, last).filter_map(|(end, seen)| match seen {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some((end, Some(why))),
            None => Some((end, None)),
        })
    }

    /// Every window that was asked for, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Seen<'_>)> {
        let mut known = self.known.iter().peekable();
        let mut unknown = self.unknown.iter().peekable();
        std::iter::from_fn(move || {
            let of_known = known.peek().map(|(at, _)| *at);
            let of_unknown = unknown.peek().map(|(at, _)| **at);
            let take_known = of_known.is_some_and(|at| of_unknown.is_none_or(|other| at < other));
            let (at, seen) = if take_known {
                known.next().map(|(at, value)| (*at, Ok(*value)))
            } else {
                unknown.next().map(|(at, why)| (*at, Err(why)))
            }?;
            Some((Timestamp::from_second(at).ok()?, seen))
        })
    }

    /// How many windows were asked for.
    pub fn len(&self) -> usize {
        self.known.len() + self.unknown.len()
    }

    /// Whether no window was asked for.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.unknown.is_empty()
    }

    /// Forgets windows that ended outside of these spans (first end, last end).
    pub fn keep(&mut self, spans: &[(Timestamp, Timestamp)]) {
        let spans: Vec<(i64, i64)> = spans.iter().map(|(from, to)| (not_before(*from), to.as_second())).collect();
        let within = |at: i64| spans.iter().any(|(from, to)| (*from..=*to).contains(&at));
        self.known.retain(|(at, _)| within(*at));
        self.known.shrink_to(self.known.len() * 2);
        self.unknown.retain(|at, _| within(*at));
    }

    /// How many windows that ended from `first` to `last` have a number, and how many have none.
    pub fn count(&self, first: Timestamp, last: Timestamp) -> (usize, usize) {
        let (first, last) = (not_before(first), last.as_second());
        if first > last {
            return (0, 0);
        }
        let before = |end: i64| self.known.partition_point(|(at, _)| *at < end);
        (before(last.saturating_add(1)) - before(first), self.unknown.range(first..=last).count())
    }

    fn position(&self, at: i64) -> Result<usize, usize> {
        // Where no window is missing, its place follows from the first.
        let place = self.known.first().map(|(first, _)| at.saturating_sub(*first) / WINDOW.as_secs());
        let place = place.and_then(|place| usize::try_from(place).ok());
        match place.filter(|place| self.known.get(*place).is_some_and(|(known, _)| *known == at)) {
            Some(place) => Ok(place),
            None => self.known.binary_search_by_key(&at, |(known, _)| *known),
        }
    }
}

/// See [`Windows::series`].
#[derive(Clone, Debug)]
pub struct Series<'w> {
    known: &'w [(i64, f64)],
    unknown: Peekable<Range<'w, i64, NoData>>,
    at: i64,
    last: i64,
}

impl<'w> Iterator for Series<'w> {
    type Item = (Timestamp, Option<Seen<'w>>);

    fn next(&mut self) -> Option<Self::Item> {
        let here = self.at;
        if here > self.last {
            return None;
        }
        self.at = here.saturating_add(WINDOW.as_secs());
        let seen = match self.known.split_first() {
            Some(((time, value), rest)) if *time == here => {
                self.known = rest;
                Some(Ok(*value))
            }
            _ => self.unknown.next_if(|(time, _)| **time == here).map(|(_, why)| Err(why)),
        };
        Some((Timestamp::from_second(here).ok()?, seen))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Each of them lies between two timestamps, so it is one.
        let seconds = self.last.saturating_sub(self.at);
        let left = if seconds < 0 { 0 } else { usize::try_from(seconds / WINDOW.as_secs() + 1).unwrap_or(0) };
        (left, Some(left))
    }
}

/// The first whole second that is not before a moment.
fn not_before(moment: Timestamp) -> i64 {
    moment.as_second() + i64::from(moment.subsec_nanosecond() > 0)
}

impl FromIterator<(Timestamp, Reading)> for Windows {
    fn from_iter<I: IntoIterator<Item = (Timestamp, Reading)>>(readings: I) -> Self {
        let readings = readings.into_iter();
        let mut windows = Self { known: Vec::with_capacity(readings.size_hint().0), unknown: BTreeMap::new() };
        readings.for_each(|(end, reading)| windows.insert(end, reading));
        windows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_has_one_reading_whatever_came_first() {
        let end = |n: i64| Timestamp::from_second(n * 300).unwrap();
        let mut windows: Windows = [3, 1, 2].map(|n| (end(n), Ok(0.5))).into_iter().collect();
        windows.insert(end(2), Err(NoData::Gap));
        windows.insert(end(4), Err(NoData::Empty));
        windows.insert(end(4), Ok(0.25));
        let all = |w: &Windows| (1..=5).map(|n| w.get(end(n))).collect::<Vec<_>>();
        assert_eq!(all(&windows), [Some(Ok(0.5)), Some(Err(NoData::Gap)), Some(Ok(0.5)), Some(Ok(0.25)), None]);
        assert!(windows.contains(end(2)) && !windows.contains(end(5)));
        let known: Vec<_> = windows.known_from(end(2)).collect();
        assert_eq!(known, [(end(3), 0.5), (end(4), 0.25)]);
        windows.insert(Timestamp::from_second(7).unwrap(), Ok(9.0));
        assert_eq!(windows.count(Timestamp::MIN, end(9)), (3, 1), "a window ends at a boundary");
        assert_eq!(windows.count(end(2), end(3)), (1, 1));
        assert_eq!(windows.count(end(5), end(3)), (0, 0));
        // A moment inside a window: only what ended after it.
        let inside = end(1).checked_add(super::super::stamp::SignedDuration::from_millis(1)).unwrap();
        assert_eq!(windows.unknown_from(inside).collect::<Vec<_>>(), [(end(2), &NoData::Gap)]);
        windows.keep(&[(end(3), end(9))]);
        assert_eq!(all(&windows), [None, None, Some(Ok(0.5)), Some(Ok(0.25)), None]);
        windows.remove(end(3));
        assert_eq!(windows.get(end(3)), None);
        windows.learn(
            [(end(4), Err(NoData::Timeout)), (end(2), Ok(2.0)), (end(5), Err(NoData::Gap))].into_iter().collect(),
        );
        assert_eq!(all(&windows), [None, Some(Ok(2.0)), None, Some(Ok(0.25)), Some(Err(NoData::Gap))]);
    }

    proptest! {
        #[test]
        fn it_is_a_map_of_windows(
            entries in prop::collection::vec((0i64..40, prop_oneof![Just(None), (0u8..9).prop_map(Some)]), 0..60),
            spans in prop::collection::vec((0i64..40, 0i64..10), 0..3),
        ) {
            let end = |n: i64| Timestamp::from_second((6_000_000 + n) * 300).unwrap();
            let mut windows = Windows::default();
            let mut model: BTreeMap<i64, Reading> = BTreeMap::new();
            for (at, value) in entries {
                let reading = value.map_or(Err(NoData::Gap), |v| Ok(f64::from(v)));
                windows.insert(end(at), reading.clone());
                model.insert(at, reading);
            }
            for kept in [false, true] {
                if kept {
                    let spans: Vec<_> = spans.iter().map(|(from, length)| (end(*from), end(from + length))).collect();
                    windows.keep(&spans);
                    model.retain(|at, _| spans.iter().any(|(from, to)| (*from..=*to).contains(&end(*at))));
                }
                let all: Vec<_> = windows.iter().map(|(at, seen)| (at, seen.map_err(Clone::clone))).collect();
                let expected: Vec<_> = model.iter().map(|(at, reading)| (end(*at), reading.clone())).collect();
                prop_assert_eq!(&all, &expected);
                for (from, to) in [(end(0), end(40)), (end(-3), end(12)), (end(7), end(5))] {
                    let holes: Vec<_> = windows.holes(from, to).collect();
                    let slowly: Vec<_> = windows
                        .series(from, to)
                        .filter_map(|(at, seen)| match seen {
                            Some(Ok(_)) => None,
                            Some(Err(why)) => Some((at, Some(why))),
                            None => Some((at, None)),
                        })
                        .collect();
                    prop_assert_eq!(holes, slowly);
                }
                prop_assert_eq!(windows.len(), model.len());
                let series: Vec<_> = windows.series(end(-3), end(45)).collect();
                prop_assert_eq!(series.len(), 49);
                for (from, to) in [(end(-3), end(45)), (end(7), end(5)), (end(3), end(3))] {
                    let series = windows.series(from, to);
                    prop_assert_eq!(series.size_hint(), (series.clone().count(), Some(series.count())));
                }
                for (at, seen) in series {
                    prop_assert_eq!(seen, windows.seen(at));
                    let n = at.as_second() / 300 - 6_000_000;
                    prop_assert_eq!(seen.map(|s| s.map_err(Clone::clone)), model.get(&n).cloned());
                }
            }
        }
    }
}
