//! Administration: peek, delete, purge, drop, reschedule.

use super::*;
use crate::queue::inspect::{self, State, Which};
use crate::queue::{NextDue, QueueError};
use crate::store::keys;
use crate::store::keyspace::Keyspace;
use crate::store::memory::Value;

impl Server {
    pub(super) fn reschedule(&mut self, queue: &QueueName, id: MessageId, due_at_ms: u64) -> bool {
        self.number(queue, &op::Reschedule { now_ms: self.now_ms, id, due_at_ms }) == 1
    }
}

/// A queue with a message in each state and place, and their ids.
fn filled() -> (Server, QueueName, Vec<MessageId>) {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let inflight = server.push(&orders, b"in flight", 0);
    let consumer = Some(b"ann".as_slice());
    let mode = Mode::AtLeastOnce { visibility_ms: 1_000, consumer };
    server.pull_as(&orders, 1, mode, ALL, Vec::new()).unwrap();
    let ids = vec![
        inflight,
        server.push(&orders, b"ready", 0),
        server.add(&orders, &Asked::priority(3)),
        server.add(&orders, &Asked::group("a")),
        server.push(&orders, b"delayed", 700),
        server.add(&orders, &Asked { ttl_ms: 900, ..Asked::until_done("k") }),
        server.add(&orders, &Asked::window("l", 5_000)),
    ];
    (server, orders, ids)
}

fn peek(
    server: &Server,
    orders: &QueueName,
    which: Which,
    skip: u64,
    count: u64,
) -> Vec<MessageId> {
    let seen = inspect::peek(&mut server.store(orders), which, skip, count).unwrap();
    seen.iter().map(|seen| seen.body.id()).collect()
}

#[test]
fn a_peek_shows_messages_in_the_order_of_delivery() {
    let (server, orders, ids) = filled();
    let ready = Which::Ready(server.now_ms);
    let order = [2, 1, 5, 6, 3].map(|index: usize| ids[index]);
    assert_eq!(peek(&server, &orders, ready, 0, 10), order);
    assert_eq!(peek(&server, &orders, ready, 1, 2), order[1..3]);
    assert_eq!(peek(&server, &orders, ready, 3, 9), order[3..]);
    assert_eq!(peek(&server, &orders, ready, 5, 9), []);
    assert_eq!(peek(&server, &orders, Which::Inflight, 0, 9), [ids[0]]);
    assert_eq!(peek(&server, &orders, Which::Delayed, 0, 9), [ids[4]]);
}

#[test]
fn an_offset_counts_in_the_order_that_aging_makes() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Aging, Some("100"));
    let [first, second] = [0, 1].map(|_| server.add(&orders, &Asked::priority(1)));
    server.now_ms += 101;
    let third = server.add(&orders, &Asked::priority(9));
    let order = [first, second, third];
    let ready = Which::Ready(server.now_ms);
    for skip in 0..=3 {
        assert_eq!(peek(&server, &orders, ready, skip, 9), order[skip as usize..]);
    }
    assert_eq!(server.pull_all(&orders, 1_000), order);
}

#[test]
fn a_message_is_found_with_its_state_and_its_fields() {
    let (server, orders, ids) = filled();
    let mut store = server.store(&orders);
    let mut find = |id| inspect::find(&mut store, id).unwrap();
    let seen = find(ids[0]).unwrap();
    assert_eq!(seen.state, State::Inflight(START_MS + 1_000));
    assert_eq!(seen.record.unwrap().consumer.as_deref(), Some(b"ann".as_slice()));
    assert_eq!(find(ids[1]).unwrap().body.payload(), b"ready");
    assert_eq!(find(ids[2]).unwrap().record.unwrap().priority, 3);
    for index in [1, 2, 3, 5, 6] {
        assert_eq!(find(ids[index]).unwrap().state, State::Ready);
    }
    assert_eq!(find(ids[4]).unwrap().state, State::Delayed(START_MS + 700));
    assert!(find(MessageId([7; 16])).is_none());
}

