//! All that a controller remembers from one cycle to the next.

use crate::site::StrategyKind;
use crate::{advice, alarms, control, forecast, ledger, safety, shadow};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The whole memory of a controller: serialisable and hashable, so that restart, hand-over and replay are one mechanism.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mind {
    /// Cycles completed.
    pub cycle: u64,
    /// Strategy in force.
    pub strategy: StrategyKind,
    /// Memory of the forecast.
    pub forecast: forecast::State,
    /// Memory of the strategies.
    pub control: control::State,
    /// Memory of safety.
    pub safety: safety::State,
    /// The baselines beside the plant.
    pub shadow: shadow::State,
    /// The books.
    pub ledger: ledger::State,
    /// The alarms.
    pub alarms: alarms::State,
    /// Advice.
    pub advice: advice::State,
}

impl Mind {
    /// A newborn memory.
    pub fn new(strategy: StrategyKind) -> Self {
        Self {
            cycle: 0,
            strategy,
            forecast: forecast::State::default(),
            control: control::State::default(),
            safety: safety::State::default(),
            shadow: shadow::State::default(),
            ledger: ledger::State::default(),
            alarms: alarms::State::default(),
            advice: advice::State::default(),
        }
    }

    /// The memory as bytes, the same bytes for the same memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// The memory of [`Mind::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// First 8 bytes of the SHA-256 of the memory; 0 where it cannot be serialised.
    pub fn fingerprint(&self) -> u64 {
        let Ok(bytes) = self.to_bytes() else { return 0 };
        Sha256::digest(bytes)
            .iter()
            .take(8)
            .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }
}
