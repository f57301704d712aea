//! MAXINFLIGHT, and RATE with RATEPERIOD: how much a queue delivers.

use crate::harness::*;

#[track_caller]
fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(Message::text).collect()
}

/// When the rate window of the queue ends that is open now.
fn end_of_window(client: &mut Client, queue: &str) -> i64 {
    client.queue_info(queue, "rate_window_start") + client.queue_info(queue, "rateperiod")
}

#[test]
fn pulls_find_nothing_while_as_many_are_in_flight_as_may_be() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 2");
    client.ask("MQ.MPUSH orders 4 a b c d");
    let first = client.pull("orders");
    client.pull("orders");
    client.pull_nothing("orders");
    assert_eq!(client.pull_batch("orders COUNT 5"), []);
    assert_eq!(client.ask("MQ.PULL orders NOACK"), Value::Nil);
    client.acknowledge(&first);
    assert_eq!(client.pull("orders").text(), "c");
    client.pull_nothing("orders");
    client.ask("MQ.CONFIG orders MAXINFLIGHT 0");
    assert_eq!(client.pull("orders").text(), "d");
}

#[test]
fn a_batch_ends_at_the_limit() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 3");
    client.ask("MQ.MPUSH orders 5 a b c d e");
    client.pull("orders");
    assert_eq!(texts(&client.pull_batch("orders COUNT 5")), ["b", "c"]);
    assert_eq!(client.lengths("orders"), [2, 3, 0]);
}

#[test]
fn every_way_out_of_flight_makes_room() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    let pushes: Vec<String> = (0..8).map(|n| format!("MQ.PUSH orders {n}")).collect();
    client.pipeline(&pushes);
    for (command, options) in [
        ("MQ.ACK", ""),
        ("MQ.NACK", ""),
        ("MQ.NACK", "DELAY 3600000"),
        ("MQ.NACK", "NOCOUNT"),
        ("MQ.NACK", "DEAD"),
    ] {
        let held = client.pull("orders");
        client.pull_nothing("orders");
        assert_eq!(client.number(&format!("{command} {} {options}", held.delivery())), 1);
    }
    let held = client.pull("orders");
    client.pull_nothing("orders");
    assert_eq!(client.number(&format!("MQ.DEL orders {}", held.id)), 1);
    let held = client.pull("orders VISIBILITY 1");
    sleep_until_ms(held.visibility_until);
    assert_eq!(client.pull("orders").id, held.id);
}

#[test]
fn deliveries_for_good_are_not_limited_by_what_they_add() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 2");
    client.ask("MQ.MPUSH orders 6 a b c d e f");
    let held = client.pull("orders");
    assert_eq!(items(&client.ask("MQ.PULL orders COUNT 4 NOACK")).len(), 4);
    client.pull("orders");
    client.push("orders", "g");
    assert_eq!(client.ask("MQ.PULL orders COUNT 4 NOACK"), Value::Array(vec![]));
    client.acknowledge(&held);
    assert_eq!(items(&client.ask("MQ.PULL orders COUNT 4 NOACK")).len(), 1);
}

#[test]
fn a_limit_that_is_lowered_takes_nothing_back() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 4 a b c d");
    let held = client.pull_batch("orders COUNT 3");
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    for message in &held {
        client.pull_nothing("orders");
        client.acknowledge(message);
    }
    assert_eq!(client.pull("orders").text(), "d");
}

#[test]
fn at_most_so_many_deliveries_happen_in_a_window() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders RATE 3 RATEPERIOD 900");
    client.ask("MQ.MPUSH orders 8 a b c d e f g h");
    let before = now_ms();
    assert_eq!(texts(&client.pull_batch("orders COUNT 2")), ["a", "b"]);
    let start = client.queue_info("orders", "rate_window_start");
    assert!((before..=now_ms()).contains(&start), "{start}");
    assert_eq!(client.queue_info("orders", "rate_window_count"), 2);
    let rest = client.pull_batch("orders COUNT 5");
    let nothing = client.pull_batch("orders COUNT 5");
    assert!(now_ms() < start + 900, "this machine is too slow for the test");
    assert_eq!((texts(&rest), nothing), (vec!["c"], vec![]));
    sleep_until_ms(start + 900);
    assert_eq!(texts(&client.pull_batch("orders COUNT 5")), ["d", "e", "f"]);
    assert!(client.queue_info("orders", "rate_window_start") >= start + 900);
}

