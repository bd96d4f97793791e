//! Who runs in a trial: the strategies of the service, and the bound that no service could reach.

use crate::site::StrategyKind;
use serde::Deserialize;
use std::str::FromStr;

/// One column of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Contender {
    /// A strategy as the service runs it.
    Strategy(StrategyKind),
    /// The bound: plans on a copy of the true plant, load and weather.
    Oracle,
}

impl Contender {
    const ALL: [Self; 4] = [
        Self::Strategy(StrategyKind::Fixed),
        Self::Strategy(StrategyKind::TrimRespond),
        Self::Strategy(StrategyKind::Predictive),
        Self::Oracle,
    ];

    /// The name on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strategy(kind) => kind.name(),
            Self::Oracle => "oracle",
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|contender| contender.name() == name)
            .ok_or_else(|| format!("`{name}` does not run in trials: write fixed, trim_respond, predictive or oracle"))
    }
}

impl TryFrom<String> for Contender {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}
