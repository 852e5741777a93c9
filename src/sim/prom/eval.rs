//! Evaluates a parsed expression over samples, for all steps of a query at once.

use promql_parser::label::Matcher;
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{AtModifier, Expr, Offset, SubqueryExpr, VectorSelector};

use super::error::QueryError;
use super::storage::Storage;
use super::value::{Answer, Column, Sample, Steps, Value, is_stale};
use super::window::Dialect;
use super::{aggregate, binary, call};
use crate::sim::model::Labels;

/// Points that one series of a range query may have.
pub const MAX_POINTS: i64 = 11_000;

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a sample is good for after its time, ms.
    pub lookback_ms: i64,
    /// Step of subqueries that name none, ms.
    pub default_step_ms: i64,
    /// Which release's rules.
    pub dialect: Dialect,
}

impl Default for Options {
    fn default() -> Self {
        Self { lookback_ms: 300_000, default_step_ms: 60_000, dialect: Dialect::V3 }
    }
}

/// Operators, calls and parentheses that one query may have. Parsing and evaluation
/// recurse, and 1,000 levels overflow the stack of a worker thread.
const MAX_OPERATORS: usize = 300;

/// Parses a query.
pub fn parse(query: &str) -> Result<Expr, QueryError> {
    if operators(query) > MAX_OPERATORS {
        return Err(QueryError::unsupported(&format!("expressions of more than {MAX_OPERATORS} operators")));
    }
    promql_parser::parser::parse(query)
        .map_err(|why| QueryError::BadData(format!("invalid parameter \"query\": parse error: {why}")))
}

/// How deep a query can nest at most: what opens a level, outside strings and matchers.
fn operators(query: &str) -> usize {
    let mut count = 0;
    let mut quote = None;
    let mut escaped = false;
    let mut in_matchers = false;
    let mut word = String::new();
    for c in query.chars() {
        if let Some(end) = quote {
            if c == end && !escaped {
                quote = None;
            }
            escaped = c == '\\' && end != '`' && !escaped;
            continue;
        }
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '{' => in_matchers = true,
            '}' => in_matchers = false,
            _ if in_matchers => {}
            '(' | '[' | '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' => count += 1,
            _ => {}
        }
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            count += usize::from(matches!(word.to_lowercase().as_str(), "and" | "or" | "unless" | "atan2"));
            word.clear();
        }
    }
    count
}

/// Evaluates at one time.
pub fn instant(storage: &dyn Storage, options: Options, expr: &Expr, at: i64) -> Result<Answer, QueryError> {
    let steps = Steps::instant(at);
    let evaluator = Evaluator { storage, options, steps: steps.clone(), outer: steps };
    if expr.value_type() == ValueType::Matrix {
        let mut series = Vec::new();
        evaluator.windows(expr, &mut |labels, windows| {
            if let Some(samples) = windows.first().map(|w| w.samples.to_vec())
                && !samples.is_empty()
            {
                series.push((labels.clone(), samples));
            }
            Ok(())
        })?;
        series.sort_by(|a, b| a.0.cmp(&b.0));
        return Ok(Answer::Matrix(series));
    }
    Ok(match evaluator.eval(expr)? {
        Value::Scalar(values) => Answer::Scalar(Sample { t: at, v: values.first().copied().unwrap_or(f64::NAN) }),
        Value::Text(text) => Answer::Text(at, text),
        Value::Vector(columns) => Answer::Vector(
            columns.into_iter().filter_map(|c| c.at(0).map(|v| (c.labels, Sample { t: at, v }))).collect(),
        ),
    })
}

/// Evaluates at every step of a range.
pub fn range(storage: &dyn Storage, options: Options, expr: &Expr, steps: &Steps) -> Result<Answer, QueryError> {
    if let kind @ (ValueType::Matrix | ValueType::String) = expr.value_type() {
        let kind = if kind == ValueType::Matrix { "range vector" } else { "string" };
        return Err(QueryError::BadData(format!(
            "invalid parameter \"query\": invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
        )));
    }
    let evaluator = Evaluator { storage, options, steps: steps.clone(), outer: steps.clone() };
    let columns = match evaluator.eval(expr)? {
        Value::Scalar(values) => {
            vec![Column { labels: Labels::default(), values: values.into_iter().map(Some).collect() }]
        }
        Value::Vector(columns) => columns,
        Value::Text(_) => return Err(QueryError::unsupported("strings in range queries")),
    };
    let times: Vec<i64> = steps.times().collect();
    let mut series: Vec<(Labels, Vec<Sample>)> = columns
        .into_iter()
        .map(|c| {
            let points = times.iter().zip(&c.values);
            let samples = points.filter_map(|(&t, v)| v.map(|v| Sample { t, v })).collect();
            (c.labels, samples)
        })
        .filter(|(_, samples): &(Labels, Vec<Sample>)| !samples.is_empty())
        .collect();
    series.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Answer::Matrix(series))
}

