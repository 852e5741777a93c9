//! Where samples come from: made on the fly by the model, or a plain list.

use promql_parser::label::Matcher;

use super::error::QueryError;
use super::value::Sample;
use crate::sim::model::Labels;

/// Receives each selected series with its samples, oldest first.
pub type Visit<'a> = dyn FnMut(&Labels, &[Sample]) -> Result<(), QueryError> + 'a;

/// Gives samples. Stale markers are among them.
pub trait Storage: Send + Sync {
    /// Calls `visit` for every series that passes all matchers, with its samples from
    /// `from_ms` to `to_ms`, both inclusive. Series without samples there may be left out.
    fn select(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64, visit: &mut Visit) -> Result<(), QueryError>;

    /// Labels of the series with samples in the range, without reading their values
    /// where that is cheaper.
    fn series(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<Labels>, QueryError> {
        let mut all = Vec::new();
        self.select(matchers, from_ms, to_ms, &mut |labels, samples| {
            if !samples.is_empty() {
                all.push(labels.clone());
            }
            Ok(())
        })?;
        Ok(all)
    }
}

/// True when the labels pass every matcher; an absent label counts as empty.
fn passes(labels: &Labels, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|m| m.is_match(labels.get(&m.name)))
}

/// A plain list of series.
#[derive(Clone, Debug, Default)]
pub struct SampleList {
    series: Vec<(Labels, Vec<Sample>)>,
}

impl SampleList {
    /// Adds a series; samples must be in order of time.
    pub fn push(&mut self, labels: Labels, samples: Vec<Sample>) {
        self.series.push((labels, samples));
    }

    /// All series.
    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &[Sample])> {
        self.series.iter().map(|(labels, samples)| (labels, samples.as_slice()))
    }
}

impl Storage for SampleList {
    fn select(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64, visit: &mut Visit) -> Result<(), QueryError> {
        for (labels, samples) in self.series.iter().filter(|(l, _)| passes(l, matchers)) {
            let from = samples.partition_point(|s| s.t < from_ms);
            let to = samples.partition_point(|s| s.t <= to_ms);
            visit(labels, samples.get(from..to).unwrap_or_default())?;
        }
        Ok(())
    }
}
