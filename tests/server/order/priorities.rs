//! PRIORITY and AGING: which of the messages without a group goes first.

use crate::harness::*;

#[test]
fn higher_priorities_go_first_and_equal_ones_in_the_order_of_their_pushes() {
    let server = Server::start();
    let mut client = server.client();
    let mut expected: Vec<(usize, usize)> = Vec::new();
    let mut lines = Vec::new();
    for n in 0..300usize {
        let priority = n * 7919 % 10;
        lines.push(format!("MQ.PUSH orders {n} PRIORITY {priority}"));
        expected.push((9 - priority, n));
    }
    for reply in client.pipeline(&lines) {
        reply.expect("an id");
    }
    expected.sort();
    let expected: Vec<String> = expected.iter().map(|(_, n)| n.to_string()).collect();
    assert_eq!(client.peek_texts("orders COUNT 1000"), expected);
    let mut order = client.pull_texts("orders COUNT 100");
    order.extend((0..10).map(|_| client.pull("orders").text().to_string()));
    order.extend(client.pull_texts("orders COUNT 1000"));
    assert_eq!(order, expected);
}

#[test]
fn a_priority_of_0_is_none() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.ask("MQ.PUSH orders two PRIORITY 0");
    client.push("orders", "three");
    assert_eq!(client.number("LLEN mq:{orders}:ready"), 3, "all are stored as plain messages");
    let batch = client.pull_batch("orders COUNT 9");
    let texts: Vec<&str> = batch.iter().map(Message::text).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert!(batch.iter().all(|message| !message.more.contains_key("priority")));
}

#[test]
fn a_message_shows_its_priority_and_keeps_it_when_it_comes_back() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders urgent PRIORITY 9");
    client.push("orders", "plain");
    for n in 0..6 {
        let message = client.pull("orders VISIBILITY 3600000");
        assert_eq!((&message.id, message.retry_count), (&id, n));
        assert_eq!(message.more["priority"], "9");
        match n {
            0 => client.nack(&message),
            1 => {
                client.ask(&format!("MQ.NACK {} DELAY 20", message.delivery()));
                eventually("it is due", || client.number("MQ.LEN orders READY") == 2);
            }
            2 => {
                client.ask(&format!("MQ.EXTEND {} VISIBILITY 20", message.delivery()));
                eventually("it is back", || client.number("MQ.LEN orders READY") == 2);
            }
            3 => {
                client.ask(&format!("MQ.NACK {} DELAY 3600000", message.delivery()));
                client.ask(&format!("MQ.RESCHEDULE orders {id} DELAY 0"));
            }
            4 => client.nack(&message),
            _ => client.acknowledge(&message),
        }
    }
    assert_eq!(client.pull("orders").text(), "plain");
}

#[test]
fn a_delayed_message_has_its_priority_when_it_is_due() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders delayed PRIORITY 4 DELAY 30");
    client.ask("MQ.PUSH orders low PRIORITY 3");
    client.push("orders", "plain");
    eventually("it is due", || client.number("MQ.LEN orders READY") == 3);
    client.ask("MQ.PUSH orders high PRIORITY 5");
    assert_eq!(client.pull_texts("orders COUNT 9"), ["high", "delayed", "low", "plain"]);
}

#[test]
fn equal_priorities_are_ordered_by_when_they_became_ready() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders first PRIORITY 2");
    client.ask("MQ.PUSH orders second PRIORITY 2");
    let first = client.pull("orders");
    sleep_until_ms(now_ms() + 2);
    client.nack(&first);
    assert_eq!(client.pull_texts("orders COUNT 9"), ["second", "first"]);
}

#[test]
fn without_aging_a_lower_priority_waits_for_ever() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "plain");
    client.ask("MQ.PUSH orders low PRIORITY 1");
    sleep_until_ms(now_ms() + 30);
    for settings in ["AGING 0", "AGING 3600000"] {
        client.ask(&format!("MQ.CONFIG orders {settings}"));
        client.ask("MQ.PUSH orders high PRIORITY 9");
        assert_eq!(client.pull("orders").text(), "high", "{settings}");
    }
    assert_eq!(client.pull_texts("orders COUNT 9"), ["low", "plain"]);
}

#[test]
fn with_aging_what_has_waited_longest_goes_first() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders AGING 1");
    for (payload, priority) in [("a", 0), ("b", 9), ("c", 3), ("d", 9), ("e", 0)] {
        client.ask(&format!("MQ.PUSH orders {payload} PRIORITY {priority}"));
        sleep_until_ms(now_ms() + 3);
    }
    assert_eq!(client.peek_texts("orders").len(), 5);
    assert_eq!(client.pull_texts("orders COUNT 9"), ["a", "b", "c", "d", "e"]);
}

#[test]
fn aging_lets_one_message_pass_that_has_waited_too_long_while_new_urgent_ones_come() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders AGING 100");
    let started = now_ms();
    client.ask("MQ.PUSH orders low PRIORITY 1");
    let mut passed = false;
    while !passed {
        let lines = ["MQ.PUSH orders high PRIORITY 9".to_string(), "MQ.PULL orders".into()];
        let replies = client.pipeline(&lines);
        let message = Message::from(replies[1].as_ref().expect("a message"));
        passed = message.text() == "low";
        assert!(passed || now_ms() < started + 20_000, "it starves");
    }
    assert!(now_ms() > started + 100, "it went before its time");
}

#[test]
fn a_dead_letter_shows_its_priority_which_has_no_effect() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    for (payload, priority) in [("low", 1), ("plain", 0), ("high", 9)] {
        client.ask(&format!("MQ.PUSH orders {payload} PRIORITY {priority}"));
        let message = client.pull("orders");
        client.nack(&message);
        sleep_until_ms(now_ms() + 2);
    }
    let dead = client.pull_batch("{orders}:dead COUNT 9");
    let texts: Vec<&str> = dead.iter().map(Message::text).collect();
    assert_eq!(texts, ["low", "plain", "high"]);
    let priority = |message: &Message| message.more.get("priority").cloned();
    assert_eq!(
        dead.iter().map(priority).collect::<Vec<_>>(),
        [Some("1".to_string()), None, Some("9".to_string())]
    );
}

#[test]
fn priorities_that_are_none_are_refused() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["MQ.PUSH orders x", "MQ.MPUSH orders 1 x"] {
        for value in ["-1", "10", "x", "\"\"", "1.0"] {
            let error = client.refused(&format!("{line} PRIORITY {value}"));
            assert_eq!(error, "ERR PRIORITY must be an integer from 0 to 9", "{value}");
        }
        for wrong in
            ["PRIORITY", "PRIORITY 1 PRIORITY 1", "PRIORITY 1 GROUP a", "GROUP a PRIORITY 1"]
        {
            client.misused(&format!("{line} {wrong}"));
        }
    }
    assert_eq!(client.number("DBSIZE"), 0);
}
