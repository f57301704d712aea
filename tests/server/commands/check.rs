//! MQ.CHECK: finds what was damaged by hand, repairs it here and on replicas, and finds nothing else.

use crate::harness::*;
use std::collections::BTreeMap;

/// Ids by what the messages are.
type Ids = BTreeMap<&'static str, String>;

const PARTS: [&str; 20] = [
    "ready", "ready7", "lanes", "ranked", "messages", "notes", "flight", "bodies", "inflight",
    "delayed", "retries", "expiring", "grouped", "groups", "turns", "dedup", "deduped", "dead",
    "config", "damaged",
];

/// Makes a queue `orders` that has something in every key but `damaged`, and in which nothing
/// becomes due within a test.
fn fill(client: &mut Client) -> Ids {
    let mut ids = Ids::new();
    let mut push = |client: &mut Client, what, options: &str| {
        let id = client.text(&format!("MQ.PUSH orders {what} {options}"));
        ids.insert(what, id);
    };
    client.ask("MQ.CONFIG orders VISIBILITY 3600000 MAXRETRIES 5");
    push(client, "old", "");
    client.pull_as_0_1_0("orders");
    client.push("orders", "x".repeat(5_000));
    client.pull("orders");
    client.ask("MQ.CONFIG mails MAXRETRIES 0 DEADLETTER orders");
    client.push("mails", "dead");
    let dead = client.pull("mails");
    client.nack(&dead);
    client.pull("orders CONSUMER undertaker");
    client.push("mails", "dead");
    let dead = client.pull("mails");
    client.nack(&dead);
    push(client, "inflight", "PRIORITY 1");
    client.pull("orders CONSUMER worker");
    push(client, "returned", "PRIORITY 1");
    let returned = client.pull("orders");
    client.nack(&returned);
    push(client, "first", "GROUP g");
    assert_eq!(client.pull("orders").text(), "first");
    push(client, "second", "GROUP g");
    // Its record names eight: one more stands behind them.
    client.ask("MQ.MPUSH orders 8 x x x x x x x x GROUP g");
    push(client, "alone", "GROUP h");
    push(client, "later", "GROUP k DELAY 3600000");
    push(client, "priority", "PRIORITY 7");
    push(client, "delayed", "DELAY 3600000");
    push(client, "expiring", "TTL 3600000");
    push(client, "once", "DEDUP once");
    push(client, "held", "DEDUP held UNTILDONE");
    push(client, "plain", "");
    push(client, "headers", "HEADERS 1 trace 1");
    client.push("mails", "dead");
    let dead = client.pull("mails");
    client.nack(&dead);
    client.ask("MQ.PAUSE orders");
    ids
}

fn put(client: &mut Client, command: &[&[u8]]) {
    let mut command = command.to_vec();
    let key = [b"mq:{orders}:", command[1]].concat();
    command[1] = &key;
    client.reply(&command).expect("a record changed by hand");
}

fn get(client: &mut Client, hash: &str, field: &[u8]) -> Vec<u8> {
    let key = format!("mq:{{orders}}:{hash}");
    let value = client.reply(&[b"HGET", key.as_bytes(), field]).expect("a value");
    bulk(&value).to_vec()
}

fn findings(client: &mut Client, line: &str) -> Vec<(String, i64)> {
    let reply = client.ask(line);
    entries(&reply).into_iter().map(|(name, count)| (name, integer(&count))).collect()
}

/// How many messages can be looked at.
fn seen(client: &mut Client) -> usize {
    let states = ["READY", "INFLIGHT", "DELAYED"];
    let lines = states.map(|state| format!("MQ.PEEK orders {state} COUNT 1000"));
    lines.iter().map(|line| items(&client.ask(line)).len()).sum()
}

/// A kind of damage: what is done, what is found, and how many messages it costs.
type Row = (fn(&mut Client, &Ids), &'static [(&'static str, i64)], usize);

