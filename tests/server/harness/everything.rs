//! A queue `orders` with a message in every state, for tests of what must survive a restart, a copy
//! or a promotion. Nothing in it becomes due by itself within a test.

use super::*;

pub struct Everything {
    /// In flight, never returned.
    inflight: Message,
    /// In flight for the second time.
    inflight_again: Message,
    /// Its visibility ended; it waits, and this receipt still acknowledges it.
    expired: Message,
    /// Given back; it waits behind `expired`.
    nacked: Message,
    /// Given back for later.
    for_later: Message,
    /// Never delivered; it waits behind `nacked`.
    waiting: String,
    /// Pushed with a delay.
    delayed: String,
    /// Dead, in `{orders}:dead`.
    dead: Message,
}

/// Makes that queue in the client's database.
pub fn fill(client: &mut Client) -> Everything {
    let settings = "MAXRETRIES 1 VISIBILITY 3600000 BACKOFFMAX 7777";
    client.ask(&format!("MQ.CONFIG orders {settings}"));
    let push_and_pull = |client: &mut Client, payload: &str, options: &str| {
        client.push("orders", payload);
        client.pull(&format!("orders {options}"))
    };
    let first = push_and_pull(client, "dead", "");
    client.nack(&first);
    let dead = client.pull("orders");
    client.nack(&dead);

    let inflight = push_and_pull(client, "in flight", "");
    let first = push_and_pull(client, "in flight again", "");
    client.nack(&first);
    let inflight_again = client.pull("orders");
    let for_later = push_and_pull(client, "for later", "");
    client.ask(&format!("MQ.NACK {} DELAY 3600000", for_later.delivery()));
    let nacked = push_and_pull(client, "nacked", "");
    let expired = push_and_pull(client, "expired", "VISIBILITY 1");
    eventually("the expired message is back", || client.number("MQ.LEN orders READY") == 1);
    sleep_until_ms(now_ms() + 2);
    client.nack(&nacked);
    sleep_until_ms(now_ms() + 2);
    let waiting = client.push("orders", "waiting");
    let delayed = client.text("MQ.PUSH orders delayed DELAY 7200000");
    Everything { inflight, inflight_again, expired, nacked, for_later, waiting, delayed, dead }
}

/// Fails unless that queue, wherever it is now, is as it was; works through it. `queue` is its name
/// now.
pub fn check(client: &mut Client, everything: &Everything, queue: &str) {
    assert_eq!(client.lengths(queue), [3, 2, 2]);
    let settings = client.map(&format!("MQ.CONFIG {queue}"));
    assert_eq!(
        (settings["maxretries"].as_str(), settings["visibility"].as_str()),
        ("1", "3600000")
    );
    assert_eq!(client.queue_info(queue, "highest_retry_count"), 1);
    let due = client.queue_info(queue, "next_due_at");
    assert_eq!(
        due,
        everything.inflight.visibility_until.min(everything.inflight_again.visibility_until)
    );

    // The receipts from before still hold: of a late acknowledgment, and of a running delivery.
    let with_pair =
        |command: &str, message: &Message| format!("{command} {queue} {}", message.pair());
    assert_eq!(client.number(&with_pair("MQ.ACK", &everything.expired)), 1);
    assert_eq!(client.number(&with_pair("MQ.ACK", &everything.inflight)), 1);
    let error = client.refused(&with_pair("MQ.ACK", &everything.nacked));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert!(client.number(&with_pair("MQ.EXTEND", &everything.inflight_again)) > 0);

    let again = client.pull(queue);
    assert_eq!((&again.id, again.retry_count), (&everything.nacked.id, 1));
    assert_eq!(again.payload, everything.nacked.payload);
    assert_eq!(again.timestamp, everything.nacked.timestamp);
    let newest = [&everything.inflight_again, &everything.nacked].map(|message| &message.receipt);
    assert!(newest.iter().all(|receipt| again.receipt > **receipt), "receipts go on rising");
    let plain = client.pull(queue);
    assert_eq!((&plain.id, plain.text(), plain.retry_count), (&everything.waiting, "waiting", 0));
    client.pull_nothing(queue);

    // One retry more than allowed.
    assert_eq!(client.number(&(with_pair("MQ.NACK", &everything.inflight_again) + " DELAY 0")), 1);
    assert_eq!(client.lengths(queue), [0, 2, 2]);
    let delayed = strings(&client.ask(&format!("ZRANGE mq:{{{queue}}}:delayed 0 -1")));
    assert_eq!(delayed.len(), 2);
    let first_due = client.queue_info(queue, "next_due_at");
    assert!(first_due > everything.for_later.timestamp + 3_500_000);
    assert!(everything.delayed > everything.for_later.id);

    let dead = client.pull_batch(&format!("{} COUNT 10", settings["deadletter"]));
    let old =
        dead.iter().find(|message| message.id == everything.dead.id).expect("the dead message");
    assert_eq!(
        (old.text(), old.timestamp, old.retry_count),
        ("dead", everything.dead.timestamp, 0)
    );
    assert!(old.receipt > everything.dead.receipt);
    assert_eq!(
        (old.more["dead_from"].as_str(), old.more["dead_retries"].as_str()),
        ("orders", "1")
    );
    assert!(dead.iter().any(|message| message.id == everything.inflight_again.id));
    assert_eq!(dead.len(), 2);
}
