//! REST, live stream, dashboard and `/metrics`.
