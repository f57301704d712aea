//! Keys of a wrong type at our key names: WRONGTYPE, nothing changed, nothing lost, and the server
//! goes on.

use crate::harness::*;

const PARTS: [&str; 23] = [
    "ready",
    "ready1",
    "lanes",
    "ranked",
    "grouped",
    "messages",
    "notes",
    "flight",
    "bodies",
    "inflight",
    "delayed",
    "retries",
    "retried",
    "expiring",
    "groups",
    "turns",
    "dedup",
    "deduped",
    "dead",
    "config",
    "damaged",
    "schedules",
    "ticks",
];

/// What is said of a key of the queue orders.
fn wrong_type(part: &str) -> String {
    format!(
        "WRONGTYPE Operation against a key holding the wrong kind of value: 'mq:{{orders}}:{part}' was \
         not created by MQ, MQ.DROP removes it with its queue"
    )
}

/// A queue whose every key is there, with a delivery that still runs.
fn fill(client: &mut Client) -> Message {
    client.ask("MQ.CONFIG orders BACKOFFMAX 7777");
    client.ask("MQ.SCHEDULE orders each tick EVERY 31536000000");
    for payload in ["one", "two", "three"] {
        client.push("orders", payload);
    }
    client.ask("MQ.PUSH orders four DELAY 3600000");
    let first = client.pull("orders");
    client.nack(&first);
    let message = client.pull("orders VISIBILITY 3600000");
    client.ask("MQ.PUSH orders five GROUP a TTL 3600000 DEDUP k");
    client.ask("MQ.PUSH orders six PRIORITY 1 DEDUP l UNTILDONE");
    message
}

/// Commands that put something at the key `k`; whatever a part is, most of them are of another type.
const OTHER_VALUES: [&str; 6] =
    ["SET k x", "RPUSH k x", "HSET k f x", "ZADD k 1 x", "SADD k x", "XADD k * f x"];

#[test]
fn every_command_says_so_where_a_key_that_it_needs_has_a_wrong_type() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    let all: &[&str] = &PARTS;
    let needs: [(&str, &[&str]); 20] = [
        ("MQ.MPUSH orders 2 x y", &["ready", "config"]),
        ("MQ.PUSH orders x GROUP a", &["groups", "messages"]),
        ("MQ.PUSH orders x GROUP b", &["groups", "turns", "lanes", "messages"]),
        ("MQ.MPUSH orders 8 1 2 3 4 5 6 7 8 GROUP a", &["grouped"]),
        ("MQ.PUSH orders x PRIORITY 1", &["ready1", "lanes"]),
        ("MQ.PUSH orders x TTL 1000", &["expiring", "messages", "ranked"]),
        ("MQ.PUSH orders x DEDUP k", &["dedup", "deduped"]),
        (
            "MQ.PEEK orders",
            &["ready", "ready1", "lanes", "ranked", "groups", "grouped", "messages", "notes"],
        ),
        ("MQ.GET orders x", &["ready", "ready1", "lanes", "messages", "notes"]),
        ("MQ.DEL orders x", all),
        ("MQ.RESCHEDULE orders x DELAY 0", all),
        (
            "MQ.PURGE orders",
            &["ready", "ready1", "lanes", "ranked", "grouped", "flight", "inflight", "delayed"],
        ),
        ("MQ.PUSH orders x", &["ready", "config"]),
        ("MQ.PUSH orders x DELAY 1000", &["messages", "delayed"]),
        ("MQ.PULL orders", &["ready", "ready1", "lanes", "ranked", "messages", "flight"]),
        ("MQ.ACK", &["notes", "flight"]),
        ("MQ.NACK", &["messages", "notes", "flight", "inflight", "ranked"]),
        ("MQ.EXTEND", &["flight", "inflight"]),
        ("MQ.CONFIG orders DELAY 5", &["config"]),
        (
            "MQ.LEN orders",
            &[
                "ready", "ready1", "lanes", "ranked", "groups", "messages", "flight", "inflight",
                "delayed",
            ],
        ),
    ];
    for (command, parts) in needs {
        for part in parts {
            client.ask("FLUSHALL");
            let message = fill(&mut client);
            let line = if command.contains(' ') {
                command.to_string()
            } else {
                format!("{command} {}", message.delivery())
            };
            client.ask(&format!("SET mq:{{orders}}:{part} wrong"));
            let before = client.text("DEBUG DIGEST");
            assert_eq!(client.refused(&line), wrong_type(part), "{line} with a wrong {part}");
            assert_eq!(client.text("DEBUG DIGEST"), before, "{line} with a wrong {part}");
        }
    }
}