#[test]
fn a_message_is_deleted_in_any_state() {
    let (mut server, orders, ids) = filled();
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(server.delete(&orders, &[*id]), 1, "{index}");
        assert_eq!(server.delete(&orders, &[*id]), 0, "{index}");
    }
    assert_eq!((server.counts.deleted, server.counts.acked), (7, 0));
    let left = [Part::Dedup, Part::Deduped].map(|part| server.len(&orders, part));
    assert_eq!(left, [1, 1], "a window is left, nothing else");
    assert_eq!(server.database.borrow().len(), 2);
}

#[test]
fn several_ids_are_deleted_at_once_and_unknown_ones_are_not_counted() {
    let (mut server, orders, mut ids) = filled();
    let known = ids.len() as u64;
    ids.extend([ids[0], ids[1], MessageId([7; 16])]);
    assert_eq!(server.delete(&orders, &ids), known);
    assert_eq!(server.delete(&orders, &ids), 0);
    assert_eq!(server.pull(&orders, 10), None);
}

#[test]
fn a_deleted_delivery_is_not_found_any_more() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let id = server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    assert_eq!(server.delete(&orders, &[id]), 1);
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [Settled::NotFound]);
    assert_eq!(server.nack(&orders, vec![got.claim()], None), [Settled::NotFound]);
    assert!(server.database.borrow().is_empty());
}

#[test]
fn a_purge_keeps_settings_the_pause_and_the_window_of_the_rate() {
    let (mut server, orders, ids) = filled();
    server.configure(&orders, Setting::Rate, Some("1"));
    server.pull(&orders, 5).unwrap();
    server.pause(&orders, None);
    assert_eq!(server.number(&orders, &op::Purge), ids.len() as u64);
    assert_eq!(server.counts.deleted, ids.len() as u64);
    let config: Vec<_> =
        Part::ALL.into_iter().filter(|part| server.len(&orders, *part) > 0).collect();
    assert_eq!(config, [Part::Config]);
    server.push(&orders, b"x", 0);
    assert_eq!(server.pull(&orders, 5), None, "it is paused");
    server.resume(&orders);
    assert_eq!(server.pull(&orders, 5), None, "the window of the rate is used up");
    server.now_ms += 1_000;
    assert!(server.pull(&orders, 5).is_some());
    assert_eq!(server.number(&queue("nothing"), &op::Purge), 0);
}

#[test]
fn a_purge_releases_keys_and_groups_begin_anew() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let asked = [Asked::until_done("k"), Asked::window("l", 500), Asked::group("a")];
    for asked in &asked {
        server.add(&orders, asked);
    }
    server.pull_all(&orders, 1_000);
    assert_eq!(server.number(&orders, &op::Purge), 3);
    let again: Vec<_> = asked.iter().map(|asked| server.add(&orders, asked)).collect();
    assert_eq!(server.pull_all(&orders, 1_000).len(), again.len());
}

#[test]
fn a_drop_leaves_nothing() {
    let (mut server, orders, ids) = filled();
    server.configure(&orders, Setting::Rate, Some("1"));
    server.pull(&orders, 5).unwrap();
    server.pause(&orders, None);
    assert_eq!(server.number(&orders, &op::Drop), 1);
    assert_eq!(server.counts.deleted, ids.len() as u64);
    assert!(server.database.borrow().is_empty());
    assert_eq!(server.number(&orders, &op::Drop), 0);
    server.pause(&orders, None);
    assert_eq!(server.number(&orders, &op::Drop), 1, "a pause is a queue, too");
}

