//! Redrives.

use super::*;
use crate::queue::NextDue;
use crate::queue::message::Died;
use crate::queue::op::{self, Choice, RedriveSlice};
use crate::queue::redrive::Redriven;

/// A slice of up to 100 messages.
pub(super) fn slice(choice: &Choice, to: Option<&QueueName>) -> RedriveSlice<'static> {
    RedriveSlice {
        now_ms: START_MS + 9,
        inspect: 100,
        count: 100,
        to: to.cloned(),
        same_slot: false,
        choice: choice.clone(),
        from: None,
        reason: None,
    }
}

fn redriven(server: &mut Server, dead: &QueueName, op: &RedriveSlice<'_>) -> Redriven {
    server.run(dead, op).unwrap().0
}

/// Pushes a message and lets it die; its id.
fn kill(server: &mut Server, orders: &QueueName, asked: &Asked<'_>) -> MessageId {
    let id = server.add(orders, asked);
    let got = server.pull(orders, 1_000).unwrap();
    assert_eq!(got.id, id);
    let reason = Some("no disk");
    server.nack_as(orders, vec![got.claim()], None, Return::Rejected, reason).unwrap();
    id
}

impl Server {
    pub(super) fn redrive(&mut self, queue: &QueueName, count: u32, to: Option<&QueueName>) -> u64 {
        let (now_ms, to) = (self.now_ms, to.cloned());
        self.number(queue, &op::Redrive { now_ms, count, to, same_slot: false })
    }
}

#[test]
fn a_dead_letter_goes_back_as_new_to_where_it_died() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let asked = Asked { priority: 4, headers: &[("kind", "invoice")], ..Asked::to_live(5_000) };
    let id = kill(&mut server, &orders, &asked);
    let first = server.pull(&dead, 10).unwrap();
    assert_eq!((first.priority, first.expires_at_ms), (4, None), "shown, without effect");
    server.now_ms += 10;
    server.sweep(&dead, 10);
    assert_eq!(server.redrive(&dead, 1_000, None), 1);
    assert!(server.effects().others.as_ref().is_some_and(|others| others.contains_key(&orders)));
    assert_eq!(server.counts.redriven, 1);
    let got = server.pull(&orders, 1_000).unwrap();
    assert_eq!((got.id, got.retry_count, got.death.is_none()), (id, 0, true));
    assert_eq!((got.priority, got.headers.len(), got.expires_at_ms), (4, 1, None));
    assert_eq!(got.last_error.as_deref(), Some(b"no disk".as_slice()));
    assert!(got.receipt > first.receipt);
    assert_eq!(server.acknowledge(&dead, vec![first.claim()]), [Settled::NotFound]);
    assert_eq!(server.acknowledge(&orders, vec![first.claim()]), [Settled::BadReceipt]);
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [DONE]);
    assert!(server.database.borrow().is_empty());
}

#[test]
fn a_dead_letter_of_a_group_holds_no_slot_of_that_group_in_its_dead_letter_queue() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    kill(&mut server, &orders, &Asked::group("a"));
    let letter = server.pull(&dead, 1_000).unwrap();
    for _ in 0..2 {
        server.add(&dead, &Asked::group("a"));
    }
    assert!(server.pull(&dead, 1_000).is_some());
    assert_eq!(server.acknowledge(&dead, vec![letter.claim()]), [DONE]);
    assert_eq!(server.pull(&dead, 1_000), None, "the one of group a is still in flight");
}

#[test]
fn before_it_is_delivered_again_its_old_receipts_are_not_found() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    kill(&mut server, &orders, &Asked::default());
    let got = server.pull(&dead, 10).unwrap();
    server.now_ms += 10;
    server.sweep(&dead, 10);
    server.redrive(&dead, 1, None);
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [Settled::NotFound]);
}