/// One window of one series, as a range selector gives it.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Samples inside, oldest first, without stale markers.
    pub samples: &'a [Sample],
    /// Left end, ms.
    pub start: i64,
    /// Right end, ms.
    pub end: i64,
    /// Evaluation time, ms.
    pub at: i64,
}

/// Receives a series' labels and its windows, one per step.
pub type VisitWindows<'a> = dyn FnMut(&Labels, &[Slice]) -> Result<(), QueryError> + 'a;

/// One evaluation: samples, rules and times.
pub struct Evaluator<'a> {
    storage: &'a dyn Storage,
    /// Rules.
    pub options: Options,
    /// The times at which to evaluate.
    pub steps: Steps,
    /// The times of the whole query; `@ start()` and `@ end()` mean these.
    outer: Steps,
}

impl Evaluator<'_> {
    /// Evaluates an expression that is not a range vector.
    pub fn eval(&self, expr: &Expr) -> Result<Value, QueryError> {
        match expr {
            Expr::NumberLiteral(number) => Ok(Value::Scalar(vec![number.val; self.steps.count()])),
            Expr::StringLiteral(text) => Ok(Value::Text(text.val.clone())),
            Expr::Paren(inner) => self.eval(&inner.expr),
            Expr::Unary(inner) => self.negated(&inner.expr),
            Expr::VectorSelector(selector) => Ok(Value::Vector(self.newest(selector, |_, sample| sample.v)?)),
            Expr::Call(call) => call::eval(self, call),
            Expr::Aggregate(aggregate) => aggregate::eval(self, aggregate),
            Expr::Binary(binary) => binary::eval(self, binary),
            Expr::MatrixSelector(_) | Expr::Subquery(_) => {
                Err(QueryError::BadData("invalid parameter \"query\": a range vector is not allowed here".to_owned()))
            }
            Expr::Extension(_) => Err(QueryError::unsupported("extensions of PromQL")),
        }
    }

    /// Evaluates an expression that must be an instant vector.
    pub fn vector(&self, expr: &Expr) -> Result<Vec<Column>, QueryError> {
        match self.eval(expr)? {
            Value::Vector(columns) => Ok(columns),
            _ => Err(QueryError::BadData("invalid parameter \"query\": expected an instant vector".to_owned())),
        }
    }

    /// Evaluates an expression that must be a scalar: one number per step.
    pub fn scalar(&self, expr: &Expr) -> Result<Vec<f64>, QueryError> {
        match self.eval(expr)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(QueryError::BadData("invalid parameter \"query\": expected a scalar".to_owned())),
        }
    }

    fn negated(&self, expr: &Expr) -> Result<Value, QueryError> {
        Ok(match self.eval(expr)? {
            Value::Scalar(values) => Value::Scalar(values.into_iter().map(|v| -v).collect()),
            Value::Vector(columns) => Value::Vector(super::value::merge(
                columns
                    .into_iter()
                    .map(|c| Column {
                        labels: c.labels.nameless(),
                        values: c.values.into_iter().map(|v| v.map(|v| -v)).collect(),
                    })
                    .collect(),
            )?),
            text @ Value::Text(_) => text,
        })
    }

    /// The newest sample of every selected series at every step, unless it is older than
    /// the lookback or the series has ended.
    pub fn newest(
        &self,
        selector: &VectorSelector,
        of: impl Fn(i64, Sample) -> f64,
    ) -> Result<Vec<Column>, QueryError> {
        let matchers = matchers(selector)?;
        let ends = self.reference_times(selector.at.as_ref(), selector.offset.as_ref());
        let first = |end: i64| self.options.dialect.first_inside(end - self.options.lookback_ms);
        let (Some(from), Some(to)) = (ends.iter().map(|&e| first(e)).min(), ends.iter().copied().max()) else {
            return Ok(Vec::new());
        };
        let mut columns = Vec::new();
        self.storage.select(&matchers, from, to, &mut |labels, samples| {
            let values: Vec<Option<f64>> = ends
                .iter()
                .map(|&end| {
                    let after = samples.partition_point(|s| s.t <= end);
                    let sample = *samples.get(after.checked_sub(1)?)?;
                    let good = sample.t >= first(end) && !is_stale(sample.v);
                    good.then(|| of(end, sample))
                })
                .collect();
            if values.iter().any(Option::is_some) {
                columns.push(Column { labels: labels.clone(), values });
            }
            Ok(())
        })?;
        Ok(columns)
    }

    /// Visits the windows of every series of a range selector or subquery.
    pub fn windows(&self, expr: &Expr, visit: &mut VisitWindows) -> Result<(), QueryError> {
        match expr {
            Expr::Paren(inner) => self.windows(&inner.expr, visit),
            Expr::MatrixSelector(matrix) => {
                let matchers = matchers(&matrix.vs)?;
                let ends = self.reference_times(matrix.vs.at.as_ref(), matrix.vs.offset.as_ref());
                let cut =
                    Cut { ends, range: millis(matrix.range)?, at: self.steps.clone(), dialect: self.options.dialect };
                let (from, to) = cut.bounds();
                let mut kept = Vec::new();
                self.storage.select(&matchers, from, to, &mut |labels, samples| {
                    kept.clear();
                    kept.extend(samples.iter().copied().filter(|s| !is_stale(s.v)));
                    visit(labels, &cut.slices(&kept))
                })
            }
            Expr::Subquery(subquery) => self.subquery(subquery, visit),
            _ => Err(QueryError::BadData("invalid parameter \"query\": expected a range vector".to_owned())),
        }
    }

    fn subquery(&self, subquery: &SubqueryExpr, visit: &mut VisitWindows) -> Result<(), QueryError> {
        let ends = self.reference_times(subquery.at.as_ref(), subquery.offset.as_ref());
        let range = millis(subquery.range)?;
        let step = subquery.step.map_or(Ok(self.options.default_step_ms), millis)?.max(1);
        let cut = Cut { ends, range, at: self.steps.clone(), dialect: self.options.dialect };
        let (from, to) = cut.bounds();
        if (to - from) / step > MAX_POINTS {
            return Err(QueryError::unsupported("subqueries of more than 11,000 steps"));
        }
        // Steps of a subquery lie on multiples of its step, whatever the query's time.
        let start = from.div_euclid(step) * step + if from.rem_euclid(step) == 0 { 0 } else { step };
        if start > to {
            return Ok(()); // no step lies in the range
        }
        let steps = Steps { start, end: to, step };
        let times: Vec<i64> = steps.times().collect();
        let inner = Evaluator { storage: self.storage, options: self.options, steps, outer: self.outer.clone() };
        let columns = match inner.eval(&subquery.expr)? {
            Value::Vector(columns) => columns,
            Value::Scalar(values) => {
                vec![Column { labels: Labels::default(), values: values.into_iter().map(Some).collect() }]
            }
            Value::Text(_) => return Err(QueryError::unsupported("subqueries over strings")),
        };
        for column in columns {
            let points = times.iter().zip(&column.values);
            let samples: Vec<Sample> = points.filter_map(|(&t, v)| v.map(|v| Sample { t, v })).collect();
            visit(&column.labels, &cut.slices(&samples))?;
        }
        Ok(())
    }

    /// For each step the time at which a selector looks.
    fn reference_times(&self, at: Option<&AtModifier>, offset: Option<&Offset>) -> Vec<i64> {
        let back = match offset {
            None => 0,
            Some(Offset::Pos(by)) => i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4),
            Some(Offset::Neg(by)) => -i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4),
        };
        let fixed = at.map(|at| match at {
            AtModifier::Start => self.outer.start,
            AtModifier::End => self.outer.end,
            AtModifier::At(time) => unix_millis(*time),
        });
        self.steps.times().map(|t| fixed.unwrap_or(t) - back).collect()
    }
}

