//! MODULE UNLOAD: refused while clients wait, harmless otherwise; and the server's own end.

use crate::harness::*;

/// Unloads the module as soon as the server lets it go, and loads it again.
fn unload_and_load(client: &mut Client) {
    eventually("nothing holds the module", || client.reply_to("MODULE UNLOAD mq").is_ok());
    assert!(client.refused("MQ.LEN orders").contains("unknown command"));
    client.ask(&format!("MODULE LOAD {}", module_path().display()));
}

/// Deadlines, waiting clients and ONDISCONNECT, in a queue of their own. The timer may stay pending for
/// the longest visibility that is asked for here.
fn works(server: &Server) {
    let mut client = server.client();
    client.ask("MQ.PUSH works delayed DELAY 500");
    let (delayed, _) = server.waiting("MQ.PULL works BLOCK 0 VISIBILITY 500").message();
    assert_eq!(delayed.text(), "delayed");
    let pull = "MQ.PULL works BLOCK 0 VISIBILITY 5000 ONDISCONNECT";
    let (again, consumer) = server.waiting(pull).message();
    assert_eq!((&again.id, again.retry_count), (&delayed.id, 1));
    let waiting = server.waiting("MQ.PULL works BLOCK 0 VISIBILITY 50");
    drop(consumer);
    assert_eq!(waiting.message().0.retry_count, 2);
    assert!(now_ms() < again.visibility_until, "it came back because the connection closed");
    client.ask("MQ.PUSH works key DEDUP key WINDOW 50");
    eventually("the key is released", || client.number("EXISTS mq:{works}:dedup") == 0);
    client.ask("MQ.DROP works");
}

#[test]
fn unloading_is_refused_while_clients_wait() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let error = client.refused("MODULE UNLOAD mq");
    assert!(error.contains("blocked clients"), "{error}");
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
    if let Err(error) = &reply {
        assert!(error.contains("timer"), "{error}");
    }
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
    for round in 0..3 {
        works(&server);
        let waiting = server.waiting("MQ.PULL mails BLOCK 0");
        client.number(&format!("CLIENT UNBLOCK {}", waiting.id()));
        waiting.hang_up();
        unload_and_load(&mut client);
        assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"], "{round}");
    }
    assert_eq!(client.pull("orders").text(), "one");
}

#[test]
fn a_module_that_has_replied_with_anything_can_be_unloaded() {
    let server = Server::start();
    let mut client = server.client();
    for size in (0..2_200).step_by(31) {
        client.push("orders", b"*9\r\n".repeat(size).split_at(size).0);
        let message = client.pull("orders");
        client.acknowledge(&message);
    }
    client.ask("MQ.DROP orders");
    unload_and_load(&mut client);
    works(&server);
}

#[test]
fn unloading_is_refused_while_the_server_remembers_a_command_of_the_module() {
    let server = Server::start();
    let (mut client, mut other) = (server.client(), server.client());
    other.ask("MQ.LEN orders");
    let refused = |client: &mut Client, reason: &str| {
        eventually(reason, || {
            client.refused("MODULE UNLOAD mq");
            server.log().contains(&format!("the module can't be unloaded, {reason}"))
        });
    };
    refused(&mut client, "the last command of a client was one of its own");
    other.ask("PING");
    unload_and_load(&mut client);

    for rules in ["+mq.push", "+@all -MQ.APPLY"] {
        client.ask(&format!("ACL SETUSER alice reset on >x ~orders {rules}"));
        if facts().may_end_when_a_user_names_a_command_that_goes() {
            refused(&mut client, "a user's rules name commands of it");
        } else if facts().keeps_rules_of_commands_that_go() {
            unload_and_load(&mut client);
        } else {
            let error = client.refused("MODULE UNLOAD mq");
            assert!(error.contains("ACL users reference commands"), "{error}");
        }
    }
    let rules = if facts().modules_have_their_own_acl_categories() { "+@mq" } else { "+@all" };
    client.ask(&format!("ACL SETUSER alice reset on >x ~orders {rules}"));
    unload_and_load(&mut client);
    let mut alice = server.client();
    alice.ask("AUTH alice x");
    alice.push("orders", "one");
    assert!(alice.refused("MQ.PUSH mails x").starts_with("NOPERM "));
}

#[test]
fn on_a_replica_no_timer_holds_the_module_and_all_goes_on_after_a_promotion() {
    let mut master = Server::start();
    let replica = master.start_replica();
    let (mut client, mut copy) = (master.client(), replica.client());
    let everything = everything::fill(&mut client);
    client.ask("MQ.MPUSH groups 2 a1 a2 GROUP a");
    client.ask("MQ.PUSH groups b1 GROUP b DELAY 1500");
    let held = client.pull("groups VISIBILITY 1500");
    client.ask("MQ.PUSH dedup one DEDUP key WINDOW 1500");
    client.ask("MQ.PUSH dedup two TTL 1500");
    client.ask("MQ.PAUSE paused FOR 5000");
    client.push("paused", "one");
    // The last command that came from the master must be none of ours.
    client.ask("SET other x");
    same_data(&mut client, &mut copy, "the fill");
    unload_and_load(&mut copy);
    master.kill();
    copy.ask("REPLICAOF NO ONE");
    everything::check(&mut copy, &everything, "orders");
    let waiting = replica.waiting("MQ.PULL paused BLOCK 0");
    assert_eq!(waiting.message().0.text(), "one");
    eventually("all is due", || copy.number("EXISTS mq:{dedup}:deduped mq:{dedup}:expiring") == 0);
    eventually("all is back", || copy.number("MQ.LEN groups READY") == 3);
    let mut batch = copy.pull_batch("groups COUNT 9");
    batch.sort_by_key(|message| message.payload.clone());
    assert_eq!((batch[0].text(), batch[0].retry_count), ("a1", 1));
    assert!(batch[0].receipt > held.receipt);
    assert_eq!((batch.len(), batch[1].text()), (2, "b1"));
    assert_eq!(copy.peek_texts("dedup"), ["one"]);
    works(&replica);
}

#[test]
fn a_server_that_unloads_its_modules_when_it_ends_can_do_so() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PUSH orders two DELAY 600000");
    // The timer is pending, and the last command of a client is one of ours.
    let message = client.pull("orders VISIBILITY 600000 ONDISCONNECT");
    server.shut_down("NOSAVE");
    assert!(!server.log().contains("Failed to unload module"), "{}", server.log());
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.lengths("orders"), [0, 1, 1]);
    client.acknowledge(&message);
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
