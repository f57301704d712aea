//! The records of schedules, and the index of their next ticks.

use super::keyspace::Keyspace;
use super::members::{ALL_SCORES, timestamp};
use super::record::{Encoded, RecordError, encode, read_whole};
use super::records::Records;
use crate::queue::error::Corruption;
use crate::queue::part::Part;
use crate::queue::schedule::Schedule;
use crate::queue::store::Schedules;

const VERSION: u8 = 1;

/// The score of a paused schedule: behind all others.
const PAUSED: f64 = f64::INFINITY;

pub fn encode_schedule(schedule: &Schedule) -> Encoded {
    let room = schedule.definition.message.payload.len().saturating_add(256);
    encode(VERSION, schedule, room)
}

pub fn decode_schedule(bytes: &[u8]) -> Result<Schedule, RecordError> {
    let schedule: Schedule = match bytes.split_first().ok_or(RecordError::Damaged)? {
        (&VERSION, rest) => read_whole(rest)?,
        (&other, _) => return Err(RecordError::Version(other)),
    };
    if schedule.is_valid() { Ok(schedule) } else { Err(RecordError::Damaged) }
}

/// The score in `Ticks`.
pub fn tick_score(schedule: &Schedule) -> f64 {
    schedule.due_ms().map_or(PAUSED, |due_ms| due_ms as f64)
}

impl<K: Keyspace> Schedules for Records<K> {
    fn schedule(&mut self, name: &[u8]) -> Result<Option<Schedule>, Corruption> {
        let Some(bytes) = self.0.get(Part::Schedules, name) else { return Ok(None) };
        let schedule = decode_schedule(bytes.as_ref());
        schedule.map(Some).map_err(|_| Corruption::Schedule)
    }

    fn put_schedule(&mut self, name: &[u8], schedule: &Schedule) -> bool {
        let (bytes, score) = (encode_schedule(schedule), tick_score(schedule));
        let old = self.0.get(Part::Schedules, name);
        let is_stored = old.is_some_and(|old| old.as_ref() == &*bytes);
        if !is_stored {
            self.0.put(Part::Schedules, name, &bytes);
        }
        let is_listed = self.0.score(Part::Ticks, name) == Some(score);
        if !is_listed {
            self.0.add(Part::Ticks, name, score);
        }
        !(is_stored && is_listed)
    }

    fn remove_schedule(&mut self, name: &[u8]) -> bool {
        let was_listed = self.0.remove(Part::Ticks, name);
        let existed = self.0.has(Part::Schedules, name);
        self.0.delete(Part::Schedules, name);
        existed || was_listed
    }

    fn set_schedule_aside(&mut self, name: &[u8]) {
        if let Some(bytes) = self.0.get(Part::Schedules, name) {
            self.0.push_back(Part::Damaged, bytes.as_ref());
        }
        self.remove_schedule(name);
    }

    fn first_tick(&mut self) -> Option<u64> {
        let (_, score) = self.0.first(Part::Ticks)?;
        (score < PAUSED).then(|| timestamp(score))
    }

    fn due_ticks(&mut self, now_ms: u64, count: u64) -> Vec<Vec<u8>> {
        let members = self.0.range(Part::Ticks, [f64::NEG_INFINITY, now_ms as f64], 0, count);
        members.into_iter().map(|(name, _)| name.as_ref().to_vec()).collect()
    }

    fn schedules(&mut self, skip: u64, count: u64) -> Vec<Vec<u8>> {
        let members = self.0.range(Part::Ticks, ALL_SCORES, skip, count);
        members.into_iter().map(|(name, _)| name.as_ref().to_vec()).collect()
    }
}