#[test]
fn no_command_breaks_or_loses_anything_with_any_wrong_type_at_any_key() {
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let (mut client, mut copy) = (server.client(), replica.client());
    for part in PARTS {
        let key = format!("mq:{{orders}}:{part}");
        for make in OTHER_VALUES {
            client.ask("FLUSHALL");
            let message = fill(&mut client);
            client.number(&format!("DEL {key}"));
            client.ask(&make.replace(" k ", &format!(" {key} ")));
            let mut lines = vec![
                "MQ.PUSH orders x".to_string(),
                "MQ.PUSH orders x DELAY 1".into(),
                "MQ.PULL orders VISIBILITY 1".into(),
                "MQ.PULL orders COUNT 10 VISIBILITY 1".into(),
                "MQ.PULL orders BLOCK 1".into(),
                "MQ.CONFIG orders".into(),
                "MQ.CONFIG orders DELAY 5".into(),
                "MQ.INFO orders".into(),
                "MQ.LEN orders".into(),
                "MQ.PUSH orders x GROUP a TTL 1".into(),
                "MQ.PUSH orders x PRIORITY 2 DEDUP m UNTILDONE HEADERS 1 a b".into(),
                "MQ.PUSH orders x DEDUP k WINDOW 1".into(),
                "MQ.MPUSH orders 2 x y GROUP b DELAY 1".into(),
                "MQ.PEEK orders".into(),
                "MQ.PEEK orders INFLIGHT".into(),
                "MQ.PEEK orders DELAYED".into(),
                format!("MQ.GET orders {}", message.id),
                format!("MQ.RESCHEDULE orders {} DELAY 0", message.id),
                "MQ.PULL orders NOACK".into(),
                "MQ.CONFIG orders GROUPINFLIGHT 5".into(),
                "MQ.QUEUES".into(),
                "MQ.STATS".into(),
                "MQ.SCHEDULE orders each changed EVERY 31536000000".into(),
                "MQ.SCHEDULE orders more tick CRON @yearly".into(),
                "MQ.SCHEDULES orders".into(),
                "MQ.NEXT orders each".into(),
                "MQ.TRIGGER orders each".into(),
                "MQ.UNSCHEDULE orders more".into(),
            ];
            let claims = ["MQ.EXTEND", "MQ.NACK", "MQ.ACK"];
            lines.extend(claims.iter().map(|command| format!("{command} {}", message.delivery())));
            lines.push(format!("MQ.DEL orders {}", message.id));
            lines.push("MQ.PURGE orders".into());
            lines.push("MQ.DROP orders".into());
            for line in &lines {
                if let Err(error) = client.reply_to(line) {
                    let known = ["WRONGTYPE ", "CORRUPT ", "NOTFOUND ", "BADRECEIPT "];
                    assert!(
                        known.iter().any(|code| error.starts_with(code)),
                        "{make} at {part}, {line}: {error}"
                    );
                }
            }
            same_data(&mut client, &mut copy, &format!("{make} at {part}"));
        }
    }
    assert_eq!(client.ask("PING"), Value::SimpleString("PONG".into()));
}

