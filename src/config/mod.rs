//! Text to a checked configuration, or errors with file, line and fix.
