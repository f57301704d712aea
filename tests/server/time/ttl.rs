//! TTL: a message that is not delivered any more after its time.

use crate::harness::*;

/// Waits until the timer has removed all of it, with commands that don't let the module run.
#[track_caller]
fn all_is_gone(client: &mut Client) {
    eventually("nothing is left of the queue", || client.number("DBSIZE") == 0);
}

#[test]
fn what_waits_or_is_delayed_is_discarded_with_nobody_talking() {
    let server = Server::start();
    let mut client = server.client();
    for options in ["", "PRIORITY 3", "GROUP acme", "DELAY 3600000", "HEADERS 1 a b"] {
        client.ask(&format!("MQ.PUSH orders x TTL 60 {options}"));
    }
    assert_eq!(client.number("MQ.LEN orders"), 5);
    all_is_gone(&mut client);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 5);
    assert_eq!(client.info("mq")["mq_ttl_expired"], "5");
    let others = ["acked", "dead", "expired", "deleted", "pulled"];
    assert!(others.iter().all(|name| client.queue_info("orders", name) == 0));
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 0);
}

#[test]
fn it_is_counted_from_the_push_and_shown() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x TTL 5000000");
    let shown = client.get("orders", &id).expect("the message");
    let message = client.pull("orders");
    let end = (message.timestamp + 5_000_000).to_string();
    assert_eq!((&message.more["expires_at"], &shown["expires_at"]), (&end, &end));
    let delayed = client.text("MQ.PUSH orders x TTL 5000000 DELAY 1000");
    let shown = client.get("orders", &delayed).expect("the message");
    let pushed: i64 = shown["timestamp"].parse().expect("a timestamp");
    assert_eq!(shown["expires_at"], (pushed + 5_000_000).to_string());
}

#[test]
fn the_queues_ttl_holds_for_pushes_without_one() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders TTL 60");
    client.push("orders", "goes");
    client.ask("MQ.MPUSH orders 2 goes goes");
    client.ask("MQ.PUSH orders stays TTL 0");
    client.ask("MQ.MPUSH orders 1 stays TTL 0");
    client.ask("MQ.PUSH orders stays TTL 3600000");
    eventually("the others are discarded", || client.number("MQ.LEN orders") == 3);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 3);
    let batch = client.pull_batch("orders COUNT 9");
    assert!(batch.iter().all(|message| message.text() == "stays"));
    let with_end = batch.iter().filter(|message| message.more.contains_key("expires_at"));
    assert_eq!(with_end.count(), 1);
}

#[test]
fn a_new_setting_changes_nothing_for_what_was_pushed() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "without");
    client.ask("MQ.CONFIG orders TTL 1");
    sleep_until_ms(now_ms() + 50);
    assert_eq!(client.pull("orders").text(), "without");
}

#[test]
fn it_is_never_delivered_after_its_time() {
    let server = Server::start();
    let mut client = server.client();
    for options in ["", "PRIORITY 3", "GROUP acme", "DELAY 100"] {
        // In one packet: no timer runs before the pull, so the pull does the work.
        let lines = [
            format!("MQ.PUSH orders x TTL 200 {options}"),
            "DEBUG SLEEP 0.3".into(),
            "MQ.PULL orders".into(),
        ];
        assert_eq!(client.pipeline(&lines)[2], Ok(Value::Nil), "{options}");
        all_is_gone(&mut client);
    }
}

