//! A theme: one style per role, read from TOML and checked.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use super::depth::{Depth, SIXTEEN, Tint, contrast};
use super::role::{ROLES, Role};
use crate::domain::text::did_you_mean;

/// A theme at one depth of colour: a style per role.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// Only ASCII may be written.
    pub ascii: bool,
    ground: Style,
    styles: Vec<Style>,
}

/// A theme as its file says, with what it inherits filled in; at no depth yet.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// What it is like, in one sentence.
    pub about: String,
    ground: Option<(u8, u8, u8)>,
    paint: bool,
    colours: BTreeMap<String, Tint>,
    roles: BTreeMap<usize, Paint>,
}

/// How one role is painted.
#[derive(Clone, Debug, Default)]
struct Paint {
    fg: Option<Tint>,
    bg: Option<Tint>,
    modifier: Modifier,
}

/// What is wrong with a theme: the default is used in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("theme {theme}, line {line}: {message}")]
pub struct ThemeError {
    /// Its name.
    pub theme: String,
    /// Line in its file, from 1.
    pub line: usize,
    /// What is wrong, and how to write it.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    about: String,
    inherit: Option<String>,
    ground: Option<String>,
    paint: Option<bool>,
    #[serde(default)]
    colours: BTreeMap<String, ColourText>,
    #[serde(default)]
    roles: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ColourText {
    One(String),
    Two { rgb: Option<String>, ansi: String },
}

/// Words of styles, which no colour may be called.
const STYLE_WORDS: [&str; 8] = ["on", "bold", "dim", "italic", "underline", "reverse", "default", "ground"];

/// Name of the theme that a file inherits, if it can be read at all.
pub(super) fn inherits(text: &str) -> Option<String> {
    toml::from_str::<File>(text).ok()?.inherit
}

impl Draft {
    /// Reads a theme file over what it inherits.
    pub(super) fn read(name: &str, text: &str, base: Option<Draft>) -> Result<Self, ThemeError> {
        let error = |line, message| ThemeError { theme: name.to_owned(), line, message };
        let file: File = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |s| text.bytes().take(s.start).filter(|b| *b == b'\n').count() + 1);
            error(line, e.message().to_owned())
        })?;
        let line_of = |key: &str| {
            let starts = |l: &str| l.trim_start().trim_start_matches('"').starts_with(key);
            text.lines().position(starts).map_or(1, |at| at + 1)
        };
        let mut draft = base.unwrap_or_default();
        draft.about = file.about;
        draft.paint = file.paint.unwrap_or(draft.paint);
        if let Some(ground) = &file.ground {
            let rgb = hex(ground).ok_or_else(|| {
                error(line_of("ground"), format!("`{ground}` is not a colour: write it as \"#rrggbb\""))
            })?;
            draft.ground = Some(rgb);
        }
        for (key, colour) in &file.colours {
            if STYLE_WORDS.contains(&key.as_str()) {
                return Err(error(
                    line_of(key),
                    format!("a colour cannot be called `{key}`: that word has a meaning in styles"),
                ));
            }
            let tint = colour.read().map_err(|m| error(line_of(key), m))?;
            draft.colours.insert(key.clone(), tint);
        }
        for (key, paint) in &file.roles {
            let Some(role) = Role::named(key) else {
                let guess = did_you_mean(key, ROLES.iter().map(|r| r.name()));
                let guess = guess.map_or_else(String::new, |g| format!(" (did you mean `{g}`?)"));
                return Err(error(line_of(key), format!("there is no role `{key}`{guess}")));
            };
            let paint = draft.paint_of(paint).map_err(|m| error(line_of(key), format!("{key}: {m}")))?;
            draft.roles.insert(role.at(), paint);
        }
        match ROLES.iter().find(|r| !draft.roles.contains_key(&r.at())) {
            Some(missing) => Err(error(1, format!("role `{}` is missing, and no theme is inherited", missing.name()))),
            None => Ok(draft),
        }
    }

    /// Reads `ink on raised bold underline`.
    fn paint_of(&self, text: &str) -> Result<Paint, String> {
        let mut paint = Paint::default();
        let mut on = false;
        for word in text.split_whitespace() {
            let modifier = match word {
                "on" => {
                    on = true;
                    continue;
                }
                "bold" => Modifier::BOLD,
                "dim" => Modifier::DIM,
                "italic" => Modifier::ITALIC,
                "underline" => Modifier::UNDERLINED,
                "reverse" => Modifier::REVERSED,
                colour => {
                    let tint = match colour {
                        "default" => Tint { rgb: None, ansi: Some(Color::Reset) },
                        "ground" => Tint { rgb: self.ground, ansi: Some(Color::Black) },
                        name => self.colour(name)?,
                    };
                    let place = if on { &mut paint.bg } else { &mut paint.fg };
                    *place = Some(tint);
                    on = false;
                    continue;
                }
            };
            paint.modifier |= modifier;
        }
        if on { Err("`on` needs a colour after it".to_owned()) } else { Ok(paint) }
    }

    fn colour(&self, name: &str) -> Result<Tint, String> {
        if let Some(tint) = self.colours.get(name) {
            return Ok(*tint);
        }
        if let Some(rgb) = hex(name) {
            return Ok(Tint { rgb: Some(rgb), ansi: None });
        }
        let guess = did_you_mean(name, self.colours.keys().map(String::as_str));
        let guess = guess.map_or_else(String::new, |g| format!(" (did you mean `{g}`?)"));
        Err(format!("there is no colour `{name}`{guess}"))
    }

    /// The theme as that many colours can show it.
    pub(super) fn at(&self, name: &str, depth: Depth) -> Theme {
        let style = |role: &Role| {
            let paint = self.roles.get(&role.at()).cloned().unwrap_or_default();
            let mut style = Style::new().add_modifier(paint.modifier);
            if let Some(fg) = paint.fg.and_then(|t| t.at(depth)) {
                style = style.fg(fg);
            }
            match paint.bg.map(|t| t.at(depth)) {
                Some(Some(bg)) => style = style.bg(bg),
                // Without colours a ground of its own becomes reverse video.
                Some(None) => style = style.add_modifier(Modifier::REVERSED),
                None => {}
            }
            style
        };
        let mut ground = Style::new();
        if self.paint && depth >= Depth::Indexed {
            let tint = Tint { rgb: self.ground, ansi: None };
            ground.bg = tint.at(depth);
        }
        Theme { name: name.to_owned(), ascii: false, ground, styles: ROLES.iter().map(style).collect() }
    }

    /// Roles whose colour cannot be read on the ground it was chosen for.
    pub fn weak_contrast(&self) -> Vec<String> {
        let Some(ground) = self.ground else { return Vec::new() };
        let mut weak = Vec::new();
        for role in ROLES {
            let Some(paint) = self.roles.get(&role.at()) else { continue };
            let bg = paint.bg.and_then(|t| t.rgb).unwrap_or(ground);
            let (a, b) = if paint.modifier.contains(Modifier::REVERSED) {
                (Some(ground), paint.fg.and_then(|t| t.rgb).unwrap_or(bg))
            } else {
                (paint.fg.and_then(|t| t.rgb), bg)
            };
            // Only what is laid over text may be without a colour of its own.
            let Some(fg) = a else {
                if !matches!(role, Role::Selected | Role::Marked) {
                    weak.push(format!("{}: no colour", role.name()));
                }
                continue;
            };
            let found = contrast(fg, b);
            if found < role.least_contrast() {
                weak.push(format!("{}: contrast {found:.1}, at least {:.1}", role.name(), role.least_contrast()));
            }
        }
        weak
    }
}

