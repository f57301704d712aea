//! TTL with DEAD: the message goes to the dead-letter queue at the end of its time.

use crate::harness::*;

const DEAD: &str = "{orders}:dead";

#[test]
fn wherever_it_is_it_dies_with_the_reason_expired() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.ask("MQ.PUSH orders held TTL 60 DEAD PRIORITY 9");
    let held = client.pull("orders VISIBILITY 3600000");
    for options in
        ["", "PRIORITY 3", "GROUP acme", "DELAY 3600000", "HEADERS 1 a b", "DEDUP k UNTILDONE"]
    {
        client.ask(&format!("MQ.PUSH orders x TTL 60 DEAD {options}"));
    }
    client.ask("MQ.MPUSH orders 2 x x TTL 60 DEAD");
    client.ask("MQ.PUSH orders discarded TTL 60");
    eventually("all others are dead", || client.number(&format!("MQ.LEN {DEAD}")) == 8);
    eventually("one is in flight", || client.lengths("orders") == [0, 1, 0]);
    client.number(&format!("MQ.NACK {} NOCOUNT", held.delivery()));
    same_data(&mut client, &mut copy, "the deaths");
    assert_eq!(client.queue_info("orders", "dead"), 9);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 1);
    server.kill_and_start_again();
    let mut client = server.client();
    let dead = client.peek(&format!("{DEAD} COUNT 100"));
    assert_eq!(dead.len(), 9);
    for message in &dead {
        assert_eq!(message["dead_reason"], "expired");
        assert_eq!(message["dead_from"], "orders");
        assert!(!message.contains_key("expires_at"));
    }
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} REASON expired TO orders")), 9);
    sleep_until_ms(now_ms() + 100);
    assert_eq!(client.lengths("orders"), [9, 0, 0], "they have no time to live any more");
}

#[test]
fn a_pull_that_comes_before_the_timer_lets_it_die() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PULL orders", "MQ.PULL orders NOACK COUNT 5"] {
        // In one packet: no timer runs before the pull.
        let lines = ["MQ.PUSH orders x TTL 100 DEAD", "DEBUG SLEEP 0.2", line].map(str::to_string);
        client.pipeline(&lines);
    }
    eventually("both are dead", || client.number(&format!("MQ.LEN {DEAD}")) == 2);
    let script = "redis.call('MQ.PUSH', KEYS[1], 'x', 'TTL', '5', 'DEAD')";
    client.reply(&["EVAL", script, "1", "orders"]).expect("a push");
    client.pipeline(&["MULTI", "MQ.PUSH orders x TTL 5 DEAD", "EXEC"].map(str::to_string));
    eventually("these too", || client.number(&format!("MQ.LEN {DEAD}")) == 4);
}

#[test]
fn what_the_dead_letter_queue_cannot_take_is_discarded() {
    let server = Server::start();
    server.damaged_on_purpose();
    let mut client = server.client();
    client.ask("SET mq:{orders}:dead:messages wrong");
    client.ask("MQ.PUSH orders x TTL 5 DEAD");
    eventually("it is gone", || client.number("MQ.LEN orders") == 0);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 1);
    assert_eq!(client.info("mq")["mq_dead_letters_refused"], "1");
}

#[test]
fn dead_needs_a_ttl() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PUSH orders x DEAD", "MQ.MPUSH orders 1 x DEAD DELAY 5"] {
        assert_eq!(client.refused(line), "ERR DEAD can be given only with TTL");
    }
    client.ask("MQ.PUSH orders x TTL 0 DEAD");
    assert!(!client.peek("orders")[0].contains_key("expires_at"));
}