#[test]
fn it_stands_behind_all_that_wait() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died = kill(&mut server, &orders, &Asked::default());
    let waiting = server.push(&orders, b"x", 0);
    server.now_ms += 1;
    assert_eq!(server.redrive(&dead, 1, None), 1);
    let later = server.push(&orders, b"x", 0);
    assert_eq!(server.pull_all(&orders, 100), [waiting, died, later]);
}

#[test]
fn a_message_of_a_group_goes_to_the_end_of_its_group() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died = kill(&mut server, &orders, &Asked::group("a"));
    let waiting = server.add(&orders, &Asked::group("a"));
    assert_eq!(server.len(&dead, Part::Groups), 0, "a dead letter is in no group");
    assert_eq!(server.redrive(&dead, 1, None), 1);
    server.configure(&orders, Setting::GroupInflight, Some("5"));
    assert_eq!(server.pull_all(&orders, 100), [waiting, died]);
}

#[test]
fn messages_of_a_group_go_back_in_the_order_of_their_deaths() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let first = kill(&mut server, &orders, &Asked::group("a"));
    server.now_ms += 1;
    let second = kill(&mut server, &orders, &Asked::group("a"));
    assert_eq!(server.redrive(&dead, 2, None), 2);
    server.configure(&orders, Setting::GroupInflight, Some("5"));
    assert_eq!(server.pull_all(&orders, 100), [first, second]);
}

#[test]
fn the_oldest_death_goes_first_and_count_bounds_what_is_looked_at() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let early = server.push(&orders, b"x", 0);
    let first = server.pull(&orders, 10_000).unwrap();
    let died: Vec<_> = (0..3)
        .map(|_| {
            server.now_ms += 1;
            kill(&mut server, &orders, &Asked::default())
        })
        .collect();
    server.now_ms += 1;
    server.nack_as(&orders, vec![first.claim()], None, Return::Rejected, None).unwrap();
    assert_eq!(server.redrive(&dead, 2, None), 2);
    assert_eq!(server.pull_all(&orders, 100), died[..2]);
    assert_eq!(server.redrive(&dead, 1_000, None), 2);
    assert_eq!(server.pull_all(&orders, 100), [early, died[2]], "both ready at once: by id");
}

#[test]
fn only_dead_letters_that_wait_go_back() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died: Vec<_> = (0..3)
        .map(|_| {
            server.now_ms += 1;
            kill(&mut server, &orders, &Asked::default())
        })
        .collect();
    let alive = server.push(&dead, b"pushed here", 0);
    server.pull(&dead, 1_000).unwrap();
    let got = server.pull(&dead, 1_000).unwrap();
    server.nack(&dead, vec![got.claim()], Some(50));
    assert_eq!(server.redrive(&dead, 1_000, None), 1);
    assert_eq!(server.pull_all(&orders, 100), [died[2]]);
    server.now_ms += 50;
    assert_eq!(server.redrive(&dead, 1_000, None), 0, "due, but not noticed");
    server.sweep(&dead, 10);
    assert_eq!(server.redrive(&dead, 1_000, None), 1);
    assert_eq!(server.pull_all(&dead, 100), [alive]);
}

#[test]
fn they_go_to_another_queue_if_one_is_named() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died = kill(&mut server, &orders, &Asked::group("a"));
    let other = queue("elsewhere");
    assert_eq!(server.redrive(&dead, 9, Some(&other)), 1);
    let got = server.pull(&other, 100).unwrap();
    assert_eq!((got.id, got.group.as_deref()), (died, Some(b"a".as_slice())));
    assert!(server.pull(&orders, 100).is_none());
}

