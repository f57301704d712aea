//! Schedules. Ticks are found by looking at one minute after the other, in UTC.

use super::{Answer, Id, Model, Push, Queue};
use crate::calendar::jitter;

const MINUTE_MS: u64 = 60_000;

/// The most ticks that are taken at a time, and the most of an expression that are passed over.
const SLICE: usize = 64;
const WALK: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rhythm {
    Every(u64),
    Cron(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CatchUp {
    None,
    One,
    All,
}

/// What decides when the ticks are.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    pub rhythm: Rhythm,
    pub start_ms: Option<u64>,
    pub end_ms: Option<u64>,
    pub limit: Option<u64>,
    pub jitter_ms: u64,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub timing: Timing,
    pub catch_up: CatchUp,
    pub skips_overlap: bool,
    pub is_paused: bool,
    pub payload: Vec<u8>,
    /// A time to live, and whether the message dies then; None: the queue's.
    pub ttl: Option<(u64, bool)>,
    pub priority: u8,
    pub group: Option<&'static str>,
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub asked: Asked,
    /// EVERY counts from here.
    pub phase_ms: u64,
    /// None: it is paused.
    pub next_ms: Option<u64>,
    pub last_ms: Option<u64>,
    pub behind: u64,
    pub runs: u64,
    pub missed: u64,
    pub skipped: u64,
    pub triggered: u64,
}

/// What MQ.SCHEDULE does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Set {
    New,
    Changed,
    Same,
    NoTick,
}

/// What becomes of ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Push { at_ms: u64, missed: u64 },
    Pass { missed: u64 },
}

impl Timing {
    fn has_tick(rhythm: &'static str, at_ms: u64) -> bool {
        let minute = at_ms / MINUTE_MS % 60;
        let hour = at_ms / (60 * MINUTE_MS) % 24;
        match rhythm {
            "* * * * *" => true,
            "*/3 * * * *" => minute.is_multiple_of(3),
            "5-59/7 8-9 * * *" => (8..=9).contains(&hour) && minute % 7 == 5,
            other => panic!("the model doesn't know {other}"),
        }
    }

    fn next(&self, phase_ms: u64, after_ms: u64) -> Option<u64> {
        let after_ms = after_ms.max(self.start_ms.map_or(0, |start_ms| start_ms - 1));
        let at_ms = match self.rhythm {
            Rhythm::Every(ms) => {
                let first_ms = self.start_ms.unwrap_or(phase_ms + ms);
                match after_ms.checked_sub(first_ms) {
                    Some(passed_ms) => first_ms + (passed_ms / ms + 1) * ms,
                    None => first_ms,
                }
            }
            Rhythm::Cron(rhythm) => {
                let minutes = (after_ms / MINUTE_MS + 1..).map(|minute| minute * MINUTE_MS);
                minutes.into_iter().find(|at_ms| Self::has_tick(rhythm, *at_ms)).unwrap()
            }
        };
        Some(at_ms).filter(|at_ms| self.end_ms.is_none_or(|end_ms| *at_ms <= end_ms))
    }
}

impl Schedule {
    /// When the message of its next tick is pushed.
    pub fn due_ms(&self, name: &str) -> Option<u64> {
        let jitter_ms = self.asked.timing.jitter_ms;
        self.next_ms.map(|at_ms| at_ms + jitter(name.as_bytes(), at_ms, jitter_ms))
    }

    fn next_after(&self, after_ms: u64) -> Option<u64> {
        self.asked.timing.next(self.phase_ms, after_ms)
    }

