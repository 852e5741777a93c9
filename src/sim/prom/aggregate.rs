//! Aggregations `by` and `without` labels.

use std::collections::HashMap;

use promql_parser::parser::{AggregateExpr, LabelModifier, token};

use super::error::QueryError;
use super::eval::Evaluator;
use super::value::{Column, Value};
use super::window::quantile;
use crate::sim::model::Labels;
use crate::sim::model::labels::METRIC_NAME;

/// Evaluates an aggregation.
pub fn eval(ev: &Evaluator, aggregate: &AggregateExpr) -> Result<Value, QueryError> {
    let columns = ev.vector(&aggregate.expr)?;
    let steps = ev.steps.count();
    let param = |what: &str| {
        let expr = aggregate.param.as_ref();
        expr.map_or_else(|| Err(QueryError::BadData(format!("{what} needs a parameter"))), |e| ev.scalar(e))
    };
    let groups = grouped(columns, aggregate.modifier.as_ref());
    let fold = |of: fn(&mut Vec<f64>) -> f64| folded(groups.clone(), steps, |_, values| of(values));
    Ok(Value::Vector(match aggregate.op.id() {
        token::T_SUM => fold(|v| v.iter().sum()),
        token::T_AVG => fold(|v| mean(v)),
        token::T_MIN => fold(|v| extreme(v, |a, best| a < best)),
        token::T_MAX => fold(|v| extreme(v, |a, best| a > best)),
        token::T_COUNT => fold(|v| count(v.len())),
        token::T_GROUP => fold(|_| 1.0),
        token::T_STDDEV => fold(|v| variance(v).sqrt()),
        token::T_STDVAR => fold(|v| variance(v)),
        token::T_QUANTILE => {
            let q = param("quantile")?;
            folded(groups, steps, |step, values| quantile(q.get(step).copied().unwrap_or(f64::NAN), values))
        }
        token::T_TOPK => ranked(groups, &param("topk")?, true),
        token::T_BOTTOMK => ranked(groups, &param("bottomk")?, false),
        _ => {
            return Err(QueryError::unsupported(&format!("the aggregation {}", aggregate.op)));
        }
    }))
}

type Groups = Vec<(Labels, Vec<Column>)>;

/// Groups in order of first appearance.
fn grouped(columns: Vec<Column>, modifier: Option<&LabelModifier>) -> Groups {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Groups = Vec::new();
    for column in columns {
        let labels = match modifier {
            None => Labels::default(),
            Some(LabelModifier::Include(names)) => column.labels.filtered(|n| names.labels.iter().any(|l| l == n)),
            Some(LabelModifier::Exclude(names)) => {
                column.labels.filtered(|n| n != METRIC_NAME && !names.labels.iter().any(|l| l == n))
            }
        };
        let place = *places.entry(labels.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(column),
            None => groups.push((labels, vec![column])),
        }
    }
    groups
}

/// One column per group; a step without values has none.
fn folded(groups: Groups, steps: usize, of: impl Fn(usize, &mut Vec<f64>) -> f64) -> Vec<Column> {
    let mut values: Vec<f64> = Vec::new();
    groups
        .into_iter()
        .map(|(labels, group)| {
            let folded = (0..steps).map(|step| {
                values.clear();
                values.extend(group.iter().filter_map(|c| c.at(step)));
                (!values.is_empty()).then(|| of(step, &mut values))
            });
            Column { labels, values: folded.collect() }
        })
        .collect()
}

/// Keeps the k largest (or smallest) of each group at each step, labels and all.
fn ranked(groups: Groups, k: &[f64], largest: bool) -> Vec<Column> {
    let mut kept = Vec::new();
    for (_, mut group) in groups {
        for (step, &k) in k.iter().enumerate() {
            let mut order: Vec<(usize, f64)> =
                group.iter().enumerate().filter_map(|(i, c)| Some((i, c.at(step)?))).collect();
            order.sort_by(|a, b| {
                let by_value = if largest { b.1.partial_cmp(&a.1) } else { a.1.partial_cmp(&b.1) };
                by_value.unwrap_or_else(|| a.1.is_nan().cmp(&b.1.is_nan()))
            });
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at zero")]
            let k = if k.is_nan() { 0 } else { k.max(0.0) as usize };
            for &(index, _) in order.iter().skip(k) {
                if let Some(value) = group.get_mut(index).and_then(|c| c.values.get_mut(step)) {
                    *value = None;
                }
            }
        }
        // An instant answer is given in order of rank.
        group.sort_by(|a, b| {
            let (a, b) = (a.at(0), b.at(0));
            if largest { b.partial_cmp(&a) } else { a.partial_cmp(&b) }.unwrap_or(std::cmp::Ordering::Equal)
        });
        kept.extend(group.into_iter().filter(|c| c.values.iter().any(Option::is_some)));
    }
    kept
}

#[expect(clippy::cast_precision_loss, reason = "counts of series")]
fn count(n: usize) -> f64 {
    n as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count(values.len())
}

/// The smallest or largest value; a number beats NaN.
fn extreme(values: &[f64], better: fn(f64, f64) -> bool) -> f64 {
    let pick = |best: f64, v: f64| {
        if better(v, best) || best.is_nan() { v } else { best }
    };
    values.iter().copied().reduce(pick).unwrap_or(f64::NAN)
}
