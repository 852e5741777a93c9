//! Parameters of the HTTP API: form decoding, times, durations.

use jiff::Timestamp;

use super::error::QueryError;

/// Form parameters in order, from the query string and the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes `a=1&b=2`; bad escapes stay as they are.
    pub fn decode(form: &str) -> Self {
        let pairs = form.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (unescape(name), unescape(value))
        });
        Self(pairs.collect())
    }

    /// Adds the parameters of another form behind these.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The first value of a parameter; empty when absent, as Prometheus takes it.
    pub fn first(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A time, or the default when absent.
    pub fn time_or(&self, name: &str, default: i64) -> Result<i64, QueryError> {
        match self.first(name) {
            "" => Ok(default),
            text => parse_time(text).ok_or_else(|| {
                invalid(name, &format!("invalid time value for '{name}': cannot parse \"{text}\" to a valid timestamp"))
            }),
        }
    }

    /// A time that must be there.
    pub fn time(&self, name: &str) -> Result<i64, QueryError> {
        let text = self.first(name);
        parse_time(text).ok_or_else(|| invalid(name, &format!("cannot parse \"{text}\" to a valid timestamp")))
    }

    /// A duration in ms that must be there.
    pub fn duration(&self, name: &str) -> Result<i64, QueryError> {
        let text = self.first(name);
        parse_duration(text).ok_or_else(|| invalid(name, &format!("cannot parse \"{text}\" to a valid duration")))
    }

    /// A duration in ms, where it is given.
    pub fn optional_duration(&self, name: &str) -> Result<Option<i64>, QueryError> {
        if self.first(name).is_empty() { Ok(None) } else { self.duration(name).map(Some) }
    }
}

/// Prometheus's words for a bad parameter.
pub fn invalid(name: &str, why: &str) -> QueryError {
    QueryError::BadData(format!("invalid parameter \"{name}\": {why}"))
}

/// Seconds (a float) or RFC 3339, in ms.
fn parse_time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return to_millis(seconds);
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Seconds (a float) or Prometheus's notation (`1h30m`), in ms.
fn parse_duration(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        // Prometheus cuts a duration off at nanoseconds and then at milliseconds.
        return to_millis(seconds).map(|_| truncated(seconds));
    }
    let parsed = promql_parser::util::parse_duration(text).ok()?;
    i64::try_from(parsed.as_millis()).ok()
}

/// Whole milliseconds of a duration that is known to fit.
#[expect(clippy::cast_possible_truncation, reason = "checked by the caller; the cast saturates")]
fn truncated(seconds: f64) -> i64 {
    (seconds * 1e9) as i64 / 1_000_000
}

fn to_millis(seconds: f64) -> Option<i64> {
    // Year 10,000 is far enough and keeps every later sum exact.
    let fits = seconds.is_finite() && seconds.abs() < 2.6e11;
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    fits.then(|| (seconds * 1000.0).round() as i64)
}

fn unescape(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                let digits = ahead.next().zip(ahead.next());
                match digits.and_then(|(a, b)| Some(hex(a)? * 16 + hex(b)?)) {
                    Some(decoded) => {
                        out.push(decoded);
                        bytes = ahead;
                    }
                    None => out.push(byte),
                }
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let params = Params::decode("query=sum(up%7Ba%3D%22b%22%7D)+%2B+1&match[]=a&match%5B%5D=b&x=%zz&y");
        assert_eq!(params.first("query"), "sum(up{a=\"b\"}) + 1");
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((params.first("x"), params.first("y"), params.first("z")), ("%zz", "", ""));
    }

    #[test]
    fn times_and_durations_are_read_in_both_notations() {
        assert_eq!(parse_time("1780315200.25"), Some(1_780_315_200_250));
        assert_eq!(parse_time("2026-06-01T12:00:00.25Z"), Some(1_780_315_200_250));
        assert_eq!(parse_time("yesterday"), None);
        assert_eq!(parse_time("NaN"), None);
        assert_eq!(parse_duration("1h30m"), Some(5_400_000));
        assert_eq!(parse_duration("15"), Some(15_000));
        assert_eq!(parse_duration("0.5"), Some(500));
        assert_eq!(parse_duration("134.468"), Some(134_467), "134.468 is a little less in binary");
        assert_eq!(parse_duration("15 apples"), None);
    }
}
