//! Small fleets and states for tests.
