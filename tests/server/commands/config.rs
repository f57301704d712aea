//! MQ.CONFIG: reading and changing a queue's settings.

use crate::harness::*;

const DEFAULTS: [(&str, &str); 16] = [
    ("visibility", "30000"),
    ("maxretries", "25"),
    ("deadletter", "{orders}:dead"),
    ("backoff", "1000"),
    ("backoffmax", "3600000"),
    ("delay", "0"),
    ("ttl", "0"),
    ("maxlen", "0"),
    ("maxinflight", "0"),
    ("rate", "0"),
    ("rateperiod", "1000"),
    ("aging", "0"),
    ("groupinflight", "1"),
    ("dedupwindow", "300000"),
    ("maxdedup", "0"),
    ("expires", "0"),
];

#[test]
fn a_queue_without_settings_has_the_defaults() {
    let server = Server::start();
    let mut client = server.client();
    let reply = entries(&client.ask("MQ.CONFIG orders"));
    let shown: Vec<_> = reply.iter().map(|(name, value)| (name.as_str(), text_of(value))).collect();
    let expected: Vec<_> =
        DEFAULTS.iter().map(|(name, value)| (*name, value.to_string())).collect();
    assert_eq!(shown, expected);
    for (name, value) in &reply {
        assert_eq!(matches!(value, Value::Int(_)), name != "deadletter", "{name}: {value:?}");
    }
    assert_eq!(client.number("DBSIZE"), 0, "reading the settings makes no key");
}

#[test]
fn every_setting_is_shown_as_it_was_set() {
    let server = Server::start();
    let mut client = server.client();
    let set = "VISIBILITY 5000 MAXRETRIES 3 DEADLETTER graveyard BACKOFF 100 BACKOFFMAX 9000 \
               DELAY 7 TTL 8 MAXLEN 9 MAXINFLIGHT 10 RATE 11 RATEPERIOD 12 AGING 13 \
               GROUPINFLIGHT 14 DEDUPWINDOW 15 MAXDEDUP 16 \
               EXPIRES 3600017";
    assert_eq!(client.ask(&format!("MQ.CONFIG orders {set}")), Value::Okay);
    let shown = client.map("MQ.CONFIG orders");
    let expected = [
        ("visibility", "5000"),
        ("maxretries", "3"),
        ("deadletter", "graveyard"),
        ("backoff", "100"),
        ("backoffmax", "9000"),
        ("delay", "7"),
        ("ttl", "8"),
        ("maxlen", "9"),
        ("maxinflight", "10"),
        ("rate", "11"),
        ("rateperiod", "12"),
        ("aging", "13"),
        ("groupinflight", "14"),
        ("dedupwindow", "15"),
        ("maxdedup", "16"),
        ("expires", "3600017"),
    ];
    for (name, value) in expected {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(client.map("MQ.CONFIG mails")["visibility"], "30000", "another queue keeps its own");
}

#[test]
fn a_setting_left_out_stays_as_it_was() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders VISIBILITY 5000 DELAY 10");
    client.ask("MQ.CONFIG orders DELAY 20");
    let shown = client.map("MQ.CONFIG orders");
    assert_eq!((shown["visibility"].as_str(), shown["delay"].as_str()), ("5000", "20"));
}

#[test]
fn a_setting_set_to_its_default_or_to_nothing_is_removed() {
    let server = Server::start();
    let mut client = server.client();
    for (name, default) in DEFAULTS {
        let other = match name {
            "deadletter" => "graveyard",
            "backoffmax" => "7777",
            _ => "77",
        };
        // An empty name would be a key.
        let nothing = match name {
            "deadletter" => "DEFAULTDEADLETTER".to_owned(),
            _ => format!("{name} \"\""),
        };
        for back in [format!("{name} {default}"), nothing] {
            client.ask(&format!("MQ.CONFIG orders {name} {other}"));
            assert_eq!(client.number("EXISTS mq:{orders}:config"), 1, "{name}");
            client.ask(&format!("MQ.CONFIG orders {back}"));
            assert_eq!(client.map("MQ.CONFIG orders")[name], default);
            assert_eq!(client.number("DBSIZE"), 0, "{back} left something behind");
        }
    }
}

