//! TEMP
use crate::site::Site;
use crate::snapshot::{JobQueue, Now};
use std::sync::Arc;
/// T
pub struct Feed;
/// T
pub type NowFn = Arc<dyn Fn() -> Now + Send + Sync>;
impl Feed {
    /// T
    pub fn start(_: Arc<Site>, _: NowFn, _: f64) -> Self {
        Self
    }
    /// T
    pub fn queue(&self) -> JobQueue {
        JobQueue::default()
    }
}
