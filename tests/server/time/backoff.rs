//! BACKOFF and BACKOFFMAX: how long a returned message waits before its next delivery.

use crate::harness::*;

#[test]
fn a_nacked_message_waits_for_the_backoff_of_its_retry_count() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 20 BACKOFFMAX 70");
    client.push("orders", "one");
    for expected in [20, 40, 70, 70] {
        let message = client.pull("orders");
        let before = now_ms();
        client.nack_with(&message, "");
        let after = now_ms();
        let due = client.queue_info("orders", "next_due_at");
        assert!(
            (before + expected..=after + expected).contains(&due),
            "{due} is not {expected} later"
        );
        sleep_until_ms(due);
    }
    assert_eq!(client.pull("orders").retry_count, 4);
}

#[test]
fn a_message_whose_visibility_ended_is_ready_at_once() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 3600000");
    client.push("orders", "one");
    client.push("orders", "two");
    let message = client.pull("orders VISIBILITY 1");
    eventually("the message is ready again", || client.number("MQ.LEN orders READY") == 2);
    let again = client.pull("orders");
    assert_eq!((again.id, again.retry_count), (message.id, 1), "at its old place");
}

#[test]
fn a_delay_of_its_own_takes_the_place_of_the_backoff() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 60000");
    client.push("orders", "one");
    let message = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 0", message.delivery())), 1);
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
    let message = client.pull("orders");
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.NACK {} DELAY 5000", message.delivery())), 1);
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 5000..=now_ms() + 5000).contains(&due), "due at {due}");
}

#[test]
fn a_huge_backoff_is_cut_and_does_not_overflow() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 31536000000 BACKOFFMAX 31536000000 MAXRETRIES -1");
    client.push("orders", "one");
    // 80 retries: 2^79 times a year overflows whatever it is computed in.
    for _ in 0..80 {
        let message = client.pull("orders");
        assert_eq!(client.number(&format!("MQ.NACK {} DELAY 0", message.delivery())), 1);
    }
    let message = client.pull("orders");
    assert_eq!(message.retry_count, 80);
    let before = now_ms();
    client.nack_with(&message, "");
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 31_536_000_000..=now_ms() + 31_536_000_000).contains(&due), "due at {due}");
}

#[test]
fn the_backoff_is_not_longer_than_its_maximum() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 200 BACKOFFMAX 300");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    let message = client.pull("orders");
    let before = now_ms();
    client.nack_with(&message, "");
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 300..=now_ms() + 300).contains(&due), "due at {due}");
}

#[test]
fn after_its_backoff_a_message_is_ordered_by_its_due_time() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders BACKOFF 50");
    client.push("orders", "returned");
    let message = client.pull("orders");
    client.push("orders", "pushed before it was due");
    client.nack_with(&message, "");
    // On a busy machine the timer may be late, and then it lets what clients sent go first.
    eventually("the backoff is over", || client.number("MQ.LEN orders READY") == 2);
    let now = now_ms();
    sleep_until_ms(now + 1);
    client.push("orders", "pushed after it was due");
    let order: Vec<String> = (0..3).map(|_| client.pull("orders").text().to_string()).collect();
    assert_eq!(order, ["pushed before it was due", "returned", "pushed after it was due"]);
}

#[test]
fn dead_messages_do_not_back_off() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0 BACKOFF 60000");
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack_with(&message, "");
    assert_eq!(client.lengths("{orders}:dead"), [1, 0, 0]);
}
