//! One device behind a connection: what is read from it, what is written to it, and how it is doing.

use super::session::{Answer, Failure, Manner, Session};
use crate::connect::backoff::Backoff;
use crate::field::link::{Context, Link};
use crate::field::outbox::Wanted;
use crate::site::Device;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_modbus::prelude::{ExceptionCode, Slave};
use wire::plan::{Block, blocks};
use wire::profile::{ModbusMap, Place, Register};
use wire::{Profile, codec};

/// Patience for an answer where the profile states none, s.
const ANSWER_S: f64 = 1.0;
/// Networks and devices do not get faster with the plant's time.
const ANSWER_FLOOR: Duration = Duration::from_millis(250);

/// An unchanged setpoint is written again after this time, s: a device that was restarted comes back to it.
const REFRESH_S: f64 = 60.0;

/// A setpoint that waited longer than this is not written any more, s: the device has missed our heartbeat and runs on
/// its own setpoints by now, and what was right then may be wrong when it returns.
const WISH_LIFE_S: f64 = 60.0;

/// Points that a device refuses are asked for again after this time, s.
const ASK_AGAIN_S: f64 = 600.0;

/// Why a device could not be served.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is of no more use.
    Connection(String),
    /// The connection is sound, the device behind it does not answer.
    Device(String),
}

pub(super) struct Unit {
    pub link: Arc<Link>,
    /// When the next poll is due.
    pub due: Instant,
    pub backoff: Backoff,
    profile: Arc<Profile>,
    slave: Slave,
    manner: Manner,
    /// Time between polls where the profile asks for one of its own.
    pub period: Option<Duration>,
    heartbeat: Option<usize>,
    reads: Vec<Block>,
    refused_ms: Option<u64>,
    /// For each point the value that it kept when it was last written, and when, monotonic ms.
    kept: BTreeMap<usize, (f64, u64)>,
    /// The fencing token of the last wish.
    token: u64,
}

impl Unit {
    pub(super) fn new(link: Arc<Link>, device: &Device, map: &ModbusMap, backoff: Backoff, context: &Context) -> Self {
        let answer_s = map.answer_ms.map_or(ANSWER_S, |ms| f64::from(ms) / 1000.0);
        Self {
            link,
            due: Instant::now(),
            backoff,
            slave: device.binding.unit.map_or(Slave::tcp_device(), Slave),
            manner: Manner {
                pause: Duration::from_millis(map.request_pause_ms.into()),
                deadline: context.real_at_least(answer_s, ANSWER_FLOOR),
                write_single: map.write_single,
            },
            period: map.poll_s.map(|seconds| context.real(seconds)),
            heartbeat: device.profile.points.iter().position(|point| point.name == "heartbeat"),
            reads: blocks(&device.profile),
            profile: Arc::clone(&device.profile),
            refused_ms: None,
            kept: BTreeMap::new(),
            token: 0,
        }
    }

    /// Forgets what was learned of the device on a connection that is gone: it may be another one now.
    pub(super) fn forget(&mut self) {
        self.reads = blocks(&self.profile);
        self.refused_ms = None;
        self.kept.clear();
        self.link.note(|status| status.refused.clear());
    }

    /// Reads every block once; setpoints that arrive meanwhile go first.
    pub(super) async fn poll(&mut self, session: &mut Session, context: &Context) -> Result<(), Trouble> {
        if self
            .refused_ms
            .is_some_and(|at| context.now().seconds_since(at) >= ASK_AGAIN_S)
        {
            self.reads = blocks(&self.profile);
            self.refused_ms = None;
            self.link.note(|status| status.refused.clear());
        }
        let mut waiting = VecDeque::from(std::mem::take(&mut self.reads));
        let mut good = Vec::with_capacity(waiting.len());
        let mut polled = Ok(());
        let errors_before = self.link.status_of(|status| status.read_errors);
        while let Some(block) = waiting.pop_front() {
            polled = self.write_pending(session, context).await;
            if polled.is_ok() {
                polled = self.read_block(session, context, block, &mut waiting, &mut good).await;
            }
            if polled.is_err() {
                break;
            }
        }
        good.extend(waiting);
        self.reads = good;
        let errors_after = self.link.status_of(|status| status.read_errors);
        self.link
            .note(|status| status.partial = polled.is_err() || errors_after > errors_before);
        polled
    }

