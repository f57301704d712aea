//! Headers, acknowledgments with a pull, at-most-once deliveries.

use super::*;
use crate::queue::message::Kept;
use crate::queue::message::{Delivery, Running};
use crate::store::deliveries::LARGE;
use crate::store::memory::Value;

#[test]
fn headers_come_back_as_they_were_pushed() {
    let headers: &[(&str, &str)] = &[("kind", "invoice"), ("empty", ""), ("a", "\0\n")];
    let cases = [
        Asked { headers, ..Asked::default() },
        Asked { headers, ..Asked::later(10) },
        Asked { headers, ..Asked::group("a") },
        Asked { headers, ..Asked::priority(9) },
        Asked { headers, ..Asked::window("k", 100) },
    ];
    for asked in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.push_with(&orders, b"payload", &asked);
        server.now_ms += 10;
        for retry_count in 0..2 {
            let got = server.pull(&orders, 100).unwrap();
            let shown = got.headers.iter().map(|(name, value)| {
                (std::str::from_utf8(name).unwrap(), std::str::from_utf8(value).unwrap())
            });
            assert_eq!(shown.collect::<Vec<_>>(), headers, "{asked:?}");
            assert_eq!(
                (got.payload.as_slice(), got.retry_count),
                (b"payload".as_slice(), retry_count)
            );
            server.nack(&orders, vec![got.claim()], Some(0));
        }
    }
}

#[test]
fn what_is_not_given_is_not_there() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    assert_eq!((got.headers.len(), got.priority, got.group), (0, 0, None));
    assert_eq!((got.expires_at_ms, got.last_error, got.death), (None, None, None));
}

#[test]
fn a_running_delivery_tells_whether_something_ends_with_the_message() {
    let cases = [
        (Asked::default(), false),
        (Asked::priority(3), false),
        (Asked::window("k", 100), false),
        (Asked::group("a"), true),
        (Asked::until_done("k"), true),
    ];
    for (asked, has_cleanup) in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.add(&orders, &asked);
        for _ in 0..3 {
            let Delivery { id, receipt } = server.pull(&orders, 100).unwrap().claim();
            let running = |server: &Server| server.store(&orders).running(Delivery { id, receipt });
            let until = |until_ms| Some(Running { until_ms, has_cleanup, kept: Kept::Whole });
            assert_eq!(running(&server), until(server.now_ms + 100), "{asked:?}");
            server.extend(&orders, vec![Delivery { id, receipt }], 200);
            assert_eq!(running(&server), until(server.now_ms + 200), "{asked:?}");
            server.nack(&orders, vec![Delivery { id, receipt }], Some(0));
        }
    }
}

#[test]
fn a_large_body_stays_with_its_delivery_where_its_key_has_another_type() {
    for (harmed, kept) in [(false, Kept::Apart), (true, Kept::Whole)] {
        let (mut server, orders) = (Server::to_be_harmed(), queue("orders"));
        let payload = vec![b'x'; LARGE];
        server.push_with(&orders, &payload, &Asked::default());
        let key = keys::key(&orders, Part::Bodies);
        if harmed {
            server.database.borrow_mut().insert(key, Value::Text);
        }
        let mode = Mode::AtLeastOnce { visibility_ms: 100, consumer: None };
        let no_sweep = SweepLimit { limit: 0, same_slot: false };
        let (_, got) = server.pull_as(&orders, 1, mode, no_sweep, Vec::new()).unwrap();
        assert_eq!(got[0].payload, payload);
        let claim = got[0].claim();
        let running = server.store(&orders).running(claim).unwrap();
        assert_eq!(running.kept, kept);
        assert_eq!(server.acknowledge(&orders, vec![claim]), [DONE]);
        assert_eq!(server.len(&orders, Part::Flight), 0);
    }
}

