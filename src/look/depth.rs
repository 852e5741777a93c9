//! How many colours a terminal shows, and the nearest one it can.

use ratatui::style::Color;

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: weight, reverse and underline only (NO_COLOR, dumb terminals).
    None,
    /// The sixteen of the terminal's own palette.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// 24 bits.
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR` (set and not empty), `COLORTERM`, `TERM`.
    pub fn detect(no_color: bool, colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or_default();
        if no_color || term == "dumb" || term.starts_with("vt1") || term.starts_with("vt2") {
            Depth::None
        } else if colorterm.is_some_and(|c| c == "truecolor" || c == "24bit") || term.ends_with("-direct") {
            Depth::True
        } else if term.contains("256") || term.contains("kitty") || term.contains("alacritty") {
            Depth::Indexed
        } else {
            Depth::Sixteen
        }
    }
}

/// Whether only ASCII may be written: the character set of `LC_ALL`, `LC_CTYPE` or `LANG`
/// (the first that is set) is not UTF-8.
pub fn wants_ascii(locale: Option<&str>) -> bool {
    !locale.is_some_and(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    })
}

/// A colour with its own choice for sixteen-colour terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tint {
    /// Red, green, blue; none: the terminal's default.
    pub rgb: Option<(u8, u8, u8)>,
    /// For sixteen colours; none: the nearest.
    pub ansi: Option<Color>,
}

impl Tint {
    /// As that many colours can show it.
    pub fn at(self, depth: Depth) -> Option<Color> {
        match (depth, self.rgb) {
            (Depth::None, _) => None,
            (Depth::Sixteen, rgb) => self.ansi.or_else(|| rgb.map(nearest_sixteen)),
            (_, None) => self.ansi.or(Some(Color::Reset)),
            (Depth::Indexed, Some(rgb)) => Some(Color::Indexed(nearest_indexed(rgb))),
            (Depth::True, Some((r, g, b))) => Some(Color::Rgb(r, g, b)),
        }
    }
}

/// The sixteen by name, with usual values.
pub const SIXTEEN: [(&str, Color, (u8, u8, u8)); 16] = [
    ("black", Color::Black, (0, 0, 0)),
    ("red", Color::Red, (205, 49, 49)),
    ("green", Color::Green, (13, 188, 121)),
    ("yellow", Color::Yellow, (229, 229, 16)),
    ("blue", Color::Blue, (36, 114, 200)),
    ("magenta", Color::Magenta, (188, 63, 188)),
    ("cyan", Color::Cyan, (17, 168, 205)),
    ("gray", Color::Gray, (204, 204, 204)),
    ("dark-gray", Color::DarkGray, (118, 118, 118)),
    ("light-red", Color::LightRed, (241, 76, 76)),
    ("light-green", Color::LightGreen, (35, 209, 139)),
    ("light-yellow", Color::LightYellow, (245, 245, 67)),
    ("light-blue", Color::LightBlue, (59, 142, 234)),
    ("light-magenta", Color::LightMagenta, (214, 112, 214)),
    ("light-cyan", Color::LightCyan, (41, 184, 219)),
    ("white", Color::White, (255, 255, 255)),
];

fn nearest_sixteen(rgb: (u8, u8, u8)) -> Color {
    SIXTEEN.iter().min_by_key(|(_, _, c)| far(rgb, *c)).map_or(Color::Reset, |(_, color, _)| *color)
}

/// Nearest of xterm's 6×6×6 cube and its 24 grays.
fn nearest_indexed(rgb: (u8, u8, u8)) -> u8 {
    let level = |i: u8| if i == 0 { 0 } else { 55 + 40 * i };
    let cube = (0..6u8).flat_map(|r| (0..6u8).flat_map(move |g| (0..6u8).map(move |b| (r, g, b))));
    let cube = cube.map(|(r, g, b)| (16 + 36 * r + 6 * g + b, (level(r), level(g), level(b))));
    let grays = (0..24u8).map(|i| (232 + i, (8 + 10 * i, 8 + 10 * i, 8 + 10 * i)));
    cube.chain(grays).min_by_key(|(_, c)| far(rgb, *c)).map_or(7, |(index, _)| index)
}

fn far(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // The eye weighs green most and blue least.
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}

/// Contrast of two colours as WCAG 2 defines it, from 1 to 21.
pub fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_how_many_colours() {
        for (no_color, colorterm, term, depth) in [
            (true, Some("truecolor"), Some("xterm-256color"), Depth::None),
            (false, Some("truecolor"), Some("xterm"), Depth::True),
            (false, None, Some("xterm-256color"), Depth::Indexed),
            (false, None, Some("linux"), Depth::Sixteen),
            (false, None, Some("dumb"), Depth::None),
            (false, None, None, Depth::Sixteen),
        ] {
            assert_eq!(Depth::detect(no_color, colorterm, term), depth, "{term:?}");
        }
        assert!(wants_ascii(Some("C")) && wants_ascii(None) && !wants_ascii(Some("en_US.UTF-8")));
    }

    #[test]
    fn fewer_colours_take_the_nearest() {
        let tint = Tint { rgb: Some((250, 80, 80)), ansi: None };
        assert_eq!(tint.at(Depth::True), Some(Color::Rgb(250, 80, 80)));
        assert_eq!(tint.at(Depth::Indexed), Some(Color::Indexed(203)));
        assert_eq!(tint.at(Depth::Sixteen), Some(Color::LightRed));
        assert_eq!(tint.at(Depth::None), None);
    }

    #[test]
    fn contrast_of_black_and_white_is_21() {
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 0.01);
    }
}
