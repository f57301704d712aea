//! Messages that return too often, and the queue that takes them.

use crate::harness::*;

/// Pulls and nacks until the message does not come again; returns how often it came.
fn deliveries_until_death(client: &mut Client, queue: &str) -> i64 {
    let mut deliveries = 0;
    while client.number(&format!("MQ.LEN {queue}")) > 0 {
        let message = client.pull(queue);
        assert_eq!(message.retry_count, deliveries);
        client.nack(&message);
        deliveries += 1;
    }
    deliveries
}

#[test]
fn a_message_is_delivered_once_more_than_it_may_be_retried() {
    let server = Server::start();
    let mut client = server.client();
    for max_retries in [0, 1, 4] {
        client.ask(&format!("MQ.CONFIG orders MAXRETRIES {max_retries}"));
        client.push("orders", "one");
        assert_eq!(deliveries_until_death(&mut client, "orders"), max_retries + 1);
    }
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 3);
}

#[test]
fn without_a_limit_a_message_never_dies() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES -1");
    client.push("orders", "one");
    for retry_count in 0..50 {
        let message = client.pull("orders");
        assert_eq!(message.retry_count, retry_count);
        client.nack(&message);
    }
    assert_eq!(client.number("MQ.LEN orders"), 1);
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 0);
}

#[test]
fn a_dead_message_says_where_when_and_why_it_died() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 1");
    client.push("orders", "one");
    let first = client.pull("orders");
    client.nack(&first);
    let last = client.pull("orders");
    let before = now_ms();
    client.nack(&last);
    let after = now_ms();

    let dead = client.pull("{orders}:dead");
    assert_eq!(
        (&dead.id, &dead.payload, dead.timestamp),
        (&first.id, &first.payload, first.timestamp)
    );
    assert_eq!((dead.queue.as_str(), dead.retry_count), ("{orders}:dead", 0));
    assert!(dead.receipt > last.receipt, "receipts of a message rise over its death");
    let names: Vec<&str> = dead.more.keys().map(String::as_str).collect();
    let expected =
        ["dead_at", "dead_from", "dead_reason", "dead_retries", "deliveries", "first_delivered_at"];
    assert_eq!(names, expected);
    assert_eq!(dead.more["dead_from"], "orders");
    assert_eq!(dead.more["dead_reason"], "retries");
    assert_eq!(dead.more["dead_retries"], "1");
    let died: i64 = dead.more["dead_at"].parse().expect("a time");
    assert!((before..=after).contains(&died), "died at {died}");
}

#[test]
fn the_fields_of_a_dead_message_come_in_their_order_and_are_numbers_and_texts() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    let fields = entries(&client.ask("MQ.PULL {orders}:dead"));
    let names: Vec<&str> = fields[7..].iter().map(|(name, _)| name.as_str()).collect();
    let of_deliveries = ["deliveries", "first_delivered_at"];
    let of_death = ["dead_from", "dead_at", "dead_reason", "dead_retries"];
    assert_eq!(names, [&of_deliveries[..], &of_death].concat());
    let is_number: Vec<bool> =
        fields[9..].iter().map(|(_, v)| matches!(v, Value::Int(_))).collect();
    assert_eq!(is_number, [false, true, false, true]);
}

#[test]
fn a_message_dies_when_its_visibility_ends() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "one");
    client.pull("orders VISIBILITY 1");
    eventually("the message is dead", || client.number("MQ.LEN {orders}:dead") == 1);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    assert_eq!(client.queue_info("orders", "dead"), 1);
    assert_eq!(client.queue_info("orders", "deadletter_waiting"), 1);
}

#[test]
fn a_dead_message_goes_to_the_named_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0 DEADLETTER graveyard");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    assert_eq!(client.queue_info("orders", "deadletter_waiting"), 1);
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 0);
    let dead = client.pull("graveyard");
    assert_eq!((dead.id, dead.more["dead_from"].as_str()), (message.id, "orders"));
}

#[test]
fn a_dead_letter_queue_is_an_ordinary_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    client.push("{orders}:dead", "pushed by hand");
    assert_eq!(client.lengths("{orders}:dead"), [2, 0, 0]);
    let batch = client.pull_batch("{orders}:dead COUNT 10 VISIBILITY 60000");
    assert_eq!(batch.len(), 2);
    let dead = batch.iter().find(|one| one.text() == "one").expect("the dead message");
    let plain = batch.iter().find(|one| one.text() == "pushed by hand").expect("the pushed one");
    assert!(plain.more.is_empty(), "{:?}", plain.more);
    client.number(&format!("MQ.EXTEND {}", dead.delivery()));
    client.acknowledge(dead);
    client.acknowledge(plain);
    client.ask("MQ.CONFIG orders MAXRETRIES 25");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_dead_message_never_dies_again() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.ask("MQ.CONFIG {orders}:dead MAXRETRIES 0");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    for retry_count in 0..5 {
        let dead = client.pull("{orders}:dead");
        assert_eq!(dead.retry_count, retry_count);
        assert_eq!(dead.more["dead_from"], "orders");
        assert_eq!(dead.more["dead_retries"], "0");
        client.nack(&dead);
    }
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 1);
    assert_eq!(client.number("MQ.LEN {orders}:dead:dead"), 0);

    client.push("{orders}:dead", "an ordinary message here dies");
    for message in client.pull_batch("{orders}:dead COUNT 2") {
        client.nack(&message);
    }
    assert_eq!(client.number("MQ.LEN {orders}:dead:dead"), 1);
}

