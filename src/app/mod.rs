//! The one value behind the screen.
