//! Signs: every state has a word, a glyph, an ASCII twin and a role.

use super::role::Role;
use crate::domain::verdict::Verdict;
use crate::engine::operation::Outcome;
use crate::engine::view::{ReleasePhase, RingPhase};

/// A state as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// May go on.
    Go,
    /// Not yet.
    Wait,
    /// Must not go on.
    NoGo,
    /// Unknown.
    NoData,
    /// With findings.
    Watch,
    /// Held or paused.
    Held,
    /// Rolled back.
    RolledBack,
    /// Out of traffic.
    Drained,
    /// Old data.
    Stale,
    /// Being replaced.
    Moving,
    /// Runs the new version.
    New,
    /// The cursor.
    Cursor,
    /// A marked row.
    Mark,
    /// A promotion was written.
    Promoted,
    /// Nothing is under way.
    Quiet,
}

/// Every sign.
pub const SIGNS: [Sign; 15] = [
    Sign::Go,
    Sign::Wait,
    Sign::NoGo,
    Sign::NoData,
    Sign::Watch,
    Sign::Held,
    Sign::RolledBack,
    Sign::Drained,
    Sign::Stale,
    Sign::Moving,
    Sign::New,
    Sign::Cursor,
    Sign::Mark,
    Sign::Promoted,
    Sign::Quiet,
];

impl Sign {
    /// The glyph; one column wide. Its ASCII twin is [`twin`] of it.
    pub fn glyph(self) -> char {
        match self {
            Sign::Go => '✓',
            Sign::Wait => '◔',
            Sign::NoGo => '✗',
            Sign::NoData => '?',
            Sign::Watch => '!',
            Sign::Held => '‖',
            Sign::RolledBack => '↺',
            Sign::Drained => '⤓',
            Sign::Stale => '~',
            Sign::Moving => '◐',
            Sign::New => '●',
            Sign::Cursor => '▸',
            Sign::Mark => '◆',
            Sign::Promoted => '▲',
            Sign::Quiet => '·',
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Sign::Go => "go",
            Sign::Wait => "wait",
            Sign::NoGo => "no-go",
            Sign::NoData => "no data",
            Sign::Watch => "watch",
            Sign::Held => "held",
            Sign::RolledBack => "rolled back",
            Sign::Drained => "drained",
            Sign::Stale => "stale",
            Sign::Moving => "rolling out",
            Sign::New => "new version",
            Sign::Cursor => "selected",
            Sign::Mark => "marked",
            Sign::Promoted => "promoted",
            Sign::Quiet => "nothing under way",
        }
    }

    /// The role.
    pub fn role(self) -> Role {
        match self {
            Sign::Go => Role::Go,
            Sign::Wait => Role::Wait,
            Sign::NoGo => Role::NoGo,
            Sign::NoData => Role::NoData,
            Sign::Watch => Role::Watch,
            Sign::Held => Role::Held,
            Sign::RolledBack => Role::RolledBack,
            Sign::Drained => Role::Drained,
            Sign::Stale => Role::Stale,
            Sign::Moving => Role::Deploy,
            Sign::New | Sign::Cursor | Sign::Mark | Sign::Promoted => Role::Accent,
            Sign::Quiet => Role::Dim,
        }
    }

    /// Sign of a verdict.
    pub fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Go => Sign::Go,
            Verdict::Findings => Sign::Watch,
            Verdict::Wait => Sign::Wait,
            Verdict::NoData => Sign::NoData,
            Verdict::NoGo => Sign::NoGo,
        }
    }

    /// Sign of a release's phase.
    pub fn of_release(phase: ReleasePhase) -> Self {
        match phase {
            ReleasePhase::Unknown | ReleasePhase::NoData => Sign::NoData,
            ReleasePhase::Steady => Sign::Quiet,
            ReleasePhase::RollingOut => Sign::Moving,
            ReleasePhase::Baking => Sign::Wait,
            ReleasePhase::Ready => Sign::Go,
            ReleasePhase::ReadyWithFindings => Sign::Watch,
            ReleasePhase::Held => Sign::Held,
            ReleasePhase::Failed | ReleasePhase::Blocked => Sign::NoGo,
        }
    }

    /// Sign of a ring's phase.
    pub fn of_ring(phase: RingPhase) -> Self {
        match phase {
            RingPhase::Unknown => Sign::NoData,
            RingPhase::Waiting | RingPhase::Steady => Sign::Quiet,
            RingPhase::RollingOut => Sign::Moving,
            RingPhase::Baking => Sign::Wait,
            RingPhase::Baked => Sign::Go,
            RingPhase::Blocked | RingPhase::Failed => Sign::NoGo,
            RingPhase::Held => Sign::Held,
        }
    }

    /// Sign of an outcome.
    pub fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Settled => Sign::Go,
            Outcome::Cancelled => Sign::Quiet,
            Outcome::Refused | Outcome::Diverged => Sign::NoGo,
            Outcome::Unknown => Sign::NoData,
        }
    }
}

