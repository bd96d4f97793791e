//! The cycle against a simulated plant in virtual time, scored.
