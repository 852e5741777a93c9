//! One request out of those that a metric counts: the trace to look at when a window is outside its bounds.

use super::id::{ColumnName, Place, Text};
use super::metric::NoData;
use super::stamp::Timestamp;

/// Labels under which instrumentation puts the trace id.
const TRACE_LABELS: [&str; 3] = ["trace_id", "traceID", "traceId"];
/// Longest trace id that is put into a URL.
const LONGEST: usize = 128;
/// What stands for the trace id in a template of a URL.
pub const PLACE: &str = "{{trace_id}}";

/// A measured request with its trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// When it was measured.
    pub at: Timestamp,
    /// What was measured of it, in the series' own unit.
    pub value: f64,
    /// The trace id as the service wrote it: hostile text.
    pub trace: Text,
    /// Name of the series that it belongs to.
    pub series: Text,
}

/// The trace id among an exemplar's labels.
pub fn trace_of<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    TRACE_LABELS.iter().find_map(|name| label(name)).filter(|id| !id.is_empty())
}

/// Where a trace is shown; none where the id holds anything but letters, digits, `_` and `-`, or
/// is longer than 128: it could lead elsewhere.
pub fn trace_url(template: &str, id: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let fits = !id.is_empty() && id.len() <= LONGEST && id.bytes().all(plain);
    fits.then(|| template.replace(PLACE, id))
}

/// An exemplar that was asked for when a person looked at a breach.
#[derive(Clone, Debug, PartialEq)]
pub struct Sought {
    /// The region.
    pub place: Place,
    /// The column that is outside its bounds.
    pub column: ColumnName,
    /// End of the worst window.
    pub end: Timestamp,
    /// The newest exemplar of that window, none where there is none, or why it is not known; none: on its way.
    pub answer: Option<Result<Option<Exemplar>, NoData>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_id_becomes_a_part_of_a_url() {
        let template = "https://traces.example/t/{{trace_id}}?org=1";
        let url = |id: &str| trace_url(template, id);
        assert_eq!(url("4bf92f35-A_0").as_deref(), Some("https://traces.example/t/4bf92f35-A_0?org=1"));
        assert!(url(&"a".repeat(128)).is_some());
        for hostile in ["", "../admin", "a?b", "a#b", "a b", "a\u{1b}[2J", "ä", "%2e", "{{trace_id}}", &"a".repeat(129)]
        {
            assert_eq!(url(hostile), None, "{hostile:?}");
        }
    }
}
