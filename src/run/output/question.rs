//! The board's question as text and JSON: may a ring have a version, why not, and when that may change.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::VERSION;
use super::wording::for_verbs;
use crate::domain::fleet::Service;
use crate::domain::id::{RingIx, ServiceIx};
use crate::domain::residency;
use crate::domain::stamp::{Timestamp, short};
use crate::domain::text::{visible, without_subject};
use crate::domain::verdict::Judgement;
use crate::engine::Engine;
use crate::engine::view::{Question, QuestionRow, Turn};
use crate::look::glyph::ring_word;

/// The answer in one line.
pub fn line_of(service: &Service, question: &Question) -> String {
    let ring = service.ring(question.ring).map(|r| r.name.to_string()).unwrap_or_default();
    format!(
        "may {ring} have {}? {} — {}\n",
        visible(&question.version.0),
        question.verdict,
        visible(&question.sentence)
    )
}

/// The answer in one line, for a service by its position.
pub fn line(engine: &Engine, at: ServiceIx, question: &Question) -> String {
    engine.fleet.service(at).map(|service| line_of(service, question)).unwrap_or_default()
}

/// What a ring runs and where it stands, in one line.
pub fn ring_line(engine: &Engine, at: ServiceIx, ring: RingIx) -> String {
    let name = engine.fleet.service(at).and_then(|s| s.ring(ring)).map(|r| r.name.to_string()).unwrap_or_default();
    match engine.services.get(at.at()).and_then(|s| s.view.rings.get(ring.at())) {
        Some(view) => format!("{name} runs {} and is {}", super::status::runs_text(&view.runs), ring_word(view.phase)),
        None => format!("{name} was not seen"),
    }
}

/// Where a row stands, e.g. `ring-1 ap-south-1`.
fn row_name(service: &Service, row: &QuestionRow) -> String {
    let ring = service.ring(row.ring).map(|r| r.name.to_string()).unwrap_or_default();
    match row.region.and_then(|at| service.region(at)) {
        Some(region) => format!("{ring} {}", region.name),
        None => ring,
    }
}

/// When the answer may change, as a sentence.
fn turn_text(turn: Turn, now: Timestamp) -> String {
    match turn {
        Turn::Now => "it may go now".to_owned(),
        Turn::At(at) if at > now => format!(
            "it may change at {}, in {}, all going well",
            at.strftime("%Y-%m-%d %H:%M UTC"),
            short(at.duration_since(now))
        ),
        Turn::At(_) => "it may change at any moment".to_owned(),
        Turn::Unknown => "it does not change by itself: what is named above must be seen to".to_owned(),
    }
}

/// Plain sentences: the answer, every cause worst first, who stands behind it, and when it may change.
pub fn text(engine: &Engine, at: ServiceIx, question: &Question) -> String {
    let Some(service) = engine.fleet.service(at) else { return String::new() };
    let mut out = line_of(service, question);
    for (row, gate, judgement) in question.causes() {
        let _ = writeln!(
            out,
            "  {:<7} {} {}: {}",
            judgement.verdict.word(),
            row_name(service, row),
            visible(gate),
            visible(without_subject(&row_name(service, row), &judgement.sentence))
        );
        for finding in &judgement.findings {
            let _ = writeln!(out, "          ! {}", visible(&finding.said()));
        }
        if let (Some(stretch), Some(region)) = (&judgement.acceptable, row.region.and_then(|r| service.region(r))) {
            let (service, region) = (service.name.as_str(), region.name.as_str());
            let column = visible(stretch.column.as_str());
            let _ = writeln!(out, "          `gonogo accept {service} {region} --column {column}` accepts it");
        }
    }
    let view = engine.services.get(at.at()).map(|s| &s.view);
    for alarm in view.iter().flat_map(|v| &v.alarms) {
        let _ = writeln!(out, "  ! {}", visible(&for_verbs(alarm, Some(service.name.as_str()))));
    }
    let _ = writeln!(out, "{}", turn_text(question.turn(), engine.server_now()));
    for line in people(service, question.ring) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// Who decides and whom to call, for a ring's regions; a line each, said once where they agree.
pub fn people(service: &Service, ring: RingIx) -> Vec<String> {
    let regions = service.ring(ring).map(|r| r.regions.as_slice()).unwrap_or_default();
    let regions = || regions.iter().filter_map(|at| service.region(*at));
    let mut lines = Vec::new();
    let mut add = |word: &str, values: Vec<String>| {
        let mut values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).collect();
        values.dedup();
        if !values.is_empty() {
            lines.push(format!("{word}: {}", visible(&values.join("; "))));
        }
    };
    let own = |own: &Option<crate::domain::id::Text>, all: &Option<crate::domain::id::Text>| {
        own.as_ref().or(all.as_ref()).map(ToString::to_string).unwrap_or_default()
    };
    add("owner", regions().map(|r| own(&r.owner, &service.owner)).collect());
    add("call", regions().map(|r| own(&r.escalation, &service.escalation)).collect());
    let deciders = regions().map(|r| if r.deciders.is_empty() { &service.deciders } else { &r.deciders });
    add("deciders", deciders.map(|d| d.join(", ")).collect());
    lines
}

