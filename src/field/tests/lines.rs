//! The same devices behind every kind of line: RTU over TCP, a serial line, mutual TLS, and a connection let go.

use super::*;
use crate::site::TlsSettings;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

#[tokio::test]
async fn rtu_over_tcp_reads_and_writes_and_a_dead_unit_is_left_aside() {
    let bank = Bank::with(&[((3, 0), 4805), ((3, 1), 2150)]);
    bank.set().silent.insert(4);
    let (gateway, _server) = bank.serve_rtu().await;
    let unit = |id, number| (id, DEVICE, format!("rtu://{gateway}"), number);
    let rig = Rig::start(site(&[unit("cdu1", 3), unit("dead", 4)]));
    until("values", || rig.good("cdu1.flow") == Some(480.5)).await;
    rig.want("cdu1.pressure_setpoint", 1, 120.0);
    until("written", || rig.good("cdu1.pressure_setpoint") == Some(120.0)).await;
    until("the dead one was tried", || rig.status("dead").read_errors >= 2).await;
    assert!(rig.good("cdu1.flow").is_some() && !rig.status("dead").connected);
    assert!(rig.status("dead").partial && !rig.status("cdu1").partial);
}

/// A pty whose other end speaks to an RTU server: what a serial line with a device at its end looks like.
fn line_to(server: SocketAddr) -> (String, impl Sized) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    // Kept open, so that the line does not hang up between two owners.
    let held = File::options().read(true).write(true).open(&path).unwrap();
    let tcp = std::net::TcpStream::connect(server).unwrap();
    let (mut from_line, mut to_line) = (File::from(master.try_clone().unwrap()), File::from(master));
    let (mut from_tcp, mut to_tcp) = (tcp.try_clone().unwrap(), tcp);
    let pump = |from: &mut dyn Read, to: &mut dyn Write| {
        let mut bytes = [0; 256];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            to.write_all(&bytes[..count]).unwrap();
        }
    };
    std::thread::spawn(move || pump(&mut from_line, &mut to_tcp));
    std::thread::spawn(move || pump(&mut from_tcp, &mut to_line));
    (path, held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serial_line_reads_and_writes_and_is_opened_again_after_silence() {
    let bank = Bank::with(&[((7, 0), 4805), ((7, 1), 2150)]);
    let (server, _task) = bank.serve_rtu().await;
    let (path, _held) = line_to(server);
    let rig = Rig::start(site(&[("cdu1", DEVICE, format!("serial:{path}@115200-8E1"), 7)]));
    until("values", || {
        rig.good("cdu1.flow") == Some(480.5) && rig.good("cdu1.temperature") == Some(21.5)
    })
    .await;
    rig.want("cdu1.pressure_setpoint", 1, 90.0);
    until("written", || rig.good("cdu1.pressure_setpoint") == Some(90.0)).await;
    bank.set().silent.insert(7);
    until("lost", || rig.good("cdu1.flow").is_none()).await;
    bank.set().silent.clear();
    until("back", || rig.good("cdu1.flow").is_some()).await;
    assert!(rig.status("cdu1").reconnects >= 1);
}

#[tokio::test]
async fn a_serial_line_that_is_not_there_is_told_by_its_name() {
    let rig = Rig::start(site(&[("cdu1", DEVICE, "serial:/dev/no-such-line@9600-8N1".into(), 1)]));
    until("told", || {
        let error = rig.status("cdu1").last_error;
        error.is_some_and(|error| error.starts_with("/dev/no-such-line: "))
    })
    .await;
}

/// An authority with a server's and a client's certificate, as PEM files in a folder.
pub(super) struct Authority {
    pub server: Arc<ServerConfig>,
    pub files: TlsSettings,
}

impl Authority {
    pub(super) fn new(dir: &Path) -> Self {
        let (key, mut ca) = (KeyPair::generate().unwrap(), CertificateParams::new([]).unwrap());
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = ca.self_signed(&key).unwrap();
        let issuer = Issuer::new(ca, key);
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            (params.signed_by(&key, &issuer).unwrap(), key)
        };
        let (server, server_key) = signed("127.0.0.1");
        let (client, client_key) = signed("isotherm");
        let write = |name: &str, text: String| {
            let file = dir.join(name);
            std::fs::write(&file, text).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let files = TlsSettings {
            ca: write("ca.pem", root.pem()),
            certificate: write("client.pem", client.pem()),
            key: write("client.key", client_key.serialize_pem()),
        };
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![server.der().clone()],
                PrivatePkcs8KeyDer::from(server_key.serialize_der()).into(),
            )
            .unwrap();
        Self {
            server: Arc::new(config),
            files,
        }
    }
}

