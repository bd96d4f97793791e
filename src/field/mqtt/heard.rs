//! Devices that publish JSON documents or plain numbers.

use crate::connect::mqtt::Message;
use crate::field::link::{Context, Link};
use crate::snapshot::Now;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::Profile;
use wire::payload::{self, Sample};

/// A sample may be stamped this far in the future, real seconds: clocks differ.
const FUTURE_S: f64 = 5.0;

/// One device as it is heard.
pub(super) struct Heard {
    link: Arc<Link>,
    sequence: Option<u64>,
}

/// Devices that come in one message.
pub(super) struct Batch {
    profile: Arc<Profile>,
    devices: BTreeMap<String, Heard>,
}

impl Heard {
    pub(super) fn new(link: &Arc<Link>) -> Self {
        Self {
            link: Arc::clone(link),
            sequence: None,
        }
    }

    /// A document with the values of this device alone.
    pub(super) fn document(&mut self, context: &Context, message: &Message) {
        let Some(device) = context.site.devices.get(self.link.device.0) else {
            return;
        };
        let sample = payload::decode(&device.profile, &message.payload).map_err(|error| error.to_string());
        self.sample(context, sample, message.retained);
    }

    /// One value in plain text, sampled when it came.
    pub(super) fn number(&mut self, context: &Context, point: usize, message: &Message) {
        let Some(device) = context.site.devices.get(self.link.device.0) else {
            return;
        };
        let Some(spec) = device.profile.points.get(point) else {
            return;
        };
        let value = payload::decode_number(spec, &message.payload);
        let sample = Sample {
            timestamp_ms: None,
            quality_good: true,
            sequence: None,
            values: vec![(point, value)],
        };
        self.sample(context, Ok(sample), message.retained);
    }

    fn sample(&mut self, context: &Context, sample: Result<Sample, String>, retained: bool) {
        let taken = sample.and_then(|sample| {
            let now = context.now();
            let future_s = FUTURE_S * context.speed.max(1.0);
            let sampled_ms = sampled_ms(sample.timestamp_ms, now, retained, future_s)?;
            self.count_gap(sample.sequence);
            context.post(self.link.device, sampled_ms, sample.values, sample.quality_good);
            Ok(now)
        });
        self.link.note(|status| match taken {
            Ok(now) => {
                status.reads += 1;
                status.last_ok_mono_ms = Some(now.mono_ms);
            }
            Err(error) => {
                status.read_errors += 1;
                status.last_error = Some(error);
            }
        });
    }

    /// Counts messages that are missing. A smaller number than the last is a publisher that began anew.
    fn count_gap(&mut self, sequence: Option<u64>) {
        if let (Some(last), Some(next)) = (self.sequence, sequence) {
            let missing = next.saturating_sub(last).saturating_sub(1);
            self.link
                .note(|status| status.lost_messages = status.lost_messages.saturating_add(missing));
        }
        self.sequence = sequence.or(self.sequence);
    }
}

impl Batch {
    pub(super) fn new(profile: &Arc<Profile>) -> Self {
        Self {
            profile: Arc::clone(profile),
            devices: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, link: &Arc<Link>) {
        self.devices.insert(name.to_owned(), Heard::new(link));
    }

    /// A document with many devices; those that the site does not know are left aside.
    pub(super) fn take(&mut self, context: &Context, message: &Message) {
        match payload::decode_batch(&self.profile, &message.payload) {
            Ok(samples) => {
                for (name, sample) in samples {
                    if let Some(heard) = self.devices.get_mut(&name) {
                        heard.sample(context, sample.map_err(|error| error.to_string()), message.retained);
                    }
                }
            }
            Err(error) => {
                for heard in self.devices.values() {
                    heard.link.note(|status| {
                        status.read_errors += 1;
                        status.last_error = Some(error.to_string());
                    });
                }
            }
        }
    }
}

/// The monotonic time of a sample, by its own stamp where it has one. A stamp ahead of us by less than `future_s` is
/// now; how old is too old, each point says for itself.
pub(in crate::field) fn sampled_ms(
    stamp_ms: Option<i64>,
    now: Now,
    retained: bool,
    future_s: f64,
) -> Result<u64, String> {
    let Some(stamp_ms) = stamp_ms else {
        // The broker keeps it from some time ago, and nothing says which.
        return if retained {
            Err("a retained message without a time".into())
        } else {
            Ok(now.mono_ms)
        };
    };
    let age_ms = now.wall_ms.saturating_sub(stamp_ms);
    if (age_ms as f64) < -future_s * 1000.0 {
        return Err(format!(
            "stamped {:.1} s in the future: is the device's clock right?",
            -(age_ms as f64) / 1000.0
        ));
    }
    let age_ms = u64::try_from(age_ms).unwrap_or(0);
    now.mono_ms
        .checked_sub(age_ms)
        .ok_or_else(|| "stamped before this controller's time began".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::DeviceId;

    fn sampled(stamp: Option<i64>, retained: bool) -> Option<u64> {
        let now = Now {
            mono_ms: 60_000,
            wall_ms: 1_000_000,
            utc_offset_s: 0,
        };
        sampled_ms(stamp, now, retained, 5.0).ok()
    }

    #[test]
    fn a_stamp_becomes_monotonic_time() {
        assert_eq!(sampled(Some(999_000), false), Some(59_000));
        assert_eq!(sampled(Some(1_005_000), false), Some(60_000), "clocks differ a little");
        assert_eq!(sampled(Some(1_005_001), false), None);
        assert_eq!(sampled(Some(i64::MAX), false), None);
        assert_eq!(sampled(Some(i64::MIN), false), None);
        assert_eq!((sampled(None, false), sampled(None, true)), (Some(60_000), None));
    }

    #[test]
    fn missing_sequence_numbers_are_counted() {
        let link = Arc::new(Link::new(DeviceId(0), "rack1"));
        let mut heard = Heard::new(&link);
        for sequence in [Some(5), Some(6), Some(9), None, Some(10), Some(0), Some(1)] {
            heard.count_gap(sequence);
        }
        assert_eq!(link.status().lost_messages, 2);
    }
}
