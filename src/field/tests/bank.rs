//! A Modbus server whose registers and manners a test can change while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_modbus::prelude::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_modbus::server::Service;
use tokio_modbus::server::{rtu_over_tcp, tcp};

/// Registers and manners. Input and holding registers share one bank: tests keep their addresses apart.
#[derive(Debug, Default)]
pub(super) struct Manners {
    pub registers: BTreeMap<(u8, u16), u16>,
    /// Units that never answer.
    pub silent: BTreeSet<u8>,
    /// How late every answer comes.
    pub delay: Duration,
    /// Addresses that the device does not have.
    pub missing: BTreeSet<u16>,
    /// The device keeps no more than this.
    pub largest: Option<u16>,
    /// Every write in order: unit, address, value.
    pub written: Vec<(u8, u16, u16)>,
    /// The device knows no write of several registers.
    pub single_only: bool,
    /// Writes of several registers.
    pub blocks_written: usize,
    /// Read requests: first address and count.
    pub read: Vec<(u16, u16)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Bank(Arc<Mutex<Manners>>);

impl Bank {
    pub(super) fn with(registers: &[((u8, u16), u16)]) -> Self {
        let bank = Self::default();
        bank.set().registers = registers.iter().copied().collect();
        bank
    }

    /// Looks at the bank or changes it.
    pub(super) fn set(&self) -> MutexGuard<'_, Manners> {
        self.0.lock().unwrap()
    }

    /// Serves on an address (port 0 picks one) until the handle is aborted.
    pub(super) async fn serve(&self, address: &str) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let bank = self.clone();
        let task = tokio::spawn(async move {
            let on_connected = |stream, peer| {
                let bank = bank.clone();
                async move { tcp::accept_tcp_connection(stream, peer, |_| Ok(Some(bank.clone()))) }
            };
            tcp::Server::new(listener).serve(&on_connected, |_| ()).await.unwrap();
        });
        (address, task)
    }

    /// Serves RTU frames over TCP on a free port.
    pub(super) async fn serve_rtu(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bank = self.clone();
        let task = tokio::spawn(async move {
            let on_connected = |stream, peer| {
                let bank = bank.clone();
                async move { rtu_over_tcp::accept_tcp_connection(stream, peer, |_| Ok(Some(bank.clone()))) }
            };
            let server = rtu_over_tcp::Server::new(listener);
            server.serve(&on_connected, |_| ()).await.unwrap();
        });
        (address, task)
    }

    fn answer(&self, unit: u8, request: &Request<'static>) -> Result<Option<Response>, ExceptionCode> {
        let mut manners = self.set();
        if manners.silent.contains(&unit) {
            return Ok(None);
        }
        match *request {
            Request::ReadInputRegisters(start, count) => manners
                .read(unit, start, count)
                .map(|words| Some(Response::ReadInputRegisters(words))),
            Request::ReadHoldingRegisters(start, count) => manners
                .read(unit, start, count)
                .map(|words| Some(Response::ReadHoldingRegisters(words))),
            Request::WriteSingleRegister(address, word) => {
                manners.write(unit, address, word);
                Ok(Some(Response::WriteSingleRegister(address, word)))
            }
            Request::WriteMultipleRegisters(address, ref words) if !manners.single_only => {
                for (address, word) in (address..).zip(words.iter()) {
                    manners.write(unit, address, *word);
                }
                manners.blocks_written += 1;
                Ok(Some(Response::WriteMultipleRegisters(
                    address,
                    u16::try_from(words.len()).unwrap(),
                )))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }
}

impl Manners {
    fn read(&mut self, unit: u8, start: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        self.read.push((start, count));
        let addresses = start..start + count;
        if addresses.clone().any(|address| self.missing.contains(&address)) {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        Ok(addresses
            .map(|address| self.registers.get(&(unit, address)).copied().unwrap_or(0))
            .collect())
    }

    fn write(&mut self, unit: u8, address: u16, word: u16) {
        self.written.push((unit, address, word));
        self.registers
            .insert((unit, address), self.largest.map_or(word, |largest| word.min(largest)));
    }
}

impl Service for Bank {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Result<Option<Response>, ExceptionCode>> + Send>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let bank = self.clone();
        let delay = bank.set().delay;
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            bank.answer(request.slave, &request.request)
        })
    }
}
