//! The records of schedules, and the index of their next ticks.

use super::keyspace::Keyspace;
use super::members::{ALL_SCORES, timestamp};
use super::record::{Encoded, RecordError, encode, read_whole};
use super::records::Records;
use crate::queue::error::Corruption;
use crate::queue::part::Part;
use crate::queue::schedule::Schedule;
use crate::queue::store::Schedules;
use crate::queue::valid::is_name;

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
        let schedule = decode_schedule(bytes.as_ref()).ok().filter(|_| is_name(name));
        schedule.map(Some).ok_or(Corruption::Schedule)
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
            self.0.push_back(Part::Damaged, name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::schedule::{Definition, History, Life, Rhythm, Text, Tick};
    use crate::queue::valid::{MAX_DURATION_MS, MAX_TIME_MS};
    use crate::queue_tests::scheduled::{cron, every, full, text};

    /// The highest numbers.
    fn with_highest_numbers() -> Schedule {
        let history = History {
            phase_ms: MAX_TIME_MS - 1,
            next: None,
            last_tick_ms: Some(MAX_TIME_MS - 1),
            behind: u64::MAX,
            runs: u64::MAX,
            missed: u64::MAX,
            skipped: u64::MAX,
            triggered: u64::MAX,
            zones: vec![b'x'; 64],
        };
        Schedule { definition: full(), history }
    }

    fn schedule(definition: Definition) -> Schedule {
        let next = Some(Tick { at_ms: 1 << 40, due_ms: (1 << 40) + 7 });
        Schedule { definition, history: History { next, ..History::default() } }
    }

    /// A change of these bytes needs another version.
    #[test]
    fn the_bytes_of_a_record_stay_as_they_are() {
        let mut definition = every(100);
        definition.message.headers = vec![(text("a"), text(""))];
        definition.message.life = Some(Life { ttl_ms: 5, ends_in_death: true });
        let record = Schedule {
            definition,
            history: History {
                phase_ms: 1,
                next: Some(Tick { at_ms: 2, due_ms: 3 }),
                last_tick_ms: Some(4),
                behind: 5,
                runs: 6,
                missed: 7,
                skipped: 8,
                triggered: 9,
                zones: b"z".to_vec(),
            },
        };
        let of_definition = [0, 100, 0, 0, 0, 0, 1, 0, 0, 1, b'x', 1, 5, 1, 0, 0, 1, 1, b'a', 0];
        let of_history = [1, 1, 2, 3, 1, 4, 5, 6, 7, 8, 9, 1, b'z'];
        let expected = [&[1], of_definition.as_slice(), &of_history].concat();
        assert_eq!(encode_schedule(&record).to_vec(), expected);
        assert_eq!(decode_schedule(&expected), Ok(record));
    }

    #[test]
    fn what_was_encoded_of_a_schedule_is_decoded_and_nothing_else() {
        for record in [schedule(every(100)), schedule(cron("@daily")), with_highest_numbers()] {
            let mut bytes = encode_schedule(&record).to_vec();
            assert_eq!(decode_schedule(&bytes), Ok(record));
            for end in (0..bytes.len()).step_by(bytes.len().div_ceil(1_000)) {
                assert_eq!(
                    decode_schedule(&bytes[..end]),
                    Err(RecordError::Damaged),
                    "cut at {end}"
                );
            }
            bytes.push(0);
            assert_eq!(decode_schedule(&bytes), Err(RecordError::Damaged));
            bytes[0] = 2;
            assert_eq!(decode_schedule(&bytes), Err(RecordError::Version(2)));
        }
    }

    #[test]
    fn a_schedule_with_a_field_out_of_range_is_damaged() {
        let harms: [fn(&mut Schedule); 28] = [
            |all| all.history.phase_ms += 1,
            |all| all.history.next = Some(Tick { at_ms: 1, due_ms: 1 }),
            |all| all.definition.is_paused = false,
            |all| all.history.last_tick_ms = Some(MAX_TIME_MS),
            |all| all.history.zones.push(0),
            |all| all.definition.timing.rhythm = Rhythm::Every { ms: 99 },
            |all| all.definition.timing.rhythm = Rhythm::Every { ms: 0 },
            |all| all.definition.timing.rhythm = Rhythm::Every { ms: MAX_DURATION_MS + 1 },
            |all| {
                let (expression, zone) = (vec![b'x'; 257], Vec::new());
                all.definition.timing.rhythm = Rhythm::Cron { expression, zone };
            },
            |all| {
                let (expression, zone) = (Vec::new(), vec![b'x'; 65]);
                all.definition.timing.rhythm = Rhythm::Cron { expression, zone };
            },
            |all| all.definition.timing.start_ms = Some(MAX_TIME_MS),
            |all| all.definition.timing.end_ms = Some(MAX_TIME_MS),
            |all| all.definition.timing.limit = Some(0),
            |all| all.definition.timing.limit = Some(1 << 31),
            |all| all.definition.timing.jitter_ms += 1,
            |all| all.definition.message.payload.push(0),
            |all| all.definition.message.life.as_mut().unwrap().ttl_ms += 1,
            |all| all.definition.message.priority = 10,
            |all| all.definition.message.group = Some(Text(Vec::new())),
            |all| all.definition.message.group.as_mut().unwrap().0.push(0),
            |all| all.definition.message.headers.push((text("a"), text(""))),
            |all| all.definition.message.headers[0].0.0.push(0),
            |all| all.definition.message.headers[0].0.0.clear(),
            |all| all.definition.message.headers[0].1.0.push(0),
            |all| {
                all.definition.is_paused = false;
                all.history.next = Some(Tick { at_ms: 9, due_ms: 8 });
            },
            |all| {
                all.definition.is_paused = false;
                all.history.next = Some(Tick { at_ms: 9, due_ms: MAX_TIME_MS });
            },
            |all| all.definition.timing.start_ms = Some(u64::MAX),
            |all| all.history.phase_ms = u64::MAX,
        ];
        for (number, harm) in harms.into_iter().enumerate() {
            let mut record = with_highest_numbers();
            harm(&mut record);
            let bytes = encode_schedule(&record);
            assert_eq!(decode_schedule(&bytes), Err(RecordError::Damaged), "{number}");
        }
    }

    #[test]
    fn no_bytes_make_a_record_that_is_out_of_range() {
        let bytes = encode_schedule(&schedule(cron("0 9 * * MON"))).to_vec();
        let mut random = fastrand::Rng::with_seed(7);
        let mut decoded = 0;
        for _ in 0..20_000 {
            let mut bytes = bytes.clone();
            for _ in 0..random.usize(1..4) {
                let index = random.usize(1..bytes.len());
                bytes[index] = random.u8(..);
            }
            if let Ok(record) = decode_schedule(&bytes) {
                assert!(crate::queue_tests::ranges::is_schedule(&record), "{record:?}");
                assert_eq!(decode_schedule(&encode_schedule(&record)).as_ref(), Ok(&record));
                decoded += 1;
            }
        }
        assert!(decoded > 0, "all were refused");
    }
}
