//! How long dead letters are kept: TTL and MAXLEN of the dead-letter queue.

use super::*;
use crate::queue::NextDue;

/// Pushes a message and lets it die; its id.
fn kill(server: &mut Server, orders: &QueueName) -> MessageId {
    let id = server.add(orders, &Asked::default());
    let got = server.pull(orders, 1_000).unwrap();
    server.nack_as(orders, vec![got.claim()], None, Return::Rejected, Some("no")).unwrap();
    id
}

fn letters(server: &Server, dead: &QueueName) -> Vec<MessageId> {
    let letters = server.store(dead).dead(None, u64::MAX, 100).into_iter();
    letters.map(|died| died.id).collect()
}

#[test]
fn the_ttl_of_the_dead_letter_queue_counts_from_the_death() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    server.configure(&dead, Setting::Ttl, Some("100"));
    server.add(&orders, &Asked::to_live(5_000));
    let got = server.pull(&orders, 1_000).unwrap();
    server.now_ms += 50;
    server.nack_as(&orders, vec![got.claim()], None, Return::Rejected, None).unwrap();
    let due = NextDue::AtMost(START_MS + 150);
    assert_eq!(server.effects().others, Some(Box::new([(dead.clone(), due)].into())));
    // A later change of the setting is for those that die later.
    server.configure(&dead, Setting::Ttl, None);
    let later = kill(&mut server, &orders);
    server.now_ms += 99;
    server.sweep(&dead, 10);
    assert_eq!(server.len(&dead, Part::Dead), 2);
    server.now_ms += 1;
    server.sweep(&dead, 10);
    assert_eq!(server.counts.ttl_expired, 1);
    assert_eq!(letters(&server, &dead), [later]);
    server.now_ms += 1_000_000;
    server.sweep(&dead, 10);
    assert_eq!(letters(&server, &dead), [later], "without the setting they stay for ever");
}

#[test]
fn a_dead_letter_that_goes_back_leaves_its_time_to_live_behind() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    server.configure(&dead, Setting::Ttl, Some("100"));
    kill(&mut server, &orders);
    assert_eq!(server.redrive(&dead, 1, None), 1);
    assert_eq!(server.len(&dead, Part::Expiring), 0);
    server.now_ms += 200;
    assert_eq!(server.pull(&orders, 100).unwrap().expires_at_ms, None);
}

#[test]
fn one_in_flight_is_discarded_when_it_comes_back_and_can_be_acknowledged_until_then() {
    for acknowledges in [true, false] {
        let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
        server.configure(&dead, Setting::Ttl, Some("100"));
        kill(&mut server, &orders);
        let got = server.pull(&dead, 500).unwrap();
        assert_eq!(got.expires_at_ms, Some(START_MS + 100));
        server.now_ms += 200;
        if acknowledges {
            assert_eq!(server.acknowledge(&dead, vec![got.claim()]), [DONE]);
        } else {
            server.nack(&dead, vec![got.claim()], None);
        }
        assert_eq!(server.counts.ttl_expired, u64::from(!acknowledges));
        assert_eq!(server.len(&dead, Part::Messages), 0);
    }
}

#[test]
fn a_full_dead_letter_queue_discards_the_oldest_death_for_the_next() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    server.configure(&dead, Setting::MaxLen, Some("3"));
    let by_hand = server.add(&dead, &Asked::default());
    let died: Vec<_> = (0..5)
        .map(|_| {
            server.now_ms += 1;
            kill(&mut server, &orders)
        })
        .collect();
    assert_eq!(letters(&server, &dead), died[3..]);
    assert_eq!((server.counts.dead, server.counts.dead_discarded), (5, 3));
    assert_eq!(server.pull(&dead, 1_000).unwrap().id, by_hand, "it never died");
    // Those in flight stay, too.
    server.pull_with(&dead, 2, 1_000, ALL).unwrap();
    let last = kill(&mut server, &orders);
    assert_eq!(letters(&server, &dead), [last]);
    assert_eq!(server.counts.dead_discarded, 3);
}

#[test]
fn where_maxlen_was_lowered_each_death_discards_two() {
    let (mut server, orders, dead) = (Server::new(), queue("orders"), queue("{orders}:dead"));
    let died: Vec<_> = (0..6)
        .map(|_| {
            server.now_ms += 1;
            kill(&mut server, &orders)
        })
        .collect();
    server.configure(&dead, Setting::MaxLen, Some("3"));
    server.now_ms += 1;
    let next = kill(&mut server, &orders);
    assert_eq!(letters(&server, &dead), [&died[2..], &[next]].concat());
    for expected in [4, 3, 3] {
        server.now_ms += 1;
        kill(&mut server, &orders);
        assert_eq!(server.len(&dead, Part::Dead), expected);
    }
}

#[test]
fn an_old_dead_letter_that_cannot_be_read_is_set_aside() {
    use crate::store::memory::Value;
    let (mut server, orders, dead) =
        (Server::to_be_harmed(), queue("orders"), queue("{orders}:dead"));
    server.configure(&dead, Setting::MaxLen, Some("1"));
    let first = kill(&mut server, &orders);
    let key = keys::key(&dead, Part::Notes);
    if let Some(Value::Hash(notes)) = server.database.borrow_mut().get_mut(&key) {
        notes.insert(first.0.to_vec(), b"\xff".to_vec());
    }
    server.now_ms += 1;
    let second = kill(&mut server, &orders);
    assert_eq!(letters(&server, &dead), [second]);
    assert_eq!((server.counts.damaged, server.counts.dead_discarded), (1, 0));
    assert!(server.len(&dead, Part::Damaged) > 0);
}

#[test]
fn a_setting_of_another_type_keeps_the_message_where_it_is() {
    use crate::store::memory::Value;
    let (mut server, orders, dead) =
        (Server::to_be_harmed(), queue("orders"), queue("{orders}:dead"));
    server.database.borrow_mut().insert(keys::key(&dead, Part::Config), Value::Text);
    kill(&mut server, &orders);
    assert_eq!((server.counts.dead, server.counts.dead_letters_refused), (0, 1));
}