const ROWS: [Row; 24] = [
    (|client, _| put(client, &[b"RPUSH", b"ready", b"garbage"]), &[("damaged_body", 1)], 0),
    (
        |client, ids| put(client, &[b"HSET", b"messages", &bytes_of(&ids["delayed"]), b"garbage"]),
        &[("damaged_body", 1), ("place_without_body", 1)],
        1,
    ),
    (
        |client, ids| put(client, &[b"HSET", b"notes", &bytes_of(&ids["expiring"]), b"garbage"]),
        &[("damaged_note", 1), ("wrong_expiring", 1)],
        0,
    ),
    (
        |client, _| {
            for part in [b"ranked".as_slice(), b"grouped", b"inflight", b"delayed"] {
                put(client, &[b"ZADD", part, b"0", b"none of ours"]);
            }
        },
        &[("damaged_place", 4)],
        0,
    ),
    (
        |client, ids| put(client, &[b"ZADD", b"delayed", b"-inf", &bytes_of(&ids["delayed"])]),
        &[("damaged_place", 1), ("body_without_place", 1)],
        0,
    ),
    (
        |client, _| {
            put(client, &[b"HSET", b"config", b"visibility", b"soon", b"paused_until", b"x"]);
        },
        &[("damaged_setting", 2)],
        0,
    ),
    (
        |client, ids| put(client, &[b"ZREM", b"delayed", &bytes_of(&ids["delayed"])]),
        &[("body_without_place", 1)],
        0,
    ),
    (
        |client, _| put(client, &[b"DEL", b"ranked"]),
        &[("body_without_place", 4), ("wrong_lane", 1)],
        0,
    ),
    (|client, _| put(client, &[b"DEL", b"inflight"]), &[("body_without_place", 1)], 0),
    (
        |client, ids| {
            let note = get(client, "notes", &bytes_of(&ids["inflight"]));
            put(client, &[b"HSET", b"notes", &bytes_of(&ids["returned"]), &note]);
        },
        &[("wrong_note", 1), ("wrong_retried", 1)],
        0,
    ),
    (
        |client, _| put(client, &[b"DEL", b"flight"]),
        &[
            ("body_without_place", 1),
            ("note_without_message", 2),
            ("wrong_group", 1),
            ("wrong_turn", 1),
        ],
        3,
    ),
    (
        |client, ids| put(client, &[b"HDEL", b"messages", &bytes_of(&ids["delayed"])]),
        &[("place_without_body", 1)],
        1,
    ),
    (
        |client, ids| {
            let note = get(client, "notes", &bytes_of(&ids["returned"]));
            put(client, &[b"HSET", b"notes", &bytes_of(&ids["plain"]), &note]);
        },
        &[("note_without_message", 1)],
        0,
    ),
    (
        |client, ids| {
            put(client, &[b"ZADD", b"delayed", b"5", &bytes_of(&ids["priority"])]);
            put(client, &[b"ZADD", b"ranked", b"5", &bytes_of(&ids["plain"])]);
        },
        &[("two_places", 2)],
        0,
    ),
    (
        |client, ids| put(client, &[b"ZADD", b"ranked", b"5", &bytes_of(&ids["returned"])]),
        &[("wrong_place", 1)],
        0,
    ),
    (
        |client, _| {
            client.ask("RPOPLPUSH mq:{orders}:ready7 mq:{orders}:ready3");
        },
        &[("wrong_place", 1), ("wrong_lane", 2)],
        0,
    ),
    (|client, _| put(client, &[b"DEL", b"lanes"]), &[("wrong_lane", 3)], 0),
    (|client, _| put(client, &[b"DEL", b"retries"]), &[("wrong_retried", 1)], 0),
    (|client, _| put(client, &[b"DEL", b"expiring"]), &[("wrong_expiring", 1)], 0),
    (
        |client, ids| {
            put(client, &[b"DEL", b"dead"]);
            put(client, &[b"ZADD", b"dead", b"5", &bytes_of(&ids["returned"])]);
        },
        &[("wrong_dead", 3)],
        0,
    ),
    (
        |client, _| put(client, &[b"DEL", b"groups"]),
        &[("body_without_place", 9), ("wrong_group", 2)],
        0,
    ),
    (
        |client, _| {
            put(client, &[b"DEL", b"turns"]);
            put(client, &[b"ZADD", b"turns", b"5", b"g"]);
        },
        &[("wrong_turn", 2)],
        0,
    ),
    (
        |client, _| {
            put(client, &[b"HDEL", b"dedup", b"held"]);
            put(client, &[b"ZADD", b"deduped", b"5", b"once"]);
            put(client, &[b"HSET", b"dedup", b"more", b"garbage"]);
        },
        &[("wrong_dedup", 3)],
        0,
    ),
    (|client, _| put(client, &[b"DEL", b"grouped"]), &[("body_without_place", 1)], 0),
];

