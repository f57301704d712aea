//! MQ.REDRIVE of chosen messages: by id, by the queue in which they died, by reason; all; and those
//! that never died.

use crate::harness::*;

/// Where messages of `orders` die.
const DEAD: &str = "{orders}:dead";

/// Lets a message of this queue die for that reason; returns its id.
#[track_caller]
fn die(client: &mut Client, queue: &str, payload: &str, reason: &str) -> String {
    let id = client.push(queue, payload);
    let message = client.pull(queue);
    assert_eq!(message.id, id);
    let line = format!("MQ.NACK {} DEAD REASON {reason}", message.delivery());
    assert_eq!(client.number(&line), 1);
    // The next one dies later.
    sleep_until_ms(now_ms() + 2);
    id
}

fn payloads(client: &mut Client, queue: &str) -> Vec<String> {
    let batch = client.pull_batch(&format!("{queue} COUNT 10000"));
    batch.iter().map(|message| message.text().to_string()).collect()
}

#[test]
fn the_named_ones_are_moved() {
    let server = Server::start();
    let mut client = server.client();
    let ids: Vec<String> =
        ["a", "b", "c", "d"].iter().map(|name| die(&mut client, "orders", name, "no")).collect();
    let unknown = "0191e0a0-7c3b-7e60-8000-0123456789ab";
    let held = client.pull(&format!("{DEAD} VISIBILITY 3600000"));
    assert_eq!(held.text(), "a");
    let line = format!(
        "MQ.REDRIVE {DEAD} IDS 6 {} {} {unknown} x {} {} TO orders",
        ids[2], ids[1], ids[2], ids[0]
    );
    assert_eq!(client.number(&line), 2);
    assert_eq!(client.lengths(DEAD), [1, 1, 0]);
    let mut moved = payloads(&mut client, "orders");
    moved.sort();
    assert_eq!(moved, ["b", "c"]);
}

#[test]
fn only_those_that_died_in_a_queue_or_for_a_reason_are_moved() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["orders", "mails"] {
        client.ask(&format!("MQ.CONFIG {queue} DEADLETTER dead"));
    }
    client.ask("MQ.CONFIG mails MAXRETRIES 0");
    die(&mut client, "orders", "o1", "disk");
    die(&mut client, "mails", "m1", "disk");
    die(&mut client, "mails", "m2", "net");
    client.push("mails", "m3");
    let message = client.pull("mails");
    client.nack(&message);
    client.push("dead", "by-hand");
    let counted = |client: &mut Client, options: &str| {
        client.number(&format!("MQ.REDRIVE dead {options} TO repair"))
    };
    assert_eq!(counted(&mut client, "FROM nobody"), 0);
    assert_eq!(counted(&mut client, "REASON disks"), 0);
    assert_eq!(counted(&mut client, "FROM orders REASON net"), 0);
    assert_eq!(counted(&mut client, "REASON retries"), 1);
    assert_eq!(payloads(&mut client, "repair"), ["m3"]);
    assert_eq!(counted(&mut client, "REASON disk COUNT 1"), 1);
    assert_eq!(payloads(&mut client, "repair"), ["o1"]);
    assert_eq!(counted(&mut client, "REASON disk FROM mails ALL"), 1);
    assert_eq!(payloads(&mut client, "repair"), ["m1"]);
    assert_eq!(counted(&mut client, "FROM mails REASON rejected"), 1);
    assert_eq!(payloads(&mut client, "repair"), ["m2"]);
    assert_eq!(client.peek_texts("dead"), ["by-hand"]);
}

