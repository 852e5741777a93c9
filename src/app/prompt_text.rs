//! The words of a prompt, line by line: what is hit, what changes, what follows, what to do.

use serde_json::Value;

use super::App;
use super::prompt::{Field, Prompt, asks};
use crate::domain::challenge::{Asked, Challenge};
use crate::domain::finding::Severity;
use crate::domain::fleet::Unit;
use crate::domain::id::RegionIx;
use crate::domain::intent::Direction;
use crate::domain::plan::{DiffLine, Plan, Refusal, Step, WriteRole};
use crate::domain::text::{safe, several};
use crate::engine::operation::ProposalState;
use crate::look::{Line, Role};
use crate::panes::layout::LEAST;

/// Whether a prompt fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// All of it.
    Whole,
    /// With its body scrolled.
    Scrolled,
    /// Not at all.
    Never,
}

/// A prompt as lines.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// In the upper border.
    pub title: String,
    /// What is read; it may be scrolled.
    pub body: Vec<Line>,
    /// What is typed; always in view.
    pub foot: Vec<Line>,
    /// Where the cursor stands: line of the foot, column.
    pub cursor: Option<(usize, usize)>,
    /// How loud its border is.
    pub border: Border,
}

/// How loud a border is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Border {
    /// As usual.
    #[default]
    Accent,
    /// It is a refusal, or break-glass.
    Loud,
}

/// Least lines of a scrolled body.
const LEAST_BODY: u16 = 5;
/// Narrowest prompt.
const NARROWEST: u16 = 50;
/// Widest prompt.
const WIDEST: u16 = 104;

/// Columns of a prompt's text in a terminal of that width.
pub fn columns(terminal: u16) -> u16 {
    terminal.saturating_sub(8).min(WIDEST)
}

/// Whether the prompt fits a terminal.
pub fn fit(app: &App, prompt: &Prompt, size: (u16, u16)) -> Fit {
    let columns = columns(size.0);
    if columns < NARROWEST || size.1 < LEAST.1 {
        return Fit::Never;
    }
    let sheet = sheet(app, prompt, columns);
    let lines = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    // Two borders, and the top line and the keys stay in view.
    let room = size.1.saturating_sub(4).saturating_sub(lines(sheet.foot.len()));
    if lines(sheet.body.len()) <= room {
        Fit::Whole
    } else if room >= LEAST_BODY {
        Fit::Scrolled
    } else {
        Fit::Never
    }
}

/// How far the prompt's body can be scrolled: lines that do not fit.
pub fn most_scroll(app: &App, prompt: &Prompt, size: (u16, u16)) -> usize {
    let sheet = sheet(app, prompt, columns(size.0));
    let room = usize::from(size.1.saturating_sub(4)).saturating_sub(sheet.foot.len());
    sheet.body.len().saturating_sub(room)
}

/// The prompt in so many columns.
pub fn sheet(app: &App, prompt: &Prompt, columns: u16) -> Sheet {
    let most = usize::from(columns);
    let Some(proposal) = app.engine.proposal.as_ref().filter(|p| p.id == prompt.id) else { return Sheet::default() };
    let mut sheet = Sheet { title: proposal.title.to_string(), ..Sheet::default() };
    let mut body = Vec::new();
    match &proposal.state {
        ProposalState::Reading { missing } => {
            body.push(Line::of(Role::Wait, "◔ checking… ").add(Role::Dim, missing_text(*missing)));
            body.push(Line::of(Role::Dim, prompt.rule.to_string()));
            sheet.foot = vec![Line::new(), Line::of(Role::Dim, "Esc to leave.")];
        }
        ProposalState::Refused(refusal) => {
            body.extend(refused(refusal));
            body.push(Line::of(Role::Dim, prompt.rule.to_string()));
            sheet.foot = vec![
                Line::new(),
                Line::of(Role::Dim, "Nothing was written. ").add(Role::Key, "Esc").add(Role::Dim, " to leave."),
            ];
            sheet.border = Border::Loud;
        }
        ProposalState::Ready { plan, challenge, checking } => {
            body.extend(ready(app, prompt, plan, *checking));
            foot(&mut sheet, prompt, plan, challenge);
            if plan.worst() == Some(Severity::BreakGlass) {
                sheet.border = Border::Loud;
            }
        }
    }
    sheet.body = body.iter().flat_map(|l| l.wrap(most, 4)).collect();
    if let Some(complaint) = &prompt.complaint {
        let at = sheet.foot.len().saturating_sub(1);
        sheet.foot.insert(at, Line::of(Role::Watch, format!("! {complaint}")));
        sheet.cursor = sheet.cursor.map(|(line, x)| (if line >= at { line + 1 } else { line }, x));
    }
    sheet
}

