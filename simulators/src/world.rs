//! Everything around the controller in one virtual time: plant, weather, load, district network.

use crate::faults::Schedule;
use crate::heat_trace::HeatLoad;
use crate::jobs::Scheduler;
use crate::network::DistrictNetwork;
use crate::plant::{Drive, Plant, WeatherSample};
use crate::weather::Weather;

/// What heats the racks.
#[derive(Debug, Clone)]
pub enum Load {
    /// Jobs on nodes.
    Jobs(Box<Scheduler>),
    /// Measured heat.
    Heat(HeatLoad),
}

/// A plant in its surroundings.
#[derive(Debug, Clone)]
pub struct World {
    plant: Plant,
    weather: Weather,
    load: Load,
    network: DistrictNetwork,
    faults: Schedule,
    /// Start, s after the start of a year, local standard time.
    start_s: f64,
    elapsed_s: f64,
}

/// Longest time for which one sample of load and weather holds, s.
const LONGEST_STEP_S: f64 = 5.0;

impl World {
    /// A world that starts `start_s` seconds after the start of a year (local standard time).
    pub fn new(plant: Plant, weather: Weather, load: Load, network: DistrictNetwork, start_s: f64) -> Self {
        Self {
            plant,
            weather,
            load,
            network,
            faults: Schedule::default(),
            start_s,
            elapsed_s: 0.0,
        }
    }

    /// Lets `dt_s` seconds pass, in equal steps of at most five seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of steps, made positive before"
    )]
    pub fn advance(&mut self, dt_s: f64) {
        if !(dt_s > 0.0 && dt_s.is_finite()) {
            return;
        }
        let steps = (dt_s / LONGEST_STEP_S - 1e-9).ceil().max(1.0) as u64;
        let dt = dt_s / steps as f64;
        for _ in 0..steps {
            self.step(dt);
        }
    }

    fn step(&mut self, dt: f64) {
        self.faults.act(self.elapsed_s, &mut self.plant);
        let hour = self.hour();
        let weather = self.weather_now();
        let rack_it_kw = match &mut self.load {
            Load::Jobs(scheduler) => {
                scheduler.advance(dt, hour);
                scheduler.rack_kw()
            }
            Load::Heat(heat) => heat.rack_kw(self.elapsed_s),
        };
        let network = self.network.at(hour, weather.dry_bulb_c);
        self.plant.advance(
            dt,
            &Drive {
                rack_it_kw,
                weather,
                network,
            },
        );
        self.elapsed_s += dt;
    }

    /// Lets these faults come in their time.
    pub fn set_faults(&mut self, faults: Schedule) {
        self.faults = faults;
    }

    /// The faults, past and to come.
    pub fn faults(&self) -> &Schedule {
        &self.faults
    }

    /// The plant.
    pub fn plant(&self) -> &Plant {
        &self.plant
    }

    /// The plant, to write setpoints.
    pub fn plant_mut(&mut self) -> &mut Plant {
        &mut self.plant
    }

    /// The scheduler, where the load is jobs.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        if let Load::Jobs(scheduler) = &self.load {
            Some(scheduler)
        } else {
            None
        }
    }

    /// The scheduler, to take its events.
    pub fn scheduler_mut(&mut self) -> Option<&mut Scheduler> {
        if let Load::Jobs(scheduler) = &mut self.load {
            Some(scheduler)
        } else {
            None
        }
    }

    /// Virtual time since the start, s; the scheduler's times count from the same moment.
    pub fn elapsed_s(&self) -> f64 {
        self.elapsed_s
    }

    /// Virtual time since the start of the year, local standard time, s.
    pub fn year_s(&self) -> f64 {
        self.start_s + self.elapsed_s
    }

    /// Hour of the day, 0 to 24.
    pub fn hour(&self) -> f64 {
        (self.year_s() / 3600.0).rem_euclid(24.0)
    }

    /// The outdoor air now.
    pub fn weather_now(&self) -> WeatherSample {
        self.weather.at(self.year_s())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::jobs::{Cluster, Generator, RackNodes, Source};
    use crate::plant::demo_hall;
    use crate::weather::Climate;

    /// The demo hall with generated jobs, in July.
    pub(crate) fn demo_world(seed: u64) -> World {
        let spec = demo_hall::spec();
        let rack = |r: usize| RackNodes {
            idle_kw: 24.0,
            rated_kw: 120.0,
            gpus: 72,
            nodes: (0..18).map(|n| format!("r{r:02}n{n:02}")).collect(),
        };
        let cluster = Cluster::new((0..spec.racks.len()).map(rack).collect()).unwrap();
        let generator = Generator::new(cluster.gpus(), cluster.gpus_per_node(), seed);
        let scheduler = Scheduler::new(cluster, Source::Generated(Box::new(generator)));
        World::new(
            Plant::new(&spec, seed).unwrap(),
            Weather::generated(Climate::TEMPERATE, seed),
            Load::Jobs(Box::new(scheduler)),
            DistrictNetwork::LOW_TEMPERATURE,
            182.0 * 86_400.0,
        )
    }

    #[test]
    fn a_summer_day_stays_within_the_limits_of_the_chips() {
        let mut world = demo_world(1);
        let margins: Vec<_> = world
            .plant()
            .signals()
            .filter(|(tag, _)| tag.ends_with("chip_margin"))
            .map(|(_, id)| id)
            .collect();
        assert_eq!(margins.len(), 16);
        let mut worst = f64::MAX;
        for _ in 0..24 * 60 {
            world.advance(60.0);
            worst = margins.iter().map(|id| world.plant().truth(*id)).fold(worst, f64::min);
        }
        assert!((5.0..40.0).contains(&worst), "{worst}");
        let totals = world.plant().totals();
        let pue = totals.site_kwh() / totals.it_kwh;
        assert!((1.03..1.25).contains(&pue), "{pue}");
        assert!((world.elapsed_s() - 86_400.0).abs() < 1e-6);
    }

    #[test]
    fn the_same_seed_gives_the_same_world() {
        let run = |seed| {
            let mut world = demo_world(seed);
            world.advance(3600.0);
            world
                .plant()
                .signals()
                .map(|(_, id)| world.plant().measure(id).to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(3), run(3));
    }
}
