//! A small MQTT 3.1.1 broker for the demo and for tests.
//!
//! Quality of service 0 and 1 (2 is received and forwarded as 1), retained messages, wildcards, last
//! wills, keep-alive.
//! Sessions are clean: nothing outlives a connection. A subscriber that does not read loses messages
//! once its queue is full; nobody else waits for it. It has no passwords and no TLS: bind it to loopback.

use super::OwnedTask;
use super::exchange::Exchange;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, PubComp, PubRec, Publish};
use rumqttc::mqttbytes::v4::{SubAck, UnsubAck};
use rumqttc::mqttbytes::{Error, QoS};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_modbus::bytes::BytesMut;

/// Largest packet, bytes.
const MAX_PACKET: usize = 1 << 20;
/// Messages that wait for one subscriber.
const QUEUE: usize = 4096;
/// Time for a client to introduce itself.
const HELLO: Duration = Duration::from_secs(10);

/// A broker that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    exchange: Exchange,
    task: OwnedTask,
}

impl Broker {
    /// Listens at `address`; port 0 takes a free port.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let exchange = Exchange::default();
        let task = OwnedTask::spawn(listen(listener, exchange.clone()));
        Ok(Self {
            address,
            exchange,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Clients connected now.
    pub fn clients(&self) -> usize {
        self.exchange.lock().clients()
    }

    /// Messages lost so far because a subscriber did not read.
    pub fn lost(&self) -> u64 {
        self.exchange.lock().lost()
    }

    /// Drops all clients and stops listening, as a broker does that is killed. Retained messages are forgotten.
    pub async fn stop(&mut self) {
        self.task.stop().await;
        self.exchange.lock().clear();
    }

    /// Listens again at the same address.
    ///
    /// # Errors
    /// Where another process has taken the address.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await?;
        self.task = OwnedTask::spawn(listen(listener, self.exchange.clone()));
        Ok(())
    }
}

async fn listen(listener: TcpListener, exchange: Exchange) {
    // Connections end with this set, and so with the broker.
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                connections.spawn(converse(stream, exchange.clone(), number));
            }
            Err(error) => {
                tracing::warn!(%error, "the broker cannot accept a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Why a conversation ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the client has gone")]
    Gone,
    #[error("the client was silent for longer than its keep-alive")]
    Silent,
    #[error("the client broke the protocol")]
    Protocol,
    #[error("{0}")]
    Packet(#[from] Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// One connection from hello to goodbye.
async fn converse(stream: TcpStream, exchange: Exchange, number: u64) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a client's socket keeps its delay");
    }
    let (reader, mut writer) = stream.into_split();
    let mut inbox = Inbox {
        reader,
        buffer: BytesMut::new(),
    };
    let Ok(Ok(Packet::Connect(connect))) = timeout(HELLO, inbox.packet()).await else {
        return;
    };
    let (outbox, mut queue) = mpsc::channel(QUEUE);
    exchange.lock().join(number, &connect.client_id, outbox);
    let Connect {
        keep_alive, last_will, ..
    } = connect;
    let hello = ConnAck::new(ConnectReturnCode::Success, false);
    let mut end = write(&mut writer, Packet::ConnAck(hello)).await;
    // A client may be silent for one and a half times its keep-alive, and for ever with 0.
    let silence = if keep_alive == 0 {
        Duration::MAX
    } else {
        Duration::from_secs(u64::from(keep_alive)).mul_f64(1.5)
    };
    while end.is_ok() {
        end = tokio::select! {
            packet = timeout(silence, inbox.packet()) => match packet {
                Err(_) => Err(End::Silent),
                Ok(Err(error)) => Err(error),
                Ok(Ok(Packet::Disconnect)) => break,
                Ok(Ok(packet)) => match answer(packet, &exchange, number) {
                    Ok(Some(packet)) => write(&mut writer, packet).await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                },
            },
            packet = queue.recv() => match packet {
                Some(packet) => write(&mut writer, packet).await,
                None => Err(End::Gone),
            },
        };
    }
    let mut state = exchange.lock();
    state.leave(number);
    if let Err(error) = end {
        tracing::debug!(%error, "a client's conversation has ended");
        if let Some(LastWill {
            topic,
            message,
            qos,
            retain,
        }) = last_will
        {
            let mut will = Publish::from_bytes(topic, qos, message);
            will.retain = retain;
            state.route(&will);
        }
    }
}

/// Acts on a packet and gives the answer to it.
fn answer(packet: Packet, exchange: &Exchange, number: u64) -> Result<Option<Packet>, End> {
    Ok(match packet {
        Packet::Publish(publish) => {
            if publish.topic.is_empty() || publish.topic.contains(['+', '#', '\0']) {
                return Err(End::Protocol);
            }
            exchange.lock().route(&publish);
            match publish.qos {
                QoS::AtMostOnce => None,
                QoS::AtLeastOnce => Some(Packet::PubAck(PubAck::new(publish.pkid))),
                QoS::ExactlyOnce => Some(Packet::PubRec(PubRec::new(publish.pkid))),
            }
        }
        Packet::PubRel(release) => Some(Packet::PubComp(PubComp::new(release.pkid))),
        Packet::Subscribe(subscribe) => {
            let codes = exchange.lock().subscribe(number, &subscribe);
            Some(Packet::SubAck(SubAck::new(subscribe.pkid, codes)))
        }
        Packet::Unsubscribe(unsubscribe) => {
            exchange.lock().unsubscribe(number, &unsubscribe.topics);
            Some(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)))
        }
        Packet::PingReq => Some(Packet::PingResp),
        Packet::PubAck(_) => None,
        _ => return Err(End::Protocol),
    })
}

/// Packets from a client; what has been received stays in the buffer when a read is given up.
struct Inbox {
    reader: OwnedReadHalf,
    buffer: BytesMut,
}

impl Inbox {
    async fn packet(&mut self) -> Result<Packet, End> {
        loop {
            match Packet::read(&mut self.buffer, MAX_PACKET) {
                Err(Error::InsufficientBytes(_)) => {}
                read => return Ok(read?),
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Err(End::Gone);
            }
        }
    }
}

async fn write(writer: &mut OwnedWriteHalf, packet: Packet) -> Result<(), End> {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, MAX_PACKET)?;
    Ok(writer.write_all(&bytes).await?)
}
