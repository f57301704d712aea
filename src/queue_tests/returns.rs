//! Returns of deliveries.

use super::*;
use crate::store::memory::OPENED;
use smallvec::smallvec;

impl Server {
    /// What the decider of a sweep knows of `Flight`.
    pub(super) fn ended(&self, queue: &QueueName, limit: u32) -> Vec<MessageId> {
        if self.rules == Rules::V1 {
            return Vec::new();
        }
        self.store(queue).ended(self.now_ms, limit)
    }
}

#[test]
fn an_uncounted_return_is_no_retry_and_never_dies() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxRetries, Some("0"));
    server.configure(&orders, Setting::Backoff, Some("500"));
    let id = server.push(&orders, b"x", 0);
    for _ in 0..3 {
        let got = server.pull(&orders, 100).unwrap();
        assert_eq!((got.id, got.retry_count), (id, 0));
        let claim = vec![got.claim()];
        let settled = server.nack_as(&orders, claim, None, Return::Uncounted, None).unwrap();
        assert_eq!(settled, [DONE]);
        assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [Settled::BadReceipt]);
    }
    assert_eq!((server.counts.nacked, server.counts.dead), (3, 0));
}

#[test]
fn an_uncounted_return_stands_behind_all_that_wait_or_is_delayed() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let first = server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.now_ms += 1;
    let second = server.push(&orders, b"y", 0);
    server.now_ms += 1;
    server.nack_as(&orders, vec![got.claim()], None, Return::Uncounted, None).unwrap();
    let got = server.pull_with(&orders, 2, 100, ALL).unwrap();
    assert_eq!(ids(&got), [second, first]);
    server.nack_as(&orders, vec![got[1].claim()], Some(40), Return::Uncounted, None).unwrap();
    server.now_ms += 39;
    assert_eq!(server.pull(&orders, 100), None);
    server.now_ms += 1;
    assert_eq!(server.pull(&orders, 100).unwrap().id, first);
}

#[test]
fn the_dead_letter_queue_is_opened_once_for_all_that_die_in_an_op() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxRetries, Some("0"));
    for _ in 0..20 {
        server.push(&orders, b"x", 0);
    }
    let got = server.pull_with(&orders, 20, 100, ALL).unwrap();
    let (rejected, expired) = got.split_at(10);
    let claims = rejected.iter().map(Got::claim).collect();
    let before = OPENED.get();
    server.nack_as(&orders, claims, None, Return::Rejected, None).unwrap();
    assert_eq!(OPENED.get() - before, 1);
    server.now_ms += 100;
    server.sweep(&orders, 20);
    assert_eq!(OPENED.get() - before, 2);
    let dead = server.len(&queue("{orders}:dead"), Part::Dead);
    assert_eq!(dead, (rejected.len() + expired.len()) as u64);
}

#[test]
fn a_rejected_message_dies_at_once() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.nack(&orders, vec![got.claim()], Some(0));
    let got = server.pull(&orders, 100).unwrap();
    let reason = Some("no such customer");
    server.nack_as(&orders, vec![got.claim()], Some(500), Return::Rejected, reason).unwrap();
    let dead = server.pull(&queue("{orders}:dead"), 100).unwrap();
    let death = Death {
        from: orders.clone(),
        at_ms: server.now_ms,
        reason: DeathReason::Rejected,
        retries: 1,
    };
    assert_eq!((dead.death, dead.retry_count), (Some(death), 0));
    assert_eq!(dead.last_error.as_deref(), Some(b"no such customer".as_slice()));
    assert_eq!((server.counts.dead, server.counts.nacked), (1, 2));
}

#[test]
fn a_dead_letter_cannot_be_rejected_and_the_whole_request_is_refused() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.nack_as(&orders, vec![got.claim()], None, Return::Rejected, None).unwrap();
    server.push(&dead, b"alive", 0);
    let got = server.pull_with(&dead, 2, 100, ALL).unwrap();
    let claims: Vec<_> = got.iter().map(Got::claim).rev().collect();
    let refused = server.nack_as(&dead, claims, None, Return::Rejected, None);
    assert_eq!(refused.unwrap_err(), QueueError::AlreadyDead);
    assert_eq!(server.len(&dead, Part::Flight), 2);
    // A claim that doesn't hold is no reason.
    server.now_ms += 100;
    let claims = vec![got[0].claim()];
    let settled = server.nack_as(&dead, claims, None, Return::Rejected, None).unwrap();
    assert_eq!(settled, [Settled::BadReceipt]);
}

