//! Effects on data of the same server that happen exactly once: docs/exactly-once.md.

use crate::harness::*;

/// The script of the transfer in docs/exactly-once.md.
const TRANSFER: &str = "redis.call('MQ.ACK', KEYS[1], ARGV[1], ARGV[2])
                        redis.call('DECRBY', KEYS[2], ARGV[3])
                        redis.call('INCRBY', KEYS[3], ARGV[3])
                        return redis.call('MQ.PUSH', KEYS[4], ARGV[4])";

/// The script that compares a receipt with the one stored, there too.
const FENCE: &str = "local fence = redis.call('HGET', KEYS[1], 'fence')
                     if fence and fence > ARGV[1] then return 0 end
                     redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'text', ARGV[2])
                     return 1";

fn transfer(client: &mut Client, message: &Message) -> Result<Value, String> {
    let keys = ["{bank}.transfers", "account:{bank}:ann", "account:{bank}:bob", "{bank}.letters"];
    let arguments = [&message.id, &message.receipt, "30", "paid"];
    client.reply(&[&["EVAL", TRANSFER, "4"][..], &keys, &arguments].concat())
}

fn balances(client: &mut Client) -> Vec<String> {
    strings(&client.ask("MGET account:{bank}:ann account:{bank}:bob"))
}

fn open_accounts(client: &mut Client) {
    client.ask("MSET account:{bank}:ann 100 account:{bank}:bob 0");
    client.push("{bank}.transfers", "ann bob 30");
}

#[test]
fn a_script_acknowledges_writes_and_pushes_the_next_step_once() {
    let server = Server::start();
    let mut client = server.client();
    open_accounts(&mut client);
    let message = client.pull("{bank}.transfers");
    transfer(&mut client, &message).expect("an id");
    assert_eq!(balances(&mut client), ["70", "30"]);
    let error = transfer(&mut client, &message).expect_err("an error");
    assert!(error.contains("NOTFOUND"), "{error}");
    assert_eq!(balances(&mut client), ["70", "30"]);
    assert_eq!(client.lengths("{bank}.transfers"), [0, 0, 0]);
    assert_eq!(client.lengths("{bank}.letters"), [1, 0, 0]);
}

#[test]
fn a_script_whose_receipt_is_outdated_stops_before_its_writes() {
    let server = Server::start();
    let mut client = server.client();
    open_accounts(&mut client);
    let first = client.pull("{bank}.transfers VISIBILITY 1");
    sleep_until_ms(first.visibility_until);
    let second = client.pull("{bank}.transfers");
    let mut stream = server.replication_stream();
    let error = transfer(&mut client, &first).expect_err("an error");
    assert!(error.contains("BADRECEIPT"), "{error}");
    let mut names = stream.take_names();
    // Redis 6.0 replicates a transaction of nothing.
    names.retain(|name| name != "MULTI" && name != "EXEC");
    assert_eq!(names, [""; 0]);
    assert_eq!(balances(&mut client), ["100", "0"]);
    assert_eq!(client.lengths("{bank}.letters"), [0, 0, 0]);
    transfer(&mut client, &second).expect("an id");
    assert_eq!(balances(&mut client), ["70", "30"]);
}

#[test]
fn a_function_does_the_same() {
    let server = Server::start();
    let mut client = server.client();
    if !facts().has_functions() {
        let error = client.refused("FCALL pay 0");
        assert!(error.contains("unknown command"), "{error}");
        return;
    }
    open_accounts(&mut client);
    let code = format!(
        "#!lua name=bank\nredis.register_function('pay', function(KEYS, ARGV) {TRANSFER} end)"
    );
    client.reply(&["FUNCTION", "LOAD", &code]).expect("the name");
    let first = client.pull("{bank}.transfers VISIBILITY 1");
    sleep_until_ms(first.visibility_until);
    let second = client.pull("{bank}.transfers");
    let keys = ["{bank}.transfers", "account:{bank}:ann", "account:{bank}:bob", "{bank}.letters"];
    let call = |message: &Message| {
        let arguments = [&*message.id, &message.receipt, "30", "paid"];
        [&["FCALL", "pay", "4"][..], &keys, &arguments].concat().join(" ")
    };
    let error = client.refused(&call(&first));
    assert!(error.contains("BADRECEIPT"), "{error}");
    assert_eq!(balances(&mut client), ["100", "0"]);
    client.ask(&call(&second));
    assert_eq!(balances(&mut client), ["70", "30"]);
}

#[test]
fn what_a_script_does_is_one_unit_for_replicas_and_files() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    open_accounts(&mut client);
    let message = client.pull("{bank}.transfers VISIBILITY 3600000");
    let mut stream = server.replication_stream();
    transfer(&mut client, &message).expect("an id");
    let names = stream.take_names();
    assert_eq!(
        names,
        [
            "MULTI",
            "MQ.APPLY {bank}.transfers",
            "DECRBY account:{bank}:ann",
            "INCRBY account:{bank}:bob",
            "MQ.APPLY {bank}.letters",
            "EXEC"
        ]
    );
    same_data(&mut client, &mut replica.client(), "the transfer");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(balances(&mut client), ["70", "30"]);
    assert_eq!(client.lengths("{bank}.transfers"), [0, 0, 0]);
    assert_eq!(client.lengths("{bank}.letters"), [1, 0, 0]);
}

