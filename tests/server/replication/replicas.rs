//! A master and its replicas have the same data after every command, and a replica acts on its own
//! in nothing.

use crate::harness::everything::{check, fill};
use crate::harness::*;

#[test]
fn master_and_replica_agree_after_every_command() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    let mut last: Vec<Message> = Vec::new();
    let pair = |last: &[Message], n: usize| last[n].pair();
    type Step = (&'static str, Box<dyn Fn(&[Message]) -> String>);
    let fixed = |line: &'static str| -> Step { (line, Box::new(move |_| line.to_string())) };
    let steps: Vec<Step> = vec![
        fixed("MQ.CONFIG orders MAXRETRIES 2 BACKOFF 5"),
        fixed("MQ.PUSH orders one"),
        fixed("MQ.PUSH orders two"),
        fixed("MQ.PUSH orders three DELAY 20"),
        fixed("MQ.PUSH orders four"),
        fixed("MQ.PUSH orders five"),
        fixed("MQ.PULL orders COUNT 4 VISIBILITY 600000"),
        ("MQ.ACK", Box::new(move |last| format!("MQ.ACK orders {}", pair(last, 0)))),
        ("MQ.NACK", Box::new(move |last| format!("MQ.NACK orders {}", pair(last, 1)))),
        (
            "MQ.EXTEND",
            Box::new(move |last| format!("MQ.EXTEND orders {} VISIBILITY 10", pair(last, 2))),
        ),
        ("MQ.ACK IDS", Box::new(move |last| format!("MQ.ACK orders IDS 2 {} x y", pair(last, 3)))),
        fixed("MQ.PULL orders COUNT 4 VISIBILITY 15"),
        fixed("MQ.CONFIG orders BACKOFF 0 MAXRETRIES 0"),
        fixed("MQ.PULL orders COUNT 4 VISIBILITY 15"),
        fixed("MQ.PULL {orders}:dead COUNT 4 VISIBILITY 15"),
        fixed("MQ.CONFIG orders MAXRETRIES -1"),
        fixed("MQ.PULL orders"),
        fixed("FLUSHALL"),
        fixed("MQ.PUSH orders six"),
    ];
    for (name, line) in steps {
        let reply = client.ask(&line(&last));
        if name.contains("COUNT 4 VISIBILITY 600000") {
            last = items(&reply).iter().map(Message::from).collect();
            assert_eq!(last.len(), 4);
        }
        same_data(&mut client, &mut copy, name);
    }
    assert_eq!(copy.number("MQ.LEN orders"), 1);
}

#[test]
fn random_commands_leave_master_and_replicas_the_same() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let second = Server::start_with(&[("replicaof", &format!("127.0.0.1 {}", replica.port()))]);
    second.wait_until_in_sync();
    let mut clients = [server.client(), server.client_of_database(9)];
    let seed = 20_240_229;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut deliveries: Vec<Message> = Vec::new();
    for round in 0..1_500 {
        let client = &mut clients[random.usize(0..2)];
        let queue = ["orders", "mails", "{orders}:dead"][random.usize(0..3)];
        let claim = match random.u8(0..5) {
            0 => format!("{queue} nonsense 0000000000000000"),
            _ if deliveries.is_empty() => continue_with_push(client, queue),
            _ => deliveries[random.usize(0..deliveries.len())].delivery(),
        };
        let line = match random.u8(0..12) {
            0..=3 => {
                format!("MQ.PUSH {queue} {round} DELAY {}", random.u8(0..2) * random.u8(0..30))
            }
            4..=6 => {
                let (count, visibility) = (random.u8(1..5), random.u8(1..40));
                // Half of them wait, so that the timer serves some.
                let block = if random.bool() { " BLOCK 10" } else { "" };
                format!("MQ.PULL {queue} COUNT {count} VISIBILITY {visibility}{block}")
            }
            7 | 8 => format!("MQ.ACK {claim}"),
            9 => format!("MQ.NACK {claim}"),
            10 => format!("MQ.EXTEND {claim} VISIBILITY {}", random.u8(1..40)),
            _ => format!(
                "MQ.CONFIG {queue} MAXRETRIES {} BACKOFF {}",
                random.u8(0..4),
                random.u8(0..9)
            ),
        };
        if let Ok(Value::Array(reply)) = client.reply_to(&line) {
            deliveries.extend(reply.iter().map(Message::from));
            let keep = deliveries.len().saturating_sub(30);
            deliveries.drain(..keep);
        }
    }
    let mut digest = String::new();
    for (name, copy) in [("replica", &replica), ("replica of the replica", &second)] {
        eventually(&format!("the same data on the {name} (seed {seed})"), || {
            digest = clients[0].text("DEBUG DIGEST");
            digest == copy.client().text("DEBUG DIGEST")
        });
    }
    let mut server = server;
    // Nothing may change between the digest and the end of the server.
    clients[0].ask("FLUSHALL");
    fill(&mut clients[0]);
    let digest = clients[0].text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}

/// A delivery for commands that need one before there is any.
fn continue_with_push(client: &mut Client, queue: &str) -> String {
    client.push(queue, "first");
    client.pull(&format!("{queue} VISIBILITY 30")).delivery()
}

#[test]
fn a_replica_that_joins_late_gets_everything() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client);
    fill(&mut server.client_of_database(4));
    let replica = server.start_replica();
    same_data(&mut client, &mut replica.client(), "the first synchronization");
    client.push("orders", "more");
    same_data(&mut client, &mut replica.client(), "a push");
}