#[test]
fn what_is_in_flight_at_its_end_may_still_be_extended_and_acknowledged() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders x TTL 300");
    let message = client.pull("orders VISIBILITY 3600000");
    sleep_until_ms(message.timestamp + 350);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    let extended = client.number(&format!("MQ.EXTEND {} VISIBILITY 60000", message.delivery()));
    assert!(extended > now_ms());
    client.acknowledge(&message);
    assert_eq!(client.queue_info("orders", "ttl_expired"), 0);
    assert_eq!(client.queue_info("orders", "acked"), 1);
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn what_comes_back_after_its_end_is_discarded_however_it_comes() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    let mut count = 0;
    for how in ["", "DELAY 1000", "NOCOUNT"] {
        client.ask("MQ.PUSH orders x TTL 300");
        let message = client.pull("orders VISIBILITY 3600000");
        sleep_until_ms(message.timestamp + 350);
        assert_eq!(client.number(&format!("MQ.NACK {} {how}", message.delivery())), 1);
        count += 1;
        assert_eq!(client.number("MQ.LEN orders"), 0, "{how}");
        assert_eq!(client.queue_info("orders", "ttl_expired"), count, "{how}");
    }
    client.ask("MQ.PUSH orders x TTL 300");
    let message = client.pull("orders VISIBILITY 400");
    sleep_until_ms(message.timestamp + 310);
    eventually("it is gone", || client.number("EXISTS mq:{orders}:flight") == 0);
    assert_eq!(client.queue_info("orders", "ttl_expired"), count + 1);
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 0, "nothing died");
    let error = client.refused(&format!("MQ.ACK {}", message.delivery()));
    assert!(error.starts_with("NOTFOUND "), "{error}");
}

#[test]
fn what_is_rejected_after_its_end_dies_all_the_same() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders x TTL 300");
    let message = client.pull("orders VISIBILITY 3600000");
    sleep_until_ms(message.timestamp + 350);
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
    let dead = client.pull("{orders}:dead");
    assert_eq!(dead.id, message.id);
    assert!(!dead.more.contains_key("expires_at"));
}

#[test]
fn what_died_before_has_no_end_any_more() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.ask("MQ.PUSH orders x TTL 500");
    let message = client.pull("orders");
    client.nack(&message);
    sleep_until_ms(message.timestamp + 600);
    let dead = client.pull("{orders}:dead");
    assert_eq!((&dead.id, dead.more.contains_key("expires_at")), (&message.id, false));
    assert_eq!(client.queue_info("{orders}:dead", "ttl_expired"), 0);
}

#[test]
fn its_group_goes_on_and_its_key_is_free() {
    let server = Server::start();
    let mut client = server.client();
    let first = client.text("MQ.PUSH orders one TTL 300 GROUP acme DEDUP k UNTILDONE");
    let message = client.pull("orders VISIBILITY 3600000");
    client.ask("MQ.PUSH orders two GROUP acme");
    sleep_until_ms(message.timestamp + 350);
    let second = client.text("MQ.PUSH orders again DEDUP k UNTILDONE");
    assert_eq!(second, first, "in flight it holds its key");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.nack(&message);
    assert_eq!(waiting.message().0.text(), "two");
    let third = client.text("MQ.PUSH orders again DEDUP k UNTILDONE");
    assert_ne!(third, first);
}

#[test]
fn ends_of_ttls_come_before_ends_of_visibility_and_due_times() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders delayed DELAY 100 TTL 150");
    client.ask("MQ.PUSH orders held TTL 150");
    let held = client.pull("orders VISIBILITY 100");
    assert_eq!(held.text(), "held");
    let lines = ["DEBUG SLEEP 0.3".to_string(), "MQ.PULL orders".into()];
    assert_eq!(client.pipeline(&lines)[1], Ok(Value::Nil));
    assert_eq!(client.queue_info("orders", "ttl_expired"), 2);
    all_is_gone(&mut client);
}

#[test]
fn it_holds_over_restarts_and_a_promotion_with_nobody_talking() {
    for how in Continuation::ALL {
        let mut server = how.start();
        let replica = server.start_replica();
        let mut client = server.client();
        client.ask("MQ.PUSH orders waits TTL 1500");
        client.ask("MQ.PUSH orders delayed TTL 1500 DELAY 3600000");
        client.ask("MQ.PUSH orders stays TTL 3600000");
        same_data(&mut client, &mut replica.client(), "the pushes");
        let now = how.go_on(&mut server, &replica);
        let mut client = now.client();
        eventually("two are gone", || client.number("HLEN mq:{orders}:messages") == 1);
        assert_eq!(client.pull("orders").text(), "stays", "{how:?}");
    }
}
