//! MQ.MPULL with BLOCK: one client in the lines of several queues.

use crate::harness::*;

#[test]
fn a_client_waits_for_all_of_them() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["urgent", "normal", "bulk"] {
        let waiting = server.waiting("MQ.MPULL 3 urgent normal bulk BLOCK 0");
        client.push(queue, "one");
        let (message, mut consumer) = waiting.message();
        assert_eq!(message.queue, queue);
        consumer.acknowledge(&message);
        for queue in ["urgent", "normal", "bulk"] {
            assert_eq!(client.queue_info(queue, "blocked_clients"), 0);
        }
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_wait_for_several_queues_can_time_out() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.ask("MQ.MPULL 2 urgent bulk BLOCK 20"), Value::Nil);
    assert_eq!(client.ask("MQ.MPULL 2 urgent bulk BLOCK 20 COUNT 2"), Value::Array(vec![]));
    client.push("bulk", "one");
    assert_eq!(client.lengths("bulk"), [1, 0, 0]);
}

#[test]
fn each_queue_knows_who_waits() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    assert_eq!(client.queue_info("urgent", "blocked_clients"), 1);
    assert_eq!(client.queue_info("bulk", "blocked_clients"), 1);
    waiting.hang_up();
    for queue in ["urgent", "bulk"] {
        eventually("nobody waits", || client.queue_info(queue, "blocked_clients") == 0);
    }
    client.push("bulk", "one");
    assert_eq!(client.lengths("bulk"), [1, 0, 0]);
}

#[test]
fn a_client_in_two_lines_is_served_once() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0 VISIBILITY 3600000");
    // In one packet, so that both are there before it is served.
    client.pipeline(&["MQ.PUSH bulk one".into(), "MQ.PUSH urgent two".into()]);
    let (message, _) = waiting.message();
    let other = if message.queue == "bulk" { "urgent" } else { "bulk" };
    assert_eq!(client.lengths(&message.queue), [0, 1, 0]);
    assert_eq!(client.lengths(other), [1, 0, 0]);
    assert_eq!(client.queue_info(other, "blocked_clients"), 0);
}

#[test]
fn it_stands_in_each_line_in_the_order_in_which_clients_came() {
    let server = Server::start();
    let mut client = server.client();
    let first = server.waiting("MQ.PULL bulk BLOCK 0");
    let second = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    let third = server.waiting("MQ.PULL bulk BLOCK 0");
    client.push("bulk", "one");
    assert_eq!(first.message().0.text(), "one");
    second.still_waits();
    client.push("bulk", "two");
    assert_eq!(second.message().0.text(), "two");
    third.still_waits();
    client.push("bulk", "three");
    assert_eq!(third.message().0.text(), "three");
}

#[test]
fn a_client_served_by_one_queue_leaves_the_others_message_to_the_next() {
    let server = Server::start();
    let mut client = server.client();
    let first = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    let second = server.waiting("MQ.MPULL 2 bulk urgent BLOCK 0");
    client.pipeline(&["MQ.PUSH bulk one".into(), "MQ.PUSH urgent two".into()]);
    let mut served = [first.message().0.queue, second.message().0.queue];
    served.sort();
    assert_eq!(served, ["bulk", "urgent"]);
}

#[test]
fn a_queue_named_twice_is_waited_for_once() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = server.waiting("MQ.MPULL 3 orders orders orders BLOCK 0");
    client.ask("MQ.MPUSH orders 2 one two");
    assert_eq!(waiting.message().0.text(), "one");
    assert_eq!(client.lengths("orders"), [1, 1, 0]);
    assert_eq!(client.queue_info("orders", "blocked_clients"), 0);
    let second = client.ask("MQ.MPULL 2 orders orders");
    assert_eq!(Message::from(&second).text(), "two");
}

#[test]
fn what_ends_by_time_in_any_of_the_queues_wakes_it() {
    let server = Server::start();
    let mut client = server.client();
    client.push("bulk", "one");
    client.pull("bulk VISIBILITY 500");
    client.ask("MQ.PUSH urgent two DELAY 1500");
    let waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    let (message, mut consumer) = waiting.message();
    assert_eq!((&*message.queue, message.retry_count), ("bulk", 1));
    consumer.acknowledge(&message);
    let (message, _) = consumer.wait_with("MQ.MPULL 2 urgent bulk BLOCK 0").message();
    assert_eq!(message.queue, "urgent");
}

