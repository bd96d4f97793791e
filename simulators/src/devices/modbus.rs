//! A Modbus TCP server with one or more devices.

use super::OwnedTask;
use super::fence::Written;
use super::hall::Hall;
use super::registers::{Device, Refusal};
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};
use wire::profile::Table;

/// A Modbus TCP endpoint: one device, or a gateway with a device per unit.
#[derive(Debug)]
pub struct ModbusServer {
    address: SocketAddr,
    endpoint: Endpoint,
    task: OwnedTask,
}

#[derive(Debug, Clone)]
struct Endpoint {
    hall: Arc<Hall>,
    devices: Arc<[Device]>,
    /// The other end of the connection.
    peer: Option<SocketAddr>,
}

impl ModbusServer {
    /// Serves `devices` at `address`; port 0 takes a free port. A single device answers to every unit, several answer each
    /// to its own.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn start(address: SocketAddr, hall: Arc<Hall>, devices: Vec<Device>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let endpoint = Endpoint {
            hall,
            devices: devices.into(),
            peer: None,
        };
        let task = OwnedTask::spawn(serve(listener, endpoint.clone()));
        Ok(Self {
            address,
            endpoint,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is serving.
    pub fn is_running(&self) -> bool {
        self.task.is_running()
    }

    /// Drops all connections and stops listening, as a device does that loses its power.
    pub async fn stop(&mut self) {
        self.task.stop().await;
    }

    /// Serves again at the same address.
    ///
    /// # Errors
    /// Where another process has taken the address.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await?;
        self.task = OwnedTask::spawn(serve(listener, self.endpoint.clone()));
        Ok(())
    }
}

async fn serve(listener: TcpListener, endpoint: Endpoint) {
    let on_connected = |stream, peer| {
        let mut endpoint = endpoint.clone();
        endpoint.peer = Some(peer);
        async move { accept_tcp_connection(stream, peer, |_| Ok(Some(endpoint.clone()))) }
    };
    let on_error = |error| tracing::debug!(%error, "a Modbus connection has ended");
    if let Err(error) = Server::new(listener).serve(&on_connected, on_error).await {
        tracing::warn!(%error, "a simulated Modbus device no longer listens");
    }
}

impl Service for Endpoint {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(self.answer(&request))
    }
}

impl Endpoint {
    fn write(&self, device: &Device, table: Table, address: u16, words: &[u16]) -> Result<(), ExceptionCode> {
        self.hall
            .with(|world| device.write(world.plant_mut(), table, address, words))
            .map_err(exception)
    }

    /// A write as a fenced device notes it.
    fn fenced(&self, device: &Device, table: Table, address: u16, words: &[u16]) -> Option<Written> {
        let (point, value) = device.meant(table, address, words)?;
        Some(Written {
            at: Instant::now(),
            peer: self.peer?,
            device: device.id().to_owned(),
            point: point.to_owned(),
            value,
            taken: true,
        })
    }

    fn answer(&self, request: &SlaveRequest) -> Result<Response, ExceptionCode> {
        let device = match &*self.devices {
            [only] => only,
            several => several
                .iter()
                .find(|device| device.unit() == request.slave)
                .ok_or(ExceptionCode::GatewayTargetDevice)?,
        };
        if self.hall.with(|world| device.is_silent(world.plant())) {
            // The gateway's answer for a unit that does not answer it.
            return Err(ExceptionCode::GatewayTargetDevice);
        }
        let read = |table, address, count| {
            self.hall
                .with(|world| device.read(world.plant(), table, address, count))
                .map_err(exception)
        };
        let write = |table, address, words: &[u16]| {
            let written = self.fenced(device, table, address, words);
            let (Some(fence), Some(mut written)) = (self.hall.fenced(), written) else {
                return self.write(device, table, address, words);
            };
            let done = if fence.passes(&written) {
                self.write(device, table, address, words)
            } else {
                Err(ExceptionCode::IllegalDataValue)
            };
            written.taken = done.is_ok();
            fence.note(written);
            done
        };
        let bits = |words: Vec<u16>| words.into_iter().map(|word| word != 0).collect();
        let count = |length: usize| u16::try_from(length).map_err(|_| ExceptionCode::IllegalDataValue);
        match &request.request {
            Request::ReadCoils(address, n) => read(Table::Coil, *address, *n).map(bits).map(Response::ReadCoils),
            Request::ReadDiscreteInputs(address, n) => read(Table::Discrete, *address, *n)
                .map(bits)
                .map(Response::ReadDiscreteInputs),
            Request::ReadInputRegisters(address, n) => {
                read(Table::Input, *address, *n).map(Response::ReadInputRegisters)
            }
            Request::ReadHoldingRegisters(address, n) => {
                read(Table::Holding, *address, *n).map(Response::ReadHoldingRegisters)
            }
            Request::WriteSingleCoil(address, coil) => {
                write(Table::Coil, *address, &[u16::from(*coil)])?;
                Ok(Response::WriteSingleCoil(*address, *coil))
            }
            Request::WriteMultipleCoils(address, coils) => {
                let words: Vec<u16> = coils.iter().map(|coil| u16::from(*coil)).collect();
                write(Table::Coil, *address, &words)?;
                Ok(Response::WriteMultipleCoils(*address, count(words.len())?))
            }
            Request::WriteSingleRegister(address, word) => {
                write(Table::Holding, *address, &[*word])?;
                Ok(Response::WriteSingleRegister(*address, *word))
            }
            Request::WriteMultipleRegisters(address, words) => {
                write(Table::Holding, *address, words)?;
                Ok(Response::WriteMultipleRegisters(*address, count(words.len())?))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }
}

fn exception(refusal: Refusal) -> ExceptionCode {
    match refusal {
        Refusal::Address => ExceptionCode::IllegalDataAddress,
        Refusal::Value => ExceptionCode::IllegalDataValue,
    }
}
