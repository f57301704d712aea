//! DEDUP: a second push with the same key pushes nothing.

use crate::harness::*;

/// Pushes with this key and options; the id in the reply.
#[track_caller]
fn push(client: &mut Client, options: &str) -> String {
    client.text(&format!("MQ.PUSH orders x {options}"))
}

#[test]
fn a_key_that_is_held_makes_a_push_reply_the_first_id() {
    let server = Server::start();
    let mut client = server.client();
    let first = push(&mut client, "DEDUP k");
    for options in ["DEDUP k", "DEDUP k WINDOW 1", "DEDUP k UNTILDONE", "DEDUP k PRIORITY 9 TTL 5"]
    {
        assert_eq!(push(&mut client, options), first, "{options}");
    }
    let another_payload = client.text("MQ.PUSH orders y DEDUP k");
    assert_eq!(another_payload, first);
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    assert_eq!(client.queue_info("orders", "deduplicated"), 5);
    assert_eq!(client.queue_info("orders", "pushed"), 1);
    assert_eq!(client.info("mq")["mq_deduplicated"], "5");
    assert_eq!(client.pull("orders").id, first);
}

#[test]
fn another_key_another_queue_and_no_key_are_no_duplicates() {
    let server = Server::start();
    let mut client = server.client();
    let first = push(&mut client, "DEDUP k");
    for options in ["DEDUP K", "DEDUP kk", "DEDUP l UNTILDONE", ""] {
        assert_ne!(push(&mut client, options), first, "{options}");
    }
    assert_ne!(client.text("MQ.PUSH mails x DEDUP k"), first);
    assert_ne!(server.client_of_database(3).text("MQ.PUSH orders x DEDUP k"), first);
    assert_eq!(client.queue_info("orders", "deduplicated"), 0);
}

#[test]
fn a_window_goes_on_whatever_becomes_of_the_message() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    for how in ["ACK", "NACK", "NOACK", "DEL", "TTL"] {
        let options = format!("DEDUP {how} WINDOW 3600000");
        let first = match how {
            "TTL" => push(&mut client, &format!("{options} TTL 1")),
            _ => push(&mut client, &options),
        };
        match how {
            "ACK" | "NACK" => {
                let message = client.pull("orders");
                client.ask(&format!("MQ.{how} {}", message.delivery()));
            }
            "NOACK" => {
                client.ask("MQ.PULL orders NOACK");
            }
            "DEL" => assert_eq!(client.number(&format!("MQ.DEL orders {first}")), 1),
            _ => {
                eventually("it is discarded", || client.number("EXISTS mq:{orders}:expiring") == 0)
            }
        }
        assert_eq!(client.number("MQ.LEN orders"), 0, "{how}");
        assert_eq!(push(&mut client, &options), first, "{how}");
    }
}

#[test]
fn a_window_ends_by_itself_and_leaves_nothing() {
    let server = Server::start();
    let mut client = server.client();
    let first = push(&mut client, "DEDUP k WINDOW 300");
    let pushed = client.pull("orders");
    client.acknowledge(&pushed);
    sleep_until_ms(pushed.timestamp + 300);
    let second = push(&mut client, "DEDUP k WINDOW 50");
    assert_ne!(second, first);
    let message = client.pull("orders");
    client.acknowledge(&message);
    eventually("the key is forgotten", || client.number("DBSIZE") == 0);
}

#[test]
fn the_queues_window_holds_for_pushes_without_one() {
    let server = Server::start();
    let mut client = server.client();
    let before = now_ms();
    push(&mut client, "DEDUP default");
    let ends = |client: &mut Client, key: &str| -> i64 {
        let text = client.text(&format!("ZSCORE mq:{{orders}}:deduped {key}"));
        text.parse().expect("a timestamp")
    };
    let end = ends(&mut client, "default");
    assert!((before + 300_000..=now_ms() + 300_000).contains(&end), "five minutes, not {end}");
    client.ask("MQ.CONFIG orders DEDUPWINDOW 7000000");
    let before = now_ms();
    push(&mut client, "DEDUP configured");
    push(&mut client, "DEDUP own WINDOW 9000000");
    let end = ends(&mut client, "configured");
    assert!((before + 7_000_000..=now_ms() + 7_000_000).contains(&end), "{end}");
    let end = ends(&mut client, "own");
    assert!((before + 9_000_000..=now_ms() + 9_000_000).contains(&end), "{end}");
    client.ask("MQ.CONFIG orders DEDUPWINDOW 100");
    let first = push(&mut client, "DEDUP short");
    eventually("its window is over", || push(&mut client, "DEDUP short") != first);
}

