//! Priorities and aging.

use super::*;

#[test]
fn the_highest_priority_goes_first_and_equal_ones_in_the_order_of_arrival() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let pushed: Vec<_> =
        [0, 5, 9, 5, 0, 1].map(|priority| server.add(&orders, &Asked::priority(priority))).into();
    let got = server.pull_with(&orders, 10, 100, ALL).unwrap();
    let expected = [2, 1, 3, 5, 0, 4].map(|index: usize| pushed[index]);
    assert_eq!(ids(&got), expected);
    assert_eq!(got.iter().map(|m| m.priority).collect::<Vec<_>>(), [9, 5, 5, 1, 0, 0]);
}

#[test]
fn one_that_arrives_later_with_a_higher_priority_overtakes() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let plain = server.add(&orders, &Asked::default());
    server.now_ms += 1_000;
    let urgent = server.add(&orders, &Asked::priority(1));
    assert_eq!(server.pull_all(&orders, 100), [urgent, plain]);
}

#[test]
fn a_message_that_comes_back_keeps_its_priority() {
    for is_given_back in [true, false] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        let urgent = server.add(&orders, &Asked::priority(3));
        let got = server.pull(&orders, 100).unwrap();
        if is_given_back {
            server.nack(&orders, vec![got.claim()], Some(0));
        } else {
            server.now_ms += 100;
        }
        let plain = server.add(&orders, &Asked::priority(2));
        let again = server.pull_with(&orders, 9, 100, ALL).unwrap();
        assert_eq!(ids(&again), [urgent, plain], "given back: {is_given_back}");
        assert_eq!((again[0].priority, again[0].retry_count), (3, 1));
    }
}

#[test]
fn a_delayed_one_has_its_priority_when_it_is_due() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let urgent = server.add(&orders, &Asked { delay_ms: 50, ..Asked::priority(9) });
    let first = server.add(&orders, &Asked::priority(1));
    let second = server.add(&orders, &Asked::priority(1));
    assert_eq!(server.pull(&orders, 1_000).unwrap().id, first);
    server.now_ms += 50;
    assert_eq!(server.pull_all(&orders, 1_000), [urgent, second]);
}

#[test]
fn a_head_that_is_ready_for_longer_than_aging_goes_first() {
    // How long the plain one has been ready, and whether it goes first.
    for (age_ms, is_first) in [(99, false), (100, false), (101, true)] {
        let (mut server, orders) = (Server::new(), queue("orders"));
        server.configure(&orders, Setting::Aging, Some("100"));
        let plain = server.add(&orders, &Asked::default());
        server.now_ms += age_ms;
        let urgent = server.add(&orders, &Asked::priority(9));
        let expected = if is_first { [plain, urgent] } else { [urgent, plain] };
        assert_eq!(server.pull_all(&orders, 1_000), expected, "{age_ms}");
    }
}

#[test]
fn of_several_aged_heads_the_one_ready_longest_goes_first() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Aging, Some("100"));
    let second = server.add(&orders, &Asked::priority(4));
    server.now_ms -= 1;
    server.last_id_ms = server.now_ms;
    let first = server.add(&orders, &Asked::priority(2));
    server.now_ms += 10;
    let fourth = server.add(&orders, &Asked::priority(2));
    let third = server.add(&orders, &Asked::priority(7));
    server.now_ms += 200;
    let last = server.add(&orders, &Asked::priority(9));
    // Equally old ones: the higher priority.
    assert_eq!(server.pull_all(&orders, 1_000), [first, second, third, fourth, last]);
}

#[test]
fn without_aging_a_lower_priority_waits_as_long_as_it_takes() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    let plain = server.add(&orders, &Asked::default());
    server.now_ms += 1_000_000_000;
    let urgent = server.add(&orders, &Asked::priority(1));
    assert_eq!(server.pull_all(&orders, 1_000), [urgent, plain]);
}

#[test]
fn a_priority_leaves_nothing_behind() {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.add(&orders, &Asked::priority(9));
    let got = server.pull(&orders, 100).unwrap();
    server.acknowledge(&orders, vec![got.claim()]);
    assert!(server.database.borrow().is_empty());
}
