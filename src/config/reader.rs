//! Typed access to parsed TOML that collects every problem instead of stopping at the first.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Severity};
use super::keys::{SECTIONS, Section, Shape};
use super::source::{At, Source, Span};
use crate::domain::stamp::parse_duration;
use crate::domain::text::did_you_mean;

/// A value of the parsed file.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// Where problems go.
pub(super) struct Problems<'a> {
    pub source: &'a Source,
    list: RefCell<Vec<(Span, ConfigError)>>,
}

impl<'a> Problems<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self { source, list: RefCell::default() }
    }

    /// Something that makes the file unusable.
    pub fn error(&self, code: &'static str, at: Span, message: impl Into<String>, fix: impl Into<String>) {
        self.put(Severity::Error, code, at, message, fix);
    }

    /// Something to look at.
    pub fn put(
        &self,
        severity: Severity,
        code: &'static str,
        at: Span,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let problem = ConfigError::new(severity, code, self.source, at, message).fix(fix);
        let mut list = self.list.borrow_mut();
        if !list.iter().any(|(_, known)| *known == problem) {
            list.push((at, problem));
        }
    }

    /// All of them, in the file's order.
    pub fn into_sorted(self) -> Vec<ConfigError> {
        let mut list = self.list.into_inner();
        list.sort_by_key(|(at, problem)| (at.start, std::cmp::Reverse(problem.severity)));
        list.into_iter().map(|(_, problem)| problem).collect()
    }

    /// Whether the file is unusable.
    pub fn any_error(&self) -> bool {
        self.list.borrow().iter().any(|(_, p)| p.severity == Severity::Error)
    }
}

/// A table of the file, read by the keys its section knows.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub problems: &'a Problems<'a>,
    pub section: &'static Section,
    /// Where it is named.
    pub at: Span,
    entries: &'a DeTable<'a>,
}

/// The name of a value's type, as people say it.
fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A number, whole or not, as TOML writes it.
pub(super) fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|n| {
            #[expect(clippy::cast_precision_loss, reason = "no setting needs more than 53 bits")]
            let n = n as f64;
            n
        }),
        DeValue::Float(f) => f.as_str().parse().ok(),
        _ => None,
    }
}

impl<'a> Table<'a> {
    /// Opens the top of the file.
    pub fn root(problems: &'a Problems<'a>, section: &'static Section, entries: &'a DeTable<'a>) -> Self {
        let table = Self { problems, section, at: Span::default(), entries };
        table.refuse_unknown();
        table
    }

    /// Opens a value as a table of a section.
    pub fn open(problems: &'a Problems<'a>, section: &'static Section, value: &'a Value<'a>, at: Span) -> Option<Self> {
        let DeValue::Table(entries) = value.get_ref() else {
            let found = type_name(value.get_ref());
            problems.error(
                "wrong-type",
                value.span().into(),
                format!("expected a table, found {found}"),
                format!("write `[{}]` with the keys {}", section.path, names(section)),
            );
            return None;
        };
        let table = Self { problems, section, at, entries };
        table.refuse_unknown();
        Some(table)
    }

