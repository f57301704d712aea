//! What is counted, for each queue in MQ.INFO and for all in the `mq` section of INFO.

use crate::harness::*;

#[test]
fn blocked_clients_are_counted_per_queue_and_in_all() {
    let server = Server::start();
    let mut client = server.client();
    let first = server.waiting("MQ.PULL orders BLOCK 0");
    let _second = server.waiting("MQ.PULL orders BLOCK 0");
    let _other = server.waiting("MQ.PULL mails BLOCK 0");
    assert_eq!(client.queue_info("orders", "blocked_clients"), 2);
    assert_eq!(client.queue_info("mails", "blocked_clients"), 1);
    assert_eq!(client.info("mq")["mq_blocked_clients"], "3");
    client.push("orders", "one");
    first.message();
    assert_eq!(client.queue_info("orders", "blocked_clients"), 1);
    assert_eq!(client.info("mq")["mq_blocked_clients"], "2");
}

#[test]
fn expiries_and_deaths_are_counted() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 1");
    client.push("orders", "one");
    for _ in 0..2 {
        let message = client.pull("orders VISIBILITY 1");
        sleep_until_ms(message.visibility_until);
        client.ask("MQ.LEN orders");
        eventually("it is back or dead", || client.number("MQ.LEN orders INFLIGHT") == 0);
    }
    assert_eq!(client.queue_info("orders", "expired"), 2, "both returns came by time");
    assert_eq!(client.queue_info("orders", "dead"), 1);
    assert_eq!(client.queue_info("orders", "nacked"), 0);
}

#[test]
fn the_section_of_info_sums_over_all_queues() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["orders", "mails"] {
        client.push(queue, "one");
        client.push(queue, "two");
        let (first, second) = (client.pull(queue), client.pull(queue));
        client.acknowledge(&first);
        client.nack(&second);
        client.refused(&format!("MQ.ACK {} {}", queue, second.pair()));
    }
    let mq = client.info("mq");
    for (name, value) in [
        ("mq_pushed", "4"),
        ("mq_pulled", "4"),
        ("mq_acked", "2"),
        ("mq_late_acks", "0"),
        ("mq_nacked", "2"),
        ("mq_expired", "0"),
        ("mq_dead", "0"),
        ("mq_dead_discarded", "0"),
        ("mq_bad_receipts", "2"),
        ("mq_ttl_expired", "0"),
        ("mq_deduplicated", "0"),
        ("mq_redriven", "0"),
        ("mq_refused_full", "0"),
        ("mq_deleted", "0"),
        ("mq_queues", "2"),
        ("mq_blocked_clients", "0"),
        ("mq_damaged", "0"),
        ("mq_dead_letters_refused", "0"),
        ("mq_apply_errors", "0"),
        ("mq_apply_refused", "0"),
        ("mq_sweep_errors", "0"),
        ("mq_scan_in_progress", "0"),
        ("mq_eviction_may_delete_messages", "0"),
    ] {
        assert_eq!(mq.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn info_and_the_log_name_the_versions() {
    let server = Server::start();
    let mut client = server.client();
    let version = env!("CARGO_PKG_VERSION");
    let mq = client.info("mq");
    assert_eq!(mq.get("mq_version").map(String::as_str), Some(version));
    assert_eq!(mq.get("mq_op_version").map(String::as_str), Some("2"));
    let line = format!("* <mq> version {version}, writes ops of version 2\n");
    assert!(server.log().contains(&line), "{}", server.log());
}

#[test]
fn info_everything_includes_the_section() {
    let server = Server::start();
    let text = server.client().text("INFO everything");
    assert!(text.contains("\r\n# mq\r\n") || text.contains("\r\n# mq_mq\r\n"), "{text}");
    assert!(text.contains("\r\nmq_pushed:0\r\n"), "{text}");
}

#[test]
fn info_counts_the_queues_that_are_there() {
    let server = Server::start();
    let mut client = server.client();
    let mut other = server.client_of_database(3);
    let counted = |client: &mut Client, expected: usize, after: &str| {
        assert_eq!(client.info("mq")["mq_queues"], expected.to_string(), "{after}");
    };
    counted(&mut client, 0, "the start");
    for queue in ["a", "b", "c"] {
        client.push(queue, "one");
    }
    client.ask("MQ.CONFIG d MAXLEN 5");
    other.push("a", "one");
    counted(&mut client, 5, "pushes and settings");
    client.pull_nothing("e");
    let message = client.pull("a");
    counted(&mut client, 5, "a pull");
    client.acknowledge(&message);
    counted(&mut client, 4, "the last acknowledgment");
    client.push("a", "two");
    counted(&mut client, 5, "a push to a queue that was empty");
    let message = client.pull("b");
    client.ask(&format!("MQ.NACK {} DEAD", message.delivery()));
    counted(&mut client, 5, "a death");
    client.ask("MQ.DROP d");
    counted(&mut client, 4, "a drop");
    if facts().tells_modules_of_keys() {
        client.ask("DEL mq:{c}:ready");
        counted(&mut client, 3, "a deleted key");
        client.ask("RENAME mq:{a}:ready mq:{f}:ready");
        counted(&mut client, 3, "a renamed key");
    }
    client.ask("FLUSHDB");
    counted(&mut client, 1, "FLUSHDB");
    client.push("a", "one");
    counted(&mut client, 2, "a push after it");
    client.ask("FLUSHALL");
    counted(&mut client, 0, "FLUSHALL");
}

#[test]
fn every_new_counter_counts() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 6");
    client.ask("MQ.MPUSH orders 3 a b c DELAY 3600000");
    client.ask("MQ.PUSH orders d DEDUP k");
    client.ask("MQ.PUSH orders d DEDUP k");
    client.refused("MQ.MPUSH orders 3 x y z");
    client.ask("MQ.PUSH orders e TTL 1");
    eventually("it is discarded", || client.number("EXISTS mq:{orders}:expiring") == 0);
    let message = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DEAD", message.delivery()));
    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    assert_eq!(client.number("MQ.PURGE orders"), 4);
    for (name, value) in [
        ("pushed", 5),
        ("pulled", 1),
        ("ttl_expired", 1),
        ("deduplicated", 1),
        ("refused_full", 3),
        ("dead", 1),
        ("deleted", 4),
        ("redriven", 0),
    ] {
        assert_eq!(client.queue_info("orders", name), value, "{name}");
        let total = if name == "redriven" { 1 } else { value };
        assert_eq!(client.info("mq")[&format!("mq_{name}")], total.to_string(), "{name}");
    }
    assert_eq!(client.queue_info("{orders}:dead", "redriven"), 1);
}
