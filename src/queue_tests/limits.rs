//! Lengths, messages in flight, rates and pauses.

use super::*;
use crate::queue::NextDue;
use crate::queue::records::StoredNumber;

const FINAL: Mode<'_> = Mode::AtMostOnce;

#[test]
fn a_push_that_would_exceed_the_length_pushes_nothing() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxLen, Some("4"));
    // One of each state.
    server.push(&orders, b"in flight", 0);
    server.pull(&orders, 1_000).unwrap();
    server.push(&orders, b"delayed", 500);
    server.push(&orders, b"ready", 0);
    server.add(&orders, &Asked::group("a"));
    for asked in [Asked::default(), Asked::later(5), Asked::group("a"), Asked::priority(3)] {
        assert_eq!(server.push_with(&orders, b"x", &asked), Pushed::Full);
    }
    assert_eq!((server.counts.refused_full, server.counts.pushed), (4, 4));
    let waiting = server.pull(&orders, 1_000).unwrap();
    assert_eq!(server.push_with(&orders, b"x", &Asked::default()), Pushed::Full);
    server.acknowledge(&orders, vec![waiting.claim()]);
    server.push(&orders, b"there is room again", 0);
}

#[test]
fn several_are_pushed_together_or_not_at_all() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxLen, Some("3"));
    let payloads = [b"a".to_vec(), b"b".to_vec()];
    let Pushed::New(ids) = server.push_many(&orders, &payloads, &Asked::priority(2)) else {
        panic!("there was room")
    };
    assert_eq!(server.push_many(&orders, &payloads, &Asked::default()), Pushed::Full);
    let got = server.pull_with(&orders, 9, 100, ALL).unwrap();
    assert_eq!(super::ids(&got), ids);
    assert_eq!(got.iter().map(|m| m.payload.clone()).collect::<Vec<_>>(), payloads);
    assert!(got.iter().all(|message| message.priority == 2));
}

#[test]
fn returns_dead_letters_and_redriven_messages_are_never_refused() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let dead = queue("{orders}:dead");
    server.push(&orders, b"x", 0);
    server.push(&orders, b"y", 0);
    server.configure(&orders, Setting::MaxLen, Some("1"));
    let got = server.pull_with(&orders, 2, 100, ALL).unwrap();
    for message in &got {
        server.nack_as(&orders, vec![message.claim()], None, Return::Rejected, None).unwrap();
    }
    assert_eq!(server.counts.dead, 2);
    assert_eq!(server.redrive(&dead, 10, None), 2);
    let got = server.pull_with(&orders, 2, 100, ALL).unwrap();
    assert_eq!(got.len(), 2);
    server.nack(&orders, got.iter().map(Got::claim).collect(), Some(0));
    assert_eq!(server.pull_all(&orders, 100).len(), 2);
}

#[test]
fn at_the_limit_of_messages_in_flight_a_pull_finds_nothing() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxInflight, Some("2"));
    for _ in 0..5 {
        server.push(&orders, b"x", 0);
    }
    let got = server.pull_with(&orders, 9, 1_000, ALL).unwrap();
    assert_eq!(got.len(), 2, "a batch ends at the limit");
    assert_eq!(server.pull(&orders, 1_000), None);
    server.acknowledge(&orders, vec![got[0].claim()]);
    assert!(server.effects().delivery_ended);
    assert_eq!(server.pull_all(&orders, 1_000).len(), 1, "a slot was free");
    server.nack(&orders, vec![got[1].claim()], Some(10_000));
    assert_eq!(server.pull_all(&orders, 1_000).len(), 1, "what is given back is not in flight");
    server.configure(&orders, Setting::MaxInflight, Some("1"));
    assert_eq!(server.len(&orders, Part::Flight), 2, "nothing is taken back");
    server.configure(&orders, Setting::MaxInflight, None);
    assert!(server.effects().became_ready);
    assert_eq!(server.pull_all(&orders, 1_000).len(), 1);
}

#[test]
fn deliveries_for_good_are_never_in_flight() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::MaxInflight, Some("2"));
    for _ in 0..9 {
        server.push(&orders, b"x", 0);
    }
    let first = server.pull(&orders, 1_000).unwrap();
    let (_, got) = server.pull_as(&orders, 4, FINAL, ALL, Vec::new()).unwrap();
    assert_eq!(got.len(), 4, "not limited below the limit");
    server.pull(&orders, 1_000).unwrap();
    let (_, got) = server.pull_as(&orders, 4, FINAL, ALL, Vec::new()).unwrap();
    assert_eq!(got.len(), 0, "at the limit nothing");
    // What is acknowledged with the pull makes room for it.
    let (settled, got) = server.pull_as(&orders, 1, FINAL, ALL, vec![first.claim()]).unwrap();
    assert_eq!((settled, got.len()), (vec![DONE], 1));
}

#[test]
fn a_rate_window_begins_with_the_first_delivery_after_the_last_one() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Rate, Some("3"));
    server.configure(&orders, Setting::RatePeriod, Some("100"));
    for _ in 0..20 {
        server.push(&orders, b"x", 0);
    }
    // When a pull of two comes, and how many it gets.
    for (at_ms, expected) in [
        (0, 2),
        (50, 1),
        (99, 0),
        (100, 2),
        (150, 1),
        (199, 0),
        // A pull that gets nothing begins no window; the next one begins late.
        (350, 2),
        (449, 1),
        (449, 0),
        (450, 2),
    ] {
        server.now_ms = START_MS + at_ms;
        let got = server.pull_with(&orders, 2, 10_000, ALL).unwrap();
        assert_eq!(got.len(), expected, "at {at_ms}");
    }
}

