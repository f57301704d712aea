//! Runs the client examples of `examples/` against a real server, with the client libraries that
//! they name (the README shows these files word for word). Libraries go below the target folder.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that panics is a test that fails"
)]

#[allow(dead_code, unused_imports, reason = "the server tests use the rest of it")]
#[path = "server/harness/mod.rs"]
mod harness;

#[path = "clients/libraries.rs"]
mod libraries;

use harness::Server;
use libraries::output_of;
use std::process::Command;

const OUTPUT: &str = "\
pushed one
pushed two
pushed three
done one
gave back two after: no stock
done three
done two
";

/// The example's command, pointed at a new server, prints what it should and leaves nothing behind.
fn works_through_its_orders(command: &mut Command) {
    let server = Server::start();
    command.env("REDIS_URL", format!("redis://127.0.0.1:{}", server.port()));
    assert_eq!(output_of(command), OUTPUT);
    let mut client = server.client();
    assert_eq!(client.queue_info("orders", "acked"), 3);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn the_python_example_works() {
    let requirements = "examples/python/requirements.txt";
    works_through_its_orders(&mut libraries::python("examples/python/orders.py", requirements));
}

#[test]
fn the_node_example_works() {
    works_through_its_orders(&mut libraries::node("examples/node/orders.mjs"));
}
