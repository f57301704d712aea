//! MQ.EXTEND: a consumer that needs longer, or less long.

use crate::harness::*;

#[test]
fn the_visibility_restarts_from_now() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 20000");
    let before = now_ms();
    let until = client.number(&format!("MQ.EXTEND {} VISIBILITY 50000", message.delivery()));
    assert!((before + 50_000..=now_ms() + 50_000).contains(&until), "until {until}");
    assert_eq!(client.queue_info("orders", "next_due_at"), until);
    client.acknowledge(&message);
}

#[test]
fn without_a_length_it_is_the_queues_but_never_ends_earlier() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 1000000");
    let mut stream = server.replication_stream();
    let until = client.number(&format!("MQ.EXTEND {}", message.delivery()));
    assert_eq!(until, message.visibility_until);
    assert_eq!(stream.take_names(), [""; 0], "nothing changed");
    client.acknowledge(&message);

    client.push("orders", "two");
    let message = client.pull("orders VISIBILITY 1000");
    let before = now_ms();
    let until = client.number(&format!("MQ.EXTEND {}", message.delivery()));
    assert!((before + 30_000..=now_ms() + 30_000).contains(&until), "until {until}");
    client.ask("MQ.CONFIG orders VISIBILITY 7000");
    client.number(&format!("MQ.EXTEND {} VISIBILITY 1000", message.delivery()));
    let before = now_ms();
    let until = client.number(&format!("MQ.EXTEND {}", message.delivery()));
    assert!((before + 7_000..=now_ms() + 7_000).contains(&until), "until {until}");
}

#[test]
fn an_extended_message_stays_away_until_its_new_end() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 200");
    client.number(&format!("MQ.EXTEND {} VISIBILITY 60000", message.delivery()));
    sleep_until_ms(message.visibility_until + 20);
    client.pull_nothing("orders");
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.acknowledge(&message);
}

#[test]
fn a_visibility_can_be_shortened() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let until = client.number(&format!("MQ.EXTEND {} VISIBILITY 1", message.delivery()));
    assert!(until < message.visibility_until);
    eventually("the message is back", || client.number("MQ.LEN orders READY") == 1);
    assert_eq!(client.pull("orders").retry_count, 1);
}

#[test]
fn extending_counts_no_retry_and_keeps_the_receipt() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    for _ in 0..5 {
        client.number(&format!("MQ.EXTEND {}", message.delivery()));
    }
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 0);
    client.nack(&message);
    assert_eq!(client.pull("orders").retry_count, 1);
}

#[test]
fn a_late_extension_is_accepted_while_nobody_newer_holds_the_message() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PUSH mails one GROUP ann");
    for queue in ["orders", "mails"] {
        let message = client.pull(&format!("{queue} VISIBILITY 1"));
        eventually("it waits again", || client.number(&format!("MQ.LEN {queue} READY")) == 1);
        assert_eq!(client.queue_info(queue, "highest_retry_count"), 1);
        let before = now_ms();
        let until = client.number(&format!("MQ.EXTEND {}", message.delivery()));
        assert!((before + 30_000..=now_ms() + 30_000).contains(&until), "until {until}");
        assert_eq!(client.lengths(queue), [0, 1, 0]);
        assert_eq!(client.queue_info(queue, "highest_retry_count"), 0, "no retry");
        client.pull_nothing(queue);
        let until = client.number(&format!("MQ.EXTEND {} VISIBILITY 30", message.delivery()));
        sleep_until_ms(until);
        let again = client.pull(queue);
        assert_eq!((&again.id, again.retry_count), (&message.id, 1));
        let error = client.refused(&format!("MQ.EXTEND {}", message.delivery()));
        assert!(error.starts_with("BADRECEIPT "), "{error}");
        client.number(&format!("MQ.EXTEND {}", again.delivery()));
        same_data(&mut client, &mut replica.client(), queue);
        client.acknowledge(&again);
        assert_eq!(client.number(&format!("MQ.LEN {queue}")), 0);
    }
}

#[test]
fn a_late_extension_comes_before_the_sweep_and_after_a_disconnect() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders VISIBILITY 30");
    let late = format!("MQ.EXTEND {}", message.delivery());
    let replies = client.pipeline(&["DEBUG SLEEP 0.1".into(), late]);
    assert!(integer(replies[1].as_ref().expect("a reply")) > now_ms());
    client.acknowledge(&message);

    client.push("orders", "two");
    let mut holder = server.client();
    let message = holder.pull("orders ONDISCONNECT");
    drop(holder);
    eventually("it waits for its delay", || client.number("MQ.LEN orders DELAYED") == 1);
    client.number(&format!("MQ.EXTEND {}", message.delivery()));
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    client.acknowledge(&message);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn what_was_nacked_or_died_cannot_be_extended_late() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.nack(&message);
    let error = client.refused(&format!("MQ.EXTEND {}", message.delivery()));
    assert!(error.starts_with("BADRECEIPT "), "{error}");
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let message = client.pull("orders VISIBILITY 1");
    eventually("it is dead", || client.number("MQ.LEN {orders}:dead") == 1);
    let error = client.refused(&format!("MQ.EXTEND {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
}

#[test]
fn unknown_messages_are_not_found() {
    let server = Server::start();
    let mut client = server.client();
    let waiting = client.push("orders", "one");
    for id in [waiting.as_str(), "nonsense", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        let error = client.refused(&format!("MQ.EXTEND orders {id} 0000000000000001"));
        assert!(error.starts_with("NOTFOUND "), "{id}: {error}");
    }
}

#[test]
fn several_messages_are_extended_each_by_itself() {
    let server = Server::start();
    let mut client = server.client();
    let batch = client.three_in_flight("orders");
    let line = format!(
        "MQ.EXTEND orders IDS 4 {} {} 0000000000000001 nonsense {} {} VISIBILITY 90000",
        batch[0].pair(),
        batch[1].id,
        batch[0].receipt,
        batch[2].pair(),
    );
    let before = now_ms();
    let replies = client.numbers(&line);
    let expected = before + 90_000..=now_ms() + 90_000;
    assert_eq!(replies[1..3], [-1, 0]);
    assert!(expected.contains(&replies[0]) && expected.contains(&replies[3]), "{replies:?}");
    assert_eq!(client.queue_info("orders", "next_due_at"), batch[1].visibility_until);
}

#[test]
fn the_same_message_twice_is_extended_twice() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    let replies =
        client.numbers(&format!("MQ.EXTEND orders IDS 2 {} {}", message.pair(), message.pair()));
    assert!(replies[0] > 0 && replies[0] == replies[1], "{replies:?}");
    client.acknowledge(&message);
}
