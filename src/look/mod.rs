//! Roles, themes, palette, glyphs and widgets; knows no domain state.