    /// What becomes of its ticks at this time, each with the next one.
    fn steps(&self, name: &str, now: u64, most: usize) -> Vec<(Step, Option<u64>)> {
        let Some(mut at_ms) = self.next_ms else { return Vec::new() };
        let Timing { rhythm, jitter_ms, .. } = self.asked.timing;
        let mut steps = Vec::new();
        if self.asked.catch_up == CatchUp::All {
            loop {
                let next_ms = self.next_after(at_ms);
                steps.push((Step::Push { at_ms, missed: 0 }, next_ms));
                let next = Self { next_ms, ..self.clone() };
                match next.due_ms(name) {
                    Some(due_ms) if due_ms <= now && steps.len() < most => {
                        at_ms = next_ms.unwrap();
                    }
                    _ => return steps,
                }
            }
        }
        let mut missed = 0;
        while let Some(next_ms) = self.next_after(at_ms).filter(|ms| ms + jitter_ms <= now) {
            if matches!(rhythm, Rhythm::Cron(_)) && missed >= WALK as u64 {
                break;
            }
            at_ms = next_ms;
            missed += 1;
        }
        if missed >= WALK as u64 {
            return vec![(Step::Pass { missed }, Some(at_ms))];
        }
        let due_ms = Self { next_ms: Some(at_ms), ..self.clone() }.due_ms(name).unwrap();
        let is_late = due_ms + 5_000 < now;
        let step = match self.asked.catch_up {
            CatchUp::None if is_late => Step::Pass { missed: missed + 1 },
            _ => Step::Push { at_ms, missed },
        };
        vec![(step, self.next_after(at_ms))]
    }
}

impl Queue {
    /// The schedules whose messages are due from now on, the first one first.
    pub fn due(&self) -> Vec<(u64, &'static str)> {
        let all = self.schedules.iter();
        let mut due: Vec<_> =
            all.filter_map(|(name, schedule)| Some((schedule.due_ms(name)?, *name))).collect();
        due.sort();
        due
    }
}

impl Model {
    pub fn set(&mut self, name: &'static str, of: &'static str, asked: &Asked, now: u64) -> Set {
        let old = self.queue(name).schedules.get(of).cloned();
        let timing = &asked.timing;
        let mut new = old.clone().unwrap_or(Schedule {
            asked: asked.clone(),
            phase_ms: now,
            next_ms: None,
            last_ms: None,
            behind: 0,
            runs: 0,
            missed: 0,
            skipped: 0,
            triggered: 0,
        });
        if new.asked.timing.rhythm != timing.rhythm {
            new.phase_ms = now;
        }
        let stays = new.next_ms.is_some() && new.asked.timing == *timing;
        new.asked = asked.clone();
        if !stays {
            let next_ms = new.next_after(now.max(new.last_ms.unwrap_or(0)));
            if next_ms.is_none() || timing.limit.is_some_and(|limit| new.runs >= limit) {
                return Set::NoTick;
            }
            new.next_ms = next_ms;
        }
        if asked.is_paused {
            new.next_ms = None;
        }
        let before = old.as_ref().and_then(|old| old.next_ms);
        if new.next_ms != before {
            new.behind = 0;
        }
        if old.as_ref().is_some_and(|old| old.asked == new.asked && before == new.next_ms) {
            return Set::Same;
        }
        self.queue(name).schedules.insert(of, new);
        if old.is_some() { Set::Changed } else { Set::New }
    }

    /// True if there was one.
    pub fn unset(&mut self, name: &'static str, of: &'static str) -> bool {
        self.queue(name).schedules.remove(of).is_some()
    }

    /// Takes a slice of the ticks that are due. These are the ids of their messages, in this order. Returns those that
    /// were pushed.
    pub fn tick(&mut self, name: &'static str, now: u64, ids: &[Id]) -> Vec<Id> {
        let mut due = self.queue(name).due();
        due.retain(|(due_ms, _)| *due_ms <= now);
        let (mut taken, mut ids, mut pushed) = (0, ids.iter(), Vec::new());
        for (_, of) in due {
            if taken >= SLICE {
                break;
            }
            let steps = self.queue(name).schedules[of].steps(of, now, SLICE - taken);
            taken += steps.len();
            for (step, next_ms) in steps {
                let id = match step {
                    Step::Push { .. } => Some(*ids.next().expect("an id")),
                    Step::Pass { .. } => None,
                };
                pushed.extend(self.take(name, of, now, step, next_ms, id));
            }
        }
        assert_eq!(ids.next(), None, "an id too many");
        pushed
    }

