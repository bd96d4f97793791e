//! One Modbus connection of any kind: one request at a time, each with a deadline.

use super::serial;
use crate::connect::{self, tls};
use crate::site::{Endpoint, ModbusSettings};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::client::{Context, rtu, tcp};
use tokio_modbus::prelude::{Client, ExceptionCode, Reader, Slave, SlaveContext, Writer};
use wire::codec::{self, DecodeError};
use wire::profile::{Register, Table};

/// Patience for a peer's goodbye.
const GOODBYE: Duration = Duration::from_millis(250);

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The device, or the gateway before it, answered that it will not: the connection is sound.
    Refused(ExceptionCode),
    /// No answer in time, or one that does not belong to the request: the connection is of no more use, because the
    /// next answer on it may belong to this request.
    Broken(String),
}

/// What a read brought.
#[derive(Debug)]
pub(super) enum Answer {
    Registers(Vec<u16>),
    Bits(Vec<bool>),
}

impl Answer {
    /// The value of a point whose raw value starts `offset` registers or bits into the answer.
    pub(super) fn decode(&self, point: &wire::Point, offset: u16) -> Result<f64, DecodeError> {
        let offset = usize::from(offset);
        match self {
            Self::Registers(words) => codec::decode(point, words.get(offset..).unwrap_or_default()),
            Self::Bits(bits) => codec::decode_bit(point, *bits.get(offset).ok_or(DecodeError::Malformed)?),
        }
    }
}

/// A device's manner of taking one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Pause after a request.
    pub pause: Duration,
    /// Patience for an answer.
    pub deadline: Duration,
    /// A single register by function 6, else by 16.
    pub write_single: bool,
}

pub(super) struct Session {
    context: Context,
    /// Silence that the line needs between frames.
    silence: Duration,
    /// When the next request may go out.
    ready: Instant,
}

impl Session {
    /// Connects; the first request waits for `delay`.
    pub(super) async fn connect(
        endpoint: &Endpoint,
        settings: &ModbusSettings,
        patience: Duration,
        delay: Duration,
    ) -> Result<Self, String> {
        let mut silence = Duration::ZERO;
        let context = match endpoint {
            Endpoint::Tcp(address) => tcp::attach(connect::tcp(address, patience).await?),
            Endpoint::Rtu(address) => rtu::attach(connect::tcp(address, patience).await?),
            Endpoint::Tls(address) => {
                let stream = connect::tcp(address, patience).await?;
                tcp::attach(tls::secure(stream, address, &settings.tls, patience).await?)
            }
            Endpoint::Serial(line) => {
                silence = serial::silence(line.baud);
                rtu::attach(serial::open(line).map_err(|error| format!("{}: {error}", line.path))?)
            }
        };
        Ok(Self {
            context,
            silence,
            ready: Instant::now() + delay,
        })
    }

    /// Reads registers or bits.
    pub(super) async fn read(
        &mut self,
        unit: Slave,
        (table, start, count): (Table, u16, u16),
        manner: Manner,
    ) -> Result<Answer, Failure> {
        self.before(unit).await;
        let context = &mut self.context;
        let request = async {
            match table {
                Table::Coil => context
                    .read_coils(start, count)
                    .await
                    .map(|answer| answer.map(Answer::Bits)),
                Table::Discrete => context
                    .read_discrete_inputs(start, count)
                    .await
                    .map(|answer| answer.map(Answer::Bits)),
                Table::Input => context
                    .read_input_registers(start, count)
                    .await
                    .map(|answer| answer.map(Answer::Registers)),
                Table::Holding => context
                    .read_holding_registers(start, count)
                    .await
                    .map(|answer| answer.map(Answer::Registers)),
            }
        };
        let answered = timeout(manner.deadline, request).await;
        self.after(answered, manner)
    }

    /// Writes the words of one value, where it is `allowed` once the line is free; answers whether it was.
    pub(super) async fn write(
        &mut self,
        unit: Slave,
        register: &Register,
        words: &[u16],
        manner: Manner,
        allowed: impl Fn() -> bool,
    ) -> Result<bool, Failure> {
        self.before(unit).await;
        if !allowed() {
            return Ok(false);
        }
        let context = &mut self.context;
        let address = register.address;
        let request = async {
            match (register.table, words) {
                (Table::Coil, [word, ..]) => context.write_single_coil(address, *word != 0).await,
                (_, [word]) if manner.write_single => context.write_single_register(address, *word).await,
                _ => context.write_multiple_registers(address, words).await,
            }
        };
        let answered = timeout(manner.deadline, request).await;
        self.after(answered, manner).map(|()| true)
    }

    /// Says goodbye; the connection is closed whatever the peer says.
    pub(super) async fn close(mut self) {
        if let Ok(Err(error)) = timeout(GOODBYE, self.context.disconnect()).await {
            tracing::debug!(%error, "a Modbus connection did not close in order");
        }
    }

    async fn before(&mut self, unit: Slave) {
        sleep_until(self.ready).await;
        self.context.set_slave(unit);
    }

    fn after<T>(
        &mut self,
        answered: Result<tokio_modbus::Result<T>, tokio::time::error::Elapsed>,
        manner: Manner,
    ) -> Result<T, Failure> {
        self.ready = Instant::now() + manner.pause.max(self.silence);
        match answered {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(exception))) => Err(Failure::Refused(exception)),
            Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
            Err(_) => Err(Failure::Broken(format!(
                "no answer within {} ms",
                manner.deadline.as_millis()
            ))),
        }
    }
}
