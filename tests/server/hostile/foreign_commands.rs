//! Other people's commands on our keys: each of a queue's keys, taken from the list in the source, is
//! deleted, renamed, moved, copied over, restored from before, overwritten or filled with garbage.
//! The queue answers every command, a replica stays the same, a repair makes the queue whole, and
//! what did not stand in the damaged key is still there.

use crate::harness::*;
use std::{collections::BTreeMap, fs};

/// The last words of the names of a queue's keys, as `src/queue/part.rs` lists them.
fn words() -> Vec<String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/queue/part.rs");
    let source = fs::read_to_string(source).expect("the list of keys");
    let word = |line: &str| Some(line.split_once(" = \"")?.1.split_once("\", ")?.0.into());
    let words: Vec<String> = source.lines().filter_map(word).collect();
    assert!(words.len() >= 26, "{words:?}");
    words
}

fn key(word: &str) -> String {
    format!("mq:{{orders}}:{word}")
}

/// The payloads of the messages in `orders`.
const PAYLOADS: [&str; 33] = [
    "<dead>",
    "<held-1>",
    "<held-2>",
    "<returned>",
    "<once-returned>",
    "<first>",
    "<g2>",
    "<g3>",
    "<g4>",
    "<g5>",
    "<g6>",
    "<g7>",
    "<g8>",
    "<g9>",
    "<g10>",
    "<alone>",
    "<later>",
    "<delayed>",
    "<dying>",
    "<windowed>",
    "<untildone>",
    "<plain>",
    "<p1>",
    "<p2>",
    "<p3>",
    "<p4>",
    "<p5>",
    "<p6>",
    "<p7>",
    "<p8>",
    "<p9>",
    "<old>",
    "<large>",
];

/// Makes a queue `orders` that has something in every key, and in which nothing becomes due within
/// a test; the deliveries in it.
fn fill(client: &mut Client) -> Vec<Message> {
    client.ask("FLUSHALL");
    let mut lines = vec![
        "MQ.CONFIG orders VISIBILITY 3600000 MAXRETRIES 5".to_string(),
        "MQ.CONFIG mails MAXRETRIES 0 DEADLETTER orders".into(),
        "MQ.SCHEDULE orders each tick EVERY 31536000000 OVERLAP SKIP".into(),
        "MQ.SCHEDULE orders paused tick CRON @yearly PAUSED 1".into(),
        "RPUSH mq:{orders}:ready garbage".into(),
        "MQ.PULL orders".into(),
    ];
    lines.extend(
        ["<held-1>", "<held-2>", "<returned>", "<once-returned>"]
            .map(|p| format!("MQ.PUSH orders {p}")),
    );
    lines.push("MQ.PUSH orders <first> GROUP g".into());
    lines.push("MQ.PUSH orders <old> PRIORITY 1".into());
    lines.push(format!("MQ.PUSH orders <large> HEADERS 1 pad {}", "x".repeat(4_100)));
    let set_aside = client.pipeline(&lines).remove(5).expect_err("the garbage");
    assert!(set_aside.starts_with("CORRUPT "), "{set_aside}");
    client.pull_as_0_1_0("orders");
    let mut deliveries = client.pull_batch("orders COUNT 6 CONSUMER worker");
    let returned = ["<returned>", "<once-returned>"].map(|payload| {
        let index = deliveries.iter().position(|one| one.text() == payload).expect("it");
        deliveries.remove(index)
    });
    returned.iter().for_each(|message| client.nack(message));
    // The retry of the second was counted by 0.1.0.
    let id = bytes_of(&returned[1].id);
    client.reply(&[b"ZADD".as_slice(), b"mq:{orders}:retried", b"1", &id]).expect("1");
    client.ask("HSET mq:{orders}:retries 1 1");
    client.push("mails", "<dead>");
    let dead = client.pull("mails");
    client.nack(&dead);
    let mut lines: Vec<String> =
        (1..=9).map(|n| format!("MQ.PUSH orders <p{n}> PRIORITY {n}")).collect();
    lines.extend((2..=10).map(|n| format!("MQ.PUSH orders <g{n}> GROUP g")));
    let options = [
        "<alone> GROUP h",
        "<later> GROUP k DELAY 3600000",
        "<delayed> DELAY 3600000",
        "<dying> TTL 3600000",
        "<windowed> DEDUP w WINDOW 3600000",
        "<untildone> DEDUP u UNTILDONE",
        "<plain> HEADERS 1 trace 1",
    ];
    lines.extend(options.map(|options| format!("MQ.PUSH orders {options}")));
    client.pipeline(&lines).into_iter().for_each(|reply| drop(reply.expect("an id")));
    deliveries
}

