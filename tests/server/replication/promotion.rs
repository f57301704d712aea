//! A replica becomes the master: deadlines, retry counts, receipts and dead letters go on where
//! they were.

use crate::harness::everything::{check, fill};
use crate::harness::*;

/// Waits until the replica has all that the master has, then the master crashes and the replica
/// takes over.
fn promote(server: &mut Server, replica: &Server) {
    let (mut client, mut copy) = (server.client(), replica.client());
    same_data(&mut client, &mut copy, "the last write");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
}

#[test]
fn everything_goes_on_at_a_promoted_replica() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let in_first = fill(&mut server.client());
    let in_ninth = fill(&mut server.client_of_database(9));
    promote(&mut server, &replica);
    check(&mut replica.client(), &in_first, "orders");
    check(&mut replica.client_of_database(9), &in_ninth, "orders");
}

#[test]
fn deadlines_are_kept_by_a_promoted_replica_with_nobody_talking() {
    let mut server = Server::start();
    let replica = server.start_replica();
    for database in [0, 9] {
        let mut client = server.client_of_database(database);
        client.ask("MQ.CONFIG mails MAXRETRIES 0");
        for queue in ["orders", "mails"] {
            client.push(queue, "one");
            client.pull(&format!("{queue} VISIBILITY 1500"));
        }
        client.ask("MQ.PUSH orders two DELAY 1500");
    }
    promote(&mut server, &replica);
    for database in [0, 9] {
        let mut copy = replica.client_of_database(database);
        eventually("both are back", || copy.number("ZCARD mq:{orders}:ranked") == 2);
        eventually("it is dead", || copy.number("EXISTS mq:{mails}:flight") == 0);
        let retries: Vec<i64> =
            copy.pull_batch("orders COUNT 5").iter().map(|message| message.retry_count).collect();
        assert_eq!(retries, [1, 0]);
        assert_eq!(copy.pull("{mails}:dead").more["dead_retries"], "0");
    }
}

#[test]
fn a_deadline_that_passed_before_the_promotion_is_acted_on_after_it() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 2000");
    let mut copy = replica.client();
    eventually("the replica has it", || copy.number("MQ.LEN orders INFLIGHT") == 1);
    server.kill();
    sleep_until_ms(message.visibility_until + 50);
    assert_eq!(copy.lengths("orders"), [0, 1, 0]);
    copy.ask("REPLICAOF NO ONE");
    eventually("it is back", || copy.number("ZCARD mq:{orders}:ranked") == 1);
}

#[test]
fn receipts_rise_over_a_promotion() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES -1");
    client.push("orders", "one");
    let mut last = String::new();
    for _ in 0..50 {
        let message = client.pull("orders");
        client.nack(&message);
        last = message.receipt;
    }
    promote(&mut server, &replica);
    let message = replica.client().pull("orders");
    assert!(message.receipt > last, "{} after {last}", message.receipt);
    assert_eq!(message.retry_count, 50);
}

#[test]
fn a_promoted_replica_serves_waiting_clients() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 3000");
    promote(&mut server, &replica);
    let waiting = replica.waiting("MQ.PULL orders BLOCK 0");
    assert!(now_ms() < message.visibility_until, "this machine is too slow for the test");
    assert_eq!(waiting.message().0.retry_count, 1);
    let waiting = replica.waiting("MQ.PULL orders BLOCK 0");
    replica.client().push("orders", "two");
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn the_queues_of_a_promoted_replica_are_listed_at_once() {
    let mut server = Server::start();
    let mut client = server.client();
    let pushes: Vec<String> = (0..500).map(|n| format!("MQ.PUSH queue-{n} x")).collect();
    client.pipeline(&pushes);
    let replica = server.start_replica();
    promote(&mut server, &replica);
    assert_eq!(strings(&replica.client().ask("MQ.QUEUES")).len(), 500);
}

#[test]
fn a_master_that_was_demoted_acts_on_nothing_any_more() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("orders", "one");
    client.pull("orders VISIBILITY 300");
    client.ask("MQ.PUSH orders two DELAY 300");
    eventually("the replica has both", || copy.number("MQ.LEN orders") == 2);
    copy.ask("REPLICAOF NO ONE");
    client.ask(&format!("REPLICAOF 127.0.0.1 {}", replica.port()));
    server.wait_until_in_sync();
    eventually("both are back at the new master", || copy.number("MQ.LEN orders READY") == 2);
    let batch = copy.pull_batch("orders COUNT 5 VISIBILITY 3600000");
    assert_eq!(batch.iter().map(|message| message.retry_count).collect::<Vec<_>>(), [1, 0]);
    same_data(&mut client, &mut copy, "the change of roles");
    assert_eq!(client.lengths("orders"), [0, 2, 0]);
}

#[test]
fn a_master_that_is_demoted_and_promoted_again_keeps_its_deadlines() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 100");
    client.ask("REPLICAOF 127.0.0.1 1");
    sleep_until_ms(message.visibility_until + 50);
    assert_eq!(client.number("HLEN mq:{orders}:flight"), 1);
    client.ask("REPLICAOF NO ONE");
    eventually("it is back", || client.number("ZCARD mq:{orders}:ranked") == 1);
}

#[test]
fn a_failover_on_command_loses_nothing_and_tells_those_who_wait() {
    if !facts().fails_over_on_command() {
        let error = Server::start().client().refused("FAILOVER");
        assert!(error.contains("unknown command"), "{error}");
        return;
    }
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let everything = fill(&mut client);
    client.push("mails", "one");
    client.pull("mails VISIBILITY 1000");
    let mut waiting = server.waiting("MQ.PULL letters BLOCK 0");
    eventually("the master knows its replica", || {
        client.reply_to(&format!("FAILOVER TO 127.0.0.1 {}", replica.port())).is_ok()
    });
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    eventually("the replica is the master", || copy.info("replication")["role"] == "master");
    check(&mut copy, &everything, "orders");
    eventually("the deadline is kept", || copy.number("ZCARD mq:{mails}:ranked") == 1);
    server.wait_until_in_sync();
    same_data(&mut client, &mut copy, "the change of roles");
}
