//! Schedules in a cluster: in the slot of their queue, and with it on its way.

use super::{HOUR, HOUR_S, hourly, hours};
use crate::harness::*;

const LINES: [&str; 5] = [
    "MQ.SCHEDULE orders each x EVERY 3600000",
    "MQ.UNSCHEDULE orders each",
    "MQ.SCHEDULES orders",
    "MQ.NEXT orders each",
    "MQ.TRIGGER orders each",
];

fn slot_of(client: &mut Client, name: &str) -> i64 {
    client.number(&format!("CLUSTER KEYSLOT {name}"))
}

#[test]
fn the_keys_of_schedules_are_in_the_slot_of_their_queue() {
    let server = Server::start_in_cluster_mode();
    let mut client = server.client();
    for queue in ["orders", "{acme}.orders", "orders.{acme}", "{{acme}}"] {
        let first = now_ms() + 50;
        let timing = format!("EVERY {HOUR} START {first} OVERLAP SKIP");
        client.ask(&format!("MQ.SCHEDULE {queue} each x {timing}"));
        client.wait_for_ready(queue, 1);
        let slot = slot_of(&mut client, queue);
        let keys = strings(&client.ask("KEYS *"));
        assert!(keys.len() >= 3, "{keys:?}");
        for key in &keys {
            assert_eq!(slot_of(&mut client, key), slot, "{key}");
        }
        client.ask("FLUSHALL");
    }
}

#[test]
fn no_command_runs_on_a_queue_whose_slot_is_being_imported() {
    let (first, second) = two_nodes();
    let mut client = second.client();
    let slot = slot_of(&mut client, "orders");
    client.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", node_id(&first)));
    for line in LINES {
        client.ask("ASKING");
        let error = client.refused(line);
        assert!(error.starts_with("TRYAGAIN "), "{line}: {error}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn ticks_wait_while_their_slot_is_on_its_way_and_go_on_where_it_arrives() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    let start = now_ms() + 600;
    for queue in ["orders", "mails"] {
        let timing = format!("EVERY 100 START {start} CATCHUP ALL LIMIT 30");
        client.ask(&format!("MQ.SCHEDULE {queue} each x {timing}"));
    }
    let (from, to) = (node_id(&first), node_id(&second));
    let mut target = second.client();
    target.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {from}"));
    client.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {to}"));
    for line in LINES {
        let error = client.refused(line);
        assert!(error.starts_with("ASK ") || error.starts_with("TRYAGAIN "), "{line}: {error}");
    }
    client.wait_for_ready("mails", 3);
    let keys = client.number(&format!("CLUSTER COUNTKEYSINSLOT {slot}"));
    assert_eq!(keys, 2, "the timer left it alone");
    for key in strings(&client.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 100"))) {
        let migrate = format!("MIGRATE 127.0.0.1 {} {key} 0 20000", second.port());
        assert_eq!(client.ask(&migrate), Value::Okay);
    }
    for node in [&second, &first] {
        node.client().ask(&format!("CLUSTER SETSLOT {slot} NODE {to}"));
    }
    target.wait_for_ready("orders", 30);
    let expected: Vec<i64> = (0..30).map(|n| start + 100 * n).collect();
    assert_eq!(target.ticks("orders"), expected);
    client.wait_for_ready("mails", 30);
    assert_eq!(client.ticks("mails"), expected);
}

#[test]
fn ticks_go_on_after_an_atomic_migration_of_their_slot() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    let Some(brand) = facts().atomic_slot_migration() else {
        let error = client.refused("CLUSTER MIGRATION IMPORT 1 1").to_lowercase();
        assert!(error.contains("unknown subcommand"), "{error}");
        return;
    };
    let start = now_ms() + 100;
    let timing = format!("EVERY 100 START {start} CATCHUP ALL LIMIT 60");
    client.ask(&format!("MQ.SCHEDULE orders each x {timing}"));
    client.wait_for_ready("orders", 3);
    match brand {
        Brand::Valkey => {
            let to = node_id(&second);
            client.ask(&format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {to}"));
        }
        Brand::Redis => {
            second.client().ask(&format!("CLUSTER MIGRATION IMPORT {slot} {slot}"));
        }
    }
    eventually("the slot is the second node's", || {
        client.reply_to("MQ.LEN orders").is_err_and(|error| error.starts_with("MOVED "))
    });
    let mut target = second.client();
    eventually("the queue is there", || target.reply_to("MQ.LEN orders").is_ok());
    target.wait_for_ready("orders", 60);
    let expected: Vec<i64> = (0..60).map(|n| start + 100 * n).collect();
    assert_eq!(target.ticks("orders"), expected);
    eventually("the first node has nothing left", || client.number("DBSIZE") == 0);
}

#[test]
fn a_schedule_goes_on_after_a_failover_of_its_node() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    client.ask("SET {orders}.other x");
    second.client().ask(&format!("CLUSTER REPLICATE {}", node_id(&first)));
    second.wait_until_in_sync();
    eventually("the first node knows its replica", || {
        client.text("CLUSTER NODES").contains(" slave ")
    });
    let start = now_ms() + 100;
    let timing = format!("EVERY 100 START {start} CATCHUP ALL LIMIT 60");
    client.ask(&format!("MQ.SCHEDULE orders each x {timing}"));
    client.wait_for_ready("orders", 3);
    let mut copy = second.client();
    eventually("the replica may take over", || copy.reply_to("CLUSTER FAILOVER").is_ok());
    eventually("the replica is the master", || copy.info("replication")["role"] == "master");
    eventually("it has them all", || {
        copy.reply_to("MQ.LEN orders READY").is_ok_and(|len| len == Value::Int(60))
    });
    let expected: Vec<i64> = (0..60).map(|n| start + 100 * n).collect();
    assert_eq!(copy.ticks("orders"), expected);
    same_data(&mut client, &mut copy, "the failover");
}

#[test]
fn ticks_whose_clock_was_set_come_in_a_cluster_too() {
    let (server, clock) = Server::start_with_clock(&[
        ("cluster-enabled", "yes"),
        ("cluster-node-timeout", "60000"),
        ("cluster-require-full-coverage", "no"),
    ]);
    let mut client = server.client();
    let slot = slot_of(&mut client, "orders");
    client.ask(&format!("CLUSTER ADDSLOTS {slot}"));
    eventually("the cluster is up", || client.text("CLUSTER INFO").contains("cluster_state:ok"));
    let start = clock.now_ms();
    hourly(&mut client, "each", start, "CATCHUP ALL");
    clock.set(3 * HOUR_S + 60);
    client.wait_for_ready("orders", 3);
    assert_eq!(client.ticks("orders"), hours(start, &[1, 2, 3]));
}
