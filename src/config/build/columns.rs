//! `[column.NAME]`: the standard columns, the file's, the service's.

use super::super::reader::Table;
use super::super::source::{At, Span};
use super::names::{self, Kind};
use super::{Build, inside};
use crate::domain::fleet::{Better, Column, QueryText, Region, Unit};
use crate::domain::id::ColumnName;
use crate::domain::text::did_you_mean;
use crate::metrics::template::{Fill, PLACEHOLDERS, render};

/// A column that is there without being asked for.
#[derive(Clone, Copy, Debug)]
pub struct StandardColumn {
    /// Its name.
    pub name: &'static str,
    /// Heading.
    pub title: &'static str,
    /// One query for all regions, by the label `region`.
    pub query: &'static str,
    /// Unit of the samples.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// It measures traffic.
    pub traffic: bool,
}

const fn column(
    name: &'static str,
    title: &'static str,
    query: &'static str,
    unit: Unit,
    better: Better,
) -> StandardColumn {
    StandardColumn { name, title, query, unit, better, traffic: false }
}

/// The columns there are unless the file says otherwise: the usual HTTP, cAdvisor and
/// kube-state-metrics series, with the labels `service` and `region`.
pub const STANDARD: &[StandardColumn] = &[
    StandardColumn {
        traffic: true,
        ..column(
            "qps",
            "QPS",
            r#"sum by (region) (rate(http_requests_total{service="{{service}}"}[5m]))"#,
            Unit::PerSecond,
            Better::Neither,
        )
    },
    // Without an error there is no series of errors: zero then comes from the traffic itself.
    column(
        "errors",
        "errors",
        r#"(sum by (region) (rate(http_requests_total{service="{{service}}",code=~"5.."}[5m])) or sum by (region) (rate(http_requests_total{service="{{service}}"}[5m])) * 0) / sum by (region) (rate(http_requests_total{service="{{service}}"}[5m]))"#,
        Unit::Ratio,
        Better::Lower,
    ),
    column(
        "p50",
        "p50",
        r#"histogram_quantile(0.50, sum by (region, le) (rate(http_request_duration_seconds_bucket{service="{{service}}"}[5m])))"#,
        Unit::Seconds,
        Better::Lower,
    ),
    column(
        "p95",
        "p95",
        r#"histogram_quantile(0.95, sum by (region, le) (rate(http_request_duration_seconds_bucket{service="{{service}}"}[5m])))"#,
        Unit::Seconds,
        Better::Lower,
    ),
    column(
        "p99",
        "p99",
        r#"histogram_quantile(0.99, sum by (region, le) (rate(http_request_duration_seconds_bucket{service="{{service}}"}[5m])))"#,
        Unit::Seconds,
        Better::Lower,
    ),
    column(
        "cpu",
        "CPU",
        r#"sum by (region) (rate(container_cpu_usage_seconds_total{service="{{service}}"}[5m])) / sum by (region) (kube_pod_container_resource_requests{service="{{service}}",resource="cpu"})"#,
        Unit::Ratio,
        Better::Lower,
    ),
    column(
        "memory",
        "memory",
        r#"sum by (region) (container_memory_working_set_bytes{service="{{service}}"}) / sum by (region) (kube_pod_container_resource_limits{service="{{service}}",resource="memory"})"#,
        Unit::Ratio,
        Better::Lower,
    ),
];

/// A column as it stands so far.
#[derive(Clone, Debug)]
pub(super) struct ColumnDraft {
    name: String,
    title: Option<String>,
    query: Option<At<String>>,
    by: Option<String>,
    unit: Unit,
    better: Better,
    traffic: bool,
    /// Where it is written; none: a standard one.
    at: Option<Span>,
}

fn standard() -> Vec<ColumnDraft> {
    let draft = |c: &StandardColumn| ColumnDraft {
        name: c.name.to_owned(),
        title: Some(c.title.to_owned()),
        query: Some(At { value: c.query.to_owned(), at: Span::default() }),
        by: Some("region".to_owned()),
        unit: c.unit,
        better: c.better,
        traffic: c.traffic,
        at: None,
    };
    STANDARD.iter().map(draft).collect()
}

/// Columns of one table of columns laid over others.
fn over(build: &Build<'_>, table: Table<'_>, known: &mut Vec<ColumnDraft>) {
    for (name, table) in table.named("column") {
        names::check(build.problems, "column", &name.value, name.at);
        let draft = match known.iter_mut().find(|c| c.name == name.value) {
            Some(draft) => draft,
            None => {
                known.push(ColumnDraft {
                    name: name.value.clone(),
                    title: None,
                    query: None,
                    by: None,
                    unit: Unit::Number,
                    better: Better::Neither,
                    traffic: false,
                    at: Some(name.at),
                });
                let Some(draft) = known.last_mut() else { continue };
                draft
            }
        };
        draft.at = Some(name.at);
        if let Some(title) = table.text("title") {
            draft.title = Some(title.value);
        }
        if let Some(query) = table.text("query") {
            draft.query = Some(query);
            // Another query is another shape: `by` does not carry over.
            draft.by = None;
        } else if draft.query.is_none() && table.raw("query").is_none() {
            table.missing("query", "'sum(rate(http_requests_total{region=\"{{region}}\"}[5m]))'");
        }
        if let Some(by) = table.text("by") {
            draft.by = Some(by.value);
        }
        if let Some(unit) = table.word("unit") {
            draft.unit = Unit::NAMES.iter().find(|(n, _)| *n == unit.value).map_or(Unit::Number, |(_, u)| *u);
        }
        if let Some(better) = table.word("better") {
            draft.better = match better.value.as_str() {
                "lower" => Better::Lower,
                "higher" => Better::Higher,
                _ => Better::Neither,
            };
        }
        if let Some(traffic) = table.flag("traffic") {
            draft.traffic = traffic;
        }
    }
}

