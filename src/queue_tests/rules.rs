//! One rule, one test: tables with a set clock.

use super::*;
use crate::queue::NextDue;
use crate::queue::message::DeathReason;
use crate::queue::pull::BATCH_BYTES;
use crate::store::keys;
use crate::store::memory::Value;

#[test]
fn a_message_goes_from_push_to_ack() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let id = server.push(&orders, b"hello", 0);
    let got = server.pull(&orders, 30_000).unwrap();
    assert_eq!((got.id, got.payload.as_slice(), got.retry_count), (id, b"hello".as_slice(), 0));
    assert_eq!(got.visibility_until_ms, START_MS + 30_000);
    assert_eq!(got.receipt, Receipt::at(START_MS));
    assert_eq!(server.pull(&orders, 30_000), None);
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [DONE]);
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [Settled::NotFound]);
    assert!(server.database.borrow().is_empty(), "nothing is left of it");
}

#[test]
fn messages_come_in_the_order_in_which_they_were_pushed() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed: Vec<_> = (0..5).map(|_| server.push(&orders, b"x", 0)).collect();
    let first = server.pull_with(&orders, 3, 1_000, ALL).unwrap();
    let rest = server.pull_with(&orders, 9, 1_000, ALL).unwrap();
    assert_eq!([ids(&first), ids(&rest)].concat(), pushed);
    let receipts: Vec<u64> = first.iter().chain(&rest).map(|message| message.receipt.0).collect();
    assert!(receipts.is_sorted_by(|a, b| a < b), "receipts rise: {receipts:?}");
}

#[test]
fn visibility_is_over_at_its_last_millisecond_and_not_before() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let id = server.push(&orders, b"x", 0);
    let first = server.pull(&orders, 100).unwrap();
    server.now_ms += 99;
    assert_eq!(server.pull(&orders, 100), None);
    server.now_ms += 1;
    let second = server.pull(&orders, 100).unwrap();
    assert_eq!((second.id, second.retry_count), (id, 1));
    assert!(second.receipt > first.receipt);
    assert_eq!(server.counts.expired, 1);
}

#[test]
fn a_message_that_ran_out_returns_to_its_old_place_and_one_given_back_stands_last() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed: Vec<_> = (0..4)
        .map(|_| {
            server.now_ms += 1;
            server.push(&orders, b"x", 0)
        })
        .collect();
    let got = server.pull_with(&orders, 2, 50, ALL).unwrap();
    server.now_ms += 10;
    server.nack(&orders, vec![got[0].claim()], Some(0));
    server.now_ms += 40;
    let order = ids(&server.pull_with(&orders, 4, 1_000, ALL).unwrap());
    assert_eq!(order, [pushed[1], pushed[2], pushed[3], pushed[0]]);
}

/// Three messages of which the first goes behind the others within a millisecond.
#[test]
fn what_goes_behind_all_that_wait_does_so_within_a_millisecond() {
    type Way = fn(&mut Server, &QueueName) -> [MessageId; 3];
    fn push(server: &mut Server, queue: &QueueName, asked: &Asked<'_>) -> [MessageId; 3] {
        [(); 3].map(|()| server.add(queue, asked))
    }
    fn nack(server: &mut Server, queue: &QueueName, how: Return) {
        let got = server.pull(queue, 100).unwrap();
        server.nack_as(queue, vec![got.claim()], Some(0), how, None).unwrap();
    }
    fn kill(server: &mut Server, ids: &[MessageId]) {
        let orders = queue("orders");
        let got = server.pull_with(&orders, 10, 100, ALL).unwrap();
        for id in ids {
            let claims = got.iter().filter(|got| got.id == *id).map(Got::claim).collect();
            server.nack_as(&orders, claims, None, Return::Rejected, None).unwrap();
        }
    }
    let ways: [(&str, Way); 9] = [
        ("NACK", |s, q| {
            let ids = push(s, q, &Asked::default());
            nack(s, q, Return::Counted);
            ids
        }),
        ("NACK NOCOUNT of one of many pushed together", |s, q| {
            let payloads = [(); 3].map(|()| b"x".to_vec());
            s.push_many(q, &payloads, &Asked::default());
            nack(s, q, Return::Uncounted);
            s.last_ids.clone().try_into().unwrap()
        }),
        ("NACK with a priority", |s, q| {
            let ids = push(s, q, &Asked::priority(3));
            nack(s, q, Return::Counted);
            ids
        }),
        ("NACK among those with a TTL", |s, q| {
            let ids = push(s, q, &Asked::to_live(1_000));
            nack(s, q, Return::Counted);
            ids
        }),
        ("NACK beside a higher and a lower priority", |s, q| {
            let ids = push(s, q, &Asked::priority(3));
            nack(s, q, Return::Counted);
            s.add(q, &Asked::priority(9));
            s.add(q, &Asked::default());
            let others = s.pull(q, 100).unwrap();
            s.acknowledge(q, vec![others.claim()]);
            ids
        }),
        ("NACK where aging counts", |s, q| {
            s.configure(q, Setting::Aging, Some("1"));
            let ids = push(s, q, &Asked::priority(3));
            nack(s, q, Return::Counted);
            s.now_ms += 10;
            ids
        }),
        ("RESCHEDULE to now", |s, q| {
            let first = s.add(q, &Asked::later(100));
            let [second, third, _] = push(s, q, &Asked::default());
            s.reschedule(q, first, s.now_ms);
            s.delete(q, &[MessageId(s.last_ids[0].0)]);
            [first, second, third]
        }),
        ("death", |s, q| {
            let ids = push(s, &queue("orders"), &Asked::default());
            let [first, second, third] = ids;
            kill(s, &[second, third, first]);
            // They are read in their place.
            assert_eq!(*q, queue("{orders}:dead"));
            ids
        }),
        ("REDRIVE", |s, q| {
            let first = s.add(q, &Asked::default());
            kill(s, &[first]);
            let [second, third, _] = push(s, q, &Asked::default());
            s.redrive(&queue("{orders}:dead"), 10, None);
            s.delete(q, &[MessageId(s.last_ids[0].0)]);
            [first, second, third]
        }),
    ];
    for (what, way) in ways {
        let mut server = Server::new();
        let queue = queue(if what == "death" { "{orders}:dead" } else { "orders" });
        let [first, second, third] = way(&mut server, &queue);
        let order = server.pull_all(&queue, 1_000);
        assert_eq!(order[..3], [second, third, first], "{what}");
    }
}

