//! The simulated hall on real protocols: Modbus TCP, MQTT and the scheduler's queue document.
//!
//! | file | subject |
//! |---|---|
//! | `hall` | the world behind a lock, its clock, and the runner that lets time pass |
//! | `registers` | a device's register map over the plant's signals |
//! | `modbus` | a Modbus TCP server with one or more devices |
//! | `fence` | a logbook of every write, and devices that refuse the heartbeat of an older term |
//! | `publish` | racks, weather and the job queue as MQTT messages |
//! | `queue` | the job queue as `squeue --json` prints it |
//! | `broker`, `exchange` | a small MQTT 3.1.1 broker, so that neither demo nor tests need an installed one |
//!
//! Every server and publisher runs until it is stopped or dropped.

mod broker;
mod exchange;
mod fence;
mod hall;
mod modbus;
mod publish;
mod queue;
mod registers;

pub use broker::Broker;
pub use fence::{Fence, Written};
pub use hall::{Hall, Runner};
pub use modbus::ModbusServer;
pub use publish::{JobPublisher, Telemetry, TelemetryPublisher};
pub use queue::{EVENT_TOPIC, QUEUE_TOPIC, event_document, squeue_document};
pub use registers::{Device, DeviceError};

use tokio::task::JoinHandle;

/// A task that ends with its owner.
#[derive(Debug)]
struct OwnedTask(Option<JoinHandle<()>>);

impl OwnedTask {
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(tokio::spawn(future)))
    }

    fn is_running(&self) -> bool {
        self.0.as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Ends the task and waits until everything that it held is released.
    async fn stop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            drop(task.await);
        }
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod modbus_tests;
#[cfg(test)]
mod mqtt_tests;