/// The payloads of the messages whose bodies stand in a key.
fn payloads_in(client: &mut Client, key: &str) -> Vec<&'static str> {
    let values = match client.text(&format!("TYPE {key}")).as_str() {
        "list" => client.ask(&format!("LRANGE {key} 0 -1")),
        "hash" => client.ask(&format!("HVALS {key}")),
        _ => return Vec::new(),
    };
    let bodies = strings(&values).concat();
    PAYLOADS.into_iter().filter(|payload| bodies.contains(payload)).collect()
}

/// Does something to a key; gets the key and another one of ours. Returns the payloads that are
/// touched by it.
type Foreign = fn(&mut Client, &str, &str) -> Vec<&'static str>;

/// Touches what stands in the key.
fn on_key(client: &mut Client, key: &str, line: &str) -> Vec<&'static str> {
    let touched = payloads_in(client, key);
    client.ask(line);
    // Some servers leave a client in the other database after a MOVE.
    client.ask("SELECT 0");
    touched
}

/// Overwrites the other key.
fn over_other(client: &mut Client, key: &str, other: &str, line: &str) -> Vec<&'static str> {
    let touched = payloads_in(client, other);
    [touched, on_key(client, key, line)].concat()
}

const FOREIGN: [(&str, Foreign); 12] = [
    ("DEL", |client, key, _| on_key(client, key, &format!("DEL {key}"))),
    ("UNLINK", |client, key, _| on_key(client, key, &format!("UNLINK {key}"))),
    ("PEXPIRE", |client, key, _| {
        let touched = on_key(client, key, &format!("PEXPIRE {key} 1"));
        eventually("the key expires", || client.number(&format!("EXISTS {key}")) == 0);
        touched
    }),
    ("RENAME to elsewhere", |client, key, _| {
        on_key(client, key, &format!("RENAME {key} elsewhere"))
    }),
    ("RENAME over another", |client, key, other| {
        over_other(client, key, other, &format!("RENAME {key} {other}"))
    }),
    ("MOVE", |client, key, _| on_key(client, key, &format!("MOVE {key} 1"))),
    ("COPY over another", |client, key, other| {
        if !facts().copies_keys() {
            return Vec::new();
        }
        over_other(client, key, other, &format!("COPY {key} {other} REPLACE"))
    }),
    ("RESTORE to another queue", |client, key, _| {
        let copy = key.replace("orders", "copies");
        restore(client, key, &copy, |_| ());
        Vec::new()
    }),
    ("RESTORE from before", |client, key, _| {
        let mut touched = vec!["<new>"];
        restore(client, key, key, |client| {
            let pulled = client.pull("orders");
            let name = PAYLOADS.into_iter().find(|payload| *payload == pulled.text());
            touched.extend(name);
            client.push("orders", "<new>");
        });
        touched
    }),
    ("SET", |client, key, _| on_key(client, key, &format!("SET {key} wrong"))),
    ("garbage beside the rest", |client, key, _| {
        let line = match client.text(&format!("TYPE {key}")).as_str() {
            "list" => format!("LPUSH {key} garbage \"\""),
            "hash" => format!("HSET {key} garbage garbage"),
            _ => format!("ZADD {key} 0 garbage -inf \"\" 5 0123456789abcdef"),
        };
        client.ask(&line);
        Vec::new()
    }),
    ("garbage in its place", |client, key, _| {
        let touched = payloads_in(client, key);
        match client.text(&format!("TYPE {key}")).as_str() {
            "list" => (0..client.number(&format!("LLEN {key}"))).for_each(|at| {
                client.ask(&format!("LSET {key} {at} garbage"));
            }),
            "hash" => {
                let fields = client.ask(&format!("HKEYS {key}"));
                for field in items(&fields) {
                    client.reply(&[b"HSET", key.as_bytes(), bulk(field), b"garbage"]).expect("0");
                }
            }
            _ => {
                let members = client.ask(&format!("ZRANGE {key} 0 -1"));
                for member in items(&members) {
                    client.reply(&[b"ZADD", key.as_bytes(), b"-inf", bulk(member)]).expect("0");
                }
            }
        }
        touched
    }),
];

