//! "Why is nothing delivered?", each cause in turn on a real server.

use crate::world::{Console, Server, eventually};
use serde_json::{Value, json};

/// The causes that the console finds, as soon as it knows the queue.
fn kinds(console: &Console) -> Value {
    let reply = console.get("/api/queue?name=orders");
    let queue: Value = serde_json::from_str(&reply.body).unwrap();
    let causes = queue["why"].as_array().into_iter().flatten();
    causes.map(|cause| cause["kind"].clone()).collect()
}

fn expect(console: &Console, causes: Value) {
    eventually(&causes.to_string(), || kinds(console) == causes);
}

#[test]
fn every_cause_is_named_in_turn() {
    let server = Server::start(&[]);
    let console = Console::start(&[server.url()], &[]);
    server.push("orders", b"later", &["DELAY", "600000"]);
    expect(&console, json!(["nothing-ready"]));
    server.push("orders", b"one", &[]);
    server.push("orders", b"two", &[]);
    expect(&console, json!(["no-consumer"]));
    server.run_command("MQ.PAUSE orders FOR 600000");
    expect(&console, json!(["paused"]));
    server.run_command("MQ.RESUME orders");
    server.run_command("MQ.CONFIG orders MAXINFLIGHT 1 RATE 1 RATEPERIOD 600000");
    server.run_command("MQ.PULL orders VISIBILITY 600000");
    expect(&console, json!(["max-inflight", "rate"]));
    server.run_command("MQ.CONFIG orders MAXINFLIGHT 0");
    expect(&console, json!(["rate"]));
    server.run_command("MQ.CONFIG orders RATE 0");
    expect(&console, json!(["no-consumer"]));
    server.run_command("MQ.DROP orders");
    server.run_command("SET mq:{orders}:ready x");
    expect(&console, json!(["unreadable"]));
}

#[test]
fn groups_whose_messages_are_in_flight_are_named() {
    let server = Server::start(&[]);
    let console = Console::start(&[server.url()], &[]);
    for payload in [b"one", b"two"] {
        server.push("orders", payload, &["GROUP", "acme"]);
    }
    server.run_command("MQ.PULL orders VISIBILITY 600000");
    let mut connection = server.connection();
    let waiter = std::thread::spawn(move || {
        redis::cmd("MQ.PULL").arg("orders").arg("BLOCK").arg(0).exec(&mut connection)
    });
    expect(&console, json!(["groups-busy"]));
    drop(server); // which ends the wait
    assert!(waiter.join().unwrap().is_err());
}