#[test]
fn a_transaction_acknowledges_writes_and_pushes_together() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 3600000");
    let mut stream = server.replication_stream();
    let lines = [
        "MULTI".into(),
        format!("MQ.ACK {}", message.delivery()),
        "SET order paid".into(),
        "MQ.PUSH letters paid".into(),
        "EXEC".into(),
    ];
    let replies = client.pipeline(&lines);
    let replies = replies[4].clone().expect("the replies");
    assert_eq!(items(&replies)[..2], [Value::Int(1), Value::Okay]);
    assert_eq!(
        stream.take_names(),
        ["MULTI", "MQ.APPLY orders", "SET order", "MQ.APPLY letters", "EXEC"]
    );
    same_data(&mut client, &mut replica.client(), "the transaction");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.text("GET order"), "paid");
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    assert_eq!(client.lengths("letters"), [1, 0, 0]);
}

#[test]
fn a_transaction_that_is_not_executed_leaves_all_as_it_was() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 3600000");
    let steps = [
        "MULTI".into(),
        format!("MQ.ACK {}", message.delivery()),
        "SET order paid".into(),
        "MQ.PUSH letters paid".into(),
    ];
    let digest = client.text("DEBUG DIGEST");
    // Its connection ends before EXEC.
    let mut consumer = server.client();
    consumer.pipeline(&steps);
    drop(consumer);
    // It is taken back.
    client.pipeline(&[&steps[..], &["DISCARD".into()]].concat());
    // A command of it can't be queued.
    let replies = client.pipeline(&[&steps[..], &["NONSENSE".into(), "EXEC".into()]].concat());
    let error = replies[5].clone().expect_err("an error");
    assert!(error.starts_with("EXECABORT"), "{error}");
    // A watched key was changed.
    client.ask("SET other 1");
    client.ask("WATCH other");
    server.client().ask("DEL other");
    let replies = client.pipeline(&[&steps[..], &["EXEC".into()]].concat());
    assert_eq!(replies[4], Ok(Value::Nil));
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
}

#[test]
fn the_next_step_is_pulled_by_one_who_waits_after_the_whole_transaction() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 3600000");
    let waiting = server.waiting("MQ.PULL letters BLOCK 0");
    client.pipeline(&[
        "MULTI".into(),
        "MQ.PUSH letters paid".into(),
        "SET order paid".into(),
        format!("MQ.ACK {}", message.delivery()),
        "EXEC".into(),
    ]);
    let (_, mut consumer) = waiting.message();
    assert_eq!(consumer.text("GET order"), "paid");
    assert_eq!(consumer.lengths("orders"), [0, 0, 0]);
}

#[test]
fn an_outbox_that_is_sent_again_pushes_once() {
    let server = Server::start();
    let mut client = server.client();
    let lines = [
        "MULTI",
        "SET order:{shop}:17 paid",
        "MQ.PUSH {shop}.orders paid DEDUP order-17-paid",
        "EXEC",
    ]
    .map(String::from);
    let first = client.pipeline(&lines)[3].clone().expect("the replies");
    let second = client.pipeline(&lines)[3].clone().expect("the replies");
    assert_eq!(first, second);
    assert_eq!(client.text("GET order:{shop}:17"), "paid");
    assert_eq!(client.lengths("{shop}.orders"), [1, 0, 0]);
    assert_eq!(client.queue_info("{shop}.orders", "deduplicated"), 1);
}

#[test]
fn a_script_that_pushes_first_writes_nothing_when_the_queue_is_full() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 1");
    let script = "redis.call('MQ.PUSH', KEYS[1], 'x') return redis.call('INCR', KEYS[2])";
    let call = ["EVAL", script, "2", "orders", "count"];
    assert_eq!(client.reply(&call), Ok(Value::Int(1)));
    let error = client.reply(&call).expect_err("an error");
    assert!(error.contains("QUEUEFULL"), "{error}");
    assert_eq!(client.text("GET count"), "1");
}

#[test]
fn an_older_receipt_does_not_pass_the_fence() {
    let server = Server::start();
    let mut client = server.client();
    client.push("reports", "report 5");
    let first = client.pull("reports VISIBILITY 1");
    sleep_until_ms(first.visibility_until);
    let second = client.pull("reports");
    assert!(second.receipt > first.receipt);
    let mut write = |receipt: &str, text: &str| {
        client.reply(&["EVAL", FENCE, "1", "report:5", receipt, text]).expect("0 or 1")
    };
    assert_eq!(write(&first.receipt, "early"), Value::Int(1));
    assert_eq!(write(&second.receipt, "second"), Value::Int(1));
    assert_eq!(write(&first.receipt, "late"), Value::Int(0));
    assert_eq!(write(&second.receipt, "again"), Value::Int(1));
    let stored = strings(&client.ask("HMGET report:5 fence text"));
    assert_eq!(stored, [second.receipt, "again".into()]);
}

#[test]
fn receipts_pass_the_fence_in_order_over_restart_promotion_death_and_redrive() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.push("orders", "one");
    let mut receipts = Vec::new();
    let mut message = client.pull("orders");
    receipts.push(message.receipt.clone());
    client.nack(&message);
    server.kill_and_start_again();
    let replica = server.start_replica();
    let mut client = server.client();
    message = client.pull("orders");
    receipts.push(message.receipt.clone());
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
    let mut copy = replica.client();
    same_data(&mut client, &mut copy, "the death");
    server.kill();
    copy.ask("REPLICAOF NO ONE");
    message = copy.pull("{orders}:dead");
    receipts.push(message.receipt.clone());
    copy.nack(&message);
    assert_eq!(copy.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    receipts.push(copy.pull("orders").receipt);
    assert!(receipts.is_sorted_by(|one, next| one < next), "{receipts:?}");
}
