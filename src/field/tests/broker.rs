//! As much of an MQTT 3.1.1 broker as one subscriber sees.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// A broker that sends what a test publishes to every client, and remembers what was subscribed to.
pub(super) struct Broker {
    pub address: SocketAddr,
    pub subscribed: Arc<Mutex<Vec<String>>>,
    messages: broadcast::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Broker {
    pub(super) async fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (messages, _) = broadcast::channel(64);
        let subscribed = Arc::new(Mutex::new(Vec::new()));
        let (sender, topics) = (messages.clone(), Arc::clone(&subscribed));
        let task = tokio::spawn(async move {
            let mut clients = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                clients.spawn(serve(stream, sender.subscribe(), Arc::clone(&topics)));
            }
        });
        Self {
            address,
            subscribed,
            messages,
            task,
        }
    }

    pub(super) fn publish(&self, topic: &str, payload: &[u8]) {
        let length = 2 + topic.len() + payload.len();
        assert!(length < 128, "the length has one byte here");
        let mut bytes = vec![
            PUBLISH << 4,
            u8::try_from(length).unwrap(),
            0,
            u8::try_from(topic.len()).unwrap(),
        ];
        bytes.extend(topic.as_bytes());
        bytes.extend(payload);
        self.messages.send(bytes).unwrap();
    }

    /// Ends the broker and every connection.
    pub(super) async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

// Packet types of MQTT 3.1.1, section 2.2.1.
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;

async fn serve(stream: TcpStream, mut messages: broadcast::Receiver<Vec<u8>>, topics: Arc<Mutex<Vec<String>>>) {
    let (mut from, mut to) = stream.into_split();
    let (answers, mut answered) = tokio::sync::mpsc::channel::<Vec<u8>>(16);
    let reader = async {
        while let Ok((kind, body)) = packet(&mut from).await {
            let answer = match kind {
                CONNECT => vec![0x20, 2, 0, 0],
                SUBSCRIBE => {
                    let asked = filters(&body[2..]);
                    let mut answer = vec![0x90, 2 + u8::try_from(asked.len()).unwrap(), body[0], body[1]];
                    answer.extend(vec![0; asked.len()]);
                    topics.lock().unwrap().extend(asked);
                    answer
                }
                PINGREQ => vec![0xd0, 0],
                _ => continue,
            };
            answers.send(answer).await.unwrap();
        }
    };
    let writer = async {
        loop {
            let bytes = tokio::select! {
                bytes = answered.recv() => bytes.unwrap(),
                bytes = messages.recv() => bytes.unwrap(),
            };
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = reader => {} () = writer => {} }
}

/// The type and the body of the next packet.
async fn packet(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await? >> 4;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = from.read_u8().await?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// The topic filters of a subscription, behind its packet id.
fn filters(mut body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let [high, low, rest @ ..] = body {
        let (filter, rest) = rest.split_at(usize::from(*high) << 8 | usize::from(*low));
        found.push(String::from_utf8(filter.to_vec()).unwrap());
        body = &rest[1..]; // the quality of service
    }
    found
}
