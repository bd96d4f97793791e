//! Whether a pair can work: a name for each controller, addresses, files for TLS.

use crate::site::PairSettings;
use crate::site::findings::Findings;

pub(super) fn check(pair: &PairSettings, findings: &Findings<'_>) {
    for endpoint in &pair.endpoints {
        let host = endpoint
            .strip_prefix("http://")
            .or_else(|| endpoint.strip_prefix("https://"));
        let host = host.map(|host| host.trim_end_matches('/'));
        let fits = host.is_some_and(super::is_host_and_port);
        if !fits {
            let message = "names no endpoint of etcd; write its client URL, such as \"http://10.0.0.5:2379\"";
            findings.add("pair.endpoints", message);
        }
        if endpoint.starts_with("https://") && pair.tls.ca.is_empty() {
            findings.add(
                "pair.tls.ca",
                "is empty; write the file of the authorities that sign etcd's certificate",
            );
        }
    }
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if pair.is_on() && (pair.id.is_empty() || pair.id.len() > 64 || !plain(&pair.id)) {
        let message = "names this controller within its pair; write letters, digits, `-` and `_`, another one on each \
                       machine, best by ISOTHERM__PAIR__ID";
        findings.add("pair.id", message);
    }
    if pair.name.len() > 128 || pair.name.contains(char::is_control) {
        findings.add(
            "pair.name",
            "is longer than 128 bytes or no plain text; write a short name",
        );
    }
    if pair.tls.certificate.is_empty() != pair.tls.key.is_empty() {
        findings.add(
            "pair.tls.key",
            "and `certificate` belong together; write both or neither",
        );
    }
}
