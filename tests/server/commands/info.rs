//! MQ.INFO and MQ.LEN: the state of a queue.

use crate::harness::*;

/// In their order.
const INFO_FIELDS: &str = "\
    visibility maxretries deadletter backoff backoffmax delay ttl maxlen maxinflight rate \
    rateperiod aging groupinflight dedupwindow maxdedup expires exists deadletter_waiting ready inflight delayed \
    priorities groups dedup_keys paused paused_until rate_window_start rate_window_count \
    oldest_ready_age_ms oldest_inflight_age_ms oldest_delayed_age_ms next_due_at \
    highest_retry_count blocked_clients damaged schedules next_tick_at pushed pulled acked late_acks \
    nacked expired dead dead_discarded bad_receipts ttl_expired deduplicated redriven refused_full \
    deleted ticks ticks_missed ticks_skipped delivery_times processing_times";

#[test]
fn info_of_a_queue_that_is_not_there_has_defaults_and_zeros() {
    let server = Server::start();
    let mut client = server.client();
    let reply = entries(&client.ask("MQ.INFO orders"));
    let names: Vec<&str> = reply.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.join(" "), INFO_FIELDS);
    for (name, value) in &reply {
        let expected = match name.as_str() {
            "visibility" => Value::Int(30_000),
            "maxretries" => Value::Int(25),
            "deadletter" => Value::BulkString(b"{orders}:dead".to_vec()),
            "backoff" => Value::Int(1_000),
            "backoffmax" => Value::Int(3_600_000),
            "rateperiod" => Value::Int(1_000),
            "groupinflight" => Value::Int(1),
            "dedupwindow" => Value::Int(300_000),
            "priorities" => Value::Array(Vec::new()),
            "delivery_times" | "processing_times" => {
                assert_eq!(entries(value), [zero("count"), zero("sum_ms"), nothing_in("buckets")]);
                continue;
            }
            _ => Value::Int(0),
        };
        assert_eq!(*value, expected, "{name}");
    }
    assert_eq!(client.number("DBSIZE"), 0);
}

fn zero(name: &str) -> (String, Value) {
    (name.to_owned(), Value::Int(0))
}

fn nothing_in(name: &str) -> (String, Value) {
    (name.to_owned(), Value::Array(Vec::new()))
}

#[test]
fn info_says_whether_the_queue_exists() {
    let server = Server::start();
    let mut client = server.client();
    let exists = |client: &mut Client| client.queue_info("orders", "exists");
    for (make, unmake) in [
        ("MQ.PUSH orders x", "MQ.PULL orders NOACK"),
        ("MQ.PUSH orders x PRIORITY 9", "MQ.PULL orders NOACK"),
        ("MQ.CONFIG orders DELAY 5", "MQ.CONFIG orders DELAY 0"),
        ("MQ.PAUSE orders", "MQ.RESUME orders"),
        ("MQ.PUSH orders x DELAY 3600000 GROUP g", "MQ.PURGE orders"),
    ] {
        assert_eq!(exists(&mut client), 0, "before {make}");
        client.ask(make);
        assert_eq!(exists(&mut client), 1, "after {make}");
        client.ask(unmake);
    }
    client.ask("MQ.PUSH orders x DEDUP k");
    client.ask("MQ.PULL orders NOACK");
    assert_eq!(exists(&mut client), 1, "a deduplication key is held");
}

#[test]
fn info_shows_the_queue_as_it_is() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXRETRIES 2 DEADLETTER graveyard BACKOFF 10000");
    let before_push = now_ms();
    for payload in ["one", "two", "three", "four"] {
        client.push("orders", payload);
    }
    let after_push = now_ms();
    client.ask("MQ.PUSH orders five DELAY 100000");
    client.push("graveyard", "by hand");
    let batch = client.pull_batch("orders COUNT 3 VISIBILITY 50000");
    client.acknowledge(&batch[0]);
    client.ask(&format!("MQ.NACK {}", batch[1].delivery()));
    client.refused(&format!("MQ.ACK orders {} 0000000000000001", batch[2].id));
    let due = client.queue_info("orders", "next_due_at");
    let before = now_ms();
    let info = client.map("MQ.INFO orders");
    let after = now_ms();
    for (name, value) in [
        ("maxretries", 2),
        ("backoff", 10_000),
        ("deadletter_waiting", 1),
        ("ready", 1),
        ("inflight", 1),
        ("delayed", 2),
        ("highest_retry_count", 1),
        ("blocked_clients", 0),
        ("damaged", 0),
        ("pushed", 5),
        ("pulled", 3),
        ("acked", 1),
        ("late_acks", 0),
        ("nacked", 1),
        ("expired", 0),
        ("dead", 0),
        ("bad_receipts", 1),
    ] {
        assert_eq!(info[name], value.to_string(), "{name}");
    }
    assert_eq!(info["deadletter"], "graveyard");
    let age: i64 = info["oldest_ready_age_ms"].parse().expect("a number");
    assert!(
        (before - after_push..=after - before_push).contains(&age),
        "oldest_ready_age_ms {age}"
    );
    // The nacked message is due before the visibility of the one in flight ends.
    assert!(
        (batch[0].visibility_until - 50_000 + 10_000..batch[0].visibility_until).contains(&due)
    );
}

