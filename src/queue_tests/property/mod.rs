//! Random ops against the model: what is delivered, what is answered and what is counted must be
//! the same, and the log of ops must give the same state on an empty database.
//!
//! MQ_SEED repeats one run and prints its ops; MQ_PROPERTY_SECONDS makes it longer.

mod checks;
mod choices;
mod inspect;
mod manage;
mod pull;
mod push;
mod schedules;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::env::var_os;
use std::time::{Duration, Instant};

use choices::Choices;
use pull::compare_fields;

use super::model::{self, Model};
use super::*;

/// The queues on which ops are run; most of them on the first.
const NAMES: [&str; 5] =
    ["orders", "{orders}:dead", "graves", "{graves}:dead", "{orders}:dead:dead"];
const GROUPS: [&str; 4] = ["a", "b", "bb", "z\u{e9}"];
const KEYS: [&str; 3] = ["k", "l", "mm"];
const CONSUMERS: [&str; 2] = ["ann", "bob"];
const ERRORS: [&str; 2] = ["no disk", "timeout"];

/// The fewest runs of a test; if these don't meet all that is wanted, it goes on for some more.
const LEAST_RUNS: u64 = 60;
const MOST_RUNS: u64 = 10 * LEAST_RUNS;

/// The ops of a run.
const MOST_STEPS: usize = 300;

/// The longest time that passes at once.
const MOST_WAIT_MS: u64 = 200_000;

/// More bytes than the choices of so many ops need.
#[cfg(test)]
const ROOM: usize = 64 * 1024;

/// What every test must have met.
const WANTED: [&str; 117] = [
    "a delayed message joined its group",
    "a large message was in flight",
    "a dead letter could not go back",
    "a dead letter of a group went back",
    "a dead letter was discarded for another one",
    "a dead letter was given an end",
    "a group has more than its record names",
    "a group was held",
    "a higher priority went first",
    "a message stands for missed ticks",
    "a message was later than its tick",
    "a pause ended by itself",
    "a pull ended at an expired head",
    "a queue was kept for its schedule",
    "a schedule ended",
    "a schedule goes on after a pause",
    "a schedule has no tick left",
    "a schedule met its limit",
    "a schedule was paused",
    "a tick had a message",
    "a tick was skipped",
    "a window of the rate went on",
    "acknowledged",
    "acknowledged late",
    "acknowledged with a pull",
    "an aged head went first",
    "at most once",
    "bad receipt",
    "behind one of the same millisecond",
    "clock set back",
    "configured aging",
    "configured backoff",
    "configured backoffmax",
    "configured deadletter",
    "configured groupinflight",
    "configured maxinflight",
    "configured maxlen",
    "configured maxretries",
    "configured rate",
    "configured rateperiod",
    "consumer",
    "dead",
    "dead letter delivered",
    "dead letter refused",
    "delayed push",
    "deleted in flight",
    "deleted while delayed",
    "deleted while waiting",
    "delivered",
    "delivered again",
    "delivered of a group",
    "delivered of a schedule",
    "delivered with headers",
    "delivered with priority",
    "delivered with the last error",
    "delivered with time to live",
    "died at the end of its time",
    "discarded because it could not die",
    "discarded when it came back",
    "discarded while delayed",
    "discarded while waiting",
    "dropped",
    "dropped because nobody used it",
    "duplicate",
    "duplicate in window",
    "extended",
    "extended late",
    "extended, but not shortened",
    "fewer slots",
    "found",
    "full",
    "given back Abandoned",
    "given back Counted",
    "given back Disconnected",
    "given back InFront",
    "given back Rejected",
    "given back Uncounted",
    "key over",
    "key released",
    "key taken over after its time",
    "more slots",
    "no room for a key",
    "not found",
    "paused",
    "peeked at a delayed one",
    "peeked at a ready one",
    "peeked at one in flight",
    "pulled at MAXINFLIGHT",
    "pulled nothing",
    "pulled while paused",
    "purged",
    "purged in slices",
    "purged of one state",
    "pushed",
    "pushed many",
    "rate used up",
    "one that never died was redriven",
    "redriven",
    "redriven as 0.1.0 does",
    "redriven by id",
    "redriven in slices",
    "rejected a dead letter",
    "rescheduled",
    "restarted",
    "scheduled",
    "scheduled again",
    "scheduled another way",
    "swept",
    "the turn of a group among others",
    "the turn of those without a group",
    "ticks were missed",
    "triggered",
    "triggered in a full queue",
    "triggered while its message is there",
    "unscheduled",
    "upgraded",
    "waited just until something happens",
];

/// How often pushes of a run ask for something, and its consumers are idle, in eighths.
struct Taste {
    idle: u8,
    /// How many names of groups there are.
    names: usize,
    ttl: u8,
    groups: u8,
    priorities: u8,
    dedup: u8,
    schedules: u8,
}