#[test]
fn damage_of_every_kind_is_found_repaired_and_the_same_on_a_replica() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let mut names: Vec<&str> = Vec::new();
    for (number, (damage, expected, lost)) in ROWS.into_iter().enumerate() {
        client.ask("FLUSHALL");
        let ids = fill(&mut client);
        assert_eq!(findings(&mut client, "MQ.CHECK orders"), [], "row {number}, not damaged");
        let messages = seen(&mut client);
        assert_eq!(messages as i64, client.number("MQ.LEN orders"));
        damage(&mut client, &ids);
        same_data(&mut client, &mut copy, "the damage");
        let expected: Vec<_> = expected.iter().map(|(name, n)| (name.to_string(), *n)).collect();
        let digest = client.text("DEBUG DIGEST");
        assert_eq!(findings(&mut client, "MQ.CHECK orders"), expected, "row {number}");
        assert_eq!(client.text("DEBUG DIGEST"), digest, "a check only reads");
        assert_eq!(findings(&mut client, "mq.check orders repair"), expected, "row {number}");
        assert_eq!(findings(&mut client, "MQ.CHECK orders"), [], "row {number}, repaired");
        let digest = client.text("DEBUG DIGEST");
        assert_eq!(findings(&mut client, "MQ.CHECK orders REPAIR"), [], "row {number}, again");
        assert_eq!(client.text("DEBUG DIGEST"), digest, "nothing is left to repair");
        assert_eq!(seen(&mut client), messages - lost, "row {number}: messages are lost");
        assert_eq!(client.number("MQ.LEN orders"), (messages - lost) as i64);
        same_data(&mut client, &mut copy, &format!("the repair of row {number}"));
        names.extend(ROWS[number].1.iter().map(|(name, _)| *name));
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 17, "{names:?}");
    let digest = client.text("DEBUG DIGEST");
    let mut server = server;
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest, "the file tells the same");
}

#[test]
fn a_sound_queue_has_no_findings_in_either_protocol() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    for part in PARTS {
        let is_there = client.number(&format!("EXISTS mq:{{orders}}:{part}")) == 1;
        assert_eq!(is_there, part != "damaged", "{part}");
    }
    let digest = client.text("DEBUG DIGEST");
    for line in ["MQ.CHECK orders", "MQ.CHECK orders REPAIR", "MQ.CHECK nothing", "MQ.CHECK mails"]
    {
        assert_eq!(client.ask(line), Value::Array(Vec::new()), "{line}");
    }
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    put(&mut client, &[b"RPUSH", b"ready", b"garbage"]);
    let mut resp3 = server.resp3_client();
    let reply = resp3.ask("MQ.CHECK orders REPAIR");
    assert_eq!(matches!(reply, Value::Map(_)), facts().modules_reply_with_maps(), "{reply:?}");
    assert_eq!(client.number("LLEN mq:{orders}:damaged"), 1);
    assert_eq!(client.info("mq")["mq_damaged"], "1");
}