#[test]
fn next_due_at_is_the_first_of_all_deadlines() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    assert_eq!(
        client.queue_info("orders", "next_due_at"),
        0,
        "nothing is due for a waiting message"
    );
    let message = client.pull("orders VISIBILITY 50000");
    assert_eq!(client.queue_info("orders", "next_due_at"), message.visibility_until);
    client.ask("MQ.PUSH orders two DELAY 20000");
    assert!(client.queue_info("orders", "next_due_at") < message.visibility_until);
}

#[test]
fn the_highest_retry_count_is_that_of_the_messages_still_there() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    client.push("orders", "two");
    let (first, second) = (client.pull("orders"), client.pull("orders"));
    client.nack(&first);
    client.nack(&second);
    let first = client.pull("orders");
    client.nack(&first);
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 2);
    let remaining = client.pull_batch("orders COUNT 2");
    let most = remaining.iter().find(|message| message.retry_count == 2).expect("the first");
    client.acknowledge(most);
    assert_eq!(client.queue_info("orders", "highest_retry_count"), 1);
}

#[test]
fn len_counts_every_state() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
    for n in 0..6 {
        client.push("orders", n.to_string());
    }
    client.ask("MQ.PUSH orders delayed DELAY 60000");
    let batch = client.pull_batch("orders COUNT 3");
    assert_eq!(client.lengths("orders"), [3, 3, 1]);
    client.nack(&batch[0]);
    assert_eq!(client.lengths("orders"), [4, 2, 1]);
    client.ask(&format!("MQ.NACK {} DELAY 60000", batch[1].delivery()));
    assert_eq!(client.lengths("orders"), [4, 1, 2]);
    client.acknowledge(&batch[2]);
    assert_eq!(client.lengths("orders"), [4, 0, 2]);
}

/// The field `priorities`.
fn priorities(client: &mut Client, queue: &str) -> Vec<(String, i64)> {
    let fields = entries(&client.ask(&format!("MQ.INFO {queue}")));
    let priorities = fields.into_iter().find(|(name, _)| name == "priorities").expect("it").1;
    entries(&priorities).into_iter().map(|(name, count)| (name, integer(&count))).collect()
}

#[test]
fn priorities_in_use_are_counted_the_highest_first() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(priorities(&mut client, "orders"), []);
    client.ask("MQ.MPUSH orders 2 x x");
    assert_eq!(priorities(&mut client, "orders"), [], "none is in use");
    client.ask("MQ.PUSH orders x GROUP a");
    client.ask("MQ.MPUSH orders 3 x x x PRIORITY 9");
    client.ask("MQ.PUSH orders x PRIORITY 2");
    client.ask("MQ.PUSH orders x PRIORITY 5 DELAY 3600000");
    let expected = |list: &[(i64, i64)]| -> Vec<(String, i64)> {
        list.iter().map(|(priority, count)| (priority.to_string(), *count)).collect()
    };
    assert_eq!(priorities(&mut client, "orders"), expected(&[(9, 3), (2, 1), (0, 2)]));
    let resp3 = server.resp3_client().ask("MQ.INFO orders");
    let nested = entries(&resp3).into_iter().find(|(name, _)| name == "priorities").expect("it").1;
    assert_eq!(matches!(nested, Value::Map(_)), facts().modules_reply_with_maps());
    client.pull_batch("orders COUNT 4");
    client.ask("MQ.PULL orders COUNT 4 NOACK");
    assert_eq!(priorities(&mut client, "orders"), []);
}

#[test]
fn groups_are_counted_while_they_have_messages() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PUSH orders x GROUP a");
    client.ask("MQ.PUSH orders x GROUP b");
    client.ask("MQ.PUSH orders x GROUP b");
    client.ask("MQ.PUSH orders x GROUP c DELAY 3600000");
    assert_eq!(client.queue_info("orders", "groups"), 2);
    let a = client.pull("orders");
    assert_eq!(client.queue_info("orders", "groups"), 2);
    client.ask(&format!("MQ.NACK {} DELAY 3600000", a.delivery()));
    assert_eq!(client.queue_info("orders", "groups"), 2, "one that waits for its retry counts");
    client.number(&format!("MQ.DEL orders {}", a.id));
    assert_eq!(client.queue_info("orders", "groups"), 1);
}