/// One run: the server, the model, and what clients know.
struct Run<'a> {
    random: Choices<'a>,
    taste: Taste,
    server: Server,
    model: Model,
    /// Every delivery that a client has seen and not settled, by queue.
    seen: Vec<(&'static str, Delivery)>,
    /// Every message that was pushed.
    pushed: Vec<MessageId>,
    /// Those that must never be delivered again.
    gone: BTreeSet<MessageId>,
    /// Those that were delivered at most once.
    final_deliveries: u64,
    /// Per message: its last receipt, and until when nobody else may get it.
    deliveries: BTreeMap<MessageId, (Receipt, u64)>,
    /// Per queue: when a timer that follows the effects wakes up.
    wakes: BTreeMap<&'static str, Option<u64>>,
    /// The queues that would have delivered something before the last op.
    could_deliver: BTreeSet<&'static str>,
    /// The last op was a pull that got nothing.
    was_sent_away: bool,
    hits: BTreeMap<&'static str, u64>,
}

#[test]
fn random_ops_do_what_the_model_says() {
    let seconds = std::env::var("MQ_PROPERTY_SECONDS").map_or(4, |s| s.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let given = std::env::var("MQ_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let first = given.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let mut hits: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut seeds = 0;
    loop {
        let seed = first + seeds;
        let mut bytes = vec![0; ROOM];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        let result = std::panic::catch_unwind(|| one_run(&bytes));
        let run = result.unwrap_or_else(|panic| {
            eprintln!("repeat with MQ_SEED={seed}");
            std::panic::resume_unwind(panic)
        });
        for (what, count) in run {
            *hits.entry(what).or_default() += count;
        }
        seeds += 1;
        let is_done = seeds >= LEAST_RUNS && missing(&hits).is_empty() || seeds >= MOST_RUNS;
        if given.is_some() || (is_done && Instant::now() >= end) {
            break;
        }
    }
    println!("seeds {first} to {}", first + seeds - 1);
    for (what, count) in &hits {
        println!("{count:>10} {what}");
    }
    assert!(given.is_some() || missing(&hits).is_empty(), "no run did this: {:?}", missing(&hits));
}

/// What no run has met yet.
fn missing(hits: &BTreeMap<&'static str, u64>) -> Vec<&'static str> {
    WANTED.into_iter().filter(|what| !hits.contains_key(what)).collect()
}

/// A run with these choices; it ends early where they do. Returns how often it met what.
pub fn one_run(choices: &[u8]) -> BTreeMap<&'static str, u64> {
    let mut random = Choices::new(choices);
    let names = random.usize(1..=GROUPS.len());
    let mut often = || [0, 1, 2, 4, 7][random.usize(..5)];
    let (ttl, groups, priorities, dedup) = (often(), often(), often(), often());
    let idle = often().min(4);
    let schedules = often();
    let taste = Taste { idle, names, ttl, groups, priorities, dedup, schedules };
    let mut run = Run {
        random,
        taste,
        server: Server::new(),
        model: Model::default(),
        seen: Vec::new(),
        pushed: Vec::new(),
        gone: BTreeSet::new(),
        final_deliveries: 0,
        deliveries: BTreeMap::new(),
        wakes: BTreeMap::new(),
        could_deliver: BTreeSet::new(),
        was_sent_away: false,
        hits: BTreeMap::new(),
    };
    // Some runs begin under 0.1.0: the later ones have its log and data.
    if run.chance(4) {
        run.server.rules = Rules::V1;
        run.model.is_old = true;
    }
    run.server.prints_ops = ["MQ_SEED", "MQ_PRINT_OPS"].iter().any(|name| var_os(name).is_some());
    for _ in 0..run.random.u8(..8) {
        run.configure("orders");
    }
    for step in 0..MOST_STEPS {
        if run.random.is_over() {
            break;
        }
        let name = if run.chance(4) { run.another_queue() } else { NAMES[0] };
        run.was_sent_away = false;
        run.begin();
        run.step(name);
        if run.server.prints_ops {
            eprintln!("    {:?}", run.model.queue(name));
        }
        run.check_effects();
        if run.was_sent_away {
            run.check_window(name);
        }
        run.check(name, step);
    }
    run.check(NAMES[0], 0);
    assert_eq!(
        *run.server.database.borrow(),
        *run.server.replayed().borrow(),
        "the log gives another state"
    );
    for (what, count) in run.model.hits {
        *run.hits.entry(what).or_default() += count;
    }
    run.hits
}

impl Run<'_> {
    fn step(&mut self, name: &'static str) {
        match self.random.u8(..120) {
            0..=24 => self.push(name),
            25..=28 => self.push_many(name),
            29..=56 if self.likes(self.taste.idle) => self.push(name),
            29..=56 => self.pull(name),
            57..=78 => self.settle(),
            79..=86 => self.wait(name),
            87..=90 => self.sweep(name),
            91..=94 => self.configure(name),
            95 => self.delete(name),
            96..=98 => self.reschedule(name),
            99..=101 => self.redrive(),
            102 => self.pause(name),
            103..=104 => self.resume(name),
            105 if self.chance(2) => self.remove_all(name),
            105..=106 => self.repair(name),
            107..=110 => self.inspect(name),
            111..=118 if self.likes(self.taste.schedules) => self.schedule(name),
            111..=118 => self.push(name),
            _ => {
                self.restart();
                if self.model.is_old && self.chance(2) {
                    self.server.rules = Rules::V2;
                    self.model.is_old = false;
                    self.hit("upgraded");
                }
            }
        }
    }

    /// Another op begins.
    fn begin(&mut self) {
        self.could_deliver = self.deliverable();
        self.server.last_effects = None;
        self.model.begin();
    }

    fn hit(&mut self, what: &'static str) {
        *self.hits.entry(what).or_default() += 1;
    }

    /// One of the dead-letter queues, in most cases one that has messages.
    fn another_queue(&mut self) -> &'static str {
        let mut names = NAMES[1..].to_vec();
        if !self.chance(4) {
            let queues = &self.model.queues;
            names.retain(|name| queues.get(name).is_some_and(|queue| !queue.messages.is_empty()));
        }
        if names.is_empty() { NAMES[1] } else { self.one_of(&names) }
    }

    /// True once in `of` times.
    fn chance(&mut self, of: u8) -> bool {
        self.random.u8(..of) == 0
    }

    /// True that many times in eight.
    fn likes(&mut self, taste: u8) -> bool {
        self.random.u8(..8) < taste
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.usize(..words.len())]
    }

    /// Time passes: any, or just until the next thing happens, or until one of those after it.
    fn wait(&mut self, name: &'static str) {
        let unused_ms = self.model.queue(name).unused_ms();
        if let Some(unused_ms) = unused_ms.filter(|unused_ms| *unused_ms > self.server.now_ms)
            && self.chance(4)
        {
            self.server.now_ms = unused_ms;
            self.begin();
            return self.sweep(name);
        }
        let moments = self.model.queue(name).moments(self.server.now_ms);
        let wanted = if self.random.bool() { 0 } else { self.random.usize(..6) };
        match moments.get(wanted) {
            Some(moment) if *moment < self.server.now_ms + MOST_WAIT_MS && !self.chance(3) => {
                self.server.now_ms = *moment;
                self.hit("waited just until something happens");
            }
            _ => self.server.now_ms += self.random.u64(..150),
        }
    }

    fn sweep(&mut self, name: &'static str) {
        self.use_or_expire(name);
        self.tick(name);
        let limit = if self.chance(4) { 1_000 } else { self.random.u32(..5) };
        let same_slot = self.random.bool();
        let op = op::Sweep {
            now_ms: self.server.now_ms,
            sweep: SweepLimit { limit, same_slot },
            ended: self.server.ended(&queue(name), limit),
        };
        let (_, effects) = self.server.run(&queue(name), &op).unwrap();
        self.model.sweep_all(name, self.server.now_ms, limit as usize, same_slot);
        if effects.changed {
            self.hit("swept");
        }
    }

    /// What the timer does before a sweep; there may be clients that wait.
    fn use_or_expire(&mut self, name: &'static str) {
        let (now_ms, queue) = (self.server.now_ms, queue(name));
        if self.random.bool() {
            self.server.run(&queue, &op::Use { now_ms }).unwrap();
            return self.model.note_use(name, now_ms);
        }
        let there: Vec<_> =
            self.model.queue(name).messages.keys().map(|id| MessageId(*id)).collect();
        let dropped = self.server.number(&queue, &op::Expire { now_ms }) == 1;
        assert_eq!(dropped, self.model.expire_queue(name, now_ms));
        if dropped {
            self.gone.extend(there);
            self.hit("dropped because nobody used it");
        }
    }

    /// A new process that has only the log: what it remembered is gone. Its clock may have been set
    /// back; receipts of a message must rise all the same, because its state record has the last one.
    fn restart(&mut self) {
        self.server.database = self.server.replayed();
        self.server.deadlines = RefCell::default();
        self.server.last_receipt = 0;
        self.wakes = NAMES.into_iter().map(|name| (name, Some(0))).collect();
        self.hit("restarted");
        if self.chance(4) {
            // What was over stays over: such a message may wait already.
            let now_ms = self.server.now_ms;
            for (_, until_ms) in self.deliveries.values_mut().filter(|(_, ms)| *ms <= now_ms) {
                *until_ms = 0;
            }
            self.server.now_ms -= self.random.u64(1..100);
            self.hit("clock set back");
        }
    }
}