#[test]
fn one_whose_target_cannot_take_it_stays_and_is_not_counted() {
    let (mut server, dead) = (Server::new(), queue("{x}:dead"));
    for name in ["{x}:near", "far"] {
        let orders = queue(name);
        server.configure(&orders, Setting::DeadLetter, Some("{x}:dead"));
        kill(&mut server, &orders, &Asked::default());
        server.now_ms += 1;
    }
    let op = |count, same_slot| op::Redrive { now_ms: START_MS + 9, count, to: None, same_slot };
    assert_eq!(server.number(&dead, &op(9, true)), 1);
    assert_eq!(server.len(&dead, Part::Dead), 1);
    assert_eq!(server.number(&dead, &op(9, true)), 0);
    assert_eq!(server.number(&dead, &op(9, false)), 1);
}

#[test]
fn an_op_from_elsewhere_can_be_kept_to_its_slot() {
    let (now_ms, sweep) = (START_MS, ALL);
    let nack = Op::Nack(op::Nack {
        now_ms,
        deliveries: Vec::new().into(),
        delay_ms: None,
        same_slot: false,
        how: Return::Counted,
        reason: None,
    });
    let pull = Op::Pull(op::Pull {
        now_ms,
        count: 1,
        mode: Mode::AtMostOnce,
        base_receipt: Receipt(1),
        sweep,
        acknowledged: Vec::new(),
        ended: Vec::new(),
    });
    let redrive = op::Redrive { now_ms, count: 1, to: None, same_slot: false };
    let slice = slice(&Choice::ALL, None);
    let sweep = op::Sweep { now_ms, sweep, ended: Vec::new() };
    for mut op in [pull, sweep.into(), nack, redrive.into(), slice.into()] {
        op.keep_to_slot();
        let is_kept = match op {
            Op::Pull(op::Pull { sweep, .. }) | Op::Sweep(op::Sweep { sweep, .. }) => {
                sweep.same_slot
            }
            Op::Nack(op::Nack { same_slot, .. }) | Op::Redrive(op::Redrive { same_slot, .. }) => {
                same_slot
            }
            Op::RedriveSlice(ref slice) => slice.same_slot,
            _ => false,
        };
        assert!(is_kept, "{op:?}");
    }
}

#[test]
fn a_target_of_the_wrong_type_is_passed_over() {
    use crate::store::{keys, memory::Value};
    let (mut server, orders, dead) =
        (Server::to_be_harmed(), queue("orders"), queue("{orders}:dead"));
    kill(&mut server, &orders, &Asked::default());
    let key = keys::key(&orders, Part::Messages);
    server.database.borrow_mut().insert(key.clone(), Value::Text);
    assert_eq!(server.redrive(&dead, 9, None), 0);
    server.database.borrow_mut().remove(&key);
    assert_eq!(server.redrive(&dead, 9, None), 1);
}

#[test]
fn a_slice_goes_on_behind_what_the_last_one_looked_at() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died: Vec<_> = (0..5).map(|_| kill(&mut server, &orders, &Asked::default())).collect();
    let at = |id: MessageId| Some(Died { at_ms: START_MS, id });
    let bounded = |inspect, count, after| RedriveSlice {
        inspect,
        count,
        ..slice(&Choice::Died { after, until_ms: START_MS }, None)
    };
    // Nothing of the first two is wanted, so they stay.
    let first = RedriveSlice { reason: Some(b"other"), ..bounded(2, 2, None) };
    let none = redriven(&mut server, &dead, &first);
    assert_eq!(none, Redriven { moved: 0, last: at(died[1]), has_more: true });
    let one = redriven(&mut server, &dead, &bounded(2, 1, none.last));
    assert_eq!(one, Redriven { moved: 1, last: at(died[2]), has_more: true });
    let rest = redriven(&mut server, &dead, &bounded(9, 9, one.last));
    assert_eq!(rest, Redriven { moved: 2, last: at(died[4]), has_more: false });
    assert_eq!(server.pull_all(&orders, 100), died[2..]);
    assert_eq!(server.len(&dead, Part::Dead), 2);
}

