//! The value that a console, a watch screen and a one-shot verb share.

pub mod effect;
