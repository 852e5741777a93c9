//! The themes that are part of the program, and those of the user.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};

use super::depth::Depth;
use super::theme::{Draft, Theme, ThemeError, inherits};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/themes");

/// The theme used where none is named, or the one named is bad.
pub const DEFAULT: &str = "dark";
/// Longest chain of themes that inherit from each other.
const LONGEST_CHAIN: usize = 8;

/// Every theme that can be used.
#[derive(Clone, Debug, Default)]
pub struct Themes {
    drafts: BTreeMap<String, Draft>,
    /// Themes that cannot be used, and why.
    pub errors: Vec<ThemeError>,
}

impl Themes {
    /// The shipped themes and those of the user, given as name and text of `NAME.toml`.
    ///
    /// A user's theme replaces a shipped one of the same name; a bad one is an error in
    /// [`Themes::errors`] and leaves the shipped one in place.
    pub fn load(user: &[(String, String)]) -> Self {
        let shipped: BTreeMap<String, String> = SHIPPED
            .files()
            .filter_map(|f| Some((f.path().file_stem()?.to_str()?.to_owned(), f.contents_utf8()?.to_owned())))
            .collect();
        let mut themes = Self::default();
        for name in shipped.keys() {
            themes.take(name, &shipped, &shipped);
        }
        let mut all = shipped.clone();
        all.extend(user.iter().cloned());
        for (name, _) in user {
            themes.take(name, &all, &shipped);
        }
        themes
    }

    fn take(&mut self, name: &str, texts: &BTreeMap<String, String>, shipped: &BTreeMap<String, String>) {
        match draft(name, texts, shipped, LONGEST_CHAIN) {
            Ok(draft) => {
                self.drafts.insert(name.to_owned(), draft);
            }
            Err(error) => self.errors.push(error),
        }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.drafts.keys().map(String::as_str)
    }

    /// A theme's file as read, for checks.
    pub fn draft(&self, name: &str) -> Option<&Draft> {
        self.drafts.get(name)
    }

    /// The theme of that name; the default with the reason where it cannot be used.
    pub fn get(&self, name: &str, depth: Depth) -> (Theme, Option<ThemeError>) {
        if let Some(draft) = self.drafts.get(name) {
            return (draft.at(name, depth), None);
        }
        let error = self.errors.iter().find(|e| e.theme == name).cloned().unwrap_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            ThemeError {
                theme: name.to_owned(),
                line: 1,
                message: format!("there is no such theme; there are {}", known.join(", ")),
            }
        });
        let theme = self.drafts.get(DEFAULT).map(|d| d.at(DEFAULT, depth));
        (theme.unwrap_or_else(Theme::markers), Some(error))
    }
}

fn draft(
    name: &str,
    texts: &BTreeMap<String, String>,
    shipped: &BTreeMap<String, String>,
    left: usize,
) -> Result<Draft, ThemeError> {
    let error = |message: String| ThemeError { theme: name.to_owned(), line: 1, message };
    let text = texts.get(name).ok_or_else(|| error("there is no such theme".to_owned()))?;
    let base = match inherits(text) {
        None => None,
        Some(_) if left == 0 => return Err(error("themes inherit from each other in a circle".to_owned())),
        // A user's `dark` may inherit the shipped `dark`.
        Some(base) if base == name && shipped.contains_key(name) => Some(draft(&base, shipped, shipped, left - 1)?),
        Some(base) if !texts.contains_key(&base) => {
            return Err(error(format!("inherits `{base}`, which is not there")));
        }
        Some(base) => Some(draft(&base, texts, shipped, left - 1)?),
    };
    Draft::read(name, text, base)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::look::role::{ROLES, Role};
    use ratatui::style::Modifier;

    #[test]
    fn shipped_themes_load_and_can_be_read() {
        let themes = Themes::load(&[]);
        assert_eq!(themes.errors, []);
        let names: Vec<&str> = themes.names().collect();
        assert_eq!(names, ["colour-blind", "dark", "high-contrast", "light", "mono"]);
        for name in names {
            assert_eq!(themes.draft(name).unwrap().weak_contrast(), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn without_colours_no_colour_is_left_and_the_cursor_can_still_be_seen() {
        let themes = Themes::load(&[]);
        for name in themes.names() {
            let (theme, _) = themes.get(name, Depth::None);
            for role in ROLES {
                let style = theme.style(role);
                assert_eq!((style.fg, style.bg), (None, None), "{name} {role:?}");
            }
            assert!(theme.style(Role::Selected).add_modifier.intersects(Modifier::REVERSED | Modifier::BOLD));
        }
    }

    #[test]
    fn a_bad_theme_is_a_clear_error_and_the_default_is_used() {
        for (text, line, message) in [
            ("inherit = \"dark\"\n[roles]\nbordr = \"ink\"\n", 3, "there is no role `bordr` (did you mean `border`?)"),
            (
                "inherit = \"dark\"\n[roles]\ntext = \"inkk\"\n",
                3,
                "text: there is no colour `inkk` (did you mean `ink`?)",
            ),
            ("ground = \"black\"\n", 1, "`black` is not a colour: write it as \"#rrggbb\""),
            ("inherit = \"none\"\n", 1, "inherits `none`, which is not there"),
            ("[roles]\ntext = \"#ffffff\"\n", 1, "role `strong` is missing, and no theme is inherited"),
            ("inherit = \"mine\"\n", 1, "themes inherit from each other in a circle"),
            (
                "[colours]\na = { ansi = \"grean\" }\n",
                2,
                "`grean` is not one of the sixteen colours (for example `green`) or `default`",
            ),
            ("[colours]\ndim = \"#777777\"\n", 2, "a colour cannot be called `dim`: that word has a meaning in styles"),
            ("inherit = \"dark\"\n[roles]\ntext = \"ink on\"\n", 3, "text: `on` needs a colour after it"),
        ] {
            let themes = Themes::load(&[("mine".to_owned(), text.to_owned())]);
            let (theme, error) = themes.get("mine", Depth::True);
            assert_eq!(theme.name, DEFAULT);
            let error = error.expect(text);
            assert_eq!((error.line, error.message.as_str()), (line, message), "{text}");
        }
    }

    #[test]
    fn a_users_theme_may_change_one_role_of_a_shipped_one() {
        let text = "inherit = \"dark\"\n[roles]\naccent = \"#ff00ff bold\"\n".to_owned();
        let themes = Themes::load(&[("dark".to_owned(), text)]);
        assert_eq!(themes.errors, []);
        let (theme, error) = themes.get("dark", Depth::True);
        assert_eq!(error, None);
        assert_eq!(theme.style(Role::Accent).fg, Some(ratatui::style::Color::Rgb(255, 0, 255)));
    }
}