/// How a range selector cuts samples into windows.
struct Cut {
    ends: Vec<i64>,
    range: i64,
    at: Steps,
    dialect: Dialect,
}

impl Cut {
    /// First and last time that any window needs.
    fn bounds(&self) -> (i64, i64) {
        let from = self.ends.iter().copied().min().unwrap_or(0) - self.range;
        (self.dialect.first_inside(from), self.ends.iter().copied().max().unwrap_or(0))
    }

    fn slices<'s>(&self, samples: &'s [Sample]) -> Vec<Slice<'s>> {
        self.ends
            .iter()
            .zip(self.at.times())
            .map(|(&end, at)| {
                let start = end - self.range;
                let first = self.dialect.first_inside(start);
                let from = samples.partition_point(|s| s.t < first);
                let to = samples.partition_point(|s| s.t <= end).max(from);
                Slice { samples: samples.get(from..to).unwrap_or_default(), start, end, at }
            })
            .collect()
    }
}

/// All matchers of a selector, the metric's name among them.
pub fn matchers(selector: &VectorSelector) -> Result<Vec<Matcher>, QueryError> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(QueryError::unsupported("`or` between label matchers"));
    }
    let mut all = selector.matchers.matchers.clone();
    if let Some(name) = &selector.name {
        let matcher = Matcher::new_metric_name_matcher(name.clone());
        all.insert(0, matcher.map_err(QueryError::BadData)?);
    }
    Ok(all)
}

fn millis(duration: std::time::Duration) -> Result<i64, QueryError> {
    i64::try_from(duration.as_millis()).map_err(|_| QueryError::BadData("duration out of range".to_owned()))
}

fn unix_millis(time: std::time::SystemTime) -> i64 {
    let signed = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 4);
    match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => signed(after),
        Err(before) => -signed(before.duration()),
    }
}
