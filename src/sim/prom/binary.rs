//! Binary operators: arithmetic, comparisons, sets, and the matching of vectors.

use std::collections::{HashMap, HashSet};

use promql_parser::parser::token::{self, TokenType};
use promql_parser::parser::{BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::error::QueryError;
use super::eval::Evaluator;
use super::value::{Column, Value, merge};
use crate::sim::model::Labels;
use crate::sim::model::labels::METRIC_NAME;

/// Evaluates a binary expression.
pub fn eval(ev: &Evaluator, binary: &BinaryExpr) -> Result<Value, QueryError> {
    let default = BinModifier::default();
    let modifier = binary.modifier.as_ref().unwrap_or(&default);
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err(QueryError::unsupported("fill() between vectors"));
    }
    let op = Operator { op: binary.op, returns_bool: modifier.return_bool };
    let (left, right) = (ev.eval(&binary.lhs)?, ev.eval(&binary.rhs)?);
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let both = left.into_iter().zip(right);
            both.map(|(a, b)| op.on_scalars(a, b)).collect::<Result<_, _>>().map(Value::Scalar)
        }
        (Value::Vector(columns), Value::Scalar(numbers)) => op.with_numbers(columns, &numbers, false),
        (Value::Scalar(numbers), Value::Vector(columns)) => op.with_numbers(columns, &numbers, true),
        (Value::Vector(left), Value::Vector(right)) if binary.op.is_set_operator() => {
            Ok(Value::Vector(sets(binary.op, modifier, left, right, ev.steps.count())))
        }
        (Value::Vector(left), Value::Vector(right)) => op.matched(modifier, left, right, ev.steps.count()),
        _ => Err(QueryError::BadData(format!(
            "invalid parameter \"query\": operator '{}' is not defined on strings",
            binary.op
        ))),
    }
}

/// Prometheus's words for two matches on the side that may have only one.
const MANY_TO_ONE: &str = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
/// Prometheus's words for two results with one set of labels.
const NOT_UNIQUE: &str = "multiple matches for labels: grouping labels must ensure unique matches";

#[derive(Clone, Copy)]
struct Operator {
    op: TokenType,
    returns_bool: bool,
}

impl Operator {
    /// The number of an arithmetic operator; for a comparison the left side, if it holds.
    fn apply(self, a: f64, b: f64) -> Result<Option<f64>, QueryError> {
        let keep = |holds: bool| holds.then_some(a);
        Ok(match self.op.id() {
            token::T_ADD => Some(a + b),
            token::T_SUB => Some(a - b),
            token::T_MUL => Some(a * b),
            token::T_DIV => Some(a / b),
            token::T_POW => Some(a.powf(b)),
            token::T_MOD => Some(a % b),
            token::T_EQLC => keep(a == b),
            token::T_NEQ => keep(a != b),
            token::T_GTR => keep(a > b),
            token::T_LSS => keep(a < b),
            token::T_GTE => keep(a >= b),
            token::T_LTE => keep(a <= b),
            _ => {
                return Err(QueryError::unsupported(&format!("the operator {}", self.op)));
            }
        })
    }

    /// As [`Self::apply`], with `bool` turning a comparison into 0 or 1.
    fn result(self, a: f64, b: f64) -> Result<Option<f64>, QueryError> {
        let result = self.apply(a, b)?;
        Ok(if self.returns_bool { Some(f64::from(u8::from(result.is_some()))) } else { result })
    }

    fn on_scalars(self, a: f64, b: f64) -> Result<f64, QueryError> {
        let result = self.apply(a, b)?;
        Ok(match result {
            Some(v) if !self.op.is_comparison_operator() => v,
            other => f64::from(u8::from(other.is_some())),
        })
    }

    fn drops_name(self) -> bool {
        self.returns_bool || !self.op.is_comparison_operator()
    }

    /// A vector with a scalar. A comparison keeps the vector's value, on whichever side it is.
    fn with_numbers(self, columns: Vec<Column>, numbers: &[f64], numbers_first: bool) -> Result<Value, QueryError> {
        let mut changed = Vec::with_capacity(columns.len());
        for column in columns {
            let mut values = Vec::with_capacity(column.values.len());
            for (own, &number) in column.values.into_iter().zip(numbers) {
                let Some(own) = own else {
                    values.push(None);
                    continue;
                };
                let (a, b) = if numbers_first { (number, own) } else { (own, number) };
                let result = self.result(a, b)?;
                let filtered = self.op.is_comparison_operator() && !self.returns_bool;
                values.push(if filtered { result.map(|_| own) } else { result });
            }
            let labels = if self.drops_name() { column.labels.nameless() } else { column.labels };
            if values.iter().any(Option::is_some) {
                changed.push(Column { labels, values });
            }
        }
        merge(changed).map(Value::Vector)
    }

