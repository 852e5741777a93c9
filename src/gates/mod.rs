//! Gate types, each two pure functions in a file of its own, listed in one table.
