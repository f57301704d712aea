//! MQ.NACK ... NOCOUNT FRONT: back to the original position.

use crate::harness::*;

const LONG: &str = "VISIBILITY 3600000";

#[test]
fn what_a_consumer_had_prefetched_is_delivered_next_in_its_order() {
    let server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.ask("MQ.MPUSH orders 6 1 2 3 4 5 6");
    client.ask("MQ.PUSH orders high PRIORITY 3");
    let held = client.pull_batch(&format!("orders COUNT 4 {LONG}"));
    let pairs: Vec<String> = held.iter().rev().map(Message::pair).collect();
    let line = format!("MQ.NACK orders IDS 4 {} NOCOUNT FRONT REASON deploy", pairs.join(" "));
    assert_eq!(client.ask(&line), Value::Array(vec![Value::Int(1); 4]));
    same_data(&mut client, &mut copy, "the returns");
    let again = client.pull_batch(&format!("orders COUNT 9 {LONG}"));
    let texts: Vec<&str> = again.iter().map(Message::text).collect();
    assert_eq!(texts, ["high", "1", "2", "3", "4", "5", "6"]);
    assert!(again.iter().all(|message| message.retry_count == 0));
    assert_eq!(again[0].more["last_error"], "deploy");
    let error = client.refused(&format!("MQ.ACK {}", held[0].delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    assert_eq!(client.queue_info("orders", "nacked"), 4);
}

#[test]
fn a_message_of_a_group_and_a_dead_letter_go_back_too() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 2");
    client.ask("MQ.MPUSH orders 3 1 2 3 GROUP a");
    let held = client.pull_batch(&format!("orders COUNT 2 {LONG}"));
    client.nack_with(&held[1], "NOCOUNT FRONT");
    client.nack_with(&held[0], "nocount front");
    for payload in ["x", "y"] {
        client.push("mails", payload);
        let message = client.pull("mails");
        client.nack_with(&message, "DEAD");
    }
    let dead = client.pull(&format!("{{mails}}:dead {LONG}"));
    client.number(&format!("MQ.NACK {} FRONT NOCOUNT", dead.delivery()));
    server.kill_and_start_again();
    let mut client = server.client();
    for (queue, expected) in [("orders", "1"), ("{mails}:dead", "x")] {
        assert_eq!(client.pull(&format!("{queue} {LONG}")).text(), expected);
    }
}

#[test]
fn in_a_transaction_and_a_script_it_is_the_same() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 1 2");
    let held = client.pull(&format!("orders {LONG}"));
    let nack = format!("MQ.NACK {} NOCOUNT FRONT", held.delivery());
    let replies = client.pipeline(&["MULTI".to_string(), nack, "EXEC".to_string()]);
    assert_eq!(replies[2], Ok(Value::Array(vec![Value::Int(1)])));
    let held = client.pull(&format!("orders {LONG}"));
    assert_eq!(held.text(), "1");
    let script = "return redis.call('MQ.NACK', KEYS[1], ARGV[1], ARGV[2], 'NOCOUNT', 'FRONT')";
    let pair = held.pair();
    let (id, receipt) = pair.split_once(' ').expect("an id and a receipt");
    let reply = client.reply(&["EVAL", script, "1", "orders", id, receipt]);
    assert_eq!(reply, Ok(Value::Int(1)));
    assert_eq!(client.pull("orders").text(), "1");
}
