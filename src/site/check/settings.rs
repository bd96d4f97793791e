//! Whether the settings make sense: limits, prices, addresses, names.

use crate::site::findings::{Findings, unknown};
use crate::site::{Band, Device, Disclosure, MqttSettings, Prices, Site, TlsSettings, WorkloadSettings};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The dirtiest grids emit about 1 kg per kWh; more than this is a wrong unit.
const MOST_CARBON_G_PER_KWH: f64 = 2000.0;
/// Keys of the ledger's indicators, which a threshold may name.
pub(crate) const INDICATORS: &[&str] = &[
    "pue",
    "ppue_cooling",
    "itue",
    "tue",
    "ref",
    "erf",
    "ere",
    "cer",
    "cue",
    "cue_market",
    "wue",
    "wue_source",
];

const SHORTEST_TOKEN: usize = 16;

pub(super) fn check(site: &Site, findings: &Findings<'_>) {
    let limits = &site.limits;
    rising("secondary_supply_c", &limits.secondary_supply_c, findings);
    rising("rack_return_c", &limits.rack_return_c, findings);
    rising("room_c", &limits.room_c, findings);
    falling("chip_margin_k", &limits.chip_margin_k, findings);
    falling("dew_point_margin_k", &limits.dew_point_margin_k, findings);
    prices(&site.prices, findings);
    disclosure(&site.disclosure, findings);
    identity(site, findings);
    addresses(site, findings);
    let pin = &site.safety.limits_pin;
    if !pin.is_empty() && *pin != site.limits_hash {
        let message = format!(
            "does not fit the limits: their hash is {}; have whoever signs the limits look at [limits], [safety] and \
             [points], and write that",
            site.limits_hash
        );
        findings.add("safety.limits_pin", message);
    }
    let (resets, cycle) = (&site.control.trim_respond, site.control.cycle_s);
    for (key, step) in [("step_s", resets.step_s), ("air_step_s", resets.air_step_s)] {
        if step < cycle {
            findings.add(
                format!("control.trim_respond.{key}"),
                format!("is {step}, shorter than the cycle; write at least {cycle}"),
            );
        }
    }
}

fn rising(name: &str, band: &Band, findings: &Findings<'_>) {
    if band.target >= band.critical || band.critical >= band.trip {
        findings.add(format!("limits.{name}"), wrong_order(band, "target < critical < trip"));
    }
}

fn falling(name: &str, band: &Band, findings: &Findings<'_>) {
    if band.target <= band.critical || band.critical <= band.trip {
        findings.add(format!("limits.{name}"), wrong_order(band, "target > critical > trip"));
    }
}

fn wrong_order(band: &Band, order: &str) -> String {
    format!(
        "has target {}, critical {}, trip {}; write them so that {order}",
        band.target, band.critical, band.trip
    )
}

fn prices(prices: &Prices, findings: &Findings<'_>) {
    for (index, window) in prices.windows.iter().enumerate() {
        if window.from_h >= window.to_h {
            let message = format!(
                "runs from {} to {}; write from_h < to_h, and two windows for one that passes midnight",
                window.from_h, window.to_h
            );
            findings.add(format!("prices.windows.[{}]", index + 1), message);
        }
    }
    let carbon = &prices.carbon_g_per_kwh;
    if carbon.len() != 24 {
        let message = format!("has {} values; write 24, one for each hour of the day", carbon.len());
        findings.add("prices.carbon_g_per_kwh", message);
    }
    for (hour, value) in carbon
        .iter()
        .enumerate()
        .filter(|(_, value)| **value < 0.0 || **value > MOST_CARBON_G_PER_KWH)
    {
        let message = format!("is {value}; write gCO2e per kWh, from 0 to {MOST_CARBON_G_PER_KWH}");
        findings.add(format!("prices.carbon_g_per_kwh.[{}]", hour + 1), message);
    }
}

fn disclosure(told: &Disclosure, findings: &Findings<'_>) {
    let kinds = ["enterprise", "colocation", "co-hosting"];
    if !kinds.contains(&told.kind.as_str()) {
        findings.add("disclosure.kind", unknown("value", &told.kind, &kinds));
    }
    let since = &told.in_operation_since;
    if !since.is_empty() && format!("{since}-01").parse::<Date>().is_err() {
        findings.add(
            "disclosure.in_operation_since",
            format!("is `{since}`; write year and month, such as \"2026-01\""),
        );
    }
    for (index, threshold) in told.thresholds.iter().enumerate() {
        let path = format!("disclosure.thresholds.[{}]", index + 1);
        if threshold.from.parse::<Date>().is_err() {
            let message = format!("is `{}`; write a day, such as \"2027-07-01\"", threshold.from);
            findings.add(format!("{path}.from"), message);
        }
        if !INDICATORS.contains(&threshold.indicator.as_str()) {
            findings.add(
                format!("{path}.indicator"),
                unknown("indicator", &threshold.indicator, INDICATORS),
            );
        }
    }
}