    /// Reads one block. Where the device refuses it, its halves are put in front of what is `waiting`, down to the
    /// single point that is refused.
    async fn read_block(
        &mut self,
        session: &mut Session,
        context: &Context,
        block: Block,
        waiting: &mut VecDeque<Block>,
        good: &mut Vec<Block>,
    ) -> Result<(), Trouble> {
        // The age of a reading counts from the request: the device may have sampled it at any time since.
        let asked = context.now();
        match session
            .read(self.slave, (block.table, block.start, block.count), self.manner)
            .await
        {
            Ok(answer) => {
                self.take(context, &block, &answer, asked.mono_ms);
                good.push(block);
                Ok(())
            }
            Err(Failure::Refused(exception)) if is_lasting(exception) => {
                if let Some([first, second]) = halves(&self.profile, &block) {
                    waiting.push_front(second);
                    waiting.push_front(first);
                } else {
                    self.refuse(context, &block, exception);
                }
                Ok(())
            }
            Err(Failure::Refused(exception)) => {
                let error = format!("reading {} from {}: {exception}", block.count, block.start);
                good.push(block);
                self.link.note(|status| {
                    status.read_errors += 1;
                    status.last_error = Some(error.clone());
                });
                let behind_gateway = [
                    ExceptionCode::GatewayPathUnavailable,
                    ExceptionCode::GatewayTargetDevice,
                ];
                if behind_gateway.contains(&exception) {
                    Err(Trouble::Device(error))
                } else {
                    Ok(())
                }
            }
            Err(Failure::Broken(error)) => {
                good.push(block);
                self.link.note(|status| status.read_errors += 1);
                Err(Trouble::Connection(error))
            }
        }
    }

    fn take(&mut self, context: &Context, block: &Block, answer: &Answer, sampled_ms: u64) {
        let mut values = Vec::with_capacity(block.points.len());
        for &index in &block.points {
            let Some((point, register)) = registered(&self.profile, index) else {
                continue;
            };
            let value = answer.decode(point, register.address - block.start);
            // Somebody else moved a setpoint, or the device returned to its own: the next wish is written again.
            if let (Ok(value), Some((kept, _))) = (value, self.kept.get(&index))
                && differs(point, value, *kept)
            {
                self.kept.remove(&index);
            }
            values.push((index, value));
        }
        context.post(self.link.device, sampled_ms, values, true);
        self.link.note(|status| {
            status.reads += 1;
            status.last_ok_mono_ms = Some(sampled_ms);
        });
    }

    fn refuse(&mut self, context: &Context, block: &Block, exception: ExceptionCode) {
        self.refused_ms = Some(context.now().mono_ms);
        let points = block
            .points
            .iter()
            .filter_map(|index| context.point(self.link.device, *index));
        let tags: Vec<String> = points.map(|point| context.site.spec(point).tag.clone()).collect();
        self.link.note(|status| {
            status.read_errors += 1;
            status.last_error = Some(format!("{} refused: {exception}", tags.join(", ")));
            status.refused.extend(tags);
        });
    }

    /// Writes what is wanted and due, each value read back at once; the heartbeat last, so that it vouches for the rest.
    pub(super) async fn write_pending(&mut self, session: &mut Session, context: &Context) -> Result<(), Trouble> {
        while let Some((index, wanted)) = self.link.outbox.take(self.heartbeat) {
            if wanted.token != self.token {
                // What a point kept before another controller wrote tells nothing.
                self.kept.clear();
                self.token = wanted.token;
            }
            let too_late = context.now().seconds_since(wanted.at_ms) > WISH_LIFE_S;
            if too_late || !context.may_write(wanted.token) || !self.is_due(context, index, wanted.value) {
                continue;
            }
            if let Err(error) = self.write(session, context, index, wanted).await {
                self.link.outbox.put_back(index, wanted);
                self.kept.remove(&index);
                self.link.note(|status| status.write_errors += 1);
                return Err(Trouble::Connection(error));
            }
        }
        Ok(())
    }

