//! Ticks that are late: the server was down, or its clock was set.

use super::{HOUR, HOUR_S, hourly, hours, wait_for_ticks, with_clock};
use crate::harness::*;

const DAY_S: i64 = 24 * HOUR_S;

/// The ticks of a schedule that have a message, and how many others it stands for.
fn of(runs: &[Run], name: &str) -> Vec<(i64, Option<i64>)> {
    let tick = |run: &Run| (run.tick.expect("a tick"), run.missed);
    let mut ticks: Vec<_> = runs.iter().filter(|run| run.schedule == name).map(tick).collect();
    ticks.sort_unstable();
    ticks
}

/// A schedule with each CATCHUP, and a paused one.
fn set_all(client: &mut Client, start: i64) {
    for catch_up in ["NONE", "ONE", "ALL"] {
        hourly(client, catch_up, start, &format!("CATCHUP {catch_up}"));
    }
    hourly(client, "paused", start, "CATCHUP ALL PAUSED 1");
}

/// What is right three and a half hours later, if nothing ran in between.
fn missed_three(client: &mut Client, clock: &Clock, start: i64) {
    wait_for_ticks(client, clock);
    let runs = client.runs("orders");
    let all: Vec<_> = hours(start, &[1, 2, 3]).into_iter().map(|tick| (tick, None)).collect();
    assert_eq!(of(&runs, "ALL"), all);
    assert_eq!(of(&runs, "ONE"), [(start + 3 * HOUR, Some(2))]);
    assert_eq!(runs.len(), 4, "{runs:?}");
    for (name, runs, missed) in [("NONE", 0, 3), ("ONE", 1, 2), ("ALL", 3, 0), ("paused", 0, 0)] {
        assert_eq!(client.schedule_number("orders", name, "runs"), runs, "{name}");
        assert_eq!(client.schedule_number("orders", name, "missed"), missed, "{name}");
    }
    for name in ["NONE", "ONE", "ALL"] {
        let next = client.schedule_number("orders", name, "next_tick");
        assert_eq!(next, start + 4 * HOUR, "{name}");
    }
    for (field, value) in [("ticks", 4), ("ticks_missed", 5), ("ticks_skipped", 0)] {
        assert_eq!(client.queue_info("orders", field), value, "{field}");
    }
}

#[test]
fn a_clock_set_forward_makes_ticks_late() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    set_all(&mut client, start);
    clock.set(3 * HOUR_S + HOUR_S / 2);
    missed_three(&mut client, &clock, start);
    same_data(&mut client, &mut replica.client(), "the ticks");
}

#[test]
fn a_pull_after_the_clock_was_set_forward_meets_late_ticks() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    set_all(&mut client, start);
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    clock.set(3 * HOUR_S + HOUR_S / 2);
    let (message, mut consumer) = waiting.message();
    assert_eq!(message.text(), "x");
    consumer.nack_with(&message, "NOCOUNT FRONT");
    missed_three(&mut client, &clock, start);
}

#[test]
fn a_restart_after_missed_ticks_catches_up_as_each_schedule_says() {
    for (kept, preamble, is_rewritten) in [
        ("ops", "yes", false),
        ("a preamble", "yes", true),
        ("no preamble", "no", true),
        ("snapshot", "", false),
    ] {
        let settings =
            [("appendonly", "yes"), ("appendfsync", "always"), ("aof-use-rdb-preamble", preamble)];
        let settings = if kept == "snapshot" { &[][..] } else { &settings };
        let (mut server, clock, start) = with_clock(settings);
        let mut client = server.client();
        set_all(&mut client, start);
        if kept == "snapshot" {
            server.shut_down("SAVE");
        } else {
            if is_rewritten {
                client.ask("BGREWRITEAOF");
                server.wait_for_rewrite();
            }
            client.ask("MQ.CONFIG orders MAXLEN 1000");
            server.kill();
        }
        clock.set(3 * HOUR_S + HOUR_S / 2);
        server.start_again();
        let mut client = server.client();
        wait_for_ticks(&mut client, &clock);
        let before = client.runs("orders");
        assert_eq!(before.len(), 4, "{kept}: {before:?}");
        if kept == "snapshot" {
            server.restart_with_snapshot();
        } else {
            server.kill_and_start_again();
        }
        let mut client = server.client();
        sleep_until_ms(now_ms() + 100);
        assert_eq!(client.runs("orders"), before, "{kept}: no tick twice");
        let all: Vec<_> = hours(start, &[1, 2, 3]).into_iter().map(|tick| (tick, None)).collect();
        assert_eq!(of(&before, "ALL"), all, "{kept}");
        assert_eq!(of(&before, "ONE"), [(start + 3 * HOUR, Some(2))], "{kept}");
        for (name, missed) in [("NONE", 3), ("ONE", 2), ("ALL", 0), ("paused", 0)] {
            let shown = client.schedule_number("orders", name, "missed");
            assert_eq!(shown, missed, "{kept} {name}");
        }
        clock.set(4 * HOUR_S + 1);
        client.wait_for_ready("orders", 7);
        let runs = client.runs("orders");
        for name in ["NONE", "ONE", "ALL"] {
            let last = of(&runs, name).last().copied();
            assert_eq!(last, Some((start + 4 * HOUR, None)), "{kept} {name}");
        }
    }
}