#[test]
fn every_record_of_a_large_queue_is_read() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 5");
    // More than the compact forms of lists, hashes and sorted sets hold.
    for number in 0..40 {
        let payloads = vec![format!("payload-{number}"); 100].join(" ");
        let options = ["", "PRIORITY 7", "GROUP g", "DELAY 3600000", "TTL 3600000"][number % 5];
        client.ask(&format!("MQ.MPUSH orders 100 {payloads} {options}"));
    }
    client.ask("MQ.PULL orders COUNT 500 VISIBILITY 3600000 CONSUMER ann");
    for group in 0..300 {
        client.ask(&format!("MQ.PUSH orders x GROUP {group} DEDUP {group}"));
    }
    assert_eq!(findings(&mut client, "MQ.CHECK orders"), []);
    let absent = ["retries", "dead", "bodies", "damaged"];
    for part in PARTS.iter().filter(|part| !absent.contains(part)) {
        let kind = client.text(&format!("TYPE mq:{{orders}}:{part}"));
        let key = format!("mq:{{orders}}:{part}");
        for number in 0..3 {
            match kind.as_str() {
                "list" => client.ask(&format!("RPUSH {key} garbage{number}")),
                "hash" => client.ask(&format!("HSET {key} garbage{number} garbage")),
                _ => client.ask(&format!("ZADD {key} {number}.5 garbage{number}")),
            };
        }
    }
    let found = findings(&mut client, "MQ.CHECK orders REPAIR");
    let expected = [
        ("damaged_body", 12),
        ("damaged_note", 3),
        ("damaged_place", 12),
        ("damaged_setting", 3),
        ("wrong_lane", 3),
        ("wrong_expiring", 3),
        ("wrong_group", 3),
        ("wrong_turn", 3),
        ("wrong_dedup", 6),
    ];
    assert_eq!(found, expected.map(|(name, count)| (name.to_string(), count)));
    assert_eq!(findings(&mut client, "MQ.CHECK orders"), []);
    assert_eq!(client.number("MQ.LEN orders"), 4_300);
}

/// From the sixteenth entry on the module makes the server leave its compact form, with an entry that
/// no name may equal.
#[test]
fn names_of_zeros_of_any_length_are_kept() {
    let server = Server::start();
    let mut client = server.client();
    for length in 1..=256 {
        let queue = format!("orders{}", length / 16);
        let name = vec![0; length];
        let options: [&[u8]; 4] = [b"GROUP", &name, b"DEDUP", &name];
        let push = [b"MQ.PUSH".as_slice(), queue.as_bytes(), b"x"];
        client.reply(&[push.as_slice(), &options].concat()).expect("an id");
    }
    for queue in 0..=16 {
        let line = format!("MQ.CHECK orders{queue}");
        assert_eq!(findings(&mut client, &line), [], "{line}");
    }
}

#[test]
fn a_repair_serves_clients_that_wait_and_arms_the_timer() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders one DELAY 3600000");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    put(&mut client, &[b"DEL", b"delayed"]);
    assert_eq!(findings(&mut client, "MQ.CHECK orders REPAIR").len(), 1);
    assert_eq!(waiting.message().0.text(), "one");
    client.ask("MQ.PUSH orders two PRIORITY 1 TTL 300");
    put(&mut client, &[b"DEL", b"expiring"]);
    sleep_until_ms(now_ms() + 350);
    let expected = [("wrong_expiring".to_string(), 1)];
    assert_eq!(findings(&mut client, "MQ.CHECK orders REPAIR"), expected);
    eventually("the message is discarded", || client.number("MQ.LEN orders READY") == 0);
    assert_eq!(client.info("mq")["mq_ttl_expired"], "1");
}

#[test]
fn a_check_refuses_wrong_types_and_other_words_and_replicas() {
    let server = Server::start();
    server.damaged_on_purpose();
    let replica = server.start_replica();
    let mut client = server.client();
    for part in PARTS {
        client.ask("FLUSHALL");
        client.push("orders", "one");
        client.ask(&format!("SET mq:{{orders}}:{part} wrong"));
        let digest = client.text("DEBUG DIGEST");
        for line in ["MQ.CHECK orders", "MQ.CHECK orders REPAIR"] {
            let error = client.refused(line);
            assert!(error.starts_with("WRONGTYPE "), "{part}, {line}: {error}");
        }
        assert_eq!(client.text("DEBUG DIGEST"), digest);
    }
    for line in ["MQ.CHECK orders FIX", "MQ.CHECK orders REPAIR REPAIR", "MQ.CHECK orders 1"] {
        client.misused(line);
    }
    for line in ["MQ.CHECK orders", "MQ.CHECK orders REPAIR"] {
        let error = replica.client().refused(line);
        assert!(error.starts_with("READONLY "), "{line}: {error}");
    }
    replica.damaged_on_purpose();
}
