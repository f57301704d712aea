//! `rename-command` of commands that the module calls: it is not loaded where it would lack one.

use crate::harness::*;

/// A server where this command has another name, and what it says when the module is loaded.
fn load(command: &str, settings: &[(&str, &str)]) -> (Server, Result<Value, String>) {
    let renamed = format!("{command} hidden");
    let settings = [settings, &[("rename-command", renamed.as_str())]].concat();
    let server = Server::start_without_module(&settings);
    let reply = server.client().reply_to(&format!("MODULE LOAD {}", module_path().display()));
    (server, reply)
}

#[test]
fn a_server_without_a_command_that_the_module_needs_is_refused() {
    for command in ["LINDEX", "LRANGE", "LREM", "LSET", "ZCOUNT", "ZLEXCOUNT", "ZRANGE"] {
        let (server, reply) = load(command, &[]);
        assert!(reply.is_err(), "{command}: {reply:?}");
        let said = format!("needs commands that this server has renamed or lacks: {command};");
        assert!(server.log().contains(&said), "{}", server.log());
        assert_eq!(server.client().text("ECHO next"), "next");
    }
    let (server, reply) = load("EXISTS", &[("cluster-enabled", "yes")]);
    assert!(reply.is_err(), "{reply:?}");
    assert!(server.log().contains("renamed or lacks: EXISTS;"), "{}", server.log());
}

#[test]
fn what_the_module_can_do_without_may_be_renamed() {
    for command in ["EXISTS", "ECHO", "ACL", "CLIENT", "LLEN", "LTRIM", "FLUSHALL", "RPUSH"] {
        let (server, reply) = load(command, &[]);
        assert_eq!(reply, Ok(Value::Okay), "{command}");
        let mut client = server.client();
        let ids = ["one", "two", "three"].map(|payload| client.push("orders", payload));
        let message = client.pull("orders");
        client.nack(&message);
        assert_eq!(client.number(&format!("MQ.DEL orders {} {}", ids[0], ids[1])), 2);
        assert_eq!(items(&client.ask("MQ.PEEK orders COUNT 5")).len(), 1);
        assert_eq!(client.pull("orders").id, ids[2]);
        client.ask("MQ.MPUSH orders 11 0 1 2 3 4 5 6 7 8 9 10");
        let batches = [8, 8].map(|count| client.pull_batch(&format!("orders COUNT {count}")).len());
        assert_eq!(batches, [8, 3]);
    }
}

#[test]
fn a_module_that_cannot_ask_who_uses_it_stays() {
    let (server, reply) = load("CLIENT", &[]);
    assert_eq!(reply, Ok(Value::Okay));
    let mut client = server.client();
    client.refused("MODULE UNLOAD mq");
    assert!(server.log().contains("the server runs no CLIENT LIST"), "{}", server.log());
    assert_eq!(client.number("MQ.LEN orders"), 0);
}
