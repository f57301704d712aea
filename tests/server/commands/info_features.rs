//! What MQ.INFO says of priorities, groups, pauses, rate windows and ages, and its counters.

use crate::harness::*;

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
    let end: i64 = client.get("orders", &id).expect("it")["expires_at"].parse().expect("a moment");
    assert_eq!(client.queue_info("orders", "next_due_at"), end);
    client.ask("MQ.PUSH orders y DELAY 60000");
    assert!(client.queue_info("orders", "next_due_at") < end);
    let message = client.pull("orders VISIBILITY 30000");
    assert_eq!(client.queue_info("orders", "next_due_at"), message.visibility_until);
}

#[test]
fn every_new_counter_counts() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 6");
    client.ask("MQ.MPUSH orders 3 a b c DELAY 3600000");
    client.ask("MQ.PUSH orders d DEDUP k");
    client.ask("MQ.PUSH orders d DEDUP k");
    client.refused("MQ.MPUSH orders 3 x y z");
    client.ask("MQ.PUSH orders e TTL 1");
    eventually("it is discarded", || client.number("EXISTS mq:{orders}:expiring") == 0);
    let message = client.pull("orders");
    client.ask(&format!("MQ.NACK {} DEAD", message.delivery()));
    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    assert_eq!(client.number("MQ.PURGE orders"), 4);
    for (name, value) in [
        ("pushed", 5),
        ("pulled", 1),
        ("ttl_expired", 1),
        ("deduplicated", 1),
        ("refused_full", 3),
        ("dead", 1),
        ("deleted", 4),
        ("redriven", 0),
    ] {
        assert_eq!(client.queue_info("orders", name), value, "{name}");
        let total = if name == "redriven" { 1 } else { value };
        assert_eq!(client.info("mq")[&format!("mq_{name}")], total.to_string(), "{name}");
    }
    assert_eq!(client.queue_info("{orders}:dead", "redriven"), 1);
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
