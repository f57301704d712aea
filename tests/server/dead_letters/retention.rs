//! How long dead letters are kept: TTL and MAXLEN of their queue.

use crate::harness::*;

const DEAD: &str = "{orders}:dead";

/// Lets a message of `orders` die.
fn die(client: &mut Client, payload: &str) {
    client.push("orders", payload);
    let message = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
    // The next one dies later.
    sleep_until_ms(now_ms() + 2);
}

#[test]
fn the_ttl_of_the_dead_letter_queue_ends_dead_letters_with_nobody_talking_to_it() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    die(&mut client, "stays");
    // The server has seen the queue, and that nothing is due in it.
    assert_eq!(client.queue_info(DEAD, "next_due_at"), 0);
    client.ask(&format!("MQ.CONFIG {DEAD} TTL 400"));
    die(&mut client, "goes");
    let shown = client.peek(DEAD);
    let number = |name: &str| shown[1][name].parse::<i64>().expect("a number");
    assert_eq!(number("expires_at"), number("dead_at") + 400);
    assert_eq!(client.queue_info(DEAD, "next_due_at"), number("expires_at"));
    assert!(!shown[0].contains_key("expires_at"), "it died before the setting");
    eventually("it is discarded", || client.info("mq")["mq_ttl_expired"] == "1");
    assert_eq!(client.peek_texts(DEAD), ["stays"]);
    assert_eq!(client.queue_info(DEAD, "ttl_expired"), 1);
    same_data(&mut client, &mut replica.client(), "the end of a dead letter");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}

#[test]
fn a_full_dead_letter_queue_discards_the_oldest() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask(&format!("MQ.CONFIG {DEAD} MAXLEN 2"));
    for payload in ["one", "two", "three", "four"] {
        die(&mut client, payload);
    }
    assert_eq!(client.peek_texts(DEAD), ["three", "four"]);
    assert_eq!(client.queue_info("orders", "dead"), 4);
    assert_eq!(client.queue_info("orders", "dead_discarded"), 2);
    assert_eq!(client.info("mq")["mq_dead_discarded"], "2");
    let error = client.refused(&format!("MQ.PUSH {DEAD} by-hand"));
    assert!(error.starts_with("QUEUEFULL "), "{error}");
    same_data(&mut client, &mut replica.client(), "the discarded ones");
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    assert_eq!(server.client().text("DEBUG DIGEST"), digest);
}

#[test]
fn a_redriven_message_has_no_end() {
    let server = Server::start();
    let mut client = server.client();
    client.ask(&format!("MQ.CONFIG {DEAD} TTL 3600000"));
    die(&mut client, "one");
    assert!(client.peek(DEAD)[0].contains_key("expires_at"));
    assert_eq!(client.number(&format!("MQ.REDRIVE {DEAD} TO orders")), 1);
    assert!(!client.pull("orders").more.contains_key("expires_at"));
}