fn missing_text(missing: usize) -> String {
    match missing {
        1 => "1 answer missing".to_owned(),
        n => format!("{n} answers missing"),
    }
}

fn refused(refusal: &Refusal) -> Vec<Line> {
    vec![
        Line::of(Role::NoGo, format!("✗ refused ({}) ", refusal.code)).add(Role::Text, refusal.text.to_string()),
        Line::of(Role::Strong, "What to do: ").add(Role::Text, refusal.hint.to_string()),
    ]
}

fn ready(app: &App, prompt: &Prompt, plan: &Plan, checking: usize) -> Vec<Line> {
    let mut lines = blast(app, plan);
    lines.push(Line::of(Role::Dim, prompt.rule.to_string()));
    lines.push(Line::new());
    lines.extend(changes(app, plan));
    lines.push(checks(plan, checking));
    lines.push(Line::new());
    lines.push(Line::of(Role::Strong, "After: ").add(Role::Text, plan.after.to_string()));
    lines.push(Line::of(Role::Strong, "Way back: ").add(Role::Text, plan.way_back.to_string()));
    for finding in &plan.findings {
        let (role, glyph) = match finding.severity {
            Severity::Note => (Role::Dim, '·'),
            Severity::Warning => (Role::Watch, '!'),
            Severity::Override => (Role::Watch, '!'),
            Severity::BreakGlass => (Role::NoGo, '✗'),
        };
        let needs = match finding.severity {
            Severity::Override => " — an override: needs a reason",
            Severity::BreakGlass => " — break-glass",
            _ => "",
        };
        lines.push(
            Line::of(role, format!("{glyph} {}: ", finding.code)).add(Role::Text, finding.said()).add(role, needs),
        );
    }
    lines
}

/// `1 region · eu-west-1 on cluster prod-eu (uid 5c1e…) · 45.2k QPS, 41 % of live traffic`
fn blast(app: &App, plan: &Plan) -> Vec<Line> {
    let many = plan.blast.regions.len();
    let count = several(many, "region");
    let traffic = match (plan.blast.qps, plan.blast.share) {
        (Some(qps), Some(share)) => {
            format!("{} QPS, {} of live traffic", Unit::PerSecond.show(qps), Unit::Ratio.show(share))
        }
        (None, Some(share)) => format!("{} of live traffic", Unit::Ratio.show(share)),
        _ => "share of live traffic unknown: counts as 100 %".to_owned(),
    };
    let role = if plan.blast.share.is_none() { Role::NoData } else { Role::Strong };
    let places: Vec<String> = plan.blast.regions.iter().map(|r| place(app, *r)).collect();
    if let ([one], 1) = (places.as_slice(), many) {
        return vec![
            Line::of(Role::Strong, format!("{count} · "))
                .add(Role::Text, one.clone())
                .add(role, format!(" · {traffic}")),
        ];
    }
    let mut lines = vec![Line::of(Role::Strong, format!("{count} · ")).add(role, traffic)];
    lines.extend(places.into_iter().map(|p| Line::of(Role::Text, format!("  {p}"))));
    lines
}

fn place(app: &App, at: RegionIx) -> String {
    let Some(region) = app.scene().region(at) else { return "?".to_owned() };
    let cluster = app.engine.fleet.cluster_name(region.spec.cluster);
    let uid = region
        .cluster
        .and_then(|c| c.facts.uid.as_ref())
        .map_or_else(|| "uid unknown".to_owned(), |uid| format!("uid {}", short_uid(uid.as_str())));
    format!("{} on cluster {cluster} ({uid})", region.spec.name)
}

fn short_uid(uid: &str) -> String {
    let head: String = uid.chars().take(8).collect();
    if uid.chars().count() > 8 { format!("{head}…") } else { head }
}

/// What changes, region by region; regions with the same change share its lines.
fn changes(app: &App, plan: &Plan) -> Vec<Line> {
    let mut groups: Vec<(&Step, Vec<RegionIx>)> = Vec::new();
    for step in &plan.steps {
        match groups.iter_mut().find(|(s, _)| s.diff == step.diff && s.label == step.label && object(s) == object(step))
        {
            Some((_, regions)) => regions.push(step.region),
            None => groups.push((step, vec![step.region])),
        }
    }
    let several = plan.steps.len() > 1;
    let mut lines = Vec::new();
    for (step, regions) in groups {
        let names: Vec<&str> = regions.iter().map(|r| app.scene().region_name(*r)).collect();
        let mut head = Line::of(Role::Text, object(step)).add(Role::Dim, format!("  {}", step.label));
        if several {
            head = Line::of(Role::Strong, format!("{}: ", names.join(", "))).join(head);
        }
        lines.push(head);
        lines.extend(step.diff.iter().map(diff_line));
    }
    lines
}

