//! Slots and roles that move between the nodes of a cluster, by every way that a server has.

use crate::harness::*;

fn slot_of(client: &mut Client, queue: &str) -> i64 {
    client.number(&format!("CLUSTER KEYSLOT {queue}"))
}

#[test]
fn no_command_runs_on_a_queue_whose_slot_is_being_imported() {
    let (first, second) = two_nodes();
    let mut client = second.client();
    let slot = slot_of(&mut client, "orders");
    client.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", node_id(&first)));
    for line in [
        "MQ.PUSH orders x",
        "MQ.PULL orders",
        "MQ.PULL orders BLOCK 0",
        "MQ.ACK orders x y",
        "MQ.NACK orders x y",
        "MQ.EXTEND orders x y",
        "MQ.CONFIG orders VISIBILITY 1000",
        "MQ.CONFIG orders",
        "MQ.INFO orders",
        "MQ.LEN orders",
    ] {
        client.ask("ASKING");
        let error = client.refused(line);
        assert!(error.starts_with("TRYAGAIN "), "{line}: {error}");
    }
    assert_eq!(client.number("DBSIZE"), 0, "no second queue came into being");
}

#[test]
fn a_queue_whose_slot_is_on_its_way_out_is_left_alone() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    for queue in ["orders", "mails"] {
        client.push(queue, "one");
        client.pull(&format!("{queue} VISIBILITY 300"));
    }
    client.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", node_id(&second)));
    for line in ["MQ.PUSH orders x", "MQ.PULL orders", "MQ.LEN orders"] {
        let error = client.refused(line);
        assert!(error.starts_with("ASK ") || error.starts_with("TRYAGAIN "), "{line}: {error}");
    }
    eventually("a queue of another slot is swept", || {
        client.number("ZCARD mq:{mails}:ranked") == 1
    });
    sleep_until_ms(now_ms() + 50);
    assert_eq!(client.number("HLEN mq:{orders}:flight"), 1, "the timer left it alone");
    client.ask(&format!("CLUSTER SETSLOT {slot} STABLE"));
    eventually("it is swept when the slot stays", || {
        client.number("ZCARD mq:{orders}:ranked") == 1
    });
}

#[test]
fn a_blocked_client_gets_an_error_when_its_slot_moves_away() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    let mut waiting = first.waiting("MQ.PULL orders BLOCK 0");
    let staying = first.waiting("MQ.PULL mails BLOCK 0");
    let new_owner = node_id(&second);
    for node in [&second, &first] {
        node.client().ask(&format!("CLUSTER SETSLOT {slot} NODE {new_owner}"));
    }
    let error = waiting.reply().expect_err("an error");
    // Before 7.0 the server says nothing; then the module does, in its own words.
    let told = ["MOVED ", "UNBLOCKED "].iter().any(|code| error.starts_with(code));
    assert!(told, "{error}");
    staying.still_waits();
    client.push("mails", "x");
    staying.message();
}

#[test]
fn a_queue_moved_key_by_key_goes_on_at_its_new_node() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 4000");
    client.ask("MQ.PUSH orders two DELAY 4000");
    client.push("orders", "three");
    let (from, to) = (node_id(&first), node_id(&second));
    let mut target = second.client();
    target.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {from}"));
    client.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {to}"));
    let keys = strings(&client.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 100")));
    assert!(keys.len() >= 4, "{keys:?}");
    for key in keys {
        let migrate = format!("MIGRATE 127.0.0.1 {} {key} 0 20000", second.port());
        assert_eq!(client.ask(&migrate), Value::Okay);
    }
    for node in [&second, &first] {
        node.client().ask(&format!("CLUSTER SETSLOT {slot} NODE {to}"));
    }
    assert_eq!(target.pull("orders VISIBILITY 600000").text(), "three");
    eventually("the deadlines are kept by the new node", || {
        target.number("ZCARD mq:{orders}:ranked") == 2
    });
    let again = target.pull("orders");
    assert_eq!((&again.id, again.retry_count), (&message.id, 1));
    assert!(again.receipt > message.receipt);
}

