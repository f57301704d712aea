//! Settings and their defaults; the backoff.

use super::*;
use crate::queue::settings::Settings;
use crate::store::keyspace::Keyspace;

#[test]
fn backoff_counts_from_the_end_of_the_delivery() {
    for how in [Return::Counted, Return::Disconnected] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::Backoff, Some("100"));
        server.configure(&orders, Setting::BackoffMax, Some("250"));
        server.push(&orders, b"x", 0);
        for delay_ms in [100, 200, 250, 250] {
            let got = server.pull(&orders, 10).unwrap();
            server.now_ms += 4;
            server.nack_as(&orders, vec![got.claim()], None, how, None).unwrap();
            server.now_ms += delay_ms - 1;
            assert_eq!(server.pull(&orders, 10), None, "{how:?} {delay_ms}");
            server.now_ms += 1;
        }
        assert_eq!(server.pull(&orders, 10).unwrap().retry_count, 4);
    }
}

#[test]
fn by_default_a_message_backs_off_for_longer_each_time_and_dies_at_its_26th_return() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push(&orders, b"poison", 0);
    let mut delays = Vec::new();
    for _ in 0..26 {
        let got = server.pull(&orders, 10).unwrap();
        server.nack(&orders, vec![got.claim()], None);
        let due = server.store(&orders).first_timed(Part::Delayed);
        delays.extend(due.map(|(_, due_at_ms)| due_at_ms - server.now_ms));
        server.now_ms += 3_600_000;
    }
    let doubled = (0..12).map(|doublings| 1_000 << doublings);
    assert_eq!(delays, doubled.chain([3_600_000; 13]).collect::<Vec<_>>());
    assert_eq!(server.len(&queue("{orders}:dead"), Part::Messages), 1);
}

#[test]
fn a_message_whose_visibility_ended_is_ready_at_once_whatever_the_backoff() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Backoff, Some("100"));
    let first = server.push(&orders, b"x", 0);
    let second = server.push(&orders, b"y", 0);
    for retry_count in 0..4 {
        let got = server.pull(&orders, 10).unwrap();
        assert_eq!((got.id, got.retry_count), (first, retry_count), "its old place");
        server.now_ms += 10;
    }
    assert_eq!(server.pull_all(&orders, 10), [first, second]);
}

#[test]
fn a_delay_of_its_own_overrides_the_backoff() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Backoff, Some("100"));
    server.push(&orders, b"x", 0);
    let got = server.pull(&orders, 10).unwrap();
    server.nack(&orders, vec![got.claim()], Some(0));
    let got = server.pull(&orders, 10).unwrap();
    server.nack(&orders, vec![got.claim()], Some(7));
    server.now_ms += 6;
    assert_eq!(server.pull(&orders, 10), None);
    server.now_ms += 1;
    assert_eq!(server.pull(&orders, 10).unwrap().retry_count, 2);
}

#[test]
fn settings_that_are_set_to_what_they_are_change_nothing() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Visibility, None);
    assert!(server.log.is_empty());
    server.configure(&orders, Setting::Visibility, Some("5"));
    server.configure(&orders, Setting::Visibility, Some("5"));
    assert_eq!(server.log.len(), 1);
    assert_eq!(server.store(&orders).settings(&Setting::ALL).get(Setting::Visibility), 5);
    server.configure(&orders, Setting::Visibility, None);
    assert_eq!(server.store(&orders).settings(&Setting::ALL), Settings::default());
    assert!(server.database.borrow().is_empty());
}

#[test]
fn a_stored_setting_that_is_none_counts_as_its_default() {
    let (server, orders) = (Server::to_be_harmed(), queue("orders"));
    let mut store = server.store(&orders);
    store.0.put(Part::Config, b"visibility", b"-5");
    store.0.put(Part::Config, b"maxretries", b"7");
    let settings = store.settings(&Setting::ALL);
    assert_eq!(
        [Setting::Visibility, Setting::MaxRetries].map(|one| settings.get(one)),
        [30_000, 7]
    );
}