/// Restores a key as it was before `work`, under the same name or another one.
fn restore(client: &mut Client, key: &str, to: &str, work: impl FnOnce(&mut Client)) {
    let dump = client.ask(&format!("DUMP {key}"));
    work(client);
    let restore: [&[u8]; 5] = [b"RESTORE", to.as_bytes(), b"0", bulk(&dump), b"REPLACE"];
    client.reply(&restore).expect("restored");
}

/// Every key of the filled queue with its type. Fails if one is not there: `fill` must make it.
fn types(client: &mut Client) -> BTreeMap<String, String> {
    let types: BTreeMap<String, String> = words()
        .into_iter()
        .map(|word| (key(&word), client.text(&format!("TYPE {}", key(&word)))))
        .collect();
    let absent: Vec<&String> =
        types.iter().filter(|(_, kind)| *kind == "none").map(|(key, _)| key).collect();
    assert!(absent.is_empty(), "the queue of this test has nothing in {absent:?}");
    types
}

/// As a user does who is told WRONGTYPE: what is there by mistake is deleted.
fn delete_wrong_types(client: &mut Client, types: &BTreeMap<String, String>) {
    for (key, kind) in types {
        let found = client.text(&format!("TYPE {key}"));
        if found != *kind && found != "none" {
            client.ask(&format!("DEL {key}"));
        }
    }
}

fn findings(client: &mut Client, line: &str) -> Vec<String> {
    entries(&client.ask(line)).into_iter().map(|(name, _)| name).collect()
}

/// The keys each in turn, with another one of ours.
fn pairs() -> Vec<(String, String)> {
    let keys: Vec<String> = words().iter().map(|word| key(word)).collect();
    let others = keys.iter().cycle().skip(1).cloned();
    keys.iter().cloned().zip(others).collect()
}

#[test]
fn a_repair_makes_the_queue_whole_and_keeps_what_was_not_touched() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    fill(&mut client);
    let types = types(&mut client);
    let mut silent = Vec::new();
    for (what, foreign) in FOREIGN {
        for (key, other) in pairs() {
            let row = format!("{what} at {key}");
            fill(&mut client);
            let touched = foreign(&mut client, &key, &other);
            delete_wrong_types(&mut client, &types);
            let found = findings(&mut client, "MQ.CHECK orders REPAIR");
            if what == "DEL" && found.is_empty() {
                silent.push(key);
            }
            assert_eq!(findings(&mut client, "MQ.CHECK orders"), [""; 0], "{row}");
            findings(&mut client, "MQ.CHECK copies REPAIR");
            // Those of a group whose first is in flight stay.
            while !client.pull_batch("orders COUNT 50").is_empty() {}
            let ready = client.peek_texts("orders");
            assert!(ready.iter().all(|payload| payload.starts_with("<g")), "{row}: {ready:?}");
            let mut left = client.peek_texts("orders INFLIGHT COUNT 100");
            left.extend(client.peek_texts("orders DELAYED COUNT 100"));
            left.extend(ready);
            let number_of = |payload: &str| left.iter().filter(|one| *one == payload).count();
            for payload in PAYLOADS {
                let allowed = if touched.contains(&payload) { 0..=1 } else { 1..=1 };
                let number = number_of(payload);
                assert!(allowed.contains(&number), "{row}: {number} times {payload}");
            }
            same_data(&mut client, &mut copy, &row);
        }
    }
    // Nothing else tells what stood in these.
    assert_eq!(silent, ["config", "damaged"].map(key));
}

