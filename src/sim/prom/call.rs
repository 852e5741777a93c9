//! Function calls. What is not here is refused by name.

use promql_parser::label::MatchOp;
use promql_parser::label::Matcher;
use promql_parser::parser::{Call, Expr, VectorSelector, token};

use super::error::QueryError;
use super::eval::Evaluator;
use super::histogram::histogram_quantile;
use super::value::{Column, Value, go_max, go_min, merge};
use super::window::{Window, WindowFn, window_fn};
use crate::sim::model::Labels;

/// Evaluates a call.
pub fn eval(ev: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let name = call.func.name;
    if let Some((of, keeps_name)) = window_fn(name) {
        return over_windows(ev, call, of, keeps_name);
    }
    if let Some(of) = number_fn(name) {
        return each(ev.vector(arg(call, 0)?)?, |_, v| Some(of(v)));
    }
    match name {
        "time" => Ok(Value::Scalar(times(ev))),
        "pi" => Ok(Value::Scalar(vec![std::f64::consts::PI; ev.steps.count()])),
        "vector" => {
            let values = ev.scalar(arg(call, 0)?)?.into_iter().map(Some).collect();
            Ok(Value::Vector(vec![Column { labels: Labels::default(), values }]))
        }
        "scalar" => scalar(ev, arg(call, 0)?),
        "timestamp" => timestamp(ev, arg(call, 0)?),
        "round" | "clamp" | "clamp_min" | "clamp_max" => bounded(ev, call),
        "minute" | "hour" | "day_of_week" => of_time(ev, call),
        "histogram_quantile" => {
            let q = ev.scalar(arg(call, 0)?)?;
            let buckets = ev.vector(arg(call, 1)?)?;
            merge(histogram_quantile(&q, buckets, ev.steps.count())).map(Value::Vector)
        }
        "sort" | "sort_desc" => sorted(ev, call),
        "absent" => {
            let present = ev.vector(arg(call, 0)?)?;
            Ok(absent(ev, arg(call, 0)?, |step| present.iter().any(|c| c.at(step).is_some())))
        }
        "absent_over_time" => {
            let mut seen = vec![false; ev.steps.count()];
            ev.windows(arg(call, 0)?, &mut |_, windows| {
                for (seen, window) in seen.iter_mut().zip(windows) {
                    *seen |= !window.samples.is_empty();
                }
                Ok(())
            })?;
            Ok(absent(ev, arg(call, 0)?, |step| seen.get(step).copied().unwrap_or(false)))
        }
        "label_replace" => label_replace(ev, call),
        "label_join" => label_join(ev, call),
        _ => Err(QueryError::unsupported(&format!("the function {name}()"))),
    }
}

fn arg(call: &Call, index: usize) -> Result<&Expr, QueryError> {
    call.args.args.get(index).map(AsRef::as_ref).ok_or_else(|| {
        QueryError::BadData(format!("invalid parameter \"query\": missing argument in call to {}()", call.func.name))
    })
}

fn text(call: &Call, index: usize) -> Result<&str, QueryError> {
    match arg(call, index)? {
        Expr::StringLiteral(text) => Ok(&text.val),
        Expr::Paren(_) => Err(QueryError::unsupported("strings in parentheses")),
        _ => Err(QueryError::BadData("invalid parameter \"query\": expected a string".to_owned())),
    }
}

/// Evaluation times in seconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^53")]
fn times(ev: &Evaluator) -> Vec<f64> {
    ev.steps.times().map(|t| t as f64 / 1000.0).collect()
}

/// Functions of one number that drop the metric's name.
fn number_fn(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sqrt" => f64::sqrt,
        "sgn" => |v| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                v
            }
        },
        _ => return None,
    })
}

