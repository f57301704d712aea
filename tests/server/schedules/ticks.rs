//! What a tick does: one message with its headers and the options of its schedule.

use super::{HOUR, HOUR_S, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;

/// Headers as text.
fn headers(message: &Value) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let headers = headers_of(message).expect("headers");
    headers.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn a_tick_pushes_one_message_with_its_headers() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders DELAY 3600000");
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0 VISIBILITY 1000000");
    let start = now_ms() + 50;
    let options = "PRIORITY 3 HEADERS 2 kind batch a 1";
    client.ask(&format!("MQ.SCHEDULE orders nightly report EVERY {HOUR} START {start} {options}"));
    let reply = waiting.reply().expect("a message");
    let tick = start.to_string();
    let expected =
        [("kind", "batch"), ("a", "1"), ("mq-schedule", "nightly"), ("mq-tick", tick.as_str())];
    let expected = expected.map(|(name, value)| (name.to_string(), value.to_string()));
    assert_eq!(headers(&reply), expected);
    let message = Message::from(&reply);
    assert_eq!((message.text(), message.retry_count), ("report", 0));
    assert_eq!(message.more["priority"], "3");
    assert!(!message.more.contains_key("expires_at"));
    assert!(message.timestamp >= start && message.visibility_until - 1_000_000 >= start);
    assert_eq!(client.lengths("orders"), [0, 1, 0]);
    let shown = client.schedule("orders", "nightly");
    for (field, value) in [
        ("runs", "1".to_string()),
        ("missed", "0".into()),
        ("skipped", "0".into()),
        ("last_tick", tick),
        ("next_tick", (start + HOUR).to_string()),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
}

#[test]
fn a_tick_that_a_pull_meets_first_pushes_one_message_too() {
    let server = Server::start();
    for pull in ["MQ.PULL orders", "MQ.PULL orders COUNT 5", "MQ.MPULL 2 mails orders"] {
        let mut client = server.client();
        let start = now_ms() + 200;
        client.ask(&format!("MQ.SCHEDULE orders nightly report EVERY {HOUR} START {start}"));
        // In one packet: no timer runs in between.
        let replies = client.pipeline(&["DEBUG SLEEP 0.4".into(), pull.into()]);
        let reply = replies[1].clone().expect("a message");
        let message = if pull.contains("COUNT") { items(&reply)[0].clone() } else { reply };
        let run = Run::of(&message).expect("of a schedule");
        let expected = Run { schedule: "nightly".into(), tick: Some(start), missed: None };
        assert_eq!(run, expected, "{pull}");
        assert_eq!(client.schedule_number("orders", "nightly", "runs"), 1);
        assert_eq!(client.lengths("orders"), [0, 1, 0]);
        client.ask("MQ.DROP orders");
    }
}

#[test]
fn a_schedule_has_no_tick_when_it_is_set() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask(&format!("MQ.SCHEDULE orders plain x EVERY {HOUR}"));
    client.ask("MQ.SCHEDULE orders cron x CRON @hourly");
    let past = start - 10 * HOUR - HOUR / 2;
    client.ask(&format!("MQ.SCHEDULE orders past x EVERY {HOUR} START {past}"));
    sleep_until_ms(now_ms() + 50);
    assert_eq!(client.lengths("orders"), [0; 3]);
    let next = |client: &mut Client, name| client.schedule_number("orders", name, "next_tick");
    assert!((start + HOUR..=clock.now_ms() + HOUR).contains(&next(&mut client, "plain")));
    assert_eq!(next(&mut client, "cron") % HOUR, 0);
    assert_eq!(next(&mut client, "past"), start + HOUR / 2, "it keeps its phase");
}

#[test]
fn a_full_queue_skips_its_ticks() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 1");
    client.push("orders", "other");
    hourly(&mut client, "each", start, "CATCHUP ALL");
    clock.set(2 * HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.peek_texts("orders"), ["other"]);
    let shown = client.schedule("orders", "each");
    assert_eq!([&*shown["runs"], &*shown["skipped"], &*shown["missed"]], ["0", "2", "0"]);
    assert_eq!(shown["last_tick"], (start + 2 * HOUR).to_string());
    for (field, value) in
        [("ticks", 0), ("ticks_skipped", 2), ("ticks_missed", 0), ("refused_full", 0)]
    {
        assert_eq!(client.queue_info("orders", field), value, "{field}");
    }
    client.ask("MQ.PURGE orders");
    clock.set(3 * HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    assert_eq!(client.ticks("orders"), hours(start, &[3]));
}

/// A schedule with OVERLAP SKIP whose first tick has its message.
fn with_overlap() -> (Server, Clock, i64, Client) {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "sync", start, "OVERLAP SKIP");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    (server, clock, start, client)
}

