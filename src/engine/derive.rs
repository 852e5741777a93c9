//! From what is believed to what is shown.
