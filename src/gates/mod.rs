//! Gate types, each two pure functions in a file of its own, listed in one table.

use crate::domain::gate::GateType;

mod bake;
mod bound;
mod freshness;
mod ready;
mod threshold;

/// Every gate type.
pub const GATES: &[&dyn GateType] = &[&ready::Ready, &bake::Bake, &threshold::Threshold, &freshness::Freshness];

/// A gate type by its name in the configuration.
pub fn gate_type(name: &str) -> Option<&'static dyn GateType> {
    GATES.iter().copied().find(|g| g.name() == name)
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