/// Applies a function to every value; the metric's name goes.
fn each(columns: Vec<Column>, of: impl Fn(usize, f64) -> Option<f64>) -> Result<Value, QueryError> {
    let changed = columns
        .into_iter()
        .map(|c| Column {
            labels: c.labels.nameless(),
            values: c.values.into_iter().enumerate().map(|(i, v)| v.and_then(|v| of(i, v))).collect(),
        })
        .collect();
    merge(changed).map(Value::Vector)
}

fn over_windows(ev: &Evaluator, call: &Call, of: WindowFn, keeps_name: bool) -> Result<Value, QueryError> {
    let (range, params) = match call.func.name {
        "quantile_over_time" => (arg(call, 1)?, ev.scalar(arg(call, 0)?)?),
        "predict_linear" => (arg(call, 0)?, ev.scalar(arg(call, 1)?)?),
        _ => (arg(call, 0)?, Vec::new()),
    };
    let dialect = ev.options.dialect;
    let mut columns = Vec::new();
    ev.windows(range, &mut |labels, windows| {
        let values: Vec<Option<f64>> = windows.iter().enumerate().filter(|(_, w)| !w.samples.is_empty()).fold(
            vec![None; windows.len()],
            |mut values, (step, w)| {
                let param = params.get(step).copied().unwrap_or(f64::NAN);
                let window = Window { samples: w.samples, start: w.start, end: w.end, at: w.at, param, dialect };
                if let Some(value) = values.get_mut(step) {
                    *value = of(window);
                }
                values
            },
        );
        if values.iter().any(Option::is_some) {
            let labels = if keeps_name { labels.clone() } else { labels.nameless() };
            columns.push(Column { labels, values });
        }
        Ok(())
    })?;
    merge(columns).map(Value::Vector)
}

/// The value of a vector with exactly one element, else NaN.
fn scalar(ev: &Evaluator, expr: &Expr) -> Result<Value, QueryError> {
    let columns = ev.vector(expr)?;
    let one = |step| {
        let mut present = columns.iter().filter_map(|c| c.at(step));
        match (present.next(), present.next()) {
            (Some(v), None) => v,
            _ => f64::NAN,
        }
    };
    Ok(Value::Scalar((0..ev.steps.count()).map(one).collect()))
}

/// The time of the samples where the argument is a selector, else of the evaluation.
fn timestamp(ev: &Evaluator, expr: &Expr) -> Result<Value, QueryError> {
    if let Some(selector) = bare_selector(expr) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^53")]
        let columns = ev.newest(selector, |_, sample| sample.t as f64 / 1000.0)?;
        return each(columns, |_, v| Some(v));
    }
    let times = times(ev);
    each(ev.vector(expr)?, |step, _| times.get(step).copied())
}

fn bare_selector(expr: &Expr) -> Option<&VectorSelector> {
    match expr {
        Expr::VectorSelector(selector) => Some(selector),
        Expr::Paren(inner) => bare_selector(&inner.expr),
        _ => None,
    }
}

/// `round`, `clamp`, `clamp_min` and `clamp_max`.
fn bounded(ev: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let columns = ev.vector(arg(call, 0)?)?;
    let parameter =
        |i: usize| -> Result<Option<Vec<f64>>, QueryError> { call.args.args.get(i).map(|a| ev.scalar(a)).transpose() };
    let (first, second) = (parameter(1)?, parameter(2)?);
    let at = |values: &Option<Vec<f64>>, step: usize| values.as_ref().and_then(|v| v.get(step).copied());
    let nan = f64::NAN;
    each(columns, |step, v| {
        let a = at(&first, step);
        match call.func.name {
            "round" => {
                let inverse = 1.0 / a.unwrap_or(1.0);
                Some((v * inverse + 0.5).floor() / inverse)
            }
            "clamp_min" => Some(go_max(a.unwrap_or(nan), v)),
            "clamp_max" => Some(go_min(a.unwrap_or(nan), v)),
            _ => {
                let (min, max) = (a.unwrap_or(nan), at(&second, step).unwrap_or(nan));
                // With max below min there is no result at all.
                if max < min { None } else { Some(go_max(min, go_min(max, v))) }
            }
        }
    })
}

