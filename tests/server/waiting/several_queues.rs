//! MQ.MPULL with BLOCK: one client in the wait lists of several queues.

use crate::harness::*;

#[track_caller]
fn found(reply: &Value) -> (String, String) {
    let message = Message::from(reply);
    (message.queue.clone(), message.text().to_string())
}

/// The next reply of a client that waits: queue and payload of its message.
#[track_caller]
fn served(waiting: &mut Waiting) -> (String, String) {
    found(&waiting.reply().expect("a message"))
}

fn pair(queue: &str, payload: &str) -> (String, String) {
    (queue.into(), payload.into())
}

#[track_caller]
fn waiting_in(client: &mut Client, queues: &[&str]) -> Vec<i64> {
    queues.iter().map(|queue| client.queue_info(queue, "blocked_clients")).collect()
}

#[test]
fn a_client_waits_for_all_and_is_served_by_any() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["a", "b", "c"] {
        let mut waiting = server.waiting("MQ.MPULL 3 a b c BLOCK 0");
        assert_eq!(waiting_in(&mut client, &["a", "b", "c"]), [1, 1, 1]);
        client.push(queue, "one");
        let message = Message::from(&waiting.reply().expect("a message"));
        assert_eq!((&*message.queue, message.text()), (queue, "one"));
        client.acknowledge(&message);
        assert_eq!(waiting_in(&mut client, &["a", "b", "c"]), [0, 0, 0]);
        assert_eq!(client.info("mq")["mq_blocked_clients"], "0");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn a_client_in_two_wait_lists_is_served_once() {
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
fn whatever_makes_something_ready_serves_a_client_that_waits_for_several() {
    let server = Server::start();
    let mut client = server.client();
    client.push("b", "one");
    for end in ["", "NACK", "EXPIRE", "DELAY", "HANG UP"] {
        let mut holder = server.client();
        let message = match end {
            "EXPIRE" => holder.pull("b VISIBILITY 50"),
            "HANG UP" => holder.pull("b ONDISCONNECT"),
            _ => holder.pull("b"),
        };
        let mut waiting = server.waiting("MQ.MPULL 2 a b BLOCK 0");
        match end {
            "NACK" => client.nack(&message),
            "DELAY" => {
                client.acknowledge(&message);
                client.ask("MQ.PUSH b one DELAY 30");
            }
            "EXPIRE" => {}
            "HANG UP" => drop(holder),
            _ => {
                client.acknowledge(&message);
                client.push("b", "one");
            }
        }
        let message = Message::from(&waiting.reply().expect("a message"));
        assert_eq!((message.queue.as_str(), message.text()), ("b", "one"), "{end}");
        client.nack(&message);
    }
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
fn the_end_of_a_limit_of_any_of_the_queues_serves_it() {
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
fn what_comes_together_is_taken_in_the_order_given() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.MPULL 2 a b BLOCK 0");
    let lines = ["MULTI", "MQ.PUSH b one", "MQ.PUSH a two", "EXEC"];
    client.pipeline(&lines.map(String::from));
    assert_eq!(served(&mut waiting), pair("a", "two"));
    assert_eq!(client.pull("b").text(), "one");
}

#[test]
fn each_queue_serves_those_first_who_came_first() {
    let server = Server::start();
    let mut client = server.client();
    let mut first = server.waiting("MQ.PULL b BLOCK 0");
    let mut second = server.waiting("MQ.MPULL 2 a b BLOCK 0");
    let third = server.waiting("MQ.PULL b BLOCK 0");
    client.push("b", "one");
    assert_eq!(served(&mut first), pair("b", "one"));
    second.still_waits();
    client.push("b", "two");
    assert_eq!(served(&mut second), pair("b", "two"));
    third.still_waits();
    client.push("b", "three");
    assert_eq!(third.message().0.text(), "three");
}

#[test]
fn nobody_takes_what_those_before_it_wait_for() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..20 {
        let mut first = server.waiting("MQ.PULL a BLOCK 0");
        let mut second = server.waiting("MQ.MPULL 2 a b BLOCK 0");
        // The second is woken first, for `b`, and `a` comes first in its order.
        let lines = ["MULTI", "MQ.PUSH b for-second", "MQ.PUSH a for-first", "EXEC"];
        client.pipeline(&lines.map(String::from));
        assert_eq!(served(&mut first), pair("a", "for-first"));
        assert_eq!(served(&mut second), pair("b", "for-second"));
        client.ask("FLUSHALL");
    }
}

#[test]
fn nobody_waits_beside_a_message_that_another_did_not_take() {
    let server = Server::start();
    let mut client = server.client();
    for _ in 0..20 {
        let mut first = server.waiting("MQ.MPULL 2 a b BLOCK 0");
        let mut second = server.waiting("MQ.MPULL 2 b a BLOCK 0");
        let mut third = server.waiting("MQ.PULL b BLOCK 0");
        let pushes = ["MQ.PUSH b one", "MQ.PUSH a two", "MQ.PUSH b three"].map(String::from);
        client.pipeline(&pushes);
        let mut queues = [&mut first, &mut second, &mut third].map(|one| served(one).0);
        queues.sort();
        assert_eq!(queues, ["a", "b", "b"]);
        client.ask("FLUSHALL");
    }
}

#[test]
fn a_client_that_stops_waiting_leaves_all_wait_lists() {
    let server = Server::start();
    let mut client = server.client();
    let all = ["a", "b", "c"];
    let line = "MQ.MPULL 3 a b c BLOCK 0";

    assert_eq!(client.ask("MQ.MPULL 3 a b c BLOCK 30"), Value::Nil);
    assert_eq!(client.ask("MQ.MPULL 3 a b c BLOCK 30 COUNT 2"), Value::Array(vec![]));
    assert_eq!(waiting_in(&mut client, &all), [0, 0, 0]);

    let unblocks = |error: String| error.starts_with("UNBLOCKED ");
    for unblock in ["", " TIMEOUT", " ERROR"] {
        let mut waiting = server.waiting(line);
        assert_eq!(waiting_in(&mut client, &all), [1, 1, 1]);
        client.number(&format!("CLIENT UNBLOCK {}{unblock}", waiting.id()));
        match unblock {
            " ERROR" => assert!(waiting.reply().is_err_and(unblocks)),
            _ => assert_eq!(waiting.reply(), Ok(Value::Nil)),
        }
        assert_eq!(waiting_in(&mut client, &all), [0, 0, 0]);
    }
    let waiting = server.waiting(line);
    client.number(&format!("CLIENT KILL ID {}", waiting.id()));
    eventually("nobody waits", || waiting_in(&mut client, &all) == [0, 0, 0]);
    server.waiting(line).hang_up();
    eventually("nobody waits", || waiting_in(&mut client, &all) == [0, 0, 0]);
    let mut waiting = server.waiting(line);
    client.ask("REPLICAOF 127.0.0.1 1");
    assert!(waiting.reply().is_err_and(unblocks));
    assert_eq!(waiting_in(&mut client, &all), [0, 0, 0]);
    client.ask("REPLICAOF NO ONE");
    for queue in all {
        client.push(queue, "one");
        assert_eq!(client.lengths(queue), [1, 0, 0]);
    }
}

#[test]
fn a_client_killed_when_it_is_served_leaves_the_message_to_the_next() {
    let server = Server::start();
    let mut client = server.client();
    for round in 0..30 {
        let killed = server.waiting("MQ.MPULL 2 a b BLOCK 0 VISIBILITY 5");
        let mut next = server.waiting("MQ.MPULL 2 b a BLOCK 0");
        let mut lines = ["MQ.PUSH b one".to_string(), format!("CLIENT KILL ID {}", killed.id())];
        if round % 2 == 0 {
            lines.reverse();
        }
        client.pipeline(&lines);
        assert_eq!(served(&mut next), pair("b", "one"));
        client.ask("FLUSHALL");
    }
}

#[test]
fn a_client_killed_when_it_is_served_loses_no_message() {
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
fn a_queue_named_twice_is_one() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.MPULL 4 a b a b BLOCK 0");
    assert_eq!(waiting_in(&mut client, &["a", "b"]), [1, 1]);
    client.ask("MQ.MPUSH b 2 one two");
    assert_eq!(served(&mut waiting), pair("b", "one"));
    assert_eq!(client.lengths("b"), [1, 1, 0]);
    assert_eq!(waiting_in(&mut client, &["a", "b"]), [0, 0]);
    assert_eq!(found(&client.ask("MQ.MPULL 2 b b")), pair("b", "two"));
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["b"]);
}

#[test]
fn nothing_blocks_inside_a_transaction() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MULTI");
    client.ask("MQ.MPULL 2 a b BLOCK 0");
    client.ask("MQ.MPULL 2 a b COUNT 3 BLOCK 0");
    let replies = client.ask("EXEC");
    assert_eq!(items(&replies), [Value::Nil, Value::Array(vec![])]);
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
fn many_clients_that_wait_for_many_queues_are_all_served() {
    let server = Server::start();
    let mut client = server.client();
    let mut random = fastrand::Rng::with_seed(3);
    let queues: Vec<String> = (0..8).map(|n| format!("q{n}")).collect();
    for _ in 0..5 {
        let mut waiting: Vec<Client> = (0..50).map(|_| server.client()).collect();
        for one in &mut waiting {
            let wanted = random.usize(1..=queues.len());
            let names = random.choose_multiple(queues.iter(), wanted);
            let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
            let count = if random.bool() { " COUNT 3" } else { "" };
            one.send(&format!("MQ.MPULL {wanted} {} BLOCK 0{count}", names.join(" ")));
        }
        let waits = |client: &mut Client| client.info("mq")["mq_blocked_clients"] != "0";
        eventually("all wait", || client.info("mq")["mq_blocked_clients"] == "50");
        while waits(&mut client) {
            let pushes = (0..random.usize(1..6))
                .map(|_| format!("MQ.PUSH {} x", random.choice(&queues).expect("a queue")));
            let lines: Vec<String> =
                ["MULTI".into()].into_iter().chain(pushes).chain(["EXEC".into()]).collect();
            client.pipeline(&lines);
            eventually("nobody waits for a queue that has something", || {
                queues.iter().all(|queue| {
                    client.number(&format!("MQ.LEN {queue} READY")) == 0
                        || client.queue_info(queue, "blocked_clients") == 0
                })
            });
        }
        for one in &mut waiting {
            let reply = one.next_reply().expect("a message");
            assert!(!matches!(&reply, Value::Nil), "served with nothing");
            assert_ne!(reply, Value::Array(vec![]), "served with nothing");
        }
        client.ask("FLUSHALL");
    }
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
