//! Cluster mode: all keys of a queue share its slot, and no command runs on a queue whose slot is
//! on the move.

use crate::harness::*;
use std::collections::BTreeSet;

/// Makes every key that a queue can have, but `damaged`.
fn use_everything(client: &mut Client, queue: &[u8]) {
    let mut run = |arguments: &[&[u8]]| client.reply(arguments).expect("a reply");
    run(&[b"MQ.CONFIG", queue, b"MAXRETRIES", b"1", b"BACKOFF", b"0"]);
    let nack = |run: &mut dyn FnMut(&[&[u8]]) -> Value| {
        let message = entries(&run(&[b"MQ.PULL", queue]));
        let (id, receipt) = (bulk(&message[0].1).to_vec(), bulk(&message[6].1).to_vec());
        run(&[b"MQ.NACK", queue, &id, &receipt]);
    };
    run(&[b"MQ.PUSH", queue, b"dies"]);
    nack(&mut run);
    nack(&mut run);
    run(&[b"MQ.PUSH", queue, b"nacked"]);
    nack(&mut run);
    run(&[b"MQ.PUSH", queue, b"in flight"]);
    run(&[b"MQ.PUSH", queue, b"waits"]);
    run(&[b"MQ.PUSH", queue, b"delayed", b"DELAY", b"3600000"]);
    run(&[b"MQ.PULL", queue]);
}

fn slot_of(client: &mut Client, key: &[u8]) -> i64 {
    integer(&client.reply(&[b"CLUSTER", b"KEYSLOT", key]).expect("a slot"))
}

#[test]
fn all_keys_of_a_queue_are_in_the_slot_of_its_name() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    let names: [&[u8]; 16] = [
        b"orders",
        b"{acme}.orders",
        b"orders.{acme}",
        b"{{acme}}",
        b"{{acme}.orders}",
        b"{a}{b}",
        b"{a}b{c}d",
        b"a{b}{}",
        b"x{ }y",
        b"mq:{orders}:ready",
        b"mq:orders",
        b":",
        b"a b\tc",
        b"\x00\xff\r\n{\x00}\xfe",
        "größe/{注文}".as_bytes(),
        &[b'x'; 400],
    ];
    for name in names {
        client.ask("FLUSHALL");
        let slot = slot_of(&mut client, name);
        use_everything(&mut client, name);
        let keys = client.ask("KEYS *");
        let keys = items(&keys).to_vec();
        assert!(keys.len() >= 8, "{keys:?}");
        for key in &keys {
            assert_eq!(slot_of(&mut client, bulk(key)), slot, "{key:?}");
            assert_eq!(client.reply(&[b"EXISTS", bulk(key)]), Ok(Value::Int(1)), "{key:?}");
        }
        // The server keeps its keys by slot: it has them where their names say.
        assert_eq!(client.number(&format!("CLUSTER COUNTKEYSINSLOT {slot}")), keys.len() as i64);
        let parts: BTreeSet<Vec<u8>> = keys
            .iter()
            .map(|key| bulk(key).rsplit(|b| *b == b':').next().expect("a part").to_vec())
            .collect();
        for part in ["ready", "ranked", "messages", "notes", "flight", "delayed", "config"] {
            assert!(parts.contains(part.as_bytes()), "no {part} in {keys:?}");
        }
    }
}

#[test]
fn a_client_waits_and_is_served_in_cluster_mode() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    for queue in ["orders", "{acme}.orders", "mails"] {
        let waiting = server.waiting(&format!("MQ.PULL {queue} BLOCK 0"));
        client.push(queue, "one");
        let (message, mut consumer) = waiting.message();
        consumer.nack(&message);
        let first = client.pull(&format!("{queue} VISIBILITY 50"));
        let (second, _) = server.waiting(&format!("MQ.PULL {queue} BLOCK 0")).message();
        assert_eq!((&second.id, second.retry_count), (&first.id, 2));
        client.acknowledge(&second);
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn queues_of_all_slots_are_listed_and_swept() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    for n in 0..200 {
        client.push(&format!("queue-{n}"), "x");
        client.pull(&format!("queue-{n} VISIBILITY 30"));
    }
    for n in 0..200 {
        let key = format!("ZCARD mq:{{queue-{n}}}:ranked");
        eventually("the message is back", || client.number(&key) == 1);
    }
    assert_eq!(strings(&client.ask("MQ.QUEUES")).len(), 200);
}

#[test]
fn a_dead_letter_queue_in_another_slot_is_refused() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    let error = client.refused("MQ.CONFIG orders MAXRETRIES 0 DEADLETTER graveyard");
    assert!(error.starts_with("CROSSSLOT "), "{error}");
    assert_eq!(client.number("DBSIZE"), 0);
    client.ask("MQ.CONFIG orders MAXRETRIES 0 DEADLETTER {orders}.graveyard");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    assert_eq!(client.pull("{orders}.graveyard").id, message.id);
}

#[test]
fn a_dead_letter_queue_in_another_slot_that_is_stored_already_gets_nothing() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    // As in a snapshot of a server that was no cluster.
    client.ask("HSET mq:{orders}:config maxretries 0 deadletter graveyard");
    client.push("orders", "one");
    client.push("orders", "two");
    let message = client.pull("orders");
    client.nack(&message);
    client.pull("orders VISIBILITY 20");
    eventually("both refusals are counted", || {
        client.info("mq")["mq_dead_letters_refused"].parse::<i64>().expect("a number") >= 2
    });
    assert_eq!(client.number("MQ.LEN graveyard"), 0);
    assert_eq!(client.number("MQ.LEN orders"), 2, "nothing is lost");
    let graveyard = slot_of(&mut client, b"graveyard");
    assert_eq!(client.number(&format!("CLUSTER COUNTKEYSINSLOT {graveyard}")), 0);
}