#[test]
fn settings_are_stored_as_readable_text() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders VISIBILITY 5000 DEADLETTER graveyard");
    let stored = client.map("HGETALL mq:{orders}:config");
    let stored: Vec<_> = stored.iter().map(|(k, v)| (k.to_lowercase(), v.as_str())).collect();
    assert_eq!(stored, [("deadletter".into(), "graveyard"), ("visibility".into(), "5000")]);
}

#[test]
fn a_change_is_all_or_nothing() {
    let server = Server::start();
    let mut client = server.client();
    for wrong in [
        "DELAY 20 VISIBILITY 0",
        "DELAY 20 NONSENSE 1",
        "DELAY 20 DEADLETTER orders",
        "DELAY 20 DEADLETTER a{}b",
        "DELAY 20 DELAY 30",
        "DELAY 20 VISIBILITY",
    ] {
        client.refused(&format!("MQ.CONFIG orders {wrong}"));
        assert_eq!(client.number("DBSIZE"), 0, "{wrong}");
    }
}

#[test]
fn the_limits_of_every_setting() {
    let server = Server::start();
    let mut client = server.client();
    let year = 31_536_000_000i64;
    for (name, smallest, largest) in [
        ("VISIBILITY", 1, year),
        ("MAXRETRIES", -1, 2_147_483_647),
        ("BACKOFF", 0, year),
        ("BACKOFFMAX", 1, year),
        ("DELAY", 0, year),
        ("TTL", 0, year),
        ("MAXLEN", 0, 2_147_483_647),
        ("MAXINFLIGHT", 0, 2_147_483_647),
        ("RATE", 0, 2_147_483_647),
        ("RATEPERIOD", 1, year),
        ("AGING", 0, year),
        ("GROUPINFLIGHT", 1, 10_000),
        ("DEDUPWINDOW", 1, year),
        ("MAXDEDUP", 0, 2_147_483_647),
        ("EXPIRES", 0, 31_536_000_000),
    ] {
        for value in [smallest, largest] {
            let other = match name {
                "BACKOFF" => "BACKOFFMAX 31536000000",
                "BACKOFFMAX" => "BACKOFF 0",
                _ => "",
            };
            let set = client.ask(&format!("MQ.CONFIG orders {name} {value} {other}"));
            assert_eq!(set, Value::Okay);
            let shown = client.map("MQ.CONFIG orders");
            assert_eq!(shown[name.to_lowercase().as_str()], value.to_string());
        }
        let expected = format!("ERR {name} must be an integer from {smallest} to {largest}");
        for value in [smallest - 1, largest + 1] {
            let error = client.refused(&format!("MQ.CONFIG orders {name} {value}"));
            assert!(error.starts_with(&expected), "{value}: {error}");
        }
        for value in
            ["x", "1.5", "1e3", "+5", "0x10", "99999999999999999999", "-99999999999999999999"]
        {
            let error = client.refused(&format!("MQ.CONFIG orders {name} {value}"));
            assert!(error.starts_with(&expected), "{value}: {error}");
        }
    }
}

#[test]
fn a_backoff_above_its_maximum_is_refused_whichever_of_the_two_is_set() {
    let server = Server::start();
    let mut client = server.client();
    // What is set before, what is refused, and why: one that isn't named counts as it is.
    for (before, refused, backoff, max) in [
        ("", "BACKOFF 5000 BACKOFFMAX 4999", 5_000, 4_999),
        ("", "BACKOFFMAX 4999 BACKOFF 5000", 5_000, 4_999),
        ("", "BACKOFF 3600001", 3_600_001, 3_600_000),
        ("", "BACKOFFMAX 999", 1_000, 999),
        ("BACKOFF 500 BACKOFFMAX 600", "BACKOFF 601", 601, 600),
        ("BACKOFF 500 BACKOFFMAX 600", "BACKOFFMAX 499", 500, 499),
        ("BACKOFF 500 BACKOFFMAX 600", "BACKOFF \"\"", 1_000, 600),
        ("BACKOFF 7200000 BACKOFFMAX 7200000", "BACKOFFMAX 3600000", 7_200_000, 3_600_000),
        ("BACKOFF 7200000 BACKOFFMAX 7200000", "BACKOFFMAX \"\" TTL 5", 7_200_000, 3_600_000),
    ] {
        client.ask("FLUSHALL");
        client.ask(&format!("MQ.CONFIG orders {before}"));
        let shown = client.map("MQ.CONFIG orders");
        let error = client.refused(&format!("MQ.CONFIG orders {refused}"));
        assert_eq!(error, format!("ERR BACKOFF {backoff} is above BACKOFFMAX {max}"));
        assert_eq!(client.map("MQ.CONFIG orders"), shown, "nothing was set");
    }
    client.ask("MQ.CONFIG orders BACKOFF 5 BACKOFFMAX 5");
    client.ask("MQ.CONFIG orders BACKOFF 0");
    client.ask("MQ.CONFIG orders BACKOFFMAX 1");
    // What was stored so before stays, and the other settings can be changed.
    client.ask("HSET mq:{orders}:config backoff 10 backoffmax 5");
    client.ask("MQ.CONFIG orders DELAY 7");
}

