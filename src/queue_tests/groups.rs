//! Groups: order, slots and schedule.

use super::*;
use crate::queue::inspect::{self, Which};
use crate::queue::limits;
use crate::queue::records::{Group, Head};

/// Pushes messages to these groups; "" is none.
fn push_to(server: &mut Server, orders: &QueueName, groups: &[&str]) -> Vec<MessageId> {
    let push = |group: &&str| {
        let asked = if group.is_empty() { Asked::default() } else { Asked::group(group) };
        server.add(orders, &asked)
    };
    groups.iter().map(push).collect()
}

/// Pulls and acknowledges one after the other; the groups in the order of delivery.
fn drain(server: &mut Server, orders: &QueueName) -> Vec<String> {
    let mut groups = Vec::new();
    while let Some(got) = server.pull(orders, 1_000) {
        server.acknowledge(orders, vec![got.claim()]);
        groups.push(String::from_utf8(got.group.unwrap_or_default()).unwrap());
    }
    groups
}

#[test]
fn a_group_is_delivered_in_the_order_of_its_pushes_one_at_a_time() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["a", "a", "a"]);
    for id in pushed {
        let got = server.pull(&orders, 1_000).unwrap();
        assert_eq!((got.id, got.group.as_deref()), (id, Some(b"a".as_slice())));
        assert_eq!(server.pull(&orders, 1_000), None, "one of a group in flight");
        server.acknowledge(&orders, vec![got.claim()]);
    }
    assert!(server.database.borrow().is_empty(), "nothing is left of a group");
}

#[test]
fn a_batch_takes_turns() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::GroupInflight, Some("2"));
    let pushed = push_to(&mut server, &orders, &["a", "a", "a", "b", "c", "c", "c"]);
    let order = [0, 3, 4, 1, 5].map(|index: usize| pushed[index]);
    assert_eq!(server.pull_all(&orders, 1_000), order);
}

#[test]
fn deleted_deliveries_free_their_groups_in_the_order_of_the_ids() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["a", "b", "a", "b"]);
    for visibility_ms in [2_000, 1_000] {
        assert!(server.pull(&orders, visibility_ms).is_some());
    }
    assert_eq!(server.delete(&orders, &[pushed[1], pushed[0]]), 2);
    assert_eq!(drain(&mut server, &orders), ["a", "b"], "b would have expired first");
}

#[test]
fn a_tenant_with_many_does_not_delay_the_tenant_with_one() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    push_to(&mut server, &orders, &["a"; 50]);
    push_to(&mut server, &orders, &["b"]);
    assert_eq!(drain(&mut server, &orders)[..3], ["a", "b", "a"]);
}

#[test]
fn those_without_a_group_are_one_more_tenant() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    push_to(&mut server, &orders, &["", "", "", "a", "a", "b"]);
    assert_eq!(drain(&mut server, &orders), ["a", "b", "", "a", "", ""]);
    assert!(server.database.borrow().is_empty());
}

#[test]
fn when_none_without_a_group_waits_at_their_turn_the_next_group_has_it() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["", "a", "b"]);
    assert_eq!(server.pull(&orders, 1_000).unwrap().id, pushed[1]);
    assert_eq!(server.len(&orders, Part::Turns), 2, "they stand in line now");
    server.delete(&orders, &pushed[..1]);
    let last = push_to(&mut server, &orders, &["c"]);
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[2], last[0]]);
    assert_eq!(server.len(&orders, Part::Turns), 0);
}

#[test]
fn those_without_a_group_keep_their_priorities_at_their_turn() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::GroupInflight, Some("2"));
    let low = server.add(&orders, &Asked::priority(1));
    let grouped = push_to(&mut server, &orders, &["a", "b", "a"]);
    let high = server.add(&orders, &Asked::priority(2));
    let expected = [grouped[0], grouped[1], high, grouped[2], low];
    assert_eq!(server.pull_all(&orders, 1_000), expected);
}

#[test]
fn a_returned_message_is_the_first_of_its_group_again() {
    for how in [Return::Counted, Return::Uncounted, Return::Disconnected] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::Backoff, Some("0"));
        let pushed = push_to(&mut server, &orders, &["a", "a"]);
        let got = server.pull(&orders, 1_000).unwrap();
        server.now_ms += 10;
        server.nack_as(&orders, vec![got.claim()], None, how, None).unwrap();
        let again = server.pull(&orders, 1_000).unwrap();
        assert_eq!(again.id, pushed[0], "{how:?}");
        server.acknowledge(&orders, vec![again.claim()]);
        assert_eq!(server.pull(&orders, 1_000).unwrap().id, pushed[1]);
    }
}

