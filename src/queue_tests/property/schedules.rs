//! Schedules: set, removed, triggered, and their ticks as a master decides them.

use super::model::{CatchUp, Queue, Rhythm, Set, Timing};
use super::*;
use crate::queue::schedule::{self, Definition, History, Life, Schedule, Template, Text, Tick};
use crate::queue::store::Schedules as _;
use crate::runtime::due::{self, NoTick};

const SCHEDULES: [&str; 2] = ["s", "t"];

impl Run<'_> {
    pub(super) fn schedule(&mut self, name: &'static str) {
        // 0.1.0 has none.
        if self.model.is_old {
            return self.push(name);
        }
        let of = self.one_of(&SCHEDULES);
        match self.random.u8(..8) {
            0..=4 => self.set(name, of),
            5 => {
                let op = op::Unschedule { name: of.into() };
                let existed = self.server.number(&queue(name), &op) == 1;
                assert_eq!(existed, self.model.unset(name, of));
                if existed {
                    self.hit("unscheduled");
                }
            }
            _ => self.trigger(name, of),
        }
    }

    /// What is due goes first, as in MQ.SCHEDULE.
    fn set(&mut self, name: &'static str, of: &'static str) {
        self.tick(name);
        let now_ms = self.server.now_ms;
        let known = self.model.queue(name).schedules.get(of);
        let mut asked = match known.map(|known| known.asked.clone()) {
            Some(asked) if self.random.bool() => asked,
            _ => self.asked_of_schedule(),
        };
        match self.random.u8(..8) {
            0 => asked.payload = vec![self.random.u8(..)],
            1 => asked.is_paused = !asked.is_paused,
            2 => asked.timing.limit = Some(self.random.u64(1..6)),
            3 => asked.timing.end_ms = Some(now_ms + self.random.u64(..500)),
            4 => asked.catch_up = self.catch_up(),
            _ => {}
        }
        let old = self.server.scheduled(&queue(name), of);
        let op = due::set(of.as_bytes(), definition(&asked), old.as_ref(), now_ms);
        let set = match op {
            Err(NoTick) => Set::NoTick,
            Ok(None) => Set::Same,
            Ok(Some(op)) if self.server.number(&queue(name), &op) == 1 => Set::New,
            Ok(Some(_)) => Set::Changed,
        };
        assert_eq!(set, self.model.set(name, of, &asked, now_ms), "{asked:?} instead of {old:?}");
        let was_paused = old.is_some_and(|old| old.definition.is_paused);
        self.hit(match set {
            Set::New => "scheduled",
            Set::Changed if asked.is_paused => "a schedule was paused",
            Set::Changed if was_paused => "a schedule goes on after a pause",
            Set::Changed => "scheduled another way",
            Set::Same => "scheduled again",
            Set::NoTick => "a schedule has no tick left",
        });
    }

    fn asked_of_schedule(&mut self) -> model::Asked {
        let now_ms = self.server.now_ms;
        let rhythm = match self.random.u8(..8) {
            0 => Rhythm::Cron(self.one_of(&["* * * * *", "*/3 * * * *", "5-59/7 8-9 * * *"])),
            1 => Rhythm::Every(7_000),
            2..=4 => Rhythm::Every(130),
            _ => Rhythm::Every(100),
        };
        let start_ms = self.chance(4).then(|| now_ms + self.random.u64(..400) - 200);
        let end_ms = self.chance(8).then(|| now_ms + self.random.u64(..1_000));
        let limit = self.chance(8).then(|| self.random.u64(1..6));
        let jitter_ms = if self.chance(4) { self.random.u64(..100) } else { 0 };
        let group = self.likes(self.taste.groups).then(|| self.one_of(&GROUPS[..self.taste.names]));
        let is_urgent = group.is_none() && self.likes(self.taste.priorities);
        let ttl = self.likes(self.taste.ttl).then(|| (self.random.u64(..150), self.random.bool()));
        let headers = self.chance(4).then(|| ("kind", "report".to_string()));
        model::Asked {
            timing: Timing { rhythm, start_ms, end_ms, limit, jitter_ms },
            catch_up: self.catch_up(),
            skips_overlap: self.random.bool(),
            is_paused: self.chance(8),
            payload: vec![self.random.u8(..)],
            ttl: ttl.map(|(ttl_ms, dies)| (ttl_ms, dies && ttl_ms > 0)),
            priority: if is_urgent { self.random.u8(..10) } else { 0 },
            group,
            headers: headers.into_iter().collect(),
        }
    }

    fn catch_up(&mut self) -> CatchUp {
        match self.random.u8(..6) {
            0..=1 => CatchUp::None,
            2..=4 => CatchUp::One,
            _ => CatchUp::All,
        }
    }

    fn trigger(&mut self, name: &'static str, of: &'static str) {
        let (id, answer) = self.server.trigger(&queue(name), of).unwrap();
        let expected = self.model.trigger(name, of, self.server.now_ms, id.0);
        match (answer, expected) {
            (None, None) => {}
            (Some(Answer::Added), Some(model::Answer::New)) => {
                self.pushed.push(id);
                self.hit("triggered");
            }
            (Some(Answer::Duplicate(id)), Some(model::Answer::Duplicate(first))) => {
                assert_eq!(id.0, first);
                self.hit("triggered while its message is there");
            }
            (Some(Answer::Full), Some(model::Answer::Full))
            | (Some(Answer::DedupFull), Some(model::Answer::DedupFull)) => {
                self.hit("triggered in a full queue");
            }
            (answer, expected) => panic!("{answer:?}, but the model says {expected:?}"),
        }
    }

    /// An op of its own, before another one: a slice of the ticks that are due.
    pub(super) fn tick(&mut self, name: &'static str) {
        let (now_ms, mut ids) = (self.server.now_ms, Vec::new());
        let mut store = self.server.store(&queue(name));
        let ticks = due::decide(&mut store, now_ms, |_| {
            let id = self.server.new_id();
            ids.push(id.0);
            id
        });
        if ticks.is_empty() {
            assert!(self.model.tick(name, now_ms, &[]).is_empty());
            return;
        }
        self.begin();
        self.server.ticks(&queue(name), ticks);
        let pushed = self.model.tick(name, now_ms, &ids);
        self.pushed.extend(pushed.into_iter().map(MessageId));
        self.check_effects();
        self.begin();
    }

    pub(super) fn check_schedules(&self, name: &QueueName, queue: &Queue, step: usize) {
        for (of, expected) in &queue.schedules {
            let Schedule { definition: stored, history } =
                self.server.scheduled(name, of).expect("a schedule");
            assert_eq!(stored, definition(&expected.asked), "step {step}: {of}");
            let next =
                expected.next_ms.map(|at_ms| Tick { at_ms, due_ms: expected.due_ms(of).unwrap() });
            let expected = History {
                phase_ms: expected.phase_ms,
                next,
                last_tick_ms: expected.last_ms,
                behind: expected.behind,
                runs: expected.runs,
                missed: expected.missed,
                skipped: expected.skipped,
                triggered: expected.triggered,
                zones: history.zones.clone(),
            };
            assert_eq!(history, expected, "step {step}: {of}");
        }
        let due = queue.due().into_iter().map(|(_, of)| of.as_bytes().to_vec());
        let listed = self.server.store(name).due_ticks(u64::MAX >> 1, 100);
        assert_eq!(listed, due.collect::<Vec<_>>(), "step {step}: the order of ticks");
    }
}

