//! When a project of Argo CD lets its Applications sync: `spec.syncWindows` of an AppProject.
//!
//! A window that denies and is active shuts; where windows allow and none of them is active, that shuts too.
//! `manualSync` of all that shut lets through what a person asks for.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::domain::cron::Cron;
use crate::domain::text::safe;
use crate::domain::zone;

/// No window is longer than this.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// Why an Application may not sync now; none: it may.
///
/// # Errors
/// A window that covers it cannot be read.
pub(super) fn shut(
    project: &Value,
    application: &Value,
    by_hand: bool,
    now: Timestamp,
) -> Result<Option<String>, String> {
    let windows = project.pointer("/spec/syncWindows").and_then(Value::as_array);
    let covering = windows.into_iter().flatten().filter(|w| covers(w, application));
    let mut read = Vec::new();
    for window in covering {
        read.push((window, is_active(window, now)?));
    }
    let is = |window: &Value, kind: &str| window.get("kind").and_then(Value::as_str) == Some(kind);
    let manual = |window: &&Value| window.get("manualSync") == Some(&Value::Bool(true));
    let denying: Vec<&Value> = read.iter().filter(|(w, active)| *active && is(w, "deny")).map(|(w, _)| *w).collect();
    let says = |window: &Value, what: &str| {
        let text = |key: &str| safe(window.get(key).and_then(Value::as_str).unwrap_or("?"), 60);
        let zone = window.get("timeZone").and_then(Value::as_str).map_or_else(|| "UTC".to_owned(), |z| safe(z, 60));
        format!("{what} ({}, for {}, {zone})", text("schedule"), text("duration"))
    };
    if let Some(window) = denying.first() {
        let through = by_hand && denying.iter().all(manual);
        return Ok((!through).then(|| says(window, "a sync window denies it")));
    }
    let allowing: Vec<&(&Value, bool)> = read.iter().filter(|(w, _)| is(w, "allow")).collect();
    let Some((window, _)) = allowing.first().filter(|_| !allowing.iter().any(|(_, active)| *active)) else {
        return Ok(None);
    };
    let through = by_hand && allowing.iter().all(|(w, _)| manual(w));
    Ok((!through).then(|| says(window, "no sync window is open that allows it")))
}

fn covers(window: &Value, application: &Value) -> bool {
    let text = |pointer: &str| application.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty());
    let of = |key: &str, own: [Option<&str>; 2]| {
        let patterns = window.get(key).and_then(Value::as_array).filter(|p| !p.is_empty())?;
        let fits = |pattern: &Value| pattern.as_str().is_some_and(|p| own.iter().flatten().any(|own| glob(p, own)));
        Some(patterns.iter().any(fits))
    };
    let cluster = [text("/spec/destination/server"), text("/spec/destination/name")];
    let parts = [
        of("applications", [text("/metadata/name"), None]),
        of("namespaces", [text("/spec/destination/namespace"), None]),
        of("clusters", cluster),
    ];
    let given: Vec<bool> = parts.into_iter().flatten().collect();
    match window.get("andOperator") == Some(&Value::Bool(true)) {
        true => !given.is_empty() && given.iter().all(|g| *g),
        false => given.contains(&true),
    }
}

/// `*` stands for anything, `?` for one character. Linear but for one restart per character: patterns are not ours.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(own) = text.get(t) {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(c), _) if *c == '?' || c == own => (p, t) = (p + 1, t + 1),
            (_, Some((at, from))) => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

