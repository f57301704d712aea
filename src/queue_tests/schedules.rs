//! Schedules: how they are set and removed, and what they store.

use super::*;
use crate::queue::NextDue;
use crate::queue::error::Corruption;
use crate::queue::op::{Step, TickOf};
use crate::queue::schedule::{CatchUp, Definition, History, Overlap, Tick};
use crate::queue::store::Schedules as _;
use crate::runtime::due;
use crate::store::keyspace::Keyspace;
use scheduled::{every, push, set, tick, zones};

/// A queue with the schedule `s`, whose next tick is in a second.
fn with(definition: &Definition) -> (Server, QueueName) {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let next = tick(server.now_ms + 1_000);
    assert_eq!(server.schedule(&orders, "s", definition, Some(next)), 1);
    (server, orders)
}

fn names(server: &Server, queue: &QueueName) -> Vec<String> {
    let names = server.store(queue).schedules(0, 100).into_iter();
    names.map(|name| String::from_utf8(name).unwrap()).collect()
}

#[test]
fn a_schedule_is_set_once_and_then_changed() {
    let (mut server, orders) = with(&every(1_000));
    let next = Some(tick(START_MS + 1_000));
    assert_eq!(server.effects().next_due, NextDue::AtMost(START_MS + 1_000));
    let op = set("s", &every(1_000), START_MS, next);
    let (is_new, effects) = server.run(&orders, &op).unwrap();
    assert_eq!((is_new, effects.changed), (0, false), "the same");
    server.now_ms += 1_000;
    server.tick(&orders, "s");
    let before = server.history(&orders, "s");
    assert_eq!((before.runs, before.last_tick_ms), (1, Some(START_MS + 1_000)));
    let changed = Definition { overlap: Overlap::Skip, ..every(2_000) };
    let next = Some(tick(server.now_ms + 2_000));
    assert_eq!(server.schedule(&orders, "s", &changed, next), 0, "another one");
    let schedule = server.scheduled(&orders, "s").unwrap();
    assert_eq!(schedule.definition, changed);
    let phase_ms = server.now_ms;
    assert_eq!(schedule.history, History { phase_ms, next, ..before }, "its history stays");
}

#[test]
fn ticks_without_a_message_are_forgotten_when_the_next_tick_moves() {
    for (next_ms, behind) in [(2_000, 3), (3_000, 0)] {
        let (mut server, orders) = with(&every(1_000));
        let name = b"s".to_vec();
        let pass =
            TickOf { name, step: Step::Pass { missed: 3 }, next: Some(tick(START_MS + 2_000)) };
        server.ticks(&orders, vec![pass]);
        let next = Some(tick(START_MS + next_ms));
        server.schedule(&orders, "s", &every(1_000), next);
        let history = server.history(&orders, "s");
        assert_eq!((history.behind, history.missed), (behind, 3), "next in {next_ms}");
    }
}

#[test]
fn a_paused_schedule_has_no_next_tick_and_is_behind_all_others() {
    let (mut server, orders) = with(&every(1_000));
    let later = Some(tick(START_MS + 5_000));
    server.schedule(&orders, "later", &every(1_000), later);
    assert_eq!(names(&server, &orders), ["s", "later"]);
    assert_eq!(server.schedule(&orders, "s", &every(1_000), None), 0);
    assert_eq!(names(&server, &orders), ["later", "s"]);
    assert!(server.scheduled(&orders, "s").unwrap().definition.is_paused);
    assert_eq!(server.sweep(&orders, 10).next_due, NextDue::Exactly(Some(START_MS + 5_000)));
    assert_eq!(server.unschedule(&orders, "later"), 1);
    assert_eq!(server.sweep(&orders, 10).next_due, NextDue::Exactly(None));
    assert_eq!(server.store(&orders).due_ticks(u64::MAX >> 1, 10), [b""; 0]);
    server.schedule(&orders, "s", &every(1_000), later);
    assert_eq!(server.sweep(&orders, 10).next_due, NextDue::Exactly(Some(START_MS + 5_000)));
}

#[test]
fn a_paused_schedule_has_no_ticks_whatever_an_op_says() {
    let (mut server, orders) = with(&every(1_000));
    server.schedule(&orders, "s", &every(1_000), None);
    let before = server.scheduled(&orders, "s");
    for next in [None, Some(tick(START_MS + 2_000))] {
        let id = server.new_id();
        let pass = TickOf { name: b"s".to_vec(), step: Step::Pass { missed: 1 }, next };
        let push = push("s", id, tick(START_MS), 1, next);
        assert!(!server.ticks(&orders, vec![pass, push]).changed);
    }
    assert_eq!(server.scheduled(&orders, "s"), before);
    assert_eq!(server.pull(&orders, 10), None);
}

