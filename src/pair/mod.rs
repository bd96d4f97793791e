//! Two controllers of one plant: the holder of a lease in etcd writes, the other stands by.
//!
//! `lease` is what the holder may believe, pure; `permit` is asked before every write; `etcd` is the wire; `campaign` is
//! the task that keeps the lease alive, takes the key where nobody has it, and carries the shared memory.

mod campaign;
mod etcd;
mod lease;
mod permit;

pub use campaign::{Pair, Status};
pub use lease::Token;
pub use permit::{Permit, boot_ms};
