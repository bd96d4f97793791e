//! The packets of both versions, as one.

use super::{Identity, Message};
use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes::v5;
use std::time::Duration;

/// What a broker sends, as far as a client cares.
#[derive(Debug)]
pub(super) enum Packet {
    Welcome,
    Refused(String),
    Message(Message, Option<Acknowledge>),
    /// The sender of a message of quality 2 has let go of it.
    Released(u16),
    Subscribed {
        refused: usize,
    },
    Pong,
    Goodbye(String),
    Other,
}

/// How long a broker of version 5 keeps a session, s.
const SESSION_S: u32 = 300;

/// How a message is acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Acknowledge {
    /// Quality 1.
    Taken(u16),
    /// Quality 2: received. It may come twice after a loss of the connection; readings may.
    Received(u16),
}

/// Reads and writes the packets of one version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codec {
    v5: bool,
    largest: usize,
    /// Fencing token of what is published; 0 for none.
    pub(super) token: u64,
}

/// The user property that carries the fencing token.
const FENCE: &str = "isotherm-fencing-token";

impl Codec {
    pub(super) const fn new(v5: bool, largest: usize) -> Self {
        Self { v5, largest, token: 0 }
    }

    /// The next packet of the input; `None` until it is complete.
    pub(super) fn read(self, input: &mut BytesMut) -> Result<Option<Packet>, String> {
        if self.v5
            && let Some(goodbye) = short_goodbye(input)
        {
            return Ok(Some(goodbye));
        }
        let before = input.len();
        let read = if self.v5 {
            let largest = u32::try_from(self.largest).unwrap_or(u32::MAX);
            match v5::Packet::read(input, Some(largest)) {
                Ok(packet) => from_v5(packet),
                // A packet that is there whole and still lacks bytes is no packet.
                Err(rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)) if input.len() == before => return Ok(None),
                Err(error) => Err(error.to_string()),
            }
        } else {
            match v4::Packet::read(input, self.largest) {
                Ok(packet) => Ok(from_v4(packet)),
                Err(mqttbytes::Error::InsufficientBytes(_)) if input.len() == before => return Ok(None),
                Err(error) => Err(error.to_string()),
            }
        };
        read.map(Some)
    }

    /// The next packet where it is a message and complete.
    pub(super) fn peek(self, input: &mut BytesMut) -> Result<Option<(Message, Option<Acknowledge>)>, String> {
        if input.first().is_none_or(|first| first >> 4 != PUBLISH) {
            return Ok(None);
        }
        match self.read(input)? {
            Some(Packet::Message(message, acknowledge)) => Ok(Some((message, acknowledge))),
            _ => Ok(None),
        }
    }

    pub(super) fn connect(
        self,
        output: &mut BytesMut,
        identity: &Identity,
        login: Option<&(String, String)>,
        keep_alive: Duration,
    ) -> Result<(), String> {
        let keep_alive = u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX);
        if self.v5 {
            let connect = v5::Connect {
                keep_alive,
                client_id: identity.client_id.clone(),
                clean_start: !identity.keep_session,
                properties: identity.keep_session.then(|| {
                    let mut properties = v5::ConnectProperties::new();
                    properties.session_expiry_interval = Some(SESSION_S);
                    properties
                }),
            };
            let will = identity.will.as_ref().map(|will| v5::LastWill {
                topic: Bytes::copy_from_slice(will.topic.as_bytes()),
                message: Bytes::copy_from_slice(&will.payload),
                qos: rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
                retain: will.retain,
                properties: None,
            });
            let login = login.map(|(username, password)| v5::Login {
                username: username.clone(),
                password: password.clone(),
            });
            return self.write_v5(output, &v5::Packet::Connect(connect, will, login));
        }
        let mut connect = v4::Connect::new(identity.client_id.clone());
        connect.keep_alive = keep_alive;
        connect.clean_session = !identity.keep_session;
        connect.last_will = identity.will.as_ref().map(|will| v4::LastWill {
            topic: will.topic.clone(),
            message: Bytes::copy_from_slice(&will.payload),
            qos: mqttbytes::QoS::AtLeastOnce,
            retain: will.retain,
        });
        connect.login = login.map(|(username, password)| v4::Login {
            username: username.clone(),
            password: password.clone(),
        });
        self.write_v4(output, &v4::Packet::Connect(connect))
    }

    pub(super) fn subscribe(self, output: &mut BytesMut, id: u16, filters: &[String]) -> Result<(), String> {
        if self.v5 {
            let filters = filters.iter().map(|path| v5::Filter {
                path: path.clone(),
                qos: rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
                ..v5::Filter::default()
            });
            let mut subscribe = v5::Subscribe::new_many(filters, None);
            subscribe.pkid = id;
            return self.write_v5(output, &v5::Packet::Subscribe(subscribe));
        }
        let filters = filters.iter().map(|path| v4::SubscribeFilter {
            path: path.clone(),
            qos: mqttbytes::QoS::AtLeastOnce,
        });
        let mut subscribe = v4::Subscribe::new_many(filters);
        subscribe.pkid = id;
        self.write_v4(output, &v4::Packet::Subscribe(subscribe))
    }

    pub(super) fn publish(
        self,
        output: &mut BytesMut,
        topic: &str,
        payload: &[u8],
        retain: bool,
    ) -> Result<(), String> {
        let payload = Bytes::copy_from_slice(payload);
        if self.v5 {
            let mut publish = v5::Publish::new(topic, rumqttc::v5::mqttbytes::QoS::AtMostOnce, payload, None);
            publish.retain = retain;
            publish.properties = (self.token > 0).then(|| v5::PublishProperties {
                user_properties: vec![(FENCE.to_owned(), self.token.to_string())],
                ..v5::PublishProperties::default()
            });
            return self.write_v5(output, &v5::Packet::Publish(publish));
        }
        let mut publish = v4::Publish::from_bytes(topic, mqttbytes::QoS::AtMostOnce, payload);
        publish.retain = retain;
        self.write_v4(output, &v4::Packet::Publish(publish))
    }

    pub(super) fn acknowledge(self, output: &mut BytesMut, acknowledge: Acknowledge) -> Result<(), String> {
        match (acknowledge, self.v5) {
            (Acknowledge::Taken(id), true) => self.write_v5(output, &v5::Packet::PubAck(v5::PubAck::new(id, None))),
            (Acknowledge::Taken(id), false) => self.write_v4(output, &v4::Packet::PubAck(v4::PubAck::new(id))),
            (Acknowledge::Received(id), true) => self.write_v5(output, &v5::Packet::PubRec(v5::PubRec::new(id, None))),
            (Acknowledge::Received(id), false) => self.write_v4(output, &v4::Packet::PubRec(v4::PubRec::new(id))),
        }
    }

    pub(super) fn complete(self, output: &mut BytesMut, id: u16) -> Result<(), String> {
        if self.v5 {
            self.write_v5(output, &v5::Packet::PubComp(v5::PubComp::new(id, None)))
        } else {
            self.write_v4(output, &v4::Packet::PubComp(v4::PubComp::new(id)))
        }
    }

    pub(super) fn ping(self, output: &mut BytesMut) -> Result<(), String> {
        if self.v5 {
            self.write_v5(output, &v5::Packet::PingReq(v5::PingReq))
        } else {
            self.write_v4(output, &v4::Packet::PingReq)
        }
    }

    pub(super) fn disconnect(self, output: &mut BytesMut) -> Result<(), String> {
        if self.v5 {
            let goodbye = v5::Disconnect::new(v5::DisconnectReasonCode::NormalDisconnection);
            self.write_v5(output, &v5::Packet::Disconnect(goodbye))
        } else {
            self.write_v4(output, &v4::Packet::Disconnect)
        }
    }

    fn write_v4(self, output: &mut BytesMut, packet: &v4::Packet) -> Result<(), String> {
        let written = packet.write(output, self.largest);
        written.map(|_| ()).map_err(|error| error.to_string())
    }

    fn write_v5(self, output: &mut BytesMut, packet: &v5::Packet) -> Result<(), String> {
        let largest = u32::try_from(self.largest).unwrap_or(u32::MAX);
        let written = packet.write(output, Some(largest));
        written.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// Type of a packet that carries a message, in the upper half of its first byte.
const PUBLISH: u8 = 3;

/// A goodbye of version 5 without properties, which rumqttc does not read (MQTT 5, section 3.14.2.2.1).
fn short_goodbye(input: &mut BytesMut) -> Option<Packet> {
    let reason = match input[..] {
        [0xE0, 0, ..] => "NormalDisconnection".to_owned(),
        [0xE0, 1, code, ..] => v5::DisconnectReasonCode::try_from(code)
            .map_or_else(|_| format!("reason {code}"), |reason| format!("{reason:?}")),
        _ => return None,
    };
    input.clear();
    Some(Packet::Goodbye(reason))
}

fn from_v4(packet: v4::Packet) -> Packet {
    match packet {
        v4::Packet::ConnAck(answer) if answer.code == v4::ConnectReturnCode::Success => Packet::Welcome,
        v4::Packet::ConnAck(answer) => Packet::Refused(format!("{:?}", answer.code)),
        v4::Packet::Publish(publish) => Packet::Message(
            Message {
                topic: publish.topic,
                payload: publish.payload,
                retained: publish.retain,
            },
            match publish.qos {
                mqttbytes::QoS::AtMostOnce => None,
                mqttbytes::QoS::AtLeastOnce => Some(Acknowledge::Taken(publish.pkid)),
                mqttbytes::QoS::ExactlyOnce => Some(Acknowledge::Received(publish.pkid)),
            },
        ),
        v4::Packet::PubRel(release) => Packet::Released(release.pkid),
        v4::Packet::SubAck(answer) => Packet::Subscribed {
            refused: answer
                .return_codes
                .iter()
                .filter(|code| matches!(code, v4::SubscribeReasonCode::Failure))
                .count(),
        },
        v4::Packet::PingResp => Packet::Pong,
        _ => Packet::Other,
    }
}

fn from_v5(packet: v5::Packet) -> Result<Packet, String> {
    Ok(match packet {
        v5::Packet::ConnAck(answer) if answer.code == v5::ConnectReturnCode::Success => Packet::Welcome,
        v5::Packet::ConnAck(answer) => {
            let why = answer.properties.and_then(|properties| properties.reason_string);
            Packet::Refused(format!("{:?} {}", answer.code, why.unwrap_or_default()))
        }
        v5::Packet::Publish(publish) => {
            let topic = std::str::from_utf8(&publish.topic).map_err(|_| "a topic is not UTF-8")?;
            if topic.is_empty() {
                // We allow no aliases, so that an empty topic names nothing.
                return Err("a message without a topic".into());
            }
            Packet::Message(
                Message {
                    topic: topic.to_owned(),
                    payload: publish.payload,
                    retained: publish.retain,
                },
                match publish.qos {
                    rumqttc::v5::mqttbytes::QoS::AtMostOnce => None,
                    rumqttc::v5::mqttbytes::QoS::AtLeastOnce => Some(Acknowledge::Taken(publish.pkid)),
                    rumqttc::v5::mqttbytes::QoS::ExactlyOnce => Some(Acknowledge::Received(publish.pkid)),
                },
            )
        }
        v5::Packet::PubRel(release) => Packet::Released(release.pkid),
        v5::Packet::SubAck(answer) => Packet::Subscribed {
            refused: answer
                .return_codes
                .iter()
                .filter(|code| !matches!(code, v5::SubscribeReasonCode::Success(_)))
                .count(),
        },
        v5::Packet::PingResp(_) => Packet::Pong,
        v5::Packet::Disconnect(goodbye) => Packet::Goodbye(format!("{:?}", goodbye.reason_code)),
        _ => Packet::Other,
    })
}
