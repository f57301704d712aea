//! Every option of MQ.SCHEDULE, and what a call leaves of the schedule that was there.

use super::{HOUR, HOUR_S, hourly, with_clock};
use crate::harness::*;

/// Options, and fields that are shown for them.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

/// What MQ.SCHEDULES shows after MQ.SCHEDULE with these options.
fn shown_after(client: &mut Client, options: &[&str]) -> Shown {
    client.ask("MQ.DROP orders");
    let line = [&["MQ.SCHEDULE", "orders", "name", "payload"], options].concat();
    assert_eq!(client.reply(&line), Ok(Value::Int(1)), "{options:?}");
    client.schedule("orders", "name")
}

#[test]
fn every_option_is_kept_and_shown() {
    let server = Server::start();
    let mut client = server.client();
    let future = (now_ms() + HOUR).to_string();
    let later = (now_ms() + 50 * HOUR).to_string();
    let rows: &[Row<'_>] = &[
        (&["EVERY", "100"], &[("every", "100"), ("catchup", "ONE"), ("overlap", "ALLOW")]),
        (&["every", "31536000000"], &[("every", "31536000000"), ("paused", "0"), ("jitter", "0")]),
        (&["CRON", "@daily"], &[("cron", "@daily"), ("zone", "UTC")]),
        (&["CRON", "0 9 * * MON-FRI"], &[("cron", "0 9 * * MON-FRI")]),
        (&["CRON", "0 9 * * *", "TZ", "europe/berlin"], &[("zone", "Europe/Berlin")]),
        (&["TZ", "Asia/Kolkata", "CRON", "@hourly"], &[("zone", "Asia/Kolkata")]),
        (&["START", &future, "EVERY", "500"], &[("start", &future), ("next_tick", &future)]),
        (&["EVERY", "500", "START", "0"], &[("start", "0")]),
        (&["EVERY", "500", "END", &later], &[("end", &later)]),
        (&["EVERY", "500", "LIMIT", "1"], &[("limit", "1")]),
        (&["EVERY", "500", "LIMIT", "2147483647"], &[("limit", "2147483647")]),
        (&["EVERY", "500", "JITTER", "499"], &[("jitter", "499")]),
        (&["CRON", "@yearly", "JITTER", "31536000000"], &[("jitter", "31536000000")]),
        (&["EVERY", "500", "CATCHUP", "none"], &[("catchup", "NONE")]),
        (&["EVERY", "500", "CATCHUP", "One"], &[("catchup", "ONE")]),
        (&["EVERY", "500", "CATCHUP", "ALL"], &[("catchup", "ALL")]),
        (&["EVERY", "500", "OVERLAP", "skip"], &[("overlap", "SKIP")]),
        (&["EVERY", "500", "OVERLAP", "ALLOW"], &[("overlap", "ALLOW")]),
        (&["EVERY", "500", "PAUSED", "1"], &[("paused", "1")]),
        (&["EVERY", "500", "PAUSED", "0"], &[("paused", "0")]),
        (&["EVERY", "500", "TTL", "0"], &[("ttl", "0")]),
        (&["EVERY", "500", "TTL", "9", "DEAD"], &[("ttl", "9"), ("dead", "1")]),
        (&["EVERY", "500", "PRIORITY", "9"], &[("priority", "9")]),
        (&["EVERY", "500", "GROUP", "g"], &[("group", "g")]),
        (&["EVERY", "500", "GROUP", "PRIORITY"], &[("group", "PRIORITY")]),
    ];
    for (options, expected) in rows {
        let shown = shown_after(&mut client, options);
        for (field, value) in *expected {
            let found = shown.get(*field).map(String::as_str);
            assert_eq!(found, Some(*value), "{options:?}: {field}");
        }
        let given = |field: &str| expected.iter().any(|(name, _)| *name == field);
        for field in ["start", "end", "limit", "ttl", "dead", "priority", "group", "headers"] {
            assert_eq!(shown.contains_key(field), given(field), "{options:?}: {field}");
        }
    }
}

#[test]
fn names_payloads_groups_and_headers_are_any_bytes() {
    let (server, clock, _) = with_clock(&[]);
    let mut client = server.client();
    let bytes: Vec<u8> = (0..=255).collect();
    let payload = [bytes.as_slice(), &vec![b'x'; (1 << 20) - 256]].concat();
    let line: [&[u8]; 12] = [
        b"MQ.SCHEDULE",
        b"orders",
        &bytes,
        &payload,
        b"EVERY",
        b"3600000",
        b"GROUP",
        &bytes,
        b"HEADERS",
        b"1",
        &bytes,
        &bytes,
    ];
    assert_eq!(client.reply(&line), Ok(Value::Int(1)));
    assert_eq!(client.reply(&line), Ok(Value::Int(0)));
    clock.set(HOUR_S + 60);
    client.wait_for_ready("orders", 1);
    let reply = client.ask("MQ.PULL orders");
    assert!(Message::from(&reply).payload == payload);
    let headers = headers_of(&reply).expect("headers");
    assert_eq!(headers[0], (bytes.clone(), bytes.clone()));
    assert_eq!(headers[1], (b"mq-schedule".to_vec(), bytes.clone()));
    let shown = client.ask("MQ.SCHEDULES orders");
    let shown = entries(&items(&shown)[0]);
    let field = |name: &str| shown.iter().find(|(one, _)| one == name).expect("it").1.clone();
    assert_eq!([bulk(&field("name")), bulk(&field("group"))], [&bytes; 2]);
    assert!(bulk(&field("payload")) == payload);
    for line in [&[b"MQ.NEXT".as_slice(), b"orders", &bytes], &[b"MQ.TRIGGER", b"orders", &bytes]] {
        client.reply(line).expect("the schedule");
    }
    let remove: [&[u8]; 3] = [b"MQ.UNSCHEDULE", b"orders", &bytes];
    assert_eq!(client.reply(&remove), Ok(Value::Int(1)));
}

