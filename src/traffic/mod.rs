//! Traffic providers, each a pure translator in a file of its own, listed in one table.
