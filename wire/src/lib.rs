//! What a vendor's manual says: device profiles and their codec.
//!
//! A [`Profile`] is the register map or payload map of one device model. Both ends of the wire use
//! it: the controller's field links to decode readings and encode setpoints, and the simulators'
//! servers to do the reverse. It holds no socket, clock or file handle.
//!
//! - [`profile`]: the profile itself; read from TOML and checked by [`Profile::parse`].
//! - [`codec`]: registers to values and back.
//! - [`plan`]: which blocks of registers to read.
//! - [`payload`]: MQTT payloads to values and back.
//! - [`sparkplug`]: Sparkplug B payloads.
//! - [`dsx`]: messages of the NVIDIA DSX Exchange bus.
//! - [`embedded`]: the profiles that the binary carries.

pub mod codec;
pub mod dsx;
pub mod embedded;
mod parse;
pub mod payload;
pub mod plan;
pub mod profile;
mod section;
pub mod sparkplug;
mod unit;

pub use profile::{Access, DsxMap, Mapping, ModbusMap, MqttMap, Point, Profile, ProfileError};