#[test]
fn a_schedule_that_is_set_again_moves_no_tick() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    let line = format!("MQ.SCHEDULE orders each x EVERY {HOUR}");
    assert_eq!(client.number(&line), 1);
    let next = client.schedule_number("orders", "each", "next_tick");
    assert!(next >= start + HOUR);
    for minutes in [1, 10, 59] {
        clock.set(minutes * 60);
        assert_eq!(client.number(&line), 0);
        assert_eq!(client.schedule_number("orders", "each", "next_tick"), next, "{minutes}");
    }
    // Not its timing: the tick stays.
    for options in
        ["PRIORITY 3", "CATCHUP ALL", "OVERLAP SKIP", "TTL 5", "HEADERS 1 a b", "GROUP g"]
    {
        assert_eq!(client.number(&format!("{line} {options}")), 0);
        assert_eq!(client.schedule_number("orders", "each", "next_tick"), next, "{options}");
    }
    assert_eq!(client.number("MQ.SCHEDULE orders each y EVERY 3600000"), 0);
    let shown = client.schedule("orders", "each");
    assert_eq!([&*shown["payload"], &*shown["overlap"]], ["y", "ALLOW"]);
    assert!(!shown.contains_key("priority") && !shown.contains_key("headers"), "{shown:?}");
    // Its timing, but neither its length nor its phase.
    for options in ["LIMIT 5", "JITTER 1000", "END 4000000000000"] {
        assert_eq!(client.number(&format!("{line} {options}")), 0);
        assert_eq!(client.schedule_number("orders", "each", "next_tick"), next, "{options}");
    }
    // Another length begins anew.
    let before = clock.now_ms();
    client.ask(&format!("MQ.SCHEDULE orders each x EVERY {}", 2 * HOUR));
    let next = client.schedule_number("orders", "each", "next_tick");
    assert!((before + 2 * HOUR..=clock.now_ms() + 2 * HOUR).contains(&next), "{next}");
}

#[test]
fn a_changed_schedule_keeps_its_history() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXLEN 2");
    hourly(&mut client, "each", start, "");
    for hour in [3, 4, 5] {
        clock.set(hour * HOUR_S + 60);
        super::wait_for_ticks(&mut client, &clock);
    }
    client.ask("MQ.PURGE orders");
    client.ask("MQ.TRIGGER orders each");
    let history = ["last_tick", "runs", "missed", "skipped", "triggered"];
    let before = client.schedule("orders", "each");
    let values: Vec<&str> = history.iter().map(|field| before[*field].as_str()).collect();
    assert_eq!(values[1..], ["2", "2", "1", "1"]);
    assert_eq!(client.number("MQ.SCHEDULE orders each y CRON @daily LIMIT 9 OVERLAP SKIP"), 0);
    let after = client.schedule("orders", "each");
    for field in history {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert!(!after.contains_key("every") && after["cron"] == "@daily", "{after:?}");
    // The runs so far count for the limit.
    let next = client.numbers("MQ.NEXT orders each COUNT 100");
    assert_eq!(next.len(), 7);
    assert_eq!(
        client.refused("MQ.SCHEDULE orders each y CRON @daily LIMIT 2"),
        "ERR the schedule has no tick left"
    );
    client.ask("MQ.UNSCHEDULE orders each");
    client.ask("MQ.SCHEDULE orders each y CRON @daily LIMIT 2");
    assert_eq!(client.schedule_number("orders", "each", "runs"), 0);
}

#[test]
fn ticks_that_are_due_are_not_affected_by_a_change() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "CATCHUP ALL");
    // One after the other, before the timer runs.
    clock.set(2 * HOUR_S + 60);
    client.ask("MQ.SCHEDULE orders each changed CRON @yearly");
    client.wait_for_ready("orders", 2);
    assert_eq!(client.peek_texts("orders"), ["x", "x"]);
    assert_eq!(client.ticks("orders"), super::hours(start, &[1, 2]));
    assert_eq!(client.schedule("orders", "each")["cron"], "@yearly");
}

#[test]
fn a_start_is_a_tick_and_gives_the_phase() {
    let server = Server::start();
    let mut client = server.client();
    let now = now_ms();
    for (start, first) in [
        (now + 5 * HOUR, now + 5 * HOUR),
        (now - 5 * HOUR - HOUR / 2, now + HOUR / 2),
        (now - 100 * HOUR + 60_000, now + 60_000),
    ] {
        client.ask(&format!("MQ.SCHEDULE orders each x EVERY {HOUR} START {start}"));
        let ticks = client.numbers("MQ.NEXT orders each COUNT 3");
        assert_eq!(ticks, [first, first + HOUR, first + 2 * HOUR]);
    }
    let day = 24 * HOUR;
    let midnight = now / day * day + 10 * day;
    for (start, first) in [(midnight, midnight), (midnight + 1, midnight + day)] {
        client.ask(&format!("MQ.SCHEDULE orders each x CRON @daily START {start}"));
        assert_eq!(client.numbers("MQ.NEXT orders each COUNT 1"), [first]);
    }
}
