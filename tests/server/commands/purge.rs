//! MQ.PURGE of one state, and MQ.GET and MQ.DEL by deduplication key.

use crate::harness::*;

const LONG: &str = "VISIBILITY 3600000";

/// Twelve ready messages, three delayed ones and one in flight, with every feature.
fn fill(client: &mut Client) {
    client.push("orders", "held");
    client.pull(&format!("orders {LONG}"));
    client.push("orders", "back");
    let back = client.pull(&format!("orders {LONG}"));
    client.nack(&back);
    for line in [
        "MQ.MPUSH orders 3 plain plain plain",
        "MQ.MPUSH orders 2 high high PRIORITY 9",
        "MQ.PUSH orders low PRIORITY 1 DEDUP low UNTILDONE",
        "MQ.MPUSH orders 3 grouped grouped grouped GROUP a",
        "MQ.PUSH orders grouped GROUP b DEDUP b UNTILDONE",
        "MQ.PUSH orders ttl TTL 3600000",
        "MQ.PUSH orders delayed DELAY 3600000 DEDUP later UNTILDONE",
        "MQ.PUSH orders delayed DELAY 3600000 GROUP c TTL 7200000",
        "MQ.PUSH orders delayed AT 4000000000000 PRIORITY 2",
    ] {
        client.ask(line);
    }
    eventually("all are ready", || client.number("MQ.LEN orders READY") == 12);
}

#[test]
fn only_the_messages_of_the_state_are_deleted() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let mut all = 0;
    for (state, left, keys) in [("READY", [0, 1, 3], 1), ("DELAYED", [12, 1, 0], 2)] {
        client.ask("MQ.CONFIG orders BACKOFF 0 GROUPINFLIGHT 2");
        fill(&mut client);
        let deleted = client.number(&format!("MQ.PURGE orders {state}"));
        assert_eq!(deleted, 16 - left.iter().sum::<i64>(), "{state}");
        assert_eq!(client.lengths("orders"), left, "{state}");
        assert_eq!(client.queue_info("orders", "dedup_keys"), keys, "{state}");
        all += deleted;
        assert_eq!(client.queue_info("orders", "deleted"), all);
        all += left.iter().sum::<i64>();
        assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(vec![]), "{state}");
        assert_eq!(client.number(&format!("MQ.PURGE orders {state}")), 0);
        same_data(&mut client, &mut copy, state);
        assert_eq!(client.number("MQ.DROP orders"), 1);
    }
    fill(&mut client);
    client.ask("MQ.PURGE orders READY");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}

#[test]
fn others_have_their_turn_while_many_are_deleted() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    for _ in 0..20 {
        let pushes: Vec<String> =
            (0..1_000).map(|n| format!("MQ.PUSH orders {n} TTL 3600000")).collect();
        client.pipeline(&pushes);
    }
    let mut purging = server.waiting("MQ.PURGE orders READY");
    purging.still_waits();
    client.push("orders", "late");
    assert!((1..20_000).contains(&client.number("MQ.LEN orders")), "it is under way");
    assert_eq!(purging.reply(), Ok(Value::Int(20_000)));
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    same_data(&mut client, &mut replica.client(), "the purge");
}

#[test]
fn in_a_transaction_or_a_script_all_are_deleted_at_once() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..2 {
        let pushes: Vec<String> =
            (0..3_000).map(|n| format!("MQ.PUSH orders {n} DELAY 3600000")).collect();
        client.pipeline(&pushes);
    }
    client.push("orders", "stays");
    let lines = ["MULTI", "MQ.PURGE orders READY", "MQ.PURGE orders DELAYED", "EXEC"];
    let replies = client.pipeline(&lines.map(str::to_string));
    assert_eq!(replies[3], Ok(Value::Array(vec![Value::Int(1), Value::Int(6_000)])));
    let pushes: Vec<String> = (0..3_000).map(|n| format!("MQ.PUSH orders {n}")).collect();
    client.pipeline(&pushes);
    let script = "return redis.call('MQ.PURGE', KEYS[1], 'READY')";
    assert_eq!(client.reply(&["EVAL", script, "1", "orders"]), Ok(Value::Int(3_000)));
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("RPUSH mq:{orders}:ready garbage");
    client.push("orders", "two");
    client.ask("ZADD mq:{orders}:delayed 1e13 garbage");
    assert_eq!(client.number("MQ.PURGE orders READY"), 2);
    assert_eq!(client.number("MQ.PURGE orders DELAYED"), 0);
    assert_eq!(client.number("LLEN mq:{orders}:damaged"), 2);
    client.ask("SET mq:{wrong}:delayed x");
    let error = client.refused("MQ.PURGE wrong DELAYED");
    assert!(error.starts_with("WRONGTYPE ") && error.contains("mq:{wrong}:delayed"), "{error}");
    client.ask("MQ.DROP wrong");
}

#[test]
fn a_message_is_shown_and_deleted_by_its_deduplication_key() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let waits = client.text("MQ.PUSH orders waits DELAY 3600000 DEDUP a UNTILDONE");
    let window = client.text("MQ.PUSH orders window DEDUP b WINDOW 3600000");
    for (key, id) in [("a", &waits), ("b", &window)] {
        let shown = client.map(&format!("MQ.GET orders DEDUP {key}"));
        assert_eq!(&shown["id"], id, "{key}");
        assert_eq!(client.number(&format!("MQ.DEL orders dedup {key}")), 1);
        assert_eq!(client.number(&format!("MQ.DEL orders DEDUP {key}")), 0);
        assert_eq!(client.ask(&format!("MQ.GET orders DEDUP {key}")), Value::Nil);
    }
    same_data(&mut client, &mut copy, "both");
    assert_ne!(client.text("MQ.PUSH orders again DEDUP a UNTILDONE"), waits);
    assert_eq!(client.text("MQ.PUSH orders again DEDUP b"), window, "the window goes on");
    assert_eq!(client.ask("MQ.GET orders DEDUP none"), Value::Nil);
    client.ask("MQ.PUSH orders short DEDUP c WINDOW 1");
    sleep_until_ms(now_ms() + 20);
    assert_eq!(client.number("MQ.DEL orders DEDUP c"), 0, "the window is over");
    client.ask("SET mq:{wrong}:dedup x");
    for line in ["MQ.GET wrong DEDUP k", "MQ.DEL wrong DEDUP k"] {
        assert!(client.refused(line).starts_with("WRONGTYPE "), "{line}");
    }
    client.ask("MQ.DROP wrong");
    same_data(&mut client, &mut copy, "the drop");
}