#[test]
fn a_removed_schedule_leaves_its_messages() {
    let (mut server, orders) = with(&every(1_000));
    let id = server.tick(&orders, "s");
    assert_eq!(server.unschedule(&orders, "other"), 0);
    assert_eq!(server.unschedule(&orders, "s"), 1);
    assert_eq!(server.unschedule(&orders, "s"), 0);
    assert_eq!([Part::Schedules, Part::Ticks].map(|part| server.len(&orders, part)), [0, 0]);
    // A tick that another process decided before.
    let late = server.new_id();
    server.ticks(&orders, vec![push("s", late, tick(START_MS), 0, Some(tick(START_MS + 1)))]);
    assert_eq!(server.pull_all(&orders, 100), [id]);
}

#[test]
fn due_schedules_come_in_the_order_of_their_ticks() {
    let (mut server, orders) = with(&every(1_000));
    let jittered = Tick { at_ms: START_MS + 400, due_ms: START_MS + 600 };
    for (name, next) in [("a", jittered), ("b", tick(START_MS + 500)), ("c", tick(START_MS + 9))] {
        server.schedule(&orders, name, &every(1_000), Some(next));
    }
    let due = |now_ms, count| server.store(&orders).due_ticks(START_MS + now_ms, count);
    assert_eq!(due(8, 10), [b""; 0]);
    assert_eq!(due(9, 10), [b"c"]);
    assert_eq!(due(599, 10), [b"c", b"b"]);
    assert_eq!(due(600, 10), [b"c", b"b", b"a"]);
    assert_eq!(due(600, 2), [b"c", b"b"]);
    assert_eq!(server.store(&orders).schedules(1, 2), [b"b", b"a"]);
    assert_eq!(server.store(&orders).first_tick(), Some(START_MS + 9));
}

#[test]
fn a_purge_keeps_schedules_and_a_drop_removes_them() {
    let (mut server, orders) = with(&Definition { overlap: Overlap::Skip, ..every(1_000) });
    server.tick(&orders, "s");
    let before = server.scheduled(&orders, "s");
    assert_eq!(server.number(&orders, &op::Purge), 1);
    assert_eq!(server.scheduled(&orders, "s"), before);
    assert_eq!(server.len(&orders, Part::Ticks), 1);
    assert_ne!(server.tick(&orders, "s"), MessageId([0; 16]));
    assert_eq!(server.history(&orders, "s").skipped, 0, "the purge released the key");
    assert_eq!(server.number(&orders, &op::Drop), 1);
    assert!(server.database.borrow().is_empty());
    let (mut server, orders) = with(&every(1_000));
    assert_eq!(server.number(&orders, &op::Drop), 1, "a queue that has only schedules");
    assert!(server.database.borrow().is_empty());
}

#[test]
fn a_queue_with_a_schedule_does_not_expire() {
    let (mut server, orders) = with(&every(1_000));
    server.configure(&orders, Setting::Expires, Some("1000"));
    server.run(&orders, &op::Use { now_ms: START_MS }).unwrap();
    let expire = |ms| op::Expire { now_ms: START_MS + ms };
    assert_eq!(server.number(&orders, &expire(1_000_000)), 0);
    server.schedule(&orders, "s", &every(1_000), None);
    assert_eq!(server.number(&orders, &expire(2_000_000)), 0, "nor with one that is paused");
    server.unschedule(&orders, "s");
    assert_eq!(server.number(&orders, &expire(2_001_249)), 0, "it was used until then");
    assert_eq!(server.number(&orders, &expire(2_001_250)), 1);
}

/// A schedule whose record no server has written.
fn with_damage() -> (Server, QueueName) {
    let (mut server, orders) = with(&every(1_000));
    server.is_harmed = true;
    server.store(&orders).0.put(Part::Schedules, b"s", b"garbage");
    (server, orders)
}

