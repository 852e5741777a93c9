//! What holds of every forecast: waiting never gains time, and asking for less never costs any.

use std::fmt::Write as _;

use gonogo::domain::stamp::{SignedDuration, Timestamp};
use gonogo::forecast::{Forecast, play};
use proptest::prelude::*;

use crate::{read, terms};

const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"];

/// A plan of three rings.
#[derive(Clone, Debug)]
struct Plan {
    zones: [usize; 3],
    /// Hours.
    bakes: [u32; 3],
    window: Option<&'static str>,
    /// First day of December 2026 and how many.
    freeze: Option<(u32, u32)>,
    coverage: bool,
    stagger: bool,
    distance: u32,
    auto: bool,
}

impl Plan {
    fn text(&self) -> String {
        let mut text = String::from("[prometheus.all]\nurl = \"http://127.0.0.1:9090\"\n");
        for (n, zone) in self.zones.iter().enumerate() {
            for name in [format!("a{n}"), format!("b{n}")] {
                let _ = write!(text, "[cluster.{name}]\n[region.{name}]\nzone = \"{}\"\n", ZONES[*zone]);
            }
        }
        let mut entry = vec!["\"freshness\"".to_owned()];
        entry.extend(self.window.map(|w| format!("{{ gate = \"window\", during = [\"{w}\"] }}")));
        let day =
            |n: u32| gonogo::domain::stamp::Timestamp::from_second(1_796_083_200 + i64::from(n) * 86_400).unwrap();
        entry.extend(self.freeze.map(|(first, days)| {
            let date = |n| day(n).strftime("%Y-%m-%d").to_string();
            format!("{{ gate = \"freeze\", during = [\"{}..{}\"] }}", date(first), date(first + days))
        }));
        let coverage = if self.coverage { "{ gate = \"coverage\" }, " } else { "" };
        let _ = write!(
            text,
            "[defaults]\nexit = [{coverage}{{ gate = \"bake\", for = \"1h\" }}]\nentry = [{}]\n[service.web.policy]\n\
             ring_distance = \"{}h\"\nadvance = \"{}\"\n",
            entry.join(", "),
            self.distance,
            if self.auto { "auto" } else { "ask" }
        );
        for (n, bake) in self.bakes.iter().enumerate() {
            let stagger = if self.stagger { "stagger = \"3h\"\n" } else { "" };
            let _ = write!(
                text,
                "[[topology.world.rings]]\nname = \"r{n}\"\nregions = [\"a{n}\", \"b{n}\"]\nbake = \"{bake}h\"\n{stagger}"
            );
        }
        text
    }

    fn play(&self, from: Timestamp) -> Forecast {
        let config = read("plan", &self.text());
        let terms = gonogo::forecast::Terms { from, ..terms("2026-01-01T00:00:00Z", 60) };
        play(&config.fleet.services[0], terms)
    }

    /// When it would be over; the end of time where it is not.
    fn finish(&self, from: Timestamp) -> Timestamp {
        self.play(from).finish.unwrap_or(Timestamp::MAX)
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let windows = prop_oneof![
        Just(None),
        Just(Some("Mon-Fri 09:00-17:00")),
        Just(Some("daily 22:00-06:00")),
        Just(Some("Mon-Thu 01:30-02:30")),
        Just(Some("Fri 16:00-Mon 08:00")),
    ];
    let freeze = prop::option::of((0u32..40, 0u32..10));
    let bakes = [1u32..30, 1..30, 1..30];
    (prop::array::uniform3(0usize..4), bakes, windows, freeze, any::<[bool; 3]>(), 0u32..8).prop_map(
        |(zones, bakes, window, freeze, [coverage, stagger, auto], distance)| Plan {
            zones,
            bakes,
            window,
            freeze,
            coverage,
            stagger,
            distance,
            auto,
        },
    )
}

/// Moments of the last autumn weeks and the winter: clocks go back in between, in one place forward.
fn moments() -> impl Strategy<Value = Timestamp> {
    (0i64..90 * 96).prop_map(|quarter| Timestamp::from_second(1_790_000_000 + quarter * 900).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_later_start_never_finishes_earlier(plan in plans(), from in moments(), by in 1i64..200) {
        // On a night that skips an hour, an hour of the day that was seen by halves is not asked for of
        // whoever begins after it: coverage alone may gain by waiting then.
        let plan = Plan { coverage: false, ..plan };
        let later = from.saturating_add(SignedDuration::from_mins(15 * by)).unwrap();
        prop_assert!(plan.finish(later) >= plan.finish(from), "{plan:?}");
    }

    #[test]
    fn a_freeze_never_makes_it_earlier(plan in plans(), from in moments()) {
        let free = Plan { freeze: None, ..plan.clone() };
        prop_assert!(plan.finish(from) >= free.finish(from), "{plan:?}");
    }

    #[test]
    fn a_shorter_bake_is_never_later(plan in plans(), from in moments(), ring in 0usize..3) {
        // Automation does not begin a bake that would end inside a freeze: a longer one may end after it.
        let plan = Plan { auto: false, ..plan };
        let mut shorter = plan.clone();
        shorter.bakes[ring] = (plan.bakes[ring] / 2).max(1);
        prop_assert!(shorter.finish(from) <= plan.finish(from), "{plan:?}");
    }

    /// What was told adds up: nothing is promoted before it is due or settles before it is promoted,
    /// waits do not overlap, and each ring begins where the one before ended.
    #[test]
    fn a_forecast_adds_up(plan in plans(), from in moments()) {
        let forecast = plan.play(from);
        let mut due = from;
        for ring in &forecast.rings {
            prop_assert_eq!(ring.due, due);
            let mut last = due;
            for wait in &ring.entry_waits {
                prop_assert!(wait.from >= due && wait.until > wait.from);
            }
            for region in &ring.regions {
                prop_assert!(region.promote >= last && region.settled > region.promote);
                last = region.promote;
            }
            if let (Some(settled), Some(done)) = (ring.settled, ring.done) {
                let bake = SignedDuration::from_hours(i64::from(plan.bakes[ring.ring.at()]));
                prop_assert!(done.duration_since(settled) >= bake);
                due = done;
            }
        }
        prop_assert_eq!(forecast.finish.is_some(), forecast.stuck.is_none());
    }
}
