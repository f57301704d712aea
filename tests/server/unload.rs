//! MODULE UNLOAD: refused while clients wait, harmless otherwise; and the server's own end.

use crate::harness::*;

#[test]
fn unloading_is_refused_while_clients_wait() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.refused("MODULE UNLOAD mq");
    client.push("orders", "one");
    assert_eq!(waiting.message().0.text(), "one");
}

#[test]
fn unloading_with_a_pending_deadline_is_refused_or_clean() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 200");
    let reply = client.reply_to("MODULE UNLOAD mq");
    assert_eq!(reply.is_err(), facts().refuses_unload_while_a_timer_is_pending(), "{reply:?}");
    sleep_until_ms(message.visibility_until + 50);
    assert_eq!(client.ask("PING"), Value::SimpleString("PONG".into()));
    if reply.is_err() {
        eventually("it is back", || client.number("ZCARD mq:{orders}:ranked") == 1);
    }
}

#[test]
fn an_idle_module_can_be_unloaded_and_loaded_again() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let waiting = server.waiting("MQ.PULL mails BLOCK 0");
    client.number(&format!("CLIENT UNBLOCK {}", waiting.id()));
    waiting.hang_up();
    eventually("nothing holds the module", || client.reply_to("MODULE UNLOAD mq").is_ok());
    assert!(client.refused("MQ.LEN orders").contains("unknown command"));
    let module = std::env::var("MQ_MODULE").ok();
    let module = module
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/libmq.so").into());
    let module = std::fs::canonicalize(module).expect("the module");
    client.ask(&format!("MODULE LOAD {}", module.display()));
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    assert_eq!(client.pull("orders").text(), "one");
}

#[test]
fn a_server_with_waiting_clients_and_deadlines_shuts_down_cleanly() {
    for save in ["SAVE", "NOSAVE"] {
        let mut server = Server::start();
        let mut client = server.client();
        client.push("orders", "one");
        client.pull("orders VISIBILITY 600000");
        let _waiting = server.waiting("MQ.PULL mails BLOCK 0");
        server.shut_down(save);
        assert!(server.log().contains("bye bye"), "{}", server.log());
    }
}
