//! MQ.DEL, MQ.PURGE and MQ.DROP.

use crate::harness::*;

const LONG: &str = "VISIBILITY 3600000";

/// A queue with messages in each state and with every feature; returns the deliveries.
fn fill(client: &mut Client) -> Vec<Message> {
    client.ask("MQ.CONFIG orders MAXRETRIES 5 RATE 1000000 GROUPINFLIGHT 2");
    client.ask("MQ.MPUSH orders 3 i1 i2 i3 PRIORITY 9");
    let deliveries = client.pull_batch(&format!("orders COUNT 3 {LONG} CONSUMER me"));
    for line in [
        "MQ.MPUSH orders 2 plain plain",
        "MQ.PUSH orders priority PRIORITY 3 DEDUP k UNTILDONE",
        "MQ.MPUSH orders 2 grouped grouped GROUP a",
        "MQ.PUSH orders ttl TTL 3600000 DEDUP l",
        "MQ.PUSH orders headers HEADERS 1 a b",
        "MQ.PUSH orders delayed DELAY 3600000",
        "MQ.PUSH orders delayed DELAY 3600000 GROUP b TTL 7200000",
    ] {
        client.ask(line);
    }
    let back = client.pull(&format!("orders {LONG}"));
    client.ask(&format!("MQ.NACK {} DELAY 3600000 REASON no", back.delivery()));
    let back = client.pull(&format!("orders {LONG}"));
    client.nack(&back);
    deliveries
}

/// The ids of all messages.
fn all_ids(client: &mut Client) -> Vec<String> {
    let mut ids = Vec::new();
    for state in ["READY", "INFLIGHT", "DELAYED"] {
        let shown = client.peek(&format!("orders {state} COUNT 1000"));
        ids.extend(shown.into_iter().map(|message| message["id"].clone()));
    }
    ids
}

#[test]
fn a_message_is_deleted_in_every_state() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let deliveries = fill(&mut client);
    let ids = all_ids(&mut client);
    assert_eq!(ids.len(), 12);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(client.number(&format!("MQ.DEL orders {id}")), 1);
        assert_eq!(client.number(&format!("MQ.DEL orders {id}")), 0);
        assert_eq!(client.number("MQ.LEN orders"), (ids.len() - n - 1) as i64);
        assert_eq!(client.get("orders", id), None);
        assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(vec![]), "after {n} deletes");
    }
    for message in &deliveries {
        let error = client.refused(&format!("MQ.ACK {}", message.delivery()));
        assert!(error.starts_with("NOTFOUND "), "{error}");
    }
    assert_eq!(client.queue_info("orders", "deleted"), 12);
    assert_eq!(client.info("mq")["mq_deleted"], "12");
    assert_eq!(client.queue_info("orders", "acked"), 0);
    same_data(&mut client, &mut copy, "all deletes");
    // The settings and the key with a window are left.
    let mut left = strings(&client.ask("KEYS *"));
    left.sort();
    assert_eq!(left, ["mq:{orders}:config", "mq:{orders}:dedup", "mq:{orders}:deduped"]);
}

#[test]
fn many_are_deleted_at_once_each_counted_once() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    let ids = all_ids(&mut client);
    let none = "01890a5d-ac96-774b-bcce-b302099a8057";
    let line =
        format!("MQ.DEL orders {0} {1} {0} nonsense {none} \"\" {2}", ids[0], ids[5], ids[9]);
    assert_eq!(client.number(&line), 3);
    assert_eq!(client.number(&format!("MQ.DEL orders {}", ids.join(" "))), 9);
    assert_eq!(client.number(&format!("MQ.DEL orders {}", ids.join(" "))), 0);
    assert_eq!(client.number("MQ.DEL nothing x y"), 0);
}

#[test]
fn as_many_ids_as_allowed() {
    let server = Server::start();
    let mut client = server.client();
    let ids = strings(&client.ask(&format!("MQ.MPUSH orders 5 {}", ["x"; 5].join(" "))));
    let mut line = format!("MQ.DEL orders {}", ids.join(" "));
    line += &" x".repeat(9_996);
    assert_eq!(client.refused(&line), "ERR there are more than 10000 ids");
    assert_eq!(client.number("MQ.LEN orders"), 5);
    assert_eq!(client.number(line.trim_end_matches('x').trim_end()), 5);
}