fn set_aside(server: &Server, queue: &QueueName) -> Vec<Vec<u8>> {
    match server.database.borrow().get(&keys::key(queue, Part::Damaged)) {
        Some(crate::store::memory::Value::List(list)) => list.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

#[test]
fn an_unreadable_schedule_is_set_aside_by_its_next_tick() {
    let mend = TickOf { name: b"s".to_vec(), step: Step::Mend, next: None };
    for step in [mend, push("s", MessageId([7; 16]), tick(START_MS), 0, Some(tick(START_MS + 1)))] {
        let (mut server, orders) = with_damage();
        server.ticks(&orders, vec![step]);
        assert_eq!(set_aside(&server, &orders), [b"s".as_slice(), b"garbage"]);
        assert_eq!(server.counts.damaged, 1);
        assert_eq!([Part::Schedules, Part::Ticks].map(|part| server.len(&orders, part)), [0, 0]);
        assert_eq!(server.pull(&orders, 10), None);
    }
}

#[test]
fn an_unreadable_schedule_is_set_aside_when_it_is_set_anew() {
    let (mut server, orders) = with_damage();
    let next = Some(tick(START_MS + 2_000));
    assert_eq!(server.schedule(&orders, "s", &every(1_000), next), 1, "a new one");
    assert_eq!(set_aside(&server, &orders), [b"s".as_slice(), b"garbage"]);
    assert_eq!(server.counts.damaged, 1);
    let zones = zones();
    let history = History { phase_ms: START_MS, next, zones, ..History::default() };
    assert_eq!(server.history(&orders, "s"), history);
}

#[test]
fn an_unreadable_schedule_is_not_triggered_and_can_be_removed() {
    let (mut server, orders) = with_damage();
    let error = server.trigger(&orders, "s").unwrap_err();
    assert_eq!(error, QueueError::Corrupt(Corruption::Schedule));
    assert_eq!(server.unschedule(&orders, "s"), 1);
    assert_eq!([Part::Schedules, Part::Ticks].map(|part| server.len(&orders, part)), [0, 0]);
}

#[test]
fn what_disagrees_with_the_record_is_mended() {
    let mend = |name: &str| TickOf { name: name.into(), step: Step::Mend, next: None };
    let (mut server, orders) = with(&every(1_000));
    let before = server.database.borrow().clone();
    server.store(&orders).0.add(Part::Ticks, b"s", 5.0);
    server.store(&orders).0.add(Part::Ticks, b"none", 5.0);
    assert_eq!(server.store(&orders).due_ticks(START_MS, 10), [b"none".as_slice(), b"s"]);
    let effects = server.ticks(&orders, vec![mend("none"), mend("s")]);
    assert_eq!(*server.database.borrow(), before);
    assert_eq!((effects.counts, effects.changed), (Counts::default(), true));
    assert_eq!(effects.next_due, NextDue::AtMost(START_MS + 1_000));
    assert!(!server.ticks(&orders, vec![mend("none"), mend("s")]).changed);
}

/// Another client wrote it; a replica takes the op that mends it.
#[test]
fn what_has_an_impossible_name_is_set_aside_by_its_tick() {
    for name in [Vec::new(), vec![b'x'; 257]] {
        let (mut server, orders) = with(&every(1_000));
        server.is_harmed = true;
        let before = server.database.borrow().clone();
        let record = server.store(&orders).0.get(Part::Schedules, b"s").unwrap();
        for has_record in [false, true] {
            server.store(&orders).0.add(Part::Ticks, &name, 5.0);
            if has_record {
                server.store(&orders).0.put(Part::Schedules, &name, &record);
            }
            let decided = due::decide(&mut server.store(&orders), START_MS, |_| unreachable!());
            assert_eq!(decided, [TickOf { name: name.clone(), step: Step::Mend, next: None }]);
            let op = Op::Ticks(op::Ticks { now_ms: START_MS, ticks: decided, zones: zones() });
            let bytes = crate::store::op::encode_op(&op);
            assert_eq!(crate::store::op::decode_op(&bytes), Ok((op.clone(), Rules::V2)));
            server.run(&orders, &op).unwrap();
            assert_eq!(set_aside(&server, &orders).len(), if has_record { 2 } else { 0 });
            server.database.borrow_mut().remove(&keys::key(&orders, Part::Damaged));
            assert_eq!(*server.database.borrow(), before);
        }
    }
}

#[test]
fn counts_do_not_overflow() {
    let (mut server, orders) = with(&Definition { catch_up: CatchUp::One, ..every(1_000) });
    for _ in 0..2 {
        let next = Some(tick(START_MS + 1_000));
        let step = Step::Pass { missed: u64::MAX };
        server.ticks(&orders, vec![TickOf { name: b"s".to_vec(), step, next }]);
    }
    let id = server.new_id();
    let next = Some(tick(START_MS + 2_000));
    server.ticks(&orders, vec![push("s", id, tick(START_MS + 1_000), u64::MAX, next)]);
    assert_eq!(server.history(&orders, "s").missed, u64::MAX);
    let most = u64::MAX.to_string().into_bytes();
    assert_eq!(server.pull(&orders, 10).unwrap().headers[2], (b"mq-missed".to_vec(), most));
}

#[test]
fn an_op_of_a_master_with_newer_zone_data_says_so() {
    let (mut server, orders) = with(&every(1_000));
    let (id, zones) = (server.new_id(), b"2031b".to_vec());
    let ticks = vec![push("s", id, tick(START_MS), 0, Some(tick(START_MS + 1_000)))];
    server.run(&orders, &op::Ticks { now_ms: START_MS, ticks, zones }).unwrap();
    assert_eq!(server.history(&orders, "s").zones, b"2031b");
}