#[test]
fn while_it_waits_for_its_retry_it_holds_its_slot() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["a", "a", "b"]);
    let got = server.pull(&orders, 1_000).unwrap();
    server.nack(&orders, vec![got.claim()], Some(100));
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[2]], "nothing overtakes it");
    server.now_ms += 99;
    assert_eq!(server.pull(&orders, 1_000), None);
    server.now_ms += 1;
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[0]]);
}

#[test]
fn with_several_slots_returned_messages_keep_their_order() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::GroupInflight, Some("3"));
    let pushed = push_to(&mut server, &orders, &["a", "a", "a", "a"]);
    let got = server.pull_with(&orders, 9, 1_000, ALL).unwrap();
    assert_eq!(ids(&got), pushed[..3]);
    server.nack(&orders, vec![got[2].claim()], Some(10));
    server.nack(&orders, vec![got[0].claim()], Some(20));
    server.now_ms += 20;
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[0], pushed[2]]);
}

#[test]
fn a_first_delay_joins_the_group_when_it_is_due() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let late = server.add(&orders, &Asked { delay_ms: 50, ..Asked::group("a") });
    let first = server.add(&orders, &Asked::group("a"));
    server.now_ms += 50;
    server.sweep(&orders, 10);
    let last = server.add(&orders, &Asked::group("a"));
    server.configure(&orders, Setting::GroupInflight, Some("9"));
    assert_eq!(server.pull_all(&orders, 1_000), [first, late, last]);
}

#[test]
fn a_first_delay_holds_no_slot() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked { delay_ms: 50, ..Asked::group("a") });
    let first = server.add(&orders, &Asked::group("a"));
    assert_eq!(server.pull_all(&orders, 1_000), [first]);
}

#[test]
fn the_group_goes_on_when_its_message_is_gone() {
    type Story = fn(&mut Server, &QueueName, Delivery);
    let cases: [(&str, Story); 5] = [
        ("acknowledged", |s, q, claim| {
            s.acknowledge(q, vec![claim]);
        }),
        ("acknowledged late", |s, q, claim| {
            s.configure(q, Setting::Backoff, Some("500"));
            s.now_ms += 1_000;
            s.sweep(q, 10);
            s.acknowledge(q, vec![claim]);
        }),
        ("rejected", |s, q, claim| {
            s.nack_as(q, vec![claim], None, Return::Rejected, None).unwrap();
        }),
        ("dead", |s, q, claim| {
            s.configure(q, Setting::MaxRetries, Some("0"));
            s.nack(q, vec![claim], Some(500));
        }),
        ("deleted", |s, q, claim| {
            assert_eq!(s.delete(q, &[claim.id]), 1);
        }),
    ];
    for (what, story) in cases {
        let (mut server, orders) = (Server::new(), queue("orders"));
        let pushed = push_to(&mut server, &orders, &["a", "a"]);
        let got = server.pull(&orders, 1_000).unwrap();
        story(&mut server, &orders, got.claim());
        let effects = server.effects();
        assert!(effects.became_ready || what == "acknowledged late", "{what}");
        assert_eq!(server.pull_all(&orders, 1_000), [pushed[1]], "{what}");
    }
}

#[test]
fn more_slots_serve_groups_at_once_and_fewer_take_nothing_back() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["bb", "bb", "bb", "c", "c"]);
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[0], pushed[3]]);
    server.configure(&orders, Setting::GroupInflight, Some("2"));
    assert!(server.effects().became_ready);
    // In the order of their names.
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[1], pushed[4]]);
    server.configure(&orders, Setting::GroupInflight, None);
    assert_eq!(server.pull(&orders, 1_000), None);
    assert_eq!(server.len(&orders, Part::Flight), 4);
}

#[test]
fn with_fewer_slots_a_group_leaves_the_line_until_it_has_a_free_one() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::GroupInflight, Some("3"));
    let pushed = push_to(&mut server, &orders, &["a", "a", "a", "a"]);
    let got = server.pull_with(&orders, 2, 1_000, ALL).unwrap();
    server.configure(&orders, Setting::GroupInflight, Some("2"));
    assert_eq!(server.pull(&orders, 1_000), None);
    server.acknowledge(&orders, vec![got[1].claim()]);
    assert_eq!(server.pull_all(&orders, 1_000), [pushed[2]]);
}

