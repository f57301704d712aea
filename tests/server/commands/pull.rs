//! MQ.PULL: the fields of a message, order, batches, visibility and receipts.

use crate::harness::*;

#[test]
fn a_message_has_exactly_the_seven_fields() {
    let server = Server::start();
    let mut client = server.client();
    let before_push = now_ms();
    let id = client.push("orders", "hello");
    let before_pull = now_ms();
    let message = client.pull("orders");
    let after = now_ms();

    assert_eq!((message.id, message.queue.as_str()), (id, "orders"));
    assert_eq!(message.payload, b"hello");
    assert!((before_push..=before_pull).contains(&message.timestamp), "{}", message.timestamp);
    assert_eq!(message.retry_count, 0);
    assert!((before_pull + 30_000..=after + 30_000).contains(&message.visibility_until));
    assert_eq!(message.receipt.len(), 16);
    assert!(
        message.receipt.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
        "{}",
        message.receipt
    );
    assert!(message.more.is_empty(), "{:?}", message.more);
}

#[test]
fn messages_come_in_the_order_of_their_pushes() {
    let server = Server::start();
    let mut client = server.client();
    let ids: Vec<String> = (0..50).map(|n| client.push("orders", n.to_string())).collect();
    let pulled: Vec<String> = (0..50).map(|_| client.pull("orders").id).collect();
    assert_eq!(pulled, ids);
}

#[test]
fn a_queue_with_nothing_ready_replies_null() {
    let server = Server::start();
    let mut client = server.client();
    client.pull_nothing("orders");
    client.push("orders", "one");
    client.pull("orders");
    client.pull_nothing("orders");
}

#[test]
fn a_batch_has_at_most_as_many_messages_as_asked_for() {
    let server = Server::start();
    let mut client = server.client();
    let ids: Vec<String> = (0..5).map(|n| client.push("orders", n.to_string())).collect();
    let first = client.pull_batch("orders COUNT 3");
    assert_eq!(
        first.iter().map(|message| &message.id).collect::<Vec<_>>(),
        ids[..3].iter().collect::<Vec<_>>()
    );
    let second = client.pull_batch("orders COUNT 10000");
    assert_eq!(
        second.iter().map(|message| &message.id).collect::<Vec<_>>(),
        ids[3..].iter().collect::<Vec<_>>()
    );
    assert_eq!(client.ask("MQ.PULL orders COUNT 3"), Value::Array(vec![]));
}

#[test]
fn a_batch_of_one_is_an_array_of_one_message() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let batch = client.pull_batch("orders COUNT 1");
    assert_eq!(batch.len(), 1);
    assert_eq!(batch[0].text(), "one");
}

/// The numbers that are the payloads of a batch.
fn numbers(client: &mut Client, arguments: &str) -> Vec<usize> {
    let batch = client.pull_batch(arguments);
    batch.iter().map(|message| message.text().trim().parse().expect("a number")).collect()
}

#[test]
fn batches_take_a_list_from_its_front_and_leave_the_rest() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    for size in [1, 100, 9_000] {
        let pushes: Vec<_> = (0..200).map(|n| format!("{n:size$}").into_bytes()).collect();
        for payload in &pushes {
            client.push("orders", payload);
        }
        let mut next = 0;
        for count in [1, 3, 8, 70, 7, 95, 9, 6] {
            let pulled = numbers(&mut client, &format!("orders COUNT {count}"));
            assert_eq!(pulled, (next..next + count).collect::<Vec<_>>(), "{size}");
            next += count;
            assert_eq!(client.lengths("orders")[0], (200 - next) as i64);
        }
        assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(vec![]));
        client.push("orders", "200");
        assert_eq!(numbers(&mut client, "orders COUNT 10"), [199, 200]);
        assert_eq!(client.number("EXISTS mq:{orders}:ready"), 0);
    }
    same_data(&mut client, &mut replica.client(), "the batches");
}

#[test]
fn a_batch_ends_before_an_unreadable_record() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 9 0 1 2 3 4 5 6 7 8");
    client.ask("RPUSH mq:{orders}:ready garbage");
    client.ask("MQ.MPUSH orders 2 9 10");
    assert_eq!(numbers(&mut client, "orders COUNT 100"), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(client.refused("MQ.PULL orders COUNT 100").starts_with("CORRUPT "));
    assert_eq!(numbers(&mut client, "orders COUNT 100"), [9, 10]);
    assert_eq!(client.text("LINDEX mq:{orders}:damaged 0"), "garbage");
}

#[test]
fn a_batch_notifies_nobody() {
    let server = Server::start_with(&[("notify-keyspace-events", "KEA")]);
    let (mut client, mut told) = (server.client(), server.client());
    for n in 0..30 {
        client.push("orders", n.to_string());
    }
    told.ask("PSUBSCRIBE __key*__:*");
    assert_eq!(numbers(&mut client, "orders COUNT 20").len(), 20);
    assert_eq!(numbers(&mut client, "orders COUNT 20").len(), 10);
    client.ask("SET other 1");
    let event = told.next_reply().expect("an event");
    assert!(text_of(&items(&event)[2]).ends_with(":other"), "{event:?}");
}

