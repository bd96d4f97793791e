//! The few file operations of a journal, behind a trait so that tests can make a disk run full.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// What a journal asks of a disk.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Writes all bytes at the end of a file opened for appending.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
}

/// The disk of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
}

/// Opens an existing file so that every write goes to its end.
pub(super) fn open_for_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// Makes the directory's entries durable, after a file in it was made, renamed or deleted.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A disk with this much space left: a write that does not fit is cut off, as on a real one.
    #[derive(Debug, Clone)]
    pub(in crate::store) struct SmallDisk(pub(in crate::store) Arc<AtomicU64>);

    impl SmallDisk {
        pub(in crate::store) fn with_space(bytes: u64) -> Self {
            Self(Arc::new(AtomicU64::new(bytes)))
        }
    }

    impl Disk for SmallDisk {
        fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            let space = usize::try_from(self.0.load(Ordering::Relaxed)).unwrap();
            let fits = bytes.len().min(space);
            file.write_all(&bytes[..fits])?;
            self.0.store((space - fits) as u64, Ordering::Relaxed);
            if fits < bytes.len() {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(())
            }
        }
    }
}
