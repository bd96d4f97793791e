//! Whether the forwarding can work: an address, what `InfluxDB` asks for, one place for the secret.

use crate::site::findings::Findings;
use crate::site::{ForwardProtocol, ForwardSettings, ReadBack};

pub(super) fn check(forward: &ForwardSettings, findings: &Findings<'_>) {
    if !forward.token.is_empty() && !forward.token_file.is_empty() {
        findings.add("forward.token_file", "is set beside `token`; write one of them");
    }
    if forward.protocol == ForwardProtocol::None {
        return;
    }
    let is_url = |url: &str| {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '#', '@']))
    };
    // A password is not repeated where others may read it.
    let shown = |url: &str| {
        if url.contains('@') {
            "an address with a user".to_owned()
        } else {
            format!("`{url}`")
        }
    };
    if !is_url(&forward.url) {
        let message = format!(
            "is {}; write the server's address, such as \"http://127.0.0.1:8086\", without a user or a password",
            shown(&forward.url)
        );
        findings.add("forward.url", message);
    }
    if !forward.read_url.is_empty() && !is_url(&forward.read_url) {
        let message = format!(
            "is {}; write the address that answers queries, or nothing for that of `url`",
            shown(&forward.read_url)
        );
        findings.add("forward.read_url", message);
    }
    if forward.protocol == ForwardProtocol::Influxdb2 || forward.read_back == ReadBack::Flux {
        for (key, value) in [("org", &forward.org), ("bucket", &forward.bucket)] {
            if value.is_empty() {
                findings.add(
                    format!("forward.{key}"),
                    format!("is empty; write the {key} of InfluxDB 2"),
                );
            }
        }
    }
}