/// The question as a document of its own.
pub fn document(engine: &Engine, at: ServiceIx, question: &Question, kind: &str) -> Value {
    let Some(service) = engine.fleet.service(at) else { return Value::Null };
    let question = &question.told(service);
    let (may_change, changes_at) = match question.turn() {
        Turn::Now => ("now", None),
        Turn::At(at) => ("at", Some(at.to_string())),
        Turn::Unknown => ("unknown", None),
    };
    let causes: Vec<Value> = question
        .causes()
        .into_iter()
        .map(|(row, gate, judgement)| {
            json!({
                "ring": service.ring(row.ring).map(|r| r.name.to_string()),
                "region": row.region.and_then(|r| service.region(r)).map(|r| r.name.to_string()),
                "gate": &**gate, "verdict": judgement.verdict.key(), "sentence": &*judgement.sentence,
                "until": judgement.until.map(|t| t.to_string()),
            })
        })
        .collect();
    json!({
        "version": VERSION,
        "kind": kind,
        "service": service.name.as_str(),
        "withheld": withheld(service),
        "at": engine.server_now().to_string(),
        "question": json(service, question),
        "causes": causes,
        "may_change": may_change,
        "changes_at": changes_at,
    })
}

/// The question as JSON: the answer, and every cell with what it rests on.
pub fn json(service: &Service, question: &Question) -> Value {
    let rows: Vec<Value> = question
        .rows
        .iter()
        .map(|row| {
            let gates: serde_json::Map<String, Value> = question
                .gates
                .iter()
                .zip(&row.cells)
                .filter_map(|(g, c)| Some((g.to_string(), judgement_json(c.as_ref()?))))
                .collect();
            json!({
                "ring": service.ring(row.ring).map(|r| r.name.to_string()),
                "region": row.region.and_then(|r| service.region(r)).map(|r| r.name.to_string()),
                "gates": gates,
            })
        })
        .collect();
    json!({
        "ring": service.ring(question.ring).map(|r| r.name.to_string()),
        "version": question.version.to_string(),
        "verdict": question.verdict.key(),
        "sentence": &*question.sentence,
        "rows": rows,
    })
}

/// The regions whose measured values are left out.
pub fn withheld(service: &Service) -> Vec<String> {
    let staying = residency::staying(service);
    staying.into_iter().filter_map(|at| Some(service.region(at)?.name.to_string())).collect()
}

/// A judgement with what it rests on.
pub fn judgement_json(judged: &Judgement) -> Value {
    let figures: serde_json::Map<String, Value> =
        judged.figures.iter().map(|f| (f.name.to_owned(), f.value.into())).collect();
    let acceptable = judged
        .acceptable
        .as_ref()
        .map(|s| json!({"column": s.column.as_str(), "from": s.from.to_string(), "to": s.to.to_string()}));
    json!({
        "verdict": judged.verdict.key(), "cell": &*judged.cell, "sentence": &*judged.sentence,
        "until": judged.until.map(|t| t.to_string()),
        "evidence": judged.evidence.iter().map(|e| e.to_string()).collect::<Vec<_>>(),
        "figures": figures,
        "acceptable": acceptable,
    })
}
