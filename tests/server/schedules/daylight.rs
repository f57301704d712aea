//! Clock changes of time zones: where the clocks are set forward and back, ticks come once, or each time.

use super::{HOUR, cron};
use crate::harness::*;

struct Change {
    zone: &'static str,
    /// Unix ms.
    at: i64,
    /// What the clocks are set by.
    by: i64,
    /// A time of day that is skipped or comes twice, as minute and hour.
    time: &'static str,
    /// When the clocks show it first, after the change if they skip it; relative to the change, in minutes.
    first: i64,
}

const MINUTE: i64 = 60_000;

/// One of the zones is half an hour off, and so is the change of another.
const CHANGES: [Change; 8] = [
    change("Europe/Berlin", 1_806_195_600_000, 60, "30 2", 0),
    change("Europe/Berlin", 1_824_944_400_000, -60, "30 2", -30),
    change("America/New_York", 1_805_007_600_000, 60, "30 2", 0),
    change("America/New_York", 1_825_567_200_000, -60, "30 1", -30),
    change("Australia/Adelaide", 1_822_494_600_000, 60, "30 2", 0),
    change("Australia/Adelaide", 1_806_769_800_000, -60, "30 2", -30),
    change("Australia/Lord_Howe", 1_822_491_000_000, 30, "15 2", 0),
    change("Australia/Lord_Howe", 1_806_764_400_000, -30, "45 1", -15),
];

const fn change(
    zone: &'static str,
    at: i64,
    by_minutes: i64,
    time: &'static str,
    first: i64,
) -> Change {
    Change { zone, at, by: by_minutes * MINUTE, time, first }
}

#[test]
fn ticks_at_clock_changes_come_once_or_each_time() {
    let (server, clock) = Server::start_with_clock(&[]);
    let replica = server.start_replica();
    let mut client = server.client();
    for Change { zone, at, by, time, first } in CHANGES {
        let set_to = |at: i64| clock.set((at - now_ms()) / 1_000);
        set_to(at - 3 * HOUR);
        let (minute, _) = time.split_once(' ').expect("a minute and an hour");
        for (name, hour) in [("daily", time.to_string()), ("hourly", format!("{minute} *"))] {
            cron(&mut client, name, &format!("{hour} * * *"), &format!("TZ {zone} CATCHUP ALL"));
        }
        let expected = at + first * MINUTE;
        let next = format!("MQ.NEXT orders daily COUNT 2 FROM {}", at - 2 * HOUR);
        assert_eq!(client.numbers(&next)[0], expected, "{zone} {by}");
        set_to(at + 3 * HOUR);
        eventually("no tick is due", || {
            client.queue_info("orders", "next_tick_at") > clock.now_ms()
        });
        let runs = client.runs("orders");
        let of = |name: &str| -> Vec<i64> {
            let ticks = runs.iter().filter(|run| run.schedule == name);
            ticks.map(|run| run.tick.expect("a tick")).collect()
        };
        assert_eq!(of("daily"), [expected], "{zone} {by}");
        let mut hourly = of("hourly");
        if by > 0 {
            // What the clocks skip comes at the change, besides the hours that they show.
            assert!(hourly.contains(&at), "{zone}: {hourly:?}");
            hourly.retain(|tick| *tick != at);
        }
        if by.abs() == HOUR {
            assert_eq!(hourly.len(), 6, "{zone} {by}: {hourly:?}");
            assert!(hourly.windows(2).all(|pair| pair[1] - pair[0] == HOUR), "{zone} {by}");
        } else if by < 0 {
            let both = [expected, expected - by];
            assert!(hourly.windows(2).any(|pair| pair == both), "{zone}: {hourly:?}");
        }
        same_data(&mut client, &mut replica.client(), zone);
        client.ask("MQ.DROP orders");
    }
}

#[test]
fn an_interval_is_elapsed_time_and_knows_no_zones() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    let Change { at, .. } = CHANGES[0];
    clock.set((at - 3 * HOUR - now_ms()) / 1_000);
    let line =
        format!("MQ.SCHEDULE orders each x EVERY {HOUR} START {} CATCHUP ALL", at - 2 * HOUR);
    client.ask(&line);
    clock.set((at + 3 * HOUR - now_ms()) / 1_000 + 60);
    client.wait_for_ready("orders", 6);
    let expected: Vec<i64> = (-2..=3).map(|hour| at + hour * HOUR).collect();
    assert_eq!(client.ticks("orders"), expected);
}

/// A record with other bytes in place of these.
fn with(record: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut changed = record.to_vec();
    let places: Vec<usize> =
        (0..record.len()).filter(|at| record[*at..].starts_with(old)).collect();
    assert!(!places.is_empty(), "no {old:?} in {record:?}");
    places.iter().for_each(|at| changed[*at..at + old.len()].copy_from_slice(new));
    changed
}

#[test]
fn newer_zone_data_moves_the_ticks_that_lie_ahead() {
    let mut server = Server::start_with_append_only_file();
    let mut client = server.client();
    cron(&mut client, "moves", "0 0 1 * *", "TZ Europe/Berlin START 2000000000000");
    cron(&mut client, "paused", "0 0 1 * *", "TZ Europe/Berlin PAUSED 1");
    let next = client.schedule_number("orders", "moves", "next_tick");
    let record = client.ask("HGET mq:{orders}:schedules moves");
    let record = bulk(&record);
    // As a build with other rules for this zone and an older version of the data wrote it.
    let is_version = |bytes: &[u8]| {
        bytes[..4].iter().all(u8::is_ascii_digit)
            && bytes.starts_with(b"20")
            && bytes[4].is_ascii_lowercase()
    };
    let version = record.windows(5).rfind(|bytes| is_version(bytes)).expect("a version");
    let other = next + HOUR / 2;
    let older = with(record, version, b"2000a");
    let older = with(&older, &next.to_le_bytes(), &other.to_le_bytes());
    client.reply(&[b"HSET".as_slice(), b"mq:{orders}:schedules", b"moves", &older]).expect("0");
    client.ask(&format!("ZADD mq:{{orders}}:ticks {other} moves"));
    assert_eq!(client.schedule_number("orders", "moves", "next_tick"), other);
    client.ask("BGREWRITEAOF");
    server.wait_for_rewrite();
    server.kill_and_start_again();
    let mut client = server.client();
    eventually("the tick is where it belongs", || {
        client.schedule_number("orders", "moves", "next_tick") == next
    });
    assert_eq!(client.text("ZSCORE mq:{orders}:ticks moves"), next.to_string());
    // That was an op, and is kept.
    let digest = client.text("DEBUG DIGEST");
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(client.text("DEBUG DIGEST"), digest);
    assert_eq!(client.schedule_number("orders", "moves", "next_tick"), next);
}
