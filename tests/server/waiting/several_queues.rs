//! MQ.MPULL: the first of several queues that has something, and waiting for all of them.

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
fn the_first_queue_that_has_something_is_taken() {
    let server = Server::start();
    let mut client = server.client();
    client.push("b", "one");
    client.push("c", "two");
    client.push("c", "three");
    assert_eq!(found(&client.ask("MQ.MPULL 3 a b c")), pair("b", "one"));
    let batch = client.ask("MQ.MPULL 3 a b c COUNT 5");
    let batch: Vec<_> = items(&batch).iter().map(found).collect();
    assert_eq!(batch, [pair("c", "two"), pair("c", "three")]);
    assert_eq!(client.ask("MQ.MPULL 3 a b c"), Value::Nil);
    assert_eq!(client.ask("MQ.MPULL 2 c c COUNT 5"), Value::Array(vec![]));
}

#[test]
fn what_is_due_in_any_queue_is_found() {
    let server = Server::start();
    let mut client = server.client();
    // More than one pull moves, so that it takes several turns.
    let pushes: Vec<String> = (0..2000).map(|n| format!("MQ.PUSH b {n} DELAY 1")).collect();
    client.pipeline(&pushes);
    sleep_until_ms(now_ms() + 2);
    assert_eq!(found(&client.ask("MQ.MPULL 2 a b")), pair("b", "0"));
}

#[test]
fn a_client_waits_for_all_and_is_served_by_any() {
    let server = Server::start();
    let mut client = server.client();
    for queue in ["a", "b", "c"] {
        let mut waiting = server.waiting("MQ.MPULL 3 a b c BLOCK 0");
        assert_eq!(waiting_in(&mut client, &["a", "b", "c"]), [1, 1, 1]);
        client.push(queue, "one");
        assert_eq!(served(&mut waiting), pair(queue, "one"));
        assert_eq!(waiting_in(&mut client, &["a", "b", "c"]), [0, 0, 0]);
        assert_eq!(client.info("mq")["mq_blocked_clients"], "0");
    }
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
            "NACK" => client.give_back(&message),
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
        client.give_back(&message);
    }
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
fn a_client_that_stops_waiting_leaves_all_lines() {
    let server = Server::start();
    let mut client = server.client();
    let all = ["a", "b", "c"];
    let line = "MQ.MPULL 3 a b c BLOCK 0";

    assert_eq!(client.ask("MQ.MPULL 3 a b c BLOCK 30"), Value::Nil);
    assert_eq!(waiting_in(&mut client, &all), [0, 0, 0]);

    for unblock in ["", " TIMEOUT", " ERROR"] {
        let mut waiting = server.waiting(line);
        client.number(&format!("CLIENT UNBLOCK {}{unblock}", waiting.id()));
        assert_eq!(waiting.reply().is_err(), unblock == " ERROR");
        assert_eq!(waiting_in(&mut client, &all), [0, 0, 0]);
    }
    let waiting = server.waiting(line);
    client.number(&format!("CLIENT KILL ID {}", waiting.id()));
    eventually("nobody waits", || waiting_in(&mut client, &all) == [0, 0, 0]);
    server.waiting(line).hang_up();
    eventually("nobody waits", || waiting_in(&mut client, &all) == [0, 0, 0]);
    client.push("b", "one");
    assert_eq!(client.lengths("b"), [1, 0, 0]);
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
fn a_queue_named_twice_is_one() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.MPULL 4 a b a b BLOCK 0");
    assert_eq!(waiting_in(&mut client, &["a", "b"]), [1, 1]);
    client.push("b", "one");
    assert_eq!(served(&mut waiting), pair("b", "one"));
    assert_eq!(waiting_in(&mut client, &["a", "b"]), [0, 0]);
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
fn waiting_clients_are_told_when_the_server_becomes_a_replica() {
    let server = Server::start();
    let mut client = server.client();
    let mut waiting = server.waiting("MQ.MPULL 2 a b BLOCK 0");
    client.ask("REPLICAOF 127.0.0.1 1");
    let error = waiting.reply().expect_err("an error");
    assert!(error.starts_with("UNBLOCKED "), "{error}");
    assert_eq!(waiting_in(&mut client, &["a", "b"]), [0, 0]);
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
