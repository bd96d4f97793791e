//! The doors of the room: from a file, or from the sites that the binary carries, to a [`Site`].

use super::findings::Findings;
use super::layers::Layers;
use super::profiles::Profiles;
use super::{Site, build, check, grid, raw};
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

/// A site that the binary carries, `demo`, `frontier`, `chilled_water` or `dsx`, under the environment; `None` for another name.
pub fn load_embedded(name: &str) -> Option<Result<Site, Vec<Mistake>>> {
    let text = match name {
        "demo" => include_str!("../../config/demo.toml"),
        "frontier" => include_str!("../../config/frontier.toml"),
        "dsx" => include_str!("../../config/dsx.toml"),
        "chilled_water" => include_str!("../../config/chilled_water.toml"),
        _ => return None,
    };
    Some(load_text(
        &format!("{name}.toml"),
        text,
        Profiles::embedded(),
        environment(),
    ))
}

/// A site from the text of its file, with the embedded profiles and without the environment; `name` stands in mistakes.
///
/// # Errors
/// Every mistake, as [`load`].
pub fn parse(name: &str, text: &str) -> Result<Site, Vec<Mistake>> {
    load_text(name, text, Profiles::embedded(), Map::new())
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
        check::ids(&raw, &findings);
        let mut site = build::build(raw, profiles, &findings);
        grid::read_files(&mut site, &findings);
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
    use crate::site::{Authority, StrategyKind};
    use proptest::prelude::*;

    const DEMO: &str = include_str!("../../config/demo.toml");

    fn show(mistakes: &[Mistake]) -> String {
        let lines: Vec<_> = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
        lines.concat()
    }

    fn embedded(name: &str) -> Site {
        load_embedded(name)
            .unwrap()
            .unwrap_or_else(|mistakes| panic!("{}", show(&mistakes)))
    }

    /// Loads the demo under variables of its own.
    fn under(variables: &[(&str, &str)]) -> Result<Site, Vec<Mistake>> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        load_text("demo.toml", DEMO, Profiles::embedded(), environment)
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

    #[test]
    fn every_quantity_that_a_room_may_use_is_bound_in_the_demo() {
        let site = embedded("demo");
        // Not every device judges its own leaks.
        let missing = |text: String| {
            text.replace("leak_level: None", "")
                .replace("leak_sensor_fault: None", "")
                .contains("None")
        };
        assert!(
            !missing(format!("{:?}", site.loops[0].points)),
            "{:?}",
            site.loops[0].points
        );
        assert!(site.cdus.iter().all(|cdu| !missing(format!("{:?}", cdu.points))));
        assert!(site.racks.iter().all(|rack| !missing(format!("{:?}", rack.points))));
        assert!(site.reuse.iter().all(|reuse| !missing(format!("{:?}", reuse.points))));
        assert!(site.air_units.iter().all(|unit| !missing(format!("{:?}", unit.points))));
        assert!(!missing(format!("{:?}", site.weather.unwrap().points)));
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
        let site = under(&[]).unwrap();
        assert_eq!(
            site.control.strategy,
            StrategyKind::Predictive,
            "the file's, not the default's"
        );
        assert_eq!(
            site.control.trim_respond.step_s.to_bits(),
            300f64.to_bits(),
            "the default's"
        );
        let site = under(&[
            ("ISOTHERM__CONTROL__STRATEGY", "fixed"),
            ("ISOTHERM__PRICES__ENERGY_PER_KWH", "0.5"),
            ("ISOTHERM__DEFAULTS__CDU__RATED_KW", "500"),
            ("ISOTHERM__POINTS__CDU2__SECONDARY_FLOW__TIMEOUT_S", "77"),
            ("isotherm__site__name", "hall-7"),
            ("ISOTHERM_DATA", "is another program's"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(site.control.strategy, StrategyKind::Fixed);
        assert_eq!(site.prices.energy_per_kwh.to_bits(), 0.5f64.to_bits());
        assert!(
            site.cdus
                .iter()
                .all(|cdu| cdu.nameplate.rated_kw.to_bits() == 500f64.to_bits())
        );
        let timeout = |tag: &str| site.spec(site.point(tag).unwrap()).timeout_s;
        assert_eq!(timeout("cdu2.secondary_flow").to_bits(), 77f64.to_bits());
        assert_eq!(timeout("cdu1.secondary_flow").to_bits(), 30f64.to_bits());
        assert_eq!(site.name, "hall-7");
        assert_eq!(site.zones[0].authority, Authority::Full);
    }

    #[test]
    fn a_secret_of_digits_stays_a_text_and_out_of_the_hash() {
        let site = under(&[
            ("ISOTHERM__API__OPERATOR_TOKEN", "0012345678901234567"),
            ("ISOTHERM__MQTT__PASSWORD", "007"),
        ]);
        let site = site.unwrap();
        assert_eq!(site.api.operator_token, "0012345678901234567");
        assert_eq!(site.mqtt.password, "007");
        assert_eq!(site.hash, under(&[]).unwrap().hash);
        assert_ne!(site.hash, under(&[("ISOTHERM__CONTROL__CYCLE_S", "6")]).unwrap().hash);
    }

    #[test]
    fn mistakes_of_the_environment_are_named_as_such() {
        let mistakes = under(&[
            ("ISOTHERM__CONTORL__CYCLE_S", "5"),
            ("ISOTHERM__CONTROL__CYCLE_S", "soon"),
        ])
        .unwrap_err();
        assert_eq!(
            show(&mistakes),
            "environment: contorl: unknown table `contorl`; did you mean `control`?\n\
             environment: control.cycle_s: is the text \"soon\"; write a number from 1 to 60 s\n"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_one_mistake() {
        let mistakes = load(Path::new("no/such/site.toml")).unwrap_err();
        assert_eq!(mistakes.len(), 1);
        assert!(
            show(&mistakes).starts_with("no/such/site.toml: cannot be read: "),
            "{}",
            show(&mistakes)
        );
    }

    /// One way to spoil a file: in a line chosen at random.
    fn spoil(text: &str, line: usize, how: usize, with: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = line % lines.len();
        let old = lines[line].clone();
        let (key, value) = old.split_once(" = ").unwrap_or((&old, ""));
        match how {
            0 => lines[line] = with.to_owned(),
            1 => lines[line] = format!("{key} = {with}"),
            2 => lines[line] = format!("{with} = {value}"),
            3 => drop(lines.remove(line)),
            4 => lines.insert(line, old),
            5 => lines[line] = old.replace("[[", "[").replace("]]", "]"),
            6 => lines[line] = old.replace('"', ""),
            7 => lines.swap(line, 0),
            _ => lines.truncate(line),
        }
        lines.join("\n")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_spoilt_file_is_answered_and_never_panics(
            edits in prop::collection::vec(
                (
                    0..1000usize,
                    0..9usize,
                    prop_oneof![
                        Just("0".to_owned()), Just("-1".to_owned()), Just("nan".to_owned()), Just("1e400".to_owned()),
                        Just("9223372036854775807".to_owned()), Just("\"\"".to_owned()), Just("\"[\"".to_owned()),
                        Just("[]".to_owned()), Just("{}".to_owned()), Just("[[1]]".to_owned()),
                        Just("1979-05-27T07:32:00Z".to_owned()), Just("true".to_owned()), Just("a.b.c".to_owned()),
                        Just("points.cdu1".to_owned()), Just("[defaults]".to_owned()), Just("[[zone]]".to_owned()),
                        "\\PC{0,12}",
                    ],
                ),
                1..6,
            )
        ) {
            let text = edits.iter().fold(DEMO.to_owned(), |text, (line, how, with)| {
                if text.is_empty() { text } else { spoil(&text, *line, *how, with) }
            });
            match load_text("spoilt.toml", &text, Profiles::embedded(), Map::new()) {
                Ok(site) => prop_assert!(site.cdus.iter().all(|cdu| cdu.facility_loop.0 < site.loops.len())),
                Err(mistakes) => prop_assert!(!mistakes.is_empty() && mistakes.iter().all(|it| !it.message.is_empty())),
            }
        }
    }
}
