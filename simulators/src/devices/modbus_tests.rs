//! Real sockets: a Modbus client against the plant, and devices that die and return.

use super::*;
use crate::world::tests::demo_world;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_modbus::client::{Context, Reader, Writer, tcp};
use tokio_modbus::{ExceptionCode, Slave};

const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn hall() -> Arc<Hall> {
    let mut world = demo_world(1);
    world.advance(600.0);
    Hall::new(world, 1_700_000_000_000)
}

fn device(hall: &Hall, id: &str, unit: u8, profile: &str) -> Device {
    let profile = Arc::new(wire::embedded::profile(profile).unwrap());
    hall.with(|world| Device::new(id, unit, profile, world.plant()))
        .unwrap()
}

async fn connected(server: &ModbusServer, unit: u8) -> Context {
    tcp::connect_slave(server.address(), Slave(unit)).await.unwrap()
}

fn point(name: &str) -> (wire::Point, wire::profile::Register) {
    let profile = wire::embedded::profile("generic-cdu").unwrap();
    let point = profile.points.into_iter().find(|point| point.name == name).unwrap();
    let wire::profile::Place::Register(register) = point.place.clone() else {
        panic!("{name} is no register")
    };
    (point, register)
}

#[tokio::test]
async fn a_cdu_is_read_and_written_over_modbus() {
    let hall = hall();
    let server = ModbusServer::start(
        loopback(),
        Arc::clone(&hall),
        vec![device(&hall, "cdu1", 1, "generic-cdu")],
    )
    .await
    .unwrap();
    let mut client = connected(&server, 1).await;
    for block in wire::plan::blocks(&wire::embedded::profile("generic-cdu").unwrap()) {
        let words = match block.table {
            wire::profile::Table::Input => client
                .read_input_registers(block.start, block.count)
                .await
                .unwrap()
                .unwrap()
                .len(),
            wire::profile::Table::Holding => client
                .read_holding_registers(block.start, block.count)
                .await
                .unwrap()
                .unwrap()
                .len(),
            wire::profile::Table::Coil => client
                .read_coils(block.start, block.count)
                .await
                .unwrap()
                .unwrap()
                .len(),
            wire::profile::Table::Discrete => client
                .read_discrete_inputs(block.start, block.count)
                .await
                .unwrap()
                .unwrap()
                .len(),
        };
        assert_eq!(words, usize::from(block.count));
    }
    let (setpoint, register) = point("secondary_supply_temperature_setpoint");
    let words = wire::codec::encode(&setpoint, 28.0).unwrap();
    client
        .write_multiple_registers(register.address, &words)
        .await
        .unwrap()
        .unwrap();
    let back = client
        .read_holding_registers(register.address, register.raw.registers())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(back, words);
    let kept = hall.with(|world| {
        let signal = world
            .plant()
            .signal("cdu1.secondary_supply_temperature_setpoint")
            .unwrap();
        world.plant().truth(signal)
    });
    assert!((kept - 28.0).abs() < 0.01, "{kept}");
}

#[tokio::test]
async fn bad_requests_get_an_exception_and_keep_the_connection() {
    let hall = hall();
    let server = ModbusServer::start(
        loopback(),
        Arc::clone(&hall),
        vec![device(&hall, "cdu1", 1, "generic-cdu")],
    )
    .await
    .unwrap();
    let mut client = connected(&server, 1).await;
    let (_, flow) = point("secondary_flow");
    assert_eq!(
        client.read_input_registers(flow.address, 126).await.unwrap(),
        Err(ExceptionCode::IllegalDataValue)
    );
    assert_eq!(
        client.read_input_registers(50_000, 1).await.unwrap(),
        Err(ExceptionCode::IllegalDataAddress)
    );
    assert_eq!(
        client.write_single_register(50_000, 1).await.unwrap(),
        Err(ExceptionCode::IllegalDataAddress)
    );
    assert!(
        client
            .read_write_multiple_registers(0, 1, 0, &[1])
            .await
            .unwrap()
            .is_err()
    );
    assert!(client.read_input_registers(flow.address, 1).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_gateway_answers_each_unit_with_its_own_device() {
    let hall = hall();
    let devices = vec![
        device(&hall, "cdu1", 1, "generic-cdu"),
        device(&hall, "cdu2", 2, "generic-cdu"),
    ];
    let server = ModbusServer::start(loopback(), Arc::clone(&hall), devices)
        .await
        .unwrap();
    let (_, setpoint) = point("heartbeat");
    connected(&server, 2)
        .await
        .write_single_register(setpoint.address, 7)
        .await
        .unwrap()
        .unwrap();
    for (unit, want) in [(1, 0), (2, 7)] {
        let words = connected(&server, unit)
            .await
            .read_holding_registers(setpoint.address, 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(words, [want]);
    }
    let other = connected(&server, 9)
        .await
        .read_holding_registers(setpoint.address, 1)
        .await
        .unwrap();
    assert_eq!(other, Err(ExceptionCode::GatewayTargetDevice));
}

#[tokio::test]
async fn a_killed_device_comes_back_at_its_address() {
    let hall = hall();
    let mut server = ModbusServer::start(
        loopback(),
        Arc::clone(&hall),
        vec![device(&hall, "cdu1", 1, "generic-cdu")],
    )
    .await
    .unwrap();
    let (_, flow) = point("secondary_flow");
    let mut client = connected(&server, 1).await;
    client.read_input_registers(flow.address, 1).await.unwrap().unwrap();
    server.stop().await;
    assert!(!server.is_running());
    assert!(
        timeout(PATIENCE, client.read_input_registers(flow.address, 1))
            .await
            .unwrap()
            .is_err(),
        "its connections are gone"
    );
    assert!(
        tcp::connect_slave(server.address(), Slave(1)).await.is_err(),
        "and nobody listens"
    );
    server.restart().await.unwrap();
    let mut client = connected(&server, 1).await;
    client.read_input_registers(flow.address, 1).await.unwrap().unwrap();
}
