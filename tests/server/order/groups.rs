//! GROUP: order within a group, turns between groups, slots.

use crate::harness::*;

const LONG: &str = "VISIBILITY 3600000";

/// Pushes these messages, `payload` or `payload group`.
#[track_caller]
fn push_all(client: &mut Client, messages: &[&str]) {
    for message in messages {
        let line = match message.split_once(' ') {
            Some((payload, group)) => format!("MQ.PUSH orders {payload} GROUP {group}"),
            None => format!("MQ.PUSH orders {message}"),
        };
        client.ask(&line);
    }
}

#[test]
fn a_group_is_delivered_in_the_order_of_its_pushes_one_at_a_time() {
    let server = Server::start();
    let mut client = server.client();
    let payloads: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    client.ask(&format!("MQ.MPUSH orders 50 {} GROUP acme", payloads.join(" ")));
    assert_eq!(client.queue_info("orders", "groups"), 1);
    for payload in &payloads {
        let batch = client.pull_batch("orders COUNT 10");
        assert_eq!(batch.len(), 1);
        client.pull_nothing("orders");
        assert_eq!((batch[0].text(), batch[0].more["group"].as_str()), (payload.as_str(), "acme"));
        client.acknowledge(&batch[0]);
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn as_many_of_a_group_are_in_flight_as_the_setting_says() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 3");
    push_all(&mut client, &["1 a", "2 a", "3 a", "4 a", "5 a"]);
    let batch = client.pull_batch(&format!("orders COUNT 9 {LONG}"));
    assert_eq!(batch.iter().map(Message::text).collect::<Vec<_>>(), ["1", "2", "3"]);
    client.acknowledge(&batch[1]);
    assert_eq!(client.pull_texts("orders COUNT 9"), ["4"]);
    client.pull_nothing("orders");
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 4");
    assert_eq!(client.pull_texts("orders COUNT 9"), ["5"]);
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 1");
    push_all(&mut client, &["6 a"]);
    client.acknowledge(&batch[0]);
    client.pull_nothing("orders");
}

#[test]
fn groups_take_turns_and_messages_without_a_group_are_one_more() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 10");
    push_all(&mut client, &["a1 a", "a2 a", "a3 a", "b1 b", "b2 b", "u1", "u2", "u3", "c1 c"]);
    let order = client.pull_texts("orders COUNT 20");
    assert_eq!(order, ["a1", "b1", "c1", "u1", "a2", "b2", "u2", "a3", "u3"]);
}

#[test]
fn a_tenant_with_10_000_messages_does_not_delay_the_tenant_with_one() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 100");
    let many = vec!["x"; 10_000].join(" ");
    client.ask(&format!("MQ.MPUSH orders 10000 {many} GROUP big"));
    client.pull_texts("orders COUNT 50");
    push_all(&mut client, &["one small"]);
    client.push("orders", "plain");
    let order = client.pull_texts("orders COUNT 6");
    let place = |text: &str| order.iter().position(|other| other == text);
    assert!(place("one").is_some_and(|place| place < 2), "{order:?}");
    assert!(place("plain").is_some_and(|place| place < 4), "{order:?}");
    assert_eq!(client.number("MQ.PURGE orders"), 10_002);
}

#[test]
fn priorities_count_among_messages_without_a_group_when_it_is_their_turn() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 10");
    push_all(&mut client, &["a1 a", "a2 a", "a3 a", "low"]);
    client.ask("MQ.PUSH orders high PRIORITY 9");
    let order = client.pull_texts("orders COUNT 20");
    assert_eq!(order, ["a1", "high", "a2", "low", "a3"]);
}

#[test]
fn a_message_that_waits_for_its_retry_holds_its_slot_and_is_the_first_again() {
    let server = Server::start();
    let mut client = server.client();
    push_all(&mut client, &["a1 a", "a2 a", "b1 b"]);
    let first = client.pull(&format!("orders {LONG}"));
    assert_eq!(first.text(), "a1");
    client.ask(&format!("MQ.NACK {} DELAY 200", first.delivery()));
    assert_eq!(client.pull_texts("orders COUNT 9"), ["b1"]);
    let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG}"));
    let (again, _) = waiting.message();
    assert_eq!((again.text(), again.retry_count), ("a1", 1));
    client.pull_nothing("orders");
    client.acknowledge(&again);
    assert_eq!(client.pull("orders").text(), "a2");
}