#[test]
fn a_rejected_message_whose_grave_cannot_take_it_comes_back_counted() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::DeadLetter, Some("elsewhere"));
    server.configure(&orders, Setting::Backoff, Some("50"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    let op = op::Nack {
        now_ms: server.now_ms,
        deliveries: smallvec![got.claim()],
        delay_ms: None,
        same_slot: true,
        how: Return::Rejected,
        reason: None,
    };
    assert_eq!(server.settle(&orders, &op), [DONE]);
    assert_eq!((server.counts.dead, server.counts.dead_letters_refused), (0, 1));
    server.now_ms += 50;
    assert_eq!(server.pull(&orders, 100).unwrap().retry_count, 1);
}

#[test]
fn the_last_reason_is_shown_until_a_later_one_takes_its_place() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let mut shown = Vec::new();
    for reason in [Some("first"), None, Some("second"), None] {
        let got = server.pull(&orders, 100).unwrap();
        shown.push(got.last_error.clone().map(|error| String::from_utf8(error).unwrap()));
        let claims = vec![got.claim()];
        server.nack_as(&orders, claims, Some(0), Return::Counted, reason).unwrap();
    }
    server.pull(&orders, 100).unwrap();
    server.now_ms += 100;
    let got = server.pull(&orders, 100).unwrap();
    shown.push(got.last_error.map(|error| String::from_utf8(error).unwrap()));
    let shown: Vec<_> = shown.iter().map(Option::as_deref).collect();
    assert_eq!(shown, [None, Some("first"), Some("first"), Some("second"), Some("second")]);
}

#[test]
fn a_disconnect_is_like_the_end_of_visibility_now_with_a_backoff() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Backoff, Some("0"));
    let first = server.push(&orders, b"x", 0);
    server.now_ms += 1;
    let second = server.push(&orders, b"y", 0);
    let got = server.pull(&orders, 10_000).unwrap();
    server.now_ms += 5;
    let claims = vec![got.claim()];
    server.nack_as(&orders, claims.clone(), None, Return::Disconnected, None).unwrap();
    let got = server.pull_with(&orders, 2, 10_000, ALL).unwrap();
    assert_eq!(ids(&got), [first, second], "its old place");
    assert_eq!(got[0].retry_count, 1);
    assert_eq!(server.acknowledge(&orders, claims), [Settled::BadReceipt], "somebody newer has it");

    server.configure(&orders, Setting::Backoff, Some("20"));
    let claims = vec![got[0].claim()];
    server.nack_as(&orders, claims.clone(), None, Return::Disconnected, None).unwrap();
    server.now_ms += 39;
    assert_eq!(server.pull(&orders, 10), None, "the backoff counts from now");
    assert_eq!(server.acknowledge(&orders, claims), [DONE], "a late acknowledgment is taken");
    assert_eq!(server.counts.late_acks, 1);
}

#[test]
fn all_deliveries_are_counted_and_the_first_is_remembered() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    server.push(&orders, b"x", 0);
    server.now_ms += 7;
    let first_ms = server.now_ms;
    // How each delivery ends, and how many had ended before.
    let ways = [Return::Uncounted, Return::Counted, Return::Disconnected, Return::Rejected];
    for (ended, how) in ways.into_iter().enumerate() {
        let got = server.pull(&orders, 100).unwrap();
        let expected = (ended > 0).then_some((ended as u32, first_ms));
        assert_eq!(got.deliveries, expected, "before {how:?}");
        server.nack_as(&orders, vec![got.claim()], None, how, None).unwrap();
        server.now_ms += 10_000;
    }
    let got = server.pull(&dead, 100).unwrap();
    assert_eq!(got.deliveries, Some((4, first_ms)), "in the dead-letter queue, too");
    server.now_ms += 100;
    server.sweep(&dead, 10);
    assert_eq!(server.redrive(&dead, 10, None), 1);
    let got = server.pull(&orders, 100).unwrap();
    assert_eq!((got.deliveries, got.retry_count), (Some((5, first_ms)), 0));
}

#[test]
fn a_late_extension_takes_back_that_its_delivery_ended() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let first_ms = server.now_ms;
    for ended in 0..3 {
        let got = server.pull(&orders, 100).unwrap();
        for _ in 0..2 {
            server.now_ms += 100;
            server.sweep(&orders, 10);
            server.extend(&orders, vec![got.claim()], 100);
        }
        let record = server.store(&orders).record(got.id).unwrap().unwrap();
        let known = record.deliveries.map(|all| (all.count, all.first_at_ms));
        assert_eq!(known, (ended > 0).then_some((ended, first_ms)));
        server.now_ms += 100;
    }
}

#[test]
fn a_disconnect_may_be_the_last_straw() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxRetries, Some("0"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 10_000).unwrap();
    let claims = vec![got.claim()];
    server.nack_as(&orders, claims, None, Return::Disconnected, None).unwrap();
    let dead = server.pull(&queue("{orders}:dead"), 100).unwrap();
    assert_eq!(dead.death.unwrap().reason, DeathReason::Retries);
}

#[test]
fn a_dead_letter_returns_to_its_place_in_its_queue() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died = server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.now_ms += 10;
    let waiting = server.push(&dead, b"pushed before it died", 0);
    server.now_ms += 10;
    server.nack_as(&orders, vec![got.claim()], None, Return::Rejected, None).unwrap();
    assert_eq!(ids(&server.pull_with(&dead, 2, 10, ALL).unwrap()), [waiting, died]);
    server.now_ms += 10;
    assert_eq!(server.pull_all(&dead, 10), [waiting, died], "not ahead by its push");
}
