//! Expressions put together at random (from a fixed seed), to find what nobody thought of.

use fastrand::Rng;

const LABELS: [&str; 5] = ["region", "kind", "code", "version", "le"];

fn one(rng: &mut Rng, of: &[&'static str]) -> &'static str {
    rng.choice(of).unwrap_or(&"")
}

/// A selector in two parts: what goes before a range and what goes behind it.
fn selector(rng: &mut Rng) -> (String, &'static str) {
    let name = one(rng, &["gauge", "http_requests_total", "limit", "duration_seconds_bucket", "nothing_here"]);
    let matcher = one(
        rng,
        &[
            "",
            "",
            "{region=\"eu-west-1\"}",
            "{region!=\"eu-west-1\"}",
            "{region=~\"(ap|us)-.*\",version!~\"v2|v3\"}",
            "{kind=~\"wave|line|flat\"}",
            "{code=~\"5..\"}",
        ],
    );
    let offset = one(rng, &["", "", "", " offset 3m", " offset 95s", " @ end()"]);
    (format!("{name}{matcher}"), offset)
}

fn labels(rng: &mut Rng) -> String {
    let picked: Vec<&str> = LABELS.into_iter().filter(|_| rng.u8(0..3) == 0).collect();
    picked.join(", ")
}

/// A range vector.
fn range(rng: &mut Rng, depth: usize) -> String {
    let length = one(rng, &["30s", "1m", "5m", "7m13s", "20m"]);
    if depth > 0 && rng.u8(0..6) == 0 {
        return format!("({})[{length}:{}]", vector(rng, depth - 1), one(rng, &["", "30s", "1m"]));
    }
    let (what, offset) = selector(rng);
    format!("{what}[{length}]{offset}")
}

/// An instant vector.
pub fn vector(rng: &mut Rng, depth: usize) -> String {
    if depth == 0 {
        let (what, offset) = selector(rng);
        return format!("{what}{offset}");
    }
    let depth = depth - 1;
    match rng.u8(0..10) {
        0 | 1 => {
            let of = [
                "rate",
                "increase",
                "irate",
                "delta",
                "idelta",
                "avg_over_time",
                "min_over_time",
                "max_over_time",
                "sum_over_time",
                "count_over_time",
                "last_over_time",
                "changes",
                "resets",
                "deriv",
            ];
            format!("{}({})", one(rng, &of), range(rng, depth))
        }
        2 | 3 => {
            let of = ["sum", "avg", "min", "max", "count", "group"];
            let by = one(rng, &["by", "without"]);
            format!("{} {by} ({}) ({})", one(rng, &of), labels(rng), vector(rng, depth))
        }
        4 => {
            let op = one(rng, &["+", "-", "*", "/", ">", "<=", "== bool", "!= bool", ">"]);
            let number = one(rng, &["0", "1", "-3.5", "100", "1e3"]);
            if rng.bool() {
                format!("({} {op} {number})", vector(rng, depth))
            } else {
                format!("({number} {op} {})", vector(rng, depth))
            }
        }
        5 | 6 => {
            let op = one(rng, &["+", "/", "*", ">", "< bool"]);
            let matching = match rng.u8(0..4) {
                0 => String::new(),
                1 => format!(" ignoring ({})", labels(rng)),
                2 => " on (region) group_left ()".to_owned(),
                _ => format!(" on ({})", labels(rng)),
            };
            format!("({} {op}{matching} {})", vector(rng, depth), vector(rng, depth))
        }
        7 => {
            let op = one(rng, &["and", "or", "unless"]);
            let matching = one(rng, &["", " on (region)", " ignoring (kind, code)"]);
            format!("({} {op}{matching} {})", vector(rng, depth), vector(rng, depth))
        }
        8 => {
            // No rounding: it makes a whole one of the last bit, in which sums may differ.
            let of = ["abs", "sgn", "absent", "timestamp", "-"];
            format!("{}({})", one(rng, &of), vector(rng, depth))
        }
        _ => match rng.u8(0..3) {
            0 => format!("histogram_quantile(0.9, {})", vector(rng, depth)),
            1 => format!("clamp({}, -5, 50)", vector(rng, depth)),
            _ => format!("({} or vector(0))", vector(rng, depth)),
        },
    }
}