#[test]
fn a_batch_ends_after_the_message_that_brings_it_over_16_mebibytes() {
    let server = Server::start();
    let mut client = server.client();
    let mebibyte = 1024 * 1024;
    for _ in 0..5 {
        client.push("large", vec![b'x'; 6 * mebibyte]);
    }
    // 12 MiB are not over the limit, 18 are.
    assert_eq!(client.pull_batch("large COUNT 10").len(), 3);
    assert_eq!(client.pull_batch("large COUNT 10").len(), 2);

    for size in [16 * mebibyte, 1, 1] {
        client.push("exact", vec![b'x'; size]);
    }
    let sizes: Vec<usize> =
        client.pull_batch("exact COUNT 10").iter().map(|message| message.payload.len()).collect();
    assert_eq!(sizes, [16 * mebibyte, 1], "16 MiB are not over the limit, one byte more is");

    client.push("huge", vec![b'x'; 20 * mebibyte]);
    client.push("huge", "small");
    assert_eq!(
        client.pull_batch("huge COUNT 10").len(),
        1,
        "a message that is too large by itself comes alone"
    );
}

#[test]
fn a_delivered_message_is_invisible_until_its_visibility_ends() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders VISIBILITY 80");
    client.pull_nothing("orders");
    assert!(now_ms() < first.visibility_until, "this machine is too slow for the test");

    sleep_until_ms(first.visibility_until);
    let second = client.pull("orders");
    assert_eq!((second.id, second.retry_count), (first.id, 1));
    assert_eq!(second.timestamp, first.timestamp);
}

#[test]
fn the_visibility_of_a_pull_is_its_own_else_the_queues_else_30_seconds() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..3 {
        client.push("orders", "x");
    }
    let lasts = |client: &mut Client, arguments: &str, expected: i64| {
        let before = now_ms();
        let until = client.pull(arguments).visibility_until;
        assert!(
            (before + expected..=now_ms() + expected).contains(&until),
            "MQ.PULL {arguments}: until {until}"
        );
    };
    lasts(&mut client, "orders", 30_000);
    client.ask("MQ.CONFIG orders VISIBILITY 5000");
    lasts(&mut client, "orders", 5_000);
    lasts(&mut client, "orders VISIBILITY 31536000000", 31_536_000_000);
}

#[test]
fn a_message_returned_by_expiry_keeps_its_place() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["one", "two", "three"] {
        client.push("orders", payload);
        sleep_until_ms(now_ms() + 2);
    }
    let first = client.pull("orders VISIBILITY 1");
    sleep_until_ms(first.visibility_until);
    eventually("it is back", || client.lengths("orders") == [3, 0, 0]);
    let order: Vec<String> = (0..3).map(|_| client.pull("orders").text().to_string()).collect();
    assert_eq!(order, ["one", "two", "three"]);
}

#[test]
fn receipts_of_a_message_rise_with_each_delivery() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let mut last = String::new();
    for retry_count in 0..6 {
        let message = client.pull("orders VISIBILITY 1");
        assert_eq!(message.retry_count, retry_count);
        assert!(message.receipt > last, "{} after {last}", message.receipt);
        last = message.receipt;
        sleep_until_ms(message.visibility_until);
    }
}

#[test]
fn receipts_rise_across_the_messages_of_a_queue() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..300 {
        client.push("orders", n.to_string());
    }
    let mut receipts: Vec<String> = (0..50).map(|_| client.pull("orders").receipt).collect();
    receipts
        .extend(client.pull_batch("orders COUNT 250").into_iter().map(|message| message.receipt));
    assert_eq!(receipts.len(), 300);
    for pair in receipts.windows(2) {
        assert!(pair[0] < pair[1], "{} came before {}", pair[0], pair[1]);
    }
}

#[test]
fn two_clients_never_get_the_same_delivery() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..400 {
        client.push("orders", n.to_string());
    }
    let mut ids: Vec<String> = std::thread::scope(|scope| {
        let pull_all = || {
            let mut client = server.client();
            let mut ids = Vec::new();
            while let Value::Array(fields) = client.ask("MQ.PULL orders") {
                ids.push(Message::from(&Value::Array(fields)).id);
            }
            ids
        };
        let pullers: Vec<_> = (0..4).map(|_| scope.spawn(pull_all)).collect();
        pullers.into_iter().flat_map(|puller| puller.join().expect("a puller's ids")).collect()
    });
    assert_eq!(ids.len(), 400);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 400);
}

#[test]
fn the_options_of_a_pull_come_in_any_order() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..6 {
        client.push("orders", "x");
    }
    for options in [
        "COUNT 1 VISIBILITY 60000 BLOCK 1",
        "COUNT 1 BLOCK 1 VISIBILITY 60000",
        "VISIBILITY 60000 COUNT 1 BLOCK 1",
        "VISIBILITY 60000 BLOCK 1 COUNT 1",
        "BLOCK 1 COUNT 1 VISIBILITY 60000",
        "BLOCK 1 VISIBILITY 60000 COUNT 1",
    ] {
        let before = now_ms();
        let batch = client.pull_batch(&format!("orders {options}"));
        assert_eq!(batch.len(), 1, "{options}");
        assert!(
            (before + 60_000..=now_ms() + 60_000).contains(&batch[0].visibility_until),
            "{options}"
        );
    }
}