/// Word of a release's phase, as the top line says it.
pub fn release_word(phase: ReleasePhase) -> &'static str {
    match phase {
        ReleasePhase::Unknown => "NOTHING SEEN YET",
        ReleasePhase::Steady => "STEADY",
        ReleasePhase::RollingOut => "ROLLING OUT",
        ReleasePhase::Baking => "BAKING",
        ReleasePhase::Ready => "READY",
        ReleasePhase::ReadyWithFindings => "GO!",
        ReleasePhase::Held => "HELD",
        ReleasePhase::Failed => "FAILED",
        ReleasePhase::Blocked => "BLOCKED",
        ReleasePhase::NoData => "NO DATA",
    }
}

/// Word of a ring's phase.
pub fn ring_word(phase: RingPhase) -> &'static str {
    match phase {
        RingPhase::Unknown => "unknown",
        RingPhase::Waiting => "waiting",
        RingPhase::RollingOut => "rolling out",
        RingPhase::Baking => "baking",
        RingPhase::Baked => "baked",
        RingPhase::Blocked => "blocked",
        RingPhase::Failed => "failed",
        RingPhase::Held => "held",
        RingPhase::Steady => "steady",
    }
}

/// The ASCII character that stands for one of ours, as wide as it: layouts do not change.
pub fn twin(c: char) -> char {
    match c {
        ' '..='~' => c,
        '✓' => '+',
        '◔' => 'o',
        '✗' => 'x',
        '‖' => '"',
        '↺' => '<',
        '⤓' => 'v',
        '◐' => '%',
        '●' | '◆' | '★' => '*',
        '▸' | '→' | '…' | '›' => '>',
        '▾' | '↓' => 'v',
        '▲' | '↑' => '^',
        '‹' | '←' => '<',
        '·' | '•' | '░' => '.',
        '–' | '—' | '─' | '━' | '╌' => '-',
        '▏' | '│' | '┊' | '┃' | '╎' => '|',
        '╭' | '╮' | '╰' | '╯' | '├' | '┤' | '┬' | '┴' | '┼' | '╞' | '╡' => '+',
        '█' | '▐' | '▌' => '#',
        '▒' | '▓' => '=',
        '▁' => '_',
        '▂' => '.',
        '▃' => ',',
        '▄' => '-',
        '▅' => '=',
        '▆' => 'o',
        '▇' => 'O',
        '♥' => '*',
        '×' => 'x',
        'Δ' => 'd',
        '≥' => '>',
        '≤' => '<',
        '␛' => '^',
        // Braille of charts: a dot is a dot.
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => '*',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthChar;

    #[test]
    fn states_differ_by_glyph_word_and_ascii_twin() {
        for (i, a) in SIGNS.iter().enumerate() {
            assert_eq!(a.glyph().width(), Some(1), "{a:?}");
            assert!(twin(a.glyph()).is_ascii());
            for b in SIGNS.iter().skip(i + 1) {
                assert_ne!(a.glyph(), b.glyph(), "{a:?} {b:?}");
                assert_ne!(a.word(), b.word(), "{a:?} {b:?}");
                let decoration = [Sign::Cursor, Sign::Mark, Sign::Promoted, Sign::New];
                if !decoration.contains(a) && !decoration.contains(b) {
                    assert_ne!(twin(a.glyph()), twin(b.glyph()), "{a:?} {b:?}");
                }
            }
        }
    }
}
