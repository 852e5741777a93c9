//! Windows of several regions, pooled: what the others do at the same time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::id::{ColumnName, RingIx, Text};
use super::stamp::{Timestamp, WINDOW};

/// One column of several regions over a span.
#[derive(Debug, Default)]
pub struct Pool {
    /// End of the first window.
    pub first: Timestamp,
    /// Every window from there on.
    pub windows: Vec<Pooled>,
    /// The regions it is made of.
    pub regions: Vec<Text>,
    /// Regions that are left out, with the reason.
    pub left_out: Vec<(Text, &'static str)>,
}

/// One window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pooled {
    /// Sum of values times weights.
    pub sum: f64,
    /// Sum of weights; 0: unknown.
    pub weight: f64,
    /// Requests of the regions that were known; none: traffic is not measured.
    pub requests: Option<f64>,
}

impl Pooled {
    /// The pooled value; none: no region was known.
    pub fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight).filter(|v| v.is_finite())
    }
}

impl Pool {
    /// The window that ended then.
    pub fn at(&self, end: Timestamp) -> Option<&Pooled> {
        let nth = end.as_second().saturating_sub(self.first.as_second()) / WINDOW.as_secs();
        self.windows.get(usize::try_from(nth).ok()?)
    }
}

/// Pools that the judgements of one moment share: each follows from the evidence alone, and is made once.
#[derive(Debug, Default)]
pub struct Pools(RefCell<BTreeMap<(RingIx, ColumnName, Timestamp), Rc<Pool>>>);

impl Pools {
    /// The pool that a ring's regions are compared with, by one column, from the window that ended at `first`.
    pub fn get(&self, ring: RingIx, column: &ColumnName, first: Timestamp, make: impl FnOnce() -> Pool) -> Rc<Pool> {
        let key = (ring, column.clone(), first);
        if let Some(pool) = self.0.borrow().get(&key) {
            return pool.clone();
        }
        let pool = Rc::new(make());
        self.0.borrow_mut().insert(key, pool.clone());
        pool
    }
}
