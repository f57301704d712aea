//! MQ.REDRIVE of many messages: in slices, between which others have their turn.

use crate::harness::*;

const DEAD: &str = "{orders}:dead";

/// Lets so many messages of `orders` die.
fn kill(client: &mut Client, count: usize) {
    for _ in 0..count / 1_000 {
        let pushes: Vec<String> = (0..1_000).map(|n| format!("MQ.PUSH orders {n}")).collect();
        client.pipeline(&pushes);
        let held = client.pull_batch("orders COUNT 1000 VISIBILITY 3600000");
        let pairs: Vec<String> = held.iter().map(Message::pair).collect();
        client.ask(&format!("MQ.NACK orders IDS 1000 {} DEAD", pairs.join(" ")));
    }
}

#[test]
fn others_have_their_turn_while_it_goes_on() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    kill(&mut client, 20_000);
    let mut redriving = server.waiting(&format!("MQ.REDRIVE {DEAD} ALL TO orders"));
    redriving.still_waits();
    assert!((1..20_000).contains(&client.number("MQ.LEN orders")), "it is under way");
    assert_eq!(redriving.reply(), Ok(Value::Int(20_000)));
    assert_eq!(client.lengths("orders"), [20_000, 0, 0]);
    assert_eq!(client.queue_info(DEAD, "redriven"), 20_000);
    same_data(&mut client, &mut replica.client(), "the redrive");
}

#[test]
fn each_slice_is_one_op() {
    let server = Server::start();
    let mut client = server.client();
    kill(&mut client, 1_000);
    let mut stream = server.replication_stream();
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} COUNT 250 TO orders")), 250);
    let mut names = stream.take_names();
    // Servers put what they send in one turn into a transaction.
    names.retain(|name| !["MULTI", "EXEC"].contains(&name.as_str()));
    assert_eq!(names, vec![format!("MQ.APPLY {DEAD}"); 3]);
}

#[test]
fn two_go_on_in_turns() {
    let server = Server::start();
    let mut client = server.client();
    kill(&mut client, 10_000);
    client.ask("MQ.CONFIG orders DEADLETTER graves");
    kill(&mut client, 1_000);
    let mut long = server.waiting(&format!("MQ.REDRIVE {DEAD} ALL TO orders"));
    let mut short = server.waiting("MQ.REDRIVE graves ALL TO mails");
    assert_eq!(short.reply(), Ok(Value::Int(1_000)));
    long.still_waits();
    assert_eq!(long.reply(), Ok(Value::Int(10_000)));
}

#[test]
fn what_dies_meanwhile_stays() {
    let server = Server::start();
    let mut client = server.client();
    kill(&mut client, 5_000);
    let mut redriving = server.waiting(&format!("MQ.REDRIVE {DEAD} ALL TO repair"));
    client.push("orders", "late");
    let message = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
    let moved = redriving.reply();
    assert!([Ok(Value::Int(5_000)), Ok(Value::Int(5_001))].contains(&moved), "{moved:?}");
    let reply = client.number(&format!("MQ.LEN {DEAD}"));
    assert!(reply <= 1, "{reply}");
}

#[test]
fn in_a_transaction_or_a_script_a_thousand_are_moved() {
    let server = Server::start();
    let mut client = server.client();
    kill(&mut client, 3_000);
    let line = format!("MQ.REDRIVE {DEAD} ALL TO orders");
    let replies = client.pipeline(&["MULTI".to_string(), line, "EXEC".to_string()]);
    assert_eq!(replies[2], Ok(Value::Array(vec![Value::Int(1_000)])));
    let script = "return redis.call('MQ.REDRIVE', KEYS[1], 'COUNT', 1500, 'TO', KEYS[2])";
    let reply = client.reply(&["EVAL", script, "2", DEAD, "orders"]);
    assert_eq!(reply, Ok(Value::Int(1_000)));
    assert_eq!(client.lengths(DEAD), [1_000, 0, 0]);
}

#[test]
fn it_ends_with_its_connection_and_can_be_unblocked() {
    let server = Server::start();
    let mut client = server.client();
    kill(&mut client, 20_000);
    let redriving = server.waiting(&format!("MQ.REDRIVE {DEAD} ALL TO orders"));
    redriving.still_waits();
    redriving.hang_up();
    let mut left = client.number(&format!("MQ.LEN {DEAD}"));
    eventually("it is over", || {
        let before = std::mem::replace(&mut left, client.number(&format!("MQ.LEN {DEAD}")));
        sleep_until_ms(now_ms() + 50);
        before == client.number(&format!("MQ.LEN {DEAD}"))
    });
    assert!((1..20_000).contains(&left), "{left}");
    let mut redriving = server.waiting(&format!("MQ.REDRIVE {DEAD} ALL TO orders"));
    assert_eq!(client.number(&format!("CLIENT UNBLOCK {}", redriving.id())), 1);
    let moved = redriving.reply().expect("what was moved");
    let Value::Int(moved) = moved else { panic!("{moved:?}") };
    assert_eq!(client.number(&format!("MQ.LEN {DEAD}")), left - moved);
}

#[test]
fn a_permission_that_ends_meanwhile_ends_it() {
    if !facts().separates_key_permissions() {
        return;
    }
    let server = Server::start();
    let mut client = server.client();
    kill(&mut client, 1_000);
    client.ask("MQ.CONFIG mails DEADLETTER {orders}:dead");
    client.push("mails", "last");
    sleep_until_ms(now_ms() + 2);
    let message = client.pull("mails");
    client.ask(&format!("MQ.NACK {} DEAD", message.delivery()));
    client.ask("ACL SETUSER alice reset on >secret ~{orders}:dead ~orders +mq.redrive");
    let mut alice = server.client();
    alice.ask("AUTH alice secret");
    let error = alice.refused(&format!("MQ.REDRIVE {DEAD} ALL"));
    assert!(error.starts_with("NOPERM "), "{error}");
    assert_eq!(client.lengths("orders"), [1_000, 0, 0]);
    assert_eq!(client.lengths(DEAD), [1, 0, 0]);
}

#[test]
fn a_server_that_becomes_a_replica_ends_it() {
    let server = Server::start();
    let other = Server::start();
    let mut client = server.client();
    kill(&mut client, 20_000);
    let mut redriving = server.waiting(&format!("MQ.REDRIVE {DEAD} ALL TO orders"));
    server.follow(&other);
    let error = redriving.reply().expect_err("an error");
    assert!(error.contains("UNBLOCKED"), "{error}");
}