/// Mutual TLS in front of a plain server.
pub(super) async fn tls_in_front_of(server: SocketAddr, config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut secure) = acceptor.accept(stream).await else {
                    return;
                };
                let mut plain = TcpStream::connect(server).await.unwrap();
                tokio::io::copy_bidirectional(&mut secure, &mut plain).await.ok();
            });
        }
    });
    address
}

#[tokio::test]
async fn modbus_security_works_with_our_certificate_only_and_trusts_the_named_authority_only() {
    let bank = Bank::with(&REGISTERS);
    let (plain, _server) = bank.serve("127.0.0.1:0").await;
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let secure = tls_in_front_of(plain, Arc::clone(&authority.server)).await;
    let device = || site(&[("cdu1", DEVICE, format!("tls://{secure}"), 1)]);

    let mut good = device();
    good.modbus.tls = authority.files.clone();
    let rig = Rig::start(good);
    until("values", || rig.good("cdu1.flow") == Some(480.5)).await;
    rig.want("cdu1.pressure_setpoint", 1, 120.0);
    until("written", || rig.good("cdu1.pressure_setpoint") == Some(120.0)).await;

    let told = async |site: Site, what: &str| {
        let rig = Rig::start(site);
        until(what, || {
            let error = rig.status("cdu1").last_error;
            error.is_some_and(|error| error.replace(' ', "").to_lowercase().contains(what))
        })
        .await;
        assert_eq!(rig.reading("cdu1.flow"), None);
    };
    let mut without = device();
    without.modbus.tls = TlsSettings {
        ca: authority.files.ca.clone(),
        ..TlsSettings::default()
    };
    told(without, "certificaterequired").await;
    let other = tempfile::tempdir().unwrap();
    let mut foreign = device();
    foreign.modbus.tls = TlsSettings {
        ca: Authority::new(other.path()).files.ca,
        ..authority.files.clone()
    };
    told(foreign, "invalidpeercertificate").await;
    let mut missing = device();
    missing.modbus.tls = TlsSettings {
        ca: "/no/such/file.pem".into(),
        ..authority.files
    };
    told(missing, "/no/such/file.pem").await;
}

#[tokio::test]
async fn a_connection_is_let_go_between_polls_where_the_profile_says_so() {
    let bank = Bank::with(&REGISTERS);
    bank.set().missing.insert(101);
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let shy = DEVICE.replace(
        "max_gap = 2",
        "max_gap = 2\nhold_connection = false\nwrite_single = false",
    );
    let rig = Rig::start(site(&[("cdu1", &shy, address.to_string(), 1)]));
    until("values", || rig.good("cdu1.flow").is_some()).await;
    let reads = rig.status("cdu1").reads;
    until("more polls", || rig.status("cdu1").reads > reads + 10).await;
    let status = rig.status("cdu1");
    assert!(status.connected && status.reconnects == 0, "{status:?}");
    let asked = bank.set().read.iter().filter(|read| **read == (101, 1)).count();
    assert_eq!(
        asked, 1,
        "what was learned of the device outlives a connection that was let go"
    );
    rig.want("cdu1.heartbeat", 1, 7.0);
    until("written", || bank.set().written.contains(&(1, 100, 7))).await;
    assert_eq!(bank.set().blocks_written, 1, "by function 16, as the profile says");
}
