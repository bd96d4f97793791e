//! The edge to the plant: device links, readings in, setpoints out, read-back, heartbeats.
