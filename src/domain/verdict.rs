//! Verdicts and how they fold: the worst wins, and unknown is never green.

use std::fmt;

use super::finding::Finding;
use super::fleet::Unit;
use super::id::{ColumnName, RegionIx, Text};
use super::stamp::Timestamp;

/// A judgement. The order is from best to worst, so that `max` folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// May go on.
    Go,
    /// May go on, if a person has read the findings.
    Findings,
    /// Not yet.
    Wait,
    /// Unknown: evidence is missing, stale or partial.
    NoData,
    /// Must not go on.
    NoGo,
}

impl Verdict {
    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Go => "GO",
            Verdict::Findings => "GO!",
            Verdict::Wait => "WAIT",
            Verdict::NoData => "NO DATA",
            Verdict::NoGo => "NO-GO",
        }
    }
    /// The word in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Verdict::Go => "go",
            Verdict::Findings => "go_with_findings",
            Verdict::Wait => "wait",
            Verdict::NoData => "no_data",
            Verdict::NoGo => "no_go",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One gate's answer about one region, or about a ring as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What stands in the board's cell, e.g. `1h22m` or `0.31 %`; short.
    pub cell: Text,
    /// Why, as a sentence that names the region and the numbers.
    pub sentence: Text,
    /// When a wait ends by itself, if it can be told.
    pub until: Option<Timestamp>,
    /// Findings a person must see.
    pub findings: Vec<Finding>,
    /// What it rests on, one line each: values, windows, object revisions, query, time.
    pub evidence: Vec<Text>,
    /// Numbers it rests on, for tables and charts.
    pub figures: Vec<Figure>,
    /// What stands in the way and a person may accept with a reason; none: nothing can be accepted.
    pub acceptable: Option<Stretch>,
}

/// A number that a judgement rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What it is: a stable word, e.g. `worst`, `mean`, `worst_hour`, `baseline`, `burn`, `budget_left`.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// A stretch of windows of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The column.
    pub column: ColumnName,
    /// End of the first window.
    pub from: Timestamp,
    /// End of the last window.
    pub to: Timestamp,
}

impl Judgement {
    /// A judgement without findings or evidence.
    pub fn new(verdict: Verdict, cell: impl Into<Text>, sentence: impl Into<Text>) -> Self {
        Self {
            verdict,
            cell: cell.into(),
            sentence: sentence.into(),
            until: None,
            findings: Vec::new(),
            evidence: Vec::new(),
            figures: Vec::new(),
            acceptable: None,
        }
    }
    /// With the moment the wait ends.
    #[must_use]
    pub fn until(mut self, at: Timestamp) -> Self {
        self.until = Some(at);
        self
    }
    /// With one more number.
    #[must_use]
    pub fn figure(mut self, name: &'static str, value: f64, unit: Unit) -> Self {
        self.figures.push(Figure { name, value, unit });
        self
    }
    /// A number by its name.
    pub fn figure_of(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|f| f.name == name).map(|f| f.value)
    }
    /// With one more line of evidence.
    #[must_use]
    pub fn because(mut self, line: impl Into<Text>) -> Self {
        self.evidence.push(line.into());
        self
    }
}

/// Every gate's answer for one ring: a row of the go/no-go board per region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RingVerdict {
    /// Heading of each gate, in order.
    pub gates: Vec<Text>,
    /// Per region of the ring, its judgement per gate.
    pub rows: Vec<(RegionIx, Vec<Judgement>)>,
}

impl RingVerdict {
    /// Worst of all cells; a ring without gates or regions has no evidence.
    pub fn folded(&self) -> Verdict {
        self.cells().map(|(_, _, j)| j.verdict).max().unwrap_or(Verdict::NoData)
    }
    /// Every cell with its region and gate.
    pub fn cells(&self) -> impl Iterator<Item = (RegionIx, &Text, &Judgement)> {
        self.rows.iter().flat_map(|(region, row)| self.gates.iter().zip(row).map(move |(g, j)| (*region, g, j)))
    }
    /// The worst cells, worst first.
    pub fn worst(&self) -> Vec<(RegionIx, &Text, &Judgement)> {
        let mut cells: Vec<_> = self.cells().filter(|(_, _, j)| j.verdict > Verdict::Go).collect();
        cells.sort_by(|a, b| b.2.verdict.cmp(&a.2.verdict).then(b.2.until.cmp(&a.2.until)));
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins_and_nothing_is_no_data() {
        assert!(Verdict::NoGo > Verdict::NoData && Verdict::NoData > Verdict::Wait);
        assert!(Verdict::Wait > Verdict::Findings && Verdict::Findings > Verdict::Go);
        assert_eq!(RingVerdict::default().folded(), Verdict::NoData);
    }
}
