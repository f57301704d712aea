//! EXPIRES: when a queue is dropped, and what keeps it.

use super::*;
use crate::queue::records::StoredNumber;
use crate::queue::unused;

impl Server {
    fn expire(&mut self, queue: &QueueName) -> bool {
        self.number(queue, &op::Expire { now_ms: self.now_ms }) == 1
    }

    fn use_it(&mut self, queue: &QueueName) {
        self.run(queue, &op::Use { now_ms: self.now_ms }).unwrap();
    }

    fn used_at_ms(&self, queue: &QueueName) -> Option<u64> {
        self.store(queue).stored_number(StoredNumber::UsedAt).map(|ms| ms - START_MS)
    }
}

fn with_expires(expires_ms: &str) -> (Server, QueueName) {
    let (mut server, orders) = (Server::new(), queue("orders"));
    server.configure(&orders, Setting::Expires, Some(expires_ms));
    server.use_it(&orders);
    (server, orders)
}

#[test]
fn it_is_dropped_between_one_and_five_quarters_after_its_last_use() {
    // The time of the last use, and when the queue goes.
    for (used_ms, gone_ms) in [(0, 500), (99, 500), (100, 600), (199, 699), (430, 930)] {
        let (mut server, orders) = with_expires("400");
        server.push(&orders, b"x", 0);
        server.now_ms = START_MS + used_ms;
        server.pull(&orders, 10_000);
        server.now_ms = START_MS + gone_ms - 1;
        assert!(!server.expire(&orders), "{used_ms}");
        server.now_ms += 1;
        assert!(server.expire(&orders), "{used_ms}");
        assert!(server.database.borrow().is_empty());
    }
}

#[test]
fn pushes_of_all_kinds_pulls_and_waits_are_uses_and_nothing_else_is() {
    type Use = fn(&mut Server, &QueueName);
    let uses: [(bool, Use); 9] = [
        (true, |server, orders| {
            server.push(orders, b"x", 0);
        }),
        (true, |server, orders| {
            server.push(orders, b"x", 5);
        }),
        (true, |server, orders| drop(server.push_with(orders, b"x", &Asked::until_done("k")))),
        (true, |server, orders| drop(server.pull(orders, 5))),
        (true, |server, orders| server.use_it(orders)),
        (false, |server, orders| drop(server.sweep(orders, 10))),
        (false, |server, orders| server.configure(orders, Setting::MaxRetries, Some("1"))),
        (false, |server, orders| {
            server.delete(orders, &[MessageId([7; 16])]);
        }),
        (false, |server, orders| {
            server.number(orders, &op::Purge);
        }),
    ];
    for (number, (is_use, act)) in uses.into_iter().enumerate() {
        let (mut server, orders) = with_expires("400");
        server.add(&orders, &Asked::until_done("k"));
        server.now_ms += 250;
        act(&mut server, &orders);
        assert_eq!(server.used_at_ms(&orders), Some(if is_use { 250 } else { 0 }), "{number}");
    }
}

#[test]
fn a_change_of_the_setting_starts_the_time_anew() {
    let (mut server, orders) = with_expires("400");
    server.now_ms += 499;
    server.configure(&orders, Setting::Expires, Some("40"));
    assert_eq!(server.used_at_ms(&orders), None);
    assert!(!server.expire(&orders));
    server.sweep(&orders, 10);
    assert_eq!(server.used_at_ms(&orders), None);
    assert!(unused::has_not_begun(&mut server.store(&orders)));
    server.use_it(&orders);
    assert_eq!(server.used_at_ms(&orders), Some(499));
    assert!(!unused::has_not_begun(&mut server.store(&orders)));
    server.configure(&orders, Setting::Expires, None);
    assert!(server.database.borrow().is_empty());
}