fn identity(site: &Site, findings: &Findings<'_>) {
    if site.name.is_empty() {
        findings.add("site.name", "is empty; write the site's name");
    }
    if TimeZone::get(&site.time_zone).is_err() {
        let message = format!(
            "`{}` is not a known time zone; write an IANA name, such as \"Europe/Berlin\"",
            site.time_zone
        );
        findings.add("site.time_zone", message);
    }
    if site.currency.len() != 3 || !site.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let message = format!(
            "is `{}`; write an ISO 4217 code of three capitals, such as \"EUR\"",
            site.currency
        );
        findings.add("site.currency", message);
    }
}

fn addresses(site: &Site, findings: &Findings<'_>) {
    if !is_host_and_port(&site.api.listen) {
        let message = format!(
            "is `{}`; write \"host:port\", such as \"127.0.0.1:8080\"",
            site.api.listen
        );
        findings.add("api.listen", message);
    }
    for (key, token) in [
        ("operator_token", &site.api.operator_token),
        ("feed_token", &site.api.feed_token),
    ] {
        let length = token.chars().count();
        if length > 0 && length < SHORTEST_TOKEN {
            let message =
                format!("has {length} characters; write at least {SHORTEST_TOKEN}, or none to allow no action");
            findings.add(format!("api.{key}"), message);
        }
    }
    if !site.api.feed_token.is_empty() && site.api.feed_token == site.api.operator_token {
        findings.add(
            "api.feed_token",
            "is the operator's token; write another, since every node of the cluster has it",
        );
    }
    broker(&site.mqtt, "mqtt", findings);
    broker(&site.dsx.mqtt, "dsx.mqtt", findings);
    if !site.dsx.integration.is_empty() && site.dsx.mqtt.broker.is_empty() && site.mqtt.broker.is_empty() {
        findings.add(
            "dsx.mqtt.broker",
            "is empty, and so is mqtt.broker; write the bus's \"host:port\"",
        );
    }
    if site.workload == WorkloadSettings::Events && site.api.feed_token.is_empty() {
        findings.add(
            "api.feed_token",
            "is empty, and workload.source is \"events\"; write the token that the scheduler's scripts send",
        );
    }
    if site.dsx.integration.contains(['/', '+', '#']) {
        findings.add("dsx.integration", "is part of topics; write a name without /, + and #");
    }
    if site.dsx.flex && site.dsx.integration.is_empty() {
        findings.add(
            "dsx.integration",
            "is empty, and dsx.flex is true; write our identifier on the bus",
        );
    }
    let over_tls = |device: &Device| {
        let address = device.binding.address.as_deref().unwrap_or_default();
        address.starts_with("tls://")
    };
    if site.devices.iter().any(over_tls) {
        // Modbus/TCP Security (MB-TCP-Security-v21, 2018-07-24) asks for certificates of both sides.
        tls(&site.modbus.tls, "modbus.tls", true, findings);
    }
    if matches!(site.workload, WorkloadSettings::Mqtt { .. }) && site.mqtt.broker.is_empty() {
        findings.add(
            "mqtt.broker",
            "is empty, and workload.source is \"mqtt\"; write the broker's \"host:port\"",
        );
    }
}

fn broker(settings: &MqttSettings, path: &str, findings: &Findings<'_>) {
    let broker = &settings.broker;
    let secure = broker.strip_prefix("mqtts://");
    if !broker.is_empty() && !is_host_and_port(secure.unwrap_or(broker)) {
        let message =
            format!("is `{broker}`; write \"host:port\", such as \"127.0.0.1:1883\", or \"mqtts://host:port\" for TLS");
        findings.add(format!("{path}.broker"), message);
    }
    if secure.is_some() {
        tls(&settings.tls, &format!("{path}.tls"), false, findings);
    }
    if !settings.password.is_empty() && !settings.password_file.is_empty() {
        let message = format!("is given, and so is {path}.password; remove one of them");
        findings.add(format!("{path}.password_file"), message);
    }
    if settings.client_id.is_empty() {
        findings.add(
            format!("{path}.client_id"),
            "is empty; write a name that no other client of the broker has",
        );
    }
}

/// Whether the files that TLS needs are named; whether they are good is found out at the first connection.
fn tls(settings: &TlsSettings, path: &str, mutual: bool, findings: &Findings<'_>) {
    if settings.ca.is_empty() {
        let message = "is empty; write the PEM file of the authorities that sign the servers' certificates";
        findings.add(format!("{path}.ca"), message);
    }
    if settings.certificate.is_empty() != settings.key.is_empty() || (mutual && settings.certificate.is_empty()) {
        let (empty, other) = if settings.key.is_empty() {
            ("key", "certificate")
        } else {
            ("certificate", "key")
        };
        findings.add(
            format!("{path}.{empty}"),
            format!("is empty; write the PEM file of our own {empty}, beside {path}.{other}"),
        );
    }
}

/// `host:port`, with an IPv6 host in brackets.
pub(in crate::site) fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain =
        !host.is_empty() && !host.contains(|letter: char| letter == ':' || letter == '/' || letter.is_whitespace());
    (plain || bracketed) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_port() {
        for good in ["10.0.0.7:502", "cdu1.hall:502", "[::1]:502", "127.0.0.1:0"] {
            assert!(is_host_and_port(good), "{good}");
        }
        for bad in ["", "10.0.0.7", ":502", "tcp://cdu:502", "cdu:70000", "::1:502", "a b:1"] {
            assert!(!is_host_and_port(bad), "{bad}");
        }
    }
}
