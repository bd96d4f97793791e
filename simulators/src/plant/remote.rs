//! The supervisor's side of a device: setpoint registers, heartbeat, and the return to local control.

use super::WriteError;

/// A writable setpoint.
#[derive(Debug, Clone, Copy)]
struct Register {
    value: f64,
    default: f64,
    low: f64,
    high: f64,
}

/// The registers that a supervisor writes.
///
/// A device starts in local control, on its own defaults. A changed heartbeat gives the supervisor
/// control; when the heartbeat stays unchanged for the time-out the device takes it back and its
/// registers show the defaults again. A setpoint written meanwhile is kept, and used only once the
/// heartbeat has returned, so that `local_control` and the registers always tell what is in force.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    registers: Vec<Register>,
    heartbeat: f64,
    silent_s: f64,
    pub timeout_s: f64,
    /// Acknowledges setpoints and keeps the ones it has: see [`super::Wound::Deaf`].
    pub deaf: bool,
    local: bool,
}

impl Remote {
    /// A device in local control; `registers` are (default, smallest, largest).
    pub(super) fn new(timeout_s: f64, registers: &[(f64, f64, f64)]) -> Self {
        let register = |&(default, low, high): &(f64, f64, f64)| Register {
            value: default,
            default,
            low: low.min(default),
            high: high.max(default),
        };
        Self {
            registers: registers.iter().map(register).collect(),
            heartbeat: 0.0,
            silent_s: 0.0,
            timeout_s,
            deaf: false,
            local: true,
        }
    }

    /// The setpoint in force.
    pub(super) fn active(&self, register: usize) -> f64 {
        self.registers
            .get(register)
            .map_or(0.0, |r| if self.local { r.default } else { r.value })
    }

    /// What a read of the register answers.
    pub(super) fn shown(&self, register: usize) -> f64 {
        self.registers.get(register).map_or(0.0, |r| r.value)
    }

    pub(super) fn heartbeat(&self) -> f64 {
        self.heartbeat
    }

    /// 1 in local control, else 0.
    pub(super) fn local_flag(&self) -> f64 {
        f64::from(u8::from(self.local))
    }

    pub(super) fn write(&mut self, register: usize, value: f64) -> Result<(), WriteError> {
        let r = self.registers.get_mut(register).ok_or(WriteError::ReadOnly)?;
        if !(r.low..=r.high).contains(&value) {
            return Err(WriteError::OutOfRange {
                value,
                low: r.low,
                high: r.high,
            });
        }
        if !self.deaf {
            r.value = value;
        }
        Ok(())
    }

    pub(super) fn beat(&mut self, value: f64) -> Result<(), WriteError> {
        const HIGHEST: f64 = 4_294_967_295.0;
        if !(0.0..=HIGHEST).contains(&value) {
            return Err(WriteError::OutOfRange {
                value,
                low: 0.0,
                high: HIGHEST,
            });
        }
        if value.to_bits() != self.heartbeat.to_bits() {
            self.heartbeat = value;
            self.silent_s = 0.0;
            self.local = false;
        }
        Ok(())
    }

    pub(super) fn advance(&mut self, dt: f64) {
        self.silent_s += dt;
        if !self.local && self.silent_s > self.timeout_s {
            self.local = true;
            for register in &mut self.registers {
                register.value = register.default;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_heartbeat_returns_the_device_to_its_defaults() {
        let mut remote = Remote::new(60.0, &[(30.0, 15.0, 45.0)]);
        remote.write(0, 27.0).unwrap();
        assert!(
            (remote.active(0) - 30.0).abs() < 1e-12,
            "not before the first heartbeat"
        );
        remote.beat(1.0).unwrap();
        assert!((remote.active(0) - 27.0).abs() < 1e-12);
        remote.advance(50.0);
        remote.beat(1.0).unwrap();
        remote.advance(11.0);
        assert!(remote.local_flag() > 0.5, "the same value is no beat");
        assert!((remote.active(0) - 30.0).abs() < 1e-12);
        assert!((remote.shown(0) - 30.0).abs() < 1e-12);
        remote.beat(2.0).unwrap();
        assert!(remote.local_flag() < 0.5);
    }

    #[test]
    fn values_outside_the_device_range_are_refused_and_change_nothing() {
        let mut remote = Remote::new(60.0, &[(30.0, 15.0, 45.0)]);
        for value in [14.9, 45.1, f64::NAN, f64::INFINITY] {
            assert!(
                matches!(remote.write(0, value), Err(WriteError::OutOfRange { .. })),
                "{value}"
            );
        }
        assert!((remote.shown(0) - 30.0).abs() < 1e-12);
        assert_eq!(remote.write(1, 20.0), Err(WriteError::ReadOnly));
        assert!(remote.beat(f64::NAN).is_err());
    }
}