#[test]
fn a_tick_that_is_hardly_late_is_none_that_was_missed() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "NONE", start, "CATCHUP NONE");
    // Its last tick is two seconds late.
    clock.set(3 * HOUR_S + 2);
    wait_for_ticks(&mut client, &clock);
    // It may be more than five seconds late where the machine stands still.
    let runs = client.schedule_number("orders", "NONE", "runs");
    let missed = client.schedule_number("orders", "NONE", "missed");
    assert_eq!(runs + missed, 3);
    assert_eq!(client.ticks("orders"), hours(start, &[3])[..runs as usize]);
    assert!(clock.now_ms() > start + 3 * HOUR + 5_000 || runs == 1, "{runs} {missed}");
    assert_eq!(client.runs("orders").first().and_then(|run| run.missed), None);
}

#[test]
fn a_clock_set_back_repeats_no_tick() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    set_all(&mut client, start);
    clock.set(HOUR_S + 1);
    client.wait_for_ready("orders", 3);
    for to in [0, -DAY_S, HOUR_S, HOUR_S + 60] {
        clock.set(to);
        sleep_until_ms(now_ms() + 200);
        assert_eq!(client.number("MQ.LEN orders"), 3, "{to}");
        for name in ["NONE", "ONE", "ALL"] {
            let next = client.schedule_number("orders", name, "next_tick");
            assert_eq!(next, start + 2 * HOUR, "{to} {name}");
        }
    }
    clock.set(2 * HOUR_S + 1);
    client.wait_for_ready("orders", 6);
    let mut ticks = client.ticks("orders");
    ticks.sort();
    assert_eq!(ticks, hours(start, &[1, 1, 1, 2, 2, 2]));
    same_data(&mut client, &mut replica.client(), "the steps");
}

#[test]
fn a_schedule_that_is_set_anew_after_the_clock_was_set_back_repeats_no_tick() {
    let (server, clock, start) = with_clock(&[]);
    let mut client = server.client();
    hourly(&mut client, "each", start, "");
    clock.set(3 * HOUR_S + 1);
    client.wait_for_ready("orders", 1);
    clock.set(0);
    let first = start + HOUR / 2;
    let line = format!("MQ.SCHEDULE orders each x EVERY {} START {first}", HOUR / 2);
    assert_eq!(client.number(&line), 0);
    let next = client.schedule_number("orders", "each", "next_tick");
    assert_eq!(next, start + 3 * HOUR + HOUR / 2);
    assert_eq!(client.numbers("MQ.NEXT orders each COUNT 2"), [next, next + HOUR / 2]);
}

#[test]
fn a_clock_set_far_forward_leaves_only_as_many_messages_as_a_year_has_ticks() {
    let (server, clock, start) = with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    let first = start + HOUR;
    let day = 24 * HOUR;
    for (name, catch_up) in [("each", "ALL"), ("one", "ONE"), ("none", "NONE")] {
        let timing = format!("EVERY {day} START {first} CATCHUP {catch_up}");
        client.ask(&format!("MQ.SCHEDULE orders {name} x {timing}"));
        client.ask(&format!("MQ.SCHEDULE orders cron-{name} x CRON @daily CATCHUP {catch_up}"));
    }
    // One that ticks so often that only counting, not walking, is fast.
    client.ask(&format!("MQ.SCHEDULE orders often x EVERY 100 START {first} END {}", first + day));
    let years = 10;
    clock.set(years * 365 * DAY_S + DAY_S / 2);
    wait_for_ticks(&mut client, &clock);
    let now = clock.now_ms();
    let runs = client.runs("orders");
    for name in ["each", "cron-each"] {
        let of = of(&runs, name);
        assert!((364..=366).contains(&of.len()), "{name}: {}", of.len());
        assert!(of.iter().all(|(tick, _)| *tick >= now - 366 * day), "{name}");
        assert!(of.windows(2).all(|pair| pair[1].0 - pair[0].0 == day), "{name}");
        let missed = client.schedule_number("orders", name, "missed") + of.len() as i64;
        assert!((years * 365..=years * 365 + 2).contains(&missed), "{name}: {missed}");
    }
    for name in ["one", "cron-one"] {
        let of = of(&runs, name);
        assert_eq!(of.len(), 1, "{name}");
        let missed = client.schedule_number("orders", name, "missed");
        assert_eq!(of[0].1, Some(missed), "{name}");
        assert!((years * 365 - 1..=years * 365 + 1).contains(&missed), "{name}: {missed}");
        assert!((now - day..=now).contains(&of[0].0), "{name}");
    }
    for name in ["none", "cron-none"] {
        assert!(of(&runs, name).is_empty(), "{name}");
        let missed = client.schedule_number("orders", name, "missed");
        assert!((years * 365..=years * 365 + 2).contains(&missed), "{name}: {missed}");
    }
    assert_eq!(of(&runs, "often"), [(first + day, Some(day / 100))]);
    same_data(&mut client, &mut replica.client(), "ten years");
}