#[test]
fn what_died_after_the_redrive_began_stays() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let early = kill(&mut server, &orders, &Asked::default());
    server.now_ms += 1;
    kill(&mut server, &orders, &Asked::default());
    let choice = Choice::Died { after: None, until_ms: START_MS };
    let redriven = redriven(&mut server, &dead, &slice(&choice, None));
    assert_eq!((redriven.moved, redriven.has_more), (1, false));
    assert_eq!(server.pull_all(&orders, 100), [early]);
}

#[test]
fn only_those_that_died_there_and_for_that_reason_go_back() {
    let (mut server, dead) = (Server::new(), queue("graves"));
    for name in ["orders", "mails"] {
        server.configure(&queue(name), Setting::DeadLetter, Some("graves"));
        kill(&mut server, &queue(name), &Asked::default());
    }
    let mut moved = |from: Option<&str>, reason: Option<&'static str>| {
        let mut op = slice(&Choice::ALL, None);
        op.from = from.map(queue);
        op.reason = reason.map(str::as_bytes);
        redriven(&mut server, &dead, &op).moved
    };
    assert_eq!(moved(Some("elsewhere"), None), 0);
    assert_eq!(moved(Some("orders"), Some("retries")), 0);
    assert_eq!(moved(Some("orders"), Some("rejected")), 1);
    assert_eq!(moved(None, Some("no dis")), 0);
    assert_eq!(moved(None, Some("no disk")), 1);
}

#[test]
fn messages_that_never_died_go_only_to_a_queue_that_is_named() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let other = queue("elsewhere");
    let plain = server.add(&dead, &Asked::default());
    let grouped: Vec<_> = (0..12).map(|_| server.add(&dead, &Asked::group("a"))).collect();
    let held = server.add(&dead, &Asked::until_done("k"));
    let living = server.add(&dead, &Asked::to_live(50));
    let high = server.add(&dead, &Asked::priority(5));
    server.add(&dead, &Asked::later(1_000));
    let died = kill(&mut server, &orders, &Asked::default());
    assert_eq!(
        redriven(&mut server, &dead, &slice(&Choice::Ids(vec![plain, died]), None)).moved,
        1
    );
    assert_eq!(server.pull_all(&orders, 1), [died]);
    let ids = Choice::Ids(vec![held, held, grouped[1]]);
    assert_eq!(redriven(&mut server, &dead, &slice(&ids, Some(&other))).moved, 2);
    let all = redriven(&mut server, &dead, &slice(&Choice::ALL, Some(&other)));
    assert_eq!(all, Redriven { moved: 14, last: None, has_more: false });
    let due = NextDue::AtMost(START_MS + 50);
    assert_eq!(server.effects().others, Some(Box::new([(other.clone(), due)].into())));
    assert_eq!(server.len(&dead, Part::Dedup), 0, "the key is free");
    assert_eq!(server.len(&dead, Part::Messages), 1, "the delayed one stays");
    server.configure(&other, Setting::GroupInflight, Some("100"));
    let got = server.pull_all(&other, 100);
    assert_eq!(got.len(), 16);
    let of_group: Vec<_> = got.iter().filter(|id| grouped.contains(id)).collect();
    assert_eq!(of_group[..3], [&grouped[1], &grouped[0], &grouped[2]], "in the order they came");
    let place = |id| got.iter().position(|other| *other == id).unwrap();
    assert!(place(high) < place(living));
}

#[test]
fn one_whose_time_to_live_is_over_is_discarded_instead() {
    let (mut server, dead, other) = (Server::new(), queue("dead"), queue("elsewhere"));
    server.add(&dead, &Asked::to_live(5));
    server.add(&dead, &Asked { ttl_ms: 5, ..Asked::group("a") });
    let all = redriven(&mut server, &dead, &slice(&Choice::ALL, Some(&other)));
    assert_eq!(all, Redriven { moved: 0, last: None, has_more: false });
    assert_eq!(server.counts.ttl_expired, 2);
    assert!(server.database.borrow().is_empty());
}
