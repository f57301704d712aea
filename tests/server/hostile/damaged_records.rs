//! Records that nobody can read, at each place where a queue keeps records: an error for that
//! message, moved out of the way, and the queue behind goes on.

use crate::harness::*;

/// Pulls until the queue has nothing more to give; returns the messages and how often a record was
/// CORRUPT.
fn drain(client: &mut Client, queue: &str) -> (Vec<Message>, usize) {
    let (mut messages, mut corrupt) = (Vec::new(), 0);
    for _ in 0..10_000 {
        match client.reply_to(&format!("MQ.PULL {queue} VISIBILITY 3600000")) {
            Ok(Value::Nil) => return (messages, corrupt),
            Ok(message) => messages.push(Message::from(&message)),
            Err(error) => {
                assert!(error.starts_with("CORRUPT "), "{error}");
                corrupt += 1;
            }
        }
    }
    panic!("the queue never becomes empty");
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(Message::text).collect()
}

fn put(client: &mut Client, command: &[&[u8]]) {
    client.reply(command).expect("the record changed by hand");
}

#[test]
fn an_unreadable_waiting_message_is_reported_set_aside_and_passed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    put(&mut client, &[b"RPUSH", b"mq:{orders}:ready", b"garbage \x00\xff"]);
    client.push("orders", "two");
    put(&mut client, &[b"RPUSH", b"mq:{orders}:ready", b""]);
    client.push("orders", "three");

    assert_eq!(client.pull("orders").text(), "one");
    let error = client.refused("MQ.PULL orders");
    assert!(error.starts_with("CORRUPT "), "{error}");
    assert_eq!(client.pull("orders").text(), "two");
    let (messages, corrupt) = drain(&mut client, "orders");
    assert_eq!((texts(&messages), corrupt), (vec!["three"], 1));
    assert_eq!(client.queue_info("orders", "damaged"), 2);
    assert_eq!(client.info("mq")["mq_damaged"], "2");
    let aside = client.ask("LRANGE mq:{orders}:damaged 0 -1");
    let expected = [b"garbage \x00\xff".to_vec(), Vec::new()].map(Value::BulkString);
    assert_eq!(items(&aside), expected, "kept as they were");
}

#[test]
fn a_batch_ends_before_an_unreadable_message() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    put(&mut client, &[b"RPUSH", b"mq:{orders}:ready", b"garbage"]);
    client.push("orders", "three");
    assert_eq!(texts(&client.pull_batch("orders COUNT 10")), ["one", "two"]);
    let error = client.refused("MQ.PULL orders COUNT 10");
    assert!(error.starts_with("CORRUPT "), "{error}");
    assert_eq!(texts(&client.pull_batch("orders COUNT 10")), ["three"]);
}

#[test]
fn setting_a_record_aside_is_replicated() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    put(&mut client, &[b"RPUSH", b"mq:{orders}:ready", b"garbage"]);
    client.push("orders", "one");
    client.refused("MQ.PULL orders");
    eventually("the replica has set it aside too", || copy.number("LLEN mq:{orders}:damaged") == 1);
    assert_eq!(client.text("DEBUG DIGEST"), copy.text("DEBUG DIGEST"));
}

#[test]
fn a_repaired_record_can_be_put_back() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let record = client.ask("LINDEX mq:{orders}:ready 0");
    let good = bulk(&record).to_vec();
    put(&mut client, &[b"LSET", b"mq:{orders}:ready", b"0", &good[..good.len() / 2]]);
    client.refused("MQ.PULL orders");
    client.ask("DEL mq:{orders}:damaged");
    put(&mut client, &[b"RPUSH", b"mq:{orders}:ready", &good]);
    assert_eq!(client.pull("orders").text(), "one");
}