    fn is_due(&self, context: &Context, index: usize, value: f64) -> bool {
        let Some((kept, at_ms)) = self.kept.get(&index) else {
            return true;
        };
        let changed = value.to_bits() != kept.to_bits();
        changed || Some(index) == self.heartbeat || context.now().seconds_since(*at_ms) >= REFRESH_S
    }

    /// Writes one value and reads it back. The error is a broken connection; all else is counted.
    async fn write(
        &mut self,
        session: &mut Session,
        context: &Context,
        index: usize,
        wanted: Wanted,
    ) -> Result<(), String> {
        let value = wanted.value;
        let profile = Arc::clone(&self.profile);
        let Some((point, register)) = registered(&profile, index) else {
            return Ok(());
        };
        self.kept.remove(&index);
        let refused = |error: String| {
            self.link.note(|status| {
                status.write_errors += 1;
                status.last_error = Some(format!("writing {value} to {}: {error}", point.name));
            });
        };
        let words = match codec::encode(point, value) {
            Ok(words) => words,
            Err(error) => {
                refused(error.to_string());
                return Ok(());
            }
        };
        let allowed = || context.may_write(wanted.token);
        match session.write(self.slave, register, &words, self.manner, allowed).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Failure::Refused(exception)) => {
                refused(exception.to_string());
                return Ok(());
            }
            Err(Failure::Broken(error)) => return Err(error),
        }
        let asked = context.now();
        let place = (register.table, register.address, register.raw.registers());
        let answer = match session.read(self.slave, place, self.manner).await {
            Ok(answer) => answer,
            Err(Failure::Refused(exception)) => {
                refused(format!("reading it back: {exception}"));
                return Ok(());
            }
            Err(Failure::Broken(error)) => return Err(error),
        };
        let found = answer.decode(point, 0);
        context.post(self.link.device, asked.mono_ms, [(index, found)], true);
        if let Ok(found) = found
            && !differs(point, found, value)
        {
            self.kept.insert(index, (value, asked.mono_ms));
            self.link.note(|status| status.writes += 1);
        } else {
            let read = found.map_or_else(|error| error.to_string(), |found| found.to_string());
            self.link.note(|status| {
                status.mismatches += 1;
                status.last_error = Some(format!(
                    "{} was written as {value} and reads back as {read}",
                    point.name
                ));
            });
        }
        Ok(())
    }
}

/// Whether an exception is about what was asked for, not about the moment.
const fn is_lasting(exception: ExceptionCode) -> bool {
    matches!(
        exception,
        ExceptionCode::IllegalFunction | ExceptionCode::IllegalDataAddress | ExceptionCode::IllegalDataValue
    )
}

/// Whether a value on the wire is another one than was meant: further away than the register's resolution, or for
/// floats than single precision.
fn differs(point: &wire::Point, found: f64, meant: f64) -> bool {
    (found - meant).abs() > codec::resolution(point).max(meant.abs() * f64::from(f32::EPSILON))
}

fn registered(profile: &Profile, index: usize) -> Option<(&wire::Point, &Register)> {
    let point = profile.points.get(index)?;
    match &point.place {
        Place::Register(register) => Some((point, register)),
        _ => None,
    }
}

/// The two halves of a block, by its points; `None` for a single point.
fn halves(profile: &Profile, block: &Block) -> Option<[Block; 2]> {
    let (first, second) = block
        .points
        .split_at_checked(block.points.len() / 2)
        .filter(|(first, _)| !first.is_empty())?;
    Some([span(profile, block, first)?, span(profile, block, second)?])
}

/// The smallest block that holds some points of a block.
fn span(profile: &Profile, block: &Block, points: &[usize]) -> Option<Block> {
    let registers = || points.iter().filter_map(|index| Some(registered(profile, *index)?.1));
    let start = registers().map(|register| register.address).min()?;
    let end = registers()
        .map(|register| register.address.saturating_add(register.raw.registers()))
        .max()?;
    Some(Block {
        table: block.table,
        start,
        count: end - start,
        points: points.to_vec(),
    })
}
