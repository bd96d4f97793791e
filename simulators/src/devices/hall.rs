//! The world behind a lock, its clock, and the runner that lets time pass.

use super::OwnedTask;
use super::fence::Fence;
use crate::world::World;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// A world that devices share, and the wall time at which it began.
#[derive(Debug)]
pub struct Hall {
    world: Mutex<World>,
    epoch_ms: i64,
    fence: OnceLock<Fence>,
}

impl Hall {
    /// Shares `world`, whose start is `epoch_ms` (milliseconds since 1970).
    pub fn new(world: World, epoch_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(world),
            epoch_ms,
            fence: OnceLock::new(),
        })
    }

    /// Does `work` with the world. Keep it short: every device waits.
    pub fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        // A panic while it was held can only have come from a caller's closure; the world itself is whole.
        work(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fences the devices: from now on each keeps a logbook and refuses the heartbeat of an older term.
    pub fn fence(&self) -> &Fence {
        self.fence.get_or_init(Fence::default)
    }

    /// The fence, where there is one.
    pub(super) fn fenced(&self) -> Option<&Fence> {
        self.fence.get()
    }

    /// Wall time at `t_s` of the world, ms since 1970.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit for millions of years")]
    pub fn wall_ms(&self, t_s: f64) -> i64 {
        self.epoch_ms + (1000.0 * t_s).round() as i64
    }

    /// The world's wall time now, ms since 1970: real time at speed 1, faster with the runner's speed.
    pub fn now_ms(&self) -> i64 {
        self.wall_ms(self.with(|world| world.elapsed_s()))
    }
}

/// Lets a hall's time pass with real time, times a speed.
#[derive(Debug)]
pub struct Runner {
    task: OwnedTask,
}

/// Real time between two advances.
const TICK: Duration = Duration::from_millis(100);
/// Longest real time that one advance makes up for: a suspended machine does not race through its sleep.
const CATCH_UP_S: f64 = 2.0;

impl Runner {
    /// Starts to let `hall`'s time pass at `speed` times real time (above 0), in the current tokio runtime.
    pub fn start(hall: Arc<Hall>, speed: f64) -> Self {
        let task = OwnedTask::spawn(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut last = Instant::now();
            loop {
                let now = ticks.tick().await;
                let real_s = now.saturating_duration_since(last).as_secs_f64().min(CATCH_UP_S);
                last = now;
                hall.with(|world| world.advance(speed * real_s));
            }
        });
        Self { task }
    }

    /// Stops time.
    pub async fn stop(&mut self) {
        self.task.stop().await;
    }
}