#[test]
fn maxdedup_bounds_the_keys_that_are_held_and_info_counts_them() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXDEDUP 3");
    let first = push(&mut client, "DEDUP a UNTILDONE");
    push(&mut client, "DEDUP b WINDOW 3600000 TTL 1");
    push(&mut client, "DEDUP c WINDOW 300");
    let until = now_ms() + 300;
    eventually("one is discarded", || client.number("MQ.LEN orders") == 2);
    assert_eq!(client.queue_info("orders", "dedup_keys"), 3, "its key is held");
    let full =
        "DEDUPFULL the queue holds its maximum of deduplication keys: MAXDEDUP of 'orders' is 3";
    assert_eq!(client.refused("MQ.PUSH orders x DEDUP d"), full);
    assert_eq!(push(&mut client, "DEDUP a"), first, "a key that is held");
    push(&mut client, "PRIORITY 1");
    assert_eq!(client.queue_info("orders", "refused_full"), 1);
    sleep_until_ms(until);
    push(&mut client, "DEDUP d WINDOW 3600000");
    assert_eq!(client.queue_info("orders", "dedup_keys"), 3);
    assert_eq!(client.refused("MQ.PUSH orders x DEDUP e"), full);
    client.ask(&format!("MQ.DEL orders {first}"));
    push(&mut client, "DEDUP e");
    client.ask("MQ.CONFIG orders MAXDEDUP 0");
    push(&mut client, "DEDUP f");
    assert_eq!(client.queue_info("orders", "dedup_keys"), 4);
    same_data(&mut client, &mut replica.client(), "the keys");
}

#[test]
fn until_done_ends_when_the_message_is_gone_or_dies() {
    let server = Server::start();
    let mut client = server.client();
    for how in ["ACK", "NOACK", "DEAD", "DEL", "TTL", "PURGE", "DROP"] {
        let options = "DEDUP k UNTILDONE";
        let first = match how {
            "TTL" => push(&mut client, &format!("{options} TTL 60")),
            _ => push(&mut client, options),
        };
        if how != "TTL" {
            assert_eq!(push(&mut client, options), first, "before {how}");
        }
        match how {
            "ACK" | "DEAD" => {
                let message = client.pull("orders");
                assert_eq!(push(&mut client, options), first, "in flight, before {how}");
                let line = if how == "ACK" { "MQ.ACK" } else { "MQ.NACK" };
                let option = if how == "ACK" { "" } else { "DEAD" };
                client.ask(&format!("{line} {} {option}", message.delivery()));
            }
            "NOACK" => {
                client.ask("MQ.PULL orders NOACK");
            }
            "DEL" => {
                client.ask(&format!("MQ.DEL orders {first}"));
            }
            "TTL" => eventually("it is discarded", || client.number("MQ.LEN orders") == 0),
            _ => {
                client.ask(&format!("MQ.{how} orders"));
            }
        }
        assert_eq!(client.number("EXISTS mq:{orders}:dedup"), 0, "{how} left the key");
        let second = push(&mut client, options);
        assert_ne!(second, first, "{how}");
        assert_eq!(client.number(&format!("MQ.DEL orders {second}")), 1);
    }
}

#[test]
fn until_done_goes_on_while_the_message_comes_back() {
    let server = Server::start();
    let mut client = server.client();
    let first = push(&mut client, "DEDUP k UNTILDONE");
    for how in ["DELAY 0", "NOCOUNT", "DELAY 3600000"] {
        let message = client.pull("orders");
        client.ask(&format!("MQ.NACK {} {how}", message.delivery()));
        assert_eq!(push(&mut client, "DEDUP k"), first, "{how}");
    }
    client.ask(&format!("MQ.RESCHEDULE orders {first} DELAY 0"));
    client.pull("orders VISIBILITY 1");
    eventually("it is back", || client.number("MQ.LEN orders READY") == 1);
    assert_eq!(push(&mut client, "DEDUP k WINDOW 1"), first);
    assert_eq!(client.number("MQ.LEN orders"), 1);
}

#[test]
fn a_purge_and_a_drop_release_windows_too() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PURGE orders", "MQ.DROP orders"] {
        let first = push(&mut client, "DEDUP k WINDOW 3600000");
        let message = client.pull("orders");
        client.acknowledge(&message);
        assert_eq!(push(&mut client, "DEDUP k"), first);
        client.ask(line);
        assert_eq!(client.number("DBSIZE"), 0, "{line}");
        assert_ne!(push(&mut client, "DEDUP k"), first, "{line}");
        client.ask("FLUSHALL");
    }
}