/// A queue with a message in flight, a delayed one and a waiting one.
fn fill(client: &mut Client) -> Message {
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 4000");
    client.ask("MQ.PUSH orders two DELAY 4000");
    client.push("orders", "three");
    message
}

/// That queue is whole at this node, which keeps its deadlines.
#[track_caller]
fn goes_on_at(node: &Server, message: &Message) {
    let mut client = node.client();
    eventually("the queue is there", || client.reply_to("MQ.LEN orders").is_ok());
    assert_eq!(client.number("MQ.LEN orders"), 3);
    assert_eq!(client.pull("orders VISIBILITY 600000").text(), "three");
    eventually("the deadlines are kept", || client.number("ZCARD mq:{orders}:ranked") == 2);
    let again = client.pull("orders");
    assert_eq!((&again.id, again.retry_count), (&message.id, 1));
    assert!(again.receipt > message.receipt);
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
}

#[test]
fn a_queue_goes_on_after_an_atomic_migration_of_its_slot() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    let message = fill(&mut client);
    match facts().atomic_slot_migration() {
        None => {
            let migrations =
                ["CLUSTER MIGRATESLOTS SLOTSRANGE 1 1 NODE x", "CLUSTER MIGRATION IMPORT 1 1"];
            for line in migrations {
                let error = client.refused(line).to_lowercase();
                assert!(error.contains("unknown subcommand"), "{line}: {error}");
            }
            return;
        }
        Some(Brand::Valkey) => {
            let to = node_id(&second);
            client.ask(&format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {to}"));
        }
        Some(Brand::Redis) => {
            second.client().ask(&format!("CLUSTER MIGRATION IMPORT {slot} {slot}"));
        }
    }
    // While the slot is on its way the queue is used on, where the server lets it be.
    eventually("the slot is the second node's", || {
        client.reply_to("MQ.LEN orders").is_err_and(|error| error.starts_with("MOVED "))
    });
    goes_on_at(&second, &message);
    eventually("the first node has nothing left", || client.number("DBSIZE") == 0);
    assert_eq!(client.ask("MQ.QUEUES"), Value::Array(vec![]));
}

#[test]
fn what_becomes_due_after_an_atomic_migration_is_moved_with_nobody_talking_to_the_queue() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let slot = slot_of(&mut client, "orders");
    client.ask("MQ.PUSH orders later DELAY 1500");
    let (mut target, to) = (second.client(), node_id(&second));
    let migrate = match facts().atomic_slot_migration() {
        // See above.
        None => return,
        Some(Brand::Valkey) => {
            client.reply_to(&format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {to}"))
        }
        Some(Brand::Redis) => target.reply_to(&format!("CLUSTER MIGRATION IMPORT {slot} {slot}")),
    };
    migrate.expect("a migration begun");
    let key = "ZCARD mq:{orders}:ranked";
    eventually("it is ready at the second node", || target.reply_to(key) == Ok(Value::Int(1)));
}

#[test]
fn a_queue_goes_on_after_a_failover_of_its_node() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let message = fill(&mut client);
    second.client().ask(&format!("CLUSTER REPLICATE {}", node_id(&first)));
    second.wait_until_in_sync();
    // 6.x never fails over at the replication offset 0.
    client.ask("SET {orders}.other x");
    eventually("the first node knows its replica", || {
        client.text("CLUSTER NODES").contains(" slave ")
    });
    let mut waiting = first.waiting("MQ.PULL mails BLOCK 0");
    let mut copy = second.client();
    eventually("the replica may take over", || copy.reply_to("CLUSTER FAILOVER").is_ok());
    let error = waiting.reply().expect_err("an error");
    let told = ["MOVED ", "UNBLOCKED "].iter().any(|code| error.starts_with(code));
    assert!(told, "{error}");
    eventually("the replica is the master", || copy.info("replication")["role"] == "master");
    goes_on_at(&second, &message);
    same_data(&mut client, &mut copy, "the failover");
}