#[test]
fn a_message_that_comes_back_is_the_first_of_its_group_however_it_comes() {
    let server = Server::start();
    let mut client = server.client();
    push_all(&mut client, &["a1 a", "a2 a"]);
    for how in ["NACK", "NACK NOCOUNT", "expiry", "disconnect"] {
        let mut holder = server.client();
        let message = match how {
            "disconnect" => holder.pull(&format!("orders {LONG} ONDISCONNECT")),
            _ => holder.pull(&format!("orders {LONG}")),
        };
        assert_eq!(message.text(), "a1", "before {how}");
        match how {
            "NACK" => client.nack(&message),
            "NACK NOCOUNT" => {
                client.ask(&format!("MQ.NACK {} NOCOUNT", message.delivery()));
            }
            "expiry" => {
                client.ask(&format!("MQ.EXTEND {} VISIBILITY 1", message.delivery()));
            }
            _ => drop(holder),
        }
        eventually("it is back", || client.number("MQ.LEN orders READY") == 2);
    }
    let message = client.pull("orders");
    assert_eq!((message.text(), message.retry_count), ("a1", 3));
}

#[test]
fn a_group_goes_on_when_a_message_dies_or_is_deleted() {
    let server = Server::start();
    let mut client = server.client();
    push_all(&mut client, &["1 a", "2 a", "3 a", "4 a", "5 a"]);
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    for (payload, how) in [("1", ""), ("2", "DEAD"), ("3", "delete"), ("4", "expiry")] {
        let message = client.pull(&format!("orders {LONG}"));
        assert_eq!(message.text(), payload);
        client.pull_nothing("orders");
        let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG}"));
        match how {
            "delete" => {
                client.ask(&format!("MQ.DEL orders {}", message.id));
            }
            "expiry" => {
                client.ask(&format!("MQ.EXTEND {} VISIBILITY 20", message.delivery()));
            }
            how => {
                client.ask(&format!("MQ.NACK {} {how}", message.delivery()));
            }
        }
        let (next, _) = waiting.message();
        assert_eq!(next.text(), (payload.parse::<u8>().expect("a number") + 1).to_string());
        client.ask(&format!("MQ.NACK {} NOCOUNT", next.delivery()));
    }
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 3);
    assert_eq!(client.pull("{orders}:dead").more["group"], "a");
}

#[test]
fn a_first_delay_joins_the_group_when_it_is_due() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders delayed GROUP a DELAY 100");
    push_all(&mut client, &["one a", "two a"]);
    let one = client.pull("orders");
    assert_eq!(one.text(), "one", "a first delay holds no slot");
    eventually("it is due", || client.number("MQ.LEN orders DELAYED") == 0);
    push_all(&mut client, &["three a"]);
    client.acknowledge(&one);
    for text in ["two", "delayed", "three"] {
        let message = client.pull("orders");
        assert_eq!(message.text(), text);
        client.acknowledge(&message);
    }
}

#[test]
fn a_group_that_becomes_free_serves_a_waiting_client() {
    let server = Server::start();
    let mut client = server.client();
    push_all(&mut client, &["1 a", "2 a", "3 a", "4 a"]);
    let one = client.pull(&format!("orders {LONG}"));
    let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG}"));
    client.acknowledge(&one);
    assert_eq!(waiting.message().0.text(), "2");
    let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG}"));
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 2");
    assert_eq!(waiting.message().0.text(), "3");
    client.pull_nothing("orders");
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 3");
    assert_eq!(client.pull("orders").text(), "4");
}