#[test]
fn a_delete_frees_the_slot_of_its_group_and_room_for_deliveries() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 3 one two three GROUP a");
    let one = client.pull(&format!("orders {LONG}"));
    let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG}"));
    client.number(&format!("MQ.DEL orders {}", one.id));
    let (two, _) = waiting.message();
    assert_eq!(two.text(), "two");
    client.ask(&format!("MQ.NACK {} DELAY 3600000", two.delivery()));
    let waiting = server.waiting(&format!("MQ.PULL orders BLOCK 0 {LONG}"));
    client.number(&format!("MQ.DEL orders {}", two.id));
    assert_eq!(waiting.message().0.text(), "three");

    client.ask("MQ.CONFIG mails MAXINFLIGHT 1");
    client.ask("MQ.MPUSH mails 2 one two");
    let one = client.pull(&format!("mails {LONG}"));
    let waiting = server.waiting("MQ.PULL mails BLOCK 0");
    client.number(&format!("MQ.DEL mails {}", one.id));
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_purge_deletes_all_messages_and_keeps_settings_pause_and_window() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let deliveries = fill(&mut client);
    client.ask("MQ.PAUSE orders FOR 3600000");
    let settings = client.map("HGETALL mq:{orders}:config");
    assert_eq!(client.number("MQ.PURGE orders"), 12);
    assert_eq!(strings(&client.ask("KEYS *")), ["mq:{orders}:config"]);
    assert_eq!(client.map("HGETALL mq:{orders}:config"), settings);
    assert!(settings.contains_key("paused_until") && settings.contains_key("rate_window_start"));
    assert_eq!(client.number("MQ.PURGE orders"), 0);
    assert_eq!(client.number("MQ.PURGE nothing"), 0);
    assert_eq!(client.queue_info("orders", "deleted"), 12);
    let error = client.refused(&format!("MQ.ACK {}", deliveries[0].delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
    same_data(&mut client, &mut copy, "the purge");
    client.ask("MQ.RESUME orders");
    client.ask("MQ.PUSH orders new GROUP a");
    assert_eq!(client.pull("orders").text(), "new");
    assert_eq!(client.pull_batch("orders COUNT 5").len(), 0);
}

#[test]
fn a_purge_keeps_damaged_records_a_drop_does_not() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("RPUSH mq:{orders}:ready garbage");
    client.refused("MQ.PULL orders");
    client.push("orders", "x");
    assert_eq!(client.number("MQ.PURGE orders"), 1);
    assert_eq!(client.queue_info("orders", "damaged"), 1);
    assert_eq!(client.number("MQ.DROP orders"), 1);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_drop_deletes_everything_but_the_dead_letter_queue() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    fill(&mut client);
    client.push("{orders}:dead", "dead");
    client.push("mails", "x");
    client.ask("MQ.PAUSE orders");
    assert_eq!(client.number("MQ.DROP orders"), 1);
    assert_eq!(client.number("MQ.DROP orders"), 0);
    let mut left = strings(&client.ask("KEYS *"));
    left.sort();
    assert_eq!(left, ["mq:{mails}:ready", "mq:{orders}:dead:ready"]);
    assert_eq!(client.number("MQ.LEN orders"), 0);
    assert_eq!(client.map("MQ.CONFIG orders")["maxretries"], "25");
    same_data(&mut client, &mut copy, "the drop");
    let mut queues = strings(&client.ask("MQ.QUEUES"));
    queues.sort();
    assert_eq!(queues, ["mails", "{orders}:dead"]);
    client.push("orders", "new");
    assert_eq!(client.pull("orders").text(), "new");
}

#[test]
fn a_drop_removes_a_queue_that_has_only_settings_or_a_pause() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.CONFIG orders DELAY 5", "MQ.PAUSE orders", "MQ.PUSH orders x"] {
        client.ask(line);
        assert_eq!(client.number("MQ.DROP orders"), 1, "{line}");
        assert_eq!(client.number("DBSIZE"), 0, "{line}");
    }
    assert_eq!(client.number("MQ.DROP orders"), 0);
}

#[test]
fn clients_go_on_waiting_over_a_purge_and_a_drop() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PURGE orders", "MQ.DROP orders"] {
        client.ask("MQ.PUSH orders delayed DELAY 3600000");
        let waiting = server.waiting("MQ.PULL orders BLOCK 0");
        client.ask(line);
        waiting.still_waits();
        client.push("orders", "new");
        let (message, _) = waiting.message();
        assert_eq!(message.text(), "new", "{line}");
        client.acknowledge(&message);
    }
}

#[test]
fn a_drop_of_a_paused_queue_serves_waiting_clients_from_then_on() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PAUSE orders");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MQ.DROP orders");
    client.push("orders", "new");
    assert_eq!(waiting.message().0.text(), "new");
}

#[test]
fn what_a_purge_removes_is_freed_in_the_background() {
    let server = Server::start();
    let mut client = server.client();
    let push = "for n = 1, 20000 do redis.call('MQ.PUSH', KEYS[1], 'x', 'TTL', '3600000') end";
    client.reply(&["EVAL", push, "1", "orders"]).expect("messages pushed");
    assert_eq!(client.number("MQ.PURGE orders"), 20_000);
    assert_eq!(client.number("DBSIZE"), 0);
    if facts().counts_what_is_freed_in_the_background() {
        // The bodies, the places and the ends of their time to live: a key each.
        eventually("three large keys are freed by the other thread", || {
            client.info("memory")["lazyfreed_objects"] == "3"
        });
    }
}

#[test]
fn wrong_removals_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for line in [
        "MQ.DEL",
        "MQ.DEL orders",
        "MQ.PURGE",
        "MQ.DROP",
        "MQ.DROP orders x",
        "MQ.GET orders",
        "MQ.GET orders x y",
        "MQ.PEEK",
    ] {
        let error = client.refused(line);
        assert!(error.starts_with("ERR wrong number of arguments"), "{line}: {error}");
    }
    for line in ["MQ.DEL a{}b x", "MQ.PURGE a{}b", "MQ.DROP a{}b", "MQ.GET a{}b x", "MQ.PEEK a{}b"]
    {
        assert!(client.refused(line).starts_with("ERR invalid queue name: "), "{line}");
    }
}
