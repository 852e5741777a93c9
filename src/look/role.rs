//! Roles: what a text means. Panes name these; themes give them colours.

/// What a text on the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Names and titles.
    Strong,
    /// What may be overlooked: labels, units, healthy detail.
    Dim,
    /// Borders, grid dots, empty tracks.
    Border,
    /// The one accent: look here.
    Accent,
    /// Go.
    Go,
    /// Wait.
    Wait,
    /// No-go, failed.
    NoGo,
    /// No data, unknown.
    NoData,
    /// Go with findings: a person should look.
    Watch,
    /// Held or paused.
    Held,
    /// Rolled back.
    RolledBack,
    /// Out of traffic.
    Drained,
    /// Old data: last known, not now.
    Stale,
    /// Pods being replaced, on the timeline.
    Deploy,
    /// Baking, on the timeline.
    Bake,
    /// Not yet happened.
    Projected,
    /// The now-line.
    Now,
    /// Changed within the last seconds.
    Changed,
    /// The row or cell under the cursor.
    Selected,
    /// A marked row.
    Marked,
    /// A key that can be pressed.
    Key,
    /// A field that is typed into.
    Input,
    /// Sparklines and charts.
    Spark,
    /// The baseline band of charts.
    Baseline,
    /// Badges and alarms: the loudest.
    Alarm,
}

/// Every role, in the order of the enum.
pub const ROLES: [Role; 26] = [
    Role::Text,
    Role::Strong,
    Role::Dim,
    Role::Border,
    Role::Accent,
    Role::Go,
    Role::Wait,
    Role::NoGo,
    Role::NoData,
    Role::Watch,
    Role::Held,
    Role::RolledBack,
    Role::Drained,
    Role::Stale,
    Role::Deploy,
    Role::Bake,
    Role::Projected,
    Role::Now,
    Role::Changed,
    Role::Selected,
    Role::Marked,
    Role::Key,
    Role::Input,
    Role::Spark,
    Role::Baseline,
    Role::Alarm,
];

impl Role {
    /// Its name in theme files.
    pub fn name(self) -> &'static str {
        match self {
            Role::Text => "text",
            Role::Strong => "strong",
            Role::Dim => "dim",
            Role::Border => "border",
            Role::Accent => "accent",
            Role::Go => "go",
            Role::Wait => "wait",
            Role::NoGo => "no-go",
            Role::NoData => "no-data",
            Role::Watch => "watch",
            Role::Held => "held",
            Role::RolledBack => "rolled-back",
            Role::Drained => "drained",
            Role::Stale => "stale",
            Role::Deploy => "deploy",
            Role::Bake => "bake",
            Role::Projected => "projected",
            Role::Now => "now",
            Role::Changed => "changed",
            Role::Selected => "selected",
            Role::Marked => "marked",
            Role::Key => "key",
            Role::Input => "input",
            Role::Spark => "spark",
            Role::Baseline => "baseline",
            Role::Alarm => "alarm",
        }
    }

    /// What it is for, for the documentation of themes.
    pub fn about(self) -> &'static str {
        match self {
            Role::Text => "ordinary text",
            Role::Strong => "names and titles",
            Role::Dim => "labels, units, healthy detail",
            Role::Border => "borders, grid, empty tracks",
            Role::Accent => "the one accent: look here",
            Role::Go => "go",
            Role::Wait => "wait",
            Role::NoGo => "no-go, failed",
            Role::NoData => "no data, unknown",
            Role::Watch => "go with findings: a person should look",
            Role::Held => "held or paused",
            Role::RolledBack => "rolled back",
            Role::Drained => "out of traffic",
            Role::Stale => "old data: last known, not now",
            Role::Deploy => "pods being replaced, on the timeline",
            Role::Bake => "baking, on the timeline",
            Role::Projected => "not yet happened",
            Role::Now => "the now-line",
            Role::Changed => "changed within the last seconds",
            Role::Selected => "the row or cell under the cursor",
            Role::Marked => "a marked row",
            Role::Key => "a key that can be pressed",
            Role::Input => "a field that is typed into",
            Role::Spark => "sparklines and charts",
            Role::Baseline => "the baseline band of charts",
            Role::Alarm => "badges and alarms: the loudest",
        }
    }

    /// The role of that name in a theme file.
    pub fn named(name: &str) -> Option<Role> {
        ROLES.into_iter().find(|r| r.name() == name)
    }

    /// Its position in [`ROLES`].
    pub fn at(self) -> usize {
        self as usize
    }

    /// Least contrast against the ground (WCAG ratio): what must be read needs 4.5,
    /// what may be overlooked 3, what is only drawn 1.2.
    pub fn least_contrast(self) -> f64 {
        match self {
            Role::Border | Role::Baseline => 1.2,
            Role::Dim | Role::Stale | Role::Projected | Role::Bake | Role::Spark => 3.0,
            _ => 4.5,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn names_are_unique_and_positions_fit() {
        for (at, role) in ROLES.into_iter().enumerate() {
            assert_eq!(role.at(), at);
            assert_eq!(Role::named(role.name()), Some(role));
        }
    }
}