#[test]
fn every_truncation_and_every_changed_byte_of_a_waiting_message_is_survived() {
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("source", "payload");
    let record = client.ask("LINDEX mq:{source}:ready 0");
    let good = bulk(&record).to_vec();
    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|length| good[..length].to_vec()).collect();
    for at in 0..good.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[at] ^= change;
            bad.push(changed);
        }
    }
    bad.push([good.as_slice(), b"more"].concat());
    for record in &bad {
        put(&mut client, &[b"RPUSH", b"mq:{orders}:ready", record]);
    }
    client.push("orders", "behind");
    let (messages, corrupt) = drain(&mut client, "orders");
    assert_eq!(messages.last().map(Message::text), Some("behind"));
    // Some changes make another readable message; each is one or the other.
    assert!(corrupt > 0);
    assert_eq!(messages.len() + corrupt, bad.len() + 1);
    same_data(&mut client, &mut copy, "all of them");
}

/// A queue with one message in each kind of place but `ready`; its deadlines are `deadline_ms`
/// away.
fn with_all_records(client: &mut Client, deadline_ms: u64) {
    client.push("orders", "in flight");
    client.pull(&format!("orders VISIBILITY {deadline_ms}"));
    client.push("orders", "in flight again");
    let message = client.pull("orders");
    client.nack(&message);
    client.pull(&format!("orders VISIBILITY {deadline_ms}"));
    client.ask(&format!("MQ.PUSH orders delayed DELAY {deadline_ms}"));
    client.push("orders", "nacked");
    let message = client.pull("orders");
    client.nack(&message);
    client.push("orders", "behind");
}

#[test]
fn unreadable_bodies_and_notes_do_not_stop_the_queue() {
    let server = Server::start();
    let replica = server.start_replica();
    // Retry counts that were overwritten stay counted.
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let (mut client, mut copy) = (server.client(), replica.client());
    for part in ["messages", "notes", "flight"] {
        for garbage in
            [b"".as_slice(), b"garbage", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", &[0; 40]]
        {
            client.ask("FLUSHALL");
            with_all_records(&mut client, 100);
            let key = format!("mq:{{orders}}:{part}");
            let fields = client.ask(&format!("HKEYS {key}"));
            let fields = items(&fields).to_vec();
            assert!(fields.len() >= 2, "{part}: {fields:?}");
            for field in &fields {
                put(&mut client, &[b"HSET", key.as_bytes(), bulk(field), garbage]);
            }
            eventually("all deadlines are worked off", || {
                client.number("EXISTS mq:{orders}:flight mq:{orders}:delayed") == 0
            });
            let (messages, _) = drain(&mut client, "orders");
            assert!(texts(&messages).contains(&"behind"), "{part}: {messages:?}");
            assert!(client.queue_info("orders", "damaged") > 0, "{part}");
            same_data(&mut client, &mut copy, part);
        }
    }
}

#[test]
fn records_of_a_newer_version_are_set_aside_and_nothing_of_them_is_lost() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one PRIORITY 3 HEADERS 1 a b");
    let body = client.ask("LINDEX mq:{orders}:ready3 0");
    let message = client.pull("orders");
    client.nack(&message);
    let record = |client: &mut Client, part: &str| {
        let fields = client.ask(&format!("HGETALL mq:{{orders}}:{part}"));
        let [id, bytes] = items(&fields) else { panic!("one record: {fields:?}") };
        (bulk(id).to_vec(), bulk(bytes).to_vec())
    };
    let (id, returned) = record(&mut client, "messages");
    assert_eq!(returned, bulk(&body), "as it was pushed");
    let (_, mut note) = record(&mut client, "notes");
    assert_eq!(note[0], 2, "its version");
    note[0] = 3;
    put(&mut client, &[b"HSET", b"mq:{orders}:notes", &id, &note]);
    let error = client.refused("MQ.PULL orders");
    assert!(error.starts_with("CORRUPT "), "{error}");
    client.pull_nothing("orders");
    let aside = client.ask("LRANGE mq:{orders}:damaged 0 -1");
    assert_eq!(items(&aside), [body.clone(), Value::BulkString(note.clone())]);
    assert_eq!(client.queue_info("orders", "damaged"), 2);

    // So they can be put back, where the newer version is.
    note[0] = 2;
    put(&mut client, &[b"HSET", b"mq:{orders}:messages", &id, bulk(&body)]);
    put(&mut client, &[b"HSET", b"mq:{orders}:notes", &id, &note]);
    client.ask("DEL mq:{orders}:damaged");
    client.ask("MQ.CHECK orders REPAIR");
    let again = client.pull("orders");
    assert_eq!((again.text(), again.retry_count, &*again.more["priority"]), ("one", 1, "3"));
    assert!(again.more.contains_key("headers"));
}

