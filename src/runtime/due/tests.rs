//! Tests of `due.rs`: what a master decides, and what the rules make of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::*;
use crate::queue::name::QueueName;
use crate::queue::part::Part;
use crate::queue::schedule::{Definition, History};
use crate::queue::store::Schedules;
use crate::queue::{Effects, Request};
use crate::queue_tests::scheduled::{cron, every, tick};
use crate::store::memory::{Database, MemoryKeyspace};
use crate::store::records::Records;

const START_MS: u64 = 1_800_000_000_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What becomes of a tick; times are since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Push { at_ms: u64, missed: u64 },
    Pass { missed: u64 },
    Mend,
}

fn push(at_ms: u64, missed: u64) -> Told {
    Told::Push { at_ms, missed }
}

/// A queue and a master.
struct Master {
    store: Records<MemoryKeyspace>,
    last_id: u64,
}

impl Master {
    /// With the schedule `s`, which was set at the start.
    fn with(definition: &Definition) -> Self {
        let database: Rc<RefCell<Database>> = Rc::default();
        let queue = QueueName::new(b"orders").unwrap();
        let mut master =
            Self { store: Records::new(MemoryKeyspace::new(&database, &queue)), last_id: 0 };
        master.set("s", definition);
        master
    }

    fn set(&mut self, name: &str, definition: &Definition) {
        let timing = &definition.timing;
        let rhythm = rhythm(timing, START_MS);
        let next = rhythm.and_then(|rhythm| next(&rhythm, timing, name.as_bytes(), START_MS));
        self.put(name, definition, next.unwrap());
    }

    fn put(&mut self, name: &str, definition: &Definition, next: Tick) {
        let history = History { phase_ms: START_MS, next: Some(next), ..History::default() };
        let schedule = Schedule { definition: definition.clone(), history };
        self.store.put_schedule(name.as_bytes(), &schedule);
    }

    fn decide(&mut self, now_ms: u64) -> Vec<TickOf> {
        let last_id = &mut self.last_id;
        decide(&mut self.store, START_MS + now_ms, |_| {
            *last_id += 1;
            id(*last_id)
        })
    }

    /// A slice.
    fn slice(&mut self, now_ms: u64) -> Vec<Told> {
        let ticks = self.decide(now_ms);
        let told = ticks.iter().map(|tick| match tick.step {
            Step::Push { tick, missed, .. } => push(tick.at_ms - START_MS, missed),
            Step::Pass { missed } => Told::Pass { missed },
            Step::Skip { .. } => panic!("that is decided elsewhere"),
            Step::Mend => Told::Mend,
        });
        let told = told.collect();
        if !ticks.is_empty() {
            let op = op::Ticks { now_ms: START_MS + now_ms, ticks, zones: Vec::new() };
            op.apply(&mut self.store, &mut Effects::none()).unwrap();
        }
        told
    }

    /// All slices of this time.
    fn run(&mut self, now_ms: u64) -> Vec<Told> {
        let mut all = Vec::new();
        loop {
            let slice = self.slice(now_ms);
            if slice.is_empty() {
                return all;
            }
            assert!(slice.len() <= SLICE);
            all.extend(slice);
        }
    }

    fn history(&mut self) -> History {
        self.store.schedule(b"s").unwrap().unwrap().history
    }

    fn is_over(&mut self) -> bool {
        self.store.schedule(b"s").unwrap().is_none()
    }

    /// When the next tick is, since the start.
    fn next_ms(&mut self) -> u64 {
        self.history().next.unwrap().at_ms - START_MS
    }
}

fn id(number: u64) -> MessageId {
    MessageId((u128::from(START_MS) << 80 | 7 << 76 | 1 << 63 | u128::from(number)).to_be_bytes())
}

fn catching_up(catch_up: CatchUp, definition: Definition) -> Definition {
    Definition { catch_up, ..definition }
}

