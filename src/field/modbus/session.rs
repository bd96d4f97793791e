//! One Modbus TCP connection: one request at a time, each with a deadline.

use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::client::{Context, tcp};
use tokio_modbus::prelude::{Client, ExceptionCode, Reader, Slave, SlaveContext, Writer};
use wire::codec::{self, DecodeError};
use wire::profile::{Register, Table};

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

pub(super) struct Session {
    context: Context,
    deadline: Duration,
    /// When the next request may go out.
    ready: Instant,
}

impl Session {
    /// Connects. `deadline` is for each request; the first one waits for `delay`.
    pub(super) async fn connect(
        address: &str,
        patience: Duration,
        deadline: Duration,
        delay: Duration,
    ) -> Result<Self, String> {
        let stream = match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(format!("{address}: {error}")),
            Err(_) => return Err(format!("{address}: no connection within {} ms", patience.as_millis())),
        };
        stream
            .set_nodelay(true)
            .map_err(|error| format!("{address}: {error}"))?;
        Ok(Self {
            context: tcp::attach(stream),
            deadline,
            ready: Instant::now() + delay,
        })
    }

    /// Reads registers or bits; `pause` follows before the next request.
    pub(super) async fn read(
        &mut self,
        unit: Slave,
        (table, start, count): (Table, u16, u16),
        pause: Duration,
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
        let answered = timeout(self.deadline, request).await;
        self.after(answered, pause)
    }

    /// Writes the words of one value.
    pub(super) async fn write(
        &mut self,
        unit: Slave,
        register: &Register,
        words: &[u16],
        pause: Duration,
    ) -> Result<(), Failure> {
        self.before(unit).await;
        let context = &mut self.context;
        let address = register.address;
        let request = async {
            match (register.table, words) {
                (Table::Coil, [word, ..]) => context.write_single_coil(address, *word != 0).await,
                (_, [word]) => context.write_single_register(address, *word).await,
                _ => context.write_multiple_registers(address, words).await,
            }
        };
        let answered = timeout(self.deadline, request).await;
        self.after(answered, pause)
    }

    /// Says goodbye; the connection is closed whatever the peer says.
    pub(super) async fn close(mut self) {
        if let Ok(Err(error)) = timeout(self.deadline, self.context.disconnect()).await {
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
        pause: Duration,
    ) -> Result<T, Failure> {
        self.ready = Instant::now() + pause;
        match answered {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(exception))) => Err(Failure::Refused(exception)),
            Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
            Err(_) => Err(Failure::Broken(format!(
                "no answer within {} ms",
                self.deadline.as_millis()
            ))),
        }
    }
}
