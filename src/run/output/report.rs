//! `gonogo report`: what happened to a service, as Markdown and JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::VERSION;
use super::question::judgement_json;
use super::status::runs_text;
use crate::domain::fleet::Service;
use crate::domain::id::{RegionIx, ServiceIx};
use crate::domain::residency;
use crate::domain::stamp::{SignedDuration, short};
use crate::domain::text::visible;
use crate::engine::Engine;
use crate::engine::drills::due_sentence;
use crate::engine::report::{Ask, Figures, Report, Sort, Told};

/// Records keep no longer than this.
const RECORD_LIFE: SignedDuration = crate::domain::record::FACT_LIFE;

/// Everything that a report's page is made of.
pub struct Page<'a> {
    /// Names, and the gates as they stand.
    pub engine: &'a Engine,
    /// The service.
    pub at: ServiceIx,
    /// What was asked for.
    pub ask: &'a Ask,
    /// What is told.
    pub report: &'a Report,
    /// What could not be read.
    pub trouble: Option<String>,
}

impl Page<'_> {
    fn service(&self) -> Option<&Service> {
        self.engine.fleet.service(self.at)
    }

    fn region(&self, at: RegionIx) -> String {
        self.service().and_then(|s| s.region(at)).map_or_else(|| "?".to_owned(), |r| r.name.to_string())
    }

    fn span(&self) -> SignedDuration {
        self.ask.until.duration_since(self.ask.since)
    }

    /// What the report does not know, said first: silence must not read as peace.
    fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.span() > RECORD_LIFE {
            gaps.push("records keep 30 days: what is older comes from this host's journal alone".to_owned());
        }
        for at in &self.report.unread {
            gaps.push(format!("the record of {} was not read: what happened there is missing", self.region(*at)));
        }
        for (at, count) in &self.report.unreadable {
            gaps.push(format!("{}: {count} facts cannot be read", self.region(*at)));
        }
        if !self.report.withheld.is_empty() {
            let names: Vec<String> = self.report.withheld.iter().map(|at| self.region(*at)).collect();
            let of = names.join(", ");
            gaps.push(format!(
                "values measured in {of} are left out, and with them the exposure: they must stay there"
            ));
        }
        gaps.extend(self.trouble.clone());
        gaps
    }

    /// Markdown, for a ticket or a post-mortem.
    pub fn markdown(&self) -> String {
        let Some(service) = self.service() else { return String::new() };
        let day = |t: crate::domain::stamp::Timestamp| t.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let release = self.ask.release.as_ref().map(|v| format!(", release {}", cell(v))).unwrap_or_default();
        let mut out = format!(
            "# {}{release}\n\nFrom {} to {}; fleet {}.\n",
            cell(service.name.as_str()),
            day(self.ask.since),
            day(self.ask.until),
            cell(self.engine.fleet.name.as_str())
        );
        for gap in self.gaps() {
            let _ = writeln!(out, "\n> {}", cell(&gap));
        }
        out.push_str("\n## What happened\n\n");
        if self.report.told.is_empty() {
            out.push_str("Nothing is recorded.\n");
        } else {
            out.push_str("| when | who | what | where | why | outcome |\n|---|---|---|---|---|---|\n");
            self.report.told.iter().for_each(|t| out.push_str(&self.row(t)));
        }
        self.passed_over(&mut out, "Overrides", |t| !t.break_glass && !t.overrides.is_empty());
        self.passed_over(&mut out, "Broken glass", |t| t.break_glass);
        self.passed_over(&mut out, "Accepted windows", |t| t.sort == Sort::Accepted);
        self.drills(&mut out);
        self.gates(&mut out);
        if !self.report.exposure.is_empty() {
            out.push_str("\n## Exposure\n\n| when | share of live traffic on the new version |\n|---|---|\n");
            for (at, share) in &self.report.exposure {
                let unknown = if self.report.withheld.is_empty() { "not known" } else { "left out" };
                let share = share.map_or_else(|| unknown.to_owned(), |s| format!("{:.1} %", s * 100.0));
                let _ = writeln!(out, "| {} | {share} |", day(*at));
            }
        }
        out.push_str(
            "\n## Figures\n\n| region | promotions | per week | lead time | rolled back | time to restore |\n\
             |---|---|---|---|---|---|\n",
        );
        for figures in &self.report.figures {
            out.push_str(&self.figures(figures));
        }
        out.push_str(
            "\nLead time: from a version's arrival in the fleet to its promotion in the region, the median. Time to \
             restore: from a promotion that failed to its rollback, the median. Rolled back: share of promotions.\n",
        );
        out
    }

    fn row(&self, told: &Told) -> String {
        let regions: Vec<String> = told.regions.iter().map(|r| self.region(*r)).collect();
        format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            told.at.strftime("%Y-%m-%d %H:%M:%S"),
            cell(&told.by),
            cell(&told.what),
            if regions.is_empty() { "everywhere".to_owned() } else { cell(&regions.join(", ")) },
            if told.why.is_empty() { "–".to_owned() } else { cell(&told.why) },
            told.outcome.as_deref().map_or_else(|| "–".to_owned(), cell),
        )
    }

    fn passed_over(&self, out: &mut String, title: &str, which: impl Fn(&Told) -> bool) {
        let found: Vec<&Told> = self.report.told.iter().filter(|t| which(t)).collect();
        let _ = write!(out, "\n## {title}\n\n");
        if found.is_empty() {
            out.push_str("None.\n");
        }
        for told in found {
            let reason = if told.why.is_empty() { "no reason given" } else { &*told.why };
            let when = told.at.strftime("%Y-%m-%d %H:%M UTC");
            let _ = writeln!(out, "- {when}, {}: {} — {}", cell(&told.by), cell(&told.what), cell(reason));
            for overridden in &told.overrides {
                let _ = writeln!(out, "  - {}", cell(overridden));
            }
        }
    }

    /// Rollbacks that were walked through, and rings where nobody did lately.
    fn drills(&self, out: &mut String) {
        out.push_str("\n## Drills\n\n");
        let drills: Vec<&Told> = self.report.told.iter().filter(|t| t.sort == Sort::Drilled).collect();
        for told in &drills {
            let when = told.at.strftime("%Y-%m-%d %H:%M UTC");
            let _ = writeln!(out, "- {when}, {}: {}", cell(&told.by), cell(&told.what));
        }
        let due = self.service().and_then(|s| due_sentence(s, &self.engine.undrilled(self.at)));
        if drills.is_empty() && due.is_none() {
            out.push_str("None in this span.\n");
        }
        if let Some(due) = due {
            let _ = writeln!(out, "- {}", cell(&due.replace('`', "")));
        }
    }

    /// The gates as they stand, with what they rest on.
    fn gates(&self, out: &mut String) {
        let Some((service, state)) = self.service().zip(self.engine.services.get(self.at.at())) else { return };
        out.push_str("\n## Gates now\n");
        for (at, (ring, view)) in service.rings.iter().zip(&state.view.rings).enumerate() {
            let runs = runs_text(&view.runs);
            let _ = writeln!(out, "\n### {}: {}, {}\n", cell(ring.name.as_str()), cell(&runs), view.verdict.word());
            for (region, gate, judged) in self.engine.exit_gates(self.at, at.into()).cells() {
                let judged = residency::judgement(service, ring, region, gate, judged);
                let (region, word) = (self.region(region), judged.verdict.word());
                let _ = writeln!(out, "- {word} {} {}: {}", cell(&region), cell(gate), cell(&judged.sentence));
                for line in &judged.evidence {
                    let _ = writeln!(out, "  - {}", cell(line));
                }
            }
        }
    }

    fn figures(&self, figures: &Figures) -> String {
        let unknown = || "–".to_owned();
        let per_week = figures.per_week(self.span()).map_or_else(unknown, |n| format!("{n:.1}"));
        let rate = figures.failure_rate().map_or_else(unknown, |r| format!("{:.0} %", r * 100.0));
        format!(
            "| {} | {} | {per_week} | {} | {rate} | {} |\n",
            cell(&self.region(figures.region)),
            figures.deployments,
            figures.lead.map_or_else(unknown, short),
            figures.restore.map_or_else(unknown, short),
        )
    }

    /// The same as a document.
    pub fn json(&self) -> Value {
        let Some(service) = self.service() else { return Value::Null };
        let told: Vec<Value> = self
            .report
            .told
            .iter()
            .map(|t| {
                json!({
                    "at": t.at.to_string(), "by": &*t.by, "what": &*t.what, "why": &*t.why,
                    "regions": t.regions.iter().map(|r| self.region(*r)).collect::<Vec<_>>(),
                    "overrides": t.overrides.iter().map(|o| o.to_string()).collect::<Vec<_>>(),
                    "break_glass": t.break_glass, "sort": t.sort.key(),
                    "outcome": t.outcome.as_deref(), "plan": t.plan.as_deref(),
                })
            })
            .collect();
        let figures: Vec<Value> = self
            .report
            .figures
            .iter()
            .map(|f| {
                json!({
                    "region": self.region(f.region), "promotions": f.deployments, "rolled_back": f.failed,
                    "per_week": f.per_week(self.span()), "failure_rate": f.failure_rate(),
                    "lead_seconds": f.lead.map(|l| l.as_secs()), "restore_seconds": f.restore.map(|r| r.as_secs()),
                })
            })
            .collect();
        let state = self.engine.services.get(self.at.at());
        let gates: Vec<Value> = service
            .rings
            .iter()
            .zip(state.iter().flat_map(|s| &s.view.rings))
            .enumerate()
            .map(|(at, (ring, view))| {
                let exit = self.engine.exit_gates(self.at, at.into());
                let cells = exit.cells().map(|(region, gate, judged)| {
                    let judged = residency::judgement(service, ring, region, gate, judged);
                    json!({"region": self.region(region), "gate": &**gate, "judged": judgement_json(&judged)})
                });
                json!({
                    "ring": ring.name.as_str(), "runs": runs_text(&view.runs), "verdict": view.verdict.key(),
                    "cells": cells.collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "version": VERSION,
            "kind": "report",
            "fleet": self.engine.fleet.name.as_str(),
            "service": service.name.as_str(),
            "release": self.ask.release.as_deref(),
            "since": self.ask.since.to_string(),
            "until": self.ask.until.to_string(),
            "gaps": self.gaps(),
            "withheld": self.report.withheld.iter().map(|r| self.region(*r)).collect::<Vec<_>>(),
            "events": told,
            "exposure": self.report.exposure.iter().map(|(at, share)| json!({"at": at.to_string(), "share": share})).collect::<Vec<_>>(),
            "figures": figures,
            "undrilled": self.engine.undrilled(self.at).iter().map(|r| r.name.to_string()).collect::<Vec<_>>(),
            "gates": gates,
        })
    }
}

/// Text from clusters inside Markdown: nothing of it may be markup, a cell or a line of its own.
fn cell(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn text_from_clusters_is_no_markup() {
        assert_eq!(cell("a | b\n# c <script>"), "a \\| b \\# c \\<script\\>".replace("b ", "b␊"));
    }
}
