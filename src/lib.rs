//! gonogo: a flight console for multi-region Kubernetes releases.
//!
//! The map, in dependency order: a module uses only those above it
//! (`tests/architecture.rs` holds that).
//!
//! The world comes in only as stamped observations. The screen goes out only as a
//! function of one value. A change goes out only as an approved, journaled plan.
//! Everything that can grow is a pure translator in a file of its own, listed in
//! one table in its folder.

/// The pure core: fleet, observations, verdicts, plans, proofs. No I/O, no clock.
pub mod domain;
/// Workload kinds: objects in, our words out; a step in, an exact change out.
pub mod kinds;
/// Traffic providers: routes in, weights out; a weight in, an exact change out.
pub mod traffic;
/// Delivery tools: what brings a repository's state into a cluster, in our words.
pub mod delivery;
/// What carries a new version to a region, where it is not written into its workload.
pub mod carriers;
/// Gate types: what evidence they need, and how they judge it.
pub mod gates;
/// Metric sources: query text out, samples in.
pub mod metrics;
/// Plays a release by its policy on a world of its own: what waits for what, and until when.
pub mod forecast;
/// One value: fleet, record and verdicts; `update(message) -> effects`. No screen in it.
pub mod engine;
/// Text to a checked configuration, or errors that name file, line and fix.
pub mod config;
/// Judges release plans before they are carried out: one file per finding, and one table.
pub mod lint;
/// Keys to commands; the keymap, from which help is generated.
pub mod input;
/// How things look: roles, themes, glyphs, widgets.
pub mod look;
/// One file per pane: its state, its commands, its drawing.
pub mod panes;
/// The value behind the screen: engine, panes, focus, modals.
pub mod app;
/// Draws the app into a frame.
pub mod screen;
/// A simulated fleet at the wire: API servers, controllers, traffic, Prometheus.
pub mod sim;
/// Everything that can block or fail: clusters, Prometheus, journal, clock.
pub mod io;
/// Arguments and dispatch.
pub mod cli;
/// The shells: console, watch, one-shot verbs, terminal guard.
pub mod run;