#[test]
fn names_of_any_bytes_are_kept_apart() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let longest = "n".repeat(256);
    let groups = ["a", "a\0", "\0", "aa", longest.as_str(), &longest[1..]];
    let pushed = push_to(&mut server, &orders, &groups);
    push_to(&mut server, &orders, &groups);
    let got = server.pull_with(&orders, 99, 1_000, ALL).unwrap();
    assert_eq!(ids(&got), pushed, "one of each");
    for (got, group) in got.iter().zip(groups) {
        assert_eq!(got.group.as_deref(), Some(group.as_bytes()));
    }
}

#[test]
fn deliveries_for_good_take_turns_and_no_slots() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["a", "a", "b", ""]);
    let (_, got) = server.pull_as(&orders, 9, Mode::AtMostOnce, ALL, Vec::new()).unwrap();
    assert_eq!(ids(&got), [0, 2, 3, 1].map(|index: usize| pushed[index]));
    assert!(server.database.borrow().is_empty());
}

/// So many messages of a group that its record does not name them all.
const LONG: usize = 3 * Group::HEAD;

#[test]
fn a_long_group_is_delivered_in_the_order_of_its_pushes() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed = push_to(&mut server, &orders, &["a"; LONG]);
    assert_eq!(server.len(&orders, Part::Grouped), (LONG - Group::HEAD) as u64);
    let mut delivered = Vec::new();
    for round in 0..LONG {
        let got = server.pull(&orders, 1_000).unwrap();
        server.acknowledge(&orders, vec![got.claim()]);
        delivered.push(got.id);
        assert_eq!(limits::len(&mut server.store(&orders)), (LONG - 1 - round) as u64);
        assert_eq!(server.store(&orders).check(), []);
    }
    assert_eq!(delivered, pushed);
    assert!(server.database.borrow().is_empty());
}

#[test]
fn in_a_long_group_the_order_survives_returns_deletions_and_pushes() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::GroupInflight, Some("99"));
    let mut expected = push_to(&mut server, &orders, &["a"; LONG]);
    let got = server.pull_with(&orders, Group::HEAD as u32 + 3, 1_000, ALL).unwrap();
    expected.extend(push_to(&mut server, &orders, &["a", "a"]));
    // The last first: each comes before all that wait.
    for got in got.iter().rev() {
        server.nack(&orders, vec![got.claim()], Some(0));
        assert_eq!(server.store(&orders).check(), []);
    }
    for index in [LONG + 1, LONG - 2, Group::HEAD, 2, 0] {
        assert_eq!(server.delete(&orders, &[expected.remove(index)]), 1);
        assert_eq!(server.store(&orders).check(), []);
    }
    let peeked = inspect::peek(&mut server.store(&orders), Which::Ready(0), 4, 2 * LONG as u64);
    let peeked: Vec<_> = peeked.unwrap().iter().map(|seen| seen.body.id()).collect();
    assert_eq!(peeked, expected[4..]);
    assert_eq!(server.pull_all(&orders, 1_000), expected);
}

#[test]
fn a_peek_shows_groups_in_the_order_of_their_turns_then_those_without_a_free_slot() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let groups = [&["x"; LONG][..], &["c", "b", "", "b", "a", "c", "a", "b"]].concat();
    let pushed = push_to(&mut server, &orders, &groups);
    let of = |group| {
        let mine = groups.iter().zip(&pushed).filter(move |(name, _)| **name == group);
        mine.map(|(_, id)| *id).collect::<Vec<_>>()
    };
    // One of x and c is in flight.
    assert_eq!(server.pull_with(&orders, 2, 1_000, ALL).unwrap().len(), 2);
    let all = [of(""), of("b"), of("a"), of("c")[1..].to_vec(), of("x")[1..].to_vec()].concat();
    for skip in 0..=all.len() {
        for count in [1, 5, 99] {
            let which = Which::Ready(0);
            let seen =
                inspect::peek(&mut server.store(&orders), which, skip as u64, count).unwrap();
            let ids: Vec<_> = seen.iter().map(|seen| seen.body.id()).collect();
            let expected: Vec<_> = all.iter().skip(skip).take(count as usize).copied().collect();
            assert_eq!(ids, expected, "{skip} {count}");
        }
    }
}

#[test]
fn messages_that_are_pushed_together_have_a_number_each() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.push_many(&orders, &[b"x".to_vec(), b"y".to_vec(), b"z".to_vec()], &Asked::group("a"));
    let numbered: Head = [0, 1, 2].into_iter().zip(server.last_ids.clone()).collect();
    assert_eq!(server.store(&orders).group(b"a").head, numbered);
}
