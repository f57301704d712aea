//! Checks of ops: what they may contain, and what version 1 has of it.

use super::message::{Expiry, MessageId, Receipt};
use super::op::*;
use super::schedule::Tick;
use super::settings::{Setting, Settings};
use super::valid::{
    MAX_DURATION_MS, MAX_ERROR_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_PAYLOAD_BYTES,
    MAX_TIME_MS, MAX_ZONE_BYTES, is_dedup_key, is_duration, is_name, is_priority, is_timestamp,
};

impl Op<'_> {
    /// Lets messages move only to queues of the same slot.
    pub fn keep_to_slot(&mut self) {
        match self {
            Op::Pull(Pull { sweep, .. }) | Op::Sweep(Sweep { sweep, .. }) => sweep.same_slot = true,
            Op::Nack(Nack { same_slot, .. })
            | Op::Redrive(Redrive { same_slot, .. })
            | Op::RedriveSlice(RedriveSlice { same_slot, .. }) => *same_slot = true,
            _ => {}
        }
    }

    /// Sets [`Sweep::ended`]; false if the op has none.
    pub fn set_ended(&mut self, ids: Vec<MessageId>) -> bool {
        match self {
            Op::Pull(Pull { ended, .. }) | Op::Sweep(Sweep { ended, .. }) => {
                *ended = ids;
                true
            }
            _ => false,
        }
    }

    /// True if the op, whose variant version 1 has, names nothing that this version doesn't have.
    pub fn is_in_version_1(&self) -> bool {
        match self {
            Op::Configure(Configure { changes }) => {
                const LATER: [Setting; 2] = [Setting::MaxDedup, Setting::Expires];
                changes.iter().all(|(setting, _)| !LATER.contains(setting))
            }
            Op::Push(Push { options, .. }) | Op::PushMany(PushMany { options, .. }) => {
                let expiry = options.as_ref().and_then(|options| options.expiry);
                !expiry.is_some_and(Expiry::is_death)
            }
            Op::Nack(Nack { how, .. }) => !matches!(how, Return::InFront | Return::Abandoned),
            _ => true,
        }
    }

    /// Checks what a decoded op from elsewhere claims. A server's own ops always pass.
    pub fn is_valid(&self) -> bool {
        match self {
            Op::Push(Push { id, due_at_ms, payload, options }) => {
                is_message(*id, payload)
                    && due_at_ms.is_none_or(is_timestamp)
                    && options.as_ref().is_none_or(PushOptions::is_valid)
            }
            Op::PushMany(PushMany { messages, due_at_ms, options }) => {
                (1..=MAX_BATCH as usize).contains(&messages.len())
                    && messages.iter().all(|message| is_message(message.id, message.payload))
                    && due_at_ms.is_none_or(is_timestamp)
                    && options
                        .as_ref()
                        .is_none_or(|options| options.is_valid() && options.dedup.is_none())
            }
            Op::Pull(Pull { now_ms, count, mode, base_receipt, .. }) => {
                is_timestamp(*now_ms)
                    && (1..=MAX_BATCH).contains(count)
                    && mode.is_valid()
                    && (*mode == Mode::AtMostOnce || are_receipts(*base_receipt, *count))
            }
            Op::Sweep(Sweep { now_ms, .. })
            | Op::Use(Use { now_ms })
            | Op::Expire(Expire { now_ms }) => is_timestamp(*now_ms),
            Op::Acknowledge(Acknowledge { now_ms, .. }) => now_ms.is_none_or(is_timestamp),
            Op::Nack(Nack { now_ms, delay_ms, reason, .. }) => {
                is_timestamp(*now_ms)
                    && delay_ms.is_none_or(|ms| ms <= MAX_DURATION_MS)
                    && reason.is_none_or(|reason| reason.len() <= MAX_ERROR_BYTES)
            }
            Op::Extend(Extend { now_ms, visibility_ms, .. })
            | Op::Prolong(Prolong { now_ms, visibility_ms, .. }) => {
                is_timestamp(*now_ms) && is_duration(*visibility_ms)
            }
            Op::Configure(Configure { changes }) => changes.iter().all(|(setting, text)| {
                text.as_ref().is_none_or(|text| Settings::default().set(*setting, text))
            }),
            Op::Reschedule(Reschedule { now_ms, due_at_ms, .. }) => {
                is_timestamp(*now_ms) && is_timestamp(*due_at_ms)
            }
            Op::Redrive(Redrive { now_ms, count, .. }) => {
                is_timestamp(*now_ms) && (1..=MAX_REDRIVE).contains(count)
            }
            Op::RedriveSlice(slice) => slice.is_valid(),
            Op::Pause(Pause { until_ms }) => until_ms.is_none_or(|ms| ms > 0 && is_timestamp(ms)),
            Op::Schedule(Schedule { name, definition, phase_ms, next, zones }) => {
                is_name(name)
                    && definition.is_valid()
                    && is_timestamp(*phase_ms)
                    && next.is_none_or(Tick::is_valid)
                    && next.is_none() == definition.is_paused
                    && zones.len() <= MAX_ZONE_BYTES
            }
            Op::Unschedule(Unschedule { name }) => is_name(name),
            Op::Ticks(Ticks { now_ms, ticks, zones }) => {
                is_timestamp(*now_ms)
                    && zones.len() <= MAX_ZONE_BYTES
                    && ticks.len() <= MAX_BATCH as usize
                    && ticks.iter().all(TickOf::is_valid)
            }
            Op::Trigger(Trigger { now_ms, id, name }) => {
                is_timestamp(*now_ms) && id.is_valid() && is_name(name)
            }
            Op::Delete(Delete { .. })
            | Op::Purge
            | Op::Drop
            | Op::Resume
            | Op::Repair
            | Op::PurgeState(PurgeState { .. }) => true,
            Op::Ended(never) => match *never {},
        }
    }
}

