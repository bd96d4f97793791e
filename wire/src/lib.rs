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
//! - [`embedded`]: the profiles that the binary carries.

pub mod codec;
pub mod embedded;
mod parse;
pub mod payload;
pub mod plan;
pub mod profile;
mod section;
mod unit;

pub use profile::{Access, Mapping, ModbusMap, MqttMap, Point, Profile, ProfileError};
