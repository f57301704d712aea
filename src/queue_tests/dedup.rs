//! Deduplication keys.

use super::*;

#[test]
fn within_the_window_a_second_push_is_told_the_first_id() {
    for (after_ms, is_duplicate) in [(0, true), (99, true), (100, false), (500, false)] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        let first = server.add(&orders, &Asked::window("k", 100));
        server.now_ms += after_ms;
        let second = server.push_with(&orders, b"other", &Asked::window("k", 100));
        match is_duplicate {
            true => assert_eq!(second, Pushed::Duplicate(first)),
            false => assert_ne!(second.id(), first),
        }
        assert_eq!(server.counts.deduplicated, u64::from(is_duplicate), "{after_ms}");
        assert_eq!(server.counts.pushed, if is_duplicate { 1 } else { 2 });
    }
}

#[test]
fn a_window_holds_whatever_becomes_of_the_message() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let first = server.add(&orders, &Asked::window("k", 100));
    let got = server.pull(&orders, 50).unwrap();
    server.acknowledge(&orders, vec![got.claim()]);
    let again = server.push_with(&orders, b"x", &Asked::window("k", 100));
    assert_eq!(again, Pushed::Duplicate(first));
    assert_eq!(server.delete(&orders, &[first]), 0);
}

#[test]
fn keys_and_queues_are_apart() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let ids = [
        server.add(&orders, &Asked::window("k", 100)),
        server.add(&orders, &Asked::window("l", 100)),
        server.add(&orders, &Asked::until_done("m")),
        server.add(&queue("others"), &Asked::window("k", 100)),
        server.add(&orders, &Asked::default()),
    ];
    assert_eq!(server.pull_all(&orders, 100), [ids[0], ids[1], ids[2], ids[4]]);
}

#[test]
fn until_done_holds_until_the_message_is_gone() {
    // What happens to the first message, and whether its key is free then.
    type Story = fn(&mut Server, &QueueName, MessageId);
    let cases: [(&str, Story, bool); 11] = [
        ("waits", |s, _, _| s.now_ms += 1_000_000_000, false),
        (
            "in flight",
            |s, q, _| {
                s.pull(q, 10).unwrap();
            },
            false,
        ),
        (
            "given back",
            |s, q, _| {
                let got = s.pull(q, 10).unwrap();
                s.nack(q, vec![got.claim()], Some(100));
            },
            false,
        ),
        (
            "over",
            |s, q, _| {
                s.pull(q, 10).unwrap();
                s.now_ms += 10;
                s.sweep(q, 10);
            },
            false,
        ),
        (
            "acknowledged",
            |s, q, _| {
                let got = s.pull(q, 10).unwrap();
                assert_eq!(s.acknowledge(q, vec![got.claim()]), [DONE]);
            },
            true,
        ),
        (
            "acknowledged late",
            |s, q, _| {
                let got = s.pull(q, 10).unwrap();
                s.now_ms += 10;
                s.sweep(q, 10);
                assert_eq!(s.acknowledge(q, vec![got.claim()]), [DONE]);
            },
            true,
        ),
        (
            "delivered at most once",
            |s, q, _| {
                s.pull_as(q, 1, Mode::AtMostOnce, ALL, Vec::new()).unwrap();
            },
            true,
        ),
        (
            "dead",
            |s, q, _| {
                s.configure(q, Setting::MaxRetries, Some("0"));
                let got = s.pull(q, 10).unwrap();
                s.nack(q, vec![got.claim()], Some(0));
                assert_eq!(s.counts.dead, 1);
            },
            true,
        ),
        (
            "discarded",
            |s, q, _| {
                s.now_ms += 5_000;
                s.sweep(q, 10);
                assert_eq!(s.counts.ttl_expired, 1);
            },
            true,
        ),
        (
            "deleted",
            |s, q, id| {
                assert_eq!(s.delete(q, &[id]), 1);
            },
            true,
        ),
        (
            "purged",
            |s, q, _| {
                assert_eq!(s.number(q, &op::Purge), 1);
            },
            true,
        ),
    ];
    for (what, story, is_free) in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        let ttl_ms = if what == "discarded" { 5_000 } else { 0 };
        let first = server.add(&orders, &Asked { ttl_ms, ..Asked::until_done("k") });
        story(&mut server, &orders, first);
        match server.push_with(&orders, b"x", &Asked::until_done("k")) {
            Pushed::Duplicate(id) => assert!(!is_free && id == first, "{what}"),
            Pushed::New(_) => assert!(is_free, "{what}"),
            Pushed::Full | Pushed::DedupFull => panic!("{what}"),
        }
    }
}