#[test]
fn a_window_begins_with_a_delivery_and_not_before() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders RATE 1 RATEPERIOD 700");
    client.pull_nothing("orders");
    assert_eq!(client.queue_info("orders", "rate_window_start"), 0);
    client.ask("MQ.MPUSH orders 3 a b c");
    client.pull("orders");
    let end = end_of_window(&mut client, "orders");
    sleep_until_ms(end + 100);
    let before = now_ms();
    client.pull("orders");
    let start = client.queue_info("orders", "rate_window_start");
    assert!(start >= before, "{start} is before {before}");
    client.pull_nothing("orders");
}

#[test]
fn deliveries_for_good_and_repeated_ones_are_counted() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders RATE 3 RATEPERIOD 3600000");
    client.ask("MQ.MPUSH orders 4 a b c d");
    assert_eq!(items(&client.ask("MQ.PULL orders COUNT 2 NOACK")).len(), 2);
    let held = client.pull("orders");
    client.nack(&held);
    client.pull_nothing("orders");
    assert_eq!(client.ask("MQ.PULL orders NOACK"), Value::Nil);
    assert_eq!(client.queue_info("orders", "rate_window_count"), 3);
    client.ask("MQ.CONFIG orders RATE 0");
    assert_eq!(client.pull_batch("orders COUNT 5").len(), 2);
}

#[test]
fn a_rate_without_a_period_is_one_for_each_second() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders RATE 1");
    assert_eq!(client.map("MQ.CONFIG orders")["rateperiod"], "1000");
    client.ask("MQ.MPUSH orders 2 a b");
    client.pull("orders");
    let end = client.queue_info("orders", "rate_window_start") + 1_000;
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(waiting.message().0.text(), "b");
    assert!(now_ms() >= end, "served before the window ended");
}

#[test]
fn the_limits_go_together() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 2 RATE 3 RATEPERIOD 3600000 GROUPINFLIGHT 1");
    client.ask("MQ.MPUSH orders 2 a1 a2 GROUP ann");
    client.ask("MQ.MPUSH orders 2 b1 b2 GROUP bob");
    let held = client.pull_batch("orders COUNT 10");
    assert_eq!(texts(&held), ["a1", "b1"]);
    client.acknowledge(&held[0]);
    assert_eq!(texts(&client.pull_batch("orders COUNT 10")), ["a2"]);
    client.acknowledge(&held[1]);
    assert_eq!(client.pull_batch("orders COUNT 10"), []);
    client.ask("MQ.CONFIG orders RATE 4");
    assert_eq!(texts(&client.pull_batch("orders COUNT 10")), ["b2"]);
}

#[test]
fn they_hold_after_a_restart_and_on_a_promoted_replica() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    for (queue, limit) in [("orders", "MAXINFLIGHT 2"), ("mails", "RATE 2 RATEPERIOD 3600000")] {
        client.ask(&format!("MQ.CONFIG {queue} {limit}"));
        client.ask(&format!("MQ.MPUSH {queue} 4 a b c d"));
        client.pull_batch(&format!("{queue} COUNT 2 VISIBILITY 3600000"));
    }
    let window = client.queue_info("mails", "rate_window_start");
    let mut copy = replica.client();
    same_data(&mut client, &mut copy, "the deliveries");
    let check = |client: &mut Client| {
        client.pull_nothing("orders");
        client.pull_nothing("mails");
        assert_eq!(client.queue_info("mails", "rate_window_start"), window);
        assert_eq!(client.queue_info("mails", "rate_window_count"), 2);
    };
    server.kill_and_start_again();
    check(&mut server.client());
    server.restart_with_snapshot();
    check(&mut server.client());
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    check(&mut copy);
}

#[test]
fn a_pull_that_a_limit_sends_away_writes_nothing() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.CONFIG mails RATE 1 RATEPERIOD 3600000");
    for queue in ["orders", "mails"] {
        client.ask(&format!("MQ.MPUSH {queue} 2 a b"));
    }
    let mut stream = server.replication_stream();
    for queue in ["orders", "mails"] {
        // With a rate window the delivery and the window are one op.
        client.pull(&format!("{queue} VISIBILITY 3600000"));
        assert_eq!(stream.take_names(), [format!("MQ.APPLY {queue}")]);
        client.pull_nothing(queue);
        client.pull_nothing(&format!("{queue} BLOCK 10"));
        assert_eq!(stream.take_names(), [""; 0]);
    }
}
