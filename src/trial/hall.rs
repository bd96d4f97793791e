//! The simulated hall on real sockets: what `isotherm demo` and the tests of the whole service run against.

use super::plant::plant_spec;
use super::world::{Load, WeatherSource, WorldError, build_world};
use crate::site::{Site, WorkloadSettings};
use simulators::devices::{
    Broker, Device, DeviceError, Hall, JobPublisher, ModbusServer, Runner, Telemetry, TelemetryPublisher,
};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Days over which a job trace is laid; it starts over then.
const TRACE_DAYS: f64 = 7.0;

/// How the hall runs.
#[derive(Debug, Clone)]
pub struct HallOptions {
    /// How much faster than real time.
    pub speed: f64,
    /// Seed of plant, weather and jobs.
    pub seed: u64,
    /// Wall time at which the hall's time starts, ms since 1970.
    pub wall_ms: i64,
    /// Seconds from the start of the year at that moment, local standard time: for weather and people's habits.
    pub year_s: f64,
    /// Weather.
    pub weather: WeatherSource,
    /// Load.
    pub load: Load,
    /// Time without a heartbeat after which devices return to their own setpoints, s of plant time.
    pub comms_timeout_s: f64,
    /// A broker that runs already (`host:port`); without it the hall starts its own.
    pub broker: Option<String>,
}

/// Why the hall did not start.
#[derive(Debug, thiserror::Error)]
pub enum HallError {
    /// The world could not be built.
    #[error("the simulated plant could not be built")]
    World(#[from] WorldError),
    /// A device could not be built from its profile.
    #[error("the device `{id}` could not be simulated")]
    Device {
        /// The device.
        id: String,
        /// Cause.
        source: DeviceError,
    },
    /// A socket could not be opened.
    #[error("a socket on loopback could not be opened")]
    Socket(#[source] io::Error),
    /// The broker's address has another form.
    #[error("`{0}` is not a broker's address: write host:port")]
    Broker(String),
}

/// A running hall. Its parts are public, so that a test can break them one at a time.
#[derive(Debug)]
pub struct SimulatedHall {
    /// The world behind the devices.
    pub hall: Arc<Hall>,
    /// Modbus servers by device id.
    pub servers: BTreeMap<String, ModbusServer>,
    /// The broker, where the hall has its own.
    pub broker: Option<Broker>,
    /// Racks and weather station.
    pub telemetry: TelemetryPublisher,
    /// The scheduler's events and queue.
    pub jobs: JobPublisher,
    runner: Runner,
}

impl SimulatedHall {
    /// Starts every device of a site on loopback and points the site's addresses at them: Modbus servers on free ports,
    /// the broker, the publishers.
    pub async fn start(site: &mut Site, options: &HallOptions) -> Result<Self, HallError> {
        let world = build_world(
            site,
            &plant_spec(site, options.comms_timeout_s),
            &options.weather,
            &options.load,
            options.year_s,
            TRACE_DAYS,
            options.seed,
        )?;
        let hall = Hall::new(world, options.wall_ms);
        let broker = match &options.broker {
            Some(_) => None,
            None => Some(Broker::start(free_port()).await.map_err(HallError::Socket)?),
        };
        let address = match (&options.broker, &broker) {
            (Some(address), _) => address.clone(),
            (None, Some(broker)) => broker.address().to_string(),
            (None, None) => String::new(),
        };
        let (host, port) = host_and_port(&address)?;
        site.mqtt.broker.clone_from(&address);
        if site.workload == WorkloadSettings::None && hall.with(|world| world.scheduler().is_some()) {
            site.workload = WorkloadSettings::Mqtt {
                topic: "isotherm/jobs/#".into(),
            };
        }

        let mut servers = BTreeMap::new();
        let mut telemetry = Vec::new();
        for device in &mut site.devices {
            if device.binding.address.is_none() {
                telemetry.push(Telemetry {
                    id: device.id.clone(),
                    profile: Arc::clone(&device.profile),
                });
                continue;
            }
            let unit = device.binding.unit.unwrap_or(1);
            let fail = |source| HallError::Device {
                id: device.id.clone(),
                source,
            };
            let simulated = hall
                .with(|world| Device::new(&device.id, unit, Arc::clone(&device.profile), world.plant()))
                .map_err(fail)?;
            let server = ModbusServer::start(free_port(), Arc::clone(&hall), vec![simulated])
                .await
                .map_err(HallError::Socket)?;
            device.binding.address = Some(server.address().to_string());
            servers.insert(device.id.clone(), server);
        }
        // Racks and weather report as often as the controller looks, but not faster than sockets can carry.
        let period = Duration::from_secs_f64((site.control.cycle_s / 2.0 / options.speed).max(0.05));
        let telemetry = TelemetryPublisher::start(Arc::clone(&hall), &host, port, telemetry, period);
        let jobs = JobPublisher::start(Arc::clone(&hall), &host, port, options.speed);
        let runner = Runner::start(Arc::clone(&hall), options.speed);
        Ok(Self {
            hall,
            servers,
            broker,
            telemetry,
            jobs,
            runner,
        })
    }

    /// Stops time and every device.
    pub async fn stop(mut self) {
        self.runner.stop().await;
        self.jobs.stop().await;
        self.telemetry.stop().await;
        for server in self.servers.values_mut() {
            server.stop().await;
        }
        if let Some(broker) = &mut self.broker {
            broker.stop().await;
        }
    }
}

fn free_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn host_and_port(address: &str) -> Result<(String, u16), HallError> {
    let wrong = || HallError::Broker(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    Ok((host.to_owned(), port.parse().map_err(|_| wrong())?))
}