#[test]
fn the_old_defaults_can_be_set_and_are_stored() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES -1 BACKOFF 0");
    let stored = client.map("HGETALL mq:{orders}:config");
    assert_eq!((stored["maxretries"].as_str(), stored["backoff"].as_str()), ("-1", "0"));
    client.push("orders", "x");
    for retry_count in 0..30 {
        let message = client.pull("orders");
        assert_eq!(message.retry_count, retry_count);
        assert_eq!(client.number(&format!("MQ.NACK {}", message.delivery())), 1);
    }
    assert_eq!(client.lengths("orders"), [1, 0, 0]);
}

#[test]
fn a_queue_is_not_its_own_dead_letter_queue() {
    let server = Server::start();
    let mut client = server.client();
    let error = client.refused("MQ.CONFIG orders DEADLETTER orders");
    assert_eq!(error, "ERR a queue can't be its own dead-letter queue");
    let error = client.refused("MQ.CONFIG {orders}:dead DEADLETTER {orders}:dead");
    assert_eq!(error, "ERR a queue can't be its own dead-letter queue");
}

#[test]
fn the_dead_letter_queue_must_have_a_valid_name() {
    let server = Server::start();
    let mut client = server.client();
    let long = "x".repeat(513);
    for name in ["\"\"", "{orders}", "a{b", "a}b", "a{}b", long.as_str()] {
        let error = client.refused(&format!("MQ.CONFIG orders DEADLETTER {name}"));
        assert!(error.starts_with("ERR invalid queue name: "), "{name}: {error}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

#[test]
fn the_dead_letter_queue_of_a_name_with_a_hash_tag_shares_the_tag() {
    let server = Server::start();
    let mut client = server.client();
    for (queue, dead) in [
        ("orders", "{orders}:dead"),
        ("{acme}.orders", "{acme}.orders:dead"),
        ("orders.{acme}", "orders.{acme}:dead"),
        ("{orders}:dead", "{orders}:dead:dead"),
    ] {
        assert_eq!(client.map(&format!("MQ.CONFIG {queue}"))["deadletter"], dead);
    }
}

#[test]
fn a_new_setting_holds_for_what_happens_from_then_on() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let message = client.pull("orders");
    client.ask("MQ.CONFIG orders VISIBILITY 1");
    assert_eq!(client.queue_info("orders", "next_due_at"), message.visibility_until);
    // The number of retries is looked at when a message returns.
    client.ask("MQ.CONFIG orders MAXRETRIES 0");
    client.nack(&message);
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 1);
}

#[test]
fn settings_changed_by_hand_hold_at_once() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DELAY 60000");
    client.push("orders", "one");
    client.ask("HSET mq:{orders}:config delay 50000");
    let before = now_ms();
    client.push("orders", "two");
    let due = client.queue_info("orders", "next_due_at");
    assert!((before + 50_000..=now_ms() + 50_000).contains(&due), "due at {due}");
    client.ask("DEL mq:{orders}:config");
    client.push("orders", "three");
    assert_eq!(client.lengths("orders"), [1, 0, 2]);
}

#[test]
fn a_queue_with_a_setting_is_a_queue() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders VISIBILITY 5000");
    assert_eq!(strings(&client.ask("MQ.QUEUES")), ["orders"]);
    client.ask("MQ.CONFIG orders VISIBILITY 30000");
    assert_eq!(client.ask("MQ.QUEUES"), Value::Array(vec![]));
}
