//! MQ.ACK: what it removes, what it refuses, and acknowledgments that come after the visibility
//! ended.

use crate::harness::*;

#[test]
fn an_acknowledged_message_is_gone() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 1");
    assert_eq!(client.number(&format!("MQ.ACK {}", message.delivery())), 1);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    sleep_until_ms(message.visibility_until + 5);
    client.pull_nothing("orders");
    assert_eq!(client.number("DBSIZE"), 0, "an acknowledged message leaves nothing behind");
}

#[test]
fn an_acknowledged_message_that_had_been_retried_leaves_nothing_behind() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    let message = client.pull("orders VISIBILITY 1");
    sleep_until_ms(message.visibility_until);
    let message = client.pull("orders");
    assert_eq!(message.retry_count, 2);
    client.acknowledge(&message);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn an_acknowledged_message_is_not_found_again() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.acknowledge(&message);
    let error = client.refused(&format!("MQ.ACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
}

#[test]
fn a_message_that_was_never_delivered_is_not_found() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = client.push("orders", "one");
    let delayed = client.text("MQ.PUSH orders two DELAY 60000");
    for id in [waiting, delayed, "01890a5d-ac96-774b-bcce-b302099a8057".into()] {
        let error = client.refused(&format!("MQ.ACK orders {id} 0000000000000001"));
        assert!(error.starts_with("NOTFOUND "), "{error}");
    }
    assert_eq!(client.lengths("orders"), [1, 0, 1]);
}

#[test]
fn an_id_that_is_no_uuid_is_not_found() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let shortened = &message.id[..message.id.len() - 1];
    let longer = format!("{}0", message.id);
    for id in
        ["x", "\"\"", "-1", shortened, longer.as_str(), "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"]
    {
        let error = client.refused(&format!("MQ.ACK orders {id} {}", message.receipt));
        assert!(error.starts_with("NOTFOUND "), "{id}: {error}");
    }
    client.acknowledge(&message);
}

#[test]
fn a_message_of_another_queue_is_not_found() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let error = client.refused(&format!("MQ.ACK mails {}", message.pair()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    client.acknowledge(&message);
}

#[test]
fn a_receipt_that_is_not_the_deliverys_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    let (message, other) = (client.pull("orders"), client.pull("orders"));
    let shortened = &message.receipt[..15];
    let longer = format!("{}0", message.receipt);
    let bad =
        ["0000000000000000", "ffffffffffffffff", "x", "\"\"", shortened, &longer, &other.receipt];
    for receipt in bad {
        let error = client.refused(&format!("MQ.ACK orders {} {receipt}", message.id));
        assert!(error.starts_with("BADRECEIPT "), "{receipt}: {error}");
    }
    assert_eq!(client.queue_info("orders", "bad_receipts"), bad.len() as i64);
    client.acknowledge(&message);
    client.acknowledge(&other);
}

#[test]
fn the_receipt_of_an_earlier_delivery_is_refused_while_a_newer_one_runs() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders VISIBILITY 1");
    sleep_until_ms(first.visibility_until);
    let second = client.pull("orders");
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.acknowledge(&second);
}

#[test]
fn a_late_acknowledgment_is_accepted_before_anybody_noticed_the_end() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 30");
    // Nothing runs between the two commands, so the visibility ends unseen.
    let late = format!("MQ.ACK {}", message.delivery());
    let replies = client.pipeline(&["DEBUG SLEEP 0.1".into(), late]);
    assert_eq!(replies[1], Ok(Value::Int(1)));
    client.pull_nothing("orders");
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(client.queue_info("orders", "acked"), 1);
    assert_eq!(client.queue_info("orders", "late_acks"), 1);
}

#[test]
fn a_late_acknowledgment_is_accepted_while_the_message_waits_again() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 1");
    eventually("the message waits again", || client.number("MQ.LEN orders READY") == 1);
    client.acknowledge(&message);
    client.pull_nothing("orders");
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(client.queue_info("orders", "late_acks"), 1);
    let error = client.refused(&format!("MQ.ACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
}

#[test]
fn a_late_acknowledgment_is_accepted_while_the_message_is_backing_off() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 60000");
    client.push("orders", "one");
    let mut holder = server.client();
    let message = holder.pull("orders ONDISCONNECT");
    drop(holder);
    eventually("the message is delayed", || client.number("MQ.LEN orders DELAYED") == 1);
    client.acknowledge(&message);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 0);
}

#[test]
fn only_the_receipt_of_the_last_delivery_is_accepted_late() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders VISIBILITY 1");
    sleep_until_ms(first.visibility_until);
    let second = client.pull("orders VISIBILITY 1");
    eventually("the message waits again", || client.number("MQ.LEN orders READY") == 1);
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.number("MQ.LEN orders READY"), 1);
    client.acknowledge(&second);
    assert_eq!(client.number("MQ.LEN orders"), 0);
}

#[test]
fn a_receipt_used_up_by_a_nack_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    let error = client.refused(&format!("MQ.ACK {}", message.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.number("MQ.LEN orders READY"), 1);
}

#[test]
fn a_dead_message_is_not_found_in_the_queue_where_it_died() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 1");
    eventually("the message is dead", || client.number("MQ.LEN {orders}:dead") == 1);
    let error = client.refused(&format!("MQ.ACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    let error = client.refused(&format!("MQ.ACK {{orders}}:dead {}", message.pair()));
    assert!(error.starts_with("NOTFOUND ") || error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 1);
}

#[test]
fn several_acknowledgments_take_effect_each_by_itself() {
    let server = Server::start();
    let mut client = server.client();
    let batch = client.three_in_flight("orders");
    let line = format!(
        "MQ.ACK orders IDS 5 {} {} ffffffffffffffff nonsense {} {} {}",
        batch[0].pair(),
        batch[1].id,
        batch[0].receipt,
        batch[2].pair(),
        batch[2].pair(),
    );
    assert_eq!(client.numbers(&line), [1, -1, 0, 1, 0]);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.acknowledge(&batch[1]);
}

#[test]
fn one_pair_after_ids_replies_with_an_array() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let line = format!("MQ.ACK orders ids 1 {}", message.pair());
    assert_eq!(client.ask(&line), Value::Array(vec![Value::Int(1)]));
    assert_eq!(client.ask(&line), Value::Array(vec![Value::Int(0)]));
}

#[test]
fn ten_thousand_messages_are_acknowledged_by_one_command() {
    let server = Server::start();
    let mut client = server.client();
    let pushes: Vec<String> = (0..10_000).map(|n| format!("MQ.PUSH orders {n}")).collect();
    for reply in client.pipeline(&pushes) {
        reply.expect("an id");
    }
    let batch = client.pull_batch("orders COUNT 10000");
    assert_eq!(batch.len(), 10_000);
    let pairs: Vec<String> = batch.iter().map(Message::pair).collect();
    let replies = client.numbers(&format!("MQ.ACK orders IDS 10000 {}", pairs.join(" ")));
    assert_eq!(replies, vec![1; 10_000]);
    assert_eq!(client.number("DBSIZE"), 0);
}