#[test]
fn those_given_back_one_after_the_other_keep_their_order_within_a_millisecond() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed: Vec<_> = (0..4).map(|_| server.push(&orders, b"x", 0)).collect();
    let mut got = server.pull_with(&orders, 3, 1_000, ALL).unwrap();
    got.reverse();
    for message in &got {
        server.nack(&orders, vec![message.claim()], Some(0));
    }
    let order = server.pull_all(&orders, 1_000);
    assert_eq!(order, [pushed[3], pushed[2], pushed[1], pushed[0]]);
}

#[test]
fn many_given_back_together_keep_their_order_and_do_not_run_ahead_of_the_clock() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let mut pushed: Vec<_> = (0..1_000).map(|_| server.push(&orders, b"x", 0)).collect();
    let got = server.pull_with(&orders, 1_000, 1_000, ALL).unwrap();
    server.nack(&orders, got.iter().rev().map(Got::claim).collect(), Some(0));
    server.now_ms += 1;
    pushed.push(server.push(&orders, b"x", 0));
    assert_eq!(server.pull_all(&orders, 1_000)[..1_000], pushed[..1_000]);
}

#[test]
fn a_place_behind_the_last_of_its_priority_stays_in_that_priority() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    let first = server.add(&orders, &Asked::priority(3));
    let got = server.pull(&orders, 1_000).unwrap();
    let last = Rank::last(3);
    let stranger = server.push(&orders, b"x", 5_000);
    server.store(&orders).remove_timed(Part::Delayed, stranger);
    server.store(&orders).add_ranked(stranger, last);
    server.nack(&orders, vec![got.claim()], Some(0));
    assert_eq!(server.store(&orders).ranked(3, 0, 10), [(first, last), (stranger, last)]);
}

#[test]
fn a_delayed_message_is_ready_when_it_is_due() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let delayed = server.push(&orders, b"later", 100);
    let at_once = server.push(&orders, b"now", 0);
    assert_eq!(server.pull(&orders, 1_000).unwrap().id, at_once);
    server.now_ms += 99;
    assert_eq!(server.pull(&orders, 1_000), None);
    server.now_ms += 1;
    let got = server.pull(&orders, 1_000).unwrap();
    assert_eq!((got.id, got.retry_count), (delayed, 0));
    assert_eq!(got.payload, b"later");
}

