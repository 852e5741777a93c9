//! The patch types as an API server applies them.

/// RFC 6902, with the server's two liberties.
pub mod json;
/// RFC 7386.
pub mod merge;
/// Strategic merge: lists merged by key, with directives.
pub mod strategic;