#[test]
fn a_drop_removes_keys_of_a_wrong_type_too() {
    for part in Part::ALL {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        server.push(&orders, b"a", 0);
        server.add(&orders, &Asked::group("a"));
        server.database.borrow_mut().insert(keys::key(&orders, part), Value::Text);
        assert_eq!(server.run(&orders, &Op::Purge).err(), Some(QueueError::WrongType), "{part:?}");
        assert_eq!(server.number(&orders, &op::Drop), 1, "{part:?}");
        assert!(server.database.borrow().is_empty(), "{part:?}");
        server.database.borrow_mut().insert(keys::key(&orders, part), Value::Text);
        assert_eq!(server.number(&orders, &op::Drop), 1, "{part:?}, and nothing else");
    }
}

#[test]
fn a_purge_keeps_what_is_damaged_and_a_drop_does_not() {
    let (mut server, orders, _) = filled();
    server.store(&orders).0.push_back(Part::Damaged, b"bytes");
    server.number(&orders, &op::Purge);
    assert_eq!(server.len(&orders, Part::Damaged), 1);
    assert_eq!(server.number(&orders, &op::Drop), 1);
    assert!(server.database.borrow().is_empty());
}

#[test]
fn a_delayed_message_is_due_at_another_moment() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let id = server.push(&orders, b"x", 500);
    assert!(server.reschedule(&orders, id, START_MS + 100));
    server.now_ms += 99;
    assert_eq!(server.pull(&orders, 10), None);
    server.now_ms += 1;
    assert_eq!(server.pull(&orders, 10).unwrap().id, id);
}

#[test]
fn a_moment_that_is_not_later_is_now_and_behind_all_that_wait() {
    for ago_ms in [0, 50] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        let delayed = server.push(&orders, b"x", 500);
        server.now_ms += 100;
        let waiting = server.push(&orders, b"y", 0);
        server.now_ms += 1;
        assert!(server.reschedule(&orders, delayed, server.now_ms - ago_ms));
        assert!(server.effects().became_ready);
        assert_eq!(server.pull_all(&orders, 10), [waiting, delayed]);
    }
}

#[test]
fn a_retry_can_be_rescheduled_and_keeps_its_place_in_its_group() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let first = server.add(&orders, &Asked::group("a"));
    server.add(&orders, &Asked::group("a"));
    let got = server.pull(&orders, 100).unwrap();
    server.nack(&orders, vec![got.claim()], Some(10_000));
    assert!(server.reschedule(&orders, first, server.now_ms));
    let again = server.pull(&orders, 100).unwrap();
    assert_eq!((again.id, again.retry_count), (first, 1));
}

#[test]
fn what_is_not_delayed_is_not_rescheduled() {
    let (mut server, orders, ids) = filled();
    for index in [0, 1, 2, 3, 5, 6] {
        assert!(!server.reschedule(&orders, ids[index], START_MS + 5), "{index}");
    }
    assert!(!server.reschedule(&orders, MessageId([7; 16]), START_MS + 5));
    assert_eq!(server.len(&orders, Part::Delayed), 1);
}

#[test]
fn to_repair_a_sound_queue_changes_nothing() {
    let (mut server, orders, _) = filled();
    let length = server.log.len();
    assert_eq!(server.repair(&orders), []);
    assert_eq!(server.log.len(), length);
}

#[test]
fn a_repair_tells_of_every_kind_of_deadline() {
    type Story = fn(&mut Server, &QueueName) -> MessageId;
    let cases: [(Part, Story, u64); 4] = [
        (Part::Deduped, |s, q| s.add(q, &Asked::window("k", 50)), 50),
        (Part::Expiring, |s, q| s.add(q, &Asked::to_live(60)), 60),
        (Part::Turns, |s, q| s.push(q, b"x", 70), 70),
        (Part::Turns, |s, q| (s.push(q, b"x", 0), s.pull(q, 80)).0, 80),
    ];
    for (part, story, due_ms) in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        story(&mut server, &orders);
        server.add(&orders, &Asked::group("b"));
        server.store(&orders).0.unlink(part);
        let (_, effects) = server.run(&orders, &Op::Repair).unwrap();
        assert_eq!(effects.next_due, NextDue::AtMost(START_MS + due_ms), "{part:?}");
    }
}