#[test]
fn what_a_claim_is_told() {
    let orders = queue("orders");
    // What happened to the message before, then the answers of ack and nack to its first receipt.
    type Story = fn(&mut Server, &QueueName, &Got);
    let cases: [(&str, Story, Settled, Settled); 7] = [
        ("in flight", |_, _, _| (), DONE, DONE),
        ("over, not noticed", |s, _, _| s.now_ms += 100, DONE, Settled::BadReceipt),
        (
            "over, waits again",
            |s, q, _| {
                s.now_ms += 100;
                s.sweep(q, 10);
            },
            DONE,
            Settled::BadReceipt,
        ),
        (
            "disconnected, waits for its delay",
            |s, q, got| {
                s.configure(q, Setting::Backoff, Some("500"));
                let claims = vec![got.claim()];
                s.nack_as(q, claims, None, Return::Disconnected, None).unwrap();
                assert_eq!(s.len(q, Part::Delayed), 1);
            },
            DONE,
            Settled::BadReceipt,
        ),
        (
            "delivered again",
            |s, q, _| {
                s.now_ms += 100;
                s.pull(q, 100).unwrap();
            },
            Settled::BadReceipt,
            Settled::BadReceipt,
        ),
        (
            "given back",
            |s, q, got| {
                s.nack(q, vec![got.claim()], Some(0));
            },
            Settled::BadReceipt,
            Settled::BadReceipt,
        ),
        (
            "acknowledged",
            |s, q, got| {
                s.acknowledge(q, vec![got.claim()]);
            },
            Settled::NotFound,
            Settled::NotFound,
        ),
    ];
    for (what, story, acked, nacked) in cases {
        for (is_ack, expected) in [(true, acked), (false, nacked)] {
            let mut server = Server::new();
            server.push(&orders, b"x", 0);
            let got = server.pull(&orders, 100).unwrap();
            story(&mut server, &orders, &got);
            let settled = if is_ack {
                server.acknowledge(&orders, vec![got.claim()])
            } else {
                server.nack(&orders, vec![got.claim()], Some(0))
            };
            assert_eq!(settled, [expected], "{what}, ack: {is_ack}");
        }
    }
}

#[test]
fn a_message_that_was_never_delivered_is_not_found() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let plain = server.push(&orders, b"x", 0);
    let delayed = server.push(&orders, b"x", 50);
    let claims = [plain, delayed].map(|id| Delivery { id, receipt: Receipt(1) }).to_vec();
    let not_found = [Settled::NotFound, Settled::NotFound];
    assert_eq!(server.acknowledge(&orders, claims.clone()), not_found);
    server.now_ms += 50;
    server.sweep(&orders, 10);
    assert_eq!(server.len(&orders, Part::Ranked), 1);
    assert_eq!(server.acknowledge(&orders, claims.clone()), not_found);
    assert_eq!(server.extend(&orders, claims, 10), not_found);
}

#[test]
fn a_late_acknowledgment_counts_as_late_whether_or_not_the_end_was_noticed() {
    for (after_ms, is_noticed, late_acks) in [(99, false, 0), (100, false, 1), (100, true, 1)] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.push(&orders, b"x", 0);
        let got = server.pull(&orders, 100).unwrap();
        server.now_ms += after_ms;
        if is_noticed {
            server.sweep(&orders, 10);
        }
        assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [DONE]);
        assert_eq!((server.counts.acked, server.counts.late_acks), (1, late_acks));
        assert!(server.database.borrow().is_empty());
    }
}

#[test]
fn in_a_batch_each_claim_is_settled_by_itself() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"a", 0);
    server.push(&orders, b"b", 0);
    let got = server.pull_with(&orders, 2, 100, ALL).unwrap();
    let wrong = Delivery { id: got[1].id, receipt: Receipt(7) };
    let unknown = Delivery { id: MessageId([0; 16]), receipt: got[0].receipt };
    let claims = vec![got[0].claim(), wrong, unknown, got[0].claim()];
    let expected = [DONE, Settled::BadReceipt, Settled::NotFound, Settled::NotFound];
    assert_eq!(server.acknowledge(&orders, claims), expected);
    assert_eq!(server.counts.bad_receipts, 1);
    assert_eq!(server.len(&orders, Part::Flight), 1);
}

#[test]
fn an_extension_restarts_the_visibility_and_may_shorten_it() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.now_ms += 50;
    let longer = Settled::Done(START_MS + 250);
    assert_eq!(server.extend(&orders, vec![got.claim()], 200), [longer]);
    server.now_ms += 100;
    assert_eq!(server.pull(&orders, 100), None, "the first end is past, the new one is not");
    assert_eq!(server.extend(&orders, vec![got.claim()], 1), [Settled::Done(START_MS + 151)]);
    server.now_ms += 1;
    assert_eq!(server.pull(&orders, 100).unwrap().retry_count, 1);
    assert_eq!(server.extend(&orders, vec![got.claim()], 1), [Settled::BadReceipt]);
}

