//! Wires the rooms: the clock, the tick, modes, release, start and stop.
