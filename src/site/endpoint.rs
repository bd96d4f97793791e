//! Where a Modbus device is reached: TCP, TLS, RTU frames over TCP, or a serial line.

use super::check::is_host_and_port;
use std::fmt;
use std::str::FromStr;

/// What to write for an address, for messages.
pub(super) const ADDRESS: &str = "\"10.0.0.7:502\", \"tls://10.0.0.7:802\", \"rtu://10.0.0.7:4001\" (a gateway that passes \
                                  RTU frames) or \"serial:/dev/ttyUSB0@19200-8E1\"";

/// Line speeds that Linux's standard rates know and Modbus devices use, bit/s.
const BAUD: &[u32] = &[1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200];

/// How a Modbus address is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// Modbus TCP at `host:port`.
    Tcp(String),
    /// Modbus/TCP Security: Modbus TCP within mutual TLS, at `host:port`.
    Tls(String),
    /// RTU frames over TCP, as simple serial gateways pass them, at `host:port`.
    Rtu(String),
    /// RTU frames on a serial line of this machine.
    Serial(SerialLine),
}

/// A serial line and its framing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SerialLine {
    /// Path of the device file.
    pub path: String,
    /// Speed, bit/s.
    pub baud: u32,
    /// Parity.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
}

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parity {
    /// None.
    None,
    /// Even, which the Modbus serial specification asks for where nothing else is agreed.
    Even,
    /// Odd.
    Odd,
}

impl Endpoint {
    /// Whether two addresses are one connection: a serial line is one, however its framing is written.
    pub fn same_line(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Serial(line), Self::Serial(other)) => line.path == other.path,
            _ => self == other,
        }
    }

    /// Whether RTU frames travel here, which address 1 to 247 only.
    pub const fn is_rtu(&self) -> bool {
        matches!(self, Self::Rtu(_) | Self::Serial(_))
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("is `{text}`; write {ADDRESS}");
        if let Some(line) = text.strip_prefix("serial:") {
            return line.parse().map(Self::Serial).map_err(|()| wrong());
        }
        let (kind, rest): (fn(String) -> Self, &str) = if let Some(rest) = text.strip_prefix("tls://") {
            (Self::Tls, rest)
        } else if let Some(rest) = text.strip_prefix("rtu://") {
            (Self::Rtu, rest)
        } else {
            (Self::Tcp, text)
        };
        if is_host_and_port(rest) {
            Ok(kind(rest.to_owned()))
        } else {
            Err(wrong())
        }
    }
}

impl FromStr for SerialLine {
    type Err = ();

    /// `/dev/ttyUSB0@19200-8E1`: path, speed, data bits (8, as RTU has), parity and stop bits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (path, framing) = text.rsplit_once('@').ok_or(())?;
        let (baud, format) = framing.split_once('-').ok_or(())?;
        let baud = baud.parse().map_err(|_| ())?;
        let (parity, stop_bits) = match format.as_bytes() {
            [b'8', b'N', stop] => (Parity::None, stop),
            [b'8', b'E', stop] => (Parity::Even, stop),
            [b'8', b'O', stop] => (Parity::Odd, stop),
            _ => return Err(()),
        };
        let stop_bits = match stop_bits {
            b'1' => 1,
            b'2' => 2,
            _ => return Err(()),
        };
        if path.starts_with('/') && BAUD.contains(&baud) {
            Ok(Self {
                path: path.to_owned(),
                baud,
                parity,
                stop_bits,
            })
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Tls(address) => write!(f, "tls://{address}"),
            Self::Rtu(address) => write!(f, "rtu://{address}"),
            Self::Serial(line) => write!(f, "{}", line.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address() {
        let parse = |text: &str| text.parse::<Endpoint>();
        assert_eq!(parse("10.0.0.7:502"), Ok(Endpoint::Tcp("10.0.0.7:502".into())));
        assert_eq!(parse("tls://cdu1.hall:802"), Ok(Endpoint::Tls("cdu1.hall:802".into())));
        assert_eq!(parse("rtu://[::1]:4001"), Ok(Endpoint::Rtu("[::1]:4001".into())));
        assert_eq!(
            parse("serial:/dev/serial/by-id/usb@9600-8N2"),
            Ok(Endpoint::Serial(SerialLine {
                path: "/dev/serial/by-id/usb".into(),
                baud: 9600,
                parity: Parity::None,
                stop_bits: 2,
            }))
        );
        for wrong in [
            "",
            "tcp://10.0.0.7:502",
            "tls://10.0.0.7",
            "serial:/dev/ttyS0",
            "serial:/dev/ttyS0@9600",
            "serial:ttyS0@9600-8N1",
            "serial:/dev/ttyS0@9600-7E1",
            "serial:/dev/ttyS0@9601-8E1",
            "serial:/dev/ttyS0@9600-8E3",
        ] {
            assert!(
                parse(wrong).is_err_and(|error| error.contains("serial:/dev/ttyUSB0@19200-8E1")),
                "{wrong}"
            );
        }
    }
}
