//! A simulated fleet at the wire; it imports none of our own translators.