#[test]
fn a_drop_removes_a_queue_whatever_its_keys_hold() {
    let server = Server::start();
    let replica = server.start_replica();
    server.damaged_on_purpose();
    replica.damaged_on_purpose();
    let (mut client, mut copy) = (server.client(), replica.client());
    for part in PARTS {
        let key = format!("mq:{{orders}}:{part}");
        for make in OTHER_VALUES {
            client.ask("FLUSHALL");
            fill(&mut client);
            client.push("mails", "stays");
            client.number(&format!("DEL {key}"));
            client.ask(&make.replace(" k ", &format!(" {key} ")));
            assert_eq!(client.number("MQ.DROP orders"), 1, "{make} at {part}");
            assert_eq!(client.number("DBSIZE"), 1, "{make} at {part}");
            assert_eq!(client.number("MQ.DROP orders"), 0);
            same_data(&mut client, &mut copy, &format!("{make} at {part}"));
        }
    }
    client.ask("SET mq:{orders}:config wrong");
    client.ask("MULTI");
    client.ask("MQ.DROP orders");
    client.ask("MQ.PUSH orders one");
    assert_eq!(items(&client.ask("EXEC"))[0], Value::Int(1));
    assert_eq!(client.pull("orders").text(), "one");
    same_data(&mut client, &mut copy, "in a transaction");
}

#[test]
fn a_drop_of_wrong_types_is_in_the_append_only_file() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    fill(&mut client);
    client.ask("DEL mq:{orders}:delayed");
    client.ask("SET mq:{orders}:delayed wrong");
    assert_eq!(client.number("MQ.DROP orders"), 1);
    server.kill_and_start_again();
    assert_eq!(server.client().number("DBSIZE"), 0);
}

#[test]
fn the_key_is_named_that_has_the_wrong_type_of_several_queues() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    client.ask("SET mq:{b}:flight wrong");
    for line in ["MQ.MPULL 2 a b", "MQ.MPULL 2 b a COUNT 5"] {
        let error = client.refused(line);
        assert!(error.contains(": 'mq:{b}:flight' was not created by MQ"), "{line}: {error}");
    }
    if facts().documents_module_commands() {
        client.ask("SET mq:{a}:dead:messages wrong");
        let error = client.refused("MQ.LEN a DEAD");
        assert!(error.contains(": 'mq:{a}:dead:messages' was not created by MQ"), "{error}");
    }
}

#[test]
fn a_wrong_type_in_one_queue_does_not_disturb_the_timer_for_others() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    for part in PARTS {
        client.ask("FLUSHALL");
        client.push("orders", "one");
        client.ask("MQ.PUSH orders two DELAY 20");
        client.pull("orders VISIBILITY 20");
        let key = format!("mq:{{orders}}:{part}");
        client.ask(&format!("SET {key} wrong"));
        client.push("mails", "x");
        client.pull("mails VISIBILITY 30");
        eventually("the other queue goes on", || client.number("ZCARD mq:{mails}:ranked") == 1);
        assert_eq!(client.text(&format!("GET {key}")), "wrong", "nobody touched the foreign key");
    }
}

#[test]
fn a_queue_goes_on_when_the_foreign_key_is_gone() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PUSH orders two DELAY 20");
    client.pull("orders VISIBILITY 20");
    client.ask("SET mq:{orders}:ranked wrong");
    sleep_until_ms(now_ms() + 60);
    assert_eq!(client.refused("MQ.PULL orders"), wrong_type("ranked"));
    client.ask("DEL mq:{orders}:ranked");
    let mut payloads: Vec<String> =
        (0..2).map(|_| client.pull("orders BLOCK 0").text().to_string()).collect();
    payloads.sort();
    assert_eq!(payloads, ["one", "two"]);
}

#[test]
fn a_blocked_client_gets_an_error_when_a_key_gets_a_wrong_type() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("SET mq:{orders}:flight wrong");
    // The push itself doesn't need that key, the pull does.
    client.reply_to("MQ.PUSH orders x").expect("an id");
    let error = waiting.reply().expect_err("an error");
    assert_eq!(error, wrong_type("flight"));
}
