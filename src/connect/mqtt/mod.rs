//! An MQTT client, versions 3.1.1 and 5, over TCP or TLS.
//!
//! Packets are rumqttc's; the conversation is here, because rumqttc's own loop takes no stream but its own, whose TLS
//! links a `rustls-webpki` with known advisories. It is short: connect, subscribe, keep alive, acknowledge; a client that
//! publishes sends at quality 0. It subscribes at every connection to all that it wants,
//! whatever the broker remembers; what a broker retains is sent again then.

mod client;
mod packet;

pub use client::{Handler, run};

use super::{Stream, tcp, tls};
use crate::site::{MqttSettings, MqttVersion};
use bytes::{Bytes, BytesMut};
use packet::{Codec, Packet};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

/// Real time: the broker's, not the plant's.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Patience for a connection, for TLS, and for the broker's welcome.
const CONNECT: Duration = Duration::from_secs(5);
/// Patience for a write: a broker that does not read is gone.
const WRITE: Duration = Duration::from_secs(5);
/// Topics in one subscription.
const TOPICS: usize = 64;
/// Ports of a broker whose address names none (IANA: mqtt, secure-mqtt).
const PORT: u16 = 1883;
const SECURE_PORT: u16 = 8883;

/// Who a client is on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Unique on the broker.
    pub client_id: String,
    /// What the broker says for us when we are gone without a word.
    pub will: Option<Will>,
    /// Largest packet that is taken, bytes.
    pub largest: usize,
    /// Whether the broker keeps messages for us through a short loss of the connection.
    pub keep_session: bool,
}

/// A message left with the broker for the case of our loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Bytes,
    /// The broker kept it from some time ago.
    pub retained: bool,
}

/// One connection to a broker.
#[derive(Debug)]
pub struct Session {
    stream: Box<dyn Stream>,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
    next_id: u16,
    /// When the next ping is due, and whether the last one was answered.
    ping: Instant,
    awaits_pong: bool,
}

impl Session {
    /// Connects and introduces us. The error says what failed and where, never the password.
    pub async fn connect(settings: &MqttSettings, identity: &Identity) -> Result<Self, String> {
        let (address, secure) = address(&settings.broker);
        let stream = tcp(&address, CONNECT).await?;
        let stream: Box<dyn Stream> = if secure {
            tls::secure(stream, &address, &settings.tls, CONNECT).await?
        } else {
            Box::new(stream)
        };
        let login = login(settings)?;
        let codec = Codec::new(settings.version == MqttVersion::V5, identity.largest);
        let mut session = Self {
            stream,
            codec,
            input: BytesMut::with_capacity(64 * 1024),
            output: BytesMut::new(),
            next_id: 0,
            ping: Instant::now() + KEEP_ALIVE,
            awaits_pong: false,
        };
        session
            .codec
            .connect(&mut session.output, identity, login.as_ref(), KEEP_ALIVE)?;
        session.flush().await?;
        match timeout(CONNECT, session.packet()).await {
            Ok(Ok(Packet::Welcome)) => Ok(session),
            Ok(Ok(Packet::Refused(why))) => Err(format!("{address}: the broker refuses: {why}")),
            Ok(Ok(_)) => Err(format!("{address}: the broker does not begin with its welcome")),
            Ok(Err(error)) => Err(format!("{address}: {error}")),
            Err(_) => Err(format!("{address}: no welcome within {} s", CONNECT.as_secs())),
        }
    }

    /// Asks for topics, at quality 1. The answer comes as [`Event::Subscribed`].
    pub async fn subscribe(&mut self, filters: &[String]) -> Result<(), String> {
        for some in filters.chunks(TOPICS) {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            self.codec.subscribe(&mut self.output, self.next_id, some)?;
        }
        self.flush().await
    }

    /// Sends `token` with every message from now on, as the user property `isotherm-fencing-token` of version 5; 0 sends none. Version
    /// 3.1.1 has no room for it.
    pub fn fence(&mut self, token: u64) {
        self.codec.token = token;
    }

    /// Queues a message at quality 0; it leaves with the next [`Session::flush`].
    pub fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<(), String> {
        self.codec.publish(&mut self.output, topic, payload, retain)
    }

