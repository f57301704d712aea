//! Roles that change in agreement (FAILOVER, CLUSTER FAILOVER) while messages become due and clients
//! wait: nothing is written while the server holds back its writes, nothing is lost or comes twice,
//! the order stays.

use crate::harness::*;
use std::time::Instant;

/// Pushes messages of which one becomes due every few milliseconds from now on, longer than a change
/// of roles takes.
fn push_due_one_by_one(client: &mut Client) -> Vec<String> {
    let start_ms = now_ms() + 100;
    let lines: Vec<String> =
        (0..300).map(|n| format!("MQ.PUSH orders {n} AT {}", start_ms + 5 * n)).collect();
    client.pipeline(&lines).into_iter().map(|id| text_of(&id.expect("an id"))).collect()
}

/// Pulls and acknowledges so many messages from whichever of the servers is master; calls `at_tenth`
/// after the tenth.
fn work_through(servers: [&Server; 2], count: usize, at_tenth: impl FnOnce()) -> Vec<Message> {
    let mut at_tenth = Some(at_tenth);
    let mut clients = servers.map(Server::client);
    let (mut turn, mut messages) = (0, Vec::new());
    let started = Instant::now();
    let mut ask = |line: &str| loop {
        match clients[turn].reply_to(line) {
            Ok(reply) => return reply,
            Err(error) => {
                let codes = [
                    "UNBLOCKED ",
                    "READONLY ",
                    "MOVED ",
                    "TRYAGAIN ",
                    "CLUSTERDOWN ",
                    "the connection failed",
                ];
                assert!(codes.iter().any(|code| error.starts_with(code)), "{line}: {error}");
                assert!(started.elapsed() < DEADLINE, "{line}: neither is master: {error}");
                turn = 1 - turn;
                // The server closes connections of clients that it unblocks.
                clients[turn] = servers[turn].client();
            }
        }
    };
    while messages.len() < count {
        let message = Message::from(&ask("MQ.PULL orders BLOCK 0 VISIBILITY 3600000"));
        assert_eq!(ask(&format!("MQ.ACK {}", message.delivery())), Value::Int(1));
        messages.push(message);
        if messages.len() == 10 {
            at_tenth.take().expect("once")();
        }
    }
    messages
}

/// Each came once, in the order in which they were due.
fn all_in_order(messages: &[Message], pushed: &[String]) {
    let ids: Vec<&String> = messages.iter().map(|message| &message.id).collect();
    assert_eq!(ids, pushed.iter().collect::<Vec<_>>());
    assert!(messages.iter().all(|message| message.retry_count == 0));
    assert!(messages.is_sorted_by(|a, b| a.receipt < b.receipt), "receipts rise");
}

#[test]
fn messages_that_become_due_during_a_failover_come_once_and_in_order() {
    if !facts().fails_over_on_command() {
        let error = Server::start().client().refused("FAILOVER");
        assert!(error.contains("unknown command"), "{error}");
        return;
    }
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    let pushed = push_due_one_by_one(&mut client);
    let messages =
        work_through([&server, &replica], pushed.len(), || fail_over(&mut client, &replica));
    all_in_order(&messages, &pushed);
    assert_eq!(replica.client().info("replication")["role"], "master");
    server.wait_until_in_sync();
    same_data(&mut client, &mut replica.client(), "the failover");
}

fn fail_over(client: &mut Client, replica: &Server) {
    eventually("the master knows its replica", || {
        client.reply_to(&format!("FAILOVER TO 127.0.0.1 {}", replica.port())).is_ok()
    });
}

#[test]
fn messages_that_become_due_during_a_failover_in_a_cluster_come_once_and_in_order() {
    let (first, second) = two_nodes();
    let mut client = first.client();
    let mut copy = second.client();
    copy.ask(&format!("CLUSTER REPLICATE {}", node_id(&first)));
    second.wait_until_in_sync();
    client.ask("SET {orders}.other x");
    eventually("the first node knows its replica", || {
        client.text("CLUSTER NODES").contains(" slave ")
    });
    let pushed = push_due_one_by_one(&mut client);
    let messages = work_through([&first, &second], pushed.len(), || {
        eventually("the replica may take over", || copy.reply_to("CLUSTER FAILOVER").is_ok());
    });
    all_in_order(&messages, &pushed);
    eventually("the replica is the master", || copy.info("replication")["role"] == "master");
    eventually("the first node follows", || client.info("replication")["role"] == "slave");
    first.wait_until_in_sync();
    same_data(&mut client, &mut copy, "the failover");
}

/// The master holds back its writes for a failover that waits for a replica which does not answer;
/// a client waits for a message that becomes due meanwhile.
fn held_up(server: &Server, replica: &Server, pause_s: u32) -> Waiting {
    let mut client = server.client();
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    eventually("the master knows its replica", || {
        client.info("replication").get("slave0").is_some_and(|state| state.contains("state=online"))
    });
    replica.client().send(&format!("DEBUG SLEEP {pause_s}"));
    client.ask("MQ.PUSH orders one DELAY 100");
    client.push("mails", "two");
    fail_over(&mut client, replica);
    let offset = client.info("replication")["master_repl_offset"].clone();
    sleep_until_ms(now_ms() + 200);
    let info = client.info("replication");
    assert_eq!(info["master_failover_state"], "waiting-for-sync");
    assert_eq!(info["master_repl_offset"], offset, "nothing is written");
    waiting.still_waits();
    waiting
}

#[test]
fn what_becomes_due_while_a_failover_waits_is_served_by_the_new_master() {
    if !facts().fails_over_on_command() {
        return;
    }
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut waiting = held_up(&server, &replica, 2);
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    let mut copy = replica.client();
    eventually("the replica is the master", || copy.info("replication")["role"] == "master");
    assert_eq!(copy.pull("orders BLOCK 0 VISIBILITY 3600000").text(), "one");
    assert_eq!(copy.pull("mails VISIBILITY 3600000").text(), "two");
    server.wait_until_in_sync();
    same_data(&mut server.client(), &mut copy, "the failover");
}

#[test]
fn what_became_due_during_a_failover_that_was_given_up_is_served_afterwards() {
    if !facts().fails_over_on_command() {
        return;
    }
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let waiting = held_up(&server, &replica, 2);
    let mut client = server.client();
    client.ask("FAILOVER ABORT");
    assert_eq!(waiting.message().0.text(), "one");
    assert_eq!(client.pull("mails VISIBILITY 3600000").text(), "two");
    assert_eq!(client.info("replication")["role"], "master");
    replica.wait_until_in_sync();
    same_data(&mut client, &mut replica.client(), "the attempt");
}

#[test]
fn a_push_and_a_failover_in_one_transaction_lose_nothing() {
    if !facts().fails_over_on_command() {
        return;
    }
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    eventually("the master knows its replica", || {
        client.info("replication").get("slave0").is_some_and(|state| state.contains("state=online"))
    });
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 3600000");
    let failover = format!("FAILOVER TO 127.0.0.1 {}", replica.port());
    let transaction = ["MULTI", "MQ.PUSH orders one", &failover, "EXEC"].map(String::from);
    let done = client.pipeline(&transaction).remove(3).expect("both done");
    assert_eq!(items(&done)[1], Value::Okay);
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    let mut copy = replica.client();
    eventually("the replica is the master", || copy.info("replication")["role"] == "master");
    assert_eq!(copy.pull("orders").text(), "one");
    server.wait_until_in_sync();
    same_data(&mut client, &mut copy, "the failover");
}