/// The columns of a service, in order.
pub(super) fn read(
    build: &Build<'_>,
    root: Table<'_>,
    defaults: Option<Table<'_>>,
    service: Table<'_>,
    name: &str,
    regions: &[Region],
) -> Vec<Column> {
    let mut known = standard();
    over(build, root, &mut known);
    over(build, service, &mut known);
    let chosen = service.texts("columns").or_else(|| defaults.and_then(|d| d.texts("columns")));
    let drafts: Vec<ColumnDraft> = match chosen {
        None => known,
        Some(names) => {
            let find = |wanted: &At<String>| {
                let found = known.iter().find(|c| c.name == wanted.value);
                if found.is_none() {
                    names::unknown(build.problems, Kind::Column, wanted, known.iter().map(|c| c.name.as_str()));
                }
                found.cloned()
            };
            names.iter().filter_map(find).collect()
        }
    };
    one_traffic(build, &drafts);
    drafts.into_iter().filter_map(|draft| finish(build, draft, name, regions)).collect()
}

/// Where the file marks its own traffic column, the standard one steps back; two of the file are an error.
fn one_traffic(build: &Build<'_>, drafts: &[ColumnDraft]) {
    let marked: Vec<&ColumnDraft> = drafts.iter().filter(|c| c.traffic).collect();
    if let [first, .., last] = marked.as_slice()
        && let Some(at) = last.at
    {
        let message = format!("`{}` and `{}` both measure the service's traffic", first.name, last.name);
        let fix = format!("write `traffic = false` in `[column.{}]`", first.name);
        build.problems.error("two-traffic-columns", at, message, fix);
    }
}

fn finish(build: &Build<'_>, draft: ColumnDraft, service: &str, regions: &[Region]) -> Option<Column> {
    let query = draft.query?;
    let names: Vec<&str> = regions.iter().map(|r| r.name.as_str()).collect();
    let common = |of: fn(&Region) -> &str| match regions.split_first() {
        Some((first, rest)) if rest.iter().all(|r| of(r) == of(first)) => Some(of(first).to_owned()),
        _ => None,
    };
    let namespace = common(|r| r.workload.namespace.as_str());
    let workload = common(|r| &r.workload.name);
    let by = draft.by.is_some();
    let fill = |name: &str| match name {
        "service" => Fill::One(service),
        "regions" => Fill::AnyOf(&names),
        "namespace" if by => namespace.as_deref().map_or(Fill::Unknown, Fill::One),
        "workload" if by => workload.as_deref().map_or(Fill::Unknown, Fill::One),
        "region" | "namespace" | "workload" | "version" | "template_hash" if !by => Fill::Later,
        _ => Fill::Unknown,
    };
    match render(&query.value, &fill) {
        Ok(text) => Some(Column {
            title: draft.title.unwrap_or_else(|| draft.name.clone()).into(),
            name: ColumnName::new(draft.name),
            query: match draft.by {
                Some(label) => QueryText::ByLabel { query: text.into(), label: label.into() },
                None => QueryText::PerRegion(text.into()),
            },
            unit: draft.unit,
            better: draft.better,
            is_traffic: draft.traffic,
        }),
        Err(found) => {
            for problem in found {
                let needle = query.value.get(problem.at.clone()).unwrap_or("{{");
                let at = inside(build.problems.source, query.at, needle);
                let (message, fix) = explain(&problem.name, problem.kind, by);
                build.problems.error("bad-placeholder", at, message, fix);
            }
            None
        }
    }
}

fn explain(name: &str, kind: crate::metrics::ProblemKind, by: bool) -> (String, String) {
    use crate::metrics::ProblemKind;
    let exists = PLACEHOLDERS.iter().any(|(known, _)| *known == name);
    if kind == ProblemKind::Unknown && by && exists {
        return (
            format!("`{{{{{name}}}}}` differs from region to region, but this is one query for all of them"),
            "leave `by` out to ask region by region, or use `{{regions}}` with `=~`".to_owned(),
        );
    }
    let fix = match kind {
        ProblemKind::Unknown => {
            let known: Vec<&str> = PLACEHOLDERS.iter().map(|(n, _)| *n).collect();
            match did_you_mean(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{{{{{near}}}}}`?"),
                None => {
                    format!("there is {}", known.iter().map(|k| format!("`{{{{{k}}}}}`")).collect::<Vec<_>>().join(" "))
                }
            }
        }
        ProblemKind::NotQuoted => format!("write it as a label's value: `label=\"{{{{{name}}}}}\"`"),
        ProblemKind::Unclosed => "close it with `}}`".to_owned(),
        ProblemKind::NeedsRegex => format!("write `label=~\"{{{{{name}}}}}\"`"),
        ProblemKind::NotInBackticks => "use double quotes inside the query".to_owned(),
    };
    (kind.text(name), fix)
}