    fn refuse_unknown(&self) {
        for (name, _) in self.entries.iter() {
            let key: &str = name.get_ref();
            if self.section.key(key).is_some() {
                continue;
            }
            let place = self.header();
            let known = self.section.keys.iter().map(|k| k.name);
            let elsewhere = || SECTIONS.iter().find(|s| s.key(key).is_some() && !s.path.is_empty());
            let fix = match (did_you_mean(key, known), elsewhere()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Some(other)) => {
                    format!("`{key}` belongs in `[{}]`; here may stand: {}", other.path, names(self.section))
                }
                (None, None) => format!("here may stand: {}", names(self.section)),
            };
            self.problems.error("unknown-key", name.span().into(), format!("unknown key `{key}` {place}"), fix);
        }
    }

    /// For messages: `in [cluster.NAME]`.
    pub fn header(&self) -> String {
        if self.section.path.is_empty() {
            "at the top of the file".to_owned()
        } else {
            format!("in [{}]", self.section.path)
        }
    }

    /// A value and the place of its key.
    pub fn raw(&self, key: &str) -> Option<(&'a Value<'a>, Span)> {
        debug_assert!(self.section.key(key).is_some(), "`{key}` is not in the table of {}", self.section.path);
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| (value, name.span().into()))
    }

    /// Where a key stands; the table if it is left out.
    pub fn place_of(&self, key: &str) -> Span {
        self.raw(key).map_or(self.at, |(_, at)| at)
    }

    /// Says that a required key is missing.
    pub fn missing(&self, key: &str, example: &str) {
        self.problems.error(
            "missing-key",
            self.at,
            format!("`{key}` is missing {}", self.header()),
            format!("add `{key} = {example}`"),
        );
    }

    fn wrong(&self, key: &str, value: &Value<'a>, expected: &str, example: &str) {
        self.problems.error(
            "wrong-type",
            value.span().into(),
            format!("`{key}` must be {expected}, not {}", type_name(value.get_ref())),
            format!("write `{key} = {example}`"),
        );
    }

    /// Text that is not empty.
    pub fn text(&self, key: &str) -> Option<At<String>> {
        let (value, _) = self.raw(key)?;
        let at = value.span().into();
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.problems.error(
                    "empty-text",
                    at,
                    format!("`{key}` is empty"),
                    format!("write it, or leave `{key}` out"),
                );
                None
            }
            DeValue::String(text) => Some(At { value: text.to_string(), at }),
            DeValue::Integer(number) if matches!(self.section.key(key).map(|k| k.shape), Some(Shape::TextOrNumber)) => {
                Some(At { value: number.as_str().to_owned(), at })
            }
            _ => {
                self.wrong(key, value, "text", "\"…\"");
                None
            }
        }
    }

    /// One of the words that the key's shape lists.
    pub fn word(&self, key: &str) -> Option<At<String>> {
        let text = self.text(key)?;
        let Some(Shape::Word(words)) = self.section.key(key).map(|k| k.shape) else { return Some(text) };
        if words.contains(&text.value.as_str()) {
            return Some(text);
        }
        let list = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        let code = if key == "unit" { "bad-unit" } else { "bad-word" };
        let near = did_you_mean(&text.value, words.iter().copied());
        let fix = near.map_or_else(|| format!("write one of {list}"), |near| format!("did you mean `{near}`?"));
        self.problems.error(code, text.at, format!("`{key}` cannot be `{}`; it is one of {list}", text.value), fix);
        None
    }

    /// A list of texts; one text counts as a list.
    pub fn texts(&self, key: &str) -> Option<Vec<At<String>>> {
        self.raw(key).map(|(value, _)| texts_of(self.problems, key, value))
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let (value, _) = self.raw(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong(key, value, "true or false", "true");
                None
            }
        }
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<At<f64>> {
        let (value, _) = self.raw(key)?;
        let at = value.span().into();
        match number_of(value.get_ref()) {
            Some(number) if number.is_finite() => Some(At { value: number, at }),
            Some(_) => {
                self.problems.error(
                    "bad-number",
                    at,
                    format!("`{key}` must be finite"),
                    format!("write `{key} = 1000`"),
                );
                None
            }
            None => {
                self.wrong(key, value, "a number", "1000");
                None
            }
        }
    }

    /// A whole number, at least what the key's shape says.
    pub fn whole(&self, key: &str) -> Option<u32> {
        let Some(Shape::Whole(least)) = self.section.key(key).map(|k| k.shape) else { return None };
        let number = self.number(key)?;
        if number.value.fract() == 0.0 && number.value >= f64::from(least) && number.value <= 10_000.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
            return Some(number.value as u32);
        }
        self.problems.error(
            "bad-number",
            number.at,
            format!("`{key}` must be a whole number from {least} to 10000"),
            format!("write `{key} = {}`", least.max(1)),
        );
        None
    }

    /// Percentages that fall, the last of them 0.
    pub fn percents_down(&self, key: &str) -> Option<Vec<u32>> {
        let (value, _) = self.raw(key)?;
        let at: Span = value.span().into();
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong(key, value, "a list of percentages", "[50, 10, 0]");
            return None;
        };
        let whole = |n: f64| (0_u32..100).find(|p| (f64::from(*p) - n).abs() < f64::EPSILON);
        let percents: Option<Vec<u32>> = list.iter().map(|v| number_of(v.get_ref()).and_then(whole)).collect();
        let falls = |p: &Vec<u32>| p.last() == Some(&0) && p.windows(2).all(|w| w.first() > w.last());
        let percents = percents.filter(falls);
        if percents.is_none() {
            self.problems.error(
                "bad-steps",
                at,
                format!("`{key}` must be whole percentages from 99 to 0 that fall, the last of them 0"),
                format!("write `{key} = [50, 10, 0]`, or leave it out to drain at once"),
            );
        }
        percents
    }

    /// A length of time.
    pub fn duration(&self, key: &str) -> Option<At<Duration>> {
        let (value, _) = self.raw(key)?;
        let at: Span = value.span().into();
        let DeValue::String(text) = value.get_ref() else {
            let fix = match number_of(value.get_ref()) {
                Some(n) => format!("write it with a unit: `{key} = \"{n}s\"` or `\"{n}m\"`"),
                None => format!("write `{key} = \"4h\"`"),
            };
            let found = type_name(value.get_ref());
            self.problems.error(
                "bad-duration",
                at,
                format!("`{key}` must be a length of time as text, not {found}"),
                fix,
            );
            return None;
        };
        match parse_duration(text) {
            Some(value) => Some(At { value, at }),
            None => {
                let message = format!("`{text}` is not a length of time");
                self.problems.error("bad-duration", at, message, "write it like `90s`, `30m`, `4h`, `1h30m` or `2d`");
                None
            }
        }
    }

    /// A day.
    pub fn day(&self, key: &str) -> Option<At<Date>> {
        let (text, at) = self.dated(key, "2026-05-01")?;
        match text.parse::<Date>() {
            Ok(value) if !text.contains([':', 'T']) => Some(At { value, at }),
            _ => {
                self.problems.error(
                    "bad-date",
                    at,
                    format!("`{text}` is not a day"),
                    format!("write `{key} = 2026-05-01`"),
                );
                None
            }
        }
    }

    /// A moment with zone.
    pub fn moment(&self, key: &str) -> Option<At<Timestamp>> {
        let (text, at) = self.dated(key, "2026-05-01T12:00:00Z")?;
        match text.parse::<Timestamp>() {
            Ok(value) => Some(At { value, at }),
            Err(_) => {
                let fix = format!("write it with date, time and zone: `{key} = 2026-05-01T12:00:00Z`");
                self.problems.error("bad-date", at, format!("`{text}` is not a moment in time"), fix);
                None
            }
        }
    }

    fn dated(&self, key: &str, example: &str) -> Option<(String, Span)> {
        let (value, _) = self.raw(key)?;
        let at = value.span().into();
        match value.get_ref() {
            DeValue::String(text) => Some((text.to_string(), at)),
            DeValue::Datetime(date) => Some((date.to_string(), at)),
            _ => {
                self.wrong(key, value, "a date", example);
                None
            }
        }
    }

    /// A table below this one.
    pub fn table(&self, key: &str) -> Option<Table<'a>> {
        let (value, at) = self.raw(key)?;
        match self.section.key(key).map(|k| k.shape) {
            Some(Shape::TableOrOff(_)) if matches!(value.get_ref(), DeValue::Boolean(false)) => None,
            Some(Shape::Table(section) | Shape::TableOrOff(section)) => Self::open(self.problems, section, value, at),
            _ => None,
        }
    }

    /// Whether a table is switched off with `false`.
    pub fn is_off(&self, key: &str) -> bool {
        self.raw(key).is_some_and(|(value, _)| matches!(value.get_ref(), DeValue::Boolean(false)))
    }

    /// Tables by name below this one, in the file's order.
    pub fn named(&self, key: &str) -> Vec<(At<String>, Table<'a>)> {
        let Some(Shape::Named(section)) = self.section.key(key).map(|k| k.shape) else { return Vec::new() };
        let Some((value, _)) = self.raw(key) else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.problems.error(
                "wrong-type",
                value.span().into(),
                format!("`{key}` must be tables by name, not {}", type_name(value.get_ref())),
                format!("write `[{}]`", section.path),
            );
            return Vec::new();
        };
        let mut out = Vec::new();
        for (name, value) in in_order(entries) {
            let at: Span = name.span().into();
            if let Some(table) = Table::open(self.problems, section, value, at) {
                out.push((At { value: name.get_ref().to_string(), at }, table));
            }
        }
        out
    }

    /// Any values by name below this one, in the file's order.
    pub fn by_name(&self, key: &str) -> Vec<(At<String>, &'a Value<'a>)> {
        let Some((value, _)) = self.raw(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Table(entries) => in_order(entries)
                .map(|(name, value)| (At { value: name.get_ref().to_string(), at: name.span().into() }, value))
                .collect(),
            _ => {
                self.wrong(key, value, "a table", "{ … }");
                Vec::new()
            }
        }
    }
}

/// One text, or a list of texts.
pub(super) fn texts_of(problems: &Problems<'_>, key: &str, value: &Value<'_>) -> Vec<At<String>> {
    let one = |item: &Value<'_>| match item.get_ref() {
        DeValue::String(text) => Some(At { value: text.to_string(), at: item.span().into() }),
        other => {
            let message = format!("`{key}` must be a list of texts; this is {}", type_name(other));
            problems.error("wrong-type", item.span().into(), message, format!("write `{key} = [\"…\", \"…\"]`"));
            None
        }
    };
    match value.get_ref() {
        DeValue::Array(items) => items.iter().filter_map(one).collect(),
        _ => one(value).into_iter().collect(),
    }
}

/// Entries in the order of the file; the parser keeps them sorted by name.
pub(super) fn in_order<'a>(
    entries: &'a DeTable<'a>,
) -> impl Iterator<Item = (&'a Spanned<toml::de::DeString<'a>>, &'a Value<'a>)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries.into_iter()
}

/// Names of a section's keys, for messages.
fn names(section: &Section) -> String {
    section.keys.iter().map(|k| format!("`{}`", k.name)).collect::<Vec<_>>().join(", ")
}