#[test]
fn a_delivery_whose_body_is_gone_ends_without_harm() {
    let server = Server::start();
    let mut client = server.client();
    with_all_records(&mut client, 100);
    client.ask("DEL mq:{orders}:messages mq:{orders}:flight mq:{orders}:notes mq:{orders}:retries");
    client.push("orders", "after it");
    let behind = |messages: &[Message]| texts(messages).contains(&"behind");
    let (messages, _) = drain(&mut client, "orders");
    assert!(behind(&messages) && texts(&messages).contains(&"after it"), "{messages:?}");
    for message in &messages {
        client.acknowledge(message);
    }
    sleep_until_ms(now_ms() + 150);
    let (messages, _) = drain(&mut client, "orders");
    assert_eq!(texts(&messages), [""; 0]);
    eventually("nothing is in flight or delayed", || {
        client.number("EXISTS mq:{orders}:flight mq:{orders}:delayed") == 0
    });
}

#[test]
fn members_of_sorted_sets_that_are_none_of_ours_do_not_stop_the_queue() {
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let (mut client, mut copy) = (server.client(), replica.client());
    let members: [&[u8]; 6] = [b"", b"x", &[0; 15], &[0xff; 16], &[0; 24], &[0xff; 100]];
    for part in ["inflight", "delayed", "ranked", "retried"] {
        for score in
            [b"0".as_slice(), b"-1", b"1", b"-inf", b"+inf", b"1e300", b"-1700000000000", b"0.5"]
        {
            client.ask("FLUSHALL");
            with_all_records(&mut client, 50);
            let key = format!("mq:{{orders}}:{part}");
            for member in members {
                put(&mut client, &[b"ZADD", key.as_bytes(), score, member]);
            }
            sleep_until_ms(now_ms() + 55);
            let (messages, _) = drain(&mut client, "orders");
            let mut found = texts(&messages);
            found.sort();
            let expected = ["behind", "delayed", "nacked", "in flight", "in flight again"];
            let all = expected.iter().all(|text| found.contains(text));
            assert!(all, "{part} {}: {found:?}", String::from_utf8_lossy(score));
            client.ask("MQ.INFO orders");
            client.ask("MQ.LEN orders");
            for message in &messages {
                client.reply_to(&format!("MQ.ACK {}", message.delivery())).ok();
            }
            same_data(&mut client, &mut copy, part);
        }
    }
    client.push("mails", "x");
    client.pull("mails VISIBILITY 20");
    eventually("the timer goes on", || client.number("ZCARD mq:{mails}:ranked") == 1);
}

#[test]
fn settings_that_are_none_count_as_defaults() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    for (field, value) in [
        ("visibility", "x"),
        ("visibility", "-5"),
        ("visibility", "99999999999999999999"),
        ("maxretries", "1.5"),
        ("deadletter", "a{}b"),
        ("deadletter", "orders"),
        ("backoff", "-1"),
        ("backoffmax", "\"\""),
        ("delay", "later"),
        ("nonsense", "1"),
    ] {
        client.ask("FLUSHALL");
        let defaults = client.map("MQ.CONFIG orders");
        let value = if value == "\"\"" { "" } else { value };
        put(&mut client, &[b"HSET", b"mq:{orders}:config", field.as_bytes(), value.as_bytes()]);
        match client.reply_to("MQ.CONFIG orders") {
            Ok(_) => assert_eq!(client.map("MQ.CONFIG orders"), defaults, "{field} {value}"),
            Err(error) => assert!(error.starts_with("CORRUPT "), "{field} {value}: {error}"),
        }
        client.push("orders", "one");
        let message = client.pull("orders");
        client.nack(&message);
        assert_eq!(client.lengths("orders"), [1, 0, 0]);
    }
}
