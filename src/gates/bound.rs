//! Bounds of a metric, written with a unit: `1%`, `200ms`, `1.5s`, `2GiB`, `100`.

use crate::domain::fleet::{Column, Param, Params, Unit};
use crate::domain::gate::ParamError;

/// Reads a bound in the column's own unit; none when it was not given.
pub(super) fn bound(params: &Params, name: &str, column: &Column) -> Result<Option<f64>, ParamError> {
    match params.0.get(name) {
        None => Ok(None),
        Some(Param::Number(number)) if number.is_finite() => Ok(Some(*number)),
        Some(Param::Text(text)) => match with_unit(text, column.unit) {
            Some(value) => Ok(Some(value)),
            None => Err(ParamError::new(
                name,
                format!("\"{text}\" does not fit the unit of {}; write e.g. {}", column.name, example(column.unit)),
            )),
        },
        Some(_) => Err(ParamError::new(name, format!("write a bound, e.g. {}", example(column.unit)))),
    }
}

fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Ratio => "\"1%\"",
        Unit::Seconds | Unit::Millis => "\"200ms\"",
        Unit::Bytes => "\"2GiB\"",
        Unit::PerSecond | Unit::Number => "100",
    }
}

fn with_unit(text: &str, unit: Unit) -> Option<f64> {
    let text = text.trim();
    let at = text.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(at)?;
    let number: f64 = number.trim().parse().ok()?;
    if !number.is_finite() {
        return None;
    }
    let factor = match (unit, suffix) {
        (_, "") => 1.0,
        (Unit::Ratio, "%") => 0.01,
        (Unit::Seconds, "ms") => 0.001,
        (Unit::Seconds, "s") | (Unit::Millis, "ms") => 1.0,
        (Unit::Millis, "s") => 1000.0,
        (Unit::Bytes, "KiB") => 1024.0,
        (Unit::Bytes, "MiB") => 1024.0 * 1024.0,
        (Unit::Bytes, "GiB") => 1024.0 * 1024.0 * 1024.0,
        (Unit::PerSecond | Unit::Number, "k") => 1000.0,
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_in_the_columns_unit() {
        for (text, unit, value) in [
            ("1%", Unit::Ratio, Some(0.01)),
            ("0.01", Unit::Ratio, Some(0.01)),
            ("200ms", Unit::Seconds, Some(0.2)),
            ("200ms", Unit::Millis, Some(200.0)),
            ("2GiB", Unit::Bytes, Some(2.0 * 1024.0 * 1024.0 * 1024.0)),
            ("200ms", Unit::Ratio, None),
            ("1 %", Unit::Ratio, Some(0.01)),
            ("inf", Unit::Number, None),
            ("", Unit::Number, None),
        ] {
            assert_eq!(with_unit(text, unit), value, "{text}");
        }
    }
}