#[test]
fn a_replica_that_restarts_catches_up() {
    let server = Server::start();
    let mut replica = server.start_replica();
    let mut client = server.client();
    fill(&mut client);
    same_data(&mut client, &mut replica.client(), "filling");
    replica.kill();
    client.push("orders", "while the replica was away");
    replica.start_again();
    replica.wait_until_in_sync();
    same_data(&mut client, &mut replica.client(), "the restart");
}

#[test]
fn a_replica_refuses_writes_and_answers_questions() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders VISIBILITY 5000");
    let everything = client.push("orders", "one");
    let replica = server.start_replica();
    let mut copy = replica.client();
    for line in [
        "MQ.PUSH orders x".to_string(),
        "MQ.PULL orders".into(),
        "MQ.PULL orders BLOCK 0".into(),
        format!("MQ.ACK orders {everything} 0000000000000001"),
        format!("MQ.NACK orders {everything} 0000000000000001"),
        format!("MQ.EXTEND orders {everything} 0000000000000001"),
        "MQ.CONFIG orders VISIBILITY 1".into(),
        "MQ.MPUSH orders 1 x".into(),
        "MQ.MPULL 1 orders BLOCK 0".into(),
        "MQ.DEL orders x".into(),
        "MQ.RESCHEDULE orders x DELAY 0".into(),
        "MQ.PURGE orders".into(),
        "MQ.DROP orders".into(),
        "MQ.PAUSE orders".into(),
        "MQ.RESUME orders".into(),
        "MQ.REDRIVE orders".into(),
        "MQ.CHECK orders".into(),
        "MQ.APPLY orders x".into(),
    ] {
        let error = copy.refused(&line);
        assert!(error.starts_with("READONLY "), "{line}: {error}");
    }
    assert_eq!(copy.lengths("orders"), [1, 0, 0]);
    assert_eq!(copy.queue_info("orders", "ready"), 1);
    assert_eq!(copy.queue_info("orders", "visibility"), 5000);
    assert_eq!(strings(&copy.ask("MQ.QUEUES")), ["orders"]);
}

#[test]
fn a_replica_does_not_act_on_deadlines() {
    let mut server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 2000");
    client.ask("MQ.PUSH orders two DELAY 2000");
    same_data(&mut client, &mut copy, "a pull and a delayed push");
    server.kill();
    let digest = copy.text("DEBUG DIGEST");
    sleep_until_ms(message.visibility_until + 300);
    assert_eq!(copy.text("DEBUG DIGEST"), digest);
    assert_eq!(copy.lengths("orders"), [0, 1, 1]);
    assert_eq!(copy.queue_info("orders", "inflight"), 1);
}

#[test]
fn what_the_masters_timer_moves_reaches_the_replica() {
    let server = Server::start();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG mails MAXRETRIES 0");
    for queue in ["orders", "mails"] {
        client.push(queue, "one");
        client.pull(&format!("{queue} VISIBILITY 20"));
    }
    client.ask("MQ.PUSH orders two DELAY 20");
    eventually("the replica sees them back", || copy.number("MQ.LEN orders READY") == 2);
    eventually("the replica sees it dead", || copy.number("MQ.LEN {mails}:dead READY") == 1);
    same_data(&mut client, &mut copy, "expiries");
}

#[test]
fn a_replicas_own_append_only_file_holds_everything() {
    let mut server = Server::start();
    let mut replica = Server::start_with(&[
        ("replicaof", &format!("127.0.0.1 {}", server.port())),
        ("appendonly", "yes"),
        ("appendfsync", "always"),
    ]);
    replica.wait_until_in_sync();
    let mut client = server.client();
    let everything = fill(&mut client);
    same_data(&mut client, &mut replica.client(), "filling");
    let digest = client.text("DEBUG DIGEST");
    let mut copy = replica.client();
    eventually("the file begun at the synchronization is complete", || {
        let info = copy.info("persistence");
        info["aof_rewrite_in_progress"] == "0" && info["aof_rewrite_scheduled"] == "0"
    });
    // Without its master the replica has nothing but its file.
    server.kill();
    replica.kill_and_start_again();
    let mut copy = replica.client();
    assert_eq!(copy.text("DEBUG DIGEST"), digest);
    copy.ask("REPLICAOF NO ONE");
    check(&mut copy, &everything, "orders");
}

#[test]
fn an_expiry_that_serves_a_waiting_client_is_the_same_on_the_replica() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.CONFIG letters MAXRETRIES 0");
    for round in 0..20 {
        // Several queues and databases, so that one firing of the timer has more than one thing to
        // do.
        let mut waiting = Vec::new();
        for database in [0, 3] {
            let mut client = server.client_of_database(database);
            for queue in ["orders", "mails", "letters"] {
                client.push(queue, "x");
                client.push(queue, "y");
                client.pull(&format!("{queue} VISIBILITY 30"));
                client.pull(&format!("{queue} VISIBILITY 3600000"));
                client.ask(&format!("MQ.PUSH {queue} z DELAY 30"));
                let pull = format!("MQ.PULL {queue} BLOCK 0 VISIBILITY 3600000");
                waiting.push(server.client_of_database(database));
                waiting.last_mut().expect("a client").send(&pull);
            }
        }
        for one in &mut waiting {
            one.next_reply().expect("a message");
        }
        same_data(&mut client, &mut replica.client(), &format!("round {round}"));
    }
    let log = replica.log();
    assert!(!log.contains("CRITICAL"), "{log}");
    // Nothing is due any more; the file tells the same as the stream.
    for database in [0, 3] {
        let mut client = server.client_of_database(database);
        eventually("all is moved", || strings(&client.ask("KEYS mq:*:delayed")).is_empty());
    }
    assert_eq!(client.info("mq")["mq_expired"], "120");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}