#[test]
fn what_becomes_of_late_ticks_is_what_catch_up_says() {
    use CatchUp::{All, None, One};
    for (catch_up, ms, now_ms, expected, next_ms) in [
        (One, 1_000, 999, vec![], 1_000),
        (One, 1_000, 1_000, vec![push(1_000, 0)], 2_000),
        (One, 1_000, 1_999, vec![push(1_000, 0)], 2_000),
        (One, 1_000, 2_000, vec![push(2_000, 1)], 3_000),
        (One, 1_000, 3_500, vec![push(3_000, 2)], 4_000),
        (None, 1_000, 1_000, vec![push(1_000, 0)], 2_000),
        (None, 1_000, 3_500, vec![push(3_000, 2)], 4_000),
        (None, MINUTE_MS, MINUTE_MS + 5_000, vec![push(MINUTE_MS, 0)], 2 * MINUTE_MS),
        (None, MINUTE_MS, MINUTE_MS + 5_001, vec![Told::Pass { missed: 1 }], 2 * MINUTE_MS),
        (None, MINUTE_MS, 4 * MINUTE_MS - 1, vec![Told::Pass { missed: 3 }], 4 * MINUTE_MS),
        (All, 1_000, 1_000, vec![push(1_000, 0)], 2_000),
        (All, 1_000, 3_500, vec![push(1_000, 0), push(2_000, 0), push(3_000, 0)], 4_000),
        (All, MINUTE_MS, 2 * MINUTE_MS, vec![push(MINUTE_MS, 0), push(2 * MINUTE_MS, 0)], 180_000),
    ] {
        let mut master = Master::with(&catching_up(catch_up, every(ms)));
        assert_eq!(master.slice(now_ms), expected, "{catch_up:?} {ms} at {now_ms}");
        assert_eq!(master.next_ms(), next_ms, "{catch_up:?} {ms} at {now_ms}");
        assert_eq!(master.slice(now_ms), [], "{catch_up:?} {ms} at {now_ms}, again");
    }
}

#[test]
fn any_number_of_missed_ticks_of_an_interval_takes_two_slices() {
    let now_ms = 300 * DAY_MS;
    let ticks = now_ms / 100;
    for catch_up in [CatchUp::One, CatchUp::None] {
        let mut master = Master::with(&catching_up(catch_up, every(100)));
        let expected = [Told::Pass { missed: ticks - 1 }, push(now_ms, 0)];
        assert_eq!([master.slice(now_ms), master.slice(now_ms)].concat(), expected);
        let history = master.history();
        assert_eq!((history.missed, history.runs), (ticks - 1, 1));
        assert_eq!(master.next_ms(), now_ms + 100);
    }
}

/// A thousand ticks are passed over at a time.
#[test]
fn missed_ticks_of_an_expression_are_passed_over_in_slices() {
    let pass = |missed| Told::Pass { missed };
    let at_ms = 2_501 * MINUTE_MS;
    for (catch_up, last) in [(CatchUp::One, push(at_ms, 500)), (CatchUp::None, pass(501))] {
        let mut master = Master::with(&catching_up(catch_up, cron("* * * * *")));
        for expected in [pass(1_000), pass(1_000), last] {
            assert_eq!(master.slice(at_ms + 30_000), [expected], "{catch_up:?}");
        }
        assert_eq!(master.slice(at_ms + 30_000), []);
        assert_eq!(master.next_ms(), at_ms + MINUTE_MS);
        let history = master.history();
        assert_eq!(history.missed + history.runs, 2_501, "{catch_up:?}");
    }
}

#[test]
fn exactly_a_thousand_missed_ticks_are_no_fault() {
    for missed in 998..=1_002 {
        let mut master = Master::with(&cron("* * * * *"));
        master.run((missed + 1) * MINUTE_MS);
        let history = master.history();
        assert_eq!((history.missed, history.runs), (missed, 1));
        assert_eq!(master.next_ms(), (missed + 2) * MINUTE_MS);
    }
}

#[test]
fn of_all_ticks_those_older_than_365_days_are_missed() {
    // The first that has a message is 365 days old, to the millisecond.
    for (late_ms, first_day) in [(0, 35), (1, 36)] {
        for definition in [every(DAY_MS), cron("0 8 * * *")] {
            let mut master = Master::with(&catching_up(CatchUp::All, definition));
            let told = master.run(400 * DAY_MS + late_ms);
            let missed: u64 = told
                .iter()
                .map(|told| if let Told::Pass { missed } = told { *missed } else { 0 })
                .sum();
            let pushed = told.iter().filter(|told| matches!(told, Told::Push { .. }));
            let expected: Vec<_> = (first_day..=400).map(|day| push(day * DAY_MS, 0)).collect();
            assert_eq!(pushed.copied().collect::<Vec<_>>(), expected);
            assert_eq!(missed, first_day - 1);
            assert_eq!(master.history().missed, missed);
        }
    }
}

