//! The doors of the room: from a file, or from the sites that the binary carries, to a [`Site`].

use super::layers::Layers;
use super::profiles::Profiles;
use super::read::Findings;
use super::{Site, build, check, raw};
use config::Map;
use std::fmt;
use std::path::Path;

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file (or `environment`).
    pub file: String,
    /// Line, from 1, where the parser has it.
    pub line: Option<usize>,
    /// Key path, such as `cdu.cdu1.rated_kw`; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Mistake {
    pub(super) fn at(file: &str, line: Option<usize>, key: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line,
            key: key.to_owned(),
            message,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Loads a site file, layered over the embedded defaults and under the environment.
///
/// # Errors
/// Every mistake of the configuration, in the order of the files.
pub fn load(path: &Path) -> Result<Site, Vec<Mistake>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![Mistake::at(&name, None, "", format!("cannot be read: {error}"))])?;
    let directory = path.parent().unwrap_or(Path::new("")).join("profiles");
    load_text(&name, &text, Profiles::beside(directory), environment())
}

/// A site that the binary carries, `demo` or `frontier`, under the environment; `None` for another name.
pub fn load_embedded(name: &str) -> Option<Result<Site, Vec<Mistake>>> {
    let text = match name {
        "demo" => include_str!("../../config/demo.toml"),
        "frontier" => include_str!("../../config/frontier.toml"),
        _ => return None,
    };
    Some(load_text(
        &format!("{name}.toml"),
        text,
        Profiles::embedded(),
        environment(),
    ))
}

/// The whole way from text to site, with the environment as a parameter.
pub(super) fn load_text(
    name: &str,
    text: &str,
    profiles: Profiles,
    environment: Map<String, String>,
) -> Result<Site, Vec<Mistake>> {
    let layers = Layers::read(name, text, environment)?;
    let findings = Findings::new(&layers);
    let site = raw::read(&findings).map(|raw| {
        let site = build::build(raw, profiles, &findings);
        check::check(&site, &findings);
        site
    });
    let mistakes = findings.into_mistakes();
    match site {
        Some(site) if mistakes.is_empty() => Ok(site),
        _ => Err(mistakes),
    }
}

/// The process's variables; those that are not Unicode cannot be ours.
fn environment() -> Map<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(name: &str) -> Site {
        let show = |mistakes: Vec<Mistake>| {
            mistakes
                .iter()
                .map(|mistake| format!("{mistake}\n"))
                .collect::<String>()
        };
        load_embedded(name)
            .unwrap()
            .unwrap_or_else(|mistakes| panic!("{}", show(mistakes)))
    }

    #[test]
    fn the_demo_is_the_hall_of_its_drawings() {
        let site = embedded("demo");
        assert_eq!((site.cdus.len(), site.racks.len(), site.rejection.len()), (4, 16, 3));
        assert!(site.cdus.iter().all(|cdu| cdu.racks.len() == 4));
        assert_eq!(site.racks[4].nodes[0], "r05n01");
        assert_eq!(site.racks[4].cdu.0, 1);
        assert_eq!(site.devices.len(), 1 + 4 + 16 + 3 + 1 + 1 + 6 + 1);
        let setpoint = site.cdus[2].points.secondary_supply_temperature_setpoint.unwrap();
        let spec = site.spec(setpoint.id());
        assert_eq!(spec.tag, "cdu3.secondary_supply_temperature_setpoint");
        assert_eq!(spec.write.unwrap().release.to_bits(), 25.0f64.to_bits());
        assert_eq!(site.zones[0].points.len(), site.points.len());
    }

    #[test]
    fn frontier_has_74_cabinets_on_25_cdus() {
        let site = embedded("frontier");
        assert_eq!((site.cdus.len(), site.racks.len(), site.rejection.len()), (25, 74, 20));
        assert_eq!(site.cdus[24].racks.len(), 2);
        assert_eq!(site.racks[73].nodes.last().unwrap(), "frontier09472");
    }
}