#[test]
fn deliveries_with_noack_take_no_slot() {
    let server = Server::start();
    let mut client = server.client();
    push_all(&mut client, &["1 a", "2 a", "3 a"]);
    let reply = client.ask("MQ.PULL orders COUNT 9 NOACK");
    assert_eq!(items(&reply).len(), 3);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn nothing_is_left_of_a_queue_whose_groups_and_other_messages_are_gone() {
    let server = Server::start();
    let mut client = server.client();
    for how in ["ACK", "NOACK", "DEL"] {
        push_all(&mut client, &["u1", "a1 a", "a2 a"]);
        for _ in 0..3 {
            match how {
                "NOACK" => {
                    client.ask("MQ.PULL orders NOACK");
                }
                _ => {
                    let message = client.pull("orders");
                    let line = match how {
                        "ACK" => format!("MQ.ACK {}", message.delivery()),
                        _ => format!("MQ.DEL orders {}", message.id),
                    };
                    assert_eq!(client.number(&line), 1);
                }
            }
        }
        assert_eq!(client.number("DBSIZE"), 0, "{how}");
        assert_eq!(client.ask("MQ.QUEUES"), Value::Array(Vec::new()), "{how}");
    }
}

#[test]
fn groups_whose_names_are_alike_are_apart() {
    let server = Server::start();
    let mut client = server.client();
    let longest = vec![b'g'; 256];
    let names: [&[u8]; 9] =
        [b"a", b"ab", b"b", b"\0", b"\0\0", b"\xff", b"\xff\xff", &longest, &longest[..255]];
    for round in 0..2u8 {
        for (n, name) in names.iter().enumerate() {
            let payload = format!("{n}-{round}");
            let push: [&[u8]; 5] = [b"MQ.PUSH", b"orders", payload.as_bytes(), b"GROUP", name];
            client.reply(&push).expect("an id");
        }
    }
    assert_eq!(client.queue_info("orders", "groups"), names.len() as i64);
    for round in 0..2u8 {
        let batch = client.pull_batch("orders COUNT 100");
        let expected: Vec<String> = (0..names.len()).map(|n| format!("{n}-{round}")).collect();
        assert_eq!(batch.iter().map(Message::text).collect::<Vec<_>>(), expected);
        batch.iter().for_each(|message| client.acknowledge(message));
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn names_of_groups_that_are_none_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PUSH orders x", "MQ.MPUSH orders 1 x"] {
        for name in ["\"\"", &"x".repeat(257)] {
            let error = client.refused(&format!("{line} GROUP {name}"));
            assert_eq!(error, "ERR GROUP must be 1 to 256 bytes");
        }
        for wrong in ["GROUP", "GROUP a GROUP a"] {
            client.misused(&format!("{line} {wrong}"));
        }
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn turns_and_slots_are_kept_over_restarts_and_a_promotion() {
    for how in Continuation::ALL {
        let mut server = how.start();
        let replica = server.start_replica();
        let mut client = server.client();
        client.ask("MQ.CONFIG orders GROUPINFLIGHT 2");
        push_all(&mut client, &["a1 a", "a2 a", "a3 a", "b1 b", "b2 b", "c1 c", "c2 c", "u1"]);
        let batch = client.pull_batch(&format!("orders COUNT 4 {LONG}"));
        let texts: Vec<&str> = batch.iter().map(Message::text).collect();
        assert_eq!(texts, ["a1", "b1", "c1", "u1"]);
        client.ask(&format!("MQ.NACK {} DELAY 3600000", batch[0].delivery()));
        same_data(&mut client, &mut replica.client(), "the pulls");
        let now = how.go_on(&mut server, &replica);
        let mut client = now.client();
        assert_eq!(client.pull_texts(&format!("orders COUNT 9 {LONG}")), ["a2", "b2", "c2"]);
        client.acknowledge(&batch[1]);
        client.pull_nothing("orders");
        client.ask(&format!("MQ.RESCHEDULE orders {} DELAY 0", batch[0].id));
        assert_eq!(client.pull_texts(&format!("orders COUNT 9 {LONG}")), ["a1"], "{how:?}");
    }
}
