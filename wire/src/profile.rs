//! The profile of one device model: which register or payload field carries which quantity.
//!
//! Profiles are TOML files under `config/profiles/`. Points are named by the quantity they carry,
//! in the vocabulary of the site's equipment (`secondary_supply_temperature`, `fan_speed`); names
//! outside it are read and recorded as further points.

use serde::{Deserialize, Serialize};
use thermo::Unit;

/// One device model: its points and how they travel.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The name that sites refer to: the file's name without `.toml`.
    pub name: String,
    /// One line: what the device is.
    pub description: String,
    /// The document that the map was taken from, with edition and page where public.
    pub source: String,
    /// How points travel.
    pub mapping: Mapping,
    /// The points, in the file's order. [`plan::Block`](crate::plan::Block) and payloads refer to them by index.
    pub points: Vec<Point>,
}

/// How a device's points travel.
#[derive(Debug, Clone, PartialEq)]
pub enum Mapping {
    /// Modbus registers and bits.
    Modbus(ModbusMap),
    /// Payloads published on MQTT topics.
    Mqtt(MqttMap),
    /// Points of an object on the NVIDIA DSX Exchange bus.
    Dsx(DsxMap),
}

/// What holds for a whole Modbus device.
#[derive(Debug, Clone, PartialEq)]
pub struct ModbusMap {
    /// 0 where the manual's addresses are protocol addresses, 1 where its first register is number 1.
    pub base: u16,
    /// The most registers that one read may ask for, 1 to 125.
    pub max_block: u16,
    /// How many unused registers a block read may span; 0 where the device refuses gaps.
    pub max_gap: u16,
    /// Pause between two requests, for slow devices, in milliseconds.
    pub request_pause_ms: u32,
    /// Pause after connecting before the first request, in milliseconds.
    pub connect_delay_ms: u32,
    /// Patience for an answer, in milliseconds; `None` for the link's own.
    pub answer_ms: Option<u32>,
    /// Seconds between two polls, for devices that measure slowly; `None` for two polls a cycle.
    pub poll_s: Option<f64>,
    /// Whether the connection is held between polls. A device with a single connection that others need too is let go
    /// after each poll.
    pub hold_connection: bool,
    /// Whether a single register is written by function 6, else by function 16 as devices want that know only this.
    pub write_single: bool,
    /// Registers that may not be read, not even within a block that spans them: protocol addresses.
    pub unreadable: Vec<Unreadable>,
}

/// Registers or bits that a device must not be asked for: it answers with an exception, or falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The table.
    pub table: Table,
    /// First and last protocol address.
    pub range: (u16, u16),
}

/// What holds for a whole MQTT device.
#[derive(Debug, Clone, PartialEq)]
pub struct MqttMap {
    /// Topic of the telemetry, with `{device}` in the place of the device's id, e.g. `hall/rack/{device}/telemetry`.
    /// Of a batch it is one for many devices; of plain numbers it has a `{point}` too; of Sparkplug B it is
    /// `group/node/{device}`.
    pub topic: String,
    /// What the payload is.
    pub payload: Payload,
    /// JSON pointer to the sample's time, epoch milliseconds; without it the time of arrival counts.
    pub timestamp: Option<String>,
    /// JSON pointer to a quality number, 1 good, anything else not.
    pub quality: Option<String>,
    /// JSON pointer to a sequence number that grows by one a message, for counting losses.
    pub sequence: Option<String>,
}

/// What an MQTT payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A JSON document with the values of one device.
    Json,
    /// A number in plain text, one topic a point.
    Number,
    /// A JSON document with the values of many devices.
    Batch {
        /// JSON pointer to the list of devices; empty where the document is the list.
        items: String,
        /// JSON pointer, within an item, to the device's id.
        device: String,
    },
    /// Sparkplug B.
    Sparkplug,
}

/// What holds for a whole object on the DSX Exchange bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsxMap {
    /// Its object type, such as `CDU`.
    pub object_type: String,
}