fn object(step: &Step) -> String {
    let main = step.writes.iter().find(|w| w.role == WriteRole::Main);
    main.map_or_else(|| "record".to_owned(), |w| w.change.subject())
}

fn diff_line(diff: &DiffLine) -> Line {
    let field = diff.field.to_string();
    match (&diff.from, &diff.to) {
        (None, Some(to)) => {
            Line::of(Role::Changed, "+").add(Role::Dim, format!(" {field}  ")).add(Role::Text, value(to))
        }
        (Some(from), None) => {
            Line::of(Role::NoGo, "-").add(Role::Dim, format!(" {field}  ")).add(Role::Text, value(from))
        }
        (Some(from), Some(to)) => Line::of(Role::Accent, "~")
            .add(Role::Dim, format!(" {field}  "))
            .add(Role::Text, value(from))
            .add(Role::Accent, " → ")
            .add(Role::Strong, value(to)),
        (None, None) => Line::of(Role::Dim, format!("  {field}")),
    }
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    safe(&shorten_digests(&text), 300)
}

/// `…@sha256:91a0b1c2…`: twelve digits tell images apart, sixty-four hide what changed.
fn shorten_digests(text: &str) -> String {
    let Some((head, tail)) = text.split_once("@sha256:") else { return text.to_owned() };
    let digits = tail.chars().take_while(char::is_ascii_hexdigit).count();
    if digits <= 12 {
        return text.to_owned();
    }
    let kept: String = tail.chars().take(12).collect();
    let rest: String = tail.chars().skip(digits).collect();
    format!("{head}@sha256:{kept}…{rest}")
}

fn checks(plan: &Plan, checking: usize) -> Line {
    let count = |role: WriteRole| plan.steps.iter().flat_map(|s| &s.writes).filter(|w| w.role == role).count();
    let also = match (count(WriteRole::Record), count(WriteRole::Event)) {
        (0, 0) => String::new(),
        (r, 0) => format!("   also: {}", several(r, "record fact")),
        (r, e) => format!("   also: {}, {}", several(r, "record fact"), several(e, "event")),
    };
    let line = match (checking, plan.direction()) {
        (0, _) => match plan.rehearsed() {
            (_, 0) => Line::of(Role::Dim, "· no dry-run: only record facts"),
            (0, _) => Line::of(Role::Wait, "? not checked").add(Role::Dim, " no dry-run was answered"),
            (n, of) if n < of => {
                Line::of(Role::Wait, "? checked in part").add(Role::Dim, format!(" {n} of {of} dry-runs answered"))
            }
            _ => Line::of(Role::Go, "✓ checked").add(Role::Dim, " dry-run answered"),
        },
        (n, Direction::Raising) => Line::of(Role::Wait, "◔ checking… ").add(Role::Dim, missing_text(n)),
        (n, Direction::Lowering) => {
            Line::of(Role::Wait, "◔ checking… ").add(Role::Dim, format!("{}; need not be waited for", missing_text(n)))
        }
    };
    line.add(Role::Dim, also).add(Role::Dim, format!("   plan {}", plan.hash()))
}

fn foot(sheet: &mut Sheet, prompt: &Prompt, plan: &Plan, challenge: &Challenge) {
    let typed = |input: &tui_input::Input| (input.value().to_owned(), input.visual_cursor());
    let (reason, reason_cursor) = typed(&prompt.reason);
    let label = if challenge.reason_required { "Reason (needed): " } else { "Reason: " };
    let mut line = Line::of(Role::Strong, label);
    let field = |text: &str, least: usize| format!("{text}{}", "_".repeat(least.saturating_sub(text.chars().count())));
    line = line.add(Role::Input, field(&reason, 40));
    let mut cursor = Some((1, label.len() + reason_cursor));
    let asks = asks(challenge);
    let mut letters = asks.chars();
    let asks: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let mut last = Line::of(
        if plan.worst() == Some(Severity::BreakGlass) { Role::NoGo } else { Role::Strong },
        format!("{asks}."),
    );
    if let Asked::Typed(_) = &challenge.answer {
        let (answer, at) = typed(&prompt.answer);
        let before = last.width() + 3;
        last = last.add(Role::Dim, "  [").add(Role::Input, field(&answer, 18)).add(Role::Dim, "]");
        if prompt.field == Field::Answer {
            cursor = Some((2, before + at));
        }
    } else if prompt.field == Field::Answer {
        cursor = None;
    }
    let next = if prompt.field == Field::Answer { "  Tab: reason" } else { "  Tab or Enter: done" };
    line = line.add(Role::Dim, next);
    sheet.foot = vec![Line::new(), line, last];
    sheet.cursor = cursor;
}