    /// Sends what is queued.
    pub async fn flush(&mut self) -> Result<(), String> {
        if self.output.is_empty() {
            return Ok(());
        }
        // Piece by piece, so that a caller who gives up leaves no half of a packet behind.
        let send = async {
            while !self.output.is_empty() {
                if self.stream.write_buf(&mut self.output).await? == 0 {
                    return Err(std::io::ErrorKind::WriteZero.into());
                }
            }
            self.stream.flush().await
        };
        match timeout(WRITE, send).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the broker has taken nothing for {} s", WRITE.as_secs())),
        }
    }

    /// What comes next. May be given up at any time without losing anything: what was received stays in the buffer.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub async fn next(&mut self) -> Result<Event, String> {
        loop {
            // Acknowledgements and pings of what was taken before.
            self.flush().await?;
            let packet = tokio::select! {
                packet = read(&mut *self.stream, &mut self.input, &self.codec) => packet?,
                () = sleep_until(self.ping) => {
                    if std::mem::replace(&mut self.awaits_pong, true) {
                        return Err(format!("the broker has been silent for {} s", 2 * KEEP_ALIVE.as_secs()));
                    }
                    self.ping = Instant::now() + KEEP_ALIVE;
                    self.codec.ping(&mut self.output)?;
                    continue;
                }
            };
            match packet {
                Packet::Message(message, acknowledge) => {
                    if let Some(acknowledge) = acknowledge {
                        self.codec.acknowledge(&mut self.output, acknowledge)?;
                    }
                    return Ok(Event::Message(message));
                }
                Packet::Released(id) => self.codec.complete(&mut self.output, id)?,
                Packet::Subscribed { refused } => return Ok(Event::Subscribed { refused }),
                Packet::Pong => self.awaits_pong = false,
                Packet::Goodbye(why) => return Err(format!("the broker ends the connection: {why}")),
                Packet::Welcome | Packet::Refused(_) => return Err("the broker breaks the protocol".into()),
                Packet::Other => {}
            }
        }
    }

    /// A message that has been received already, without waiting: bursts are taken in one go.
    pub fn ready(&mut self) -> Result<Option<Message>, String> {
        // What needs more than a message is left to `next`.
        match self.codec.peek(&mut self.input)? {
            Some((message, acknowledge)) => {
                if let Some(acknowledge) = acknowledge {
                    self.codec.acknowledge(&mut self.output, acknowledge)?;
                }
                Ok(Some(message))
            }
            None => Ok(None),
        }
    }

    /// Says goodbye, so that the broker keeps our will to itself, and closes.
    pub async fn close(mut self) {
        let goodbye = async {
            self.codec.disconnect(&mut self.output)?;
            self.flush().await?;
            self.stream.shutdown().await.map_err(|error| error.to_string())
        };
        if let Ok(Err(error)) = timeout(Duration::from_millis(250), goodbye).await {
            tracing::debug!(%error, "an MQTT connection did not close in order");
        }
    }

    async fn packet(&mut self) -> Result<Packet, String> {
        read(&mut *self.stream, &mut self.input, &self.codec).await
    }
}

/// What a session brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message(Message),
    /// The broker has answered a subscription; some of its topics it may have refused.
    Subscribed {
        /// Number of topics that it refused.
        refused: usize,
    },
}

async fn read(stream: &mut dyn Stream, input: &mut BytesMut, codec: &Codec) -> Result<Packet, String> {
    loop {
        if let Some(packet) = codec.read(input)? {
            return Ok(packet);
        }
        input.reserve(16 * 1024);
        match stream.read_buf(input).await {
            Ok(0) => return Err("the broker has closed the connection".into()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads packets of both versions until they end or are refused: a door for the fuzz targets.
#[doc(hidden)]
pub fn read_all(bytes: &[u8]) {
    for v5 in [false, true] {
        let codec = Codec::new(v5, 4096);
        let mut input = BytesMut::from(bytes);
        while let Ok(Some(_)) = codec.read(&mut input) {}
    }
}

/// `host:port` of a broker, and whether it is reached by TLS.
fn address(broker: &str) -> (String, bool) {
    let secure = broker.strip_prefix("mqtts://");
    let rest = secure.unwrap_or(broker);
    let port = if secure.is_some() { SECURE_PORT } else { PORT };
    let complete = rest
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    (
        if complete {
            rest.to_owned()
        } else {
            format!("{rest}:{port}")
        },
        secure.is_some(),
    )
}

/// User and password, the latter from its file where there is one.
fn login(settings: &MqttSettings) -> Result<Option<(String, String)>, String> {
    if settings.username.is_empty() {
        return Ok(None);
    }
    let password = if settings.password_file.is_empty() {
        settings.password.clone()
    } else {
        let text = std::fs::read_to_string(&settings.password_file)
            .map_err(|error| format!("mqtt.password_file {}: {error}", settings.password_file))?;
        text.lines().next().unwrap_or_default().to_owned()
    };
    Ok(Some((settings.username.clone(), password)))
}

#[cfg(test)]
mod tests;
