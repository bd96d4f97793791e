//! The range of every number in the configuration, by the name of its key.
//!
//! A key means the same wherever it stands, so one table serves all classes. The ranges are wide: they catch a wrong
//! unit or a slip of the keyboard, not an unusual plant.

/// A closed range with its unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    key: &'static str,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) unit: &'static str,
}

/// The range of a key; `None` where only the type counts.
pub(super) fn of(key: &str) -> Option<Range> {
    RANGES.iter().copied().find(|range| range.key == key)
}

const fn range(key: &'static str, low: f64, high: f64, unit: &'static str) -> Range {
    Range { key, low, high, unit }
}

const RANGES: &[Range] = &[
    range("altitude_m", -430.0, 5500.0, "m"),
    // Nameplates.
    range("volume_l", 1.0, 1e7, "L"),
    range("transport_s", 0.0, 3600.0, "s"),
    range("pumps", 1.0, 64.0, ""),
    range("pump_flow_lpm", 1.0, 1e6, "L/min"),
    range("pump_head_kpa", 1.0, 5000.0, "kPa"),
    range("pump_kw", 0.01, 1e4, "kW"),
    range("pump_min_speed", 0.0, 1.0, ""),
    range("rated_kw", 0.1, 1e6, "kW"),
    range("idle_kw", 0.0, 1e6, "kW"),
    range("power_kw", 0.01, 1e5, "kW"),
    range("fan_kw", 0.01, 1e4, "kW"),
    range("chip_kw", 0.01, 50.0, "kW"),
    range("approach_k", 0.1, 50.0, "K"),
    range("secondary_flow_lpm", 1.0, 1e5, "L/min"),
    range("secondary_pressure_kpa", 1.0, 2000.0, "kPa"),
    range("primary_flow_lpm", 1.0, 1e5, "L/min"),
    range("primary_pressure_kpa", 1.0, 2000.0, "kPa"),
    range("network_flow_lpm", 1.0, 1e5, "L/min"),
    range("water_flow_lpm", 1.0, 1e5, "L/min"),
    range("flow_lpm", 0.1, 1e5, "L/min"),
    range("min_flow_lpm_per_kw", 0.05, 10.0, "L/min per kW"),
    range("air_flow_m3_s", 0.01, 1e4, "m3/s"),
    range("liquid_fraction", 0.0, 1.0, ""),
    range("gpus", 0.0, 1e5, ""),
    range("chip_resistance_k_per_kw", 0.1, 1000.0, "K/kW"),
    range("chip_limit_c", 30.0, 150.0, "degC"),
    range("design_ambient_c", -40.0, 60.0, "degC"),
    range("min_speed", 0.0, 1.0, ""),
    range("cycles_of_concentration", 1.1, 50.0, ""),
    range("min_supply_c", 0.0, 150.0, "degC"),
    range("rollover", 1.0, 1e18, ""),
    // Limits.
    range("target", -60.0, 150.0, ""),
    range("critical", -60.0, 150.0, ""),
    range("trip", -60.0, 150.0, ""),
    range("dew_point_fallback_c", -20.0, 40.0, "degC"),
    range("design_wet_bulb_c", -40.0, 40.0, "degC"),
    // Prices: electricity may cost less than nothing.
    range("energy_per_kwh", -1000.0, 1000.0, "per kWh"),
    range("per_kwh", -1000.0, 1000.0, "per kWh"),
    range("from_h", 0.0, 24.0, "h"),
    range("to_h", 0.0, 24.0, "h"),
    range("water_per_m3", 0.0, 1e4, "per m3"),
    range("sewer_per_m3", 0.0, 1e4, "per m3"),
    range("carbon_per_kg", 0.0, 1000.0, "per kg"),
    range("heat_per_kwh", 0.0, 1000.0, "per kWh"),
    range("renewable_fraction", 0.0, 1.0, ""),
    range("market_g_per_kwh", 0.0, 2000.0, "g/kWh"),
    range("marginal_g_per_kwh", 0.0, 3000.0, "g/kWh"),
    range("source_water_l_per_kwh", 0.0, 100.0, "L/kWh"),
    // Books and reports.
    range("class", 0.0, 0.2, ""),
    range("compute_fraction", 0.1, 1.0, ""),
    range("reclaimed_fraction", 0.0, 1.0, ""),
    range("makeup_us_cm", 1.0, 1e5, "uS/cm"),
    range("floor_area_m2", 0.0, 1e7, "m2"),
    range("computer_room_m2", 0.0, 1e7, "m2"),
    range("limit", 0.0, 1000.0, ""),
    // Rooms.
    range("cycle_s", 1.0, 60.0, "s"),
    range("step_s", 1.0, 3600.0, "s"),
    range("air_step_s", 1.0, 3600.0, "s"),
    range("ignored_requests", 0.0, 1e4, ""),
    range("trim", -1.0, 0.0, ""),
    range("respond", 0.0, 1.0, ""),
    range("respond_max", 0.0, 1.0, ""),
    range("pressure_floor", 0.0, 1.0, ""),
    range("start_reserve_k", 0.0, 30.0, "K"),
    range("min_heat_fraction", 0.0, 1.0, ""),
    range("veto_limit", 1.0, 1000.0, ""),
    range("veto_window_s", 1.0, 86_400.0, "s"),
    range("return_after_s", 0.0, 604_800.0, "s"),
    range("override_max_s", 1.0, 604_800.0, "s"),
    range("heartbeat_misses", 1.0, 100.0, ""),
    range("coverage", 0.5, 0.999, ""),
    range("queue_timeout_s", 1.0, 86_400.0, "s"),
    range("retrain_h", 0.0, 8760.0, "h"),
    range("shadow_h", 0.1, 8760.0, "h"),
    range("period_s", 1.0, 3600.0, "s"),
    range("retention_days", 1.0, 36_500.0, "days"),
    range("raw_days", 1.0, 36_500.0, "days"),
    range("minute_days", 1.0, 36_500.0, "days"),
    range("quarter_days", 1.0, 36_500.0, "days"),
    range("max_mib", 1.0, 1e9, "MiB"),
    range("ttl_s", 3.0, 60.0, "s"),
    range("batch", 100.0, 50_000.0, ""),
    // Points.
    range("timeout_s", 0.1, 86_400.0, "s"),
    range("slew_per_s", 0.0, 1e9, ""),
    range("rise_per_min", 1e-6, 1e9, ""),
    range("fall_per_min", 1e-6, 1e9, ""),
    range("bounded_band", 0.0, 1e9, ""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use toml::{Table, Value};

    /// Keys of a point's table, whose range is that of the quantity, and lists, whose range is checked as a whole.
    const BY_OTHER_RULES: &[&str] = &["min", "max", "release", "unit", "carbon_g_per_kwh"];

    fn numbers(table: &Table, keys: &mut BTreeSet<String>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) => numbers(inner, keys),
                Value::Array(items) => items
                    .iter()
                    .filter_map(Value::as_table)
                    .for_each(|inner| numbers(inner, keys)),
                Value::Integer(_) | Value::Float(_) => drop(keys.insert(key.clone())),
                _ => {}
            }
        }
    }

    #[test]
    fn every_number_of_the_examples_has_a_range_and_every_range_a_number() {
        let mut keys = BTreeSet::new();
        for text in [
            include_str!("../../config/defaults.toml"),
            include_str!("../../config/demo.toml"),
            include_str!("../../config/frontier.toml"),
        ] {
            numbers(&text.parse().unwrap(), &mut keys);
        }
        let unranged: Vec<_> = keys
            .iter()
            .filter(|key| of(key).is_none() && !BY_OTHER_RULES.contains(&key.as_str()))
            .collect();
        assert!(unranged.is_empty(), "{unranged:?}");
        let unused: Vec<_> = RANGES
            .iter()
            .filter(|range| !keys.contains(range.key))
            .map(|range| range.key)
            .collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    fn leaves(table: &Table, keys: &mut BTreeSet<String>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) => leaves(inner, keys),
                _ => drop(keys.insert(key.clone())),
            }
        }
    }

    #[test]
    fn the_reference_names_every_key_with_its_range() {
        let mut names: BTreeSet<_> = RANGES.iter().map(|range| range.key.to_owned()).collect();
        leaves(&include_str!("../../config/defaults.toml").parse().unwrap(), &mut names);
        let reference = include_str!("../../config/README.md");
        for name in names {
            let cell = format!("| `{name}` | ");
            let rows: Vec<_> = reference.lines().filter_map(|line| line.strip_prefix(&cell)).collect();
            assert!(!rows.is_empty(), "config/README.md has no row for `{name}`");
            let Some(range) = of(&name) else { continue };
            let text = format!("{} to {} {}", range.low, range.high, range.unit);
            assert!(
                rows.iter().all(|row| row.starts_with(text.trim_end())),
                "`{name}` is {text}, not {rows:?}"
            );
        }
    }
}