#[test]
fn what_makes_a_message_of_any_of_the_queues_deliverable_serves_it() {
    let server = Server::start();
    let mut client = server.client();
    let line = "MQ.MPULL 3 paused busy used-up BLOCK 0 VISIBILITY 3600000";
    client.ask("MQ.CONFIG busy MAXINFLIGHT 1");
    client.ask("MQ.CONFIG used-up RATE 1 RATEPERIOD 3600000");
    client.ask("MQ.PAUSE paused");
    for queue in ["busy", "used-up", "paused"] {
        client.ask(&format!("MQ.MPUSH {queue} 2 a b"));
    }
    let held = client.pull("busy VISIBILITY 3600000");
    client.pull("used-up");
    for (does, queue) in [
        ("MQ.RESUME paused".to_string(), "paused"),
        (format!("MQ.ACK {}", held.delivery()), "busy"),
        ("MQ.CONFIG used-up RATEPERIOD 1".into(), "used-up"),
    ] {
        let waiting = server.waiting(line);
        client.ask(&does);
        assert_eq!(waiting.message().0.queue, queue);
        client.ask("MQ.PAUSE paused");
    }
    let waiting = server.waiting(line);
    client.ask("MQ.PAUSE paused FOR 50");
    assert_eq!(waiting.message().0.queue, "paused");
}

#[test]
fn it_is_unblocked_like_any_other() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    client.ask(&format!("CLIENT UNBLOCK {}", waiting.id()));
    assert_eq!(waiting.reply(), Ok(Value::Nil));
    let mut waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    client.ask(&format!("CLIENT UNBLOCK {} ERROR", waiting.id()));
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    let mut waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0");
    client.ask("REPLICAOF 127.0.0.1 1");
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    client.ask("REPLICAOF NO ONE");
    client.push("bulk", "one");
    client.push("urgent", "two");
    assert_eq!(client.lengths("bulk"), [1, 0, 0]);
    assert_eq!(client.lengths("urgent"), [1, 0, 0]);
}

#[test]
fn a_client_that_goes_at_the_moment_of_its_message_loses_none() {
    let server = Server::start();
    let mut client = server.client();
    for round in 0..20 {
        let waiting = server.waiting("MQ.MPULL 2 urgent bulk BLOCK 0 VISIBILITY 5");
        let id = waiting.id();
        let queue = ["urgent", "bulk"][round % 2];
        client.pipeline(&[format!("MQ.PUSH {queue} one"), format!("CLIENT KILL ID {id}")]);
        waiting.hang_up();
        let message = Message::from(&client.ask("MQ.MPULL 2 bulk urgent BLOCK 0"));
        assert_eq!(message.queue, queue);
        client.acknowledge(&message);
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn many_that_wait_for_overlapping_queues_get_each_message_once() {
    let server = Server::start();
    let mut client = server.client();
    let lines = ["2 a b", "3 c b a", "2 b c", "1 c", "3 a b c"];
    let waiting: Vec<Waiting> = (0..20)
        .map(|n| server.waiting(&format!("MQ.MPULL {} BLOCK 0 VISIBILITY 3600000", lines[n % 5])))
        .collect();
    let pushes: Vec<String> =
        (0..60).map(|n| format!("MQ.PUSH {} {n}", ["a", "b", "c"][n % 3])).collect();
    client.pipeline(&pushes);
    let mut served: Vec<String> =
        waiting.into_iter().map(|waiting| waiting.message().0.id).collect();
    served.sort();
    served.dedup();
    assert_eq!(served.len(), 20);
    let lengths = ["a", "b", "c"].map(|queue| client.lengths(queue));
    assert_eq!(lengths.iter().map(|[_, inflight, _]| inflight).sum::<i64>(), 20);
    assert_eq!(lengths.iter().map(|[ready, ..]| ready).sum::<i64>(), 40);
}

#[test]
fn a_queue_of_another_type_is_an_error_and_none_of_the_others_is_touched() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("SET mq:{wrong}:ready text");
    client.push("orders", "one");
    let error = client.refused("MQ.MPULL 2 wrong orders BLOCK 0");
    assert!(error.starts_with("WRONGTYPE "), "{error}");
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    client.ask("DEL mq:{wrong}:ready");
}