/// Every command, with what a client may have in its hands.
fn lines(deliveries: &[Message]) -> Vec<String> {
    let mut lines: Vec<String> = [
        "MQ.PUSH orders x",
        "MQ.PUSH orders x DELAY 1",
        "MQ.PUSH orders x GROUP g TTL 1",
        "MQ.PUSH orders x PRIORITY 2 DEDUP u UNTILDONE HEADERS 1 a b",
        "MQ.PUSH orders x DEDUP w WINDOW 1",
        "MQ.MPUSH orders 2 x y GROUP h",
        "MQ.PULL orders VISIBILITY 1",
        "MQ.PULL orders COUNT 30 VISIBILITY 1",
        "MQ.PULL orders NOACK",
        "MQ.PULL orders BLOCK 1",
        "MQ.MPULL 2 other orders ONDISCONNECT BLOCK 1",
        "MQ.CONFIG orders",
        "MQ.CONFIG orders GROUPINFLIGHT 5 RATE 100",
        "MQ.INFO orders",
        "MQ.LEN orders",
        "MQ.PEEK orders",
        "MQ.PEEK orders INFLIGHT",
        "MQ.PEEK orders DELAYED",
        "MQ.PAUSE orders FOR 1",
        "MQ.RESUME orders",
        "MQ.QUEUES",
        "MQ.STATS",
        "MQ.REDRIVE orders",
        "MQ.REDRIVE orders TO mails",
        "MQ.CHECK orders",
        "MQ.SCHEDULES orders",
        "MQ.NEXT orders each COUNT 3",
        "MQ.TRIGGER orders each",
        "MQ.SCHEDULE orders each changed EVERY 31536000000",
        "MQ.SCHEDULE orders more x CRON @yearly",
        "MQ.UNSCHEDULE orders paused",
    ]
    .map(String::from)
    .into();
    for delivery in deliveries {
        lines.push(format!("MQ.GET orders {}", delivery.id));
        lines.push(format!("MQ.RESCHEDULE orders {} DELAY 1", delivery.id));
        lines.push(format!("MQ.EXTEND {} VISIBILITY 1000", delivery.delivery()));
    }
    lines.push(format!("MQ.NACK {} REASON no", deliveries[0].delivery()));
    lines.push(format!("MQ.ACK {}", deliveries[1].delivery()));
    lines.push(format!("MQ.PULL orders COUNT 2 ACK 1 {}", deliveries[2].pair()));
    lines.push(format!("MQ.DEL orders {}", deliveries[2].id));
    lines
}

/// Fails for a command of the module that is in none of the lines.
fn every_command_is_in(client: &mut Client, lines: &[String]) {
    let commands = client.ask("COMMAND");
    let mut names = items(&commands).iter().map(|command| text_of(&items(command)[0]));
    let own_op = "mq.apply";
    let missing = names.find(|name| {
        let begin = format!("{} ", name.to_uppercase());
        let is_in = |line: &String| format!("{line} ").starts_with(&begin);
        name.starts_with("mq.") && name != own_op && !lines.iter().any(is_in)
    });
    assert_eq!(missing, None);
}

#[test]
fn every_command_is_answered_and_a_replica_stays_the_same() {
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let (mut client, mut copy) = (server.client(), replica.client());
    fill(&mut client);
    let types = types(&mut client);
    let last = ["MQ.PURGE orders", "MQ.DROP orders"].map(String::from);
    for (what, foreign) in FOREIGN {
        for (key, other) in pairs() {
            let row = format!("{what} at {key}");
            let deliveries = fill(&mut client);
            let lines = lines(&deliveries);
            every_command_is_in(&mut client, &[&lines[..], &last].concat());
            foreign(&mut client, &key, &other);
            let answered = |client: &mut Client, line: &String| {
                let Err(error) = client.reply_to(line) else { return };
                let mut known = vec!["WRONGTYPE ", "CORRUPT ", "NOTFOUND ", "BADRECEIPT "];
                if !facts().separates_key_permissions() && line == "MQ.REDRIVE orders" {
                    known.push("ERR this server can't check the permission ");
                }
                let is_known = known.iter().any(|code| error.starts_with(code));
                assert!(is_known, "{row}, {line}: {error}");
            };
            lines.iter().for_each(|line| answered(&mut client, line));
            same_data(&mut client, &mut copy, &row);
            delete_wrong_types(&mut client, &types);
            client.ask("MQ.CHECK orders REPAIR");
            assert_eq!(findings(&mut client, "MQ.CHECK orders"), [""; 0], "{row}");
            last.iter().for_each(|line| answered(&mut client, line));
            assert_eq!(client.number("MQ.LEN orders"), 0, "{row}");
            same_data(&mut client, &mut copy, &row);
        }
    }
}
