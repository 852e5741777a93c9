//! `gonogo check --plan`: findings in release plans, as text and as JSON.

use serde_json::{Value, json};

use super::VERSION;
use crate::domain::fleet::Service;
use crate::lint::{Finding, Report, Severity, place};

/// For people: what is open first, what is accepted, what could not be judged.
pub fn text(judged: &[(&Service, Report)]) -> String {
    let mut out = String::new();
    for (service, report) in judged {
        if !out.is_empty() {
            out.push('\n');
        }
        one(&mut out, service, report);
    }
    out
}

fn one(out: &mut String, service: &Service, report: &Report) {
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    let mut open: Vec<&Finding> = report.open().collect();
    // What is worse comes first; else the order of the table.
    open.sort_by_key(|f| std::cmp::Reverse(f.check.severity));
    for finding in &open {
        let (check, found) = (finding.check, &finding.found);
        line(&format!("{} {} ({}) {}", check.code, check.name, check.severity.word(), place(service, found)));
        line(&format!("  {}", found.sentence));
        line(&format!("  fix: {}", found.fix));
        line("");
    }
    let waived: Vec<&Finding> = report.findings.iter().filter(|f| f.waived.is_some()).collect();
    if !waived.is_empty() {
        line("waived:");
        for finding in &waived {
            let reason = finding.waived.as_deref().unwrap_or_default();
            line(&format!("  {} {}: {}", finding.check.code, place(service, &finding.found), finding.found.sentence));
            line(&format!("    because {reason}"));
        }
        line("");
    }
    if !report.unchecked.is_empty() {
        line("not checked:");
        for (check, why) in &report.unchecked {
            line(&format!("  {} {}: {why}", check.code, check.name));
        }
        line("");
    }
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let high = open.iter().filter(|f| f.check.severity == Severity::High).count();
    let high = if high > 0 { format!(" ({high} high)") } else { String::new() };
    line(&format!(
        "{}: {}{high}, {} waived, {} not checked",
        service.name,
        count(open.len(), "finding", "findings"),
        waived.len(),
        report.unchecked.len()
    ));
}

/// For scripts.
pub fn json(judged: &[(&Service, Report)], measured: bool) -> Value {
    let services: Vec<Value> = judged.iter().map(|(service, report)| service_json(service, report)).collect();
    json!({"version": VERSION, "kind": "plan-check", "measured": measured, "services": services})
}

fn service_json(service: &Service, report: &Report) -> Value {
    let finding = |f: &Finding| {
        json!({
            "code": f.check.code, "name": f.check.name, "severity": f.check.severity.word(),
            "ring": f.found.ring.and_then(|at| service.ring(at)).map(|r| r.name.to_string()),
            "region": f.found.region.and_then(|at| service.region(at)).map(|r| r.name.to_string()),
            "sentence": f.found.sentence, "fix": f.found.fix, "waived": f.waived,
        })
    };
    let unchecked = report.unchecked.iter().map(|(c, why)| json!({"code": c.code, "name": c.name, "why": why}));
    json!({
        "service": service.name,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "not_checked": unchecked.collect::<Vec<_>>(),
    })
}