#[test]
fn with_overlap_skip_a_tick_is_skipped_while_the_message_of_an_earlier_one_is_in_the_queue() {
    let (_server, clock, start, mut client) = with_overlap();
    let next_hour = |client: &mut Client, hour: i64, skipped: i64| {
        clock.set(hour * HOUR_S + 60);
        wait_for_ticks(client, &clock);
        assert_eq!(client.schedule_number("orders", "sync", "skipped"), skipped, "{hour}");
        assert_eq!(client.number("MQ.LEN orders"), 1, "{hour}");
    };
    next_hour(&mut client, 2, 1);
    let held = client.pull(&format!("orders VISIBILITY {}", 100 * HOUR));
    next_hour(&mut client, 3, 2);
    client.nack_with(&held, &format!("DELAY {}", 100 * HOUR));
    next_hour(&mut client, 4, 3);
    client.ask(&format!("MQ.RESCHEDULE orders {} DELAY 0", held.id));
    let held = client.pull("orders");
    client.acknowledge(&held);
    next_hour(&mut client, 5, 3);
    assert_eq!(client.ticks("orders"), hours(start, &[5]));
    let held = client.pull("orders");
    client.nack_with(&held, "DEAD");
    next_hour(&mut client, 6, 3);
    assert_eq!(client.ticks("orders"), hours(start, &[6]));
    assert_eq!(client.number("MQ.LEN {orders}:dead"), 1);
    let info = [("ticks", 3), ("ticks_skipped", 3), ("deduplicated", 0)];
    for (field, value) in info {
        assert_eq!(client.queue_info("orders", field), value, "{field}");
    }
}

#[test]
fn with_overlap_skip_a_trigger_replies_the_id_of_the_message_in_the_queue() {
    let (_server, _clock, _, mut client) = with_overlap();
    let first = client.peek("orders")[0]["id"].clone();
    assert_eq!(client.text("MQ.TRIGGER orders sync"), first);
    assert_eq!(client.number("MQ.LEN orders"), 1);
    assert_eq!(client.schedule_number("orders", "sync", "triggered"), 0);
    let message = client.pull("orders");
    client.acknowledge(&message);
    let second = client.text("MQ.TRIGGER orders sync");
    assert_ne!(second, first);
    assert_eq!(client.text("MQ.TRIGGER orders sync"), second);
    assert_eq!(client.schedule_number("orders", "sync", "triggered"), 1);
}

#[test]
fn a_key_that_somebody_else_holds_keeps_the_ticks_off() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "sync", start, "OVERLAP SKIP");
    hourly(&mut client, "other", start, "OVERLAP SKIP");
    client.ask("MQ.PUSH orders own DEDUP mq-schedule:sync UNTILDONE PRIORITY 9");
    clock.set(HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.schedule_number("orders", "sync", "skipped"), 1);
    assert_eq!(client.schedule_number("orders", "other", "runs"), 1);
    let own = client.pull("orders");
    assert_eq!(own.text(), "own");
    client.acknowledge(&own);
    clock.set(2 * HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.schedule_number("orders", "sync", "runs"), 1);
}

#[test]
fn a_name_of_the_greatest_length_can_skip_overlapping_ticks() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    let name = "n".repeat(256);
    hourly(&mut client, &name, start, "OVERLAP SKIP CATCHUP ALL");
    clock.set(2 * HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.schedule_number("orders", &name, "skipped"), 1);
    let message = client.pull("orders");
    client.nack(&message);
    let again = client.pull("orders");
    assert_eq!((&again.id, again.retry_count), (&message.id, 1));
    client.acknowledge(&again);
    clock.set(3 * HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    same_data(&mut client, &mut replica.client(), "its messages");
}

#[test]
fn a_queue_with_the_most_keys_skips_ticks_that_need_one() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXDEDUP 1");
    client.ask("MQ.PUSH orders x DEDUP key WINDOW 100000000");
    hourly(&mut client, "skip", start, "OVERLAP SKIP");
    hourly(&mut client, "allow", start, "OVERLAP ALLOW");
    clock.set(HOUR_S + 60);
    wait_for_ticks(&mut client, &clock);
    assert_eq!(client.schedule_number("orders", "skip", "skipped"), 1);
    assert_eq!(client.schedule_number("orders", "allow", "runs"), 1);
    assert_eq!(client.number("MQ.LEN orders"), 2);
    let error = client.refused("MQ.TRIGGER orders skip");
    assert!(error.starts_with("DEDUPFULL "), "{error}");
}