fn definition(asked: &model::Asked) -> Definition {
    let text = |text: &str| Text(text.as_bytes().to_vec());
    let Timing { rhythm, start_ms, end_ms, limit, jitter_ms } = asked.timing;
    let headers = asked.headers.iter();
    Definition {
        timing: schedule::Timing {
            rhythm: match rhythm {
                Rhythm::Every(ms) => schedule::Rhythm::Every { ms },
                Rhythm::Cron(expression) => schedule::Rhythm::Cron {
                    expression: expression.as_bytes().to_vec(),
                    zone: b"UTC".to_vec(),
                },
            },
            start_ms,
            end_ms,
            limit: limit.map(|limit| limit as u32),
            jitter_ms,
        },
        catch_up: match asked.catch_up {
            CatchUp::None => schedule::CatchUp::None,
            CatchUp::One => schedule::CatchUp::One,
            CatchUp::All => schedule::CatchUp::All,
        },
        overlap: match asked.skips_overlap {
            true => schedule::Overlap::Skip,
            false => schedule::Overlap::Allow,
        },
        is_paused: asked.is_paused,
        message: Template {
            payload: asked.payload.clone(),
            life: asked.ttl.map(|(ttl_ms, ends_in_death)| Life { ttl_ms, ends_in_death }),
            priority: asked.priority,
            group: asked.group.map(text),
            headers: headers.map(|(name, value)| (text(name), text(value))).collect(),
        },
    }
}
