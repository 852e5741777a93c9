//! Questions for a metric source, ready to be sent: what, when, and whose the series are.

use super::id::{ColumnName, PrometheusIx, RegionIx, ServiceIx, Text};
use super::stamp::{SignedDuration, Timestamp};

/// A question for a Prometheus, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricQuestion {
    /// Which Prometheus.
    pub prometheus: PrometheusIx,
    /// Which service.
    pub service: ServiceIx,
    /// Which column.
    pub column: ColumnName,
    /// The query text.
    pub query: String,
    /// Now, or over a range.
    pub span: Span,
    /// How the answer's series map to regions.
    pub regions: SeriesOf,
}

/// When a query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// One instant.
    At(Timestamp),
    /// 5-minute windows: evaluated at every boundary from `first` to `last`.
    Windows {
        /// First window's end.
        first: Timestamp,
        /// Last window's end.
        last: Timestamp,
    },
    /// Exemplars that were measured in between.
    Exemplars {
        /// From.
        first: Timestamp,
        /// To.
        last: Timestamp,
    },
    /// Points: the last hour for a sparkline, the last week (hourly) for peaks.
    History {
        /// First point.
        first: Timestamp,
        /// Last point.
        last: Timestamp,
        /// Between points.
        step: SignedDuration,
    },
}

/// How the series of an answer map to regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesOf {
    /// One series, about one region.
    One(RegionIx),
    /// One series per value of the label.
    Label {
        /// The label.
        label: Text,
        /// Its value for each region.
        values: Vec<(RegionIx, Text)>,
    },
}