#[test]
fn no_slice_takes_more_than_64_ticks_and_the_earliest_come_first() {
    let mut master = Master::with(&catching_up(CatchUp::All, every(1_000)));
    assert_eq!(master.slice(100_500).len(), 64);
    assert_eq!(master.slice(100_500).len(), 36);
    for number in 0..100u64 {
        let next = tick(START_MS + 1_000 + 10 * (number * 37 % 100));
        master.put(&format!("n{number}"), &every(HOUR_MS), next);
    }
    let first = master.slice(100_500);
    assert_eq!(first, (0..64).map(|n| push(1_000 + 10 * n, 0)).collect::<Vec<_>>());
    assert_eq!(master.slice(100_500).len(), 36);
    assert_eq!(master.slice(100_500), []);
}

#[test]
fn the_last_tick_is_at_the_end() {
    for catch_up in [CatchUp::None, CatchUp::One, CatchUp::All] {
        for (end_ms, now_ms, last_ms) in [
            (3_000, 3_000, 3_000),
            (3_999, 3_000, 3_000),
            (3_000, 7_500, 3_000),
            (2_999, 2_000, 2_000),
        ] {
            let mut definition = catching_up(catch_up, every(1_000));
            definition.timing.end_ms = Some(START_MS + end_ms);
            let mut master = Master::with(&definition);
            master.run(last_ms - 1);
            assert!(!master.is_over(), "{catch_up:?} {end_ms}");
            assert_eq!(master.slice(now_ms), [push(last_ms, 0)], "{catch_up:?} {end_ms}");
            assert!(master.is_over(), "{catch_up:?} {end_ms}");
        }
    }
}

#[test]
fn a_schedule_that_ended_while_nobody_looked_has_its_message() {
    let mut definition = every(1_000);
    definition.timing.end_ms = Some(START_MS + 3_500);
    let mut master = Master::with(&definition);
    assert_eq!(master.slice(DAY_MS), [push(3_000, 2)]);
    assert!(master.is_over());
    definition.catch_up = CatchUp::None;
    let mut master = Master::with(&definition);
    assert_eq!(master.slice(DAY_MS), [Told::Pass { missed: 3 }]);
    assert!(master.is_over());
}

#[test]
fn no_more_messages_than_the_limit() {
    let mut definition = catching_up(CatchUp::All, every(1_000));
    definition.timing.limit = Some(3);
    let mut master = Master::with(&definition);
    master.slice(50_000);
    assert!(master.is_over());
    assert_eq!(master.store.len(Part::Messages), 3);
}

#[test]
fn ticks_count_from_the_start() {
    let mut definition = every(1_000);
    // START, and the first tick after the call.
    for (start_ms, first_ms) in
        [(START_MS + 5_250, 5_250), (START_MS - 5_250, 750), (START_MS, 1_000)]
    {
        definition.timing.start_ms = Some(start_ms);
        let mut master = Master::with(&definition);
        assert_eq!(master.next_ms(), first_ms);
        assert_eq!(master.slice(first_ms), [push(first_ms, 0)]);
        assert_eq!(master.next_ms(), first_ms + 1_000);
    }
    let mut definition = cron("* * * * *");
    definition.timing.start_ms = Some(START_MS + HOUR_MS);
    assert_eq!(Master::with(&definition).next_ms(), HOUR_MS, "START itself");
    definition.timing.start_ms = Some(START_MS + HOUR_MS + 1);
    assert_eq!(Master::with(&definition).next_ms(), HOUR_MS + MINUTE_MS);
}

#[test]
fn an_interval_has_no_tick_where_it_was_set() {
    let timing = every(1_000).timing;
    let of_interval = rhythm(&timing, START_MS).unwrap();
    // Of a clock that was set back, too.
    for after_ms in [0, START_MS - 5, START_MS, START_MS + 999] {
        let first = next(&of_interval, &timing, b"s", after_ms);
        assert_eq!(first, Some(tick(START_MS + 1_000)), "after {after_ms}");
    }
}

#[test]
fn jitter_delays_messages_and_not_ticks() {
    let mut definition = every(MINUTE_MS);
    definition.timing.jitter_ms = 50_000;
    let mut master = Master::with(&definition);
    let mut delays = BTreeSet::new();
    for number in 1..20 {
        let at_ms = number * MINUTE_MS;
        let delay_ms = jitter(b"s", START_MS + at_ms, 50_000);
        assert_eq!(master.slice(at_ms + delay_ms - 1), []);
        assert_eq!(master.slice(at_ms + delay_ms), [push(at_ms, 0)]);
        delays.insert(delay_ms);
    }
    assert!(delays.len() > 10, "{delays:?}");
}