    /// Two vectors, one-to-one, many-to-one or one-to-many.
    fn matched(
        self,
        modifier: &BinModifier,
        left: Vec<Column>,
        right: Vec<Column>,
        steps: usize,
    ) -> Result<Value, QueryError> {
        let swapped = matches!(modifier.card, VectorMatchCardinality::OneToMany(_));
        let one_to_one = matches!(modifier.card, VectorMatchCardinality::OneToOne);
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let one_side = if swapped { "left" } else { "right" };
        let mut ones: HashMap<Labels, Vec<Column>> = HashMap::new();
        for column in one {
            ones.entry(signature(&column.labels, modifier)).or_default().push(column);
        }
        // With nothing on the other side, nobody looks for duplicates.
        let looked_at: Vec<usize> = (0..steps).filter(|&step| many.iter().any(|c| c.at(step).is_some())).collect();
        for (labels, group) in &ones {
            check_unique(group, &looked_at, labels, one_side)?;
        }
        let mut seen: HashMap<Labels, Vec<bool>> = HashMap::new();
        let mut results = Vec::new();
        for column in many {
            let key = signature(&column.labels, modifier);
            let Some(partners) = ones.get(&key) else {
                continue;
            };
            for partner in partners {
                let taken = one_to_one.then(|| seen.entry(key.clone()).or_insert_with(|| vec![false; steps]));
                let values = self.pair(&column, partner, swapped, taken)?;
                if values.iter().any(Option::is_some) {
                    let labels = self.result_labels(modifier, &column.labels, &partner.labels);
                    results.push(Column { labels, values });
                }
            }
        }
        let merged = merge(results)
            .map_err(|_| QueryError::Execution(if one_to_one { MANY_TO_ONE } else { NOT_UNIQUE }.to_owned()))?;
        Ok(Value::Vector(merged))
    }

    /// The results of two matching elements, step by step. One-to-one, a second result at
    /// one step is an error; `taken` remembers the first.
    fn pair(
        self,
        column: &Column,
        partner: &Column,
        swapped: bool,
        mut taken: Option<&mut Vec<bool>>,
    ) -> Result<Vec<Option<f64>>, QueryError> {
        let mut values = Vec::with_capacity(column.values.len());
        for step in 0..column.values.len() {
            let (Some(own), Some(other)) = (column.at(step), partner.at(step)) else {
                values.push(None);
                continue;
            };
            let (a, b) = if swapped { (other, own) } else { (own, other) };
            let result = self.result(a, b)?;
            let place = taken.as_mut().and_then(|taken| taken.get_mut(step));
            if let Some(place) = place.filter(|_| result.is_some())
                && std::mem::replace(place, true)
            {
                return Err(QueryError::Execution(MANY_TO_ONE.to_owned()));
            }
            values.push(result);
        }
        Ok(values)
    }

    fn result_labels(self, modifier: &BinModifier, many: &Labels, one: &Labels) -> Labels {
        let kept = if self.drops_name() { many.nameless() } else { many.clone() };
        match &modifier.card {
            VectorMatchCardinality::ManyToOne(extra) | VectorMatchCardinality::OneToMany(extra) => {
                extra.labels.iter().fold(kept, |labels, name| labels.with(name, one.get(name)))
            }
            _ => match &modifier.matching {
                Some(LabelModifier::Include(on)) => kept.filtered(|n| on.labels.iter().any(|l| l == n)),
                Some(LabelModifier::Exclude(ignored)) => kept.filtered(|n| !ignored.labels.iter().any(|l| l == n)),
                None => kept,
            },
        }
    }
}

/// What two elements must have in common to match.
fn signature(labels: &Labels, modifier: &BinModifier) -> Labels {
    match &modifier.matching {
        Some(LabelModifier::Include(on)) => labels.filtered(|n| on.labels.iter().any(|l| l == n)),
        Some(LabelModifier::Exclude(ignored)) => {
            labels.filtered(|n| n != METRIC_NAME && !ignored.labels.iter().any(|l| l == n))
        }
        None => labels.nameless(),
    }
}

fn check_unique(group: &[Column], steps: &[usize], key: &Labels, side: &str) -> Result<(), QueryError> {
    for &step in steps {
        let mut present = group.iter().filter(|c| c.at(step).is_some());
        if let (Some(a), Some(b)) = (present.next(), present.next()) {
            return Err(QueryError::Execution(format!(
                "found duplicate series for the match group {key} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                b.labels, a.labels
            )));
        }
    }
    Ok(())
}

/// `and`, `or`, `unless`.
fn sets(op: TokenType, modifier: &BinModifier, left: Vec<Column>, right: Vec<Column>, steps: usize) -> Vec<Column> {
    let present = |columns: &[Column]| -> Vec<HashSet<Labels>> {
        let mut sets = vec![HashSet::new(); steps];
        for column in columns {
            let key = signature(&column.labels, modifier);
            for (set, _) in sets.iter_mut().zip(&column.values).filter(|(_, v)| v.is_some()) {
                set.insert(key.clone());
            }
        }
        sets
    };
    let keep = |columns: Vec<Column>, others: &[HashSet<Labels>], wanted: bool| -> Vec<Column> {
        columns
            .into_iter()
            .filter_map(|mut column| {
                let key = signature(&column.labels, modifier);
                for (value, set) in column.values.iter_mut().zip(others) {
                    if set.contains(&key) != wanted {
                        *value = None;
                    }
                }
                column.values.iter().any(Option::is_some).then_some(column)
            })
            .collect()
    };
    match op.id() {
        token::T_LAND => keep(left, &present(&right), true),
        token::T_LUNLESS => keep(left, &present(&right), false),
        _ => {
            let own = present(&left);
            let mut all = left;
            for column in keep(right, &own, false) {
                // The same series may be on the left at other steps.
                match all.iter_mut().find(|c| c.labels == column.labels) {
                    Some(same) => {
                        for (value, added) in same.values.iter_mut().zip(column.values) {
                            *value = value.or(added);
                        }
                    }
                    None => all.push(column),
                }
            }
            all
        }
    }
}