    /// The id of the message, if one was pushed.
    fn take(
        &mut self,
        name: &'static str,
        of: &'static str,
        now: u64,
        step: Step,
        next_ms: Option<u64>,
        id: Option<Id>,
    ) -> Option<Id> {
        // It ended with a tick before.
        let mut schedule = self.queue(name).schedules.get(of)?.clone();
        let (Step::Push { missed, .. } | Step::Pass { missed }) = step;
        schedule.missed += missed;
        self.count("ticks_missed", missed);
        if missed > 0 {
            self.hit("ticks were missed");
        }
        if schedule.asked.catch_up == CatchUp::One {
            schedule.behind += missed;
        }
        let mut pushed = None;
        if let (Step::Push { at_ms, .. }, Some(id)) = (step, id) {
            let due_ms = Schedule { next_ms: Some(at_ms), ..schedule.clone() }.due_ms(of).unwrap();
            let mut added = vec![("mq-tick", at_ms.to_string())];
            if schedule.behind > 0 {
                added.push(("mq-missed", schedule.behind.to_string()));
                self.hit("a message stands for missed ticks");
            }
            let counts = self.counts.clone();
            if self.push_of(name, of, now, id, Some(due_ms), added) == Answer::New {
                self.wait(name, id, due_ms);
                schedule.runs += 1;
                self.count("ticks", 1);
                self.hit("a tick had a message");
                if due_ms > at_ms {
                    self.hit("a message was later than its tick");
                }
                pushed = Some(id);
            } else {
                self.counts = counts;
                schedule.skipped += 1;
                self.count("ticks_skipped", 1);
                self.hit("a tick was skipped");
            }
            schedule.behind = 0;
            schedule.last_ms = Some(at_ms);
        }
        let is_at_limit = schedule.asked.timing.limit.is_some_and(|limit| schedule.runs >= limit);
        if next_ms.is_none() || is_at_limit {
            self.hit(if is_at_limit { "a schedule met its limit" } else { "a schedule ended" });
            self.queue(name).schedules.remove(of);
        } else {
            schedule.next_ms = next_ms;
            self.queue(name).schedules.insert(of, schedule);
        }
        pushed
    }

    /// None if there is no such schedule.
    pub fn trigger(
        &mut self,
        name: &'static str,
        of: &'static str,
        now: u64,
        id: Id,
    ) -> Option<Answer> {
        self.queue(name).schedules.get(of)?;
        let answer = self.push_of(name, of, now, id, None, Vec::new());
        let schedule = self.queue(name).schedules.get_mut(of)?;
        schedule.triggered += u64::from(answer == Answer::New);
        Some(answer)
    }

    fn push_of(
        &mut self,
        name: &'static str,
        of: &'static str,
        now: u64,
        id: Id,
        due_ms: Option<u64>,
        added: Vec<(&'static str, String)>,
    ) -> Answer {
        let asked = self.queue(name).schedules[of].asked.clone();
        let of_queue = (self.queue(name).number("ttl"), false);
        let (ttl_ms, dies) = asked.ttl.unwrap_or(of_queue);
        let mut headers = asked.headers;
        headers.push(("mq-schedule", of.to_string()));
        headers.extend(added);
        let push = Push {
            now_ms: now,
            due_ms,
            expires_ms: (ttl_ms > 0).then_some(now + ttl_ms),
            dies,
            priority: asked.priority,
            group: asked.group,
            dedup: asked.skips_overlap.then_some((overlap_key(of), None)),
            headers,
        };
        let pushed_ms = id[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte));
        self.push(name, &[(id, pushed_ms, asked.payload)], &push)
    }
}

/// The deduplication key of the messages of a schedule.
fn overlap_key(of: &str) -> &'static str {
    match of {
        "s" => "mq-schedule:s",
        "t" => "mq-schedule:t",
        other => panic!("no schedule {other} in this model"),
    }
}