#[test]
fn a_pause_is_shown_until_it_is_over() {
    let server = Server::start();
    let mut client = server.client();
    let paused = |client: &mut Client| {
        (client.queue_info("orders", "paused"), client.queue_info("orders", "paused_until"))
    };
    assert_eq!(paused(&mut client), (0, 0));
    client.ask("MQ.PAUSE orders");
    assert_eq!(paused(&mut client), (1, 0));
    let before = now_ms();
    client.ask("MQ.PAUSE orders FOR 3600000");
    let (is_paused, until) = paused(&mut client);
    assert_eq!(is_paused, 1);
    assert!((before + 3_600_000..=now_ms() + 3_600_000).contains(&until), "{until}");
    client.ask("MQ.RESUME orders");
    assert_eq!(paused(&mut client), (0, 0));
    client.ask("MQ.PAUSE orders FOR 20");
    sleep_until_ms(now_ms() + 30);
    assert_eq!(paused(&mut client), (0, 0), "it is over by itself");
}

#[test]
fn a_rate_window_is_shown() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 9 x x x x x x x x x");
    client.pull("orders");
    assert_eq!(client.queue_info("orders", "rate_window_start"), 0, "no rate, no window");
    client.ask("MQ.CONFIG orders RATE 4 RATEPERIOD 3600000");
    let before = now_ms();
    client.pull_batch("orders COUNT 2");
    client.ask("MQ.PULL orders NOACK");
    let start = client.queue_info("orders", "rate_window_start");
    assert!((before..=now_ms()).contains(&start), "{start}");
    assert_eq!(client.queue_info("orders", "rate_window_count"), 3);
    assert_eq!(client.pull_batch("orders COUNT 9").len(), 1);
    assert_eq!(client.queue_info("orders", "rate_window_count"), 4);
    assert_eq!(client.queue_info("orders", "rate_window_start"), start);
}

#[test]
fn the_oldest_age_of_each_state() {
    let server = Server::start();
    let mut client = server.client();
    let names = ["oldest_ready_age_ms", "oldest_inflight_age_ms", "oldest_delayed_age_ms"];
    assert_eq!(names.map(|name| client.queue_info("orders", name)), [0, 0, 0]);
    let mut moments = Vec::new();
    for line in [
        "MQ.PUSH orders a PRIORITY 9",
        "MQ.PULL orders VISIBILITY 3000000",
        "MQ.PUSH orders b DELAY 3600000",
        "MQ.PUSH orders c GROUP g",
        "MQ.PUSH orders d",
        "MQ.PUSH orders e PRIORITY 9",
        "MQ.PUSH orders f DELAY 4000000",
    ] {
        let before = now_ms();
        client.ask(line);
        moments.push(before..=now_ms());
        sleep_until_ms(now_ms() + 20);
    }
    let mut holds = |name: &str, since: &std::ops::RangeInclusive<i64>| {
        let before = now_ms();
        let age = client.queue_info("orders", name);
        let possible = before - since.end()..=now_ms() - since.start();
        assert!(possible.contains(&age), "{name}: {age} is not in {possible:?}");
    };
    // Those of groups count too, if the queue knows since when they are ready.
    let ready = client_age(&server, names[0]);
    let (oldest, youngest) = (now_ms() - moments[3].start(), now_ms() - moments[4].end() - 20_000);
    assert!((youngest.max(0)..=oldest).contains(&ready), "{ready}");
    holds(names[1], &moments[1]);
    holds(names[2], &moments[2]);
}

fn client_age(server: &Server, name: &str) -> i64 {
    server.client().queue_info("orders", name)
}

#[test]
fn an_end_of_a_ttl_is_a_deadline() {
    let server = Server::start();
    let mut client = server.client();
    let id = client.text("MQ.PUSH orders x TTL 3600000");
    let end: i64 =
        client.get("orders", &id).expect("it")["expires_at"].parse().expect("a timestamp");
    assert_eq!(client.queue_info("orders", "next_due_at"), end);
    client.ask("MQ.PUSH orders y DELAY 60000");
    assert!(client.queue_info("orders", "next_due_at") < end);
    let message = client.pull("orders VISIBILITY 30000");
    assert_eq!(client.queue_info("orders", "next_due_at"), message.visibility_until);
}

#[test]
fn the_setting_names_show_what_was_set() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders TTL 5 MAXLEN 6 MAXINFLIGHT 7 RATE 8 RATEPERIOD 9 AGING 10");
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 11 DEDUPWINDOW 12");
    let (info, config) = (client.map("MQ.INFO orders"), client.map("MQ.CONFIG orders"));
    for (name, value) in &config {
        assert_eq!(&info[name], value);
    }
    assert_eq!(config["dedupwindow"], "12");
}
