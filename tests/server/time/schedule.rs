//! MQ.PUSH with AT, and MQ.RESCHEDULE.

use crate::harness::*;

const HOUR: i64 = 3_600_000;

/// The `due_at` of a delayed message.
#[track_caller]
fn due_at(client: &mut Client, id: &str) -> i64 {
    let shown = client.get("orders", id).expect("the message");
    assert_eq!(shown["state"], "delayed");
    shown["due_at"].parse().expect("a timestamp")
}

#[test]
fn a_message_becomes_ready_at_its_time() {
    let server = Server::start();
    let mut client = server.client();
    let moment = now_ms() + 150;
    let id = client.text(&format!("MQ.PUSH orders later AT {moment}"));
    assert_eq!(client.queue_info("orders", "next_due_at"), moment);
    let waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 1000000");
    let (message, _) = waiting.message();
    assert_eq!((message.id, message.retry_count), (id, 0));
    assert!(message.visibility_until - 1_000_000 >= moment, "delivered before its moment");
}

#[test]
fn a_time_that_has_passed_is_now() {
    let server = Server::start();
    let mut client = server.client();
    for moment in [0, 100_000_000_001, now_ms() - 1000, now_ms()] {
        client.ask(&format!("MQ.PUSH orders x AT {moment}"));
    }
    assert_eq!(client.lengths("orders"), [4, 0, 0]);
}

#[test]
fn at_overrides_the_queues_delay() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DELAY 60000");
    client.ask("MQ.PUSH orders now AT 0");
    let moment = now_ms() + HOUR;
    let id = client.text(&format!("MQ.PUSH orders later AT {moment}"));
    assert_eq!(client.lengths("orders"), [1, 0, 1]);
    assert_eq!(due_at(&mut client, &id), moment);
}

#[test]
fn an_at_in_seconds_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x DELAY 3600000");
    let reschedule = format!("MQ.RESCHEDULE orders {id}");
    let in_seconds = (now_ms() / 1_000 + 60).to_string();
    for line in ["MQ.PUSH orders x", "MQ.MPUSH orders 2 x y", &reschedule] {
        for at in ["1", &in_seconds, "100000000000"] {
            let error = client.refused(&format!("{line} AT {at}"));
            let told =
                format!("ERR AT {at} is a time in seconds, in milliseconds it is AT {at}000");
            assert_eq!(error, told, "{line}");
        }
    }
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
    // Past milliseconds are at once.
    client.ask("MQ.PUSH orders y AT 100000000001");
    assert_eq!(client.number(&format!("{reschedule} AT 0")), 1);
    assert_eq!(client.lengths("orders"), [2, 0, 0]);
}

#[test]
fn the_limits_of_at() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x AT 8796093022207");
    assert_eq!(due_at(&mut client, &id), 8_796_093_022_207);
    for line in ["MQ.PUSH orders x AT", "MQ.MPUSH orders 1 x AT"] {
        for moment in ["8796093022208", "-1", "x", "\"\"", "1.5"] {
            let error = client.refused(&format!("{line} {moment}"));
            assert_eq!(
                error,
                "ERR AT must be an integer from 0 to 8796093022207 milliseconds of unix time"
            );
        }
        client.misused(&format!("{line} 1 DELAY 1"));
        client.misused(&format!("{line} 1 AT 1"));
        client.misused(line);
    }
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
}

#[test]
fn a_delayed_message_is_rescheduled_to_any_time() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x DELAY 60000");
    for moment in [now_ms() + 2 * HOUR, now_ms() + 1_000_000, 8_796_093_022_207] {
        assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {id} AT {moment}")), 1);
        assert_eq!(due_at(&mut client, &id), moment);
        assert_eq!(client.queue_info("orders", "next_due_at"), moment);
    }
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {id} DELAY 31536000000")), 1);
    let due = due_at(&mut client, &id) - 31_536_000_000;
    assert!((before..=now_ms()).contains(&due));
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
}