#[test]
fn with_to_what_was_pushed_by_hand_goes_too() {
    let server = Server::start();
    let mut client = server.client();
    die(&mut client, "orders", "dead", "no");
    for line in ["plain", "high PRIORITY 3", "g1 GROUP a", "g2 GROUP a", "lives TTL 3600000"] {
        client.ask(&format!("MQ.PUSH {DEAD} {line}"));
    }
    let key = client.text(&format!("MQ.PUSH {DEAD} held DEDUP k UNTILDONE"));
    client.ask(&format!("MQ.PUSH {DEAD} later DELAY 3600000"));
    if facts().separates_key_permissions() {
        assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD}")), 1);
        assert_eq!(payloads(&mut client, "orders"), ["dead"]);
        assert_eq!(client.lengths(DEAD), [6, 0, 1]);
    } else {
        assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} COUNT 1 TO orders")), 1);
    }
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} IDS 1 {key} TO repair")), 1);
    let moved = client.pull("repair");
    assert_eq!((moved.text(), &moved.id), ("held", &key));
    assert_ne!(client.text(&format!("MQ.PUSH {DEAD} again DEDUP k UNTILDONE")), key);
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} ALL TO repair")), 6);
    assert_eq!(client.lengths(DEAD), [0, 0, 1]);
    client.ask("MQ.CONFIG repair GROUPINFLIGHT 5");
    let messages = client.pull_batch("repair COUNT 10");
    let texts: Vec<_> = messages.iter().map(Message::text).collect();
    assert_eq!(texts.len(), 6);
    let position = |text| texts.iter().position(|other| *other == text).expect(text);
    assert!(position("g1") < position("g2"), "{texts:?}");
    assert!(messages[position("lives")].more.contains_key("expires_at"));
    assert_eq!(messages[position("high")].more["priority"], "3");
    assert_eq!(client.ask("MQ.CHECK repair"), client.ask(&format!("MQ.CHECK {DEAD}")));
}

#[test]
fn a_queue_whose_dead_letters_are_elsewhere_says_so() {
    let server = Server::start();
    let mut client = server.client();
    die(&mut client, "orders", "one", "no");
    client.push("orders", "alive");
    let error =
        format!("ERR the queue's dead letters are in its dead-letter queue, redrive {DEAD}");
    for options in ["", "TO repair", "ALL TO repair", "COUNT 5 FROM orders TO repair"] {
        assert_eq!(client.refused(&format!("MQ.REDRIVE orders {options}")), error, "{options}");
    }
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} TO repair")), 1);
    assert_eq!(client.number("MQ.REDRIVE orders COUNT 5 FROM orders TO repair"), 0);
    if facts().separates_key_permissions() {
        die(&mut client, "mails", "two", "no");
        client.ask("ACL SETUSER alice reset on >secret ~mails ~repair +mq.redrive");
        let mut alice = server.client();
        alice.ask("AUTH alice secret");
        assert_eq!(alice.number("MQ.REDRIVE mails"), 0, "she may not know of the other queue");
    }
}

#[test]
fn its_options_exclude_each_other_and_are_checked() {
    let server = Server::start();
    let mut client = server.client();
    let id = die(&mut client, "orders", "one", "no");
    for options in [
        "ALL COUNT 5 TO orders",
        "ALL ALL TO orders",
        &format!("IDS 1 {id} ALL TO orders"),
        &format!("IDS 1 {id} COUNT 1 TO orders"),
        &format!("IDS 2 {id} TO orders"),
        &format!("IDS 3 {id} TO orders"),
        "FROM orders FROM orders TO orders",
        "FROM to TO orders",
        "REASON to",
        "REASON",
    ] {
        client.misused(&format!("MQ.REDRIVE {DEAD} {options}"));
    }
    for (options, expected) in [
        ("IDS 0 TO orders", "ERR IDS must be an integer from 1 to 10000"),
        ("IDS 10001 x TO orders", "ERR IDS must be an integer from 1 to 10000"),
        ("FROM a{}b TO orders", "ERR invalid queue name: its braces are no hash tag"),
    ] {
        assert_eq!(client.refused(&format!("MQ.REDRIVE {DEAD} {options}")), expected, "{options}");
    }
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} TO orders FROM to REASON to")), 0);
    assert_eq!(client.lengths(DEAD), [1, 0, 0]);
}
