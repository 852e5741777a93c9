//! What the operator sees, as snapshots in two layers (text and roles), and what keys do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    missing_docs,
    reason = "tests"
)]

mod screens {
    mod boards;
    mod docs;
    mod fixture;
    mod keys;
    mod modals;
    mod panes;
    mod prompts;
    mod properties;
    mod stage;
}
