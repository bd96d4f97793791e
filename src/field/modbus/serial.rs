//! A serial line as a stream: raw mode, the agreed framing, nothing in between.

use crate::site::{Parity, SerialLine};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{ControlModes, OptionalActions, QueueSelector, SpecialCodeIndex, tcflush, tcgetattr, tcsetattr};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, join};
use tokio::net::unix::pipe::{Receiver, Sender};

/// Opens a line and sets its speed and framing. What still waited in it is thrown away: it answers nobody.
pub(super) fn open(line: &SerialLine) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(&line.path, flags, Mode::empty())?;
    set(&fd, line)?;
    // Tokio's pipes are streams over any file that can be polled, which a line is.
    let (reads, writes) = (File::from(fd.try_clone()?), File::from(fd));
    Ok(join(
        Receiver::from_file_unchecked(reads)?,
        Sender::from_file_unchecked(writes)?,
    ))
}

fn set(fd: &OwnedFd, line: &SerialLine) -> io::Result<()> {
    let mut modes = tcgetattr(fd)?;
    modes.make_raw();
    modes.control_modes &= !(ControlModes::CSIZE | ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB);
    modes.control_modes |= ControlModes::CS8 | ControlModes::CLOCAL | ControlModes::CREAD;
    modes.control_modes |= match line.parity {
        Parity::None => ControlModes::empty(),
        Parity::Even => ControlModes::PARENB,
        Parity::Odd => ControlModes::PARENB | ControlModes::PARODD,
    };
    if line.stop_bits == 2 {
        modes.control_modes |= ControlModes::CSTOPB;
    }
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes.set_speed(line.baud)?;
    tcsetattr(fd, OptionalActions::Now, &modes)?;
    tcflush(fd, QueueSelector::IOFlush)?;
    Ok(())
}

/// The silence that ends an RTU frame: 3.5 characters of 11 bits, and 1.75 ms above 19200 bit/s (Modbus over serial line
/// 1.02, section 2.5.1.1).
pub(super) fn silence(baud: u32) -> Duration {
    if baud > 19_200 {
        Duration::from_micros(1750)
    } else {
        Duration::from_secs_f64(3.5 * 11.0 / f64::from(baud.max(1)))
    }
}
