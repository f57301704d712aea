//! MQ.NACK: a consumer gives a message back before its visibility ends.

use crate::harness::*;

#[test]
fn a_message_given_back_comes_with_one_retry_more_after_the_backoff() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.NACK {}", first.delivery())), 1);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 1_000..=now_ms() + 1_000).contains(&due), "a second by default");
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    sleep_until_ms(due);
    let second = client.pull("orders");
    assert_eq!((&second.id, second.retry_count, second.timestamp), (&first.id, 1, first.timestamp));
    assert!(second.receipt > first.receipt);
    assert_eq!(client.queue_info("orders", "nacked"), 1);
    assert_eq!(client.queue_info("orders", "expired"), 0);
}

#[test]
fn a_message_given_back_stands_behind_all_that_wait() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["one", "two", "three"] {
        client.push("orders", payload);
    }
    let first = client.pull("orders");
    sleep_until_ms(now_ms() + 2);
    client.give_back(&first);
    sleep_until_ms(now_ms() + 2);
    client.push("orders", "four");
    let order: Vec<String> = (0..4).map(|_| client.pull("orders").text().to_string()).collect();
    assert_eq!(order, ["two", "three", "one", "four"]);
}

#[test]
fn a_message_given_back_with_a_delay_waits_for_its_end() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 100", message.delivery())), 1);
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 100..=now_ms() + 100).contains(&due), "due at {due}");
    client.pull_nothing("orders");
    sleep_until_ms(due);
    assert_eq!(client.pull("orders").retry_count, 1);
}

#[test]
fn giving_back_uses_the_receipt_up() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.give_back(&message);
    for line in [
        format!("MQ.NACK {}", message.delivery()),
        format!("MQ.EXTEND {}", message.delivery()),
        format!("MQ.ACK {}", message.delivery()),
    ] {
        let error = client.refused(&line);
        assert!(error.starts_with("BADRECEIPT "), "{line}: {error}");
    }
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 1);
}

#[test]
fn giving_back_needs_a_delivery_that_still_runs() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 1");
    eventually("the message waits again", || client.number("MQ.LEN orders READY") == 1);
    let error = client.refused(&format!("MQ.NACK {}", message.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");

    let second = client.pull("orders VISIBILITY 30");
    let late = format!("MQ.NACK {}", second.delivery());
    let replies = client.pipeline(&["DEBUG SLEEP 0.1".into(), late]);
    let error = replies[1].clone().expect_err("a refusal");
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.pull("orders").retry_count, 2, "the end of a visibility is counted once");
}

#[test]
fn unknown_messages_and_wrong_receipts_are_told_apart() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let error = client.refused(&format!("MQ.NACK orders {} 0000000000000001", message.id));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    let error = client.refused(&format!("MQ.NACK orders nonsense {}", message.receipt));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    let waiting = client.push("orders", "two");
    let error = client.refused(&format!("MQ.NACK orders {waiting} {}", message.receipt));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    client.acknowledge(&message);
    let error = client.refused(&format!("MQ.NACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
}

#[test]
fn several_messages_are_given_back_each_by_itself() {
    let server = Server::start();
    let mut client = server.client();
    for payload in ["one", "two", "three"] {
        client.push("orders", payload);
    }
    let batch = client.pull_batch("orders COUNT 3");
    let line = format!(
        "MQ.NACK orders IDS 5 {} {} 0000000000000001 nonsense {} {} {} DELAY 60000",
        batch[0].pair(),
        batch[1].id,
        batch[0].receipt,
        batch[2].pair(),
        batch[2].pair(),
    );
    // The last pair names a message that is there, but its receipt has been used up.
    assert_eq!(client.numbers(&line), [1, -1, 0, 1, -1]);
    assert_eq!(client.lengths("orders"), [0, 1, 2]);
}

#[test]
fn a_message_given_back_stands_behind_those_of_the_same_millisecond() {
    let server = Server::start();
    let mut client = server.client();
    for push in [
        "redis.call('MQ.PUSH', KEYS[1], '1') redis.call('MQ.PUSH', KEYS[1], '2')",
        "redis.call('MQ.MPUSH', KEYS[1], 2, '1', '2')",
        "redis.call('MQ.MPUSH', KEYS[1], 2, '1', '2', 'PRIORITY', 5)",
        "redis.call('MQ.MPUSH', KEYS[1], 2, '1', '2', 'TTL', 60000)",
    ] {
        let script = format!(
            "{push}
            local m = redis.call('MQ.PULL', KEYS[1])
            redis.call('MQ.NACK', KEYS[1], m[2], m[14], 'NOCOUNT')
            local order = m[6]
            for _ = 1, 2 do
                m = redis.call('MQ.PULL', KEYS[1])
                redis.call('MQ.ACK', KEYS[1], m[2], m[14])
                order = order .. m[6]
            end
            return order"
        );
        for _ in 0..100 {
            let order = client.reply(&["EVAL", &script, "1", "orders"]).expect("an order");
            assert_eq!(text_of(&order), "121", "{push}");
        }
    }
}

#[test]
fn messages_given_back_together_keep_their_order() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..10 {
        client.push("orders", n.to_string());
    }
    let batch = client.pull_batch("orders COUNT 10");
    let pairs: Vec<String> = batch.iter().map(Message::pair).collect();
    assert_eq!(
        client.numbers(&format!("MQ.NACK orders IDS 10 {} DELAY 0", pairs.join(" "))),
        vec![1; 10]
    );
    let again = client.pull_batch("orders COUNT 10");
    let ids =
        |batch: &[Message]| batch.iter().map(|message| message.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&batch));
}