fn is_active(window: &Value, now: Timestamp) -> Result<bool, String> {
    let text = |key: &str| window.get(key).and_then(Value::as_str).unwrap_or_default();
    let cron = Cron::parse(text("schedule")).map_err(|why| safe(&why, 200))?;
    let lasts = duration(text("duration"))
        .ok_or_else(|| format!("`{}` is no length of time", safe(text("duration"), 60)))?
        .min(LONGEST);
    let zone = match text("timeZone") {
        "" => TimeZone::UTC,
        name => zone::zone(name).ok_or_else(|| format!("`{}` is no time zone", safe(name, 60)))?,
    };
    let lasts = SignedDuration::try_from(lasts).map_err(|e| e.to_string())?;
    let since = now.checked_sub(lasts).unwrap_or(Timestamp::MIN);
    let (mut date, last) = (since.to_zoned(zone.clone()).date(), now.to_zoned(zone.clone()).date());
    while date <= last {
        if cron.fits(date) {
            let begins = |time: &jiff::civil::Time| date.to_datetime(*time).to_zoned(zone.clone()).ok();
            if cron.times.iter().filter_map(begins).any(|at| at.timestamp() > since && at.timestamp() <= now) {
                return Ok(true);
            }
        }
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    Ok(false)
}

/// `1h30m`, as Go writes it.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail.chars().next()?;
        let each = match unit {
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(each)?)?;
        rest = tail.strip_prefix(unit)?;
    }
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn app() -> Value {
        json!({"metadata": {"name": "web-eu"}, "spec": {"destination": {"name": "eu", "namespace": "shop"}}})
    }

    fn says(windows: Value, by_hand: bool, at: &str) -> Result<Option<String>, String> {
        shut(&json!({"spec": {"syncWindows": windows}}), &app(), by_hand, at.parse().unwrap())
    }

    #[test]
    fn a_window_that_denies_shuts_while_it_is_active() {
        let night = json!([{"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "applications": ["*"]}]);
        let is_shut = |at: &str| says(night.clone(), true, at).unwrap().is_some();
        assert!(is_shut("2026-03-02T22:00:00Z") && is_shut("2026-03-03T05:59:59Z"));
        assert!(!is_shut("2026-03-03T06:00:00Z") && !is_shut("2026-03-02T21:59:59Z"));
        let text = says(night, true, "2026-03-02T23:00:00Z").unwrap().unwrap();
        assert_eq!(text, "a sync window denies it (0 22 * * *, for 8h, UTC)");
    }

    #[test]
    fn where_windows_allow_one_of_them_must_be_open() {
        let day = json!([{"kind": "allow", "schedule": "0 9 * * 1-5", "duration": "8h30m", "namespaces": ["shop"],
            "timeZone": "Europe/Berlin"}]);
        // Monday, 9 in Berlin is 8 in UTC.
        assert_eq!(says(day.clone(), true, "2026-03-02T08:00:00Z"), Ok(None));
        assert!(says(day.clone(), true, "2026-03-02T16:30:00Z").unwrap().is_some());
        assert!(says(day, true, "2026-03-01T10:00:00Z").unwrap().is_some(), "a Sunday");
    }

    #[test]
    fn what_a_person_asks_for_may_pass_where_every_window_says_so() {
        let window = |manual: bool, name: &str| json!({"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": [name], "manualSync": manual});
        let at = "2026-03-02T12:00:00Z";
        assert_eq!(says(json!([window(true, "web-*")]), true, at), Ok(None));
        assert!(says(json!([window(true, "web-*")]), false, at).unwrap().is_some(), "not what Argo CD does by itself");
        assert!(says(json!([window(true, "web-*"), window(false, "web-eu")]), true, at).unwrap().is_some());
        assert_eq!(says(json!([window(false, "other")]), true, at), Ok(None), "it does not cover this one");
    }

    #[test]
    fn with_and_all_that_is_given_must_cover_it() {
        let at = "2026-03-02T12:00:00Z";
        let window = |and: bool| {
            json!([{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["web-eu"],
                "clusters": ["us"], "andOperator": and}])
        };
        assert!(says(window(false), false, at).unwrap().is_some());
        assert_eq!(says(window(true), false, at), Ok(None));
    }

    #[test]
    fn patterns_fit_as_globs() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("web-*", "web-eu", true),
            ("web-*", "web", false),
            ("*-eu", "web-eu", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("", "", true),
            ("", "a", false),
            ("web", "web-eu", false),
            ("**", "x", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!glob(&"a*".repeat(100), &"a".repeat(99).replace("aaa", "aab")), "and soon");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let at = "2026-03-02T12:00:00Z";
        for (key, value) in [("schedule", "soon"), ("duration", "long"), ("duration", ""), ("timeZone", "Mars")] {
            let mut window = json!({"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]});
            window.as_object_mut().unwrap().insert(key.to_owned(), value.into());
            assert!(says(json!([window]), false, at).is_err(), "{key} {value}");
        }
        assert_eq!(says(json!("x"), false, at), Ok(None));
    }
}
