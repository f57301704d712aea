//! Extensions, in time or late.

use super::*;

type Story = fn(&mut Server, &QueueName, &Got);

/// How a delivery ends by itself.
const ENDS: [(&str, Story); 4] = [
    ("over, not noticed", |s, _, _| s.now_ms += 100),
    ("over, waits again", |s, q, _| {
        s.now_ms += 100;
        s.sweep(q, 10);
    }),
    ("disconnected, waits for its delay", |s, q, got| {
        nack(s, q, got, Return::Disconnected);
        s.now_ms += 100;
    }),
    ("disconnected, waits again", |s, q, got| {
        s.configure(q, Setting::Backoff, Some("0"));
        nack(s, q, got, Return::Disconnected);
        s.configure(q, Setting::Backoff, None);
        s.now_ms += 100;
    }),
];

fn nack(server: &mut Server, queue: &QueueName, got: &Got, how: Return) {
    server.nack_as(queue, vec![got.claim()], None, how, None).unwrap();
}

/// The queue without state records: a message that was returned has one.
fn without_notes(server: &Server) -> Database {
    let mut database = server.database.borrow().clone();
    database.remove(b"mq:{orders}:notes".as_slice());
    database
}

#[test]
fn a_late_extension_leaves_the_queue_as_one_in_time() {
    let kinds = [
        Asked::default(),
        Asked::priority(4),
        Asked::to_live(100_000),
        Asked::group("g"),
        Asked { group: Some("g"), ..Asked::to_live(100_000) },
        Asked::until_done("k"),
    ];
    for asked in &kinds {
        for returns in [0, 2] {
            for (what, end) in
                [("in time", (|s, _, _| s.now_ms += 100) as Story)].iter().chain(&ENDS)
            {
                let orders = queue("orders");
                let pulled = || {
                    let mut server = Server::new();
                    server.add(&orders, asked);
                    if asked.dedup.is_none() {
                        server.add(&orders, asked);
                    }
                    for _ in 0..returns {
                        let got = server.pull(&orders, 10).unwrap();
                        server.now_ms += 10;
                        server.sweep(&orders, 10);
                        assert_eq!(
                            server.store(&orders).highest_retry_count(),
                            got.retry_count + 1
                        );
                    }
                    let got = server.pull(&orders, 100).unwrap();
                    (server, got)
                };
                let (mut in_time, got) = pulled();
                in_time.extend(&orders, vec![got.claim()], 1_100);
                let (mut late, got) = pulled();
                end(&mut late, &orders, &got);
                let until_ms = late.now_ms + 1_000;
                let settled = late.extend(&orders, vec![got.claim()], 1_000);
                assert_eq!(settled, [Settled::Done(until_ms)], "{what} {asked:?}");
                assert_eq!(without_notes(&late), without_notes(&in_time), "{what} {asked:?}");
                late.now_ms = until_ms;
                late.sweep(&orders, 10);
                let again = late.pull(&orders, 100).unwrap();
                assert_eq!(
                    (again.id, again.retry_count),
                    (got.id, returns + 1),
                    "{what} {asked:?}"
                );
                assert!(again.receipt > got.receipt);
            }
        }
    }
}

#[test]
fn only_the_last_delivery_can_be_extended_late_and_only_if_nobody_gave_it_back() {
    let cases: [(&str, Story, Settled); 6] = [
        (
            "delivered again",
            |s, q, _| {
                s.now_ms += 100;
                s.pull(q, 100).unwrap();
            },
            Settled::BadReceipt,
        ),
        (
            "delivered again, and waits again",
            |s, q, _| {
                s.now_ms += 100;
                s.pull(q, 100).unwrap();
                s.now_ms += 100;
                s.sweep(q, 10);
            },
            Settled::BadReceipt,
        ),
        ("given back", |s, q, got| nack(s, q, got, Return::Counted), Settled::BadReceipt),
        ("rejected", |s, q, got| nack(s, q, got, Return::Rejected), Settled::NotFound),
        (
            "dead",
            |s, q, got| {
                s.configure(q, Setting::MaxRetries, Some("0"));
                nack(s, q, got, Return::Disconnected);
            },
            Settled::NotFound,
        ),
        (
            "extended late and given back",
            |s, q, got| {
                s.now_ms += 100;
                s.sweep(q, 10);
                s.extend(q, vec![got.claim()], 100);
                nack(s, q, got, Return::Uncounted);
            },
            Settled::BadReceipt,
        ),
    ];
    for (what, story, expected) in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.push(&orders, b"x", 0);
        let got = server.pull(&orders, 100).unwrap();
        story(&mut server, &orders, &got);
        assert_eq!(server.extend(&orders, vec![got.claim()], 100), [expected], "{what}");
    }
}

#[test]
fn late_or_not_what_was_extended_can_be_settled_once() {
    for (what, end) in ENDS {
        for how in [None, Some(Return::Counted), Some(Return::Rejected), Some(Return::Disconnected)]
        {
            let (mut server, orders) = (Server::new(), queue("orders"));
            server.push(&orders, b"x", 0);
            let got = server.pull(&orders, 100).unwrap();
            end(&mut server, &orders, &got);
            server.extend(&orders, vec![got.claim()], 100);
            assert_eq!(server.pull(&orders, 100), None, "{what}: nobody else gets it");
            let settle = |server: &mut Server| match how {
                None => server.acknowledge(&orders, vec![got.claim()]),
                Some(how) => server.nack_as(&orders, vec![got.claim()], None, how, None).unwrap(),
            };
            assert_eq!(settle(&mut server), [DONE], "{what} {how:?}");
            if how != Some(Return::Disconnected) {
                assert_ne!(settle(&mut server), [DONE], "{what} {how:?}");
            }
        }
    }
}

#[test]
fn prolonging_never_ends_a_delivery_earlier_than_it_would_have_ended() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 1_000).unwrap();
    let prolong = |server: &mut Server, visibility_ms| {
        let (now_ms, deliveries) = (server.now_ms, vec![got.claim()].into());
        server.settle(&orders, &op::Prolong { now_ms, deliveries, visibility_ms })
    };
    assert_eq!(prolong(&mut server, 999), [Settled::Done(START_MS + 1_000)]);
    assert!(!server.effects().changed, "nothing to be sent");
    assert_eq!(prolong(&mut server, 1_001), [Settled::Done(START_MS + 1_001)]);
    server.now_ms += 500;
    assert_eq!(prolong(&mut server, 100), [Settled::Done(START_MS + 1_001)]);
    let shorter = server.extend(&orders, vec![got.claim()], 100);
    assert_eq!(shorter, [Settled::Done(START_MS + 600)], "a visibility of its own may be shorter");
    server.now_ms += 100;
    server.sweep(&orders, 10);
    assert_eq!(prolong(&mut server, 100), [Settled::Done(START_MS + 700)], "late");
}
