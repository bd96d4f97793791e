//! What the tests of the whole service share: a running hall with its controller, and waiting with deadlines.
#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use isotherm::api::Mode;
use isotherm::service::clock::Origin;
use isotherm::service::{Options, Service, start};
use isotherm::site::{Site, load_embedded};
use isotherm::store::{Disk, RealDisk};
use isotherm::trial::{COMMS_TIMEOUT_S, HallOptions, Load, SimulatedHall, WeatherSource};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Plant seconds in a real second: a 5 s cycle takes 0.1 s.
pub(crate) const SPEED: f64 = 50.0;

/// The operator's token of every test.
pub(crate) const TOKEN: &str = "a-token-for-tests-only";

/// A hall and its controller.
pub(crate) struct Rig {
    pub(crate) hall: SimulatedHall,
    pub(crate) service: Service,
    pub(crate) site: Site,
}

/// The embedded demo site on free ports, recording to `dir`.
pub(crate) fn demo_site(dir: &std::path::Path) -> Site {
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.api.listen = "127.0.0.1:0".into();
    site.api.operator_token = TOKEN.into();
    site.store.dir = dir.to_string_lossy().into_owned();
    site
}

/// Starts a hall and a controller for it.
pub(crate) async fn rig(site: Site, broker: Option<String>) -> Rig {
    rig_on(site, broker, Arc::new(RealDisk)).await
}

/// [`rig`] with the record going through `disk`.
pub(crate) async fn rig_on(mut site: Site, broker: Option<String>, disk: Arc<dyn Disk>) -> Rig {
    let origin = Origin::now();
    let options = HallOptions {
        speed: SPEED,
        seed: 1,
        wall_ms: origin.wall_ms,
        year_s: 182.0 * 86_400.0,
        weather: WeatherSource::BuiltIn,
        load: Load::Synthetic(1),
        comms_timeout_s: COMMS_TIMEOUT_S,
        broker,
    };
    let hall = Box::pin(SimulatedHall::start(&mut site, &options)).await.unwrap();
    let options = Options {
        mode: Mode::Simulated,
        speed: SPEED,
        origin: Some(origin),
        disk,
    };
    let service = Box::pin(start(site.clone(), options)).await.unwrap();
    Rig { hall, service, site }
}

impl Rig {
    /// The latest view.
    pub(crate) async fn state(&self) -> Value {
        get_json(self.service.address(), "/api/v1/state")
            .await
            .unwrap_or(Value::Null)
    }

    /// Waits until the view satisfies `condition`; panics with the last view after `seconds`.
    pub(crate) async fn until(&self, what: &str, seconds: u64, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let state = self.state().await;
            if condition(&state) {
                return state;
            }
            assert!(
                Instant::now() < deadline,
                "not within {seconds} s: {what}\nzones {:#}\nevents {:#}\nstore {:#}",
                state["zones"],
                state["events"],
                state["store"]
            );
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await.unwrap();
        self.hall.stop().await;
    }
}

/// Fetches JSON over a plain socket.
pub(crate) async fn get_json(address: std::net::SocketAddr, path: &str) -> Option<Value> {
    serde_json::from_str(&get_text(address, path).await?).ok()
}

/// Fetches the body of a path over a plain socket.
pub(crate) async fn get_text(address: std::net::SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8(answer).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

/// The level of the hall's one zone.
pub(crate) fn level(state: &Value) -> &str {
    state["zones"][0]["level"].as_str().unwrap_or("none")
}

/// A good reading of an equipment in the view.
pub(crate) fn reading(state: &Value, list: &str, name: &str, quantity: &str) -> Option<f64> {
    let unit = state[list].as_array()?.iter().find(|unit| unit["name"] == name)?;
    let reading = unit["readings"]
        .get(quantity)
        .filter(|r| !r.is_null())
        .or_else(|| unit["setpoints"].get(quantity).map(|setpoint| &setpoint["reading"]))?;
    (reading["quality"] == "good")
        .then(|| reading["value"].as_f64())
        .flatten()
}

/// Whether a device's link stands.
pub(crate) fn connected(state: &Value, device: &str) -> bool {
    state["devices"]
        .as_array()
        .is_some_and(|devices| devices.iter().any(|d| d["id"] == device && d["connected"] == true))
}