/// Whatever the rhythm and the pauses: each tick is pushed once, or is missed, and none is before one that was.
#[test]
fn each_tick_has_a_message_or_is_counted_as_missed() {
    let in_zone = |expression, zone: &str| {
        let mut definition = cron(expression);
        if let schedule::Rhythm::Cron { zone: of_it, .. } = &mut definition.timing.rhythm {
            *of_it = zone.into();
        }
        definition
    };
    let rhythms = [
        (every(100), 1_000),
        (every(7_919), 60_000),
        (cron("*/7 * * * *"), DAY_MS),
        (in_zone("30 2 * * *", "Europe/Berlin"), 40 * DAY_MS),
        (in_zone("15,45 * * * MON", "Australia/Lord_Howe"), 9 * DAY_MS),
    ];
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (definition, pause_ms) = &rhythms[random.usize(..rhythms.len())];
        let catch_up = [CatchUp::None, CatchUp::One, CatchUp::All][random.usize(..3)];
        let mut definition = catching_up(catch_up, definition.clone());
        definition.timing.jitter_ms = [0, 90, MINUTE_MS][random.usize(..3)];
        let rhythm = rhythm(&definition.timing, START_MS).unwrap();
        let mut master = Master::with(&definition);
        let (mut now_ms, mut last_ms, mut pushed) = (0, 0, 0);
        for _ in 0..20 {
            now_ms += random.u64(..*pause_ms);
            for told in master.run(now_ms) {
                let Told::Push { at_ms, .. } = told else {
                    seen.insert((catch_up as u8, "missed"));
                    continue;
                };
                assert!(at_ms > last_ms && at_ms <= now_ms, "seed {seed}: {told:?}");
                (last_ms, pushed) = (at_ms, pushed + 1);
                seen.insert((catch_up as u8, "pushed"));
            }
        }
        let History { next, missed, runs, .. } = master.history();
        let next = next.unwrap();
        assert!(next.due_ms > START_MS + now_ms, "seed {seed}: something is due");
        let before = rhythm.passed(START_MS, next.at_ms - 1, u64::MAX);
        assert_eq!(missed + runs, before.map_or(0, |passed| passed.count), "seed {seed}");
        assert_eq!(runs, pushed, "seed {seed}");
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn no_tick_comes_again_when_the_clock_is_set_back() {
    for catch_up in [CatchUp::None, CatchUp::One, CatchUp::All] {
        let mut master = Master::with(&catching_up(catch_up, every(1_000)));
        assert!(!master.run(3_000).is_empty());
        for now_ms in [0, 1_500, 3_000, 3_999] {
            assert_eq!(master.run(now_ms), [], "{catch_up:?}");
        }
        assert_eq!(master.run(4_000), [push(4_000, 0)], "{catch_up:?}");
    }
}

#[test]
fn what_this_build_can_not_read_waits_a_minute() {
    let mut of_zone = cron("* * * * *");
    let mut of_expression = cron("a new kind of expression");
    for definition in [&mut of_zone, &mut of_expression] {
        if let schedule::Rhythm::Cron { expression, zone } = &mut definition.timing.rhythm
            && Cron::parse(expression).is_ok()
        {
            *zone = b"Mars/Olympus".to_vec();
        }
        let mut master = Master::with(&every(1_000));
        master.put("s", definition, tick(START_MS + 1_000));
        assert_eq!(master.slice(5_000), [Told::Pass { missed: 0 }]);
        let expected = Tick { at_ms: START_MS + 1_000, due_ms: START_MS + 65_000 };
        let History { next, missed, behind, .. } = master.history();
        assert_eq!((next, missed, behind), (Some(expected), 0, 0));
        assert_eq!(master.slice(64_999), []);
        assert_eq!(master.slice(65_000), [Told::Pass { missed: 0 }], "again");
        // A build that can.
        let next = master.history().next.unwrap();
        master.put("s", &cron("* * * * *"), next);
        assert_eq!(master.slice(125_000), [push(120_000, 2)]);
    }
}

#[test]
fn what_disagrees_with_its_record_is_mended() {
    use crate::store::keyspace::Keyspace;
    let mut master = Master::with(&every(1_000));
    let mut paused = master.store.schedule(b"s").unwrap().unwrap();
    paused.definition.is_paused = true;
    paused.history.next = None;
    master.store.put_schedule(b"paused", &paused);
    master.store.0.put(Part::Schedules, b"unreadable", b"garbage");
    for name in ["s", "paused", "unreadable", "none"] {
        master.store.0.add(Part::Ticks, name.as_bytes(), (START_MS + 10) as f64);
    }
    assert_eq!(master.slice(9), []);
    assert_eq!(master.slice(10), [Told::Mend; 4]);
    assert_eq!(master.slice(10), []);
    assert_eq!(master.store.len(Part::Ticks), 2);
    assert_eq!(master.slice(1_000), [push(1_000, 0)]);
}

/// What sets `s` at this time since the start, after the history that `change` leaves.
fn setting(
    old: &Definition,
    new: &Definition,
    now_ms: u64,
    change: impl FnOnce(&mut History),
) -> Result<Option<(u64, Option<u64>)>, NoTick> {
    let mut stored = Master::with(old).store.schedule(b"s").unwrap().unwrap();
    stored.history.zones = zones_version().into();
    change(&mut stored.history);
    stored.definition.is_paused = stored.history.next.is_none();
    let set = set(b"s", new.clone(), Some(&stored), START_MS + now_ms)?;
    let since = |ms: u64| ms - START_MS;
    Ok(set.map(|op| (since(op.phase_ms), op.next.map(|tick| since(tick.at_ms)))))
}

#[test]
fn a_schedule_that_is_set_again_keeps_its_ticks() {
    let same = every(1_000);
    let mut other_message = same.clone();
    other_message.message.payload = b"y".to_vec();
    let paused = Definition { is_paused: true, ..same.clone() };
    let mut other_end = same.clone();
    other_end.timing.end_ms = Some(START_MS + HOUR_MS);
    // When it is set, the phase, and the next tick.
    for (what, new, now_ms, expected) in [
        ("the same", &same, 300, None),
        ("the same, late", &same, 5_300, None),
        ("another message", &other_message, 300, Some((0, Some(1_000)))),
        ("another message, late", &other_message, 5_300, Some((0, Some(1_000)))),
        ("another end", &other_end, 2_300, Some((0, Some(3_000)))),
        ("another interval", &every(700), 300, Some((300, Some(1_000)))),
        ("an expression", &cron("* * * * *"), 300, Some((300, Some(MINUTE_MS)))),
        ("paused", &paused, 300, Some((0, None))),
    ] {
        assert_eq!(setting(&same, new, now_ms, |_| ()), Ok(expected), "{what}");
    }
    let goes_on = setting(&same, &same, 2_300, |history| history.next = None);
    assert_eq!(goes_on, Ok(Some((0, Some(3_000)))), "after a pause");
    let ticked = |history: &mut History| history.last_tick_ms = Some(START_MS + 9_000);
    let set_back = setting(&same, &other_end, 2_300, ticked);
    assert_eq!(set_back, Ok(Some((0, Some(10_000)))), "after its last tick");
}

#[test]
fn a_schedule_without_a_tick_is_not_set() {
    let same = every(1_000);
    let mut limited = same.clone();
    limited.timing.limit = Some(3);
    for (runs, expected) in [(2, Ok(Some((0, Some(1_000))))), (3, Err(NoTick)), (4, Err(NoTick))] {
        assert_eq!(setting(&same, &limited, 300, |history| history.runs = runs), expected);
    }
    let mut ended = same.clone();
    for (end_ms, expected) in [(999, Err(NoTick)), (1_000, Ok(Some((0, Some(1_000)))))] {
        ended.timing.end_ms = Some(START_MS + end_ms);
        assert_eq!(setting(&same, &ended, 300, |_| ()), expected, "{end_ms}");
        let is_set = set(b"new", ended.clone(), None, START_MS).is_ok();
        assert_eq!(is_set, expected.is_ok(), "a new one, {end_ms}");
    }
    ended.is_paused = true;
    ended.timing.end_ms = Some(START_MS);
    assert_eq!(setting(&same, &ended, 300, |_| ()), Err(NoTick), "paused");
}

#[test]
fn newer_zone_data_moves_a_tick_that_has_not_come() {
    let daily = cron("0 9 * * *");
    // As older data had it, half an hour early.
    let older = |history: &mut History| {
        history.next = Some(tick(START_MS + HOUR_MS / 2));
        history.zones = b"2019a".to_vec();
    };
    assert_eq!(setting(&daily, &daily, 0, older), Ok(Some((0, Some(HOUR_MS)))));
    assert_eq!(setting(&daily, &daily, HOUR_MS / 2, older), Ok(None), "it has come");
    let newest = |history: &mut History| history.next = Some(tick(START_MS + HOUR_MS / 2));
    assert_eq!(setting(&daily, &daily, 0, newest), Ok(None));
}
