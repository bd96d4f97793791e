//! The memory of the controller, kept so that a crash at any moment leaves a whole one.

use super::disk::{Disk, sync_dir};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

const MAGIC: &[u8; 8] = b"ISOMIND1";
const CURRENT: &str = "mind";
const PREVIOUS: &str = "mind.previous";
const NEW: &str = "mind.new";

/// Saves the memory: written beside the present one, made durable, then moved into its place; the present one is kept.
pub(super) fn save(dir: &Path, disk: &dyn Disk, mind: &[u8]) -> io::Result<()> {
    let new = dir.join(NEW);
    drop(File::create(&new)?);
    let mut file = OpenOptions::new().append(true).open(&new)?;
    let bytes = [MAGIC.as_slice(), &Sha256::digest(mind), mind].concat();
    if let Err(error) = disk.write(&mut file, &bytes).and_then(|()| file.sync_all()) {
        // Gives the space back; the present memory is untouched.
        fs::remove_file(&new).ok();
        return Err(error);
    }
    match fs::rename(dir.join(CURRENT), dir.join(PREVIOUS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(new, dir.join(CURRENT))?;
    sync_dir(dir)
}

/// The newest memory that is whole; `None` where there is none.
pub(super) fn load(dir: &Path) -> Option<Vec<u8>> {
    [CURRENT, PREVIOUS].iter().find_map(|name| {
        let path = dir.join(name);
        let bytes = fs::read(&path).ok()?;
        let mind = whole(&bytes);
        if mind.is_none() {
            tracing::warn!(file = %path.display(), "the saved memory is damaged: the one before it is tried");
        }
        mind
    })
}

fn whole(bytes: &[u8]) -> Option<Vec<u8>> {
    let (digest, mind) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
    (Sha256::digest(mind).as_slice() == digest).then(|| mind.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::RealDisk;
    use crate::store::disk::tests::SmallDisk;

    #[test]
    fn the_newest_whole_memory_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), None);
        save(dir.path(), &RealDisk, b"first").unwrap();
        save(dir.path(), &RealDisk, b"second").unwrap();
        assert_eq!(load(dir.path()).as_deref(), Some(b"second".as_slice()));
        for torn in [b"".as_slice(), b"ISO", b"ISOMIND1 and less than a digest"] {
            fs::write(dir.path().join(CURRENT), torn).unwrap();
            assert_eq!(load(dir.path()).as_deref(), Some(b"first".as_slice()));
        }
        fs::remove_file(dir.path().join(CURRENT)).unwrap(); // a crash between the two renames
        assert_eq!(load(dir.path()).as_deref(), Some(b"first".as_slice()));
    }

    #[test]
    fn a_full_disk_leaves_the_present_memory_alone() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &RealDisk, b"first").unwrap();
        for space in 0..46 {
            let error = save(dir.path(), &SmallDisk::with_space(space), b"second").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert_eq!(load(dir.path()).as_deref(), Some(b"first".as_slice()));
        }
        save(dir.path(), &SmallDisk::with_space(46), b"second").unwrap();
        assert_eq!(load(dir.path()).as_deref(), Some(b"second".as_slice()));
    }
}