impl TickOf {
    fn is_valid(&self) -> bool {
        let is_step = match self.step {
            Step::Push { id, tick, .. } => id.is_valid() && tick.is_valid(),
            Step::Skip { tick, .. } => tick.is_valid(),
            Step::Pass { .. } | Step::Mend => true,
        };
        // What another client wrote is mended whatever its name.
        let is_named = is_name(&self.name) || self.step == Step::Mend;
        is_step && is_named && self.next.is_none_or(Tick::is_valid)
    }
}

impl RedriveSlice<'_> {
    fn is_valid(&self) -> bool {
        let bound = 1..=MAX_REDRIVE;
        is_timestamp(self.now_ms)
            && bound.contains(&self.inspect)
            && bound.contains(&self.count)
            && self.reason.is_none_or(|reason| reason.len() <= MAX_ERROR_BYTES)
            && match &self.choice {
                Choice::Ids(ids) => ids.len() <= MAX_BATCH as usize,
                Choice::Died { after, until_ms } => {
                    after.is_none_or(|after| is_timestamp(after.at_ms)) && *until_ms <= MAX_TIME_MS
                }
            }
    }
}

impl PushOptions<'_> {
    fn is_valid(&self) -> bool {
        let sizes = self.headers.iter().flat_map(|header| [header.name, header.value]);
        let bytes = sizes.fold(0usize, |sum, text| sum.saturating_add(text.len()));
        self.expiry.is_none_or(Expiry::is_valid)
            && match self.class {
                Class::Priority(priority) => is_priority(priority),
                Class::Group(name) => is_name(name),
            }
            && self.dedup.is_none_or(|dedup| {
                is_dedup_key(dedup.key)
                    && is_timestamp(dedup.now_ms)
                    && dedup.until_ms.is_none_or(is_timestamp)
            })
            && self.headers.len() <= MAX_HEADERS
            && bytes <= MAX_HEADER_BYTES
            && self.headers.iter().all(|header| is_name(header.name))
    }
}

impl Mode<'_> {
    fn is_valid(&self) -> bool {
        match self {
            Self::AtLeastOnce { visibility_ms, consumer } => {
                is_duration(*visibility_ms) && consumer.is_none_or(is_name)
            }
            Self::AtMostOnce => true,
        }
    }
}

/// True for so many receipts from this one on.
fn are_receipts(first: Receipt, count: u32) -> bool {
    let last = first.0.saturating_add(u64::from(count).saturating_sub(1));
    first.is_valid() && Receipt(last).is_valid()
}

fn is_message(id: MessageId, payload: &[u8]) -> bool {
    id.is_valid() && payload.len() <= MAX_PAYLOAD_BYTES
}