#[test]
fn the_rule_of_the_first_push_holds() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let first = server.add(&orders, &Asked::window("k", 100));
    let second = server.push_with(&orders, b"x", &Asked::until_done("k"));
    assert_eq!(second, Pushed::Duplicate(first));
    server.now_ms += 100;
    let third = server.add(&orders, &Asked::until_done("k"));
    let fourth = server.push_with(&orders, b"x", &Asked::window("k", 10));
    assert_eq!(fourth, Pushed::Duplicate(third));
    server.now_ms += 1_000;
    let fifth = server.push_with(&orders, b"x", &Asked::window("k", 10));
    assert_eq!(fifth, Pushed::Duplicate(third));
}

#[test]
fn a_key_that_was_taken_over_belongs_to_its_new_message() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let first = server.add(&orders, &Asked::window("k", 100));
    server.now_ms += 100;
    let second = server.add(&orders, &Asked::until_done("k"));
    server.now_ms += 1;
    server.sweep(&orders, 10);
    assert_eq!(server.delete(&orders, &[first]), 1);
    let third = server.push_with(&orders, b"x", &Asked::until_done("k"));
    assert_eq!(third, Pushed::Duplicate(second));
}

#[test]
fn it_is_looked_for_before_the_length_of_the_queue() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxLen, Some("1"));
    let first = server.add(&orders, &Asked::until_done("k"));
    let again = server.push_with(&orders, b"x", &Asked::until_done("k"));
    assert_eq!(again, Pushed::Duplicate(first));
    assert_eq!(server.push_with(&orders, b"x", &Asked::until_done("l")), Pushed::Full);
    assert_eq!((server.counts.deduplicated, server.counts.refused_full), (1, 1));
    // A refused push took no key.
    server.configure(&orders, Setting::MaxLen, None);
    assert!(matches!(server.push_with(&orders, b"x", &Asked::until_done("l")), Pushed::New(_)));
}

#[test]
fn with_as_many_keys_as_maxdedup_allows_a_push_with_a_new_one_is_refused() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxDedup, Some("3"));
    let first = server.add(&orders, &Asked::until_done("a"));
    server.add(&orders, &Asked::window("b", 100));
    server.add(&orders, &Asked::window("c", 200));
    let push = |server: &mut Server, asked: &Asked<'_>| server.push_with(&orders, b"x", asked);
    assert_eq!(push(&mut server, &Asked::window("d", 100)), Pushed::DedupFull);
    assert_eq!(server.counts.refused_full, 1);
    assert_eq!((server.len(&orders, Part::Ready), server.len(&orders, Part::Dedup)), (3, 3));
    assert_eq!(push(&mut server, &Asked::until_done("a")), Pushed::Duplicate(first));
    assert!(matches!(push(&mut server, &Asked::default()), Pushed::New(_)), "without a key");

    // One that is over makes room before the timer comes to it, and may be taken again.
    server.now_ms += 100;
    assert!(matches!(push(&mut server, &Asked::window("b", 500)), Pushed::New(_)), "the same key");
    assert_eq!(push(&mut server, &Asked::window("d", 100)), Pushed::DedupFull);
    server.now_ms += 100;
    assert!(matches!(push(&mut server, &Asked::window("d", 100)), Pushed::New(_)));
    assert_eq!(server.delete(&orders, &[first]), 1);
    assert!(matches!(push(&mut server, &Asked::window("e", 100)), Pushed::New(_)), "released");

    server.configure(&orders, Setting::MaxDedup, Some("1"));
    assert_eq!(server.len(&orders, Part::Dedup), 3, "nothing is taken back");
    assert_eq!(push(&mut server, &Asked::window("f", 100)), Pushed::DedupFull);
    server.now_ms += 100;
    assert!(matches!(push(&mut server, &Asked::window("d", 100)), Pushed::New(_)), "no key more");
    assert_eq!(server.len(&orders, Part::Dedup), 3);
    server.configure(&orders, Setting::MaxDedup, None);
    assert!(matches!(push(&mut server, &Asked::window("f", 100)), Pushed::New(_)));
}

#[test]
fn the_timers_sweep_removes_what_is_over_last_and_a_pull_does_not() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    for key in ["k", "l", "m"] {
        server.add(&orders, &Asked { delay_ms: 40, ..Asked::window(key, 50) });
    }
    server.now_ms += 50;
    server.pull_with(&orders, 1, 1_000, SweepLimit { limit: 2, same_slot: false }).unwrap();
    assert_eq!((server.len(&orders, Part::Delayed), server.len(&orders, Part::Dedup)), (1, 3));
    server.sweep(&orders, 2);
    assert_eq!((server.len(&orders, Part::Delayed), server.len(&orders, Part::Dedup)), (0, 2));
    server.sweep(&orders, 2);
    assert_eq!((server.len(&orders, Part::Dedup), server.len(&orders, Part::Deduped)), (0, 0));
}