/// One point of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The quantity's name, snake case, unique in the profile.
    pub name: String,
    /// The canonical unit into which decoded values are converted.
    pub unit: Unit,
    /// Value in canonical unit = raw x `scale` + `offset` (the device's own scale and unit already folded in).
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Read, write or both.
    pub access: Access,
    /// Where it is.
    pub place: Place,
    /// The smallest plausible value, canonical unit; below it a reading is bad.
    pub min: f64,
    /// The largest plausible value, canonical unit.
    pub max: f64,
}

/// Where a point is found on its device.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// In Modbus registers or bits.
    Register(Register),
    /// In a JSON payload, at this JSON pointer (RFC 6901).
    Pointer(String),
    /// On a topic of its own, with this in the place of `{point}`.
    Topic(String),
    /// A Sparkplug B metric of this name.
    Metric(String),
    /// A point of the DSX Exchange bus.
    Dsx(DsxPoint),
}

/// Where a point is found on the DSX Exchange bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsxPoint {
    /// Its point type, such as `LiquidTemperature`.
    pub point_type: String,
    /// Areas that its metadata must name, such as `Secondary` and `Supply`.
    pub process_area: Vec<String>,
    /// Whether it is a setpoint.
    pub setpoint: bool,
    /// Point type on which we ask for a value, such as `LiquidTemperatureSpRequest`.
    pub request: Option<String>,
    /// Areas that the request's metadata must name.
    pub request_area: Vec<String>,
}

/// Where a point's raw value is in a Modbus device.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// The table that holds it.
    pub table: Table,
    /// Protocol address (base already subtracted).
    pub address: u16,
    /// How the raw value is encoded.
    pub raw: Raw,
    /// Order of the words of a value of several registers.
    pub words: WordOrder,
    /// Order of the bytes in a register.
    pub bytes: Order,
    /// Raw values, as unsigned words put together, that mean "no value".
    pub sentinels: Vec<u64>,
}

/// The four tables of a Modbus device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Writable bits (functions 1, 5, 15).
    Coil,
    /// Read-only bits (function 2).
    Discrete,
    /// Read-only registers (function 4).
    Input,
    /// Writable registers (functions 3, 6, 16).
    Holding,
}

/// Encoding of a raw value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raw {
    /// One bit of a bit table.
    Bit,
    /// One bit of a register, 0 the lowest.
    BitOf(u8),
    /// The unsigned number in some neighbouring bits of a register, such as a mode: lowest and highest bit.
    Field(u8, u8),
    /// Alarm bits of a register: 1 where any bit of the mask is set, else 0.
    AnyOf(u16),
    /// Unsigned 16 bit.
    U16,
    /// Signed 16 bit.
    I16,
    /// Unsigned 32 bit.
    U32,
    /// Signed 32 bit.
    I32,
    /// IEEE 754 single.
    F32,
    /// Unsigned 64 bit.
    U64,
    /// Signed 64 bit.
    I64,
    /// IEEE 754 double.
    F64,
}

/// In which order the registers of a value come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordOrder {
    /// The most significant register first: 1 2 3 4.
    #[default]
    HighFirst,
    /// The least significant register first ("word-swapped"): 4 3 2 1.
    LowFirst,
    /// Neighbours change places: 2 1 4 3, as where two word-swapped 32-bit halves come high half first.
    PairsSwapped,
    /// The halves change places: 3 4 1 2, as where two 32-bit halves come low half first.
    HalvesSwapped,
}

/// Which part of a longer value comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The most significant part first, as the Modbus standard says of bytes.
    #[default]
    HighFirst,
    /// The least significant part first.
    LowFirst,
}

/// What may be done with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read only.
    #[default]
    Read,
    /// Read and written; every write is read back.
    ReadWrite,
}

/// A mistake in a profile file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {key}: {message}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct ProfileError {
    /// The file, as given by the caller.
    pub file: String,
    /// The line, counted from 1, where the parser has it.
    pub line: Option<usize>,
    /// The key path, such as `point.secondary_flow.address`.
    pub key: String,
    /// What is wrong and what to write instead.
    pub message: String,
}