#[test]
fn a_message_rescheduled_to_now_is_ready_behind_all_that_wait() {
    let server = Server::start();
    let mut client = server.client();
    let first = client.text("MQ.PUSH orders first DELAY 3600000");
    let second = client.text("MQ.PUSH orders second DELAY 3600000");
    client.push("orders", "waits");
    sleep_until_ms(now_ms() + 2);
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {second} DELAY 0")), 1);
    sleep_until_ms(now_ms() + 2);
    assert_eq!(client.number(&format!("mq.reschedule orders {first} at 0")), 1);
    assert_eq!(client.lengths("orders"), [3, 0, 0]);
    assert_eq!(client.pull_texts("orders COUNT 9"), ["waits", "second", "first"]);
}

#[test]
fn a_message_that_waits_for_its_retry_is_rescheduled_with_its_retry_count() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "x");
    let message = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DELAY 3600000 REASON broken", message.delivery()));
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {} DELAY 0", message.id)), 1);
    let again = client.pull("orders");
    assert_eq!((again.id, again.retry_count), (message.id, 1));
    assert_eq!(again.more["last_error"], "broken");
}

#[test]
fn a_reschedule_serves_a_waiting_client_now_and_later() {
    let server = Server::start();
    let mut client = server.client();
    for how in ["DELAY 0".to_string(), "DELAY 50".into(), format!("AT {}", now_ms() - 5)] {
        let id = client.text("MQ.PUSH orders x DELAY 3600000");
        let waiting = server.waiting("MQ.PULL orders BLOCK 0");
        assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {id} {how}")), 1);
        assert_eq!(waiting.message().0.id, id);
    }
}

#[test]
fn a_message_rescheduled_to_later_stays_until_then() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x DELAY 300");
    let before = now_ms();
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {id} DELAY 600")), 1);
    eventually("it is ready", || client.number("ZCARD mq:{orders}:ranked") == 1);
    assert!(now_ms() >= before + 600, "it was ready before its time");
}

#[test]
fn what_is_not_delayed_is_not_rescheduled() {
    let server = Server::start();
    let mut client = server.client();
    let ready = client.push("orders", "ready");
    let inflight = client.pull("orders").id;
    let ready_too = client.push("orders", "ready too");
    let mails = client.text("MQ.PUSH mails x DELAY 3600000");
    let none = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(ready, inflight);
    for id in [&inflight, &ready_too, &mails, none, "nonsense", "\"\""] {
        assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {id} DELAY 0")), 0, "{id}");
    }
    assert_eq!(client.lengths("orders"), [1, 1, 0]);
}

#[test]
fn a_message_of_a_group_keeps_its_slot_until_it_is_rescheduled() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 2 one two GROUP acme");
    let one = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DELAY 3600000", one.delivery()));
    client.pull_nothing("orders");
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {} DELAY 7200000", one.id)), 1);
    client.pull_nothing("orders");
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {} DELAY 0", one.id)), 1);
    let again = client.pull("orders");
    assert_eq!((again.id.as_str(), again.retry_count), (one.id.as_str(), 1));
    client.acknowledge(&again);
    assert_eq!(client.pull("orders").text(), "two");
}

#[test]
fn a_wrong_reschedule_is_refused() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x DELAY 3600000");
    for wrong in ["", "DELAY", "DELAY 1 AT", "DELAY 1 AT 1", "AT"] {
        let error = client.refused(&format!("MQ.RESCHEDULE orders {id} {wrong}"));
        assert!(error.starts_with("ERR wrong number of arguments"), "{wrong}: {error}");
    }
    client.misused(&format!("MQ.RESCHEDULE orders {id} WHEN 1"));
    for (option, largest) in [("DELAY", 31_536_000_000i64), ("AT", 8_796_093_022_207)] {
        for value in ["-1".to_string(), (largest + 1).to_string(), "x".into(), "\"\"".into()] {
            let error = client.refused(&format!("MQ.RESCHEDULE orders {id} {option} {value}"));
            let expected =
                format!("ERR {option} must be an integer from 0 to {largest} milliseconds");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
    assert_eq!(client.lengths("orders"), [0, 0, 1]);
}
