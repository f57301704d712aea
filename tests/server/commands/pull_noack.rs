//! MQ.PULL with NOACK: delivered and gone, at most once.

use crate::harness::*;
use std::collections::BTreeMap;

/// A delivery with NOACK, by field.
#[track_caller]
fn final_delivery(client: &mut Client, line: &str) -> BTreeMap<String, String> {
    client.map(&format!("MQ.PULL {line}"))
}

#[test]
fn a_message_pulled_so_has_no_receipt_and_no_end() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let reply = client.ask("MQ.PULL orders NOACK");
    let names: Vec<String> = entries(&reply).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "queue", "payload", "timestamp", "retry_count"]);
    assert_eq!(client.number("DBSIZE"), 0);
    assert_eq!(client.ask("MQ.PULL orders NOACK"), Value::Nil);
    assert_eq!(client.ask("MQ.PULL orders COUNT 3 NOACK"), Value::Array(vec![]));
}

#[test]
fn what_was_given_with_the_push_comes_with_it() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one PRIORITY 3 TTL 3600000 HEADERS 1 type order");
    let message = final_delivery(&mut client, "orders NOACK");
    assert_eq!(message["priority"], "3");
    assert!(message.contains_key("expires_at") && message.contains_key("headers"), "{message:?}");
    client.ask("MQ.PUSH orders two GROUP ann");
    assert_eq!(final_delivery(&mut client, "orders NOACK")["group"], "ann");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn it_is_counted_as_delivered_and_not_as_acknowledged() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    assert_eq!(items(&client.ask("MQ.PULL orders COUNT 3 NOACK")).len(), 3);
    assert_eq!(client.queue_info("orders", "pulled"), 3);
    assert_eq!(client.queue_info("orders", "acked"), 0);
}

#[test]
fn a_returned_message_is_delivered_so_with_its_retry_count() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 0 REASON full", first.delivery())), 1);
    let message = final_delivery(&mut client, "orders NOACK");
    assert_eq!((&*message["retry_count"], &*message["last_error"]), ("1", "full"));
    let error = client.refused(&format!("MQ.ACK {}", first.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn options_for_a_message_in_flight_do_not_go_with_it() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    for options in [
        "NOACK VISIBILITY 1000",
        "VISIBILITY 1000 NOACK",
        "NOACK ONDISCONNECT",
        "ONDISCONNECT NOACK",
        "NOACK CONSUMER ann",
        "CONSUMER ann NOACK",
        "NOACK NOACK",
    ] {
        client.misused(&format!("MQ.PULL orders {options}"));
        client.misused(&format!("MQ.MPULL 1 orders {options}"));
    }
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}

#[test]
fn a_waiting_client_is_served_so() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0 NOACK");
    client.push("orders", "one");
    let reply = waiting.reply().expect("a message");
    assert_eq!(entries(&reply).len(), 5);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_group_goes_on_at_once() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three GROUP ann");
    let batch = client.ask("MQ.PULL orders COUNT 10 NOACK");
    let payloads: Vec<String> =
        items(&batch).iter().map(|message| text_of(&entries(message)[2].1)).collect();
    assert_eq!(payloads, ["one", "two", "three"]);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_key_held_until_done_is_released() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one DEDUP job UNTILDONE");
    let first = final_delivery(&mut client, "orders NOACK");
    let second = client.text("MQ.PUSH orders two DEDUP job UNTILDONE");
    assert_ne!(first["id"], second);
    assert_eq!(final_delivery(&mut client, "orders NOACK")["payload"], "two");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn it_is_gone_for_good_after_a_restart() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    client.ask("MQ.PUSH orders three PRIORITY 2");
    client.ask("MQ.PUSH orders four GROUP ann");
    assert_eq!(items(&client.ask("MQ.PULL orders COUNT 4 NOACK")).len(), 4);
    client.push("orders", "five");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    assert_eq!(client.pull("orders").text(), "five");

    client.push("mails", "one");
    final_delivery(&mut client, "mails NOACK");
    server.restart_with_snapshot();
    let mut client = server.client();
    assert_eq!(client.lengths("mails"), [0, 0, 0]);
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
}

#[test]
fn a_delivery_is_one_op_and_the_replica_has_nothing_left() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three");
    client.ask("MQ.MPUSH orders 2 four five GROUP ann");
    let mut stream = server.replication_stream();
    assert_eq!(items(&client.ask("MQ.PULL orders COUNT 5 NOACK")).len(), 5);
    assert_eq!(stream.take_names(), ["MQ.APPLY orders"]);
    client.ask("MQ.PULL orders COUNT 5 NOACK");
    assert_eq!(stream.take_names(), [""; 0]);
    let mut copy = replica.client();
    same_data(&mut client, &mut copy, "the delivery");
    assert_eq!(copy.number("DBSIZE"), 0);
}
