//! Draws the app into a frame.