/// UTC parts of a time that need no calendar.
fn of_time(ev: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let columns = match call.args.args.first() {
        Some(given) => ev.vector(given)?,
        None => {
            let values = times(ev).into_iter().map(Some).collect();
            vec![Column { labels: Labels::default(), values }]
        }
    };
    let name = call.func.name;
    each(columns, |_, v| {
        let seconds = v.trunc();
        Some(match name {
            "minute" => (seconds / 60.0).floor().rem_euclid(60.0),
            "hour" => (seconds / 3_600.0).floor().rem_euclid(24.0),
            // The epoch was a Thursday.
            _ => ((seconds / 86_400.0).floor() + 4.0).rem_euclid(7.0),
        })
    })
}

fn sorted(ev: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let mut columns = ev.vector(arg(call, 0)?)?;
    // Range queries sort by labels in the end, as Prometheus does.
    let down = call.func.name == "sort_desc";
    columns.sort_by(|a, b| {
        let (a, b) = (a.at(0).unwrap_or(f64::NAN), b.at(0).unwrap_or(f64::NAN));
        let order = if down { b.partial_cmp(&a) } else { a.partial_cmp(&b) };
        // NaN comes last both ways.
        order.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    });
    Ok(Value::Vector(columns))
}

/// One element with value 1 where nothing is present, labelled by the equality matchers.
fn absent(ev: &Evaluator, expr: &Expr, present: impl Fn(usize) -> bool) -> Value {
    let values: Vec<Option<f64>> = (0..ev.steps.count()).map(|s| (!present(s)).then_some(1.0)).collect();
    Value::Vector(vec![Column { labels: absent_labels(expr), values }])
}

fn absent_labels(expr: &Expr) -> Labels {
    let selector = match expr {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.vs,
        _ => return Labels::default(),
    };
    let named = |name: &str| selector.matchers.matchers.iter().filter(|m| m.name == name).count();
    let unique = selector.matchers.matchers.iter().filter(|m| {
        matches!(m.op, MatchOp::Equal) && m.name != crate::sim::model::labels::METRIC_NAME && named(&m.name) == 1
    });
    Labels::new(unique.map(|m| (m.name.as_str(), m.value.as_str())))
}

fn label_replace(ev: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let columns = ev.vector(arg(call, 0)?)?;
    let (target, replacement, source, pattern) = (text(call, 1)?, text(call, 2)?, text(call, 3)?, text(call, 4)?);
    let matcher = Matcher::new_matcher(token::T_EQL_REGEX, source.to_owned(), pattern.to_owned());
    let Ok(Matcher { op: MatchOp::Re(regex), .. }) = matcher else {
        return Err(QueryError::Execution(format!("invalid regular expression in label_replace(): {pattern}")));
    };
    let changed = columns
        .into_iter()
        .map(|c| {
            let Some(found) = regex.captures(c.labels.get(source)) else {
                return c;
            };
            let mut value = String::new();
            found.expand(replacement, &mut value);
            Column { labels: c.labels.with(target, &value), values: c.values }
        })
        .collect();
    merge(changed).map(Value::Vector)
}

fn label_join(ev: &Evaluator, call: &Call) -> Result<Value, QueryError> {
    let columns = ev.vector(arg(call, 0)?)?;
    let (target, separator) = (text(call, 1)?, text(call, 2)?);
    let sources: Vec<&str> = (3..call.args.args.len()).map(|i| text(call, i)).collect::<Result<_, _>>()?;
    let changed = columns
        .into_iter()
        .map(|c| {
            let joined: Vec<&str> = sources.iter().map(|s| c.labels.get(s)).collect();
            Column { labels: c.labels.with(target, &joined.join(separator)), values: c.values }
        })
        .collect();
    merge(changed).map(Value::Vector)
}
