//! How things look: roles, themes, glyphs, and the few widgets that panes are made of.
//!
//! A pane names a *role* (what a text means), never a colour; a theme turns roles into
//! styles; all text reaches the terminal through [`Canvas`](crate::look::canvas::Canvas), the cell writer.

pub mod canvas;
pub mod chart;
pub mod depth;
pub mod frame;
pub mod glyph;
pub mod line;
pub mod role;
pub mod scroll;
pub mod spark;
pub mod table;
pub mod theme;
pub mod themes;

pub use canvas::Canvas;
pub use line::Line;
pub use role::Role;
pub use theme::Theme;