#[test]
fn messages_of_ticks_live_as_long_as_the_schedule_or_the_queue_says() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask(&format!("MQ.CONFIG orders TTL {}", 5 * HOUR));
    hourly(&mut client, "queue", start, "PRIORITY 1");
    hourly(&mut client, "own", start, &format!("PRIORITY 2 TTL {}", 3 * HOUR));
    hourly(&mut client, "ever", start, "PRIORITY 3 TTL 0");
    hourly(&mut client, "dies", start, "PRIORITY 4 TTL 1 DEAD");
    clock.set(HOUR_S + 60);
    eventually("one is dead", || client.number("MQ.LEN {orders}:dead") == 1);
    wait_for_ticks(&mut client, &clock);
    let dead = client.pull("{orders}:dead");
    assert_eq!(dead.more["dead_reason"], "expired");
    let pushed = start + HOUR..=clock.now_ms();
    for (lives, expected) in [None, Some(3 * HOUR), Some(5 * HOUR)].iter().enumerate() {
        let message = client.pull("orders");
        let end = message.more.get("expires_at").map(|end| end.parse::<i64>().expect("a time"));
        let within = expected.map(|ttl| end.is_some_and(|end| pushed.contains(&(end - ttl))));
        assert!(within.unwrap_or(end.is_none()), "{lives}: {message:?}");
    }
}

#[test]
fn messages_of_ticks_join_their_group() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask("MQ.CONFIG orders GROUPINFLIGHT 1");
    hourly(&mut client, "each", start, "CATCHUP ALL GROUP tenant");
    client.ask("MQ.PUSH orders first GROUP tenant");
    clock.set(2 * HOUR_S + 60);
    client.wait_for_ready("orders", 3);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = client.pull("orders");
        client.pull_nothing("orders");
        assert_eq!(message.more["group"], "tenant");
        client.acknowledge(&message);
        seen.push(message.text().to_string());
    }
    assert_eq!(seen, ["first", "x", "x"]);
}

#[test]
fn a_paused_queue_gets_its_messages_and_delivers_them_later() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    client.ask("MQ.PAUSE orders");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    client.pull_nothing("orders");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MQ.RESUME orders");
    assert_eq!(waiting.message().0.text(), "x");
}

#[test]
fn a_paused_schedule_has_no_ticks_and_misses_none() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "CATCHUP ALL");
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    let set = |client: &mut Client, paused: u8| {
        let first = start + HOUR;
        let timing = format!("EVERY {HOUR} START {first} CATCHUP ALL PAUSED {paused}");
        client.number(&format!("MQ.SCHEDULE orders each x {timing}"))
    };
    assert_eq!(set(&mut client, 1), 0);
    let shown = client.schedule("orders", "each");
    assert!(!shown.contains_key("next_tick"), "{shown:?}");
    assert_eq!([&*shown["paused"], &*shown["runs"]], ["1", "1"]);
    assert_eq!(client.queue_info("orders", "next_tick_at"), 0);
    assert_eq!(client.queue_info("orders", "schedules"), 1);
    clock.set(5 * HOUR_S + 60);
    // Another client's command: the timer has had its turns by then.
    sleep_until_ms(now_ms() + 300);
    assert_eq!(client.number("MQ.LEN orders"), 1);
    assert_eq!(client.numbers("MQ.NEXT orders each COUNT 2"), hours(start, &[6, 7]));
    assert_eq!(set(&mut client, 0), 0);
    assert_eq!(client.schedule_number("orders", "each", "next_tick"), start + 6 * HOUR);
    clock.set(6 * HOUR_S + 60);
    client.wait_for_ready("orders", 2);
    assert_eq!(client.ticks("orders"), hours(start, &[1, 6]));
    assert_eq!(client.schedule_number("orders", "each", "missed"), 0);
}

#[test]
fn jitter_is_the_same_for_a_name_and_tick_and_spreads_names() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    let mut scores = std::collections::BTreeSet::new();
    for n in 0..50 {
        let name = format!("name-{n}");
        hourly(&mut client, &name, start, "JITTER 600000");
        let score = |client: &mut Client| -> i64 {
            let score = client.text(&format!("ZSCORE mq:{{orders}}:ticks {name}"));
            score.parse().expect("a whole number")
        };
        let first = score(&mut client);
        assert!((0..600_000).contains(&(first - start - HOUR)), "{first}");
        client.ask(&format!("MQ.UNSCHEDULE orders {name}"));
        hourly(&mut client, &name, start, "JITTER 600000");
        assert_eq!(score(&mut client), first, "{name}");
        assert_eq!(client.schedule_number("orders", &name, "next_tick"), start + HOUR);
        scores.insert(first);
    }
    assert!(scores.len() > 40, "{scores:?}");
    clock.set(HOUR_S + 601);
    client.wait_for_ready("orders", 50);
    assert!(client.ticks("orders").iter().all(|tick| *tick == start + HOUR));
    // In the order in which they were due, not in that of their names.
    let runs = client.runs("orders");
    let names: Vec<&str> = runs.iter().map(|run| run.schedule.as_str()).collect();
    assert!(!names.is_sorted(), "{names:?}");
}
