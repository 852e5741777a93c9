//! Times of day by a cron expression: minute, hour, day of month, month, day of week.

use jiff::civil::{Date, Time};

/// A cron expression of five fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    /// Times of day, in order.
    pub times: Vec<Time>,
    days: Vec<bool>,
    months: Vec<bool>,
    weekdays: Vec<bool>,
    /// Both days of month and of week are given: one of them must fit.
    either: bool,
}

/// Most times of day: each must be seen.
const MOST_TIMES: usize = 24;
/// Within so many days any date comes that ever comes: a leap day may be eight years away.
const EVER: i64 = 8 * 366;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// As [`Self::parse`], for what must be looked at as often as it comes.
    ///
    /// # Errors
    /// It is no cron expression, or comes too often in a day.
    pub fn few(text: &str) -> Result<Self, String> {
        let cron = Self::parse(text)?;
        if cron.times.len() > MOST_TIMES {
            return Err(format!(
                "`{text}` means {} times a day; at most {MOST_TIMES} can be asked for",
                cron.times.len()
            ));
        }
        Ok(cron)
    }

    /// Reads `30 3 * * 1-5`, `0 0,12 1 * *`, `0 */6 * jan-mar mon`, `@daily`, or says what is wrong.
    ///
    /// # Errors
    /// It is no cron expression, or means no day of any year.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!("`{text}` has {} fields; write five, e.g. `0 3 * * *`", fields.len()));
        };
        let minutes = field(minute, "minute", 0, 59, &[])?;
        let hours = field(hour, "hour", 0, 23, &[])?;
        let mut weekdays = field(weekday, "day of week", 0, 7, &WEEKDAYS)?;
        // 0 and 7 are both Sunday.
        let sunday = weekdays.pop().unwrap_or(false);
        if let Some(first) = weekdays.first_mut() {
            *first |= sunday;
        }
        let set = |field: &[bool]| field.iter().zip(0i8..).filter(|(on, _)| **on).map(|(_, n)| n).collect::<Vec<_>>();
        let minutes = set(&minutes);
        let of_hour = |h: i8| minutes.iter().filter_map(move |m| Time::new(h, *m, 0, 0).ok()).collect::<Vec<_>>();
        let times: Vec<Time> = set(&hours).into_iter().flat_map(of_hour).collect();
        let cron = Self {
            times,
            days: field(day, "day of month", 1, 31, &[])?,
            months: field(month, "month", 1, 12, &MONTHS)?,
            weekdays,
            either: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        let from = Date::new(2024, 1, 1).map_err(|e| e.to_string())?;
        let ever = (0..EVER).filter_map(|n| from.checked_add(jiff::Span::new().days(n)).ok());
        if !ever.into_iter().any(|date| cron.fits(date)) {
            return Err(format!("`{text}` is no day of any year"));
        }
        Ok(cron)
    }

    /// Whether it means this day.
    pub fn fits(&self, date: Date) -> bool {
        let on = |field: &[bool], n: i8| usize::try_from(n).ok().and_then(|n| field.get(n)).copied().unwrap_or(false);
        let day = on(&self.days, date.day());
        let weekday = on(&self.weekdays, date.weekday().to_sunday_zero_offset());
        on(&self.months, date.month()) && if self.either { day || weekday } else { day && weekday }
    }
}

/// Which numbers a field means, by position.
fn field(text: &str, name: &str, least: usize, most: usize, names: &[&str]) -> Result<Vec<bool>, String> {
    let wrong = || format!("`{text}` is no {name}: write numbers from {least} to {most}, `a-b`, `a,b`, `*` or `*/n`");
    let number = |part: &str| {
        // Names count from the least number: January is 1, Sunday is 0.
        let by_name = names.iter().position(|n| part.eq_ignore_ascii_case(n)).map(|at| at + least);
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        let number = by_name.or_else(|| part.parse().ok().filter(|_| digits)).ok_or_else(wrong)?;
        if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
    };
    let mut set = vec![false; most + 1];
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
            None => (part, 1usize),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            None if step > 1 => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return Err(wrong());
        }
        for n in (from..=to).step_by(step) {
            if let Some(slot) = set.get_mut(n) {
                *slot = true;
            }
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::civil::date;

    use super::*;

    fn times(text: &str) -> Vec<String> {
        Cron::parse(text).unwrap().times.iter().map(|t| t.strftime("%H:%M").to_string()).collect()
    }

    #[test]
    fn times_of_day_are_read() {
        assert_eq!(times("0 3 * * *"), ["03:00"]);
        assert_eq!(times("*/30 1-2 * * *"), ["01:00", "01:30", "02:00", "02:30"]);
        assert_eq!(times("15,45 22 * * *"), ["22:15", "22:45"]);
        assert_eq!(times("5/25 0 * * *"), ["00:05", "00:30", "00:55"]);
        assert_eq!(times("@daily"), ["00:00"]);
        assert_eq!(times("0 */6 * * *").len(), 4);
    }

    #[test]
    fn days_fit_as_cron_means_them() {
        let fits = |text: &str, y, m, d| Cron::parse(text).unwrap().fits(date(y, m, d));
        // The 20th of November 2026 is a Friday.
        assert!(fits("0 0 * * fri", 2026, 11, 20) && fits("0 0 * * 5", 2026, 11, 20));
        assert!(!fits("0 0 * * mon-thu", 2026, 11, 20));
        assert!(fits("0 0 * * 0", 2026, 11, 22) && fits("0 0 * * 7", 2026, 11, 22), "both are Sunday");
        assert!(fits("0 0 20 nov *", 2026, 11, 20) && fits("0 0 * 11 *", 2026, 11, 1));
        assert!(!fits("0 0 20 dec *", 2026, 11, 20) && fits("0 0 1 jan *", 2026, 1, 1));
        // Both given: either is enough.
        assert!(fits("0 0 1 * fri", 2026, 11, 20) && fits("0 0 1 * fri", 2026, 12, 1));
        assert!(fits("0 0 29 2 *", 2028, 2, 29));
    }

    #[test]
    fn what_is_no_cron_expression_says_why() {
        for (text, words) in [
            ("", "0 fields"),
            ("0 3 * *", "4 fields"),
            ("0 3 * * * *", "6 fields"),
            ("60 3 * * *", "no minute"),
            ("0 24 * * *", "no hour"),
            ("0 3 0 * *", "no day of month"),
            ("0 3 * 13 *", "no month"),
            ("0 3 * * 8", "no day of week"),
            ("0 3 * * fry", "no day of week"),
            ("0 5-3 * * *", "no hour"),
            ("*/0 3 * * *", "no minute"),
            ("+1 3 * * *", "no minute"),
            ("* * * * *", "1440 times a day"),
            ("0 0 30 2 *", "no day of any year"),
            ("@reboot", "1 fields"),
        ] {
            let said = Cron::few(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
