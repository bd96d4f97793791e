//! What a kWh of IT brings with it at this site, by hour of the day, as the ledger measured it.

use crate::ledger::Totals;

/// Energy that a bin keeps from day to day: the older, the less it counts.
const KEPT: f64 = 0.7;

/// IT energy from which on a bin speaks for itself, kWh.
const ENOUGH_KWH: f64 = 1.0;

/// Amounts of an hour of the day.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bin {
    it_kwh: f64,
    cooling_kwh: f64,
    other_kwh: f64,
    makeup_l: f64,
    blowdown_l: f64,
    reused_kwh: f64,
}

impl Bin {
    fn add(&mut self, other: &Self) {
        self.it_kwh += other.it_kwh;
        self.cooling_kwh += other.cooling_kwh;
        self.other_kwh += other.other_kwh;
        self.makeup_l += other.makeup_l;
        self.blowdown_l += other.blowdown_l;
        self.reused_kwh += other.reused_kwh;
    }

    fn scale(&mut self, by: f64) {
        self.it_kwh *= by;
        self.cooling_kwh *= by;
        self.other_kwh *= by;
        self.makeup_l *= by;
        self.blowdown_l *= by;
        self.reused_kwh *= by;
    }

    fn of(totals: &Totals) -> Self {
        Self {
            it_kwh: totals.it_kwh,
            cooling_kwh: totals.cooling_kwh,
            other_kwh: (totals.site_kwh - totals.it_kwh - totals.cooling_kwh).max(0.0),
            makeup_l: totals.makeup_l,
            blowdown_l: totals.blowdown_l,
            reused_kwh: totals.reused_kwh,
        }
    }

    fn ratios(&self) -> Option<Ratios> {
        let by = |amount: f64| amount / self.it_kwh;
        (self.it_kwh >= ENOUGH_KWH).then(|| Ratios {
            cooling: by(self.cooling_kwh),
            other: by(self.other_kwh),
            makeup_l: by(self.makeup_l),
            blowdown_l: by(self.blowdown_l),
            reused: by(self.reused_kwh),
        })
    }
}

/// What comes with a kWh of IT.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Ratios {
    /// Energy for cooling, kWh.
    pub(super) cooling: f64,
    /// Energy for everything else, such as losses of distribution, kWh.
    pub(super) other: f64,
    /// Make-up water, L.
    pub(super) makeup_l: f64,
    /// Waste water, L.
    pub(super) blowdown_l: f64,
    /// Heat handed to the network, kWh.
    pub(super) reused: f64,
}

/// Ratios by hour of the day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    hours: [Bin; 24],
    all: Bin,
    last: Option<Bin>,
    hour: Option<usize>,
}

impl Profile {
    /// Takes in the ledger's counters since it began, at a local hour of the day. The first call gives the profile its
    /// level over all hours; what is added later belongs to its hour.
    pub fn observe(&mut self, total: &Totals, local_hour: f64) {
        let now = Bin::of(total);
        let mut fresh = now;
        match self.last.replace(now) {
            None => self.all = now,
            Some(last) => {
                let mut before = last;
                before.scale(-1.0);
                fresh.add(&before);
                if fresh.it_kwh < 0.0 || fresh.cooling_kwh < 0.0 || fresh.makeup_l < 0.0 {
                    // The ledger began anew.
                    return;
                }
                self.all.add(&fresh);
                let hour = whole(local_hour);
                if let Some(bin) = self.hours.get_mut(hour) {
                    if self.hour.replace(hour) != Some(hour) {
                        bin.scale(KEPT);
                    }
                    bin.add(&fresh);
                }
            }
        }
    }

    /// The ratios of an hour of the day, or of all where it has seen too little; `None` where nothing is known.
    pub(super) fn at(&self, local_hour: f64) -> Option<Ratios> {
        let own = self.hours.get(whole(local_hour)).and_then(Bin::ratios);
        own.or_else(|| self.all.ratios())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an hour of the day"
)]
fn whole(local_hour: f64) -> usize {
    (local_hour.max(0.0) as usize).min(23)
}