#[test]
fn deliveries_for_good_count_in_the_window_and_refused_pulls_tell_when_it_opens() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Rate, Some("2"));
    for _ in 0..5 {
        server.push(&orders, b"x", 0);
    }
    let (_, got) = server.pull_as(&orders, 9, FINAL, ALL, Vec::new()).unwrap();
    assert_eq!(got.len(), 2);
    server.now_ms += 10;
    assert_eq!(server.pull(&orders, 100), None);
    let next_due = server.effects().next_due;
    assert_eq!(next_due, NextDue::Exactly(Some(START_MS + 1_000)));
    server.configure(&orders, Setting::Rate, Some("3"));
    assert!(server.effects().became_ready, "a raised limit serves");
    assert_eq!(server.pull_all(&orders, 100).len(), 1);
    server.configure(&orders, Setting::Rate, None);
    assert_eq!(server.pull_all(&orders, 100).len(), 2);
}

#[test]
fn a_pull_that_the_rate_sends_away_tells_when_the_window_opens_even_after_new_settings() {
    for (setting, value, opens_ms) in [(Setting::Rate, "2", 1_000), (Setting::RatePeriod, "50", 50)]
    {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::Rate, Some("2"));
        if setting == Setting::Rate {
            server.configure(&orders, Setting::Rate, Some("9"));
        }
        for _ in 0..5 {
            server.push(&orders, b"x", 0);
        }
        server.pull_with(&orders, 2, 10_000, ALL).unwrap();
        server.configure(&orders, setting, Some(value));
        let mut known = server.effects().next_due;
        let no_sweep = SweepLimit { limit: 0, same_slot: false };
        assert_eq!(server.pull_with(&orders, 1, 100, no_sweep).unwrap(), []);
        let told = server.effects().next_due;
        if told != NextDue::NotEarlier {
            known = told;
        }
        let NextDue::AtMost(at_ms) = known else { panic!("not told: {known:?}") };
        assert!(at_ms <= START_MS + opens_ms, "{setting:?}");
    }
}

#[test]
fn the_pull_that_uses_the_window_up_tells_when_the_next_one_opens_and_so_do_those_after_it() {
    // Clients may wait already whom nothing else would wake.
    let no_sweep = SweepLimit { limit: 0, same_slot: false };
    for mode in [FINAL, Mode::AtLeastOnce { visibility_ms: 10_000, consumer: None }] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::Rate, Some("2"));
        for _ in 0..3 {
            server.push(&orders, b"x", 0);
        }
        for expected in [1, 1, 0, 0] {
            let pulled = server.pull_as(&orders, 1, mode, no_sweep, Vec::new()).unwrap();
            assert_eq!(pulled.1.len(), expected);
            let is_told = server.effects().next_due == NextDue::AtMost(START_MS + 1_000);
            let is_used_up =
                server.store(&orders).stored_number(StoredNumber::RateWindowCount) == Some(2);
            assert_eq!(is_told, is_used_up, "{mode:?}");
        }
    }
}

#[test]
fn a_clock_that_was_set_back_begins_a_new_window() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Rate, Some("1"));
    server.push(&orders, b"x", 0);
    server.push(&orders, b"x", 0);
    server.pull(&orders, 10_000).unwrap();
    server.now_ms -= 1;
    assert!(server.pull(&orders, 10_000).is_some());
}

#[test]
fn a_paused_queue_delivers_nothing_and_all_else_goes_on() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 100).unwrap();
    server.pause(&orders, None);
    server.push(&orders, b"y", 50);
    server.add(&orders, &Asked::to_live(60));
    server.now_ms += 100;
    let (settled, pulled) = server.pull_as(&orders, 9, FINAL, ALL, vec![got.claim()]).unwrap();
    assert_eq!((settled, pulled), (vec![DONE], vec![]), "an acknowledgment takes effect");
    assert_eq!(server.counts.ttl_expired, 1);
    assert_eq!(server.len(&orders, Part::Delayed), 0);
    server.now_ms += 1_000_000_000;
    assert_eq!(server.pull(&orders, 100), None);
    server.resume(&orders);
    assert!(server.effects().became_ready);
    assert_eq!(server.pull(&orders, 100).unwrap().payload, b"y");
}

#[test]
fn a_pause_for_a_time_ends_by_itself_and_a_second_one_replaces_it() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    server.pause(&orders, Some(1_000));
    server.pause(&orders, Some(100));
    let next_due = server.effects().next_due;
    assert_eq!(next_due, NextDue::AtMost(START_MS + 100));
    server.now_ms += 99;
    assert_eq!(server.pull(&orders, 10), None);
    server.now_ms += 1;
    let effects = server.sweep(&orders, 10);
    assert!(effects.became_ready, "it serves waiting clients");
    assert!(server.pull(&orders, 10).is_some());
}

#[test]
fn a_pause_is_over_at_its_last_millisecond_also_for_a_pull_that_does_not_sweep() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"x", 0);
    server.pause(&orders, Some(100));
    let no_sweep = SweepLimit { limit: 0, same_slot: false };
    for (after_ms, length) in [(99, 0), (100, 1)] {
        server.now_ms = START_MS + after_ms;
        assert_eq!(server.pull_with(&orders, 1, 10, no_sweep).unwrap().len(), length);
    }
}

#[test]
fn to_resume_a_queue_that_is_not_paused_changes_nothing() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.resume(&orders);
    assert!(server.log.is_empty());
    server.pause(&orders, None);
    server.pause(&orders, None);
    assert_eq!(server.log.len(), 1);
    server.resume(&orders);
    assert!(server.database.borrow().is_empty());
}