#[test]
fn two_queues_may_be_each_others_dead_letter_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG a MAXRETRIES 0 DEADLETTER b");
    client.ask("MQ.CONFIG b MAXRETRIES 0 DEADLETTER a");
    client.push("a", "one");
    let message = client.pull("a");
    client.nack(&message);
    for _ in 0..3 {
        let message = client.pull("b");
        assert_eq!(message.more["dead_from"], "a");
        client.nack(&message);
    }
    assert_eq!((client.number("MQ.LEN a"), client.number("MQ.LEN b")), (0, 1));
}

#[test]
fn a_message_of_a_dead_letter_queue_that_expires_returns_there() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    let dead = client.pull("{orders}:dead VISIBILITY 1");
    eventually("it is back", || client.number("MQ.LEN {orders}:dead READY") == 1);
    let again = client.pull("{orders}:dead");
    assert_eq!((&again.id, again.retry_count), (&dead.id, 1));
    assert_eq!((&*dead.more["deliveries"], &*again.more["deliveries"]), ("2", "3"));
    let but_for_number = |mut message: Message| {
        message.more.remove("deliveries");
        message.more
    };
    assert_eq!(but_for_number(again), but_for_number(dead));
}

#[test]
fn many_messages_die_together_and_none_is_lost() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let pushes: Vec<String> = (0..3000).map(|n| format!("MQ.PUSH orders {n}")).collect();
    for reply in client.pipeline(&pushes) {
        reply.expect("an id");
    }
    let batch = client.pull_batch("orders COUNT 3000 VISIBILITY 1");
    eventually("all are dead", || client.number("MQ.LEN {orders}:dead READY") == 3000);
    let mut ids: Vec<String> = batch.into_iter().map(|message| message.id).collect();
    let dead = client.pull_batch("{orders}:dead COUNT 3000");
    let mut dead_ids: Vec<String> = dead.into_iter().map(|message| message.id).collect();
    ids.sort();
    dead_ids.sort();
    assert_eq!(ids, dead_ids);
    assert_eq!(client.queue_info("orders", "dead"), 3000);
}

#[test]
fn a_message_stays_where_its_dead_letter_queue_cannot_take_it() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    // A key of the dead-letter queue has a wrong type, whichever of them a dead message needs.
    let parts = ["ready", "ranked", "messages", "notes"];
    for part in parts {
        client.ask(&format!("SET mq:{{orders}}:dead:{part} wrong"));
    }
    client.push("orders", "nacked");
    client.push("orders", "expired");
    let nacked = client.pull("orders");
    client.nack(&nacked);
    client.pull("orders VISIBILITY 1");
    client.push("other", "the sweep goes on");
    client.pull("other VISIBILITY 1");
    eventually("the other queue's message is back", || client.number("MQ.LEN other READY") == 1);
    eventually("both refusals are counted", || {
        client.info("mq")["mq_dead_letters_refused"].parse::<i64>().expect("a number") >= 2
    });
    assert_eq!(client.number("MQ.LEN orders"), 2, "nothing is lost");
    assert!(server.log().contains("dead"), "the log says so");

    for part in parts {
        client.number(&format!("DEL mq:{{orders}}:dead:{part}"));
    }
    // It can be delivered again, or dies at a later return now that it can; but it is not gone.
    let total = |client: &mut Client| {
        client.number("MQ.LEN orders") + client.number("MQ.LEN {orders}:dead")
    };
    assert_eq!(total(&mut client), 2);
    while client.number("MQ.LEN orders READY") > 0 {
        let message = client.pull("orders");
        client.nack(&message);
    }
    eventually("both are dead at last", || client.number("MQ.LEN {orders}:dead READY") == 2);
}

#[test]
fn a_dead_message_wakes_a_client_that_waits_for_dead_messages() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    for by_expiry in [false, true] {
        let waiting = server.waiting("MQ.PULL {orders}:dead BLOCK 0");
        client.push("orders", "one");
        let message = client.pull(if by_expiry { "orders VISIBILITY 1" } else { "orders" });
        if !by_expiry {
            client.nack(&message);
        }
        let (dead, _) = waiting.message();
        assert_eq!(dead.id, message.id);
    }
}
