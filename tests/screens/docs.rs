//! The tables of keys and themes in `docs/` are those of the program.

use gonogo::input::help;
use gonogo::look::role::ROLES;
use gonogo::look::themes::Themes;

/// `UPDATE_DOCS=1` writes the file; else it must be as generated.
fn check(path: &str, head: &str, body: &str) {
    let text = format!("{head}{body}");
    let path = format!("{}/docs/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, text, "{path} is not what the program says: run with UPDATE_DOCS=1");
}

#[test]
fn keys() {
    let head = "# Keys\n\n\
        Capitals act, and all but `!` ask first; everything else only shows. Keys can be changed in the\n\
        configuration by command name; a key with two meanings is an error. In a prompt `esc` always leaves at once,\n\
        Enter never confirms, `y` counts only after 300 ms without any key, and pasted text is not typing.\n";
    check("keys.md", head, &help::markdown());
}

#[test]
fn themes() {
    let mut body = String::from("\n## Shipped themes\n\n| theme | what it is like |\n|---|---|\n");
    let themes = Themes::load(&[]);
    for name in themes.names() {
        body.push_str(&format!("| `{name}` | {} |\n", themes.draft(name).unwrap().about));
    }
    body.push_str("\n## Roles\n\n| role | what it is for | least contrast |\n|---|---|---|\n");
    for role in ROLES {
        body.push_str(&format!("| `{}` | {} | {} |\n", role.name(), role.about(), role.least_contrast()));
    }
    let head = "# Themes\n\n\
        A theme gives each *role* (what a text means) a style. A file `NAME.toml` in the `themes` folder beside the\n\
        configuration adds a theme, or replaces a shipped one; it may `inherit` another and change what it likes:\n\n\
        ```toml\n\
        about = \"Dark, with a magenta accent.\"\n\
        inherit = \"dark\"\n\
        ground = \"#0f1419\"   # the background that the colours are chosen for\n\
        paint = true         # fill the screen with it\n\n\
        [colours]\n\
        pink = { rgb = \"#ff5fd2\", ansi = \"light-magenta\" }   # ansi: where there are sixteen colours\n\n\
        [roles]\n\
        accent = \"pink bold\"\n\
        selected = \"on #332233\"\n\
        ```\n\n\
        A style is `COLOUR on COLOUR` with any of `bold dim italic underline reverse`; a colour is a name from\n\
        `[colours]`, `#rrggbb`, `default` or `ground`. With `NO_COLOR`, or on a terminal without colours, weight and\n\
        reverse remain; the glyph and the word of every state are always there. A theme that cannot be read is an\n\
        error with file, line and fix, and the default is used.\n\nWhere neither `LC_ALL`, `LC_CTYPE` nor `LANG` (the first \
        that is set counts) names UTF-8, as in `LANG=C`, everything is\ndrawn with ASCII; `--ascii` forces that, \
        `LC_ALL=C.UTF-8` the other.\n";
    check("themes.md", head, &body);
}
