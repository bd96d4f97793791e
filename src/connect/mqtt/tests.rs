//! The client against scripted brokers of both versions.

use super::*;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::{QoS, v5};
use tokio::net::{TcpListener, TcpStream};

#[test]
fn a_broker_s_address_says_port_and_kind() {
    assert_eq!(address("hall:1884"), ("hall:1884".into(), false));
    assert_eq!(address("hall"), ("hall:1883".into(), false));
    assert_eq!(address("mqtts://hall"), ("hall:8883".into(), true));
    assert_eq!(address("mqtts://[::1]:8884"), ("[::1]:8884".into(), true));
}

fn settings(broker: String, version: MqttVersion) -> MqttSettings {
    MqttSettings {
        broker,
        version,
        client_id: "test".into(),
        username: "isotherm".into(),
        password: "secret".into(),
        password_file: String::new(),
        tls: crate::site::TlsSettings::default(),
    }
}

fn identity() -> Identity {
    Identity {
        client_id: "test-field".into(),
        will: Some(Will {
            topic: "gone".into(),
            payload: b"yes".to_vec(),
            retain: true,
        }),
        largest: 4096,
        keep_session: false,
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// A version 5 broker's end of one connection.
struct Peer(TcpStream, BytesMut);

impl Peer {
    async fn read(&mut self) -> v5::Packet {
        loop {
            match v5::Packet::read(&mut self.1, None) {
                Ok(packet) => return packet,
                Err(rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)) => {
                    assert!(self.0.read_buf(&mut self.1).await.unwrap() > 0, "the client has gone");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn write(&mut self, packet: v5::Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        self.0.write_all(&bytes).await.unwrap();
    }
}

fn welcome(code: v5::ConnectReturnCode, reason: Option<&str>) -> v5::Packet {
    v5::Packet::ConnAck(v5::ConnAck {
        session_present: false,
        code,
        properties: reason.map(|reason| v5::ConnAckProperties {
            reason_string: Some(reason.into()),
            session_expiry_interval: None,
            receive_max: None,
            max_qos: None,
            retain_available: None,
            max_packet_size: None,
            assigned_client_identifier: None,
            topic_alias_max: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }),
    })
}

fn publish(id: u16, qos: QoS, payload: &'static str) -> v5::Packet {
    let mut publish = v5::Publish::new("hall/rack1", qos, payload, None);
    publish.pkid = id;
    v5::Packet::Publish(publish)
}

#[tokio::test]
async fn version_5_introduces_subscribes_acknowledges_and_hears_why_it_ends() {
    let (listener, address) = listen().await;
    let broker = tokio::spawn(async move {
        let mut peer = Peer(listener.accept().await.unwrap().0, BytesMut::new());
        let v5::Packet::Connect(connect, will, login) = peer.read().await else {
            panic!("no hello")
        };
        assert_eq!((connect.client_id.as_str(), connect.clean_start), ("test-field", true));
        assert_eq!(will.unwrap().topic, "gone");
        let login = login.unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.as_str()),
            ("isotherm", "secret")
        );
        peer.write(welcome(v5::ConnectReturnCode::Success, None)).await;
        let v5::Packet::Subscribe(subscribe) = peer.read().await else {
            panic!("no subscription")
        };
        assert_eq!(subscribe.filters.len(), 2);
        let codes = vec![
            v5::SubscribeReasonCode::Success(QoS::AtLeastOnce),
            v5::SubscribeReasonCode::NotAuthorized,
        ];
        let answer = v5::SubAck {
            pkid: subscribe.pkid,
            return_codes: codes,
            properties: None,
        };
        peer.write(v5::Packet::SubAck(answer)).await;
        peer.write(publish(0, QoS::AtMostOnce, "0")).await;
        peer.write(publish(7, QoS::AtLeastOnce, "1")).await;
        peer.write(publish(8, QoS::ExactlyOnce, "2")).await;
        assert!(matches!(peer.read().await, v5::Packet::PubAck(answer) if answer.pkid == 7));
        assert!(matches!(peer.read().await, v5::Packet::PubRec(answer) if answer.pkid == 8));
        peer.write(v5::Packet::PubRel(v5::PubRel::new(8, None))).await;
        assert!(matches!(peer.read().await, v5::Packet::PubComp(answer) if answer.pkid == 8));
        // "Server shutting down", in the short form without properties.
        peer.0.write_all(&[0xE0, 0x01, 0x8B]).await.unwrap();
    });
    let mut session = Session::connect(&settings(address, MqttVersion::V5), &identity())
        .await
        .unwrap();
    session.subscribe(&["hall/+".into(), "secret/#".into()]).await.unwrap();
    assert_eq!(session.next().await, Ok(Event::Subscribed { refused: 1 }));
    let mut heard = Vec::new();
    let end = loop {
        match session.next().await {
            Ok(Event::Message(message)) => heard.push(message.payload),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(heard, ["0", "1", "2"]);
    assert!(end.contains("ServerShuttingDown"), "{end}");
    broker.await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_told_in_the_broker_s_words_and_never_with_the_password() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let mut peer = Peer(listener.accept().await.unwrap().0, BytesMut::new());
        peer.read().await;
        peer.write(welcome(v5::ConnectReturnCode::NotAuthorized, Some("unknown user")))
            .await;
    });
    let refused = Session::connect(&settings(address, MqttVersion::V5), &identity()).await;
    let error = refused.unwrap_err();
    assert!(
        error.contains("NotAuthorized") && error.contains("unknown user"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn version_3_is_what_it_says_and_what_is_too_large_ends_the_connection() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, mut input) = (listener.accept().await.unwrap().0, BytesMut::new());
        let connect = loop {
            stream.read_buf(&mut input).await.unwrap();
            if let Ok(packet) = v4::Packet::read(&mut input, 4096) {
                break packet;
            }
        };
        assert!(matches!(connect, v4::Packet::Connect(connect) if connect.clean_session));
        let mut bytes = BytesMut::new();
        v4::Packet::ConnAck(v4::ConnAck::new(v4::ConnectReturnCode::Success, false))
            .write(&mut bytes, 4096)
            .unwrap();
        // A message that claims to have 200 000 bytes.
        bytes.extend_from_slice(&[0x30, 0xC0, 0x9A, 0x0C]);
        stream.write_all(&bytes).await.unwrap();
        stream.read_buf(&mut input).await.unwrap();
    });
    let mut session = Session::connect(&settings(address, MqttVersion::V311), &identity())
        .await
        .unwrap();
    assert!(session.next().await.is_err());
}

#[tokio::test]
async fn a_password_comes_from_its_file_at_each_connection() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "from the file\n").unwrap();
    let mut settings = settings("127.0.0.1:1".into(), MqttVersion::V5);
    settings.password = String::new();
    settings.password_file = file.to_str().unwrap().into();
    assert_eq!(login(&settings).unwrap().unwrap().1, "from the file");
    std::fs::remove_file(&file).unwrap();
    assert!(login(&settings).unwrap_err().contains("mqtt.password_file"));
}
