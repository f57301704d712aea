//! The schedules of tests, and the ops on them.

use super::{Answer, Server};
use crate::calendar::zones_version;
use crate::queue::message::MessageId;
use crate::queue::name::QueueName;
use crate::queue::op::{self, Step, TickOf};
use crate::queue::schedule::{
    CatchUp, Definition, History, Life, Overlap, Rhythm, Schedule, Template, Text, Tick, Timing,
};
use crate::queue::store::Schedules;
use crate::queue::valid::{MAX_DURATION_MS, MAX_TIME_MS};
use crate::queue::{Effects, QueueError};

/// The version of the zone data of all ops.
pub fn zones() -> Vec<u8> {
    zones_version().into()
}

/// A schedule without options.
pub fn every(ms: u64) -> Definition {
    let rhythm = Rhythm::Every { ms };
    Definition {
        timing: Timing { rhythm, start_ms: None, end_ms: None, limit: None, jitter_ms: 0 },
        catch_up: CatchUp::One,
        overlap: Overlap::Allow,
        is_paused: false,
        message: Template {
            payload: b"x".to_vec(),
            life: None,
            priority: 0,
            group: None,
            headers: Vec::new(),
        },
    }
}

/// The same with an expression, in UTC.
pub fn cron(expression: &str) -> Definition {
    let mut definition = every(1_000);
    let (expression, zone) = (expression.as_bytes().to_vec(), b"UTC".to_vec());
    definition.timing.rhythm = Rhythm::Cron { expression, zone };
    definition
}

/// One with the longest texts and the highest numbers.
pub fn full() -> Definition {
    let long = |len| Text(vec![b'x'; len]);
    let mut headers = vec![(long(256), Text(Vec::new())); 60];
    headers.push((long(256), long(65_024 - 61 * 256)));
    let life = Some(Life { ttl_ms: MAX_DURATION_MS, ends_in_death: true });
    let (payload, group) = (vec![b'x'; 1_048_576], Some(long(256)));
    Definition {
        timing: Timing {
            rhythm: Rhythm::Cron { expression: vec![b'x'; 256], zone: vec![b'x'; 64] },
            start_ms: Some(MAX_TIME_MS - 1),
            end_ms: Some(MAX_TIME_MS - 1),
            limit: Some(2_147_483_647),
            jitter_ms: MAX_DURATION_MS,
        },
        catch_up: CatchUp::All,
        overlap: Overlap::Skip,
        is_paused: true,
        message: Template { payload, life, priority: 9, group, headers },
    }
}

pub fn text(text: &str) -> Text {
    Text(text.as_bytes().to_vec())
}

/// A tick without jitter, unix ms.
pub fn tick(at_ms: u64) -> Tick {
    Tick { at_ms, due_ms: at_ms }
}

/// Sets a schedule; without a next tick it is paused.
pub fn set(name: &str, definition: &Definition, now_ms: u64, next: Option<Tick>) -> op::Schedule {
    let definition = Definition { is_paused: next.is_none(), ..definition.clone() };
    let (name, zones) = (name.as_bytes().to_vec(), zones());
    op::Schedule { name, definition, phase_ms: now_ms, next, zones }
}

/// The message of a tick.
pub fn push(name: &str, id: MessageId, tick: Tick, missed: u64, next: Option<Tick>) -> TickOf {
    TickOf { name: name.as_bytes().to_vec(), step: Step::Push { id, tick, missed }, next }
}

impl Server {
    /// Sets a schedule; 1 if it is new.
    pub fn schedule(
        &mut self,
        queue: &QueueName,
        name: &str,
        definition: &Definition,
        next: Option<Tick>,
    ) -> u64 {
        let op = set(name, definition, self.now_ms, next);
        self.number(queue, &op)
    }

    pub fn unschedule(&mut self, queue: &QueueName, name: &str) -> u64 {
        self.number(queue, &op::Unschedule { name: name.as_bytes().to_vec() })
    }

    pub fn ticks(&mut self, queue: &QueueName, ticks: Vec<TickOf>) -> Effects {
        let op = op::Ticks { now_ms: self.now_ms, ticks, zones: zones() };
        self.run(queue, &op).unwrap().1
    }

    /// A tick that is due now and has a message; the next one follows in a second. Returns the message's id.
    pub fn tick(&mut self, queue: &QueueName, name: &str) -> MessageId {
        let (id, now_ms) = (self.new_id(), self.now_ms);
        self.ticks(queue, vec![push(name, id, tick(now_ms), 0, Some(tick(now_ms + 1_000)))]);
        id
    }

    /// The id of the new message, and what became of it.
    pub fn trigger(
        &mut self,
        queue: &QueueName,
        name: &str,
    ) -> Result<(MessageId, Option<Answer>), QueueError> {
        let (id, name) = (self.new_id(), name.as_bytes().to_vec());
        let op = op::Trigger { now_ms: self.now_ms, id, name };
        Ok((id, self.run(queue, &op)?.0))
    }

    pub fn scheduled(&self, queue: &QueueName, name: &str) -> Option<Schedule> {
        self.store(queue).schedule(name.as_bytes()).unwrap()
    }

    pub fn history(&self, queue: &QueueName, name: &str) -> History {
        self.scheduled(queue, name).unwrap().history
    }
}
