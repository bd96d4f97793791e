//! Doors for the fuzz targets to decoders that are otherwise private: bytes in, nothing out, no panic.

use crate::connect::mqtt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_modbus::client::{rtu, tcp};
use tokio_modbus::prelude::{Reader, Slave, SlaveContext};

/// A device that answers with the same bytes whatever it is asked.
#[derive(Debug)]
struct Canned(io::Cursor<Vec<u8>>);

impl AsyncRead for Canned {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Canned {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A device's answer to a read, over TCP and as RTU.
pub fn modbus_answer(bytes: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return;
    };
    let canned = || Canned(io::Cursor::new(bytes.to_vec()));
    runtime.block_on(async {
        for mut context in [tcp::attach(canned()), rtu::attach(canned())] {
            context.set_slave(Slave(1));
            if let Ok(Ok(words)) = context.read_input_registers(0, 10).await {
                drop(words);
            }
        }
    });
}

/// A broker's packets, of both versions, until they end or are refused.
pub fn mqtt_packets(bytes: &[u8]) {
    mqtt::read_all(bytes);
}