#[test]
fn a_message_is_delivered_once_more_than_it_may_come_back() {
    for max in 0..4u32 {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::MaxRetries, Some(&max.to_string()));
        let id = server.push(&orders, b"poison", 0);
        let mut counts = Vec::new();
        while let Some(got) = server.pull(&orders, 10) {
            counts.push(got.retry_count);
            if max % 2 == 0 {
                server.nack(&orders, vec![got.claim()], Some(0));
            } else {
                server.now_ms += 10;
            }
        }
        assert_eq!(counts, (0..=max).collect::<Vec<_>>());
        let dead = server.pull(&queue("{orders}:dead"), 10).unwrap();
        assert_eq!((dead.id, dead.retry_count, dead.payload), (id, 0, b"poison".to_vec()));
        let death = Death {
            from: orders.clone(),
            at_ms: server.now_ms,
            reason: DeathReason::Retries,
            retries: max,
        };
        assert_eq!(dead.death, Some(death));
        assert_eq!(server.counts.dead, 1);
    }
}

#[test]
fn a_dead_message_never_dies_again_and_its_receipts_go_on_rising() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let dead_queue = queue("{orders}:dead");
    server.configure(&orders, Setting::MaxRetries, Some("0"));
    server.configure(&dead_queue, Setting::MaxRetries, Some("0"));
    server.push(&orders, b"x", 0);
    let first = server.pull(&orders, 10).unwrap();
    server.nack(&orders, vec![first.claim()], Some(0));
    // A server that was restarted with its clock set back.
    server.now_ms -= 1_000;
    server.last_receipt = 0;
    let mut last = first.receipt;
    for retry_count in 0..3 {
        let got = server.pull(&dead_queue, 10).unwrap();
        assert_eq!(got.retry_count, retry_count);
        assert!(got.receipt > last);
        last = got.receipt;
        server.nack(&dead_queue, vec![got.claim()], Some(0));
    }
    assert_eq!(server.acknowledge(&orders, vec![first.claim()]), [Settled::NotFound]);
}

#[test]
fn a_message_whose_grave_has_the_wrong_type_stays() {
    let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
    server.configure(&orders, Setting::MaxRetries, Some("0"));
    let key = keys::key(&queue("{orders}:dead"), Part::Messages);
    server.database.borrow_mut().insert(key.clone(), Value::Text);
    let id = server.push(&orders, b"x", 0);
    server.push(&orders, b"y", 0);
    server.pull_with(&orders, 2, 10, ALL).unwrap();
    server.now_ms += 10;
    server.sweep(&orders, 10);
    assert_eq!((server.counts.dead, server.counts.dead_letters_refused), (0, 2));
    let got = server.pull(&orders, 10).unwrap();
    assert_eq!((got.id, got.retry_count), (id, 1));
    server.database.borrow_mut().remove(&key);
    server.nack(&orders, vec![got.claim()], Some(0));
    assert_eq!(server.counts.dead, 1, "it dies as soon as it can");
}

#[test]
fn in_cluster_mode_a_grave_in_another_slot_is_refused() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxRetries, Some("0"));
    server.configure(&orders, Setting::DeadLetter, Some("elsewhere"));
    server.push(&orders, b"x", 0);
    for (same_slot, dead) in [(true, 0), (false, 1)] {
        server.pull(&orders, 10).unwrap();
        server.now_ms += 10;
        let op = op::Sweep {
            now_ms: server.now_ms,
            sweep: SweepLimit { limit: 9, same_slot },
            ended: server.ended(&orders, 9),
        };
        server.run(&orders, &op).unwrap();
        assert_eq!(server.counts.dead, dead);
    }
    assert_eq!(server.len(&queue("elsewhere"), Part::Messages), 1);
}

#[test]
fn a_sweep_stops_at_its_limit_and_says_what_is_due_next() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    for _ in 0..5 {
        server.push(&orders, b"x", 0);
    }
    server.pull_with(&orders, 5, 10, ALL).unwrap();
    server.push(&orders, b"x", 500);
    server.now_ms += 10;
    let due = |effects: &Effects| effects.next_due;
    assert_eq!(due(&server.sweep(&orders, 3)), NextDue::Exactly(Some(START_MS + 10)));
    assert_eq!(server.len(&orders, Part::Flight), 2);
    assert_eq!(due(&server.sweep(&orders, 3)), NextDue::Exactly(Some(START_MS + 500)));
    let effects = server.sweep(&orders, 3);
    assert!(!effects.changed && !effects.became_ready);
    server.now_ms += 500;
    assert_eq!(due(&server.sweep(&orders, 3)), NextDue::Exactly(None));
}

#[test]
fn a_batch_ends_after_the_message_that_brings_it_over_its_bytes() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let half = vec![0; BATCH_BYTES / 2];
    for payload in [half.as_slice(), &half, b"x", b"y"] {
        server.push(&orders, payload, 0);
    }
    assert_eq!(server.pull_with(&orders, 9, 10, ALL).unwrap().len(), 3);
    assert_eq!(server.pull_with(&orders, 9, 10, ALL).unwrap().len(), 1);
}
