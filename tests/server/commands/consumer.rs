//! MQ.PULL with CONSUMER: who holds a message is shown while it is held.

use crate::harness::*;
use std::collections::BTreeMap;

/// The consumers that MQ.PEEK shows for what is in flight, by id of the message.
fn holders(client: &mut Client, queue: &str) -> BTreeMap<String, Option<String>> {
    let peeked = client.ask(&format!("MQ.PEEK {queue} INFLIGHT"));
    let consumer = |message: &Value| {
        let fields: BTreeMap<String, Value> = entries(message).into_iter().collect();
        (text_of(&fields["id"]), fields.get("consumer").map(text_of))
    };
    items(&peeked).iter().map(consumer).collect()
}

fn consumer_of(client: &mut Client, message: &Message) -> Option<String> {
    client.map(&format!("MQ.GET {} {}", message.queue, message.id)).remove("consumer")
}

#[test]
fn peek_and_get_show_who_holds_a_message() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 4 one two three four");
    let first = client.pull("orders CONSUMER worker-1");
    let batch = client.pull_batch("orders COUNT 2 CONSUMER worker-2");
    let unnamed = client.pull("orders");
    let name = |name: &str| Some(name.to_string());
    let expected = BTreeMap::from([
        (first.id.clone(), name("worker-1")),
        (batch[0].id.clone(), name("worker-2")),
        (batch[1].id.clone(), name("worker-2")),
        (unnamed.id.clone(), None),
    ]);
    assert_eq!(holders(&mut client, "orders"), expected);
    assert_eq!(consumer_of(&mut client, &first), name("worker-1"));
    assert_eq!(consumer_of(&mut client, &unnamed), None);
    // The consumer itself knows.
    assert!(first.more.is_empty(), "{first:?}");
}

#[test]
fn it_is_not_shown_any_more_when_the_message_is_back() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders CONSUMER ann");
    client.nack(&first);
    assert_eq!(consumer_of(&mut client, &first), None);

    let second = client.pull("orders VISIBILITY 20 CONSUMER bob");
    sleep_until_ms(second.visibility_until);
    eventually("it is back", || client.number("HLEN mq:{orders}:flight") == 0);
    assert_eq!(consumer_of(&mut client, &second), None);

    let third = client.pull("orders");
    assert_eq!(consumer_of(&mut client, &third), None);
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 3600000", third.delivery())), 1);
    assert_eq!(consumer_of(&mut client, &third), None);
}

#[test]
fn it_stays_when_the_delivery_is_extended() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders CONSUMER ann");
    client.number(&format!("MQ.EXTEND {} VISIBILITY 3600000", first.delivery()));
    assert_eq!(consumer_of(&mut client, &first).as_deref(), Some("ann"));
}

#[test]
fn a_dead_letter_does_not_know_it() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders CONSUMER ann");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", first.delivery())), 1);
    let dead = client.pull("{orders}:dead");
    assert_eq!(consumer_of(&mut client, &dead), None);
}

#[test]
fn an_acknowledgment_leaves_nothing_of_it() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let first = client.pull("orders CONSUMER ann");
    client.acknowledge(&first);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_name_is_1_to_256_bytes_of_any_kind() {
    let server = Server::start();
    let mut client = server.client();
    let longest = "x".repeat(256);
    for name in ["x", longest.as_str()] {
        client.push("orders", "one");
        let message = client.pull(&format!("orders CONSUMER {name}"));
        assert_eq!(consumer_of(&mut client, &message).as_deref(), Some(name));
        client.acknowledge(&message);
    }
    client.push("orders", "one");
    let binary: &[u8] = b"\x00\xff\r\n";
    let pulled = client.reply(&[b"MQ.PULL", b"orders".as_slice(), b"CONSUMER", binary]);
    let message = Message::from(&pulled.expect("a message"));
    let shown = client.ask(&format!("MQ.GET orders {}", message.id));
    let shown = entries(&shown).into_iter().find(|(name, _)| name == "consumer");
    assert_eq!(bulk(&shown.expect("a consumer").1), binary);
    client.acknowledge(&message);

    client.push("orders", "one");
    for name in ["\"\"".to_string(), "x".repeat(257)] {
        let error = client.refused(&format!("MQ.PULL orders CONSUMER {name}"));
        assert_eq!(error, "ERR CONSUMER must be 1 to 256 bytes");
    }
    for options in ["CONSUMER", "CONSUMER a CONSUMER b"] {
        client.misused(&format!("MQ.PULL orders {options}"));
    }
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}

#[test]
fn it_is_known_to_a_client_that_waited_to_a_replica_and_after_a_restart() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000 CONSUMER ann");
    client.push("orders", "one");
    let (message, _) = waiting.message();
    let mut copy = replica.client();
    same_data(&mut client, &mut copy, "the delivery");
    assert_eq!(consumer_of(&mut copy, &message).as_deref(), Some("ann"));
    server.kill_and_start_again();
    assert_eq!(consumer_of(&mut server.client(), &message).as_deref(), Some("ann"));
    server.restart_with_snapshot();
    assert_eq!(consumer_of(&mut server.client(), &message).as_deref(), Some("ann"));
}