#[test]
fn a_key_is_looked_up_before_the_queue_is_full() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 1");
    let first = push(&mut client, "DEDUP k");
    assert_eq!(push(&mut client, "DEDUP k"), first);
    let full = "QUEUEFULL the queue is full: MAXLEN of 'orders' is 1";
    assert_eq!(client.refused("MQ.PUSH orders x DEDUP l"), full);
    assert_eq!(client.refused("MQ.PUSH orders x"), full);
    client.ask("MQ.CONFIG orders MAXLEN 0");
    let other = push(&mut client, "DEDUP l");
    assert_ne!(other, first, "a refused push takes no key");
    assert_eq!(push(&mut client, "DEDUP l"), other);
}

#[test]
fn keys_are_any_bytes() {
    let server = Server::start();
    let mut client = server.client();
    let longest = vec![b'k'; 256];
    let keys: [&[u8]; 6] = [b"\0", b"\0\0", b"\xff\r\n", b"k", &longest, &longest[..255]];
    let mut ids = Vec::new();
    for _ in 0..2 {
        for key in keys {
            for rule in [b"UNTILDONE".as_slice(), b"WINDOW"] {
                let queue: &[u8] = if rule == b"WINDOW" { b"mails" } else { b"orders" };
                let mut push = vec![b"MQ.PUSH".as_slice(), queue, b"x", b"DEDUP", key, rule];
                push.extend((rule == b"WINDOW").then_some(b"3600000".as_slice()));
                ids.push(text_of(&client.reply(&push).expect("an id")));
            }
        }
    }
    let (first, second) = ids.split_at(keys.len() * 2);
    assert_eq!(first, second);
    let mut different = first.to_vec();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), keys.len() * 2);
}

#[test]
fn a_transaction_and_a_script_see_the_same_rule() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MULTI", "MQ.PUSH orders x DEDUP k", "MQ.PUSH orders x DEDUP k"] {
        client.ask(line);
    }
    let ids = strings(&client.ask("EXEC"));
    assert_eq!(ids[0], ids[1]);
    let script = "return redis.call('MQ.PUSH', KEYS[1], 'x', 'DEDUP', 'k')";
    let id = client.reply(&["EVAL", script, "1", "orders"]).expect("an id");
    assert_eq!(text_of(&id), ids[0]);
}

#[test]
fn wrong_keys_and_windows_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for key in ["\"\"", &"x".repeat(257)] {
        let error = client.refused(&format!("MQ.PUSH orders x DEDUP {key}"));
        assert_eq!(error, "ERR DEDUP must be 1 to 256 bytes");
    }
    for value in ["0", "-1", "31536000001", "x", "\"\"", "1.5"] {
        let error = client.refused(&format!("MQ.PUSH orders x DEDUP k WINDOW {value}"));
        assert_eq!(error, "ERR WINDOW must be an integer from 1 to 31536000000 milliseconds");
    }
    for wrong in [
        "DEDUP",
        "DEDUP k DEDUP k",
        "DEDUP k WINDOW",
        "DEDUP k WINDOW 1 UNTILDONE",
        "DEDUP k UNTILDONE WINDOW 1",
        "DEDUP k UNTILDONE UNTILDONE",
        "UNTILDONE",
        "WINDOW 1",
    ] {
        client.misused(&format!("MQ.PUSH orders x {wrong}"));
    }
    client.misused("MQ.MPUSH orders 1 x DEDUP k");
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn keys_are_held_over_restarts_and_a_promotion() {
    for how in Continuation::ALL {
        let mut server = how.start();
        let replica = server.start_replica();
        let mut client = server.client();
        let window = push(&mut client, "DEDUP window WINDOW 3600000");
        let done = push(&mut client, "DEDUP done UNTILDONE");
        push(&mut client, "DEDUP short WINDOW 1500");
        let batch = client.pull_batch("orders COUNT 9 VISIBILITY 3600000");
        client.acknowledge(&batch[0]);
        same_data(&mut client, &mut replica.client(), "the pushes");
        let now = how.go_on(&mut server, &replica);
        let mut client = now.client();
        assert_eq!(push(&mut client, "DEDUP window"), window, "{how:?}");
        assert_eq!(push(&mut client, "DEDUP done"), done, "{how:?}");
        eventually("the short window is over", || client.number("HLEN mq:{orders}:dedup") == 2);
        client.acknowledge(&batch[1]);
        assert_ne!(push(&mut client, "DEDUP done UNTILDONE"), done, "{how:?}");
    }
}