impl ColourText {
    fn read(&self) -> Result<Tint, String> {
        let (rgb, ansi) = match self {
            ColourText::One(rgb) => (Some(rgb), None),
            ColourText::Two { rgb, ansi } => (rgb.as_ref(), Some(ansi)),
        };
        let rgb = rgb
            .map(|text| hex(text).ok_or_else(|| format!("`{text}` is not a colour: write it as \"#rrggbb\"")))
            .transpose()?;
        let ansi = ansi
            .map(|name| {
                let known = SIXTEEN.iter().find(|(n, ..)| n == name).map(|(_, c, _)| *c);
                known.or((name == "default").then_some(Color::Reset)).ok_or_else(|| {
                    let guess = did_you_mean(name, SIXTEEN.iter().map(|(n, ..)| *n)).unwrap_or("light-blue");
                    format!("`{name}` is not one of the sixteen colours (for example `{guess}`) or `default`")
                })
            })
            .transpose()?;
        Ok(Tint { rgb, ansi })
    }
}

fn hex(text: &str) -> Option<(u8, u8, u8)> {
    let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some((byte(0)?, byte(2)?, byte(4)?))
}

impl Theme {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.at()).copied().unwrap_or_default()
    }

    /// The style of an empty cell.
    pub fn ground(&self) -> Style {
        self.ground
    }

    /// With ASCII twins in the place of every other character.
    #[must_use]
    pub fn with_ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    /// A theme for tests and tools, in which every role can be told from its colours.
    pub fn markers() -> Self {
        let number = |role: &Role| u8::try_from(role.at()).unwrap_or(u8::MAX);
        let style = |role: &Role| match role {
            Role::Selected | Role::Marked => Style::new().bg(Color::Rgb(1, 0, number(role))),
            role => Style::new().fg(Color::Rgb(0, 0, number(role))),
        };
        let styles = ROLES.iter().map(style).collect();
        Theme { name: "markers".to_owned(), ascii: false, ground: Style::new(), styles }
    }

    /// Names of the roles that a style of [`Theme::markers`] shows: of the text, and of its ground.
    pub fn marked(style: Style) -> (Option<Role>, Option<Role>) {
        let role = |color: Option<Color>, first: u8| match color {
            Some(Color::Rgb(a, 0, n)) if a == first => ROLES.get(usize::from(n)).copied(),
            _ => None,
        };
        (role(style.fg, 0), role(style.bg, 1))
    }
}
