//! Times to live.

use super::*;
use crate::queue::NextDue;

#[test]
fn a_message_is_not_delivered_from_the_end_of_its_time_on() {
    for (after_ms, is_delivered) in [(99, true), (100, false), (101, false)] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.add(&orders, &Asked::to_live(100));
        server.now_ms += after_ms;
        let got = server.pull(&orders, 1_000);
        assert_eq!(got.is_some(), is_delivered, "{after_ms}");
        if let Some(got) = got {
            assert_eq!(got.expires_at_ms, Some(START_MS + 100));
        }
        assert_eq!(server.counts.ttl_expired, u64::from(!is_delivered));
        assert_eq!(server.database.borrow().is_empty(), !is_delivered, "nothing is left of it");
    }
}

#[test]
fn what_waits_is_discarded_by_the_sweep_and_what_is_delayed_too() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::to_live(50));
    server.add(&orders, &Asked { ttl_ms: 60, ..Asked::later(500) });
    server.add(&orders, &Asked { ttl_ms: 70, ..Asked::group("a") });
    server.add(&orders, &Asked { ttl_ms: 80, ..Asked::priority(4) });
    for (after_ms, left, next) in
        [(50, 3, Some(60)), (60, 2, Some(70)), (70, 1, Some(80)), (80, 0, None)]
    {
        server.now_ms = START_MS + after_ms;
        let effects = server.sweep(&orders, 10);
        assert_eq!(effects.next_due, NextDue::Exactly(next.map(|ms: u64| START_MS + ms)));
        assert_eq!(server.counts.ttl_expired, 4 - left);
        assert_eq!(server.len(&orders, Part::Messages), left);
    }
    assert!(server.database.borrow().is_empty());
    assert_eq!((server.counts.acked, server.counts.dead), (0, 0));
}

#[test]
fn in_flight_it_may_still_be_acknowledged_or_extended() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::to_live(100));
    let got = server.pull(&orders, 200).unwrap();
    server.now_ms += 150;
    server.sweep(&orders, 10);
    assert_eq!(server.counts.ttl_expired, 0);
    let extended = Settled::Done(server.now_ms + 300);
    assert_eq!(server.extend(&orders, vec![got.claim()], 300), [extended]);
    server.now_ms += 299;
    assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [DONE]);
    assert_eq!((server.counts.acked, server.counts.ttl_expired), (1, 0));
}

#[test]
fn when_it_comes_back_after_its_time_it_is_discarded() {
    // How it is returned.
    type Story = fn(&mut Server, &QueueName, Delivery);
    let cases: [(&str, Story); 4] = [
        ("its visibility ends", |s, q, _| {
            s.now_ms += 50;
            s.sweep(q, 10);
        }),
        ("given back", |s, q, claim| {
            assert_eq!(s.nack(q, vec![claim], Some(500)), [DONE]);
        }),
        ("given back uncounted", |s, q, claim| {
            s.nack_as(q, vec![claim], None, Return::Uncounted, None).unwrap();
        }),
        ("the connection closes", |s, q, claim| {
            s.nack_as(q, vec![claim], None, Return::Disconnected, None).unwrap();
        }),
    ];
    for (what, story) in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.add(&orders, &Asked::to_live(100));
        let got = server.pull(&orders, 150).unwrap();
        server.now_ms += 100;
        // Its retries are used up, too: it is discarded all the same.
        server.configure(&orders, Setting::MaxRetries, Some("0"));
        story(&mut server, &orders, got.claim());
        server.configure(&orders, Setting::MaxRetries, None);
        assert_eq!((server.counts.ttl_expired, server.counts.dead), (1, 0), "{what}");
        assert!(server.database.borrow().is_empty(), "{what}");
        assert_eq!(server.acknowledge(&orders, vec![got.claim()]), [Settled::NotFound]);
    }
}

#[test]
fn a_message_that_came_back_in_time_is_discarded_when_its_time_ends() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::to_live(100));
    let got = server.pull(&orders, 50).unwrap();
    server.nack(&orders, vec![got.claim()], Some(1_000));
    server.now_ms += 100;
    let effects = server.sweep(&orders, 10);
    assert_eq!(effects.next_due, NextDue::Exactly(None));
    assert_eq!(server.counts.ttl_expired, 1);
}

#[test]
fn one_sweep_takes_times_to_live_first_then_visibilities_then_delays() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"in flight", 0);
    server.pull(&orders, 10).unwrap();
    server.push(&orders, b"delayed", 5);
    server.add(&orders, &Asked::to_live(30));
    server.now_ms += 30;
    // The delay was over first, but each sweep of one message takes what is first in rank.
    for (ttl_expired, expired, delayed) in [(1, 0, 1), (1, 1, 1), (1, 1, 0)] {
        server.sweep(&orders, 1);
        assert_eq!((server.counts.ttl_expired, server.counts.expired), (ttl_expired, expired));
        assert_eq!(server.len(&orders, Part::Delayed), delayed);
    }
}

#[test]
fn a_pull_never_delivers_what_its_sweep_had_no_room_to_discard() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::to_live(10));
    server.add(&orders, &Asked::to_live(10));
    let good = server.push(&orders, b"good", 0);
    server.now_ms += 10;
    let one = SweepLimit { limit: 1, same_slot: false };
    assert_eq!(server.pull_with(&orders, 5, 100, one).unwrap(), []);
    assert!(server.more_due);
    let none = SweepLimit { limit: 0, same_slot: false };
    assert_eq!(server.pull_with(&orders, 5, 100, none).unwrap(), []);
    assert!(server.more_due, "so the client asks again, with a sweep");
    assert_eq!(server.pull_with(&orders, 5, 100, one).unwrap()[0].id, good);
    assert!(!server.more_due);
}

#[test]
fn a_dead_letter_has_no_time_to_live() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::to_live(100));
    let got = server.pull(&orders, 200).unwrap();
    server.now_ms += 150;
    // Its time is over, but who rejects it wants it to be kept.
    server.nack_as(&orders, vec![got.claim()], None, Return::Rejected, None).unwrap();
    assert_eq!((server.counts.dead, server.counts.ttl_expired), (1, 0));
    server.now_ms += 1_000_000;
    let dead = server.pull(&queue("{orders}:dead"), 100).unwrap();
    assert_eq!((dead.id, dead.expires_at_ms), (got.id, None));
}

#[test]
fn a_discarded_message_lets_its_group_go_on() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked { ttl_ms: 100, ..Asked::group("a") });
    let second = server.add(&orders, &Asked::group("a"));
    let got = server.pull(&orders, 200).unwrap();
    server.nack(&orders, vec![got.claim()], Some(1_000));
    assert_eq!(server.pull(&orders, 200), None, "it holds its slot");
    server.now_ms += 100;
    assert_eq!(server.pull(&orders, 200).unwrap().id, second);
}
