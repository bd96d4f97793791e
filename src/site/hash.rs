//! The hash that names a configuration in records.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Keys whose values are secret: they do not change how the plant is run, and a hash of a short secret can be guessed.
const SECRETS: &[(&str, &str)] = &[
    ("mqtt", "password"),
    ("dsx.mqtt", "password"),
    ("api", "operator_token"),
    ("api", "feed_token"),
    ("workload", "token"),
    ("forward", "token"),
];

/// Keys in which the machines of a pair differ; the plant is run the same.
const OWN: &[(&str, &str)] = &[("pair", "id"), ("store", "dir"), ("api", "listen")];

/// SHA-256, in hex, over the merged configuration in sorted order and the text of every profile in use.
pub(super) fn of(merged: &Table, profiles: &BTreeMap<String, String>) -> String {
    let mut merged = merged.clone();
    for (section, key) in SECRETS.iter().chain(OWN) {
        let mut names = section.split('.');
        let first = names.next().and_then(|name| merged.get_mut(name));
        let table = names.fold(first, |value, name| value?.get_mut(name));
        if let Some(table) = table.and_then(Value::as_table_mut) {
            table.remove(*key);
        }
    }
    let mut digest = Sha256::new();
    digest.update(merged.to_string());
    for (name, text) in profiles {
        digest.update(format!("\n# profile {name}\n"));
        digest.update(text);
    }
    let bytes = digest.finalize();
    bytes
        .iter()
        .fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}

/// SHA-256, in hex, of what bounds every command: `[limits]`, `[safety]` without its pin, and `[points]` with their
/// defaults.
pub(super) fn limits(merged: &Table) -> String {
    let mut bounds = Table::new();
    for name in ["limits", "safety", "points"] {
        if let Some(value) = merged.get(name) {
            bounds.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(safety) = bounds.get_mut("safety").and_then(Value::as_table_mut) {
        safety.remove("limits_pin");
    }
    if let Some(point) = merged.get("defaults").and_then(|defaults| defaults.get("point")) {
        bounds.insert("defaults.point".to_owned(), point.clone());
    }
    let bytes = Sha256::digest(bounds.to_string());
    bytes
        .iter()
        .fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> String {
        of(&text.parse().unwrap(), &BTreeMap::new())
    }

    #[test]
    fn order_and_secrets_do_not_count_and_values_do() {
        let hall = hash("[site]\nname = 'a'\naltitude_m = 1\n[api]\noperator_token = 'x'");
        assert_eq!(hall.len(), 64);
        assert_eq!(
            hall,
            hash("[api]\noperator_token = 'y'\n[site]\naltitude_m = 1\nname = 'a'")
        );
        assert_ne!(
            hall,
            hash("[site]\nname = 'a'\naltitude_m = 2\n[api]\noperator_token = 'x'")
        );
    }

    #[test]
    fn the_limits_have_a_hash_of_their_own() {
        let of = |text: &str| limits(&text.parse().unwrap());
        let base = of("[limits]\na = 1\n[safety]\nb = 2\n[prices]\nc = 3");
        assert_eq!(
            base,
            of("[prices]\nc = 4\n[safety]\nlimits_pin = 'x'\nb = 2\n[limits]\na = 1")
        );
        assert_ne!(base, of("[limits]\na = 1.5\n[safety]\nb = 2\n[prices]\nc = 3"));
        assert_ne!(
            base,
            of("[limits]\na = 1\n[safety]\nb = 2\n[points.cdu]\nd = { max = 4 }")
        );
    }

    #[test]
    fn a_change_in_a_profile_is_a_change_of_the_site() {
        let table = Table::new();
        let with = |text: &str| of(&table, &BTreeMap::from([("cdu".to_owned(), text.to_owned())]));
        assert_ne!(with("max = 1"), with("max = 2"));
    }
}