#[test]
fn a_pull_acknowledges_first() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::group("a"));
    let second = server.add(&orders, &Asked::group("a"));
    let got = server.pull(&orders, 100).unwrap();
    let mode = Mode::AtLeastOnce { visibility_ms: 100, consumer: None };
    let claims = vec![got.claim(), got.claim(), Delivery { id: second, receipt: Receipt(7) }];
    let (settled, next) = server.pull_as(&orders, 5, mode, ALL, claims).unwrap();
    assert_eq!(settled, [DONE, Settled::NotFound, Settled::NotFound]);
    assert_eq!(ids(&next), [second], "its group is free");
    let claims = vec![Delivery { id: second, receipt: Receipt(7) }, next[0].claim()];
    let (settled, next) = server.pull_as(&orders, 5, mode, ALL, claims).unwrap();
    assert_eq!((settled, next.len()), (vec![Settled::BadReceipt, DONE], 0));
    assert_eq!((server.counts.acked, server.counts.bad_receipts), (2, 1));
    assert!(server.database.borrow().is_empty());
}

#[test]
fn a_pull_acknowledges_before_what_is_due_comes_back() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.now_ms += 100;
    let (settled, next) =
        server.pull_as(&orders, 5, Mode::AtMostOnce, ALL, vec![got.claim()]).unwrap();
    assert_eq!((settled, next.len()), (vec![DONE], 0));
    assert_eq!((server.counts.late_acks, server.counts.expired), (1, 0));
}

#[test]
fn a_delivery_for_good_leaves_nothing_behind() {
    let cases = [
        Asked::default(),
        Asked::later(10),
        Asked::to_live(1_000),
        Asked::priority(3),
        Asked::group("a"),
        Asked::until_done("k"),
    ];
    for asked in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        let id = server.add(&orders, &asked);
        server.now_ms += 10;
        let (_, got) = server.pull_as(&orders, 2, Mode::AtMostOnce, ALL, Vec::new()).unwrap();
        assert_eq!(ids(&got), [id], "{asked:?}");
        assert_eq!((got[0].receipt, got[0].visibility_until_ms), (Receipt::NONE, 0));
        assert!(server.database.borrow().is_empty(), "{asked:?}");
        let counts = &server.counts;
        assert_eq!((counts.pulled, counts.acked, counts.deleted), (1, 0, 0));
    }
}

#[test]
fn a_returned_message_may_be_delivered_for_good() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.nack(&orders, vec![got.claim()], Some(0));
    let (_, again) = server.pull_as(&orders, 2, Mode::AtMostOnce, ALL, Vec::new()).unwrap();
    assert_eq!(again[0].retry_count, 1);
    assert!(server.database.borrow().is_empty());
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [Settled::NotFound]);
}

#[test]
fn several_messages_are_pushed_at_once_in_their_order() {
    for asked in [Asked::default(), Asked::group("a"), Asked::priority(1), Asked::later(5)] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::GroupInflight, Some("9"));
        let payloads: Vec<_> = (b'a'..b'f').map(|byte| vec![byte]).collect();
        let pushed = server.push_many(&orders, &payloads, &asked);
        server.now_ms += 5;
        let got = server.pull_with(&orders, 9, 100, ALL).unwrap();
        assert_eq!(Pushed::New(ids(&got)), pushed);
        assert_eq!(got.into_iter().map(|message| message.payload).collect::<Vec<_>>(), payloads);
        assert_eq!(server.counts.pushed, 5);
    }
}

#[test]
fn the_consumer_is_known_while_it_holds_the_message() {
    use crate::queue::inspect;
    let (mut server, orders) = (Server::new(), queue("orders"));
    let id = server.push(&orders, b"x", 0);
    let holder = |server: &Server| {
        let seen = inspect::find(&mut server.store(&orders), id).unwrap().unwrap();
        seen.record.and_then(|record| record.consumer.clone())
    };
    for consumer in [Some("ann"), None, Some("bob")] {
        let consumer = consumer.map(str::as_bytes);
        let mode = Mode::AtLeastOnce { visibility_ms: 100, consumer };
        let (_, got) = server.pull_as(&orders, 1, mode, ALL, Vec::new()).unwrap();
        assert_eq!(holder(&server).as_deref(), consumer);
        server.nack(&orders, vec![got[0].claim()], Some(0));
        assert_eq!(holder(&server), None);
    }
}
