//! The profiles that the binary carries, so that the product runs without files.

use crate::Profile;

macro_rules! profiles {
    ($($name:literal)*) => {
        /// Name and text of each profile under `config/profiles/`.
        pub const PROFILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../config/profiles/", $name, ".toml"))),)*
        ];
    };
}

profiles! {
    "air-unit" "building-io" "chiller" "danfoss-vlt" "dry-cooler" "dsx-cdu" "dsx-power-meter" "dsx-rack" "eastron-sdm630"
    "generic-cdu" "grid-feed-mqtt" "heat-meter" "power-meter" "pump-drive" "pump-skid" "rack-mqtt" "reuse-exchanger"
    "tower-cell" "vaisala-hmt330" "vaisala-wxt530" "water-meter" "weather-mqtt" "weather-station"
}

/// The embedded profile of a name; `None` where there is none.
pub fn profile(name: &str) -> Option<Profile> {
    let (_, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
    // Each embedded text is parsed by a test, so a mistake in one cannot reach a release.
    Profile::parse(text, name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_file_is_embedded_and_parses() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/profiles");
        let mut files: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .filter_map(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_str()?
                    .strip_suffix(".toml")
                    .map(str::to_owned)
            })
            .collect();
        files.sort();
        assert_eq!(
            files,
            PROFILES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
        );
        for (name, text) in PROFILES {
            let profile = Profile::parse(text, name).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
            assert!(!profile.points.is_empty() && !profile.source.is_empty(), "{name}");
        }
    }
}
