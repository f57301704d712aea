//! WATCH and client-side caching: every queue in which something changed is told of.

use crate::harness::*;

/// Whether a transaction that watches a queue fails after `change`.
fn is_noticed(server: &Server, queue: &str, change: impl FnOnce(&mut Client)) -> bool {
    let mut watching = server.client();
    watching.ask(&format!("WATCH {queue}"));
    change(&mut server.client());
    watching.ask("MULTI");
    watching.ask("PING");
    watching.ask("EXEC") == Value::Nil
}

/// A server with a dead letter of `orders` and a message in flight there.
fn with_dead_letter() -> (Server, Message) {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two");
    let dead = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DEAD", dead.delivery()));
    let held = client.pull("orders");
    (server, held)
}

#[test]
fn a_transaction_notices_changes_of_its_queue() {
    let (server, held) = with_dead_letter();
    for (line, expected) in [
        ("MQ.LEN orders".to_string(), false),
        ("MQ.PULL orders".to_string(), false),
        ("MQ.PUSH other x".to_string(), false),
        (format!("MQ.ACK {}", held.delivery()), true),
        ("MQ.PUSH orders three".to_string(), true),
        ("MQ.PULL orders".to_string(), true),
    ] {
        let noticed = is_noticed(&server, "orders", |client| {
            client.ask(&line);
        });
        assert_eq!(noticed, expected, "{line}");
    }
}

#[test]
fn a_transaction_notices_messages_that_come_from_another_queue() {
    let (server, held) = with_dead_letter();
    let noticed = is_noticed(&server, "{orders}:dead", |client| {
        client.ask(&format!("MQ.NACK {} DEAD", held.delivery()));
    });
    assert!(noticed, "a dead letter");
    if facts().separates_key_permissions() {
        let noticed = is_noticed(&server, "orders", |client| {
            client.ask("MQ.REDRIVE {orders}:dead COUNT 1");
        });
        assert!(noticed, "a redriven message");
    }
    let noticed = is_noticed(&server, "again", |client| {
        client.ask("MQ.REDRIVE {orders}:dead COUNT 1 TO again");
    });
    assert!(noticed, "a message redriven to another queue");
}

#[test]
fn a_transaction_notices_what_the_timer_moves_to_another_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.push("orders", "one");
    let held = client.pull("orders VISIBILITY 200");
    let noticed = is_noticed(&server, "{orders}:dead", |client| {
        sleep_until_ms(held.visibility_until);
        eventually("it dies", || client.number("MQ.LEN {orders}:dead") == 1);
    });
    assert!(noticed);
}

#[test]
fn a_transaction_on_a_replica_notices_a_dead_letter() {
    let (server, held) = with_dead_letter();
    let replica = server.start_replica();
    let noticed = is_noticed(&replica, "{orders}:dead", |_| {
        server.client().ask(&format!("MQ.NACK {} DEAD", held.delivery()));
        same_data(&mut server.client(), &mut replica.client(), "the death");
    });
    assert!(noticed);
}

#[test]
fn a_caching_client_is_invalidated_by_messages_from_another_queue() {
    let (server, held) = with_dead_letter();
    let (mut told, mut caching, mut client) = (server.client(), server.client(), server.client());
    caching.ask(&format!("CLIENT TRACKING ON REDIRECT {}", told.id()));
    told.ask("SUBSCRIBE __redis__:invalidate");
    let mut expect = |queue: &str, line: &str| {
        caching.ask(&format!("MQ.LEN {queue}"));
        client.ask(line);
        let message = told.next_reply().expect("a message");
        assert_eq!(strings(&items(&message)[2]), [queue], "{line}");
    };
    expect("{orders}:dead", &format!("MQ.NACK {} DEAD", held.delivery()));
    expect("again", "MQ.REDRIVE {orders}:dead COUNT 1 TO again");
    expect("again", "MQ.PUSH again x");
}
